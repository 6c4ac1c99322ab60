-- Goes through a recipe's list as a run would, and does nothing: steps that only read are run where they have no `plan`
-- of their own, the others say what they would do. What that needs and is not known yet is told with the step that it
-- will be known after.

local fail    = require "pgorch.error"
local lines   = require "pgorch.plan.lines"
local raised  = require "pgorch.runner.place"
local task    = require "pgorch.task"
local times   = require "pgorch.plan.times"
local unknown = require "pgorch.plan.unknown"
local way     = require "pgorch.way"

local survey = {}

---@class pgorch.planned.Step
---@field id string
---@field title string
---@field effect "read"|"write"|"destroy"|"gate"
---@field group "before"|"window"|"point"|"after"
---@field lines pgorch.planned.Line[]
---@field seconds number|nil      nil: nobody can tell
---@field measured boolean|nil    seconds are those of another run
---@field in_window boolean
---@field why string|nil          why a reading step could not be run here

---@class pgorch.Survey
---@field steps pgorch.planned.Step[]  in the order of the recipe
---@field by_id table<string, pgorch.planned.Step>
---@field has_window boolean
---@field changes integer
---@field open integer              lines that are known only later
---@field warnings {id: string, text: string}[]   of the steps that were run

local TRANSIENT = { net = true, timeout = true }

local function passes_by_itself(err) return err.retryable or TRANSIENT[err.kind] or task.cancelled(err) end

local function named(err, step)
  err.step = err.step or step.id
  error(err, 0)
end

-- "? title (known after addon)": nothing can be said of the step but that.
local function unclear(step, after, why)
  return { { sign = "?", text = ("%s %s"):format(step.title, unknown.text(after)), about = why } }
end

-- A Lua error by a plan that was handed something unknown is most likely about that: %d, a comparison in the library.
local function explain(err, read)
  if err.id ~= "PGO-LUA" or #read == 0 then return err end
  err.cure = ("It read what is known only after %s: such a value can be put into a text, and nothing else."):format(
    table.concat(read, ", "))
  return err
end

-- fn(ctx), where what is unknown makes the whole step unknown. Returns what fn did, or nil and the step to wait for.
local function ask(of, step, fn, ...)
  local ctx = of:context(step)
  local ok, value = xpcall(raised.call, fail.handler, fn, ctx, ...)
  of.strict = false
  if ok then return value end
  if value.known_after then return nil, value.known_after end
  named(explain(value, of:unknown_premises(ctx)), step)
end

local function ask_strictly(of, step, fn)
  of.strict = true
  return ask(of, step, fn)
end

local function each_lines(of, step)
  local items, after = ask_strictly(of, step, step.each)
  if after then return unclear(step, after) end
  local list = {}
  for _, item in ipairs(items or {}) do
    local given, later
    if step.plan then given, later = ask(of, step, step.plan, item) end
    local own = later and unclear(step, later) or step.plan and lines.of(step, given) or lines.by_effect(step, item)
    table.move(own, 1, #own, #list + 1, list)
  end
  return list
end

local function plan_lines(of, step)
  if step.each then return each_lines(of, step) end
  if not step.plan then return lines.by_effect(step) end
  local given, after = ask(of, step, step.plan)
  if after then return unclear(step, after) end
  return lines.of(step, given)
end

-- What a reading step has said, for those who want to see it.
local function said_by(of, id)
  local list = {}
  for _, each in ipairs(of.said) do
    if each.id == id and each.kind == "note" then list[#list + 1] = { sign = "", text = each.text } end
  end
  return list
end

-- Runs a step that only reads. Where something is to be made before it, what it looks for may not be there yet.
local function read(of, step, state)
  if of:has_run(step.id) then return said_by(of, step.id) end
  if state.group ~= "before" then
    of:defer(step.id)
    return { { sign = "", text = step.title } }
  end
  local ok, err = xpcall(of.look, fail.handler, of, step.id)
  if ok then return said_by(of, step.id) end
  if not err.known_after and (passes_by_itself(err) or not state.changing) then named(err, step) end
  of:defer(step.id)
  return unclear(step, err.known_after or state.changing, not err.known_after and err.message or nil)
end

local function is_wanted(of, step)
  if step.way and not way.has(of:context(step), step) then return false end
  if not step.only_if then return true end
  return ask_strictly(of, step, step.only_if)
end

local function step_lines(of, step, state)
  local wanted, after = is_wanted(of, step)
  if after then
    of:defer(step.id)
    return unclear(step, after)
  end
  if not wanted then return nil end
  if step.effect == "read" and not step.plan then return read(of, step, state) end
  local list = plan_lines(of, step)
  of:defer(step.id)
  return list
end

-- In which part of the move a step stands; the point of no return is one by itself.
local function place(state, step)
  if state.group == "point" then state.group = "after" end
  if step.point_of_no_return then
    state.group = "point"
  elseif state.group == "before" and (step.opens_window or step.freezes) then
    state.group, state.window = "window", true
  elseif state.group == "window" and state.closed then
    state.group = "after"
  end
  if step.closes_window then state.group, state.closed = "after", true end
end

-- The line that says what an undo at the end of a good run will do.
local function at_the_end(step, entry, changes)
  if not changes or step.undo_when ~= "always" or not step.undo then return end
  for _, line in ipairs(entry.lines) do
    if line.after then return end
  end
  entry.lines[#entry.lines].after = "~ undo: " .. step.title
end

local function changes_something(entry)
  for _, line in ipairs(entry.lines) do
    if entry.effect ~= "read" and lines.is_change(line) then return true end
  end
  return false
end

local function add_step(self, of, step, state)
  local open = state.window and not state.closed
  place(state, step)
  local list = step_lines(of, step, state)
  if not list then return end
  local entry = { id = step.id, title = step.title, effect = step.effect, group = state.group, lines = list,
                  in_window = open or step.opens_window or (state.window and not state.closed) or false }
  local changes = changes_something(entry)
  if changes then state.changing = step.id end
  entry.seconds, entry.measured = times.of_step(of, step, state.history)
  if step.effect ~= "read" and not changes and not entry.measured then entry.seconds = 1 end
  at_the_end(step, entry, changes)
  self.steps[#self.steps + 1], self.by_id[step.id] = entry, entry
end

local function add_gate(self, item, state)
  self.steps[#self.steps + 1] = { id = item.id, title = item.title, effect = "gate", group = state.group,
    in_window = state.window and not state.closed or false,
    lines = { { sign = "", text = ("asks: %s"):format(item.title) } }, seconds = 0 }
end

local function walk(self, of, list, state)
  for _, item in ipairs(list) do
    if item.kind == "step" then add_step(self, of, item, state) end
    if item.kind == "gate" then add_gate(self, item, state) end
    for _, inner in ipairs(item.lists or {}) do walk(self, of, inner, state) end
  end
end

---Lines that change something, each with its step; those at the end of a good run come last.
---@param self pgorch.Survey
---@return {step: pgorch.planned.Step, line: pgorch.planned.Line, group: string, first: boolean}[]
function survey.changes(self)
  local list, last = {}, {}
  for _, entry in ipairs(self.steps) do
    local first = true
    for _, line in ipairs(entry.effect ~= "read" and entry.lines or {}) do
      if lines.is_change(line) then
        list[#list + 1] = { step = entry, line = line, group = entry.group, first = first }
        first = false
      end
      if line.after then
        last[#last + 1] = { step = entry, line = lines.of(entry, line.after)[1], group = "after", first = false }
      end
    end
  end
  return table.move(last, 1, #last, #list + 1, list)
end

local function warnings_of(of, after)
  local list = {}
  for i = after + 1, #of.said do
    local each = of.said[i]
    if each.kind == "warn" then list[#list + 1] = { id = each.id, text = each.text } end
  end
  return list
end

---@param of pgorch.Inspection   the recipe, looked at
---@param history table|nil      another run of the same source: {seconds = {id = n}}
---@return pgorch.Survey
function survey.new(of, history)
  local self, state = { steps = {}, by_id = {}, changes = 0, open = 0 }, { group = "before", history = history }
  local before = #of.said                                  -- what the checks have said, they tell
  walk(self, of, of.recipe.steps, state)
  self.warnings = warnings_of(of, before)
  self.has_window = state.window or false
  for _, each in ipairs(survey.changes(self)) do
    if each.line.sign == "?" then self.open = self.open + 1 else self.changes = self.changes + 1 end
  end
  return self
end

return survey
