-- The deadline of a run: by then the app is moved, or as before. Its last minutes are kept for putting back what
-- stands, so a run that has not cut over by then is cancelled. The time that passes is measured, not read off the
-- clock: a clock that is set meanwhile moves no deadline, and is told of. Reads clocks only.

local clock  = require "pgorch.clock"
local lost_writes = require "pgorch.runner.lost_writes"
local task   = require "pgorch.task"
local undo   = require "pgorch.runner.undo"
local values = require "pgorch.recipe.values"

local M = {}

-- The least that is kept for putting back, however little stands.
M.LEAST_SECONDS = 120

local LOOK_SECONDS = 1
local UNDO_SECONDS = 10          -- of a step that does not say how long its undo takes
local JUMP_SECONDS = 60          -- less than that is a clock that is being kept right

---Why a deadline cannot be kept; nil when it can.
---@param at number   epoch seconds
---@return string|nil
function M.problem(at)
  local left = at - clock.time()
  if left > M.LEAST_SECONDS then return nil end
  local when = left <= 0 and "has passed" or ("is %s away"):format(values.show_duration(left))
  return ("%s %s; at least its last %s are kept for putting back, so it must be later than that"):format(
    clock.iso(math.floor(at)), when, values.show_duration(M.LEAST_SECONDS))
end

-- Seconds that the undo of a step takes: as the step says, who may go by how long it took itself.
local function undo_estimate(entry)
  local row, estimate = entry.row, entry.step.undo_estimate
  if type(estimate) ~= "function" then return estimate or UNDO_SECONDS end
  local took = row.ended_at and row.started_at and math.max(0, (row.ended_at - row.started_at) / 1e6) or 0
  local ok, seconds = pcall(estimate, row.result or row.remembered or {}, took)
  return ok and tonumber(seconds) or UNDO_SECONDS
end

---Seconds that putting back what stands now is expected to take.
---@param session pgorch.Session
---@return number
function M.undo_seconds(session)
  local total = 0
  for _, entry in ipairs(undo.pending(session)) do total = total + undo_estimate(entry) end
  return math.max(M.LEAST_SECONDS, total)
end

local Eye = {}
Eye.__index = Eye

---Looks at a deadline from now on.
---@param at number  epoch seconds
---@param clocks? {wall: fun(): number, steady: fun(): number}
---@return table
function M.eye(at, clocks)
  clocks = clocks or { wall = clock.time, steady = clock.uptime }
  local wall, steady = clocks.wall(), clocks.steady()
  return setmetatable({ clocks = clocks, left_then = at - wall, wall = wall, steady = steady, drift = 0 }, Eye)
end

---Seconds that are left, by the time that has passed.
---@return number
function Eye:left() return self.left_then - (self.clocks.steady() - self.steady) end

---What is to be said when the clock was set since the last look; nil otherwise.
---@param run string
---@return string|nil
function Eye:jumped(run)
  local drift = (self.clocks.wall() - self.wall) - (self.clocks.steady() - self.steady)
  local jump = drift - self.drift
  if math.abs(jump) < JUMP_SECONDS then return nil end
  self.drift = drift
  return ("this machine's clock was set %s by %s. The deadline stays where it was, %s from now; to go by the clock as "
    .. "it is now: pgorch cancel %s, then pgorch resume %s --deadline TIME"):format(jump > 0 and "forward" or "back",
    values.show_duration(math.abs(jump)), values.show_duration(math.max(0, self:left())), run, run)
end

-- It is not cut in the middle: the app has the old database or the new one.
local function turns_now(session)
  for id, row in pairs(session.rows) do
    local step = session.steps[id]
    if step and step.point_of_no_return and row.state == "running" then return true end
  end
  return false
end

local function say(session, text) session.display:emit("message", { text = text }) end

local function look(session)
  local told = session.eye:jumped(session.run.id)
  if told then say(session, told) end
  return session.eye:left()
end

-- Once the run ends there is nothing to cancel: only that it comes too late is told.
local function watch_the_end(session)
  while look(session) > 0 do task.sleep(LOOK_SECONDS) end
  if session.ending == "undo" then say(session, "the deadline has passed, and putting back goes on") end
end

local function watch_the_work(session, group)
  local kept, said
  repeat
    task.sleep(LOOK_SECONDS)
    local left, turns = look(session), turns_now(session)
    kept = M.undo_seconds(session)
    local due = left <= kept
    if due and turns and not said then
      said = true
      say(session, "the deadline nears while the app is given its new database: that is brought to its end first")
    end
  until due and not turns
  if session:cut_over() or lost_writes.threat(session) then
    return say(session, "the deadline nears; the point of no return is passed, so nothing is put back for it")
  end
  session.past_deadline, session.kept_seconds = true, kept
  group:cancel("the deadline")
end

---Cancels the group when only the time for putting back is left and nothing was cut over.
---@param session pgorch.Session
---@param group table
function M.watch(session, group)
  local at = session.host.deadline
  if not at then return end
  session.eye = session.eye or M.eye(at)
  if session.ending then return watch_the_end(session) end
  watch_the_work(session, group)
end

return M
