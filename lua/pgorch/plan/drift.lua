-- Holds a run to its plan. Before it begins, the plan is made again and compared line by line; while it runs, each step
-- that writes is asked once more what it would do, with what is known by then. A difference is PGO-DRIFT. What was
-- planned is an event of the run, so that a resumed one is held to it too.

local context = require "pgorch.runner.context"
local fail    = require "pgorch.error"
local lines   = require "pgorch.plan.lines"
local task    = require "pgorch.task"

local M = {}

local EVENT = "planned"

local function difference(name, planned, now)
  return ("%s\n  planned: %s\n  now:     %s"):format(name, planned, now)
end

-- What all steps stand on, told where it differs.
local function of_source(list, before, now)
  local function words(source)
    return source and ("%s, PostgreSQL %s (%s)"):format(source.name, source.major, source.identity) or "none"
  end
  local old, new = words(before), words(now)
  if old ~= new then list[#list + 1] = difference("source", old, new) end
end

local function by_id(steps)
  local found = {}
  for _, step in ipairs(steps) do found[step.id] = step.lines end
  return found
end

---@param before pgorch.plan.Kept
---@param now pgorch.plan.Kept
---@return string[] differences
function M.list(before, now)
  local list, planned = {}, by_id(before.steps)
  of_source(list, before.source, now.source)
  for _, step in ipairs(now.steps) do
    local old = planned[step.id] or {}
    if not lines.same(old, step.lines) then
      list[#list + 1] = difference(step.id, lines.show_all(old), lines.show_all(step.lines))
    end
    planned[step.id] = nil
  end
  for _, step in ipairs(before.steps) do          -- no longer wanted: its only_if says something else now
    if planned[step.id] and not lines.same(step.lines, {}) then
      list[#list + 1] = difference(step.id, lines.show_all(step.lines), "nothing")
    end
  end
  return list
end

---Raises PGO-DRIFT where the plan, made again, says something else.
---@param path string
---@param before pgorch.plan.Kept
---@param now pgorch.plan.Kept
function M.refuse(path, before, now)
  local list = M.list(before, now)
  if #list == 0 then return end
  fail.raise("PGO-DRIFT", ("the world is not as it was when %s was made; nothing was touched"):format(path),
    { detail = table.concat(list, "\n"), cure = ("Look at what differs, then make another plan: pgorch plan %s ... "
      .. "--out %s --force"):format(before.recipe.path, path) })
end

-- --- while it runs ---

---The event that holds a run to its plan: told with the run itself, so that it is not on record without it.
---@param steps table[]   of pgorch.plan.Kept
---@return {kind: string, data: table}
function M.event(steps) return { kind = EVENT, data = { steps = steps } } end

---What the run was planned to do, by step; nil: it was begun without a plan.
---@param store pgorch.Store
---@param run string
---@return table<string, pgorch.planned.Line[]>|nil
function M.of_run(store, run)
  local found
  for _, event in ipairs(store:events(run)) do
    if event.kind == EVENT then found = by_id(event.data.steps) end
  end
  return found
end

local function lines_now(ctx, step)
  if not step.each then return step.plan and lines.of(step, step.plan(ctx)) or lines.by_effect(step) end
  local list = {}
  for _, item in ipairs(step.each(ctx) or {}) do
    local own = step.plan and lines.of(step, step.plan(ctx, item)) or lines.by_effect(step, item)
    table.move(own, 1, #own, #list + 1, list)
  end
  return list
end

local function asked(session, step)
  local ok, now = xpcall(lines_now, fail.handler, context.new(session, step, step.id, {}), step)
  if ok then return now end
  now.step = now.step or step.id
  error(now, 0)
end

-- A step that began before knows what it did and goes on from there: asked again it would describe what is half done.
-- One that can be undone has done nothing before it remembered something; the items of an `each` step have rows of
-- their own.
local function is_fresh(session, step)
  local row = session.rows[step.id]
  if row == nil then return true end
  if session.run.state ~= "running" then return false end
  local stopped = row.state == "running" or row.state == "failed"
  return row.state == "undone" or stopped and step.undo and not step.each and row.remembered == nil
end

---Just before a step of a planned run writes: raises PGO-DRIFT if it would do something else. Past the point of no
---return nothing can be put back, and what is left is what ends the window: there it is only told.
---@param session table
---@param step table
---@param id string      of the record; the items of an `each` step were compared with the step itself
---@return string|nil warning
function M.check(session, step, id)
  if step.effect == "read" or id ~= step.id or not is_fresh(session, step) then return end
  local past, ok, now = session:cut_over(), pcall(asked, session, step)
  if not ok then
    if not past or task.cancelled(now) then error(now, 0) end
    return ("not compared with what was planned: %s"):format(tostring(now))
  end
  local planned = session.planned[id] or {}
  if lines.same(planned, now) then return end
  local was, is = lines.show_all(planned), lines.show_all(now)
  if past then return ("planned was: %s; done is: %s"):format(was, is) end
  fail.raise("PGO-DRIFT", ("%s would do something else than was planned"):format(id),
    { step = id, detail = ("planned: %s\nnow:     %s"):format(was, is) })
end

return M
