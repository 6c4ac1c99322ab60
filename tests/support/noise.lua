-- A stream of bytes that are unlike from place to place, for uploads: no part of it can stand for another unnoticed.

local crypto = require "pgorch.crypto"
local stream = require "pgorch.stream"

local noise = {}

---A stream of `size` bytes, fed by a child of the group. A reader that gives up ends it.
---@param group table a task.group's
---@param size integer
---@return table stream
function noise.stream(group, size)
  local made = stream.new()
  group:spawn(function()
    local line, left = crypto.random(65521), size
    local ok = pcall(function()
      while left > 0 do
        made:write(left < #line and line:sub(1, left) or line)
        left = left - math.min(left, #line)
      end
    end)
    if ok then made:finish() end
  end)
  return made
end

return noise
