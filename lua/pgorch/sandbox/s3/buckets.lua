-- Requests about whole buckets: create, look, delete, who may see them. Names are global: a bucket of the other account
-- is refused, never shared. What is in a bucket is listed by contents.lua, what is set on it is in settings.lua.

local access = require "pgorch.sandbox.s3.access"
local acl = require "pgorch.sandbox.s3.acl"
local clock = require "pgorch.clock"
local document = require "pgorch.sandbox.s3.document"
local errors = require "pgorch.sandbox.s3.errors"
local listing = require "pgorch.sandbox.s3.listing"
local payload = require "pgorch.sandbox.s3.payload"
local versions = require "pgorch.sandbox.s3.versions"
local xml = require "pgorch.xml"

local buckets = {}

local element = document.element

--- Times in listings.
---@param time number
---@return string
function buckets.iso(time) return (clock.iso(math.floor(time)):gsub("Z$", ".000Z")) end

local function is_name(name)
  return name:find "^[a-z0-9][a-z0-9.-]+[a-z0-9]$" and #name <= 63 and not name:find("..", 1, true)
    and not name:find "^%d+%.%d+%.%d+%.%d+$"
end

--- Makes a bucket, as the S3 request and the provider's own API do.
---@param server table
---@param account table
---@param name string
---@param now number
---@param canned? string
---@return table bucket
function buckets.make(server, account, name, now, canned)
  if not is_name(name) then errors.raise "InvalidBucketName" end
  local bucket = server.buckets[name]
  if bucket and bucket.owner ~= account then errors.raise "BucketAlreadyExists" end
  if not bucket then
    bucket = { name = name, owner = account, created = now, acl = "private", objects = {}, versions = {}, uploads = {} }
    server.buckets[name] = bucket
  end
  bucket.acl = canned or bucket.acl
  return bucket
end

--- Removes an empty bucket; parts of unfinished uploads go with it.
---@param server table
---@param bucket table
function buckets.remove(server, bucket)
  if not versions.is_empty(bucket) then errors.raise "BucketNotEmpty" end
  server.buckets[bucket.name] = nil
  for _, upload in pairs(bucket.uploads) do
    for _, part in pairs(upload.parts) do payload.discard(part.file) end
  end
end

--- Nobody has no buckets; he is not refused.
function buckets.list_buckets(server, request)
  local account = request.account or access.ANONYMOUS
  local found = {}
  for _, name in ipairs(listing.page(server.buckets, { limit = math.huge }).keys) do
    local bucket = server.buckets[name]
    if bucket.owner == account then
      found[#found + 1] = element("Bucket", { element("Name", name),
        element("CreationDate", buckets.iso(bucket.created)) })
    end
  end
  return document.answer(200, "ListAllMyBucketsResult", { document.owner(account), element("Buckets", found) })
end

--- The place that a CreateBucketConfiguration asks for, nil for none.
local function wanted_place(request)
  local text = payload.text(request)
  if text == "" then return nil end
  local ok, root = pcall(xml.parse, text)
  local place = ok and root:find "LocationConstraint"
  if not place then errors.raise "InvalidArgument" end
  return place.text ~= "" and place.text or nil
end

function buckets.create_bucket(server, request)
  if not request.account then errors.raise "AccessDenied" end
  local place = wanted_place(request)
  if place and place ~= server.region then
    errors.raise("InvalidLocationConstraint", { message = "The specified location-constraint is not valid" })
  end
  buckets.make(server, request.account, request.bucket_name, request.now, acl.requested(request))
  return { status = 200 }
end

function buckets.head_bucket(_, request)
  local count, used = 0, 0
  for _, object in pairs(request.bucket.objects) do count, used = count + 1, used + object.size end
  return { status = 200, headers = { ["x-rgw-object-count"] = tostring(count), ["x-rgw-bytes-used"] = tostring(used) } }
end

function buckets.delete_bucket(server, request)
  buckets.remove(server, request.bucket)
  return { status = 204 }
end

function buckets.get_bucket_acl(_, request) return acl.answer(request.bucket.owner, request.bucket.acl) end

function buckets.put_bucket_acl(_, request)
  request.bucket.acl = acl.requested(request) or acl.from_body(request)
  return { status = 200 }
end

--- Uploads by HTML forms are all that a plain POST is for; there are none here.
function buckets.post_form()
  errors.raise("InvalidArgument", { message = "Request Content-Type is not multipart/form-data" })
end

return buckets
