-- From a row of a manifest to the words of its command line: of the recipe's own parameters, and the few flags of a run
-- that are a row's to say. A worker holds what is on record to the same (batch/admission.lua).

local fail   = require "pgorch.error"
local params = require "pgorch.recipe.params"

local words = {}

-- Flags of a row, and what has a use for them.
local FLAGS = { ["open-allow-list"] = "check", deadline = "run", ["on-failure"] = "run", ["yes-cut-over"] = "run",
                ["notify-env"] = "run", ["notify-file"] = "run" }

local function flag(name, value)
  if value == true then return "--" .. name end
  if value == false then return "--no-" .. name end
  if type(value) == "table" then value = table.concat(value, ",") end
  return ("--%s=%s"):format(name, math.type(value) == "float" and ("%.17g"):format(value) or tostring(value))
end

local function sorted(from)
  local names = {}
  for name in pairs(from or {}) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function lacks(recipe, name)
  fail.raise("PGO-BATCH", ("recipe %s has no parameter %s"):format(recipe.name, name))
end

---The words after `pgorch VERB`, from the recipe on.
---@param recipe pgorch.Recipe
---@param row {params: table, recipe_path: string}
---@param o? {verb?: "run"|"check", path?: string}   path: where the recipe is on this machine
---@return string[]
function words.of(recipe, row, o)
  local verb, given = o and o.verb or "run", row.params
  local list = { o and o.path or row.recipe_path }
  for _, name in ipairs(sorted(given.values)) do
    local spec = recipe.params[name]
    if not spec or spec.secret then lacks(recipe, name) end
    list[#list + 1] = flag(params.flag(name):sub(3), given.values[name])
  end
  for _, name in ipairs(sorted(given.secrets)) do
    local form, where = next(given.secrets[name])
    local spec = recipe.params[name]
    if not spec or not spec.secret or form ~= "env" and form ~= "file" then lacks(recipe, name) end
    list[#list + 1] = flag(params.flag(name):sub(3) .. "-" .. form, where)
  end
  for _, name in ipairs(sorted(given.flags)) do
    if FLAGS[name] == verb then list[#list + 1] = flag(name, given.flags[name]) end
  end
  return list
end

---Whether a row may have that flag of `pgorch run`.
---@param name string
---@return boolean
function words.is_of_run(name) return FLAGS[name] == "run" end

return words
