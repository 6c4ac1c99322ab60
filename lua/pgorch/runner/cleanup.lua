-- What a run has left behind is removed and looked for again, place by place: each step knows its own. What is billed
-- goes only when its app's name was typed. Nothing is taken from a run that is not over.

local context = require "pgorch.runner.context"
local fail    = require "pgorch.error"
local meaning = require "pgorch.runner.meaning"
local shape   = require "pgorch.recipe.shape"
local task    = require "pgorch.task"
local way     = require "pgorch.way"

local cleanup = {}

local OVER = { done = true, put_back = true }

---Raises PGO-CLEANUP unless the run is over: done, put back, or failed after its cut-over.
---@param session table
function cleanup.refuse_unfinished(session)
  local run = session.run
  if OVER[run.state] or run.state == "failed" and session:cut_over() then return end
  fail.raise("PGO-CLEANUP", ("run %s is not over: %s"):format(run.id, meaning.of_state(run.state)), {
    cure = ("`pgorch resume %s` goes on with it, `pgorch rollback %s` puts it back."):format(run.id, run.id) })
end

-- The source may be gone by now, and with it all that was left there.
local function entry_of(err, step)
  if task.cancelled(err) then error(err, 0) end
  if err.absent then
    return { what = step.title, state = "gone", why = "the source itself is gone" }
  end
  return { what = step.title, state = "left", why = tostring(err) }
end

local function one(session, step, confirmed)
  local row = session.rows[step.id]
  local ctx = context.new(session, step, step.id, row or {})
  if not row and not way.has(ctx, step) then return {} end            -- a run that needed no bucket asks for none
  local did = row and (row.result or row.remembered)
  local ok, entries = xpcall(step.cleanup, fail.handler, ctx, did, row, confirmed)
  return ok and entries or { entry_of(entries, step) }
end

local function locks(session)
  session:unlock()
  local left = {}
  for _, lock in ipairs(session.store:locks(session.run.id)) do
    if not (lock.data and lock.data.for_good) then left[#left + 1] = lock.name end
  end
  if #left == 0 then return { what = "locks", state = "gone" } end
  return { what = "locks", state = "left", why = table.concat(left, ", ") }
end

-- From the end of the run to its beginning, and at last those whose things the others use.
local function in_order(session)
  local ids, first, last = shape.ids(session.recipe.steps), {}, {}
  for i = #ids, 1, -1 do
    local step = session.steps[ids[i]]
    if step.cleanup then table.insert(step.cleans_last and last or first, step) end
  end
  return table.move(last, 1, #last, #first + 1, first)
end

---Removes, and looks again. Each place is an entry; those of the end of the run come first.
---@param session table
---@param confirmed fun(what: string): boolean  whether something billed may go
---@param seen fun(entry: pgorch.Cleaned)
---@return integer left  how many could not be removed
function cleanup.run(session, confirmed, seen)
  local left, all = 0, {}
  local function add(entry)
    all[#all + 1] = entry
    if entry.state == "left" then left = left + 1 end
    seen(entry)
  end
  for _, step in ipairs(in_order(session)) do
    for _, entry in ipairs(one(session, step, confirmed)) do add(entry) end
  end
  add(locks(session))
  session:durably(session.store.event, session.store, session.run.id, "cleaned", { left = left, entries = all })
  return left
end

return cleanup
