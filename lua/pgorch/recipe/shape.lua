-- What a step and a recipe may look like. Every mistake is named with its place, all those of a recipe at once.

local fail   = require "pgorch.error"
local values = require "pgorch.recipe.values"

local shape = {}

-- Field of a step -> the types that it may have.
local STEP = {
  id = "string", title = "string", effect = "string", run = "function", undo = "function|boolean", undo_when = "string",
  check = "function", plan = "function", estimate = "function|number", only_if = "function", each = "function",
  limit = "number", point_of_no_return = "boolean", opens_window = "boolean", closes_window = "boolean",
  again_after_gate = "boolean", before_checks = "boolean", freezes = "boolean", keeps = "function",
  rehearse = "boolean",
  cleanup = "function", cleans_last = "boolean", needs = "table", reached = "function", holds_app = "function",
  by_hand = "function", goes_on = "function", undo_estimate = "function|number", stands = "function|string",
  options = "table", help = "string", way = "string",
}

local WAYS = { archive = true, direct = true, heroku = true }
local EFFECTS = { read = true, write = true, destroy = true }

local RECIPE = { name = "string", summary = "string", article = "string", params = "table", uses = "table",
                 steps = "table", examples = "table", check_params = "function",
                 path = "string", folder = "string", hash = "string" } -- the last three: set by the loader

-- What a step's ctx has of its own: a `uses` of that name would hide it.
local RESERVED = { params = true, options = true, result = true, run = true, recall = true, remember = true,
                   keep = true, progress = true, note = true,
                   warn = true, table = true, put_back = true, live = true, recipe = true,
                   hold = true, release = true, finished = true, plan = true }

-- "file:line: " of the recipe's line that is at work, not of the library's.
local function place()
  for level = 2, 50 do
    local info = debug.getinfo(level, "Sl")
    if not info then return "" end
    if info.currentline > 0 and not info.source:match("^@pgorch/") then
      return ("%s:%d: "):format(info.short_src, info.currentline)
    end
  end
  return ""
end

local function wrong(text) fail.raise("PGO-RECIPE", place() .. text) end

local function keys(of)
  local list = {}
  for name in pairs(of) do list[#list + 1] = name end
  table.sort(list)
  return list
end

local function hint(word, known) return values.hint(tostring(word), known) end

local function check_types(what, spec, types)
  for field, value in pairs(spec) do
    local wanted = types[field]
    if not wanted then wrong(("%s: unknown field `%s`%s"):format(what, tostring(field), hint(field, keys(types)))) end
    if not ("|" .. wanted .. "|"):find("|" .. type(value) .. "|", 1, true) then
      wrong(("%s: `%s` is a %s, a %s is needed"):format(what, field, type(value), wanted:gsub("|", " or ")))
    end
  end
end

local function check_undo(what, spec)
  if spec.undo == true then wrong(what .. ": `undo` is a function, or false when there is nothing to put back") end
  if spec.effect ~= "read" and spec.undo == nil then
    wrong(("%s: effect is \"%s\" and there is no `undo`: give a function, or `undo = false`"):format(what, spec.effect))
  end
  if spec.undo_when and spec.undo_when ~= "failure" and spec.undo_when ~= "always" then
    wrong(what .. ": `undo_when` is \"failure\" or \"always\"")
  end
  if spec.undo_when and not spec.undo then wrong(what .. ": `undo_when` without an `undo`") end
end

---@param spec table
function shape.check_step(spec)
  if type(spec) ~= "table" then wrong("a step is a table") end
  if type(spec.id) ~= "string" or not spec.id:match("^%a[%w_%-]*$") then
    wrong("a step needs an `id` of letters, digits and _")
  end
  local what = "step " .. spec.id
  check_types(what, spec, STEP)
  if not spec.effect then wrong(what .. ": `effect` is missing: \"read\", \"write\" or \"destroy\"") end
  if not EFFECTS[spec.effect] then
    wrong(("%s: effect \"%s\" is none of read, write, destroy"):format(what, spec.effect))
  end
  if not spec.run then wrong(what .. ": `run` is missing") end
  if spec.way and not WAYS[spec.way] then
    wrong(("%s: way \"%s\" is none of archive, direct, heroku"):format(what, spec.way))
  end
  check_undo(what, spec)
end

---All ids of a list of steps, those inside together as well, in order.
---@param steps table[]
---@return string[]
function shape.ids(steps)
  local ids = {}
  local function walk(list)
    for _, item in ipairs(list) do
      if item.id then ids[#ids + 1] = item.id end
      for _, inner in ipairs(item.lists or {}) do walk(inner) end
    end
  end
  walk(steps)
  return ids
end

---@param steps table[]
---@param id string
---@param verb string
function shape.unknown_id(steps, id, verb)
  local ids = shape.ids(steps)
  wrong(("%s: there is no step `%s`%s (there are: %s)"):format(verb, id, hint(id, ids), table.concat(ids, ", ")))
end

---@param steps table[]
---@param title string
function shape.unknown_title(steps, title)
  local titles = {}
  for _, item in ipairs(steps) do
    if item.kind == "section" then titles[#titles + 1] = item.title end
  end
  wrong(("titles: there is no heading \"%s\"%s (there are: %s)"):format(title, hint(title, titles),
    table.concat(titles, ", ")))
end

local function check_item(item, where, inside, problems)
  if type(item) ~= "table" or not item.kind then
    problems[#problems + 1] = where .. " is no step: made by recipe.step, section, together or gate"
  elseif inside and item.kind ~= "step" then
    problems[#problems + 1] = ("%s: a %s cannot stand inside together"):format(where, item.kind)
  elseif inside and item.point_of_no_return then
    problems[#problems + 1] = where .. ": the point of no return cannot stand inside together"
  elseif item.kind == "together" then
    for _, list in ipairs(type(item.lists) == "table" and item.lists or {}) do
      if type(list) ~= "table" or list.kind then
        problems[#problems + 1] = where .. ": together takes lists: together { { a, b }, { c } }"
      else
        for i, inner in ipairs(list) do check_item(inner, ("%s, step %d"):format(where, i), true, problems) end
      end
    end
  end
end

local function check_ids(steps, problems)
  local seen = {}
  for _, id in ipairs(shape.ids(steps)) do
    if seen[id] then
      problems[#problems + 1] = ("two steps have the id `%s`: rename one, %s { id = \"...\" }"):format(id, id)
    end
    seen[id] = true
  end
end

-- Said when the recipe is read, and not by a run that has come so far.
-- What stands in another list of a `together` runs at the same time.
local function check_needs(steps, problems)
  local function walk(list, before)
    for _, item in ipairs(list) do
      for _, id in ipairs(item.needs or {}) do
        if not before[id] then
          problems[#problems + 1] = ("step %s: the step %s has to come before it"):format(item.id, id)
        end
      end
      local ended = {}
      for i, inner in ipairs(item.lists or {}) do
        ended[i] = walk(inner, setmetatable({}, { __index = before }))
      end
      for _, own in ipairs(ended) do
        for id in pairs(own) do before[id] = true end
      end
      if item.id then before[item.id] = true end
    end
    return before
  end
  walk(steps, {})
end

---@param spec table
function shape.check_recipe(spec)
  if type(spec) ~= "table" then wrong("a recipe is a table") end
  check_types("recipe", spec, RECIPE)
  local problems = {}
  for _, field in ipairs { "name", "summary", "steps" } do
    if not spec[field] then problems[#problems + 1] = ("`%s` is missing"):format(field) end
  end
  for use, constructor in pairs(spec.uses or {}) do
    if type(constructor) ~= "function" then problems[#problems + 1] = ("uses.%s is no function"):format(use) end
    if RESERVED[use] then problems[#problems + 1] = ("uses.%s: ctx.%s is something else"):format(use, use) end
  end
  for i, item in ipairs(spec.steps or {}) do check_item(item, ("step %d"):format(i), false, problems) end
  if #problems == 0 then check_ids(spec.steps, problems) end
  if #problems == 0 then check_needs(spec.steps, problems) end
  if #problems > 0 then
    table.sort(problems)
    wrong(("recipe %s: %s"):format(tostring(spec.name or "?"), table.concat(problems, "; ")))
  end
end

return shape
