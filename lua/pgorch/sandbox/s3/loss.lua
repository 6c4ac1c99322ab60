-- What an object store does to the bytes of an upload when a fault asks for it: it acknowledges a part and forgets it,
-- keeps other bytes than came, or leaves out the last part of the object.

local crypto = require "pgorch.crypto"
local fs = require "pgorch.fs"
local payload = require "pgorch.sandbox.s3.payload"
local stream = require "pgorch.stream"

local loss = {}

local BLOCK = 1024 * 1024

--- Makes the byte in the middle another one.
local function spoil(part)
  local middle = part.size // 2
  local byte = fs.source(part.file, { offset = middle, length = 1 }):read_all():byte()
  local other = stream.new()
  other:write(string.char((byte + 1) % 256))
  other:finish()
  fs.sink(part.file, other, { offset = middle })
end

local function md5_of(path)
  local hasher, source = crypto.hasher "md5", fs.source(path)
  for block in function() return source:take(BLOCK) end do
    hasher:update(block)
    block:free()
  end
  return hasher:finish()
end

--- A part as it is kept. `lose`: not at all. `damage`: "wire" spoils it before its digest is taken, so that the ETag
--- tells; "disk" afterwards, so that nothing but reading it again does.
---@param request table
---@param part { file: string, size: integer, md5: string }
---@return table part with `lost` when it is not there
function loss.of_part(request, part)
  local fault = request.fault or {}
  if fault.lose then
    payload.discard(part.file)
    part.lost = true
  elseif fault.damage and part.size > 0 then
    spoil(part)
    if fault.damage == "wire" then part.md5 = md5_of(part.file) end
  end
  return part
end

--- The parts that an object is made of. `lose`: without the last.
---@param request table
---@param parts table[]
---@return table[]
function loss.of_object(request, parts)
  if not (request.fault and request.fault.lose) then return parts end
  return table.move(parts, 1, #parts - 1, 1, {})
end

return loss
