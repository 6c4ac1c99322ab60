-- Which rows a worker runs. Whoever can write to the store must not get a shell on every worker: a worker runs only the
-- recipes in its folder, by what is in them, takes no commands, and no secrets out of files but those in a folder that
-- is named for it. A batch that is run where it was written has none of these rules.

local fail   = require "pgorch.error"
local fs     = require "pgorch.fs"
local loader = require "pgorch.recipe.load"
local params = require "pgorch.recipe.params"
local words  = require "pgorch.batch.words"

local Admission = {}
Admission.__index = Admission

-- What is no recipe, or a part of one, is passed over.
local function add(by_hash, path)
  local ok, recipe = pcall(loader.load, path)
  if not ok then return end
  local shell, known = {}, {}
  for name, param in pairs(recipe.params) do
    local flag = params.flag(name):sub(3)
    shell[flag], known[flag] = param.shell, true
    for _, form in ipairs(param.secret and { "%s-env", "%s-file", "%s-command" } or { "no-%s" }) do
      known[form:format(flag)] = true
    end
  end
  by_hash[recipe.hash] = { path = path, shell = shell, known = known }
end

local function scan(folder, by_hash)
  for _, name in ipairs(fs.list(folder)) do
    local path = folder .. "/" .. name
    if fs.stat(path).type == "directory" then scan(path, by_hash)
    elseif name:match "%.lua$" then add(by_hash, path) end
  end
end

---@param o {recipes?: string, secrets?: string, allow_commands?: boolean}   recipes: nil, whatever the rows name
---@return table
function Admission.new(o)
  local self = setmetatable({ o = o, by_hash = {}, free = o.recipes == nil, verdicts = {} }, Admission)
  if o.recipes and not fs.exists(o.recipes) then
    fail.raise("PGO-USAGE", ("--recipes: there is no folder %s"):format(o.recipes))
  end
  for _, name in ipairs(self.free and {} or loader.built_in()) do add(self.by_hash, name) end
  if o.recipes then scan(o.recipes, self.by_hash) end
  return self
end

---Where the recipe of a row is on this machine; nil: it is not here.
---@param row pgorch.BatchRow
---@return string|nil
function Admission:recipe_of(row)
  if self.free then return row.recipe_path end
  local here = self.by_hash[row.recipe_hash]
  return here and here.path
end

local function is_given(self, value)
  local folder = self.o.secrets and self.o.secrets:gsub("/+$", "") .. "/"
  return folder and value:sub(1, #folder) == folder and not (value .. "/"):find("/../", 1, true)
end

local function refuse_word(self, word, here)
  local name, value = word:match "^%-%-([^=]+)=?(.*)$"
  if not name then return ("its word %q is no --NAME=VALUE"):format(word) end
  local free = self.o.allow_commands
  if not free and (here.shell[name] or name:match "%-command$") then
    return ("--%s is a command: --allow-commands"):format(name)
  end
  if not free and name:match "%-file$" and not is_given(self, value) then
    return ("--%s: the file is not below --secrets"):format(name)
  end
  if not here.known[name] and not words.is_of_run(name) then return ("--%s is not a row's to say"):format(name) end
end

---Whether this worker runs a row, before it is claimed.
---@param row pgorch.BatchRow
---@return boolean
---@return string|nil reason
function Admission:takes(row)
  if self.free or self.by_hash[row.recipe_hash] then return true end
  return false, ("no recipe here is the %s that was submitted"):format(row.recipe)
end

---Whether its words may be run; what is wrong with them does not change.
---@param row pgorch.BatchRow  with its argv
---@return string|nil reason
function Admission:refuses(row)
  if self.free then return nil end
  for _, word in ipairs(row.argv) do
    local why = refuse_word(self, word, self.by_hash[row.recipe_hash])
    if why then return why end
  end
end

return Admission
