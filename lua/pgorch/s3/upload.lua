-- Uploads a stream of unknown length. Each part is a block of memory until the server has it, so it can be
-- sent again; the server checks each part's digests, and the whole is checked by its composite ETag and its
-- size. Whatever fails, the upload is aborted: parts without an object are billed and invisible.

local bytes = require "pgorch.bytes"
local crypto = require "pgorch.crypto"
local errors = require "pgorch.s3.errors"
local fail = require "pgorch.error"
local log = require "pgorch.log"
local task = require "pgorch.task"

local upload = {}

local MIB = 1 << 20
local UNIT = 16 * MIB
local PARALLEL = 4
local MOST_PARTS = 10000
local COMPLETE_TRIES, COMPLETE_TIMEOUT = 5, 300
local ABORT_TIMEOUT = 60

-- Parts grow so that a stream of unknown length fits in 10,000 of them without much memory in the beginning:
-- 256 x 16 MiB (4 GiB), 1500 x 64 MiB (98 GiB in all), then 256 MiB (2 TiB).
local SIZES = { { 256, UNIT }, { 1756, 4 * UNIT }, { MOST_PARTS, 16 * UNIT } }

---@param number integer  1 to 10000
---@return integer bytes
function upload.part_size(number)
  for _, step in ipairs(SIZES) do
    if number <= step[1] then return step[2] end
  end
  fail.raise("PGO-LIMIT", "the dump is larger than an object of 10,000 parts can be")
end

---The ETag of a multipart object: the MD5 of its parts' MD5s, and how many there are.
---@param digests string[]  hex MD5 of each part
---@return string
function upload.composite_etag(digests)
  local raw = {}
  for i, each in ipairs(digests) do raw[i] = crypto.unhex(each) end
  return ("%s-%d"):format(crypto.md5(table.concat(raw)), #digests)
end

local function plain_etag(reply)
  return ((reply.headers.etag or ""):gsub('"', ""))
end

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

-- Places in memory, in units of 16 MiB. When the server asks for less, there are fewer from then on.
local Places = {}
Places.__index = Places

local function new_places(count)
  return setmetatable({ count = count, used = 0, change = task.event() }, Places)
end

---Waits for places for a block of that size; a block larger than all of them waits for all. One task only.
function Places:take(size)
  while true do
    local wanted = math.max(1, math.min(size // UNIT, self.count))
    if self.used + wanted <= self.count then
      self.used = self.used + wanted
      return wanted
    end
    self.change = task.event()
    self.change:wait()
  end
end

function Places:give(count)
  self.used = self.used - count
  self.change:set()
end

function Places:halve()
  self.count = math.max(1, self.count // 2)
  self.change:set()
end

local function send_part(self, number, block)
  local digests = block:digests { "md5", "sha256" }
  local reply = self.bucket:request {
    method = "PUT", key = self.key, query = { partNumber = tostring(number), uploadId = self.id },
    body = block, digests = digests,
    on_error = function(err) if errors.is(err, "SlowDown") then self.places:halve() end end,
  }
  if plain_etag(reply) ~= digests.md5 then
    integrity(("part %d of %s was stored with the ETag %s, its MD5 is %s"):format(number, self.key,
      plain_etag(reply), digests.md5), { retryable = true })
  end
  self.parts[number] = digests.md5
end

-- Our own finding; what the server refused as damaged was sent again before (it has a code).
local function stored_wrong(err)
  return fail.is(err, "PGO-S3-INTEGRITY") and not err.code
end

-- Runs as a child of the group: one part, its memory and its places.
local function carry_part(self, number, block, places)
  local size = #block
  local ok, err = pcall(task.retry, { tries = 3, on = stored_wrong }, send_part, self, number, block)
  block:free()
  self.places:give(places)
  if not ok then error(err, 0) end
  self.sent = self.sent + size
  if self.progress then self.progress(self.sent) end
end

local function send_parts(self, stream, block)
  task.group(function(group)
    local number = 1
    while block do
      local size = #block
      self.size = self.size + size
      if self.hasher then self.hasher:update(block) end
      local ok, places = pcall(self.places.take, self.places, size)
      if not ok then
        block:free()
        error(places, 0)
      end
      group:spawn(carry_part, self, number, block, places)
      block = nil
      if size < upload.part_size(number) then break end -- only the last one is short
      number = number + 1
      block = stream:take(upload.part_size(number))
    end
  end)
end

local function part_list(parts)
  local lines = { "<CompleteMultipartUpload>" }
  for number, etag in ipairs(parts) do
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
  local body = part_list(self.parts)
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
  send_parts(self, stream, first)
  local etag = upload.composite_etag(self.parts)
  complete(self, etag)
  verify(self.bucket, self.key, self.size, etag)
  return { bytes = self.size, parts = #self.parts, etag = etag, sha256 = self.hasher and self.hasher:finish() }
end

local function single(self, block, options)
  local size = #block
  local sha256 = self.hasher and block:digests({ "sha256" }).sha256
  local reply = self.bucket:put(self.key, block, { headers = options.headers })
  block:free()
  verify(self.bucket, self.key, size, reply.md5)
  if self.progress then self.progress(size) end
  return { bytes = size, parts = 1, etag = reply.md5, sha256 = sha256 }
end

local function meta_headers(meta)
  local headers = {}
  for name, value in pairs(meta or {}) do headers["x-amz-meta-" .. name:lower()] = value end
  return headers
end

---@class pgorch.s3.UploadOptions
---@field parallel? integer                 16 MiB blocks in flight (4)
---@field progress? fun(bytes: integer)     after each part: bytes that the server has
---@field on_upload_id? fun(id: string)     before the first part, so that the id can be stored
---@field meta? table<string, string>       x-amz-meta-...
---@field sha256? boolean                   compute the SHA-256 of the whole too

---@param bucket pgorch.s3.Bucket
---@param key string
---@param stream userdata
---@param options? pgorch.s3.UploadOptions
---@return {bytes: integer, parts: integer, etag: string, sha256?: string}
function upload.run(bucket, key, stream, options)
  options = options or {}
  local self = { bucket = bucket, key = key, parts = {}, size = 0, sent = 0, progress = options.progress,
    places = new_places(options.parallel or PARALLEL), hasher = options.sha256 and crypto.hasher "sha256" }
  local inner = { headers = meta_headers(options.meta), on_upload_id = options.on_upload_id }
  local ok, result = pcall(function()
    local first = stream:take(upload.part_size(1)) or bytes.new ""
    if #first < upload.part_size(1) then return single(self, first, inner) end
    return multipart(self, stream, first, inner)
  end)
  if ok then return result end
  stream:close() -- whoever writes to it stops
  if self.id then abort(self) end
  error(result, 0)
end

return upload
