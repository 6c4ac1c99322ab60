-- Uploads a stream of unknown length: begins, lets the parts go (s3/parts.lua), completes, and looks whether the server
-- has what was sent: each part is checked by its digests, the whole by its composite ETag and its size. Whatever fails,
-- the upload is aborted: parts without an object are billed and invisible.

local bytes = require "pgorch.bytes"
local crypto = require "pgorch.crypto"
local fail = require "pgorch.error"
local log = require "pgorch.log"
local parts = require "pgorch.s3.parts"
local task = require "pgorch.task"

local upload = {}

local COMPLETE_TRIES, COMPLETE_TIMEOUT = 5, 300
local ABORT_TIMEOUT = 60

local function integrity(what, fields)
  fail.raise("PGO-S3-INTEGRITY", what, fields)
end

-- What the server has must be what was sent.
local function verify(bucket, key, size, etag)
  local found = bucket:head_object(key)
  if not found then integrity(("%s is not in the bucket after its upload"):format(key)) end
  if found.size ~= size then
    integrity(("%s has %d bytes in the bucket, %d were sent"):format(key, found.size, size))
  end
  if found.etag ~= etag then
    integrity(("%s has the ETag %s in the bucket, %s was computed"):format(key, found.etag, etag))
  end
end

local function part_list(digests)
  local lines = { "<CompleteMultipartUpload>" }
  for number, etag in ipairs(digests) do
    lines[#lines + 1] = ('<Part><PartNumber>%d</PartNumber><ETag>"%s"</ETag></Part>'):format(number, etag)
  end
  lines[#lines + 1] = "</CompleteMultipartUpload>"
  return table.concat(lines)
end

local function stored(self, etag)
  local found = self.bucket:head_object(self.key)
  return found ~= nil and found.size == self.size and found.etag == etag
end

-- A Complete that was not answered may have been carried out: look, before it is repeated. RGW may leave the
-- ETag of its reply empty, so the reply proves nothing; HEAD does.
local function complete(self, etag)
  local body = part_list(self.md5)
  for try = 1, COMPLETE_TRIES do
    local ok, err = pcall(self.bucket.request, self.bucket, {
      method = "POST", key = self.key, query = { uploadId = self.id }, body = body,
      headers = { ["content-type"] = "application/xml" }, expect = "CompleteMultipartUploadResult", tries = 1,
      timeout = COMPLETE_TIMEOUT,
    })
    if ok then return end
    if task.cancelled(err) then error(err, 0) end
    if stored(self, etag) then return end
    if not err.retryable or try == COMPLETE_TRIES then error(err, 0) end
    log.debug(("completing %s: %s"):format(self.key, err.message))
    task.sleep(math.min(2 ^ (try - 1), 20))
  end
end

local function begin(self, headers)
  local reply = self.bucket:request {
    method = "POST", key = self.key, query = { uploads = "" }, headers = headers,
    expect = "InitiateMultipartUploadResult",
  }
  return reply.xml:text_of "UploadId"
end

local function abort(self)
  local ok, problem = pcall(task.shield, ABORT_TIMEOUT, self.bucket.abort, self.bucket,
    { key = self.key, id = self.id })
  if not ok then
    log.warn(("the upload of %s could not be aborted, its parts are billed until it is: %s"):format(self.key,
      tostring(problem)))
  end
end

local function multipart(self, stream, first, options)
  self.id = begin(self, options.headers)
  if options.on_upload_id then options.on_upload_id(self.id) end
  parts.send_all(self, stream, first)
  local etag = parts.composite_etag(self.md5)
  complete(self, etag)
  verify(self.bucket, self.key, self.size, etag)
  return { bytes = self.size, parts = #self.md5, etag = etag, offsets = self.offsets,
           sha256 = self.hasher and self.hasher:finish() }
end

local function single(self, block, options)
  local size = #block
  if self.head and self.head:head_size() then
    parts.finish_head(self.head, { block })
    self.offsets = true    -- the head is final
  end
  local sha256 = self.hasher and block:digests({ "sha256" }).sha256
  local reply = self.bucket:put(self.key, block, { headers = options.headers })
  block:free()
  verify(self.bucket, self.key, size, reply.md5)
  if self.progress then self.progress(size) end
  return { bytes = size, parts = 1, etag = reply.md5, offsets = self.offsets, sha256 = sha256 }
end

local function meta_headers(meta)
  local headers = {}
  for name, value in pairs(meta or {}) do headers["x-amz-meta-" .. name:lower()] = value end
  return headers
end

---@class pgorch.s3.Head   pgorch.archive's handle is one
---@field head_size fun(self): integer|nil   known when the first byte has come
---@field head fun(self, at?: integer, most?: integer): pgorch.Bytes   at the end: what the first bytes are to be, or
---                                         a part of them
---@field ahead? fun(self, enough: boolean)  told whether enough of the archive is on its way for a while

---@class pgorch.s3.UploadOptions
---@field parallel? integer                 blocks of 8 MiB on their way (8)
---@field head? pgorch.s3.Head             of an archive, when its first bytes are final only at its end
---@field progress? fun(bytes: integer)     after each part: bytes that the server has
---@field on_upload_id? fun(id: string)     before the first part, so that the id can be stored
---@field meta? table<string, string>       x-amz-meta-...
---@field sha256? boolean                   compute the SHA-256 of the whole too; not with a head, which comes last

local function new(bucket, key, options)
  if options.head and options.sha256 then
    fail.raise("PGO-INVALID", "upload: no SHA-256 on the way, the first bytes go last: read the object again for it")
  end
  return { bucket = bucket, key = key, md5 = {}, size = 0, sent = 0, progress = options.progress, head = options.head,
           places = parts.places(options.parallel), hasher = options.sha256 and crypto.hasher "sha256" }
end

---@param bucket pgorch.s3.Bucket
---@param key string
---@param stream userdata
---@param options? pgorch.s3.UploadOptions
---@return {bytes: integer, parts: integer, etag: string, offsets?: boolean, sha256?: string}  offsets: whether the
---  final head is in its place; it is not when it has more bytes than may wait in memory
function upload.run(bucket, key, stream, options)
  options = options or {}
  local self = new(bucket, key, options)
  local inner = { headers = meta_headers(options.meta), on_upload_id = options.on_upload_id }
  local ok, result = pcall(function()
    local first = stream:take(parts.size(1)) or bytes.new ""
    if #first < parts.size(1) then return single(self, first, inner) end
    return multipart(self, stream, first, inner)
  end)
  if ok then return result end
  stream:close() -- whoever writes to it stops
  if self.id then abort(self) end
  error(result, 0)
end

return upload
