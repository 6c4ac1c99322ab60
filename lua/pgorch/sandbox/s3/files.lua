-- The files that an object's bytes are in, one behind the other: one of an object that came whole, and each part's own
-- of one that came in parts. A store does not copy parts either. Whoever has begun to read an object reads it to its
-- end, though it be replaced meanwhile.

local fs = require "pgorch.fs"
local payload = require "pgorch.sandbox.s3.payload"
local stream = require "pgorch.stream"

local files = {}

---@class pgorch.sandbox.s3.Files
---@field [integer] { file: string, size: integer }
---@field readers integer
---@field gone boolean   nobody else has them: the last reader removes them

---@param list { file: string, size: integer }[]
---@return pgorch.sandbox.s3.Files
function files.new(list)
  local made = { readers = 0, gone = false }
  for i, each in ipairs(list) do made[i] = { file = each.file, size = each.size } end
  return made
end

local function remove(all)
  for _, each in ipairs(all) do payload.discard(each.file) end
end

--- Removes the files, as soon as nobody reads them.
---@param all pgorch.sandbox.s3.Files
function files.discard(all)
  all.gone = true
  if all.readers == 0 then remove(all) end
end

-- What is to be read of which file.
local function pieces_of(all, first, length)
  local pieces, last, at = {}, first + length, 0
  for _, each in ipairs(all) do
    local from, to = math.max(first - at, 0), math.min(last - at, each.size)
    if from < to then pieces[#pieces + 1] = { file = each.file, offset = from, length = to - from } end
    at = at + each.size
  end
  return pieces
end

local function append(piece, to)
  local from = fs.source(piece.file, piece)
  local ok, why = pcall(from.pipe, from, to, { keep_open = true })
  if ok then return end
  from:close()
  error(why, 0)
end

local function read_all(all, pieces, to)
  local ok, why = pcall(function()
    for _, each in ipairs(pieces) do append(each, to) end
  end)
  if ok then to:finish() else to:fail(why) end
  all.readers = all.readers - 1
  if all.gone and all.readers == 0 then remove(all) end
end

--- A stretch of the bytes; some must be there.
---@param all pgorch.sandbox.s3.Files
---@param group table whose task reads
---@param first integer
---@param length integer
---@return pgorch.Stream
function files.read(all, group, first, length)
  local pieces = pieces_of(all, first, length)
  if #pieces == 1 then return (fs.source(pieces[1].file, pieces[1])) end
  local to = stream.new()
  all.readers = all.readers + 1
  group:spawn(read_all, all, pieces, to)
  return to
end

return files
