-- Object storage keys of the Linode stand-in. The secret is told once, when the key is made. A key limited to some
-- buckets is limited at the sandbox's S3 endpoint; a deleted one stops working there at once. With a real object store
-- in the endpoint's place every key is that store's own.

local answer = require "pgorch.sandbox.linode.answer"
local json = require "pgorch.json"
local places = require "pgorch.sandbox.linode.places"

local keys = {}

local MAX_KEYS = 100
local PERMISSIONS = { read_only = true, read_write = true, none = true }

local function regions_of(state, wanted)
  local found = json.array {}
  for _, place in ipairs(places.endpoints(state)) do
    for _, id in ipairs(wanted) do
      if id == place.region then
        found[#found + 1] = { id = id, s3_endpoint = place.s3_endpoint, endpoint_type = place.endpoint_type }
      end
    end
  end
  return found
end

--- Checks a list of buckets: the list as it is shown and, by name, what the key may do; or the refusal.
local function access_of(given)
  if given == nil or given == json.null then return json.null, nil end
  if type(given) ~= "table" then return nil, nil, answer.error(400, "Must be a list", "bucket_access") end
  local shown, limits = json.array {}, {}
  for i, each in ipairs(given) do
    local name, permission = type(each) == "table" and each.bucket_name, type(each) == "table" and each.permissions
    if type(name) ~= "string" or not PERMISSIONS[permission] or not places.is_here(each.region or each.cluster) then
      return nil, nil, answer.error(400, "Each needs region, bucket_name and permissions", "bucket_access")
    end
    shown[i] = { region = places.REGION, cluster = places.CLUSTER, bucket_name = name, permissions = permission }
    limits[name] = permission
  end
  return shown, limits
end

local function wrong(given)
  if type(given) ~= "table" then return answer.error(400, "Invalid JSON") end
  if type(given.label) ~= "string" or #given.label < 1 or #given.label > 50 then
    return answer.error(400, "Length must be 1-50 characters", "label")
  end
  if given.regions ~= nil and (type(given.regions) ~= "table" or #given.regions == 0) then
    return answer.error(400, "Must be a list of regions", "regions")
  end
end

local function new_pair(state, limits)
  if state.s3.add_key then return state.s3:add_key { account = state.account, buckets = limits } end
  return state.s3
end

local function masked(key)
  local shown = {}
  for name, value in pairs(key) do shown[name] = value end
  shown.secret_key = "[REDACTED]"
  return shown
end

function keys.list(state, request)
  local found = {}
  for i, key in ipairs(state.keys) do found[i] = masked(key) end
  return answer.page(found, request)
end

function keys.create(state, request)
  local given = request.json
  local refused = wrong(given)
  if refused then return refused end
  local regions = regions_of(state, given.regions or { places.REGION })
  if #regions ~= #(given.regions or { places.REGION }) then return answer.error(400, "Invalid region", "regions") end
  local shown, limits, why = access_of(given.bucket_access)
  if why then return why end
  if #state.keys >= MAX_KEYS then return answer.error(400, "The limit of keys is reached") end
  local pair = new_pair(state, limits)
  state.last_key = (state.last_key or 76) + 1
  local key = { id = state.last_key, label = given.label, access_key = pair.access_key, secret_key = pair.secret_key,
    limited = limits ~= nil, bucket_access = shown, regions = regions }
  table.insert(state.keys, key)
  return answer.json(200, key)
end

--- Runs a handler with the key that the path names.
local function with(handler)
  return function(state, request)
    local id = math.tointeger(tonumber(request.captures[1]))
    for i, key in ipairs(state.keys) do
      if key.id == id then return handler(state, request, key, i) end
    end
    return answer.error(404, "Not found")
  end
end

keys.get = with(function(_, _, key) return answer.json(200, masked(key)) end)

keys.update = with(function(state, request, key)
  local given = request.json
  if type(given) ~= "table" then return answer.error(400, "Invalid JSON") end
  local refused = wrong { label = given.label or key.label, regions = given.regions }
  if refused then return refused end
  key.label = given.label or key.label
  if given.regions then key.regions = regions_of(state, given.regions) end
  return answer.json(200, masked(key))
end)

keys.delete = with(function(state, _, key, index)
  table.remove(state.keys, index)
  if state.s3.remove_key then state.s3:remove_key(key.access_key) end
  return answer.empty()
end)

return keys
