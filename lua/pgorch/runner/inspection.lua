-- A recipe that is looked at without a run: its live things, and what its reading steps see and say. All of it is in
-- memory and goes with the process: no record of it, no folder, no lock. A step that writes is refused, but for one
-- that the caller names and undoes itself.

local context = require "pgorch.runner.context"
local fail    = require "pgorch.error"
local memory  = require "pgorch.store.memory"
local store   = require "pgorch.store"

local inspection = {}

---@class pgorch.Inspection
---@field recipe pgorch.Recipe
---@field params table
---@field results table<string, any>   of the steps that were run here
---@field said {kind: "note"|"warn"|"table"|"put_back", id: string, text?: string, table?: table}[]
local Inspection = {}
Inspection.__index = Inspection

-- What the context writes of a step: remembered values stay in its row, and there are no other runs to share with.
-- What those did is read from the record of runs, if there is one.
local function record()
  local made = memory.new()
  function made.remember() end
  function made.in_other_runs(_, id, run)
    local opened <close> = store.find()
    return opened and opened:in_other_runs(id, run) or {}
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

---@param o {recipe: pgorch.Recipe, params: table}
---@return pgorch.Inspection
function inspection.new(o)
  local self = setmetatable({ recipe = o.recipe, params = o.params, results = {}, live = {}, rows = {}, said = {},
                              store = record(), run = { id = "inspection", attempt = 1 } }, Inspection)
  self.steps = index(o.recipe.steps, {})
  self.display = { emit = function(_, kind, event)
    self.said[#self.said + 1] = { kind = kind, id = event.id, text = event.text, table = event.table }
  end }
  return self
end

---There is nothing to be recorded.
function Inspection.durably(_, fn, ...) return fn(...) end

---What a step of a run keeps for later ones would have to be closed: nothing that only reads needs it.
function Inspection.keep()
  fail.raise("PGO-RECIPE", "a step that is looked at without a run keeps nothing (ctx:keep)")
end

---@param id string
---@return table|nil
function Inspection:step(id) return self.steps[id] end

---A context as a run would give it; `row` is where it puts what it remembers.
---@param step? table
---@param row? table
---@return pgorch.Context
function Inspection:context(step, row)
  return context.new(self, step or {}, step and step.id or "inspection", row or {})
end

---Runs a step that only reads; nil when the recipe has none of that name, or it is not needed.
---@param id string
---@return any result
function Inspection:look(id)
  local step = self.steps[id]
  if not step then return nil end
  if step.effect ~= "read" then fail.raise("PGO-RECIPE", ("step %s does not only read"):format(id)) end
  local ctx = self:context(step)
  if step.only_if and not step.only_if(ctx) then return nil end
  self.results[id] = step.run(ctx)
  return self.results[id]
end

return inspection
