-- The Data API of the Heroku stand-in: database info, waiting, reset, credentials, settings.
-- Accepts a database's add-on id and its name everywhere; answers 404 until the add-on is provisioned.

local json  = require "pgorch.json"
local pg    = require "pgorch.pg"
local reply = require "pgorch.sandbox.heroku.reply"

local data = {}

--- "No such database", without a `message`: with one, the CLI does not see the 404 that it waits through.
function data.unknown()
  error({ refusal = reply.json(404, { id = "not_found", error = "Couldn't find that database." }) }, 0)
end

--- The add-on behind a database path, or a refusal. An unknown one can be answered as the service of 2020 did: HTML
--- labelled JSON.
---@return table addon
function data.addon(server, name_or_id)
  local addon = server.state:find_addon(name_or_id)
  if addon and addon.app.owner == server.state.account and addon.database then return addon end
  if server.html_404 then
    error({ refusal = { status = 404, headers = { ["Content-Type"] = "application/json" },
      body = "<h1>Not Found</h1>" } }, 0)
  end
  data.unknown()
end

local function size_text(bytes)
  local size, units = bytes / (1 << 20), { "MB", "GB", "TB" }
  for i, unit in ipairs(units) do
    if size < 1024 or i == #units then return ((("%.1f"):format(size):gsub("%.0$", "")) .. " " .. unit) end
    size = size / 1024
  end
end

local function rows_of(addon, facts)
  local plan = addon.plan
  local share = facts.bytes / plan.capacity
  local fits = share <= 1 and "In compliance" or "Not in compliance"
  local status = share <= 1 and "Available" or "Over Plan Capacity: Action Required"
  local tables = plan.tables and ("%d/%d (In compliance)"):format(facts.tables, plan.tables) or facts.tables
  local list = {
    { "Plan", plan.essential and plan.slug or plan.human_name }, { "Status", status },
    { "Connections", ("%d/%d"):format(facts.connections, plan.connections) }, { "PG Version", facts.version },
    { "Created", (addon.created_at:gsub("T", " "):sub(1, 16)) .. " " },
    { "Data Size", ("%s / %s (%.2f%%) (%s)"):format(size_text(facts.bytes), size_text(plan.capacity), share * 100,
      fits) },
    { "Tables", tables }, { "Fork/Follow", plan.essential and "Unsupported" or "Available" },
    { "Rollback", plan.essential and "Unsupported" or "Unavailable" },
    { "Continuous Protection", plan.essential and "Off" or "On" },
  }
  if not plan.essential then
    for _, more in ipairs { { "Data Encryption", "In Use" }, { "Region", "us" }, { "Maintenance", "not required" } } do
      list[#list + 1] = more
    end
  end
  local rows = json.array {}
  for i, row in ipairs(list) do rows[i] = { name = row[1], values = json.array { row[2] } } end
  return rows
end

local function info(server, request)
  local addon = data.addon(server, request.at.id)
  local facts, plan, database = server.target:facts(addon.database), addon.plan, addon.database
  local shown = { addon_id = addon.id, name = addon.name, plan = plan.slug, created_at = addon.created_at:gsub("Z$",
    ".642+00:00"),
    database_user = database.user, database_name = database.dbname, resource_url = database.url, ["waiting?"] = false,
    num_bytes = facts.bytes, info = rows_of(addon, facts) }
  if not plan.essential then                                  -- dedicated plans say more, and `plan` is an object there
    shown.plan = { id = 170, name = plan.slug, tier = plan.slug:match "^%a+", attrs_unparsed = {
      hard_connlimit = tostring(plan.connections), capacity_bytes = tostring(plan.capacity) } }
    shown.following, shown.forked_from, shown["hot_standby?"] = json.null, json.null, false
    shown.database_password, shown.port = database.password, server.target.cluster.port
    shown.num_connections, shown.num_tables, shown.postgres_version = facts.connections, facts.tables, facts.version
    shown.formation, shown.credentials, shown.leader = { id = addon.id, primary = addon.id }, 1, json.null
  end
  return reply.json(200, shown)
end

--- A provisioned database is not ready at once: first unknown here, then preparing, then available. Counted in looks.
local function wait_status(server, request)
  local addon = data.addon(server, request.at.id)
  addon.waits = addon.waits + 1
  if addon.waits <= server.missing_polls then data.unknown() end
  if addon.waits <= server.missing_polls + server.wait_polls then
    return reply.json(200, { ["waiting?"] = true, message = "preparing" })
  end
  return reply.json(200, { ["waiting?"] = false, message = "available" })
end

local function busy(addon)
  return addon.transfer and not addon.transfer.finished_at
end

local function reset(server, request)
  local addon = data.addon(server, request.at.id)
  if busy(addon) then reply.refuse(409, "conflict", "A transfer is in progress on this database.") end
  local extensions = data.extensions(server, request.json.extensions)
  server.target:reset(addon.database)
  server.target:create_extensions(addon.database, extensions)
  return reply.json(200, { message = "Database reset" })
end

--- The `extensions` of a request, checked against the allow-list.
---@return string[]
function data.extensions(server, list)
  if list == nil or list == json.null then return {} end
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

local function connection_reset(server, request)
  server.target:disconnect(data.addon(server, request.at.id).database)
  return reply.json(200, { message = "Connections reset" })
end

local function credential(server, addon)
  local database = addon.database
  return { uuid = addon.id, name = "default", state = "active", database = database.dbname,
    host = server.target.cluster.host,
    port = server.target.cluster.port, credentials = json.array { { user = database.user, password = database.password,
      state = "active", connections = 0 } } }
end

local function credentials(server, request)
  return reply.json(200, json.array { credential(server, data.addon(server, request.at.id)) })
end

local function one_credential(server, request)
  local addon = data.addon(server, request.at.id)
  if request.at.name ~= "default" then reply.not_found("credential", "Couldn't find that credential.") end
  return reply.json(200, credential(server, addon))
end

--- A new password at once; the old one stops working.
local function rotate(server, request)
  local addon = data.addon(server, request.at.id)
  server.target:rotate(addon.database)
  server.state:release(addon.app, ("Update DATABASE by %s"):format(addon.name))
  return reply.json(200, { message = ("Rotating credentials on %s."):format(addon.name) })
end

local function settings(server, request)
  local addon = data.addon(server, request.at.id)
  if addon.plan.essential then
    reply.refuse(422, "unprocessable_entity", "You can't perform this operation on Essential-tier databases.")
  end
  addon.settings = addon.settings or { log_lock_waits = true, log_min_duration_statement = 2000, log_statement = "ddl",
    track_functions = "none" }
  for name, value in pairs(request.method == "PATCH" and request.json or {}) do
    if addon.settings[name] == nil then reply.invalid(("Unknown setting %s."):format(name)) end
    server.target:admin(nil, function(conn)
      local text = type(value) == "boolean" and (value and "on" or "off") or tostring(value)
      conn:exec(("ALTER DATABASE %s SET %s = %s"):format(addon.database.dbname, pg.ident(name), pg.literal(text)))
    end)
    addon.settings[name] = value
  end
  local shown = {}
  for name, value in pairs(addon.settings) do
    shown[name] = { value = value, default = value, desc = name, values = {} }
  end
  return reply.json(200, shown)
end

data.routes = {
  { "GET", "/client/v11/databases/:id", "database", info },
  { "GET", "/client/v11/databases/:id/wait_status", "wait_status", wait_status },
  { "PUT", "/client/v11/databases/:id/reset", "reset", reset },
  { "POST", "/client/v11/databases/:id/connection_reset", "connection_reset", connection_reset },
  { "GET", "/postgres/v0/databases/:id/credentials", "credentials", credentials },
  { "GET", "/postgres/v0/databases/:id/credentials/:name", "credentials", one_credential },
  { "POST", "/postgres/v0/databases/:id/credentials/:name/credentials_rotation", "rotate", rotate },
  { "GET", "/postgres/v0/databases/:id/config", "settings", settings },
  { "PATCH", "/postgres/v0/databases/:id/config", "settings.update", settings },
}

return data
