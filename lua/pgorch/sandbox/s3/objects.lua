-- Requests about single objects: put, get, head, delete, their ACL, and the delete of many at once. An object is
-- an entry in its bucket and a file; a reader that has begun keeps its file even when the object is replaced.

local acl = require "pgorch.sandbox.s3.acl"
local document = require "pgorch.sandbox.s3.document"
local errors = require "pgorch.sandbox.s3.errors"
local fs = require "pgorch.fs"
local payload = require "pgorch.sandbox.s3.payload"
local xml = require "pgorch.xml"

local objects = {}

local element = document.element

--- Query parameters of a signed GET that become headers of the answer.
local RESPONSE_HEADERS = {
  ["response-cache-control"] = "cache-control", ["response-content-disposition"] = "content-disposition",
  ["response-content-encoding"] = "content-encoding", ["response-content-language"] = "content-language",
  ["response-content-type"] = "content-type", ["response-expires"] = "expires",
}

--- Times in headers.
---@param time number
---@return string
function objects.http_date(time) return tostring(os.date("!%a, %d %b %Y %H:%M:%S GMT", math.floor(time))) end

--- What a PUT or a create-upload request says about the object besides its bytes.
---@param request table
---@return table
function objects.attributes(request)
  local headers, found = request.headers, { meta = {} }
  if headers["x-amz-copy-source"] then errors.raise "NotImplemented" end
  if headers["x-amz-server-side-encryption"] or headers["x-amz-server-side-encryption-customer-algorithm"] then
    errors.raise "InvalidRequest" -- RGW refuses encryption over plain http
  end
  for name, value in pairs(headers) do
    if name:find("^x%-amz%-meta%-") then found.meta[name] = value end
  end
  found.type = headers["content-type"] or "binary/octet-stream"
  found.acl = acl.requested(request) or "private"
  return found
end

--- Makes an object visible, in the place of the one that had its key.
---@param bucket table
---@param key string
---@param object { file: string, size: integer, etag: string, modified: number, type: string, acl: string, meta: table }
function objects.publish(bucket, key, object)
  local old = bucket.objects[key]
  bucket.objects[key] = object
  if old then payload.discard(old.file) end
end

function objects.put_object(server, request)
  if request.headers["if-none-match"] == "*" and request.bucket.objects[request.key] then
    errors.raise "PreconditionFailed"
  end
  local object = objects.attributes(request)
  object.file = server:new_file()
  local sum = payload.file(request, object.file)
  object.size, object.etag, object.modified = sum.bytes, sum.md5, request.now
  objects.publish(request.bucket, request.key, object)
  return { status = 200, headers = { etag = '"' .. object.etag .. '"' } }
end

--- The bytes that a Range header asks for. A header that is not understood is passed over, as HTTP wants it.
---@return integer|nil first nil: the whole object
---@return integer|nil length
local function range_of(text, size)
  local first, last = (text or ""):match("^bytes=(%d*)-(%d*)$")
  if not first or first == "" and last == "" then return nil end
  if first == "" then
    local count = math.min(tonumber(last), size)
    if count == 0 then errors.raise "InvalidRange" end
    return size - count, count
  end
  local from, to = tonumber(first), last == "" and size - 1 or math.min(tonumber(last), size - 1)
  if from >= size then errors.raise "InvalidRange" end
  if to < from then return nil end
  return from, to - from + 1
end

local function find(request)
  local object = request.bucket.objects[request.key]
  if not object then errors.raise "NoSuchKey" end
  return object
end

local function describe(request, object)
  local headers = {
    etag = '"' .. object.etag .. '"', ["last-modified"] = objects.http_date(object.modified),
    ["content-type"] = object.type, ["accept-ranges"] = "bytes", ["x-rgw-object-type"] = "Normal",
  }
  for name, value in pairs(object.meta) do headers[name] = value end
  for parameter, name in pairs(RESPONSE_HEADERS) do
    local value = request.arguments[parameter]
    if value and not request.account then errors.raise "InvalidRequest" end
    headers[name] = value or headers[name]
  end
  return headers
end

local function check_conditions(request, object)
  local wanted = request.headers["if-match"]
  if wanted and wanted ~= "*" and wanted:gsub('"', "") ~= object.etag then errors.raise "PreconditionFailed" end
  local unwanted = request.headers["if-none-match"]
  return not unwanted or unwanted:gsub('"', "") ~= object.etag
end

local function read(request, with_body)
  local object = find(request)
  local headers = describe(request, object)
  if not check_conditions(request, object) then return { status = 304, headers = headers } end
  local first, length = range_of(request.headers.range, object.size)
  local status = 200
  if first then
    status = 206
    headers["content-range"] = ("bytes %d-%d/%d"):format(first, first + length - 1, object.size)
  else
    first, length = 0, object.size
  end
  local body = with_body and length > 0 and fs.source(object.file, { offset = first, length = length }) or nil
  return { status = status, headers = headers, body = body, length = length }
end

function objects.get_object(_, request) return read(request, true) end

function objects.head_object(_, request) return read(request, false) end

local function delete(bucket, key)
  local object = bucket.objects[key]
  bucket.objects[key] = nil
  if object then payload.discard(object.file) end
end

--- 204 also for a key that does not exist.
function objects.delete_object(_, request)
  delete(request.bucket, request.key)
  return { status = 204 }
end

local function requested_deletes(request)
  local ok, root = pcall(xml.parse, payload.text(request))
  if not ok or root.name ~= "Delete" then errors.raise "MalformedXML" end
  local keys, quiet = {}, false
  for _, node in ipairs(root) do
    if node.name == "Quiet" then quiet = node.text == "true" end
    for _, field in ipairs(node) do
      if field.name == "Key" then keys[#keys + 1] = field.text end
    end
  end
  if #keys == 0 or #keys > 1000 then errors.raise "MalformedXML" end
  return keys, quiet
end

function objects.delete_objects(_, request)
  local keys, quiet = requested_deletes(request)
  local deleted = {}
  for _, key in ipairs(keys) do
    delete(request.bucket, key)
    if not quiet then deleted[#deleted + 1] = element("Deleted", { element("Key", key) }) end
  end
  return document.answer(200, "DeleteResult", deleted)
end

function objects.get_object_acl(_, request) return acl.answer(request.bucket.owner, find(request).acl) end

function objects.put_object_acl(_, request)
  local object = find(request)
  object.acl = acl.requested(request) or acl.from_body(request)
  return { status = 200 }
end

return objects
