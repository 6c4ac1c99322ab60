-- A plan: what a run of a recipe would do, found out without doing it. The checks of `pgorch check` come first; when
-- they find nothing in the way, the recipe's steps are asked one after the other. Changes nothing: no run, no record.

local fail       = require "pgorch.error"
local history    = require "pgorch.plan.history"
local inspect    = require "pgorch.preflight.inspect"
local inspection = require "pgorch.runner.inspection"
local preflight  = require "pgorch.preflight"
local store      = require "pgorch.store"
local survey     = require "pgorch.plan.survey"

local plan = {}

---The name of a run that there is none of: what its id will be is not known.
plan.NO_RUN = "RUN"

---@class pgorch.Plan
---@field seen pgorch.preflight.Seen   what the checks found
---@field survey pgorch.Survey|nil     nil: something stands in the way
---@field source {name: string, identity: string, major: integer}|nil
---@field history pgorch.plan.History|nil
---@field run string|nil                id that is kept for the run

-- A recipe need not move a database: without both ends there is nothing that the checks could look at.
local function moves(recipe) return recipe.uses.source ~= nil and recipe.uses.target ~= nil end

local function look_at_source(seen, o, made)
  local source = seen.inspection:context().source
  made.source = { name = source:name(), identity = source:identity(), major = seen.facts.major }
  local record <close> = store.find(o.state)
  made.history = history.find(record, o.recipe.name, made.source.identity)
end

local function go_through(seen, o, made)
  if seen.facts then look_at_source(seen, o, made) end
  made.survey = survey.new(seen.inspection, made.history)
end

local function checked(of, o, more)
  if moves(o.recipe) then
    return inspect.all(of, { open_allow_list = o.open_allow_list, say = o.say, more = more })
  end
  local seen = { found = preflight.new(), inspection = of }
  more(seen)
  return seen
end

---@param o {recipe: pgorch.Recipe, params: table, run?: string, state?: string, open_allow_list?: boolean,
---  say: fun(text: string)}
---@return pgorch.Plan
function plan.make(o)
  local made, problem = { run = o.run }, nil
  local of = inspection.new { recipe = o.recipe, params = o.params, run = o.run or plan.NO_RUN, state = o.state,
                              dir = inspect.folder(o.state) }
  made.seen = checked(of, o, function(seen)
    if seen.found:count "fail" > 0 then return end
    -- Kept apart from the findings: an error of a step's plan is none.
    local ok, err = xpcall(go_through, fail.handler, seen, o, made)
    if not ok then problem = err end
  end)
  if made.seen.found:count "fail" > 0 then made.survey = nil end
  if problem then error(problem, 0) end
  return made
end

---Calls fn(...); an error is told to machines as well, which read only standard output.
---@param o {host: table, display: table}
---@return any  what fn returned
function plan.telling(o, fn, ...)
  local ok, result = xpcall(fn, fail.handler, ...)
  if ok then return result end
  if o.host.json then o.display:emit("failed", { error = result }) end
  error(result, 0)
end

return plan
