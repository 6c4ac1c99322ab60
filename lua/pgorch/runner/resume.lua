-- What must be settled before a run goes on: does what finished steps did still hold, and which results fall with it.
-- Whether it is still the same recipe is settled in runner/changes.lua.

local context = require "pgorch.runner.context"
local fail    = require "pgorch.error"
local lost_writes = require "pgorch.runner.lost_writes"
local place   = require "pgorch.runner.place"
local steps   = require "pgorch.runner.steps"

local resume = {}

local function holds_premise(row, id)
  for _, premise in ipairs(row.premises or {}) do
    if premise == id then return true end
  end
  return false
end

---Voids a result, and those that were built on it. What the step did is kept for undo, and for the step itself.
---@param session table
---@param id string
---@param voided? table   ids so far
---@return string[] voided
function resume.void(session, id, voided)
  voided = voided or {}
  local row = session.rows[id]
  if row and row.state == "done" then
    row.state = "void"
    if row.remembered == nil and row.result ~= nil then
      row.remembered = row.result
      session.store:remember(session.run.id, id, row.result)
    end
    session.store:set_step_state(session.run.id, id, "void")
    session.results[id] = nil
    voided[#voided + 1] = id
  end
  local base = id:match("^([^%[]+)%[") -- an item's step has a result made of its items
  if base and session.rows[base] and session.rows[base].state == "done" then resume.void(session, base, voided) end
  for other, each in pairs(session.rows) do
    if each.state == "done" and holds_premise(each, id) then resume.void(session, other, voided) end
  end
  return voided
end

local function still_holds(session, step, row)
  local ctx = context.new(session, step, row.id, row)
  local ok, answer = xpcall(place.call, fail.handler, step.check, ctx, row.result, row.item)
  if not ok then
    answer.step = answer.step or row.id
    error(answer, 0)
  end
  return answer
end

---Looks at every finished step again. Returns the ids whose results are void.
---Past the point of no return there is nothing to look at: the dump is gone on purpose, and a second restore would
---overwrite what the app has written since.
---@param session table
---@return string[]
function resume.recheck(session)
  local voided = {}
  if session:cut_over() or lost_writes.threat(session) then return voided end
  for _, row in ipairs(session:forwards()) do
    if row.state == "undone" then resume.void(session, row.id, voided) end
  end
  for _, row in ipairs(session:forwards()) do
    local step = session:step_of(row.id)
    local whole = step and step.each and row.id == step.id
    if row.state == "done" and step and step.check and not whole and not still_holds(session, step, row) then
      resume.void(session, row.id, voided)
      -- Past a closed allow list no later check could be made at all.
      if step.before_checks then steps.run(session, step) end
    end
  end
  return voided
end

-- What such a step did may be gone because somebody tidied up, or because an earlier rollback undid it and stuck at
-- another one.
local REACHED = { done = true, undone = true }

---Before anything is put back: steps without which nothing can be reached are done again where their effect is gone.
---They come first, so that they are undone last.
---@param session table
function resume.reopen(session)
  for _, row in ipairs(session:forwards()) do
    local step = session:step_of(row.id)
    if step and step.before_checks and REACHED[row.state] and not still_holds(session, step, row) then
      row.state = "void"
      steps.run(session, step)
    end
  end
end

---The step that was at work when the run ended, for the message.
---@param session table
---@return string|nil
function resume.interrupted(session)
  for _, row in ipairs(session:backwards()) do
    if row.state == "running" or row.state == "failed" then return row.id end
  end
end

---@param session table
---@return integer
function resume.done_count(session)
  local n = 0
  for id, row in pairs(session.rows) do
    if row.state == "done" and not id:find("[", 1, true) then n = n + 1 end
  end
  return n
end

return resume
