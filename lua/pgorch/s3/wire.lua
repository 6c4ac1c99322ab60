-- How fast an upload's way is: what has arrived, by the seconds in which something was on it.

local task = require "pgorch.task"

local wire = {}

---@class pgorch.s3.Wire
---@field private on integer        parts that are on it
---@field private since number      when the first of them came
---@field private seconds number    in which there was one, up to then
---@field private bytes integer     that have arrived
local Wire = {}
Wire.__index = Wire

---@return pgorch.s3.Wire
function wire.new() return setmetatable({ on = 0, since = 0, seconds = 0, bytes = 0 }, Wire) end

---A part goes on it.
function Wire:begin()
  if self.on == 0 then self.since = task.now() end
  self.on = self.on + 1
end

---It is off it, and so many bytes of it have arrived.
---@param bytes integer
function Wire:done(bytes)
  self.on, self.bytes = self.on - 1, self.bytes + bytes
  if self.on == 0 then self.seconds = self.seconds + task.now() - self.since end
end

---@return number|nil bytes_per_second  nil: nothing has arrived yet
function Wire:speed()
  if self.bytes == 0 then return nil end
  return self.bytes / (self.seconds + (self.on > 0 and task.now() - self.since or 0))
end

return wire
