-- Which bytes a Range header means, as Ceph RGW 16 reads it: of several ranges the first, numbers as atoll(3) does, and
-- what is not in bytes is the whole object, with a Content-Range all the same.

local errors = require "pgorch.sandbox.s3.errors"

local range = {}

local function number(text) return math.tointeger(tonumber(text:match "^%s*([+-]?%d+)" or "0")) or 0 end

---@class pgorch.sandbox.s3.Range
---@field first integer
---@field length integer
---@field partial boolean     206
---@field header string|nil   Content-Range

local function answer(first, last, size, partial)
  return { first = first, length = last - first + 1, partial = partial,
    header = ("bytes %d-%d/%d"):format(first, last, size) }
end

---@param text string|nil the header
---@param size integer of the object
---@return pgorch.sandbox.s3.Range
function range.of(text, size)
  if not text then return { first = 0, length = size, partial = false } end
  local from, to = text:match "^%s*bytes%s*=([^-]*)%-(.*)$"
  if not from then return answer(0, size - 1, size, false) end
  local first, last = number(from), to ~= "" and number(to) or size - 1
  if from == "" then
    first, last = math.max(size - number(to), 0), size - 1
    if number(to) == 0 then first = 0 end
  end
  if first >= size or last < first then errors.raise "InvalidRange" end
  return answer(first, math.min(last, size - 1), size, true)
end

--- The bytes of a source that a part is copied from: first and last, both there.
---@param text string|nil "bytes=0-99"
---@param size integer
---@return integer first
---@return integer length
function range.of_copy(text, size)
  if not text then return 0, size end
  local first, last = text:match "^bytes=(%d+)%-(%d+)$"
  if not first then errors.raise "InvalidArgument" end
  first, last = math.tointeger(tonumber(first)), math.tointeger(tonumber(last))
  if last < first or last >= size then errors.raise "InvalidRange" end
  return first, last - first + 1
end

return range
