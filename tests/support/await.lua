-- Waits in a test until something outside it is so: await("the dump", function() return is_there() end).
-- Fails after half a minute.

local task = require "pgorch.task"

local PAUSE, LOOKS = 0.05, 600

---@param what string   for the message
---@param fn fun(): any
return function(what, fn)
  for _ = 1, LOOKS do
    if fn() then return end
    task.sleep(PAUSE)
  end
  error(what .. " did not come about", 0)
end
