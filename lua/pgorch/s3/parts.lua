-- The parts of an upload on their way. Each is a block of memory until the server has it, so it can be sent again; how
-- many there are at once is bounded by their sizes. The parts that hold the head of an archive, which is final only
-- when all the rest has been written, wait in memory, get the final head, and go last.

local checksums = require "pgorch.s3.checksums"
local crypto = require "pgorch.crypto"
local early  = require "pgorch.s3.early"
local errors = require "pgorch.s3.errors"
local fail   = require "pgorch.error"
local task   = require "pgorch.task"
local wire   = require "pgorch.s3.wire"

local parts = {}

local MIB = 1 << 20
local UNIT = 8 * MIB
local MOST_PARTS = 10000
local UNITS = 8          -- that are on their way at once
local MOST_HELD = 4      -- that may wait for the final head
local LEAST_MOVING = 4   -- that are left for the others then
local ENOUGH = 0.6       -- seconds that the wire is to have work for; pieces turn small in less than a tenth of one

-- Parts grow so that a stream of unknown length fits in 10,000 of them, and slowly: one connection has seldom all of a
-- storage's speed, and four parts of 16 MiB are on their way at once, two of 32 MiB, one that is larger. 8 MiB up to
-- 2 GiB, 16 up to 35, 32 up to 85, 64 up to 179 GiB, then 384 MiB up to 1.8 TiB.
local SIZES = { { 256, UNIT }, { 2400, 2 * UNIT }, { 4000, 4 * UNIT }, { 5500, 8 * UNIT }, { MOST_PARTS, 48 * UNIT } }

---@param number integer  1 to 10000
---@return integer bytes
function parts.size(number)
  for _, step in ipairs(SIZES) do
    if number <= step[1] then return step[2] end
  end
  fail.raise("PGO-LIMIT", "the dump is larger than an object of 10,000 parts can be")
end

-- --- places in memory, in units. When the server asks for less, there are fewer from then on ---

local Places = {}
Places.__index = Places

local function new_places(count)
  return setmetatable({ count = count, used = 0, change = task.event() }, Places)
end

-- Waits for places for a block of that size; a block larger than all of them waits for all. One task only.
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

-- What is held back is not on its way, but it is memory all the same, and twice: the head that will be put into it is
-- as large. One unit of it is nothing to save for.
function Places:hold(count)
  local left = self.count - 2 * math.max(0, count - 1)
  self.count = math.min(self.count, math.max(LEAST_MOVING, left))
end

-- With so much on their way the wire is busy for a while, and no speed is lost when what follows is made smaller.
-- `speed`: the wire's, in bytes a second; nil: not known yet.
function Places:are_enough(speed)
  return 2 * self.used >= self.count or speed ~= nil and self.used * UNIT >= ENOUGH * speed
end

-- With one at most, the wire may stand idle before the next part is full.
function Places:are_few() return self.used < math.min(2, self.count) end

-- --- one part ---

local function plain_etag(reply)
  return ((reply.headers.etag or ""):gsub('"', ""))
end

local function request_of(self, number)
  return {
    method = "PUT", key = self.key, query = { partNumber = tostring(number), uploadId = self.id },
    on_error = function(err) if errors.is(err, "SlowDown") then self.places:halve() end end,
  }
end

local function send(self, number, block, md5)
  local request = request_of(self, number)
  request.body, request.digests = block, { md5 = md5 }
  local reply = self.bucket:request(request)
  if plain_etag(reply) ~= md5 then
    fail.raise("PGO-S3-INTEGRITY", ("part %d of %s was stored with the ETag %s, its MD5 is %s"):format(number, self.key,
      plain_etag(reply), md5), { retryable = true })
  end
  self.md5[number] = md5
end

-- Who makes the archive may take more time for it, or may not. Other heads are of archives that are made already.
local function steer(self)
  if self.head and self.head.ahead then self.head:ahead(self.places:are_enough(self.wire:speed())) end
end

-- Our own finding; what the server refused as damaged was sent again before (it has a code).
local function stored_wrong(err)
  return fail.is(err, "PGO-S3-INTEGRITY") and not err.code
end

-- Early, while the part comes: only an archive's, which takes its time, and only small ones, which are twice in memory
-- then.
local function begin_early(self, group, number)
  local size = parts.size(number)
  if not self.head or size > UNIT or not self.places:are_few() then return nil end
  self.wire:begin()
  return early.begin(self.bucket, group, request_of(self, number), size)
end

local function store(self, number, block, begun)
  local md5 = self.checksums:md5(block)
  if begun and begun:etag(block) == md5 then
    self.md5[number] = md5
  else
    task.retry({ tries = 3, on = stored_wrong }, send, self, number, block, md5)
  end
end

-- A block is filled again: the system gives no page of it for nothing.
local function set_free(self, block, stored)
  if stored and #block == UNIT and not self.larger then
    table.insert(self.spare, block)
  else
    pcall(block.free, block)    -- cancelled, the crew may be at its MD5 still: then the collector frees it
  end
end

-- Runs as a child of the group: one part, its memory and its places.
local function carry(self, number, block, places, begun)
  local size = #block
  if not begun then self.wire:begin() end
  local ok, err = pcall(store, self, number, block, begun)
  self.wire:done(ok and size or 0)
  set_free(self, block, ok)
  self.places:give(places)
  steer(self)
  if not ok then error(err, 0) end
  self.sent = self.sent + size
  if self.progress then self.progress(self.sent) end
end

local function dispatch(self, group, number, block, begun)
  local ok, places = pcall(self.places.take, self.places, #block)
  if not ok then
    block:free()
    error(places, 0)
  end
  steer(self)
  group:spawn(carry, self, number, block, places, begun)
end

-- --- the head ---

---How many of the first parts hold a head of that size; none, when they are more than may wait in memory: then the
---head goes as it is.
---@param head_size integer|nil
---@return integer
function parts.held(head_size)
  local count, bytes, units = 0, 0, 0
  while bytes < (head_size or 0) do
    count = count + 1
    bytes, units = bytes + parts.size(count), units + parts.size(count) // UNIT
  end
  return units <= MOST_HELD and count or 0
end

---Puts the final head in the place of the one that was streamed.
---@param head pgorch.s3.Head
---@param blocks pgorch.Bytes[]   the first ones of the stream
function parts.finish_head(head, blocks)
  local at = 0
  for _, block in ipairs(blocks) do
    local final <close> = head:head(at, #block)
    block:overwrite(final)
    at = at + #final
  end
  if at ~= head:head_size() then
    fail.raise("PGO-BUG", ("an archive's final head has %d bytes, %d were announced"):format(at, head:head_size()))
  end
end

-- --- all of them ---

---@class pgorch.s3.Sending
---@field bucket pgorch.s3.Bucket
---@field key string
---@field id string                        of the upload
---@field head? pgorch.s3.Head
---@field hasher? pgorch.Hasher
---@field progress? fun(bytes: integer)
---@field places pgorch.s3.Places
---@field wire pgorch.s3.Wire
---@field spare pgorch.Bytes[]            of 8 MiB, that have been sent
---@field larger? boolean                 parts are larger by now
---@field checksums pgorch.s3.Checksums
---@field md5 string[]                     of each part, hex, as they arrive
---@field size integer                     bytes of the stream so far
---@field sent integer                     bytes that the server has
---@field offsets? boolean                 whether the final head is in its place; nil when there is none

---Places for blocks in memory.
---@param units? integer  of 8 MiB
---@return pgorch.s3.Places
function parts.places(units) return new_places(units or UNITS) end

local function keep(self, block)
  self.size = self.size + #block
  if self.hasher then self.hasher:update(block) end
end

local function free_all(blocks)
  for i = #blocks, 1, -1 do table.remove(blocks, i):free() end
end

-- The next part, in a block that has been sent where there is one. Larger parts get blocks of their own.
local function take(self, stream, size, also)
  if size ~= UNIT then
    self.larger = true
    free_all(self.spare)
  end
  return stream:take(size, also, table.remove(self.spare))
end

-- Sends the blocks as they are filled, but for the first `count`: they go into `held`.
local function stream_parts(self, group, stream, block, held, count)
  local number, begun = 1, nil
  while block do
    keep(self, block)
    local last = #block < parts.size(number)
    if number <= count then
      held[number] = block
    else
      dispatch(self, group, number, block, begun)
    end
    if last then break end
    number = number + 1
    begun = number > count and begin_early(self, group, number) or nil
    block = take(self, stream, parts.size(number), begun and begun.body)
    if begun and not block then begun:stop() end
  end
end

---Cuts the stream into parts and sends them all. `block` is the first one, taken already.
---@param self pgorch.s3.Sending
---@param stream pgorch.Stream
---@param block pgorch.Bytes
function parts.send_all(self, stream, block)
  local head_size = self.head and self.head:head_size()
  local count = parts.held(head_size)
  if head_size then self.offsets = count > 0 end
  self.places:hold(count)
  self.wire, self.spare = wire.new(), setmetatable({}, { __close = free_all })
  local _ <close> = self.spare
  local held <close> = setmetatable({}, { __close = free_all })    -- when it fails; else they are free already
  task.group(function(group)
    self.checksums = checksums.new(group)
    stream_parts(self, group, stream, block, held, count)
    if count > 0 then parts.finish_head(self.head, held) end
    for number, each in ipairs(held) do dispatch(self, group, number, each) end
  end)
end

---The ETag of a multipart object: the MD5 of its parts' MD5s, and how many there are.
---@param digests string[]  hex MD5 of each part
---@return string
function parts.composite_etag(digests)
  local raw = {}
  for i, each in ipairs(digests) do raw[i] = crypto.unhex(each) end
  return ("%s-%d"):format(crypto.md5(table.concat(raw)), #digests)
end

return parts
