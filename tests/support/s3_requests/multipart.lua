-- Uploads in parts: the list at the end has to be exactly what was uploaded, and much else that clients get wrong.

local crypto = require "pgorch.crypto"

local PART = ("p"):rep(5 << 20)
local MD5 = crypto.md5(PART)

local function list(...)
  local lines = {}
  for i, each in ipairs { ... } do
    lines[i] = ("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>"):format(each[1], each[2])
  end
  return { body = "<CompleteMultipartUpload>" .. table.concat(lines) .. "</CompleteMultipartUpload>" }
end

local BOTH = list({ 1, '"' .. MD5 .. '"' }, { 7, crypto.md5 "end" })

return {
  { "upload: begun", "POST /box/up?uploads", { headers = { ["x-amz-meta-note"] = "n", ["content-type"] = "text/x" } },
    see = "Bucket Key", keep = { up = "UploadId" } },
  { "upload: part 1", "PUT /box/up?partNumber=1&uploadId={up}", { body = PART }, see = "etag" },
  { "upload: part 7", "PUT /box/up?partNumber=7&uploadId={up}", { body = "first" }, see = "etag" },
  { "upload: part 7 again", "PUT /box/up?partNumber=7&uploadId={up}", { body = "end" }, see = "etag" },
  { "upload: a part with a wrong digest", "PUT /box/up?partNumber=8&uploadId={up}",
    { body = "x", headers = { ["content-md5"] = crypto.base64(crypto.unhex(crypto.md5 "y")) } } },
  { "upload: a part without a number", "PUT /box/up?uploadId={up}", { body = "x" } },
  { "upload: a part x", "PUT /box/up?partNumber=x&uploadId={up}", { body = "x" } },
  { "upload: a part of no upload", "PUT /box/up?partNumber=1&uploadId=2~nothing", { body = "x" } },
  { "upload: parts", "GET /box/up?uploadId={up}",
    see = "Bucket Key PartNumber Size ETag IsTruncated MaxParts PartNumberMarker NextPartNumberMarker StorageClass" },
  { "upload: parts, one a page", "GET /box/up?uploadId={up}&max-parts=1",
    see = "PartNumber IsTruncated NextPartNumberMarker MaxParts" },
  { "upload: parts, the next page", "GET /box/up?uploadId={up}&max-parts=1&part-number-marker=1",
    see = "PartNumber IsTruncated PartNumberMarker" },
  { "upload: parts of no upload", "GET /box/up?uploadId=2~nothing" },
  { "upload: not an object yet", "HEAD /box/up" },
  { "upload: begun, another", "POST /box/up2?uploads", see = "Key", keep = { up2 = "UploadId" } },
  { "upload: begun, with a key to be coded", "POST /box/u%20%C3%BC?uploads", see = "Key", keep = { up3 = "UploadId" } },
  { "uploads", "GET /box?uploads", see = "Bucket Key IsTruncated MaxUploads Prefix UploadId StorageClass" },
  { "uploads: prefix", "GET /box?uploads&prefix=up2", see = "Key Prefix" },
  { "uploads: one a page", "GET /box?uploads&max-uploads=1", see = "Key IsTruncated NextKeyMarker MaxUploads",
    keep = { key_marker = "NextKeyMarker", id_marker = "NextUploadIdMarker" } },
  { "uploads: the next page", "GET /box?uploads&max-uploads=1&key-marker=up&upload-id-marker={up}",
    see = "Key KeyMarker" },
  { "uploads: coded", "GET /box?uploads&encoding-type=url&prefix=u%20", see = "Key EncodingType Prefix" },
  { "complete: too few parts", "POST /box/up?uploadId={up}", list { 1, MD5 } },
  { "complete: another's ETag", "POST /box/up?uploadId={up}", list({ 1, MD5 }, { 7, crypto.md5 "first" }) },
  { "complete: a part that is not there", "POST /box/up?uploadId={up}", list({ 1, MD5 }, { 2, MD5 }) },
  { "complete: no part", "POST /box/up?uploadId={up}", { body = "<CompleteMultipartUpload/>" } },
  { "complete: no body", "POST /box/up?uploadId={up}", { body = "" } },
  { "complete: no XML", "POST /box/up?uploadId={up}", { body = "<Complete" } },
  { "complete: another document", "POST /box/up?uploadId={up}", { body = "<Delete><Quiet>true</Quiet></Delete>" } },
  { "complete: no such upload", "POST /box/up?uploadId=2~nothing", BOTH },
  { "complete", "POST /box/up?uploadId={up}", BOTH, see = "Bucket Key ETag Location" },
  { "complete: once more", "POST /box/up?uploadId={up}", BOTH, see = "Bucket Key ETag" },
  { "complete: once more, in another order", "POST /box/up?uploadId={up}",
    list({ 7, crypto.md5 "end" }, { 1, MD5 }), see = "ETag" },
  { "complete: once more, another list", "POST /box/up?uploadId={up}", list { 1, MD5 } },
  { "complete: of no upload, with the object's list", "POST /box/up?uploadId=2~nothing", BOTH },
  { "complete: the object", "HEAD /box/up", see = "etag content-length x-amz-meta-note content-type" },
  { "complete: across the parts' border", "GET /box/up", { headers = { range = "bytes=5242878-5242881" } },
    see = "body content-range" },
  { "complete: a part afterwards", "PUT /box/up?partNumber=1&uploadId={up}", { body = "x" } },
  { "complete: an abort afterwards", "DELETE /box/up?uploadId={up}" },
  { "order: begun", "POST /box/order?uploads", keep = { order = "UploadId" } },
  { "order: part 1", "PUT /box/order?partNumber=1&uploadId={order}", { body = PART } },
  { "order: part 7", "PUT /box/order?partNumber=7&uploadId={order}", { body = "end" } },
  { "order: completed in another order", "POST /box/order?uploadId={order}",
    list({ 7, crypto.md5 "end" }, { 1, MD5 }) },
  { "order: the object", "HEAD /box/order", see = "etag content-length" },
  { "upload: small parts", "PUT /box/up2?partNumber=1&uploadId={up2}", { body = "small" } },
  { "upload: small parts, the last", "PUT /box/up2?partNumber=2&uploadId={up2}", { body = "last" } },
  { "complete: a small part", "POST /box/up2?uploadId={up2}",
    list({ 1, crypto.md5 "small" }, { 2, crypto.md5 "last" }) },
  { "upload: part 0", "PUT /box/up2?partNumber=0&uploadId={up2}", { body = "x" } },
  { "upload: part 10001", "PUT /box/up2?partNumber=10001&uploadId={up2}", { body = "x" } },
  { "upload: a part that is a copy", "PUT /box/up2?partNumber=3&uploadId={up2}", { headers = {
    ["x-amz-copy-source"] = "/box/o", ["x-amz-copy-source-range"] = "bytes=2-4" } }, see = "ETag" },
  { "upload: a part that is a copy of too much", "PUT /box/up2?partNumber=4&uploadId={up2}", { headers = {
    ["x-amz-copy-source"] = "/box/o", ["x-amz-copy-source-range"] = "bytes=2-40" } }, see = "ETag" },
  { "abort", "DELETE /box/up2?uploadId={up2}" },
  { "abort: once more", "DELETE /box/up2?uploadId={up2}" },
  { "abort: a part afterwards", "PUT /box/up2?partNumber=1&uploadId={up2}", { body = "x" } },
  { "abort: nothing", "DELETE /box/up2?uploadId=2~nothing" },
  { "abort: the coded one", "DELETE /box/u%20%C3%BC?uploadId={up3}" },
  { "uploads: none left", "GET /box?uploads", see = "Key" },
}
