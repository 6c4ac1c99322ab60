-- What the record knows of one run, read once: the run, its steps, its events, its locks, and the recipe where that can
-- still be read. Stands in for a session where something is only told of a run. Writes nothing.

local loader  = require "pgorch.recipe.load"
local rehearsed = require "pgorch.rehearsal.recipe"
local owner   = require "pgorch.runner.owner"
local shape   = require "pgorch.recipe.shape"
local store_module = require "pgorch.store"

local recorded = {}

---@class pgorch.Recorded
---@field run pgorch.Run
---@field state string          as recorded, or "interrupted": it says that it runs, and its process is gone
---@field list table[]          rows of the table `step`, in the order of their first start
---@field rows table<string, table>
---@field events table[]
---@field locks table[]
---@field recipe table|nil      nil: its file is gone, or cannot be read any more
---@field problem any           then: why not
---@field steps table<string, table>  of the recipe, by id
---@field now integer           microseconds
local Recorded = {}
Recorded.__index = Recorded

local WORKING = { running = true, waiting = true, undoing = true }

---The state of a run; "interrupted" where it says that it is at work and nobody is.
---@param run pgorch.Run
---@return string
function recorded.state(run)
  if not WORKING[run.state] then return run.state end
  return owner.is_at_work(run) and run.state or "interrupted"
end

---@param state string
---@return boolean
function recorded.is_working(state) return WORKING[state] or false end

---Steps of a recipe by id, and the heading that each stands under.
local function index(recipe)
  local by_id, headings, heading = {}, {}, nil
  local function walk(list)
    for _, item in ipairs(list) do
      if item.kind == "section" then heading = item.title end
      if item.id then by_id[item.id], headings[item.id] = item, heading end
      for _, inner in ipairs(item.lists or {}) do walk(inner) end
    end
  end
  walk(recipe and recipe.steps or {})
  return by_id, headings
end

---From rows that were read already; a recipe need not be there.
---@param o {run: table, list: table[], events: table[], locks?: table[], recipe?: table, state?: string, now?: integer}
---@return pgorch.Recorded
function recorded.of(o)
  if o.recipe and o.run.kind == "rehearsal" then o.recipe = rehearsed.recorded(o.recipe) end
  local self = setmetatable({ run = o.run, list = o.list, events = o.events, locks = o.locks or {}, recipe = o.recipe,
    problem = o.problem,
    state = o.state or recorded.state(o.run), now = o.now or store_module.now(), rows = {}, results = {} }, Recorded)
  self.steps, self.headings = index(o.recipe)
  self.ids = o.recipe and shape.ids(o.recipe.steps) or {}
  for _, row in ipairs(o.list) do
    self.rows[row.id] = row
    if row.state == "done" then self.results[row.id] = row.result end
  end
  return self
end

---@param store pgorch.Store
---@param run pgorch.Run
---@return pgorch.Recorded
function recorded.read(store, run)
  local ok, recipe = pcall(loader.load, run.recipe_path)
  return recorded.of { run = run, list = store:steps(run.id), events = store:events(run.id),
    locks = store:locks(run.id), recipe = ok and recipe or nil,
    problem = not ok and recipe or nil }
end

-- As of a session: what undo.standing and what summary.kept ask. `list` is in the order of the first start.
function Recorded:step_of(id) return self.steps[id:match "^([^%[]+)%[" or id] end

function Recorded:backwards()
  local list = { table.unpack(self.list) }
  table.sort(list, function(a, b)
    if a.position ~= b.position then return a.position > b.position end
    return a.id > b.id
  end)
  return list
end

function Recorded:forwards() return self.list end

function Recorded:cut_over() return self.run.cut_over_at ~= nil end

---What a step found in this run, whether or not it still counts; {} when it has found nothing.
---@param id string
---@return table
function Recorded:found(id)
  local row = self.rows[id]
  return row and type(row.result) == "table" and row.result or {}
end

---What a step had to tell: its notes, warnings and tables.
---@param id string
---@return table
function Recorded:told(id)
  return self.rows[id] and self.rows[id].summary or {}
end

return recorded
