-- Multipart uploads by the rules of Ceph RGW 16: Complete must list every uploaded part, in whatever order; parts but
-- the last have 5 MiB at least (checked at Complete), its first reply has an empty ETag, and repeating it is harmless.
-- Parts are files; Complete only lists them.

local buckets = require "pgorch.sandbox.s3.buckets"
local clock = require "pgorch.clock"
local copy = require "pgorch.sandbox.s3.copy"
local crypto = require "pgorch.crypto"
local document = require "pgorch.sandbox.s3.document"
local errors = require "pgorch.sandbox.s3.errors"
local files = require "pgorch.sandbox.s3.files"
local fs = require "pgorch.fs"
local listing = require "pgorch.sandbox.s3.listing"
local loss = require "pgorch.sandbox.s3.loss"
local objects = require "pgorch.sandbox.s3.objects"
local payload = require "pgorch.sandbox.s3.payload"
local range = require "pgorch.sandbox.s3.range"
local versions = require "pgorch.sandbox.s3.versions"
local xml = require "pgorch.xml"

local multipart = {}

local element = document.element
local MIN_PART = 5 * 1024 * 1024

local function find(request)
  local upload = request.bucket.uploads[request.arguments.uploadId]
  if not upload or upload.key ~= request.key then errors.raise "NoSuchUpload" end
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

--- Puts a part in its place. The same number again replaces it.
local function keep_part(request, upload, number, part)
  if request.bucket.uploads[upload.id] ~= upload then
    payload.discard(part.file)
    errors.raise "NoSuchUpload"
  end
  local old = upload.parts[number]
  upload.parts[number], part.modified = part, request.now
  if old then payload.discard(old.file) end
end

local function copy_part(server, request, upload, number)
  local from = copy.source(server, request)
  local first, length = range.of_copy(request.headers["x-amz-copy-source-range"], from.size)
  local file = server:new_file()
  local bytes = files.read(from.files, request.group, first, length)
  local sum = fs.sink(file, bytes, { digests = { "md5" } })
  keep_part(request, upload, number, { file = file, size = sum.bytes, md5 = sum.md5 })
  return document.answer(200, "CopyPartResult", {
    element("LastModified", clock.iso(math.floor(request.now))), element("ETag", sum.md5) })
end

--- Stores a part; an interrupted one leaves nothing. RGW takes any number, 0 and 10001 too.
function multipart.put_part(server, request)
  local number = tonumber((request.arguments.partNumber or ""):match("^%d+$"))
  if not number then errors.raise "InvalidArgument" end
  local upload = find(request)
  if request.headers["x-amz-copy-source"] then return copy_part(server, request, upload, number) end
  local file = server:new_file()
  local sum = payload.file(request, file)
  local part = loss.of_part(request, { file = file, size = sum.bytes, md5 = sum.md5 })
  if not part.lost then keep_part(request, upload, number, part) end
  return { status = 200, headers = { etag = '"' .. part.md5 .. '"' } }
end

--- The numbers of a table, in order.
local function in_order(by_number)
  local numbers = {}
  for number in pairs(by_number) do numbers[#numbers + 1] = number end
  table.sort(numbers)
  return numbers
end

--- For an upload that is not there RGW misses the key, not the upload.
function multipart.list_parts(_, request)
  local given, upload = request.arguments, request.bucket.uploads[request.arguments.uploadId]
  if not upload or upload.key ~= request.key then errors.raise "NoSuchKey" end
  local limit, after = listing.page_size(given["max-parts"]), tonumber(given["part-number-marker"]) or 0
  local found, count, last, truncated = {}, 0, after, false
  for _, number in ipairs(in_order(upload.parts)) do
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

local function upload_element(upload, coded)
  local who = upload.attributes.owner
  return element("Upload", { element("Key", listing.written(upload.key, coded)), element("UploadId", upload.id),
    element("Initiator", { element("ID", who.id), element("DisplayName", who.name) }), document.owner(who),
    element("StorageClass", "STANDARD"), element("Initiated", buckets.iso(upload.created)) })
end

--- Unfinished uploads of a bucket, in the order of key and id. Coded keys are not said to be so, as at RGW.
function multipart.list_uploads(_, request)
  local given, by_name = request.arguments, {}
  for id, upload in pairs(request.bucket.uploads) do by_name[upload.key .. "\0" .. id] = upload end
  local marker, id_marker = given["key-marker"], given["upload-id-marker"]
  local after = marker and marker .. "\0" .. (id_marker or "\xff")
  local limit = listing.page_size(given["max-uploads"])
  local page = listing.page(by_name, { prefix = given.prefix, after = after, limit = limit })
  local last, found = by_name[page.keys[#page.keys]], {}
  for i, name in ipairs(page.keys) do found[i] = upload_element(by_name[name], given["encoding-type"] == "url") end
  return document.answer(200, "ListMultipartUploadsResult", {
    element("Bucket", request.bucket.name), given.prefix and element("Prefix", given.prefix) or "",
    marker and element("KeyMarker", marker) or "", id_marker and element("UploadIdMarker", id_marker) or "",
    last and element("NextKeyMarker", last.key) .. element("NextUploadIdMarker", last.id) or "",
    element("MaxUploads", limit), element("IsTruncated", page.next ~= nil), table.concat(found),
  })
end

--- The parts that a Complete lists, number -> ETag. The order in which they were written is not looked at.
local function requested_parts(request)
  local ok, root = pcall(xml.parse, payload.text(request))
  if not ok or root.name ~= "CompleteMultipartUpload" then errors.raise "MalformedXML" end
  local listed = {}
  for _, node in ipairs(root) do
    local number, etag = tonumber(node:text_of "PartNumber"), node:text_of "ETag"
    if not number or not etag then errors.raise "MalformedXML" end
    listed[number] = etag:gsub('"', "")
  end
  if not next(listed) then errors.raise "MalformedXML" end
  return listed
end

--- The list has to be exactly what was uploaded; then the sizes are looked at.
local function chosen_parts(upload, listed)
  local numbers, wanted, chosen = in_order(upload.parts), in_order(listed), {}
  if #numbers ~= #wanted or #wanted > 10000 then errors.raise "InvalidPart" end
  for i, number in ipairs(wanted) do
    local part = upload.parts[number]
    if not part or part.md5 ~= listed[number] then errors.raise "InvalidPart" end
    if i < #wanted and part.size < MIN_PART then errors.raise "EntityTooSmall" end
    chosen[i] = part
  end
  return chosen
end

--- The MD5 of the parts' MD5s, and their number; nil when one is no MD5.
local function composite_etag(md5s)
  local raw = {}
  for i, md5 in ipairs(md5s) do
    if not md5:find("^" .. ("%x"):rep(32) .. "$") then return nil end
    raw[i] = crypto.unhex(md5)
  end
  return ("%s-%d"):format(crypto.md5(table.concat(raw)), #md5s)
end

--- The object that the parts make, one behind the other.
local function join(object, parts)
  local md5s = {}
  object.files, object.size = files.new(parts), 0
  for i, part in ipairs(parts) do object.size, md5s[i] = object.size + part.size, part.md5 end
  object.etag = composite_etag(md5s)
end

local function completed(request, etag)
  return document.answer(200, "CompleteMultipartUploadResult", {
    element("Location", ("localhost/%s/%s"):format(request.bucket.name, request.key)),
    element("Bucket", request.bucket.name), element("Key", request.key), element("ETag", etag),
  })
end

--- A Complete without an upload: was it done already? RGW knows by the object's ETag alone, so another upload's id is
--- as good; and to everything else it says that it is at it.
local function done_before(request, listed)
  local md5s, object = {}, request.bucket.objects[request.key]
  for i, number in ipairs(in_order(listed)) do md5s[i] = listed[number] end
  if object and object.etag == composite_etag(md5s) then return completed(request, object.etag) end
  errors.raise("InternalError", { message = "This multipart completion is already in progress" })
end

--- From here on there is no upload: another request must not take the object's parts away.
local function finish(request, upload, parts)
  local kept, object = loss.of_object(request, parts), upload.attributes
  join(object, kept)
  object.modified = request.now
  request.bucket.uploads[upload.id] = nil
  versions.publish(request.bucket, request.key, object)
  for i = #kept + 1, #parts do payload.discard(parts[i].file) end
end

function multipart.complete_upload(_, request)
  local listed = requested_parts(request)
  local upload = request.bucket.uploads[request.arguments.uploadId]
  if not upload or upload.key ~= request.key then return done_before(request, listed) end
  finish(request, upload, chosen_parts(upload, listed))
  return completed(request, "")
end

return multipart
