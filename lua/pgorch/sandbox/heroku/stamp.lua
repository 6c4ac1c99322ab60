-- Timestamps of transfers and schedules: with a space and +0000, unlike the Platform API's.

local clock = require "pgorch.clock"

---@param time? number
---@return string "2026-11-20 18:00:59 +0000"
return function(time)
  return (clock.iso(time):gsub("T", " "):gsub("Z$", " +0000"))
end
