-- Buckets of a real object store in the endpoint's place, asked for by the provider's API: what a move needs, by the
-- store's own keys. The rest is refused.

local answer = require "pgorch.sandbox.linode.answer"
local places = require "pgorch.sandbox.linode.places"
local s3 = require "pgorch.s3"
local secret = require "pgorch.secret"

local real_store = {}

local function bucket_of(state, name)
  local store = state.s3
  return s3.client({ endpoint = store.url, region = store.region or "us-east-1", access_key = store.access_key,
    secret_key = secret.new(store.secret_key), ca_pem = store.ca_pem }):bucket(name)
end

local function described(state, name)
  return answer.json(200, { label = name, region = places.REGION, cluster = places.CLUSTER, endpoint_type = "E0",
    hostname = name .. "." .. places.host(state), s3_endpoint = places.endpoint(state) })
end

--- Runs a handler with the bucket that the path names, if it is there.
local function with(handler)
  return function(state, request)
    local bucket = places.is_here(request.captures[1]) and bucket_of(state, request.captures[2])
    if not bucket or bucket:head() ~= "mine" then return answer.error(404, "Not found") end
    return handler(state, bucket)
  end
end

real_store.get = with(function(state, bucket) return described(state, bucket.name) end)

real_store.access = with(function(_, bucket)
  return answer.json(200, { acl = bucket:is_private() and "private" or "public-read", cors_enabled = false })
end)

function real_store.create(state, request)
  local given = request.json
  if type(given) ~= "table" or type(given.label) ~= "string" or not places.is_here(given.region) then
    return answer.error(400, "label and region are required")
  end
  bucket_of(state, given.label):create()
  return described(state, given.label)
end

return real_store
