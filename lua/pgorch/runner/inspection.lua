-- A recipe that is looked at without a run: its live things, and what its reading steps see and say. All of it is in
-- memory and goes with the process: no record of it, no folder, no lock. A step that writes is refused, but for one
-- that the caller names and undoes itself.

local context = require "pgorch.runner.context"
local fail    = require "pgorch.error"
local memory  = require "pgorch.store.memory"
local store   = require "pgorch.store"
local unknown = require "pgorch.plan.unknown"
local way     = require "pgorch.way"

local inspection = {}

---@class pgorch.Inspection
---@field recipe pgorch.Recipe
---@field params table
---@field results table<string, any>   of the steps that were run here; of those put off, what is unknown
---@field strict boolean               what is unknown must not even be read: a condition could not trap it
---@field said {kind: "note"|"warn"|"table"|"put_back", id: string, text?: string, table?: table}[]
local Inspection = {}
Inspection.__index = Inspection

-- What the context writes of a step: remembered values stay in its row, and there are no other runs to share with.
-- What those did is read from the record of runs.
local function in_memory(url)
  local made = memory.new()
  function made.remember() end
  function made.in_other_runs(_, id, run, rehearsals)
    local opened <close> = store.find(url)
    return opened and opened:in_other_runs(id, run, rehearsals) or {}
  end
  return made
end

local function index(list, into)
  for _, item in ipairs(list) do
    if item.id then into[item.id] = item end
    for _, inner in ipairs(item.lists or {}) do index(inner, into) end
  end
  return into
end

-- A result that is not there: of a step that was put off it is unknown, of any other there is none.
local function lacking(self)
  return function(_, id)
    if not self.put_off[id] then return nil end
    if self.strict then unknown.refuse(id) end
    return unknown.new(id)
  end
end

---`run`: the id that a run would have; `state`: where the record of runs is; `dir`: an existing folder, only to be
---looked at.
---@param o {recipe: pgorch.Recipe, params: table, run?: string, state?: string, dir?: string}
---@return pgorch.Inspection
function inspection.new(o)
  local self = setmetatable({ recipe = o.recipe, params = o.params, live = {}, rows = {}, said = {}, put_off = {},
                              ran = {}, strict = false, store = in_memory(o.state),
                              run = { id = o.run or "inspection", attempt = 1, dir = o.dir } }, Inspection)
  self.results = setmetatable({}, { __index = lacking(self) })
  self.steps = index(o.recipe.steps, {})
  self.display = { emit = function(_, kind, event)
    self.said[#self.said + 1] = { kind = kind, id = event.id, text = event.text, table = event.table }
  end }
  return self
end

---There is nothing to be recorded.
function Inspection.durably(_, fn, ...) return fn(...) end

---Nothing is left behind when the process ends at once.
function Inspection.last_words() end

---A step that is not run here: from now on its result is unknown.
---@param id string
function Inspection:defer(id) self.put_off[id] = true end

---@param id string
---@return boolean
function Inspection:has_run(id) return self.ran[id] == true end

---What a step has read that is unknown.
---@param ctx pgorch.Context
---@return string[] ids
function Inspection:unknown_premises(ctx)
  local list = {}
  for _, id in ipairs(context.premises(ctx)) do
    if self.put_off[id] then list[#list + 1] = id end
  end
  return list
end

---What a step of a run keeps for later ones would have to be closed: nothing that only reads needs it.
function Inspection.keep()
  fail.raise("PGO-RECIPE", "a step that is looked at without a run keeps nothing (ctx:keep)",
    { cure = "Give the step a `plan`: then it is not run for one." })
end

---@param id string
---@return table|nil
function Inspection:step(id) return self.steps[id] end

---A context as a run would give it; `row` is where it puts what it remembers.
---@param step? table
---@param row? table
---@return pgorch.Context
function Inspection:context(step, row)
  local id = step and step.id or "inspection"
  return context.new(self, step or {}, id, row or self.rows[id] or {})
end

---Runs a step that only reads; nil when the recipe has none of that name, or it is not needed.
---@param id string
---@return any result
function Inspection:look(id)
  local step = self.steps[id]
  if not step then return nil end
  if step.effect ~= "read" then fail.raise("PGO-RECIPE", ("step %s does not only read"):format(id)) end
  local ctx = self:context(step)
  if not way.has(ctx, step) then return nil end
  if step.only_if and not step.only_if(ctx) then return nil end
  self.results[id] = step.run(ctx)
  self.ran[id] = true
  return self.results[id]
end

return inspection
