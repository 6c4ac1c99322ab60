-- Requests about single objects: put, get, head, delete, their ACL, and the delete of many at once. An object is
-- an entry in its bucket and its files; a reader that has begun keeps them even when the object is replaced.

local access = require "pgorch.sandbox.s3.access"
local acl = require "pgorch.sandbox.s3.acl"
local clock = require "pgorch.clock"
local copy = require "pgorch.sandbox.s3.copy"
local document = require "pgorch.sandbox.s3.document"
local errors = require "pgorch.sandbox.s3.errors"
local files = require "pgorch.sandbox.s3.files"
local fs = require "pgorch.fs"
local pace = require "pgorch.sandbox.s3.pace"
local payload = require "pgorch.sandbox.s3.payload"
local range = require "pgorch.sandbox.s3.range"
local versions = require "pgorch.sandbox.s3.versions"
local xml = require "pgorch.xml"

local objects = {}

local element = document.element
local LONGEST_KEY = 1024

--- Query parameters of a signed GET that become headers of the answer.
local RESPONSE_HEADERS = {
  ["response-cache-control"] = "cache-control", ["response-content-disposition"] = "content-disposition",
  ["response-content-encoding"] = "content-encoding", ["response-content-language"] = "content-language",
  ["response-content-type"] = "content-type", ["response-expires"] = "expires",
}

--- Headers of a PUT that an object keeps and gives back.
local KEPT_HEADERS = { "cache-control", "content-disposition", "content-encoding", "content-language", "expires" }

--- Times in headers.
---@param time number
---@return string
function objects.http_date(time) return tostring(os.date("!%a, %d %b %Y %H:%M:%S GMT", math.floor(time))) end

--- What a PUT or a create-upload request says about the object besides its bytes.
---@param request table
---@return table
function objects.attributes(request)
  local headers, found = request.headers, { meta = {}, kept = {} }
  if #request.key > LONGEST_KEY then errors.raise "InvalidObjectName" end
  if headers["x-amz-server-side-encryption"] or headers["x-amz-server-side-encryption-customer-algorithm"] then
    errors.raise "InvalidRequest" -- RGW refuses encryption over plain http
  end
  if (headers["x-amz-storage-class"] or "STANDARD") ~= "STANDARD" then errors.raise "InvalidArgument" end
  for name, value in pairs(headers) do
    if name:find("^x%-amz%-meta%-") then found.meta[name] = value end
  end
  for _, name in ipairs(KEPT_HEADERS) do found.kept[name] = headers[name] end
  found.type = headers["content-type"] or "binary/octet-stream"
  found.acl, found.owner = acl.requested(request) or "private", request.account or access.ANONYMOUS
  return found
end

--- "*": whatever is there.
local function matches(wanted, object)
  return object ~= nil and (wanted == "*" or wanted:gsub('"', "") == object.etag)
end

local function check_put_conditions(request)
  local wanted, unwanted = request.headers["if-match"], request.headers["if-none-match"]
  local there = request.bucket.objects[request.key]
  if wanted and not matches(wanted, there) then errors.raise "PreconditionFailed" end
  if unwanted and matches(unwanted, there) then errors.raise "PreconditionFailed" end
end

local function put_copy(server, request, object)
  local from = copy.source(server, request)
  copy.take(request, object, from)
  local file = server:new_file()
  if from.size > 0 then
    fs.sink(file, files.read(from.files, request.group, 0, from.size))
  else
    fs.write(file, "")
  end
  object.files = files.new { { file = file, size = from.size } }
  versions.publish(request.bucket, request.key, object)
  return document.answer(200, "CopyObjectResult", {
    element("LastModified", clock.iso(math.floor(object.modified))), element("ETag", object.etag) })
end

function objects.put_object(server, request)
  check_put_conditions(request)
  local object = objects.attributes(request)
  if request.headers["x-amz-copy-source"] then return put_copy(server, request, object) end
  local file = server:new_file()
  local sum = payload.file(request, file)
  object.files = files.new { { file = file, size = sum.bytes } }
  object.size, object.etag, object.modified = sum.bytes, sum.md5, request.now
  versions.publish(request.bucket, request.key, object)
  return { status = 200, headers = { etag = '"' .. object.etag .. '"', ["x-amz-version-id"] = object.version } }
end

local function find(request)
  local object = versions.lookup(request.bucket, request.key, request.arguments.versionId)
  if not object or object.marker then errors.raise "NoSuchKey" end
  return object
end

local function describe(request, object)
  local headers = {
    etag = '"' .. object.etag .. '"', ["last-modified"] = objects.http_date(object.modified),
    ["content-type"] = object.type, ["accept-ranges"] = "bytes", ["x-rgw-object-type"] = "Normal",
    ["x-amz-version-id"] = object.version,
  }
  for _, more in ipairs { object.meta, object.kept } do
    for name, value in pairs(more) do headers[name] = value end
  end
  for parameter, name in pairs(RESPONSE_HEADERS) do
    local value = request.arguments[parameter]
    if value and not request.account then errors.raise "InvalidRequest" end
    headers[name] = value or headers[name]
  end
  return headers
end

--- False when the client has it already.
local function wanted(request, object)
  local headers, modified = request.headers, math.floor(object.modified)
  local before, since = headers["if-unmodified-since"], headers["if-modified-since"]
  local match, none = headers["if-match"], headers["if-none-match"]
  if match and not matches(match, object) then errors.raise "PreconditionFailed" end
  if before and modified > (clock.parse_http(before) or math.huge) then errors.raise "PreconditionFailed" end
  if none then return not matches(none, object) end
  return not since or modified > (clock.parse_http(since) or 0)
end

local function read(request, with_body)
  local object = find(request)
  if not wanted(request, object) then return { status = 304 } end
  local headers, part = describe(request, object), range.of(request.headers.range, object.size)
  headers["content-range"] = part.header
  local body = with_body and part.length > 0
    and files.read(object.files, request.group, part.first, part.length) or nil
  return { status = part.partial and 206 or 200, headers = headers, length = part.length,
    body = body and pace.reading(request, body) }
end

function objects.get_object(_, request) return read(request, true) end

function objects.head_object(_, request) return read(request, false) end

--- 204 also for a key that does not exist.
function objects.delete_object(_, request)
  local done = versions.delete(request.bucket, request.key, request.arguments.versionId, request.now)
  return { status = 204, headers = { ["x-amz-version-id"] = done.version,
    ["x-amz-delete-marker"] = done.marker and "true" or nil } }
end

local function requested_deletes(request)
  local ok, root = pcall(xml.parse, payload.text(request))
  if not ok or root.name ~= "Delete" then errors.raise "MalformedXML" end
  local doomed, quiet = {}, root:text_of "Quiet" == "true"
  for _, node in ipairs(root:all "Object") do
    doomed[#doomed + 1] = { key = node:text_of "Key" or "", version = node:text_of "VersionId" }
  end
  if #doomed > 1000 then errors.raise "MalformedXML" end
  return doomed, quiet
end

function objects.delete_objects(_, request)
  local doomed, quiet = requested_deletes(request)
  local deleted = {}
  for _, each in ipairs(doomed) do
    local done = versions.delete(request.bucket, each.key, each.version, request.now)
    if not quiet then
      deleted[#deleted + 1] = element("Deleted", { element("Key", each.key),
        each.version and element("VersionId", each.version) or "",
        done.marker and element("DeleteMarker", true) or "" })
    end
  end
  return document.answer(200, "DeleteResult", deleted)
end

function objects.get_object_acl(_, request)
  local object = find(request)
  return acl.answer(object.owner, object.acl)
end

function objects.put_object_acl(_, request)
  local object = find(request)
  object.acl = acl.requested(request) or acl.from_body(request)
  return { status = 200 }
end

return objects
