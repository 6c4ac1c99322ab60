-- Copies inside the endpoint: which object `x-amz-copy-source` names, and what the copy keeps of it. As at Ceph RGW 16,
-- the conditions x-amz-copy-source-if-... are not looked at.

local access = require "pgorch.sandbox.s3.access"
local errors = require "pgorch.sandbox.s3.errors"
local url = require "pgorch.sandbox.url"

local copy = {}

local ILLEGAL = "This copy request is illegal because it is trying to copy an object to itself without changing the "
  .. "object's metadata, storage class, website redirect location or encryption attributes."

--- The object to copy from, if whoever asks may read it.
---@param server table
---@param request table
---@return table object
function copy.source(server, request)
  local text, version = request.headers["x-amz-copy-source"]:match "^/?([^?]*)%??(.*)$"
  local bucket, key = url.decode(text):match "^([^/]+)/(.+)$"
  if not bucket then errors.raise("InvalidArgument", { bare = true }) end
  local wanted = { bucket = bucket, key = key, version = version:match "^versionId=(.+)$" }
  local from = access.source(server, request, wanted)
  local itself = bucket == request.bucket_name and key == request.key and request.operation == "put_object"
  if itself and version == "" and request.headers["x-amz-metadata-directive"] ~= "REPLACE" then
    errors.raise("InvalidRequest", { message = ILLEGAL })
  end
  return from
end

--- Gives the new object what it has from the old one: bytes, ETag, and unless they are replaced, type and metadata.
---@param request table
---@param object table from objects.attributes
---@param from table
function copy.take(request, object, from)
  object.size, object.etag, object.modified = from.size, from.etag, request.now
  if request.headers["x-amz-metadata-directive"] == "REPLACE" then return end
  object.type, object.meta, object.kept = from.type, from.meta, from.kept
end

return copy
