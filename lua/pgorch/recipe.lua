-- The words that recipes are written in: recipe, section, step, together, gate, and from with its changes by id.
-- Everything here runs while a recipe loads: it builds tables, checks them, and does nothing.

local fail    = require "pgorch.error"
local params  = require "pgorch.recipe.params"
local shape   = require "pgorch.recipe.shape"

local recipe = { params = params }

---@class pgorch.Step
---@field id string
---@field title string
---@field effect "read"|"write"|"destroy"
---@field run fun(ctx: table, item?: table): any
---@field undo (fun(ctx: table, result: any, item?: table))|false
---@field undo_when "failure"|"always"
---@field check fun(ctx: table, result: any): boolean
---@field plan fun(ctx: table, item?: table): string|pgorch.PlanLine|(string|pgorch.PlanLine)[]   what it would do:
---  "+ app shop"; + makes, ~ changes, - removes, ! destroys, no sign: it is so already. A reading step that has one is
---  not run by `pgorch plan`
---@field only_if fun(ctx: table): boolean
---@field way pgorch.Way              it belongs to one way of the data (--via): left out of the runs that take another
---@field each fun(ctx: table): {key: string}[]
---@field limit integer               items of `each` at the same time
---@field estimate number|fun(ctx: table): number   seconds
---@field point_of_no_return boolean  once it is done, failures do not put back
---@field reached fun(ctx: table, did: any): boolean   of a point of no return: does the app use the new database?
---@field opens_window boolean        what it did no longer stands once a step that closes it is done
---@field holds_app fun(ctx: table, result: any): boolean   of opens_window: is the app still kept down?
---@field closes_window boolean       once it is done, a rollback after cut-over would lose writes
---@field again_after_gate boolean    asked once more after a gate that came later
---@field before_checks boolean       where a resume finds it void, it runs again at once: later checks stand on it
---@field stands string|fun(result: any): string   what is so while it is not undone: "maintenance is on"
---@field by_hand fun(ctx: table, result: any): string   what to type when undo fails
---@field undo_estimate number|fun(result: any, took: number): number   seconds that its undo takes, for --deadline; 10
---  when it is not said. `took`: what the step itself did
---@field goes_on fun(remembered: any): string|nil   what goes on far away when the step is interrupted: "restore r004"
---@field needs string[]             ids of steps that have to come before it in the recipe
---@field rehearse boolean           it writes to ctx.target and ctx.store alone: it may run in a rehearsal, where both
---  are local; false keeps one that reads out of it
---@field freezes boolean            it keeps writes out of the source: --freeze none is allowed with it
---@field keeps fun(result: any, run: string): string|nil   what stays when the run is put back: "add-on X, $9/month"
---@field cleanup fun(ctx: table, result: any, row: table|nil, confirmed: fun(what: string): boolean): pgorch.Cleaned[]
---  for `pgorch cleanup`: removes what the step left behind, and looks again. Called when the step never ran, too:
---  result and row are nil then. What is billed goes only if it is `confirmed`
---@field cleans_last boolean         its cleanup comes after all others, and its undo once more after theirs: they use
---  what it removes
---@field options table

---@class pgorch.Cleaned
---@field what string   "object pgorch/8b21/1.dump"
---@field state "gone"|"removed"|"kept"|"left"   left: it should not be there, and could not be removed
---@field why string|nil

local STEP = {}
STEP.__index = STEP

local function copy(from)
  local to = {}
  for field, value in pairs(from) do to[field] = value end
  return to
end

---A step with options: `step.backup_is_fresh { within = "26h" }`. `id` and `title` among them rename it.
function STEP.__call(step, options)
  local configured = copy(step)
  configured.options = copy(step.options)
  for name, value in pairs(options or {}) do configured.options[name] = value end
  configured.id = options and options.id or step.id
  configured.title = options and options.title or step.title
  return setmetatable(configured, STEP)
end

---@param spec table  the fields of pgorch.Step
---@return pgorch.Step
function recipe.step(spec)
  shape.check_step(spec)
  local step = copy(spec)
  step.kind, step.options = "step", copy(spec.options or {})
  step.title = step.title or (step.id:gsub("_", " "))
  step.undo_when = step.undo_when or "failure"
  return setmetatable(step, STEP)
end

---A heading of the article; what follows stands under it.
---@param title string
function recipe.section(title) return { kind = "section", title = title } end

---Lists of steps that run side by side. The first failure stops the others.
---@param lists table[]
function recipe.together(lists) return { kind = "together", lists = lists } end

---A question to a person: asked on a terminal, `pgorch approve RUN` elsewhere, passed by --yes-cut-over.
---@param o string|{id?: string, title: string}
function recipe.gate(o)
  local title = type(o) == "table" and o.title or o
  if type(title) ~= "string" or title == "" then fail.raise("PGO-RECIPE", "a gate needs its question") end
  local id = type(o) == "table" and o.id or "gate_" .. title:lower():gsub("[^%w]+", "_"):gsub("^_+", ""):gsub("_+$", "")
  return { kind = "gate", id = id, title = title, options = {} }
end

local function change(verb)
  return function(spec)
    local id = type(spec) == "table" and spec[1] or spec
    if type(id) ~= "string" then fail.raise("PGO-RECIPE", ("`%s` needs the id of a step first"):format(verb)) end
    local items = type(spec) == "table" and verb ~= "remove" and { table.unpack(spec, 2) } or {}
    if verb ~= "remove" and #items == 0 then
      fail.raise("PGO-RECIPE", ("`%s { \"%s\" }` names no step to put there"):format(verb, id))
    end
    return { kind = "change", verb = verb, id = id, items = items, all = verb == "remove" and spec }
  end
end

---`after { "id", step... }` and so on, for the `change` list of recipe.from.
recipe.after, recipe.before, recipe.replace = change "after", change "before", change "replace"

---`remove "id"`, or `remove { "id", "id" }`.
recipe.remove = change "remove"

-- The list that holds the step `id`, and its place in it.
local function locate(list, id)
  for at, item in ipairs(list) do
    if item.id == id then return list, at end
    for _, inner in ipairs(item.lists or {}) do
      local found, place = locate(inner, id)
      if found then return found, place end
    end
  end
end

local function apply(steps, one)
  local ids = type(one.all) == "table" and one.all or { one.id }
  for _, id in ipairs(ids) do
    local list, at = locate(steps, id)
    if not list then shape.unknown_id(steps, id, one.verb) end
    if one.verb == "remove" or one.verb == "replace" then table.remove(list, at) end
    if one.verb == "after" then at = at + 1 end
    for i, item in ipairs(one.items) do table.insert(list, at + i - 1, item) end
  end
end

local function copy_list(list)
  local new = {}
  for i, item in ipairs(list) do
    new[i] = item
    if item.kind == "together" then
      new[i] = { kind = "together", lists = {} }
      for j, inner in ipairs(item.lists) do new[i].lists[j] = copy_list(inner) end
    end
  end
  return new
end

---@class pgorch.Recipe
---@field name string
---@field summary string
---@field article string|nil
---@field params table<string, pgorch.Param>
---@field uses table<string, function>
---@field steps table[]
---@field examples string[]|nil
---@field check_params (fun(values: table): string[])|nil
---@field path string
---@field folder string|nil
---@field hash string
---@field files table<string, string>   digest of each file that it was loaded from

local RECIPE = {}
RECIPE.__index = RECIPE

local function make(spec)
  shape.check_recipe(spec)
  local made = copy(spec)
  made.params = {}
  for name, given in pairs(spec.params or {}) do made.params[name] = params.complete(name, given) end
  made.uses = spec.uses or {}
  return setmetatable(made, RECIPE)
end

-- What a recipe inherits of parameters: those of a constructor that it replaces mean nothing to it.
local function still_used(inherited, replaced)
  local kept = {}
  for name, spec in pairs(inherited) do
    if not (spec.use and replaced and replaced[spec.use]) then kept[name] = spec end
  end
  return kept
end

-- Headings by what they are to be called; a heading that is not there is a mistake, as an unknown id is.
local function rename(steps, titles)
  local unused = copy(titles)
  for i, item in ipairs(steps) do
    local title = item.kind == "section" and titles[item.title]
    if title then steps[i], unused[item.title] = recipe.section(title), nil end
  end
  local title = next(unused)
  if title then shape.unknown_title(steps, title) end
end

---Inherits a recipe: the one beside this file, or the built-in one of that name.
---@param name string
---@return fun(spec: table): pgorch.Recipe
function recipe.from(name)
  local base = require("pgorch.recipe.load").base(name)
  return function(spec)
    local made = copy(base)
    made.steps = copy_list(base.steps)
    for field, value in pairs(spec) do made[field] = value end
    made.params = params.merge(still_used(base.params, spec.uses), spec.params)
    made.uses = params.merge(base.uses, nil)
    for use, constructor in pairs(spec.uses or {}) do made.uses[use] = constructor end
    for _, one in ipairs(spec.change or {}) do
      if type(one) ~= "table" or one.kind ~= "change" then
        fail.raise("PGO-RECIPE", "`change` is a list of after{}, before{}, replace{} and remove\"\"")
      end
      apply(made.steps, one)
    end
    rename(made.steps, spec.titles or {})
    made.change, made.titles = nil, nil
    return make(made)
  end
end

---@return boolean
function recipe.is(value) return getmetatable(value) == RECIPE end

return setmetatable(recipe, { __call = function(_, spec) return make(spec) end })
