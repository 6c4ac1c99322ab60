-- The managed databases of the Vultr stand-in: list, one, change, destroy, usage, backups. A change of the allow list
-- makes an instance "Configuring" for some looks, as the real one is for some seconds, and is in force after them.
-- Destroying one makes it unknown here and closes its gate; the cluster behind it goes on.

local answer = require "pgorch.sandbox.vultr.answer"
local clock = require "pgorch.clock"
local instances = require "pgorch.sandbox.vultr.instances"
local networks = require "pgorch.sandbox.networks"

local databases = {}

--- Runs a handler with the instance that the path names: handler(state, request, entry, index).
---@param handler function
---@return function
function databases.with(handler)
  return function(state, request)
    for i, entry in ipairs(state.databases) do
      if entry.object.id == request.captures[1] then return handler(state, request, entry, i) end
    end
    return answer.error(404, "Invalid database ID.")
  end
end

local with = databases.with

local function same(wanted, value) return not wanted or wanted == "" or wanted:lower() == value:lower() end

function databases.list(state, request)
  local found, given = {}, request.arguments
  for _, entry in ipairs(state.databases) do
    local o = entry.object
    if (not given.label or given.label == "" or o.label == given.label)
      and (not given.tag or given.tag == "" or o.tag == given.tag) and same(given.region, o.region) then
      found[#found + 1] = instances.shown(state, entry)
    end
  end
  return answer.page("databases", found, given)
end

databases.get = with(function(state, _, entry)
  return answer.json(200, { database = instances.shown(state, entry, true) })
end)

local CHANGEABLE = { "label", "tag", "maintenance_dow", "maintenance_time", "cluster_time_zone", "backup_hour",
  "backup_minute" }

local function wrong_field(given)
  for _, name in ipairs(CHANGEABLE) do
    if given[name] ~= nil and type(given[name]) ~= "string" then return name end
  end
end

databases.update = with(function(state, request, entry)
  local given = request.json
  if type(given) ~= "table" then return answer.error(400, "Invalid JSON body.") end
  if entry.server and entry.server:changing() or entry.object.status:lower() ~= "running" then
    return answer.error(412, "Database is not ready.")
  end
  if wrong_field(given) then return answer.error(400, ("Invalid %s."):format(wrong_field(given))) end
  if given.trusted_ips ~= nil then
    if type(given.trusted_ips) ~= "table" then return answer.error(400, "trusted_ips must be an array.") end
    local list, bad = networks.list(given.trusted_ips)
    if not list then return answer.error(422, ("Invalid trusted IP: %s."):format(tostring(bad))) end
    instances.trust(entry, list)
  end
  for _, name in ipairs(CHANGEABLE) do entry.object[name] = given[name] or entry.object[name] end
  return answer.json(200, { database = instances.shown(state, entry) })
end)

databases.delete = with(function(state, _, entry, index)
  table.remove(state.databases, index)
  if entry.server and entry.server.gate then entry.server.gate:allow {} end
  return { status = 204 }
end)

-- The console's figure is for the machine: logs and the system are in it beside the data.
local SYSTEM_GB = 2.7

local function rounded(value) return math.floor(value * 100 + 0.5) / 100 end

databases.usage = with(function(_, _, entry)
  local data = entry.server and entry.server.cluster and entry.server:bytes() / 1e9 or 0.32
  local disk, max = entry.disk_gb or rounded(SYSTEM_GB + data), entry.object.plan_disk
  return answer.json(200, { usage = {
    disk = { current_gb = disk, max_gb = max, percentage = rounded(disk / max * 100) },
    memory = { current_mb = 812, max_mb = entry.object.plan_ram, percentage = 39.65 }, cpu = { percentage = 2.4 },
  } })
end)

databases.backups = with(function(_, _, entry)
  local date, time = entry.object.latest_backup:match("^(%S+) (%S+)$")
  local oldest = answer.time(clock.time() - 6 * 86400):match("^%S+")
  return answer.json(200, { latest_backup = { date = date, time = time },
    oldest_backup = { date = oldest, time = time } })
end)

return databases
