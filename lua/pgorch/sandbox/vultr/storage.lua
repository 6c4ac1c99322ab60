-- Object storage in the Vultr stand-in: subscriptions, their keys and buckets. What it hands out works at the
-- sandbox's S3 endpoint; new keys for a subscription end the old ones there, and its end is that of its keys and
-- buckets. With a real object store in the endpoint's place, the calls that would change anything there are refused.

local answer = require "pgorch.sandbox.vultr.answer"
local clock = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local json = require "pgorch.json"

local storage = {}

local PENDING_POLLS = 2

local function tier()
  return { OBJSTORETIERID = 4, sales_name = "Standard", ratelimit_ops_secs = 400, ratelimit_ops_bytes = 629145600 }
end

--- The real API gives a host name, and https goes without saying. For a store on loopback pgorch would take http, so
--- one with TLS is given with its scheme.
local function hostname(url) return (url:gsub("^http://", ""):gsub("^(https?://[^/]*)/.*$", "%1"):gsub("/$", "")) end

--- A subscription whose keys belong to an account of the S3 endpoint.
---@param state table
---@param o { label: string, status: string, account: table?, access_key: string, secret_key: string }
---@return table entry
function storage.subscription(state, o)
  return { account = o.account, object = {
    id = crypto.uuid(), date_created = answer.time(clock.time()), cluster_id = 9, region = "ewr",
    location = "New Jersey",
    label = o.label, status = o.status, tier = tier(),
    s3_hostname = hostname(state.s3.url), s3_access_key = o.access_key,
    s3_secret_key = o.secret_key,
  } }
end

--- Runs a handler that needs the stand-in behind the endpoint.
local function administered(handler)
  return function(state, request, ...)
    if not state.s3.add_account then return answer.error(400, "The object store is not the sandbox's own.") end
    return handler(state, request, ...)
  end
end

local function with(handler)
  return function(state, request)
    for i, entry in ipairs(state.storages) do
      if entry.object.id == request.captures[1] then return handler(state, request, entry, i) end
    end
    return answer.error(404, "Invalid object storage ID.")
  end
end

--- Polling is what makes a new subscription active; it has no keys before.
local function polled(entry)
  if entry.pending and entry.pending > 0 then
    entry.pending = entry.pending - 1
  elseif entry.pending then
    entry.pending, entry.object.status = nil, "active"
    entry.object.s3_access_key, entry.object.s3_secret_key = entry.keys.access_key, entry.keys.secret_key
  end
  return entry.object
end

function storage.list(state, request)
  local found = {}
  for i, entry in ipairs(state.storages) do found[i] = polled(entry) end
  return answer.page("object_storages", found, request.arguments)
end

storage.get = with(function(_, _, entry) return answer.json(200, { object_storage = polled(entry) }) end)

--- Ids come as numbers or as text.
local function is(value, id) return math.tointeger(tonumber(value)) == id end

storage.create = administered(function(state, request)
  local given = request.json
  if type(given) ~= "table" or not is(given.cluster_id, 9) then return answer.error(400, "Invalid cluster_id.") end
  if given.tier_id ~= nil and not is(given.tier_id, 4) then return answer.error(400, "Invalid tier_id.") end
  local label = type(given.label) == "string" and given.label or ""
  local entry = storage.subscription(state, { label = label, status = "pending", access_key = "", secret_key = "" })
  entry.keys = state.s3:add_account("vultr-" .. entry.object.id)
  entry.account, entry.pending = entry.keys.account, state.pending_polls or PENDING_POLLS
  table.insert(state.storages, entry)
  return answer.json(202, { object_storage = entry.object })
end)

storage.update = with(function(_, request, entry)
  if type(request.json) ~= "table" or type(request.json.label) ~= "string" then
    return answer.error(400, "Invalid label.")
  end
  entry.object.label = request.json.label
  return { status = 204 }
end)

storage.delete = with(administered(function(state, _, entry, index)
  state.s3:remove_account(entry.account)
  table.remove(state.storages, index)
  return { status = 204 }
end))

function storage.clusters(_, request)
  return answer.page("clusters", {
    { id = 4, region = "sjc", hostname = "sjc1.vultrobjects.com", deploy = "no" },
    { id = 9, region = "ewr", hostname = "ewr1.vultrobjects.com", deploy = "yes" },
  }, request.arguments)
end

function storage.tiers(_, request)
  local cluster = request.captures[1]
  if cluster:find "^%d+$" and cluster ~= "9" then return answer.error(404, "Invalid cluster ID.") end
  return answer.json(200, { tiers = json.array { {
    id = 4, sales_name = "Standard", price = 18, bw_gb_price = 0.01, disk_gb_price = 0.018, ratelimit_ops_secs = 400,
    ratelimit_ops_bytes = 629145600, is_default = "yes", slug = "tier_010k_5000m", locations = json.array { "EWR" },
  } } })
end

storage.regenerate_keys = with(administered(function(state, _, entry)
  if entry.object.status ~= "active" then return answer.error(412, "Object storage is not ready.") end
  local o = entry.object
  o.s3_access_key, o.s3_secret_key = state.s3:regenerate_keys(entry.account)
  return answer.json(201, { s3_credentials = { s3_hostname = o.s3_hostname, s3_access_key = o.s3_access_key,
    s3_secret_key = o.s3_secret_key } })
end))

storage.buckets = with(administered(function(state, request, entry)
  local found = {}
  for i, bucket in ipairs(state.s3:buckets(entry.account)) do
    found[i] = { name = bucket.name, date_created = answer.time(bucket.created) }
  end
  return answer.page("buckets", found, request.arguments)
end))

storage.create_bucket = with(administered(function(state, request, entry)
  local name = type(request.json) == "table" and request.json.name
  if type(name) ~= "string" then return answer.error(400, "Invalid bucket name.") end
  local bucket, code = state.s3:create_bucket(name, entry.account)
  if not bucket then return answer.error(400, "Unable to create bucket: " .. code) end
  return answer.json(201, { bucket = { name = name, date_created = answer.time(bucket.created) } })
end))

storage.delete_bucket = with(administered(function(state, request, entry)
  local done, code = state.s3:delete_bucket(request.captures[2], entry.account)
  if not done then return answer.error(code == "NoSuchBucket" and 404 or 400, "Unable to delete bucket: " .. code) end
  return { status = 204 }
end))

return storage
