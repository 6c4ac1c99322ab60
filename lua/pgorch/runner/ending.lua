-- How a run ends: what an error leads to (state kept, put back, or reported), the run's state, and the exit status.
-- What the statuses mean is in runner/meaning.lua.

local fail  = require "pgorch.error"
local group = require "pgorch.runner.group"
local host  = require "pgorch.native.host"
local json  = require "pgorch.json"
local lost_writes = require "pgorch.runner.lost_writes"
local task  = require "pgorch.task"
local undo  = require "pgorch.runner.undo"

local ending = {}

local STATUS = { preflight = 4, verify = 5, locked = 7 }
local TRANSIENT = { net = true, timeout = true, store = true }

---The exit status of a failure that was put back.
---@param err {kind: string}
---@return integer
function ending.status_of(err) return STATUS[err.kind] or 1 end

local function is_stop(session, err)
  return task.cancelled(err) or err.kind == "stopped" or session.requested ~= nil or host.interrupted() ~= nil
end

-- Another process has the source now: what this run has closed is not opened under it.
local function is_taken(session, err)
  if err.claim ~= "source_claim" then return false end
  for id, row in pairs(session.rows) do
    local step = session.steps[id]
    if step and step.opens_window and row.state ~= "undone" and row.remembered ~= nil then return true end
  end
  return false
end

-- A full disk is made room on. Putting back would be half done there: it has to be written down, too. Not so on the
-- disk that a dump has filled, which has its room again: the app need not be down until somebody comes.
local FULL = { ENOSPC = true, EDQUOT = true }

local function is_transient(err)
  return err.retryable == true or TRANSIENT[err.kind] == true
    or err.kind == "io" and FULL[err.detail] == true and not err.put_back
end

-- Returns "keep" or "undo", the exit status, and the run's state.
local function wished(session, err)
  local wish, past = session.host["on-failure"], session:cut_over()
  local taken = fail.is(err, "PGO-FENCED")
  if taken or session.lost then return "keep", taken and 7 or 6, "stopped" end      -- it is another process's to end
  if is_stop(session, err) and not session.past_deadline and not session.group_reason then
    if (wish == "rollback" or session.requested == "rollback") and not past then return "undo", 1 end
    return "keep", 8, "stopped"
  end
  if past then return "keep", 9, "failed" end
  if is_taken(session, err) then return "keep", 7, "stopped" end
  if session.past_deadline or fail.is(err, "PGO-GROUP") then return "undo", 1 end
  if is_transient(err) and wish ~= "rollback" then return "keep", 6, "stopped" end
  if wish == "keep" then return "keep", 8, "stopped" end
  return "undo", ending.status_of(err)
end

-- Nothing is put back by itself that would take acknowledged writes with it.
local function decide(session, err)
  local what, status, state = wished(session, err)
  local why = what == "undo" and not session.host["lose-writes"] and lost_writes.threat(session)
  if not why then return what, status, state end
  session.display:emit("message", {
    text = ("not put back: %s, and a rollback would lose that (--lose-writes)"):format(why) })
  return "keep", 9, "stopped"
end

-- The others of its group hear of it before anything is put back: they could cut over without it otherwise.
local function agree(session, err, what, status, state)
  if what == "keep" then
    group.withdraw(session)
    return what, status, state
  end
  local ok, why = pcall(group.give_up, session, err)
  if ok then return what, status, state end
  session.display:emit("message", { text = ("not put back: the others of the group cannot be told: %s")
    :format(fail.wrap(why).message) })
  return "keep", fail.is(why, "PGO-FENCED") and 7 or 6, "stopped"
end

local function unlock(session)
  pcall(session.durably, session, session.unlock, session)
end

local function record(session, fields)
  local ok, err = pcall(session.update, session, fields)
  if not ok and not fail.is(err, "PGO-FENCED") then session.record_lost, session.record_error = true, err end
end

-- The app has the new database as long as it could not be taken from it.
local function is_past(session, failures)
  for _, each in ipairs(failures) do
    if each.step.point_of_no_return then return true end
  end
  return session:cut_over()
end

---Puts everything back, and records it.
---@param session table
---@param status integer  when all could be put back
---@param err? table      why
---@return integer status
---@return table[] failures
function ending.put_back(session, status, err)
  session.ending = "undo"
  record(session, { state = "undoing", error = err, exit_status = status })
  local failures = undo.all(session)
  local state = #failures == 0 and "put_back" or "undo_failed"
  if #failures > 0 then status = 11 end
  local before = not is_past(session, failures) and json.null or nil
  record(session, { state = state, exit_status = status, cut_over_at = before })
  if #failures == 0 then unlock(session) end
  return status, failures
end

local function error_fields(err)
  return require("pgorch.runner.steps").error_fields(err)
end

local ASKED = { stop = "stopped, as `pgorch cancel` asked", rollback = "put back, as `pgorch rollback` asked" }

-- What ended the run, where that is not what its step says of it.
local function cause(session, err)
  if session.past_deadline then
    return fail.new("PGO-DEADLINE", ("not moved %d s before the deadline: they are kept for putting back")
      :format(math.floor(session.kept_seconds)), { cause = err, step = err.step })
  end
  if session.group_reason then return fail.new("PGO-GROUP", session.group_reason, { cause = err, step = err.step }) end
  if not task.cancelled(err) then return err end
  local signal = host.interrupted()
  local why = ASKED[session.requested] or signal and "stopped by " .. signal
  return why and fail.new("PGO-CANCELED", why, { step = err.step, cause = err }) or err
end

---After a failure. Prints nothing but through the display.
---@param session table
---@param err table
---@return integer status
function ending.failed(session, err)
  err = fail.complete(cause(session, err), { RUN = session.run.id, APP = session.params.app,
                                             RECIPE = session.run.recipe_path })
  local what, status, state = agree(session, err, decide(session, err))
  local failures = {}
  local standing = what == "undo" and undo.standing(session) or nil
  local pending = what == "undo" and #undo.pending(session) or 0
  session.display:emit("failed", { error = err, status = status, standing = standing, pending = pending })
  if what == "undo" then
    status, failures = ending.put_back(session, status, error_fields(err))
  else
    record(session, { state = state, exit_status = status, error = error_fields(err) })
    if state == "failed" then unlock(session) end
  end
  session.display:emit("ended", { session = session, status = status, error = err, failures = failures,
                                  standing = undo.standing(session), kept = what == "keep",
                                  going_on = what == "keep" and undo.going_on(session) or nil })
  return status
end

---After the run was lost to another process, or may have been, while it ended: that one ends it.
---@param session table
---@param err table
---@return integer status
function ending.lost(session, err)
  local status = fail.is(err, "PGO-FENCED") and 7 or 6
  session.display:emit("failed", { error = err, status = status, pending = 0 })
  session.display:emit("ended", { session = session, status = status, error = err, failures = {}, kept = true,
                                  standing = undo.standing(session) })
  return status
end

local function has_warnings(session)
  for _, row in pairs(session.rows) do
    if row.summary and row.summary.warnings and row.state ~= "undone" then return true end
  end
  return false
end

---After the last step.
---@param session table
---@return integer status
function ending.good(session)
  local failures = undo.all(session, true)
  local status = has_warnings(session) and 3 or 0
  if #failures > 0 then status = session:cut_over() and 9 or 11 end
  record(session, { state = #failures == 0 and "done" or "failed", exit_status = status })
  unlock(session)
  session.display:emit("ended", { session = session, status = status, failures = failures, standing = {} })
  return status
end

---After a part that --until asked for: nothing is put back, the run can go on. With the window open it is no good end.
---@param session table
---@param id string
---@return integer status
function ending.part(session, id)
  local open = undo.window_is_open(session)
  local status = open and 8 or has_warnings(session) and 3 or 0
  local standing = undo.standing(session)
  record(session, { state = "stopped", exit_status = status })
  if #standing == 0 then pcall(session.durably, session, session.unlock_target, session) end
  session.display:emit("ended", { session = session, status = status, failures = {}, part = id, standing = standing,
                                  kept = true, window_open = open })
  return status
end

return ending
