-- Runs the list of steps: intent before the effect, result after, each on the disk before the next thing happens.
-- A finished step is not repeated. What to do about a failure is decided elsewhere (runner/ending.lua).

local context = require "pgorch.runner.context"
local drift   = require "pgorch.plan.drift"
local fail    = require "pgorch.error"
local gate    = require "pgorch.runner.gate"
local group   = require "pgorch.runner.group"
local json    = require "pgorch.json"
local place   = require "pgorch.runner.place"
local store   = require "pgorch.store"
local task    = require "pgorch.task"
local way     = require "pgorch.way"

local steps = {}

local function fields_of(err)
  return { id = err.id, kind = err.kind, message = err.message, detail = err.detail and tostring(err.detail),
           step = err.step, at = err.at, retryable = err.retryable, cure = fail.cure(err) }
end
steps.error_fields = fields_of

-- The record in memory, as the store has it.
local function begin(session, step, id, item)
  local old = session.rows[id]
  local forget = old ~= nil and old.state == "undone"
  session.store:begin_step(session.run.id, id, { title = step.title, attempt = session.run.attempt, item = item,
                                                 forget = forget })
  if not old then session.position = session.position + 1 end
  local row = { id = id, title = step.title, state = "running", item = item, attempt = session.run.attempt,
                position = old and old.position or session.position, started_at = store.now(),
                remembered = not forget and old and old.remembered or nil }
  session.rows[id] = row
  session:last_words()
  return row
end

local function finish(session, id, row, result, ctx)
  local summary = ctx and context.summary(ctx)
  local premises = ctx and context.premises(ctx)
  local step = session.steps[id]
  session:durably(session.store.finish_step, session.store, session.run.id, id,
    { result = result, premises = premises, summary = summary, cut_over = step and step.point_of_no_return })
  -- As a resumed run would see it: what JSON cannot hold must not work once and fail later.
  if result ~= nil then result = json.decode(json.encode(result)) end
  row.state, row.result, row.premises, row.summary, row.ended_at = "done", result, premises, summary, store.now()
  if step and step.point_of_no_return then session.run.cut_over_at = row.ended_at end
  session.results[id] = result
  session:last_words()
end

-- A cancelled step stays `running` in the record: interrupted, to be run again with what it remembered.
-- What it had found by then is kept: the findings and differences are what a reader of the report looks for.
local function failed(session, id, row, err, ctx)
  err.step = err.step or id
  row.error, row.ended_at, row.summary = fields_of(err), store.now(), ctx and context.summary(ctx)
  if not task.cancelled(err) then
    row.state = "failed"
    pcall(session.durably, session, session.store.fail_step, session.store, session.run.id, id, row.error)
    if row.summary then
      pcall(session.durably, session, session.store.set_summary, session.store, session.run.id, id, row.summary)
    end
  end
  session.display:emit("step_failed", { id = id, title = row.title, error = err, row = row })
end

-- A step that --only runs alone trips over the results that it lacks: those are what the user needs to hear of.
local function explain_only(session, step, ctx, err)
  if not session.only or err.id ~= "PGO-LUA" then return err end
  local lacking = {}
  for _, name in ipairs(context.premises(ctx)) do
    local row = session.steps[name] and session.rows[name]
    if session.steps[name] and not (row and row.state == "done") then lacking[#lacking + 1] = name end
  end
  if #lacking == 0 then return err end
  return fail.new("PGO-USAGE", ("%s needs what these steps found, and they have not run: %s"):format(step.id,
    table.concat(lacking, ", ")), { cause = err, cure = "Name them too in --only, or resume a run that has them." })
end

-- Runs `body` as the step `id`. Returns its result.
local function recorded(session, step, id, item, body)
  local differs = session.planned and drift.check(session, step, id)
  local row = begin(session, step, id, item)
  session.display:emit("step_started", { id = id, title = step.title, effect = step.effect })
  local ctx = context.new(session, step, id, row)
  if differs then ctx:warn(differs) end
  local ok, result = xpcall(function()
    local value = body(ctx)
    finish(session, id, row, value, ctx)
    return value
  end, fail.handler)
  if not ok then
    result = explain_only(session, step, ctx, result)
    failed(session, id, row, result, ctx)
    error(result, 0)
  end
  session.display:emit("step_done", { id = id, title = step.title, row = row, effect = step.effect })
end

local function is_done(session, id)
  local row = session.rows[id]
  return row ~= nil and row.state == "done"
end

local function each_item(session, step, ctx)
  local items, by_key = place.call(step.each, ctx) or {}, {}
  for _, item in ipairs(items) do
    if type(item) ~= "table" or type(item.key) ~= "string" then
      fail.raise("PGO-RECIPE", ("step %s: `each` gives a list of { key = \"...\" }"):format(step.id))
    end
    if by_key[item.key] then fail.raise("PGO-RECIPE", ("step %s: two items %s"):format(step.id, item.key)) end
    by_key[item.key] = true
  end
  task.map(items, { limit = step.limit or 1 }, function(item)
    local id = ("%s[%s]"):format(step.id, item.key)
    if not is_done(session, id) then
      recorded(session, step, id, item, function(inner) return place.call(step.run, inner, item) end)
    end
  end)
  local results = {}
  for _, item in ipairs(items) do results[item.key] = session.results[("%s[%s]"):format(step.id, item.key)] end
  return results
end

local function is_of_this_way(session, step)
  return not step.way or way.has(context.new(session, step, step.id, {}), step)
end

local function is_wanted(session, step)
  if not step.only_if then return true end
  local ctx = context.new(session, step, step.id, {})
  local ok, wanted = xpcall(place.call, fail.handler, step.only_if, ctx)
  if not ok then
    wanted.step = wanted.step or step.id
    error(wanted, 0)
  end
  return wanted
end

local function skip(session, step)
  local row = session.rows[step.id]
  if row and row.state == "skipped" then return end
  row = begin(session, step, step.id)
  session.store:set_step_state(session.run.id, step.id, "skipped")
  row.state = "skipped"
  session.display:emit("step_skipped", { id = step.id, title = step.title })
end

---Runs one step, unless it is done.
---@param session table
---@param step table
function steps.run(session, step)
  if is_done(session, step.id) then return end
  task.check()
  if not is_of_this_way(session, step) then return end             -- no row of it: it is no step of this run
  if not is_wanted(session, step) then return skip(session, step) end
  recorded(session, step, step.id, nil, function(ctx)
    if step.each then return each_item(session, step, ctx) end
    return place.call(step.run, ctx)
  end)
  if step.point_of_no_return then session.display:emit("cut_over", { id = step.id }) end
end

-- What was asked before a gate is asked again after it: people take their time. So do the others of a group.
local function ask_again(session, before)
  for _, item in ipairs(before) do
    if item.again_after_gate and is_done(session, item.id) then
      session.rows[item.id].state = "void"
      steps.run(session, item)
    end
  end
end

local function pass_gate(session, item, before)
  if is_done(session, item.id) then return end
  local row = begin(session, item, item.id)
  local ok, how = xpcall(gate.pass, fail.handler, session, item)
  if not ok then
    failed(session, item.id, row, how)
    error(how, 0)
  end
  if how.waited then ask_again(session, before) end
  finish(session, item.id, row, { passed = how.passed })
  session.display:emit("gate_passed", { id = item.id, title = item.title, how = how.passed })
end

local function come_together(session, item, before)
  local waited = group.meet(session, item, is_done(session, item.id))
  if waited and item.point_of_no_return then ask_again(session, before) end
end

local function selected(session, item)
  return not session.only or not item.id or session.only[item.id]
end

local function run_list(session, list)
  for _, item in ipairs(list) do
    if selected(session, item) then steps.run(session, item) end
  end
end

local function run_together(session, item)
  task.group(function(together)
    for _, list in ipairs(item.lists) do together:spawn(run_list, session, list) end
  end)
end

local function holds(item, id)
  if item.id == id then return true end
  for _, list in ipairs(item.lists or {}) do
    for _, inner in ipairs(list) do
      if inner.id == id then return true end
    end
  end
  return false
end

---Runs the recipe's list from the first step that is not done. Returns the id at which --until ended it, or nil.
---@param session table
---@return string|nil
function steps.run_all(session)
  local before, until_ = {}, session.host["until"]
  for _, item in ipairs(session.recipe.steps) do
    if item.kind == "section" then
      session.display:emit("section", { title = item.title })
    elseif item.kind == "together" then
      run_together(session, item)
    elseif selected(session, item) then
      come_together(session, item, before)
      if item.kind == "gate" then pass_gate(session, item, before) else steps.run(session, item) end
    end
    before[#before + 1] = item
    if until_ and holds(item, until_) then return until_ end
  end
end

return steps
