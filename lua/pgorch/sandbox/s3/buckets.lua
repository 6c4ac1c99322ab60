-- Requests about whole buckets: create, look, delete, list, and the few subresources that a careful client asks
-- for. Names are global: a bucket of the other account is refused, never shared. A subresource that Ceph RGW 16
-- does not know falls through to a listing, as it does there.

local acl = require "pgorch.sandbox.s3.acl"
local clock = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local document = require "pgorch.sandbox.s3.document"
local errors = require "pgorch.sandbox.s3.errors"
local listing = require "pgorch.sandbox.s3.listing"
local payload = require "pgorch.sandbox.s3.payload"
local url = require "pgorch.sandbox.s3.url"
local xml = require "pgorch.xml"

local buckets = {}

local element = document.element

local function owner_element(account)
  return element("Owner", { element("ID", account.id), element("DisplayName", account.name) })
end

--- Times in listings.
---@param time number
---@return string
function buckets.iso(time) return (clock.iso(math.floor(time)):gsub("Z$", ".000Z")) end

--- Makes a bucket, as the S3 request and the provider's own API do.
---@param server table
---@param account table
---@param name string
---@param now number
---@param canned? string
---@return table bucket
function buckets.make(server, account, name, now, canned)
  if not name:find("^[a-z0-9][a-z0-9.-]+[a-z0-9]$") or #name > 63 or name:find("..", 1, true) then
    errors.raise "InvalidBucketName"
  end
  local bucket = server.buckets[name]
  if bucket and bucket.owner ~= account then errors.raise "BucketAlreadyExists" end
  if not bucket then
    bucket = { name = name, owner = account, created = now, acl = "private", objects = {}, uploads = {} }
    server.buckets[name] = bucket
  end
  bucket.acl = canned or bucket.acl
  return bucket
end

--- Removes an empty bucket; parts of unfinished uploads go with it.
---@param server table
---@param bucket table
function buckets.remove(server, bucket)
  if next(bucket.objects) then errors.raise "BucketNotEmpty" end
  server.buckets[bucket.name] = nil
  for _, upload in pairs(bucket.uploads) do
    for _, part in pairs(upload.parts) do payload.discard(part.file) end
  end
end

function buckets.list_buckets(server, request)
  if not request.account then errors.raise "AccessDenied" end
  local page = listing.page(server.buckets, { limit = math.huge })
  local found = {}
  for _, name in ipairs(page.keys) do
    local bucket = server.buckets[name]
    if bucket.owner == request.account then
      found[#found + 1] = element("Bucket", { element("Name", name),
        element("CreationDate", buckets.iso(bucket.created)) })
    end
  end
  return document.answer(200, "ListAllMyBucketsResult", { owner_element(request.account),
    element("Buckets", found) })
end

function buckets.create_bucket(server, request)
  if not request.account then errors.raise "AccessDenied" end
  local text = payload.text(request)
  if text ~= "" then
    local ok, root = pcall(xml.parse, text)
    if not ok then errors.raise "MalformedXML" end
    local place = root[1] and root[1].text or ""
    if place ~= "" and place ~= server.region then errors.raise "InvalidLocationConstraint" end
  end
  buckets.make(server, request.account, request.bucket_name, request.now, acl.requested(request))
  return { status = 200, headers = { location = "/" .. request.bucket_name } }
end

function buckets.head_bucket() return { status = 200 } end

function buckets.delete_bucket(server, request)
  buckets.remove(server, request.bucket)
  return { status = 204 }
end

function buckets.get_bucket_acl(_, request) return acl.answer(request.bucket.owner, request.bucket.acl) end

function buckets.put_bucket_acl(_, request)
  request.bucket.acl = acl.requested(request) or acl.from_body(request)
  return { status = 200 }
end

function buckets.policy_status(_, request)
  return document.answer(200, "PolicyStatus", { element("IsPublic", acl.is_public(request.bucket.acl)) })
end

function buckets.location(server)
  return document.answer(200, "LocationConstraint", server.region == "us-east-1" and "" or server.region)
end

function buckets.versioning() return document.answer(200, "VersioningConfiguration", "") end

function buckets.put_lifecycle(_, request)
  local text = payload.text(request)
  if not pcall(xml.parse, text) then errors.raise "MalformedXML" end
  request.bucket.lifecycle = text
  return { status = 200 }
end

function buckets.get_lifecycle(_, request)
  if not request.bucket.lifecycle then errors.raise "NoSuchLifecycleConfiguration" end
  return { status = 200, headers = { ["content-type"] = "application/xml" }, body = request.bucket.lifecycle }
end

function buckets.delete_lifecycle(_, request)
  request.bucket.lifecycle = nil
  return { status = 204 }
end

local function contents(request, key, written)
  local object = request.bucket.objects[key]
  return element("Contents", {
    element("Key", written(key)), element("LastModified", buckets.iso(object.modified)),
    element("ETag", '"' .. object.etag .. '"'), element("Size", object.size),
    element("StorageClass", "STANDARD"), owner_element(request.bucket.owner), element("Type", "Normal"),
  })
end

--- Where a version 2 listing starts. The token is not the key as it stands: a client must not build one.
local function list_after(given)
  local token = given["continuation-token"]
  if not token then return given["start-after"] end
  local ok, key = pcall(crypto.unbase64, token)
  if not ok or not key then errors.raise "InvalidArgument" end
  return key
end

local function page_elements(given, page, written)
  if given["list-type"] ~= "2" then
    return element("Marker", written(given.marker or ""))
      .. (page.next and element("NextMarker", written(page.next)) or "")
  end
  return element("KeyCount", #page.keys + #page.prefixes)
    .. (given["continuation-token"] and element("ContinuationToken", given["continuation-token"]) or "")
    .. (page.next and element("NextContinuationToken", crypto.base64(page.next)) or "")
end

function buckets.list_objects(_, request)
  local given, bucket = request.arguments, request.bucket
  local limit = listing.page_size(given["max-keys"])
  local after = given["list-type"] == "2" and list_after(given) or given.marker
  local page = listing.page(bucket.objects, { prefix = given.prefix, delimiter = given.delimiter, after = after,
    limit = limit })
  local coded = given["encoding-type"] == "url"
  local written = coded and function(key) return url.encode(key, true) end or function(key) return key end
  local found = { element("Name", bucket.name), element("Prefix", written(given.prefix or "")),
    element("MaxKeys", limit), element("IsTruncated", page.next ~= nil), page_elements(given, page, written) }
  if given.delimiter then found[#found + 1] = element("Delimiter", written(given.delimiter)) end
  if coded then found[#found + 1] = element("EncodingType", "url") end
  for _, key in ipairs(page.keys) do found[#found + 1] = contents(request, key, written) end
  for _, prefix in ipairs(page.prefixes) do
    found[#found + 1] = element("CommonPrefixes", { element("Prefix", written(prefix)) })
  end
  return document.answer(200, "ListBucketResult", found)
end

return buckets
