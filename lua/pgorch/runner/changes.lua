-- What differs between a run as it was begun and what would go on with it now: the recipe's files and steps, the
-- parameters, the minor version of pgorch. Refuses while it is not accepted. Asks no server, writes nothing.

local fail   = require "pgorch.error"
local host   = require "pgorch.native.host"
local params = require "pgorch.recipe.params"
local shape  = require "pgorch.recipe.shape"
local store  = require "pgorch.store"
local way    = require "pgorch.way"

local changes = {}

---What a run records of the program and the recipe that work on it.
---@param recipe pgorch.Recipe
---@return table
function changes.versions(recipe)
  return { pgorch = host.version, store = store.VERSION,
           recipe = { files = recipe.files, steps = shape.ids(recipe.steps) } }
end

local function sorted_keys(...)
  local seen, list = {}, {}
  for _, from in ipairs { ... } do
    for name in pairs(from) do
      if not seen[name] then seen[name], list[#list + 1] = true, name end
    end
  end
  table.sort(list)
  return list
end

---A parameter's value, for a person.
---@param value any
---@return string
local function show(value)
  if value == nil then return "not set" end
  return type(value) == "table" and table.concat(value, ",") or tostring(value)
end
changes.show = show

-- The longest list that stands in both, in this order: what is in both and not here was moved.
local function common_order(a, b)
  local length = {}
  for i = #a + 1, 1, -1 do
    length[i] = {}
    for j = #b + 1, 1, -1 do
      if i > #a or j > #b then length[i][j] = 0
      elseif a[i] == b[j] then length[i][j] = length[i + 1][j + 1] + 1
      else length[i][j] = math.max(length[i + 1][j], length[i][j + 1]) end
    end
  end
  local kept, i, j = {}, 1, 1
  while i <= #a and j <= #b do
    if a[i] == b[j] then
      kept[a[i]] = true
      i, j = i + 1, j + 1
    elseif length[i + 1][j] >= length[i][j + 1] then i = i + 1 else j = j + 1 end
  end
  return kept
end

local function as_set(list)
  local set = {}
  for _, each in ipairs(list) do set[each] = true end
  return set
end

local function compare_steps(before, now, lines)
  local had, has, kept = as_set(before), as_set(now), common_order(before, now)
  local lists = { { "steps added", now, function(id) return not had[id] end },
                  { "steps removed", before, function(id) return not has[id] end },
                  { "steps moved", now, function(id) return had[id] and not kept[id] end } }
  for _, each in ipairs(lists) do
    local ids = {}
    for _, id in ipairs(each[2]) do
      if each[3](id) then ids[#ids + 1] = id end
    end
    if #ids > 0 then lines[#lines + 1] = ("  %s: %s"):format(each[1], table.concat(ids, ", ")) end
  end
end

local function compare_recipe(run, recipe, lines)
  if recipe.name ~= run.recipe then lines[#lines + 1] = ("recipe: %s, was %s"):format(recipe.name, run.recipe) end
  if recipe.hash == run.recipe_hash then return end
  lines[#lines + 1] = ("recipe %s: its text changed (%s, was %s)"):format(recipe.path, recipe.hash:sub(1, 12),
    run.recipe_hash:sub(1, 12))
  local before = run.versions.recipe
  if not before then return end                      -- recorded by a version that did not keep this
  for _, name in ipairs(sorted_keys(before.files, recipe.files)) do
    local old, new = before.files[name], recipe.files[name]
    local how = not old and "is new" or not new and "is not loaded any more" or old ~= new and "changed"
    if how then lines[#lines + 1] = ("  file %s %s"):format(name, how) end
  end
  compare_steps(before.steps, shape.ids(recipe.steps), lines)
end

local function minor(version) return version:match "^%d+%.%d+" or version end

local function compare_versions(run, lines)
  local before = run.versions.pgorch
  if before and minor(before) ~= minor(host.version) then
    lines[#lines + 1] = ("pgorch: version %s, was %s"):format(host.version, before)
  end
end

---@param run pgorch.Run
---@param o pgorch.RunnerOptions   with `exact`, a parameter that is not given is one that is not set
---@return string[] lines
function changes.list(run, o)
  local lines, before = {}, run.params.values
  compare_recipe(run, o.recipe, lines)
  compare_versions(run, lines)
  local now = o.exact and o.values or o.given
  for _, name in ipairs(o.exact and sorted_keys(before, now) or sorted_keys(now)) do
    local was, is = show(before[name]), show(now[name])
    if was ~= is then lines[#lines + 1] = ("%s: %s, was %s"):format(params.flag(name), is, was) end
  end
  return lines
end

---Raises PGO-CHANGED with the differences, unless they were accepted.
---@param run pgorch.Run
---@param o pgorch.RunnerOptions
---@return string[] accepted
function changes.refuse(run, o)
  local lines = changes.list(run, o)
  if #lines == 0 or o.host["accept-changes"] then return lines end
  fail.raise("PGO-CHANGED", ("run %s was begun with something else"):format(run.id), {
    detail = table.concat(lines, "\n"),
    cure = ("Go back to what it was, or accept what is new: add --accept-changes. `pgorch status %s` shows the run.")
      :format(run.id) })
end

---Raises PGO-CHANGED where the run's data has begun to move by another way than --via says now: it would mix with what
---the first one has brought. Accepting does not help.
---@param run pgorch.Run
---@param o pgorch.RunnerOptions
function changes.refuse_other_way(run, o)
  local before, now = run.params.values.via or "archive", o.values.via or "archive"
  if before == now then return end
  local taken = way.begun(o.store:steps(run.id))
  if not taken or taken == now then return end
  fail.raise("PGO-CHANGED", ("the data of run %s has begun to move with --via %s, and --via is %s now"):format(run.id,
    before, now), { cure = ("Resume without --via, or put the run back first: `pgorch rollback %s`."):format(run.id) })
end

return changes
