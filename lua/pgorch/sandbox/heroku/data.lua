-- Databases in the Data API of the Heroku stand-in: info per plan family, waiting, reset, sessions ended.
-- Accepts a database's add-on id and its name everywhere; answers 404 until the add-on is provisioned.

local faults = require "pgorch.sandbox.faults"
local json   = require "pgorch.json"
local reply  = require "pgorch.sandbox.heroku.reply"

local data = {}

--- "No such database", without a `message`: with one, the CLI does not see the 404 that it waits through.
function data.unknown()
  error({ refusal = reply.json(404, { id = "not_found", error = "Couldn't find that database." }) }, 0)
end

--- Not known to the Data API. It can be told as the service of 2020 did: HTML labelled JSON.
function data.missing(server)
  if not server.html_404 then data.unknown() end
  error({ refusal = { status = 404, headers = { ["Content-Type"] = "application/json" },
    body = "<h1>Not Found</h1>" } }, 0)
end

--- The add-on behind a database path, or a refusal.
---@return table addon
function data.addon(server, name_or_id)
  local addon = server.state:find_addon(name_or_id)
  return addon and addon.database and addon or data.missing(server)
end

--- Refuses what must not happen while a transfer writes into the database.
function data.check_idle(addon)
  if addon.transfer and not addon.transfer.finished_at then
    reply.refuse(409, "conflict", ("A transfer is already in progress on %s."):format(addon.name))
  end
end

--- The `extensions` of a request, checked against the allow-list.
---@return string[]
function data.extensions(server, list)
  list = reply.given(list)
  if list == nil then return {} end
  if type(list) ~= "table" then reply.invalid "extensions must be an array." end
  local names = {}
  for i, each in ipairs(list) do
    if type(each) ~= "string" or not server.target:allows(each) then
      reply.invalid(("Extension %s is not supported."):format(tostring(each)))
    end
    names[i] = each
  end
  return names
end

-- Info ---------------------------------------------------------------------------------------------------------

local function size_text(bytes)
  local size, units = bytes / (1 << 20), { "MB", "GB", "TB" }
  for i, unit in ipairs(units) do
    if size < 1024 or i == #units then return ((("%.1f"):format(size):gsub("%.0$", "")) .. " " .. unit) end
    size = size / 1024
  end
end

local function status_of(addon, facts)
  local is_over = facts.bytes > addon.plan.capacity or addon.plan.tables and facts.tables > addon.plan.tables
  return is_over and "Over Plan Capacity: Action Required" or "Available"
end

local function created_of(addon)
  return (addon.created_at:gsub("T", " "):sub(1, 16)) .. " "
end

local function essential_rows(addon, facts)
  local plan = addon.plan
  local share = facts.bytes / plan.capacity
  local function judged(fits) return fits and "In compliance" or "Not in compliance" end
  return {
    { "Plan", plan.slug }, { "Status", status_of(addon, facts) },
    { "Connections", ("%d/%d"):format(facts.connections, plan.connections) }, { "PG Version", facts.version },
    { "Created", created_of(addon) },
    { "Data Size", ("%s / %s (%.2f%%) (%s)"):format(size_text(facts.bytes), size_text(plan.capacity), share * 100,
      judged(share <= 1)) },
    { "Tables", ("%d/%d (%s)"):format(facts.tables, plan.tables, judged(facts.tables <= plan.tables)) },
    { "Fork/Follow", "Unsupported" }, { "Rollback", "Unsupported" }, { "Continuous Protection", "Off" },
  }
end

--- Dedicated plans say more; some values are numbers there, and the size comes without its limit.
local function dedicated_rows(addon, facts)
  return {
    { "Plan", addon.plan.human_name }, { "Status", status_of(addon, facts) }, { "Data Size", size_text(facts.bytes) },
    { "Tables", facts.tables }, { "PG Version", facts.version },
    { "Connections", ("%d/%d"):format(facts.connections, addon.plan.connections) },
    { "Connection Pooling", "Available" }, { "Credentials", 1 + #addon.credentials }, { "Fork/Follow", "Available" },
    { "Rollback", "earliest from " .. created_of(addon) .. "UTC" }, { "Created", created_of(addon) },
    { "Region", addon.app.region }, { "Data Encryption", "In Use" }, { "Continuous Protection", "On" },
    { "Followers", nil, true }, { "Forks", nil, true }, { "Maintenance", "not required" },
    { "Maintenance window", "Sundays 22:30 to Mondays 02:30 UTC" },
  }
end

local function shape_rows(list)
  local rows = json.array {}
  for i, row in ipairs(list) do
    rows[i] = { name = row[1], values = json.array { row[2] }, resolve_db_name = row[3] }
  end
  return rows
end

local function shape_plan(plan)
  return { id = 170, name = plan.slug, tier = plan.slug:match "^%a+", service_slug = "heroku-postgresql",
    status = "production", attrs_unparsed = { hard_connlimit = tostring(plan.connections),
      soft_connlimit = tostring(plan.connections), capacity_bytes = tostring(plan.capacity) } }
end

local function dedicated(server, addon, facts)
  local database = addon.database
  return { plan = shape_plan(addon.plan), following = json.null, forked_from = json.null, ["hot_standby?"] = true,
    heroku_resource_id = addon.provider_id, formation = { id = addon.id, primary = addon.id },
    metaas_source = "dod-" .. database.url, num_connections = facts.connections, num_connections_waiting = 0,
    num_tables = facts.tables, current_transaction = facts.transaction, target_transaction = json.null,
    postgres_version = facts.version, port = server.target.cluster.port, database_password = database.password,
    available_for_ingress = true, credentials = 1 + #addon.credentials, leader = json.null,
    info = shape_rows(dedicated_rows(addon, facts)) }
end

local function info(server, request)
  local addon = data.addon(server, request.at.id)
  local facts, database = server.target:facts(addon.database), addon.database
  local shown = { addon_id = addon.id, name = addon.name, plan = addon.plan.slug,
    created_at = addon.created_at:gsub("Z$", ".642+00:00"), database_user = database.user,
    database_name = database.dbname, resource_url = database.url, num_bytes = facts.bytes,
    ["waiting?"] = addon.waits < addon.ready_after }
  if addon.plan.essential then
    shown.info = shape_rows(essential_rows(addon, facts))
    return reply.json(200, shown)
  end
  facts.transaction = server.target:admin(nil, function(conn) return conn:value "SELECT txid_current()::bigint" end)
  for name, value in pairs(dedicated(server, addon, facts)) do shown[name] = value end
  return reply.json(200, shown)
end

-- Waiting ------------------------------------------------------------------------------------------------------

--- A fault makes it take `looks` more, wait for ever (`stuck`) or end with `error`.
local function play(server, addon)
  local fault = faults.at(server.world, "worker.ready")
  if not fault then return end
  addon.ready_after = math.max(addon.ready_after, addon.waits) + (fault.looks or 0)
  addon.is_stuck, addon.broken = addon.is_stuck or fault.stuck, addon.broken or fault.error
end

--- A provisioned database is not ready at once: first unknown here, then preparing, then available. Counted in looks.
local function wait_status(server, request)
  local addon = data.addon(server, request.at.id)
  play(server, addon)
  if addon.broken then return reply.json(200, { ["error?"] = true, ["waiting?"] = true, message = addon.broken }) end
  addon.waits = addon.waits + 1
  if addon.waits <= server.missing_polls then data.missing(server) end
  if addon.is_stuck or addon.waits <= addon.ready_after then
    return reply.json(200, { ["waiting?"] = true, message = "preparing" })
  end
  return reply.json(200, { ["waiting?"] = false, message = "available" })
end

-- Doing --------------------------------------------------------------------------------------------------------

local function reset(server, request)
  local addon = data.addon(server, request.at.id)
  data.check_idle(addon)
  local extensions = data.extensions(server, request.json.extensions)
  server.target:reset(addon.database)
  server.target:create_extensions(addon.database, extensions)
  return reply.json(200, { message = "Database reset" })
end

local function connection_reset(server, request)
  server.target:disconnect(data.addon(server, request.at.id).database)
  return reply.json(200, { message = "Connections reset" })
end

--- Only databases in private spaces have a bastion.
local function bastion(server, request)
  data.addon(server, request.at.id)
  reply.refuse(404, "not_found", "This database has no bastion.")
end

--- Advanced databases have an API of their own, which this sandbox does not have.
function data.refuse_advanced()
  reply.refuse(404, "not_found", "This sandbox has no Heroku Postgres Advanced databases.")
end

data.routes = {
  { "GET", "/client/v11/databases/:id", "database", info },
  { "GET", "/client/v11/databases/:id/wait_status", "wait_status", wait_status },
  { "PUT", "/client/v11/databases/:id/reset", "reset", reset },
  { "POST", "/client/v11/databases/:id/connection_reset", "connection_reset", connection_reset },
  { "GET", "/client/v11/databases/:id/bastion", "bastion", bastion },
}

return data
