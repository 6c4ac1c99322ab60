-- What a test has left open in this program: handles of the loop (sockets, pipes, children) and tasks. Compared by
-- their numbers before and after; a handle that is being closed gets the time for it.

local task    = require "pgorch.task"
local testing = require "pgorch.native.testing"

local left_open = {}

local PATIENCE = 3                      -- seconds

---What is open now.
---@return table<string, integer>
left_open.now = testing.open

local function more(before, after)
  local names = {}
  for kind, count in pairs(after) do
    local excess = count - (before[kind] or 0)
    if excess > 0 then
      names[#names + 1] = kind == "tasks" and ("%d task%s"):format(excess, excess > 1 and "s" or "")
        or ("%d %s handle%s"):format(excess, kind, excess > 1 and "s" or "")
    end
  end
  table.sort(names)
  return #names > 0 and table.concat(names, ", ") or nil
end

---What is open beyond `before`, in words, once what is going has gone; nil: nothing.
---@param before table<string, integer>
---@return string|nil
function left_open.since(before)
  local deadline = task.now() + PATIENCE
  while true do
    local found = more(before, testing.open())
    if not found or task.now() > deadline then return found end
    collectgarbage()                    -- what nobody can reach any more is closed by it
    task.sleep(0.02)
  end
end

return left_open
