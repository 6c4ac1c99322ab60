-- The deadline of a run: by then the app is moved, or as before. Its last minutes are kept for putting back, so a run
-- that has not cut over by then is cancelled. Reads the clock only.

local clock  = require "pgorch.clock"
local lost_writes = require "pgorch.runner.lost_writes"
local task   = require "pgorch.task"
local values = require "pgorch.recipe.values"

local M = {}

-- What putting back may take: the source opened, dynos started, the dump deleted.
M.KEPT_SECONDS = 120

---Why a deadline cannot be kept; nil when it can.
---@param at number   epoch seconds
---@return string|nil
function M.problem(at)
  local left = at - clock.time()
  if left > M.KEPT_SECONDS then return nil end
  local when = left <= 0 and "has passed" or ("is %s away"):format(values.show_duration(left))
  return ("%s %s; its last %s are kept for putting back, so it must be later than that"):format(
    clock.iso(math.floor(at)), when, values.show_duration(M.KEPT_SECONDS))
end

---Cancels the group when only the time for putting back is left and nothing was cut over.
---@param session pgorch.Session
---@param group table
function M.watch(session, group)
  local at = session.host.deadline
  if not at then return end
  task.sleep(math.max(0, at - M.KEPT_SECONDS - clock.time()))
  if not session:cut_over() and not lost_writes.threat(session) then
    session.past_deadline = true
    group:cancel("the deadline")
  end
end

return M
