-- Who asks, and may he do that? Reads the signature in whatever form it comes, then the access lists and the bucket's
-- policy. Raises what Ceph RGW 16 answers.

local acl = require "pgorch.sandbox.s3.acl"
local errors = require "pgorch.sandbox.s3.errors"
local policy = require "pgorch.sandbox.s3.policy"
local sigv2 = require "pgorch.sandbox.s3.sigv2"
local sigv4 = require "pgorch.sandbox.s3.sigv4"
local versions = require "pgorch.sandbox.s3.versions"

local access = {}

--- Whom an unsigned request comes from.
access.ANONYMOUS = { id = "anonymous", name = "" }

--- Operations that somebody else than the owner may do if he is let: the permission that the bucket's list must grant.
--- All others are the owner's.
local PERMISSION = {
  list_objects = "READ", list_versions = "READ", list_uploads = "READ", head_bucket = "READ",
  put_object = "WRITE", delete_object = "WRITE", delete_objects = "WRITE", create_upload = "WRITE", put_part = "WRITE",
  complete_upload = "WRITE", abort_upload = "WRITE", list_parts = "WRITE",
}

--- What the bucket's policy calls an operation.
local ACTION = { list_objects = "s3:ListBucket", head_bucket = "s3:ListBucket", get_object = "s3:GetObject",
  head_object = "s3:GetObject", put_object = "s3:PutObject", delete_object = "s3:DeleteObject" }

--- Finds out whose request it is: `account`, nil for nobody's; also with which key (`key_used`), and what the body must
--- be (`sha256`, `chunks`).
---@param server table
---@param request table
function access.authenticate(server, request)
  local given, header = request.arguments, request.headers.authorization
  local function lookup(key)
    request.key_used = server.keys[key]
    return request.key_used
  end
  local v4, v2 = given["X-Amz-Algorithm"], given.AWSAccessKeyId
  if header and (v4 or v2) then errors.raise "InvalidArgument" end
  if header and header:find "^AWS " then
    request.account = sigv2.check_header(request, lookup)
  elseif header then
    request.account, request.sha256, request.chunks = sigv4.check_header(request, lookup)
  elseif v4 then
    request.account = sigv4.check_query(request, lookup)
  elseif v2 then
    request.account = sigv2.check_query(request, lookup)
  end
end

--- Raises unless this account (nil: nobody) may read the object. That there is none is told to whom the bucket is
--- shown.
local function may_read(bucket, object, account)
  if object and not object.marker then
    if acl.grants(bucket, object.owner, object.acl, account, "READ") then return end
  elseif acl.grants(bucket, bucket.owner, bucket.acl, account, "READ") then
    errors.raise "NoSuchKey"
  end
  errors.raise "AccessDenied"
end

--- Raises unless the bucket is there and the account may do what it asks for. Sets `bucket`.
---@param server table
---@param request table
function access.authorize(server, request)
  if request.kind == "service" or request.operation == "create_bucket" then return end
  local bucket = server.buckets[request.bucket_name]
  if not bucket then errors.raise "NoSuchBucket" end
  request.bucket = bucket
  local operation, account = request.operation, request.account
  if policy.allows(bucket, ACTION[operation], request.key) then return end
  if operation == "get_object" or operation == "head_object" then
    return may_read(bucket, versions.lookup(bucket, request.key, request.arguments.versionId), account)
  end
  if account == bucket.owner then return end
  local permission = PERMISSION[operation]
  if not permission or not acl.grants(bucket, bucket.owner, bucket.acl, account, permission) then
    errors.raise "AccessDenied"
  end
end

--- The object that a copy is made from.
---@param server table
---@param request table
---@param source { bucket: string, key: string, version: string? }
---@return table object
function access.source(server, request, source)
  local bucket = server.buckets[source.bucket]
  if not bucket then errors.raise "NoSuchBucket" end
  local object = versions.lookup(bucket, source.key, source.version)
  may_read(bucket, object, request.account)
  return object
end

return access
