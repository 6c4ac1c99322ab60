-- Finds mistakes in recipes, and in the modules beside them, without running a step. A recipe is loaded as `pgorch run`
-- would; everything else is told from the text. One rule, one file in lint/rule/: it looks at a pgorch.lint.File and
-- reports to it.

local fail   = require "pgorch.error"
local file   = require "pgorch.lint.file"
local fs     = require "pgorch.fs"
local source = require "pgorch.lint.source"

local lint = {}

-- In the order of the documentation.
lint.RULES = { "steps", "parameters", "results", "uses", "functions", "globals", "loops", "waits", "secrets",
               "examples" }

local LARGEST = 1 << 20 -- of one file, as for a recipe that is loaded

local function open(path)
  if not fs.exists(path) then fail.raise("PGO-USAGE", ("%s: there is no such file"):format(path)) end
  if fs.stat(path).type == "directory" then fail.raise("PGO-USAGE", ("%s is a folder, not a file"):format(path)) end
  local parsed, problem = source.parse(fs.read(path, LARGEST), path)
  if parsed then return file.new(parsed) end
  return nil, { file = path, line = problem.line, column = problem.column, rule = "syntax", message = problem.message }
end

-- What stops a recipe from loading is often what a rule has found, at the place where it stands.
local function add_refusal(it)
  local refused = it.refused
  if not refused then return end
  for _, finding in ipairs(it.findings) do
    if finding.line == refused.line then return end
  end
  it:report(refused, "recipe", refused.message)
end

local function look(it)
  for _, name in ipairs(lint.RULES) do require("pgorch.lint.rule." .. name)(it) end
  add_refusal(it)
  return it.findings
end

-- The files beside a recipe that it loaded, without those that are recipes themselves: their parameters are others.
local function modules_of(recipe)
  local list = {}
  for name in pairs(recipe.files) do
    local path = name:match "^/" and name or ("%s/%s"):format(recipe.folder, name)
    if path ~= recipe.path and fs.exists(path) then
      local it = open(path)
      if it and not it:is_recipe() then
        it.recipe = recipe
        list[#list + 1] = it
      end
    end
  end
  return list
end

local function in_order(a, b)
  for _, field in ipairs { "file", "line", "column", "rule" } do
    if a[field] ~= b[field] then return a[field] < b[field] end
  end
  return a.message < b.message
end

---Everything that is wrong with a file: a recipe, together with the modules beside it that it requires, or a module.
---@param path string
---@return pgorch.lint.Finding[]   by file and place
function lint.file(path)
  local it, problem = open(path)
  if not it then return { problem } end
  local modules = {}
  if it:is_recipe() then
    it:load()
    modules = it.recipe and modules_of(it.recipe) or {}
  end
  it.modules = modules
  local found = look(it)
  for _, module in ipairs(modules) do table.move(look(module), 1, #module.findings, #found + 1, found) end
  table.sort(found, in_order)
  return found
end

return lint
