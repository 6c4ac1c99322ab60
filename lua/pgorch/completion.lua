-- What can be typed next on a command line, for the completion of a shell (host/cli/pgorch.bash). Asks no service, runs
-- no step; what cannot be told is left out, and never an error.

local arguments  = require "pgorch.recipe.arguments"
local command    = require "pgorch.command"
local invocation = require "pgorch.invocation"
local loader     = require "pgorch.recipe.load"
local plans      = require "pgorch.heroku.plans"
local shape      = require "pgorch.recipe.shape"
local store      = require "pgorch.store"
local task       = require "pgorch.task"

local completion = {}

-- What the shell completes itself.
local FILES, RECIPES, VARIABLES = "@files", "@recipes", "@variables"

local RECORD_SECONDS = 2 -- for a record on a server: a completion that makes people wait is none

local function sorted(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return list
end

-- bash takes `=` for a word of its own: --plan = essential-0.
local function joined(words)
  local list = {}
  for i, word in ipairs(words) do
    if word ~= "=" then list[#list + 1] = word elseif i == #words then list[#list + 1] = "" end
  end
  return list
end

local function command_names()
  local names = {}
  for i, name in ipairs(command.names()) do names[i] = name:gsub("_", "-") end
  return names
end

-- RECIPE of "pgorch run RECIPE [--PARAMETER VALUE ...]": what the first word stands for, and whether there may be more.
local function operand(found)
  local first = (found.usage or ""):match "^pgorch%s+%S+%s+(%S+)" or ""
  return first:match "^%[?(%u+)", first:match "%.%.%.%]?$" ~= nil
end

local function recipe_of(words)
  for _, word in ipairs(words) do
    local named = word:match "%.lua$" or word:match "^%l[%w_%-]*$"
    local ok, made = pcall(loader.load, named and word or "")
    if ok then return made end
  end
end

-- Those of the recipe and those of the command: a parameter takes the place of a flag.
local function flags_of(found, recipe)
  local host = {}
  for _, each in ipairs(found.flags or {}) do
    if not recipe or not recipe.params[(each.name:gsub("-", "_"))] then host[#host + 1] = each end
  end
  return arguments.flags(recipe and recipe.params or {}, host)
end

local function flag_words(flags)
  local set = {}
  for name, flag in pairs(flags) do
    if #name > 1 and flag.kind ~= "refused" then set["--" .. name] = true end
  end
  return sorted(set)
end

-- The record, as the words before say; no run where it cannot be read.
local function run_ids(host)
  local ids = {}
  pcall(task.timeout, RECORD_SECONDS, function()
    local opened <close> = store.find(invocation.store_url(host))
    for _, run in ipairs(opened and opened:runs() or {}) do ids[#ids + 1] = run.id end
  end)
  return ids
end

-- The last of several, with the others kept in front of it.
local function of_list(candidates, typed)
  local before = typed:match "^(.*,)" or ""
  for i, each in ipairs(candidates) do candidates[i] = before .. each end
  return candidates
end

local function words_of_value(text)
  local list = {}
  for word in text:gmatch "[^|]+" do list[#list + 1] = word end
  return list
end

local BY_SHAPE = { FILE = FILES, PATH = FILES, DIR = FILES, BINDIR = FILES, VAR = VARIABLES }
local PATHS = { output = true, ca = true, ["source-ca"] = true, ["target-ca"] = true, sql = true, queries = true }

local function of_host_flag(flag, recipe, typed)
  local value = flag.host.value or ""
  if value:match "^STEP" and recipe then return of_list(shape.ids(recipe.steps), typed) end
  if value:match "^%l[%l|%-]+$" then return words_of_value(value) end
  if flag.name:match "%-env$" then return { VARIABLES } end
  return { BY_SHAPE[value] or PATHS[flag.name] and FILES }
end

local function of_parameter(flag, typed)
  local param = flag.param
  if flag.secret then return { flag.secret == "env" and VARIABLES or flag.secret == "file" and FILES or nil } end
  if param.choices then return of_list({ table.unpack(param.choices) }, param.type == "list" and typed or "") end
  if param.type == "path" or param.name:match "_ca$" then return { FILES } end
  if param.name ~= "plan" then return {} end
  local slugs = {}
  for i, plan in ipairs(plans.list) do slugs[i] = plan.slug end
  return slugs
end

local function both(list, more) return table.move(more, 1, #more, #list + 1, list) end

local function of_operand(found, state)
  local kind, many = operand(found)
  if #state.words > 1 and not many then return {} end
  if kind == "RUN" then return run_ids(state.host) end
  if kind == "RECIPE" then return both(loader.built_in(), { RECIPES }) end
  if kind == "COMMAND" then return both(command_names(), loader.built_in()) end
  if kind == "FILE" and found.lua_files then return { RECIPES } end
  return (kind == "FILE" or kind == "PATH" or kind == "MANIFEST") and { FILES } or {}
end

-- What follows the command: `words` without it, the last one is being typed.
local function after_command(found, words)
  local typed = words[#words]
  for i = 1, #words - 1 do
    if words[i] == "--" then return { FILES } end
  end
  local before = table.move(words, 1, #words - 1, 1, {})
  local recipe = operand(found) == "RECIPE" and recipe_of(before) or nil
  local flags = flags_of(found, recipe)
  local last = before[#before]
  local flag = last and flags[last:match "^%-%-?(.+)$" or ""]
  if flag and flag.kind == "value" then
    return flag.param and of_parameter(flag, typed) or of_host_flag(flag, recipe, typed)
  end
  if typed:match "^%-" then return flag_words(flags) end
  return of_operand(found, arguments.parse(words, flags))
end

---What may stand in the place of the last word. A word that begins with @ is the shell's business: files, recipes
---(files in Lua), or variables of the environment.
---@param words string[]   what follows the program's name
---@return string[]
function completion.of(words)
  words = joined(words)
  local typed, fitting = words[#words] or "", {}
  local found = #words > 1 and command.find(words[1])
  local list = found and after_command(found, table.move(words, 2, #words, 1, {}))
    or #words <= 1 and command_names() or {}
  for _, each in ipairs(list) do
    if each:sub(1, 1) == "@" or each:sub(1, #typed) == typed then fitting[#fitting + 1] = each end
  end
  return fitting
end

return completion
