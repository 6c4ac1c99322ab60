-- The managed databases of the Linode stand-in: lists, one, change, delete, credentials, the CA, suspend and resume,
-- and the backups of the legacy platform. Credentials and CA are calls of their own, and refused while provisioning.

local answer = require "pgorch.sandbox.linode.answer"
local clock = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local instances = require "pgorch.sandbox.linode.instances"
local networks = require "pgorch.sandbox.networks"
local settings = require "pgorch.sandbox.linode.settings"

local databases = {}

local MAX_SNAPSHOTS = 3

--- Runs a handler with the instance that the path names, by engine and id: handler(entry, request, state, index).
local function with(handler)
  return function(state, request)
    local engine, id = request.captures[1], math.tointeger(tonumber(request.captures[2]))
    for i, entry in ipairs(state.databases) do
      if entry.object.id == id and entry.object.engine == engine then return handler(entry, request, state, i) end
    end
    return answer.error(404, "Not found")
  end
end

--- The same, refused while the instance is not active.
local function when_active(handler)
  return with(function(entry, request, state, index)
    local status = instances.status(entry)
    if status ~= "active" then
      return answer.error(400, ("The database is %s; it must be active."):format(status))
    end
    return handler(entry, request, state, index)
  end)
end

-- Lists and one ----------------------------------------------------------------------------------------------------

local SUMMARY = { "id", "label", "engine", "version", "region", "type", "status", "cluster_size", "allow_list", "hosts",
  "members", "platform", "created", "updated", "encrypted" }

function databases.all(state, request)
  local found = {}
  for i, entry in ipairs(state.databases) do
    instances.status(entry)
    local summary = { instance_uri = ("/v4/databases/%s/instances/%d"):format(entry.object.engine, entry.object.id) }
    for _, name in ipairs(SUMMARY) do summary[name] = entry.object[name] end
    found[i] = summary
  end
  return answer.page(found, request)
end

function databases.list(state, request)
  local found = {}
  for _, entry in ipairs(state.databases) do
    instances.status(entry)
    if entry.object.engine == request.captures[1] then found[#found + 1] = entry.object end
  end
  return answer.page(found, request)
end

databases.get = with(function(entry) return answer.json(200, instances.looked_at(entry)) end)

-- Change -----------------------------------------------------------------------------------------------------------

--- The refusal of a body, with its field.
local function wrong(given)
  local label = given.label
  if label ~= nil and (type(label) ~= "string" or #label < 3 or #label > 32) then
    return answer.error(400, "Length must be 3-32 characters", "label")
  end
  if given.version ~= nil then return answer.error(400, "Major upgrades are not offered here", "version") end
  if given.allow_list ~= nil then
    local list, bad = networks.list(given.allow_list)
    if not list then
      return answer.error(400, ("Invalid IPv4 or IPv6 address: %s"):format(tostring(bad)), "allow_list")
    end
  end
  return given.engine_config ~= nil and settings.wrong(given.engine_config) or nil
end

databases.update = when_active(function(entry, request)
  local given, object = request.json, entry.object
  if type(given) ~= "table" then return answer.error(400, "Invalid JSON") end
  local refused = wrong(given)
  if refused then return refused end
  for _, name in ipairs { "label", "updates", "private_network", "type", "cluster_size" } do
    if given[name] ~= nil then object[name] = given[name] end
  end
  if given.engine_config then settings.apply(entry, given.engine_config) end
  if given.allow_list then
    instances.turn(entry, "updating", "active")
    instances.allow(entry, networks.list(given.allow_list))
  elseif given.type or given.cluster_size then
    instances.turn(entry, "resizing", "active")
  end
  object.updated = answer.time(clock.time())
  return answer.json(200, object)
end)

databases.delete = with(function(entry, _, state, index)
  table.remove(state.databases, index)
  if entry.server then entry.server:shut() end
  return answer.empty()
end)

databases.suspend = when_active(function(entry)
  instances.turn(entry, "suspending", "suspended")
  return answer.empty()
end)

databases.resume = with(function(entry)
  if instances.status(entry) ~= "suspended" then return answer.error(400, "The database is not suspended.") end
  instances.turn(entry, "resuming", "active")
  return answer.empty()
end)

-- What a client needs to connect --------------------------------------------------------------------------------

--- Runs a handler unless the instance is being made.
local function when_there(handler)
  return with(function(entry, request)
    if entry.object.status == "provisioning" or not entry.server then
      return answer.error(400, "The database is not available yet.")
    end
    return handler(entry, request)
  end)
end

databases.credentials = when_there(function(entry)
  local admin = entry.server.users[1]
  return answer.json(200, { username = admin.name, password = admin.password })
end)

databases.reset_credentials = when_active(function(entry)
  if not entry.server or not entry.server.cluster then
    return answer.error(400, "The database is not the sandbox's own.")
  end
  local done, why = entry.server:set_password(entry.server.users[1], "AVNS_" .. crypto.hex(crypto.random(12)))
  if not done then error(why, 0) end
  return answer.empty()
end)

databases.ssl = when_there(function(entry)
  return answer.json(200, { ca_certificate = crypto.base64(entry.ca_pem or "") })
end)

--- There are none: no pooler runs here.
databases.pools = with(function(_, request) return answer.page({}, request) end)

-- Backups of the legacy platform -------------------------------------------------------------------------------

local function on_legacy(handler)
  return with(function(entry, request)
    if entry.object.platform ~= "rdbms-legacy" then return answer.error(404, "Not found") end
    return handler(entry, request)
  end)
end

databases.backups = on_legacy(function(entry, request)
  local found = {}
  if entry.auto_backup then found[1] = { id = 1, label = "auto-backup", type = "auto", created = entry.auto_backup } end
  return answer.page(table.move(entry.backups, 1, #entry.backups, #found + 1, found), request)
end)

databases.create_backup = on_legacy(function(entry, request)
  local given = request.json
  if type(given) ~= "table" or type(given.label) ~= "string" then return answer.error(400, "Required", "label") end
  if given.target ~= nil and given.target ~= "primary" and given.target ~= "secondary" then
    return answer.error(400, "Must be one of primary, secondary", "target")
  end
  if instances.status(entry) ~= "active" then return answer.error(400, "The database must be active.") end
  if #entry.backups >= MAX_SNAPSHOTS then return answer.error(400, "Maximum number of snapshots reached") end
  instances.turn(entry, "backing_up", "active")
  table.insert(entry.backups, { id = #entry.backups + 2, label = given.label, type = "snapshot",
    created = answer.time(clock.time()) })
  return answer.empty()
end)

return databases
