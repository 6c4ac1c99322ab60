-- What became of a row, and what is to be done for it next. The run's own record says it, read after the child has
-- ended; an exit status only tells trouble that passes from trouble that stays. A finished rollback, too, ends with 0.
-- Pure.

local deadline = require "pgorch.runner.deadline"

local outcome = {}

local FIRST_WAIT, LONGEST_WAIT = 30, 1800     -- seconds before it is tried again: twice as long each time
local LOCKED_WAIT = 30                        -- somebody else has what it needs
local OWN_RUN_WAIT = 10                       -- the run's former process is still at work, or may be

---@class pgorch.RowEnd   columns of store:release_row
---@field state pgorch.BatchRowState
---@field stands boolean
---@field wait number|nil          seconds until it is tried again
---@field exit_status integer|nil
---@field error table|nil
---@field attempt integer|nil

---What is to be done for a row now.
---@param run pgorch.Run|nil   as it is on record
---@param o {at_work: boolean, taken_over: boolean, now: number}  at_work: a process works on the run; taken_over: its
---worker has gone, so what the record says may not be in the row yet
---@return "begin"|"go_on"|"roll_back"|"wait"|"settled"
function outcome.next_step(run, o)
  if not run then return "begin" end
  if o.at_work then return "wait" end
  if run.state == "done" then return "settled" end
  if run.state == "put_back" or run.state == "failed" or run.state == "undo_failed" then
    return o.taken_over and "settled" or run.state == "put_back" and "begin" or "go_on"
  end
  if run.state == "undoing" then return "roll_back" end
  local limit = run.params.host and run.params.host.deadline
  if limit and not run.cut_over_at and limit - o.now <= deadline.LEAST_SECONDS then return "roll_back" end
  return "go_on"
end

local function ended(state, stands, status, more)
  local made = { state = state, stands = stands, exit_status = status }
  for name, value in pairs(more or {}) do made[name] = value end
  return made
end

-- Trouble that may pass: again after a while, at most so many times.
local function again(o, stands, status)
  if o.attempt >= o.attempts then return ended(stands and "stopped" or "failed", stands, status) end
  local wait = math.min(LONGEST_WAIT, FIRST_WAIT * 2 ^ math.max(0, o.attempt - 1))
  return ended("waiting", stands, status, { wait = wait * (o.scale or 1) })
end

local function uncounted(o, made)
  made.attempt = math.max(0, o.attempt - 1)
  return made
end

local function locked(o, stands)
  if o.attempt >= o.attempts then return ended(stands and "stopped" or "failed", stands, 7) end
  return ended("waiting", stands, 7, { wait = LOCKED_WAIT * (o.scale or 1) })
end

local REFUSED = { [2] = true, [4] = true }

-- No run is on record: nothing was begun.
local function not_begun(o)
  if o.asked then return uncounted(o, ended("ready", false)) end
  if REFUSED[o.code] then return ended("refused", false, o.code) end
  if o.code == 7 then return locked(o, false) end
  if o.code == 1 or o.code == 0 then return ended("failed", false, 1) end
  return again(o, false, o.code)
end

local function put_back(o, run)
  local status = run.exit_status or 1
  if status == 4 then return ended("refused", false, 4) end
  if status == 7 then return locked(o, false) end
  return ended("failed", false, status == 0 and 1 or status)
end

-- It was left as it is, and can be gone on with.
local function kept(o, run)
  if o.asked then return uncounted(o, ended("ready", true, 8)) end
  if o.code == 7 then return locked(o, true) end
  if o.code == 9 or o.code == 11 or o.code == 2 then return ended("attention", true, o.code) end
  if run.state == "stopped" and (o.code == 8 or o.code == 0 or o.code == 3) then
    return ended("stopped", true, o.code == 8 and 8 or run.exit_status or 8)
  end
  return again(o, true, o.code)
end

local function of_record(o, run)
  local status = run.exit_status
  if run.state == "done" then return ended("done", false, status or 0) end
  if run.state == "put_back" then return put_back(o, run) end
  if run.state == "failed" or run.state == "undo_failed" then
    return ended("attention", true, status or (run.state == "failed" and 9 or 11))
  end
  if run.state == "undoing" and o.attempt >= o.attempts then return ended("attention", true, 11) end
  return kept(o, run)
end

---What becomes of a row whose child has ended, or whose run needs none.
---@param run pgorch.Run|nil  as it is on record now
---@param o {code?: integer, asked?: boolean, attempt: integer, attempts: integer, error?: table, scale?: number}
---code: of the child, 128 + n for a signal; asked: we have stopped it ourselves
---@return pgorch.RowEnd
function outcome.of(run, o)
  local made = run and of_record(o, run) or not_begun(o)
  if made.state ~= "done" and made.state ~= "ready" then made.error = o.error or run and run.error or nil end
  return made
end

---What becomes of a row whose run another process still works on.
---@param o {attempt: integer, scale?: number}
---@return pgorch.RowEnd
function outcome.elsewhere(o)
  return uncounted(o, ended("waiting", true, nil, { wait = OWN_RUN_WAIT * (o.scale or 1) }))
end

return outcome
