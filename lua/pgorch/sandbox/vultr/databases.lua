-- The managed databases of the Vultr stand-in: what the API tells about them, and their allow list. A change of the
-- list makes an instance "Configuring" for some polls, as the real one is for some seconds. Destroying one makes it
-- unknown here; the server behind it goes on.

local answer = require "pgorch.sandbox.vultr.answer"
local clock = require "pgorch.clock"
local json = require "pgorch.json"

local databases = {}

local CONFIGURING_POLLS = 2

local function stamp(time) return (clock.iso(math.floor(time)):gsub("T", " "):gsub("Z$", "")) end

--- A database object with Vultr's types: the port is text, the region upper case.
---@param o table what differs from the usual
---@return table
function databases.instance(o)
  local backup = clock.time() - (o.backup_age or 3 * 3600)
  local instance = {
    id = o.id, date_created = "2026-05-01 10:00:00", plan = "vultr-dbaas-startup-cc-1-55-2", plan_disk = 55,
    plan_ram = 2048, plan_vcpus = 1, plan_replicas = 0, region = "EWR", database_engine = o.engine or "pg",
    database_engine_version = tostring(o.version or 15), vpc_id = "", status = "Running", label = o.label,
    tag = o.tag or "", pending_charges = 4.2, dbname = o.dbname, host = o.host, port = tostring(o.port),
    user = o.user, password = o.password, maintenance_dow = "sunday", maintenance_time = "02:00:00",
    backup_hour = os.date("!%H", math.floor(backup)), backup_minute = os.date("!%M", math.floor(backup)),
    latest_backup = stamp(backup), trusted_ips = json.array(o.trusted_ips or {}), ca_certificate = o.ca_pem or "",
    cluster_time_zone = "UTC", read_replicas = json.array {},
  }
  if instance.database_engine == "pg" then
    instance.pg_available_extensions = json.array {
      { name = "hstore", versions = json.array { "1.8" } }, { name = "pg_trgm", versions = json.array { "1.6" } },
      { name = "pgcrypto", versions = json.array { "1.3" } },
    }
  end
  return instance
end

local function find(state, id)
  for i, entry in ipairs(state.databases) do
    if entry.object.id == id then return entry, i end
  end
end

--- Runs a handler with the instance that the path names.
local function with(handler)
  return function(state, request)
    local entry, index = find(state, request.captures[1])
    if not entry then return answer.error(404, "Invalid database ID.") end
    return handler(state, request, entry, index)
  end
end

--- The object as a poll sees it; polling is what ends the "Configuring".
local function polled(entry)
  if entry.busy and entry.busy > 0 then
    entry.busy = entry.busy - 1
  elseif entry.busy then
    entry.busy, entry.object.status = nil, "Running"
  end
  return entry.object
end

function databases.list(state, request)
  local found, given = {}, request.arguments
  for _, entry in ipairs(state.databases) do
    local o = entry.object
    if (not given.label or given.label == "" or o.label == given.label)
      and (not given.tag or given.tag == "" or o.tag == given.tag)
      and (not given.region or given.region == "" or o.region:lower() == given.region:lower()) then
      found[#found + 1] = o
    end
  end
  return answer.page("databases", found, given)
end

databases.get = with(function(_, _, entry) return answer.json(200, { database = polled(entry) }) end)

--- An address or network as Vultr stores it, nil when it is none.
local function network(text)
  if type(text) ~= "string" then return nil end
  local address, bits = text:match("^([%x:.]+)/(%d+)$")
  address = address or text
  local a, b, c, d = address:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if a then
    for _, part in ipairs { a, b, c, d } do
      if tonumber(part) > 255 then return nil end
    end
    bits = tonumber(bits or 32)
    return bits <= 32 and ("%s/%d"):format(address, bits) or nil
  end
  if not address:find("^[%x:]+$") or not address:find(":.*:") then return nil end
  bits = tonumber(bits or 128)
  return bits <= 128 and ("%s/%d"):format(address, bits) or nil
end

databases.update = with(function(state, request, entry)
  local given = request.json
  if type(given) ~= "table" then return answer.error(400, "Invalid JSON body.") end
  if entry.object.status ~= "Running" then return answer.error(412, "Database is not ready.") end
  local list
  if given.trusted_ips ~= nil then
    if type(given.trusted_ips) ~= "table" then return answer.error(400, "trusted_ips must be an array.") end
    list = json.array {}
    for i, text in ipairs(given.trusted_ips) do
      list[i] = network(text)
      if not list[i] then return answer.error(422, ("Invalid trusted IP: %s."):format(tostring(text))) end
    end
    entry.object.trusted_ips, entry.object.status = list, "Configuring"
    entry.busy = state.configuring_polls or CONFIGURING_POLLS
  end
  for _, field in ipairs { "label", "tag", "maintenance_dow", "maintenance_time" } do
    if type(given[field]) == "string" then entry.object[field] = given[field] end
  end
  return answer.json(200, { database = entry.object })
end)

databases.delete = with(function(state, _, _, index)
  table.remove(state.databases, index)
  return { status = 204 }
end)

databases.usage = with(function(_, _, entry)
  return answer.json(200, { usage = {
    disk = { current_gb = entry.disk_gb or 3.02, max_gb = entry.object.plan_disk, percentage = 5.5 },
    memory = { current_mb = 812, max_mb = entry.object.plan_ram, percentage = 39.6 }, cpu = { percentage = 2.4 },
  } })
end)

databases.backups = with(function(_, _, entry)
  local date, time = entry.object.latest_backup:match("^(%S+) (%S+)$")
  local oldest = stamp(clock.time() - 6 * 86400):match("^%S+")
  return answer.json(200, { latest_backup = { date = date, time = time },
    oldest_backup = { date = oldest, time = time } })
end)

databases.dbs = with(function(_, request, entry)
  local found = {}
  for _, name in ipairs(entry.dbs or { entry.object.dbname }) do found[#found + 1] = { name = name } end
  return answer.page("dbs", found, request.arguments)
end)

databases.users = with(function(_, request, entry)
  return answer.page("users", { { username = entry.object.user, password = entry.object.password,
    encryption = "Default (SCRAM-SHA-256)" } }, request.arguments)
end)

databases.pools = with(function()
  return answer.json(200, { connections = { used = 3, available = 94, max = 97 },
    connection_pools = json.array {}, meta = { total = 0 } })
end)

return databases
