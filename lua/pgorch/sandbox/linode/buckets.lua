-- Buckets of the Linode stand-in: buckets of the sandbox's S3 endpoint, made, listed and removed by the provider's own
-- API, and who may read them. With a real object store in the endpoint's place (real_store.lua) most calls are refused.

local answer = require "pgorch.sandbox.linode.answer"
local json = require "pgorch.json"
local places = require "pgorch.sandbox.linode.places"
local real_store = require "pgorch.sandbox.linode.real_store"

local buckets = {}

local ACLS = { ["private"] = true, ["public-read"] = true, ["authenticated-read"] = true, ["public-read-write"] = true }

--- Runs a handler if the endpoint is the stand-in.
local function administered(handler)
  return function(state, request)
    if not state.s3.add_key then return answer.error(400, "The object store is not the sandbox's own.") end
    return handler(state, request)
  end
end

--- Runs a handler with the bucket that the path names: handler(state, request, bucket).
---@param handler function
---@return function
function buckets.with(handler)
  return administered(function(state, request)
    local bucket = places.is_here(request.captures[1]) and state.s3:bucket(request.captures[2], state.account)
    if not bucket then return answer.error(404, "Not found") end
    return handler(state, request, bucket)
  end)
end

local function object_of(state, bucket)
  local count, size = 0, 0
  for _, each in pairs(bucket.objects) do count, size = count + 1, size + each.size end
  local host = places.host(state)
  return { label = bucket.name, region = places.REGION, cluster = places.CLUSTER, endpoint_type = "E0",
    hostname = bucket.name .. "." .. host, s3_endpoint = host, created = answer.time(bucket.created), objects = count,
    size = size }
end

local function page(state, request, here)
  local found = {}
  for _, each in ipairs(here and state.s3:buckets(state.account) or {}) do
    found[#found + 1] = object_of(state, state.s3:bucket(each.name, state.account))
  end
  return answer.page(found, request)
end

buckets.list = administered(function(state, request) return page(state, request, true) end)

buckets.list_region = administered(function(state, request)
  return page(state, request, places.is_here(request.captures[1]))
end)

buckets.get = buckets.with(function(state, _, bucket) return answer.json(200, object_of(state, bucket)) end)

--- Making a bucket that is there already gives it once more.
buckets.create = administered(function(state, request)
  local given = request.json
  if type(given) ~= "table" then return answer.error(400, "Invalid JSON") end
  if type(given.label) ~= "string" then return answer.error(400, "label is required", "label") end
  local place = given.region or given.cluster
  if not places.is_here(place) then
    return answer.error(400, place and "region is not valid" or "region is required", "region")
  end
  if given.acl ~= nil and not ACLS[given.acl] then return answer.error(400, "Must be a canned ACL", "acl") end
  local bucket, code = state.s3:create_bucket(given.label, state.account)
  if code == "BucketAlreadyExists" then return answer.error(400, "Bucket label is already in use", "label") end
  if not bucket then return answer.error(400, "Label is not a valid bucket name", "label") end
  bucket.acl, bucket.cors_enabled = given.acl or bucket.acl, given.cors_enabled ~= false
  return answer.json(200, object_of(state, bucket))
end)

buckets.delete = buckets.with(function(state, request)
  local done = state.s3:delete_bucket(request.captures[2], state.account)
  if not done then return answer.error(400, "The bucket is not empty: delete its objects first.") end
  return answer.empty()
end)

buckets.access = buckets.with(function(state, _, bucket)
  return answer.json(200, { acl = bucket.acl, acl_xml = state.s3:acl_document(bucket, bucket.acl),
    cors_enabled = bucket.cors_enabled ~= false, cors_xml = json.null })
end)

buckets.set_access = buckets.with(function(_, request, bucket)
  local given = request.json
  if type(given) ~= "table" then return answer.error(400, "Invalid JSON") end
  if given.acl ~= nil and not ACLS[given.acl] then return answer.error(400, "Must be a canned ACL", "acl") end
  bucket.acl = given.acl or bucket.acl
  if given.cors_enabled ~= nil then bucket.cors_enabled = given.cors_enabled == true end
  return answer.empty()
end)

-- What a move needs of a real store too.
for name, real in pairs(real_store) do
  local own = buckets[name]
  buckets[name] = function(state, request) return (state.s3.add_key and own or real)(state, request) end
end

buckets.ACLS = ACLS

return buckets
