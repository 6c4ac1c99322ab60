-- Multipart uploads by the rules of Ceph RGW 16: Complete must list every uploaded part in order, parts but the
-- last have 5 MiB at least (checked at Complete), its reply has an empty ETag, and repeating it is harmless.
-- Parts are files; Complete joins them by the stream pumps, in no more memory than the pumps take.

local buckets = require "pgorch.sandbox.s3.buckets"
local crypto = require "pgorch.crypto"
local document = require "pgorch.sandbox.s3.document"
local errors = require "pgorch.sandbox.s3.errors"
local fs = require "pgorch.fs"
local listing = require "pgorch.sandbox.s3.listing"
local objects = require "pgorch.sandbox.s3.objects"
local payload = require "pgorch.sandbox.s3.payload"
local xml = require "pgorch.xml"

local multipart = {}

local element = document.element
local MIN_PART = 5 * 1024 * 1024

local function find(request)
  local upload = request.bucket.uploads[request.arguments.uploadId]
  if not upload or upload.key ~= request.key or upload.completed then errors.raise "NoSuchUpload" end
  return upload
end

function multipart.create_upload(_, request)
  local id = "2~" .. crypto.base64(crypto.random(24)):gsub("[+/]", { ["+"] = "-", ["/"] = "_" })
  request.bucket.uploads[id] = { id = id, key = request.key, created = request.now, parts = {},
    attributes = objects.attributes(request) }
  return document.answer(200, "InitiateMultipartUploadResult", {
    element("Bucket", request.bucket.name), element("Key", request.key), element("UploadId", id),
  })
end

--- Stores a part. The same number again replaces it; an interrupted one leaves nothing.
function multipart.put_part(server, request)
  local upload = find(request)
  local number = tonumber((request.arguments.partNumber or ""):match("^%d+$"))
  if not number then errors.raise "InvalidArgument" end
  if request.headers["x-amz-copy-source"] then errors.raise "NotImplemented" end
  local file = server:new_file()
  local sum = payload.file(request, file)
  if request.bucket.uploads[upload.id] ~= upload or upload.completed then
    payload.discard(file)
    errors.raise "NoSuchUpload"
  end
  local old = upload.parts[number]
  upload.parts[number] = { file = file, size = sum.bytes, md5 = sum.md5, modified = request.now }
  if old then payload.discard(old.file) end
  return { status = 200, headers = { etag = '"' .. sum.md5 .. '"' } }
end

local function part_numbers(upload)
  local numbers = {}
  for number in pairs(upload.parts) do numbers[#numbers + 1] = number end
  table.sort(numbers)
  return numbers
end

function multipart.list_parts(_, request)
  local upload, given = find(request), request.arguments
  local limit, after = listing.page_size(given["max-parts"]), tonumber(given["part-number-marker"]) or 0
  local found, count, last, truncated = {}, 0, after, false
  for _, number in ipairs(part_numbers(upload)) do
    if number > after then
      truncated = count == limit
      if truncated then break end
      local part = upload.parts[number]
      found[#found + 1] = element("Part", { element("PartNumber", number), element("Size", part.size),
        element("ETag", '"' .. part.md5 .. '"'), element("LastModified", buckets.iso(part.modified)) })
      count, last = count + 1, number
    end
  end
  return document.answer(200, "ListPartsResult", {
    element("Bucket", request.bucket.name), element("Key", upload.key), element("UploadId", upload.id),
    element("StorageClass", "STANDARD"), element("PartNumberMarker", after), element("NextPartNumberMarker", last),
    element("MaxParts", limit), element("IsTruncated", truncated), table.concat(found),
  })
end

local function drop_parts(upload)
  for _, part in pairs(upload.parts) do payload.discard(part.file) end
  upload.parts = {}
end

function multipart.abort_upload(_, request)
  local upload = find(request)
  request.bucket.uploads[upload.id] = nil
  drop_parts(upload)
  return { status = 204 }
end

--- Unfinished uploads of a bucket, in the order of key and id.
function multipart.list_uploads(_, request)
  local given, by_name = request.arguments, {}
  for id, upload in pairs(request.bucket.uploads) do
    if not upload.completed then by_name[upload.key .. "\0" .. id] = upload end
  end
  local marker, id_marker = given["key-marker"], given["upload-id-marker"]
  local after = marker and marker .. "\0" .. (id_marker or "\xff")
  local limit = listing.page_size(given["max-uploads"])
  local page = listing.page(by_name, { prefix = given.prefix, after = after, limit = limit })
  local found, last = {}, nil
  for _, name in ipairs(page.keys) do
    last = by_name[name]
    found[#found + 1] = element("Upload", { element("Key", last.key), element("UploadId", last.id),
      element("StorageClass", "STANDARD"), element("Initiated", buckets.iso(last.created)) })
  end
  local more = page.next ~= nil and last ~= nil
  return document.answer(200, "ListMultipartUploadsResult", {
    element("Bucket", request.bucket.name), element("Prefix", given.prefix or ""), element("MaxUploads", limit),
    element("KeyMarker", marker or ""), element("IsTruncated", more),
    more and element("NextKeyMarker", last.key) .. element("NextUploadIdMarker", last.id) or "", table.concat(found),
  })
end

--- The parts that a Complete lists: { number, etag } in the order in which they were written.
local function requested_parts(request)
  local ok, root = pcall(xml.parse, payload.text(request))
  if not ok or root.name ~= "CompleteMultipartUpload" then errors.raise "MalformedXML" end
  local listed = {}
  for _, node in ipairs(root) do
    local part = {}
    for _, field in ipairs(node) do
      if field.name == "PartNumber" then part.number = tonumber(field.text) end
      if field.name == "ETag" then part.etag = field.text:gsub('"', "") end
    end
    if not part.number or not part.etag then errors.raise "MalformedXML" end
    listed[#listed + 1] = part
  end
  if #listed == 0 then errors.raise "MalformedXML" end
  return listed
end

--- The list has to be exactly what was uploaded; then the sizes are looked at.
local function chosen_parts(upload, listed)
  local numbers, chosen = part_numbers(upload), {}
  if #numbers ~= #listed or #listed > 10000 then errors.raise "InvalidPart" end
  for i, entry in ipairs(listed) do
    local part = upload.parts[entry.number]
    if numbers[i] ~= entry.number or part.md5 ~= entry.etag then errors.raise "InvalidPart" end
    if i < #listed and part.size < MIN_PART then errors.raise "EntityTooSmall" end
    chosen[i] = part
  end
  return chosen
end

--- Writes the parts one behind the other into a new file. The parts stay until the object is there.
local function join(server, parts)
  local file, size, digests = server:new_file(), 0, {}
  local ok, err = pcall(function()
    for i, part in ipairs(parts) do
      if part.size > 0 then fs.sink(file, fs.source(part.file), { offset = size }) end
      size = size + part.size
      digests[i] = crypto.unhex(part.md5)
    end
  end)
  if not ok then
    payload.discard(file)
    error(err, 0)
  end
  return { file = file, size = size, etag = ("%s-%d"):format(crypto.md5(table.concat(digests)), #parts) }
end

local function completed(request)
  return document.answer(200, "CompleteMultipartUploadResult", {
    element("Location", ("http://%s/%s/%s"):format(request.headers.host or "", request.bucket.name, request.key)),
    element("Bucket", request.bucket.name), element("Key", request.key), element("ETag", ""),
  })
end

function multipart.complete_upload(server, request)
  local listed = requested_parts(request)
  local known = request.bucket.uploads[request.arguments.uploadId]
  local object = request.bucket.objects[request.key]
  if known and known.completed and known.key == request.key and object and object.upload == known.id then
    return completed(request)
  end
  local upload = find(request)
  if upload.completing then errors.raise "InternalError" end
  local parts = chosen_parts(upload, listed)
  upload.completing = true
  local ok, joined = pcall(join, server, parts)
  upload.completing = nil
  if not ok then error(joined, 0) end
  local attributes = upload.attributes
  attributes.file, attributes.size, attributes.etag = joined.file, joined.size, joined.etag
  attributes.modified, attributes.upload = request.now, upload.id
  objects.publish(request.bucket, request.key, attributes)
  upload.completed = true
  drop_parts(upload)
  return completed(request)
end

return multipart
