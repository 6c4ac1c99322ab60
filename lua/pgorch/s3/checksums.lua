-- The MD5s of an upload's parts. One MD5 leaves most of a core idle, so what has come while the last ones were computed
-- is computed together: alone while parts come slowly, up to eight at once when they are what the upload waits for.

local bytes = require "pgorch.bytes"
local task  = require "pgorch.task"

local checksums = {}

local AT_ONCE = 8

---@class pgorch.s3.Checksums
---@field private group table            whose child computes, while there is something to compute
---@field private waiting {block: pgorch.Bytes, done: table, md5?: string}[]
---@field private busy boolean
local Checksums = {}
Checksums.__index = Checksums

---@param group table   a task.group's; its failure ends the waiting, too
---@return pgorch.s3.Checksums
function checksums.new(group)
  return setmetatable({ group = group, waiting = {}, busy = false }, Checksums)
end

-- Those of the first one's length, out of the line.
local function next_ones(self)
  local batch, blocks, rest = {}, {}, {}
  for _, each in ipairs(self.waiting) do
    if #blocks < AT_ONCE and (not blocks[1] or #each.block == #blocks[1]) then
      batch[#batch + 1], blocks[#blocks + 1] = each, each.block
    else
      rest[#rest + 1] = each
    end
  end
  self.waiting = rest
  return batch, blocks
end

local function compute(self)
  while #self.waiting > 0 do
    local batch, blocks = next_ones(self)
    local found = #blocks == 1 and { blocks[1]:digests({ "md5" }).md5 } or bytes.md5(blocks)
    for i, each in ipairs(batch) do
      each.md5 = found[i]
      each.done:set()
    end
  end
  self.busy = false
end

local function withdraw(self, wanted)
  for i, each in ipairs(self.waiting) do
    if each == wanted then return table.remove(self.waiting, i) end
  end
end

---When it is cancelled the crew may still read the block; one that waits only is read no more.
---@async
---@param block pgorch.Bytes
---@return string hex
function Checksums:md5(block)
  local wanted = { block = block, done = task.event() }
  self.waiting[#self.waiting + 1] = wanted
  if not self.busy then
    self.busy = true
    self.group:spawn(compute, self)
  end
  local ok, err = pcall(wanted.done.wait, wanted.done)
  if ok then return wanted.md5 end
  withdraw(self, wanted)
  error(err, 0)
end

return checksums
