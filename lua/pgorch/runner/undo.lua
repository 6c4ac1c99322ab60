-- Puts back what was done, last first. Each undo is recorded before and after, and Ctrl-C does not reach it. Once
-- the run may be another process's, nothing more is put back.
-- One that fails does not stop the others; it is listed with the command that does it by hand. But for the point of no
-- return: as long as the app has the new database, the old one is not opened and the copy is not emptied.

local context = require "pgorch.runner.context"
local fail    = require "pgorch.error"
local place   = require "pgorch.runner.place"
local steps   = require "pgorch.runner.steps"
local task    = require "pgorch.task"

local undo = {}

-- The longest that one undo may take: resetting a target or waiting for dynos is minutes. Within it, what a moment's
-- trouble of the network spoilt is tried again.
local LONGEST = 1800

local EFFECTIVE = { done = true, void = true, undoing = true, undo_failed = true }

-- Whether something may have happened that has not been put back. An interrupted step counts from the moment that it
-- remembered something: before that it had no effect.
local function stands(row)
  return EFFECTIVE[row.state] or (row.state ~= "undone" and row.remembered ~= nil)
end

---What has an undo and is not undone, last begun first.
---@param session table
---@param always? boolean  only what is undone at the end of a good run too
---@return {row: table, step: table}[]
function undo.pending(session, always)
  local list = {}
  for _, row in ipairs(session:backwards()) do
    local step = session:step_of(row.id)
    local whole = step and step.each and row.id == step.id -- its items are undone one by one
    if step and step.undo and not whole and stands(row) and (not always or step.undo_when == "always") then
      list[#list + 1] = { row = row, step = step }
    end
  end
  return list
end

local function what_it_did(row)
  if row.result ~= nil and row.state ~= "void" then return row.result end
  if row.remembered ~= nil then return row.remembered end
  return row.result ~= nil and row.result or {}
end

---What is so as long as the step is not undone.
---@param entry {row: table, step: table}
---@return string|nil  nil: nothing
function undo.describe(entry)
  local text = entry.step.stands
  if type(text) == "function" then
    local ok, said = pcall(text, what_it_did(entry.row))
    if ok and said == false then return nil end
    text = ok and said or nil
  end
  return text or entry.row.title .. (entry.row.item and " " .. entry.row.item.key or "")
end

local AGAIN_SECONDS = 1

local function refuse_lost(session)
  if session.lost then error(session.lost, 0) end
end

-- Where a lease says whose the run is, nothing is put back that the record does not know of: by the end of the lease
-- another process may be putting it back.
local function write_while_mine(session, write)
  while true do
    refuse_lost(session)
    local ok, problem = pcall(write)
    if ok then return end
    refuse_lost(session)
    if not problem.retryable then
      session.lost = problem
      error(problem, 0)
    end
    local slept, why = pcall(task.sleep, AGAIN_SECONDS)
    if not slept then
      refuse_lost(session)
      error(why, 0)
    end
  end
end

-- A file must not keep something from being put back: a full disk is reported, and the undo happens all the same.
local function note_state(session, row, state, err)
  row.state = state
  local function write()
    session:durably(session.store.set_step_state, session.store, session.run.id, row.id, state, err)
  end
  if session.store.home.leases then return write_while_mine(session, write) end
  local ok, problem = pcall(write)
  if not ok and fail.is(problem, "PGO-FENCED") then error(problem, 0) end  -- another process puts it back
  if not ok then session.record_lost = true end
end

local function by_hand(session, entry)
  if not entry.step.by_hand then return nil end
  local ctx = context.new(session, entry.step, entry.row.id, entry.row)
  local ok, text = pcall(entry.step.by_hand, ctx, what_it_did(entry.row))
  return ok and text or nil
end

-- Nothing reaches what is being put back but the loss of the run: another process may be putting it back by then.
local function while_mine(session, fn, ...)
  if not session.store.home.leases then return fn(...) end
  local arguments = table.pack(...)
  task.group(function(group)
    group:spawn(function()
      while not session.lost do task.sleep(AGAIN_SECONDS) end
      error(session.lost, 0)
    end)
    fn(table.unpack(arguments, 1, arguments.n))
    group:cancel "done"
  end)
end

local function undo_one(session, entry)
  local row, step = entry.row, entry.step
  local did = what_it_did(row)
  -- What the step itself put back (the window's end: the dynos) is no longer so.
  if row.state == "done" and row.summary then row.summary.put_back = nil end
  note_state(session, row, "undoing")
  session.display:emit("undo_started", { id = row.id, title = row.title })
  local ctx = context.new(session, step, row.id, row)
  local ok, err = xpcall(task.shield, fail.handler, LONGEST, while_mine, session, task.retry, { tries = 4, base = 2 },
    place.call, step.undo, ctx, did, row.item)
  refuse_lost(session)
  row.summary = context.summary(ctx)
  if row.summary then
    pcall(session.durably, session, session.store.set_summary, session.store, session.run.id, row.id, row.summary)
  end
  if ok then
    session.results[row.id] = nil
    note_state(session, row, "undone")
    session.display:emit("undo_done", { id = row.id, title = row.title, row = row })
  else
    err.step = err.step or row.id
    entry.error, entry.by_hand = err, by_hand(session, entry)
    row.error = steps.error_fields(err)
    row.error.by_hand = entry.by_hand              -- for `pgorch status`, too, which can ask nobody
    note_state(session, row, "undo_failed", row.error)
    session.display:emit("undo_failed", { id = row.id, title = row.title, error = err, row = row })
  end
  session:last_words()
  return ok
end

-- An `each` step is undone when all its items are.
local function close_parents(session)
  for id, row in pairs(session.rows) do
    local step = session.steps[id]
    if step and step.each and step.undo and (EFFECTIVE[row.state] or row.state == "running") then
      session.results[id] = nil
      note_state(session, row, "undone")
    end
  end
end

-- What the undo of others uses (a storage key) is made again by them, however often it was taken away before: it is
-- taken away once more after them.
local function with_what_others_use(session, list)
  if #list == 0 then return list end
  for _, row in ipairs(session:backwards()) do
    local step = session:step_of(row.id)
    local again = step and step.undo and step.cleans_last and row.state == "undone"
    if again then list[#list + 1] = { row = row, step = step } end
  end
  return list
end

---Undoes everything that stands, or only the "always" ones. Ends at a point of no return that cannot be undone.
---@param session table
---@param always? boolean
---@return table[] failures  {row, step, error, by_hand}; empty when all is put back
function undo.all(session, always)
  local failures = {}
  for _, entry in ipairs(with_what_others_use(session, undo.pending(session, always))) do
    if not undo_one(session, entry) then
      failures[#failures + 1] = entry
      if entry.step.point_of_no_return then break end
    end
  end
  if not always and #failures == 0 then close_parents(session) end
  return failures
end

---What an earlier undo could not put back, as it was recorded: like the failures of undo.all.
---@param session table
---@return table[]
function undo.failures(session)
  local list = {}
  for _, row in ipairs(session:backwards()) do
    local err = row.state == "undo_failed" and (row.error or {})
    if err then
      list[#list + 1] = { row = row, by_hand = err.by_hand,
                          error = fail.new(fail.describe(err.id or "") and err.id or "PGO-UNDO", err.message) }
    end
  end
  return list
end

local function window_is_closed(session)
  for id, row in pairs(session.rows) do
    local step = session.steps[id]
    if step and step.closes_window and row.state == "done" then return true end
  end
  return false
end

---Whether writes are kept out, and the app is perhaps down.
---@param session table
---@return boolean
function undo.window_is_open(session)
  for _, entry in ipairs(undo.pending(session)) do
    if entry.step.opens_window then return not window_is_closed(session) end
  end
  return false
end

---Words for a second Ctrl-C, and for what still stands: one line for each.
---@param session table
---@return string[]
function undo.standing(session)
  local list, closed = {}, window_is_closed(session)
  for _, entry in ipairs(undo.pending(session)) do
    if not (closed and entry.step.opens_window) then list[#list + 1] = undo.describe(entry) end
  end
  return list
end

-- One that failed for good has nothing under way; one that lost the network may have.
local function is_interrupted(row)
  return row.state == "running" or row.state == "failed" and row.error and (row.error.retryable
    or row.error.kind == "net" or row.error.kind == "timeout")
end

---What goes on far away though the run has stopped: a restore, an add-on that is being made. One line for each.
---@param session table
---@return string[]
function undo.going_on(session)
  local list = {}
  for _, row in ipairs(session:backwards()) do
    local step = session:step_of(row.id)
    local begun = step and step.goes_on and row.remembered ~= nil and is_interrupted(row)
    local ok, said = pcall(begun and step.goes_on or error, row.remembered)
    if ok and said then list[#list + 1] = said end
  end
  return list
end

return undo
