-- Which rows a worker runs. Whoever can write to the store must not get a shell on every worker: a worker runs only the
-- recipes in its folder, by what is in them, takes no commands, and no secrets out of files but those in a folder that
-- is named for it. A batch that is run where it was written has none of these rules.

local fail   = require "pgorch.error"
local fs     = require "pgorch.fs"
local loader = require "pgorch.recipe.load"

local Admission = {}
Admission.__index = Admission

-- Of `run`, and of every recipe.
local SHELL = { accept = true, ["on-freeze"] = true, ["on-thaw"] = true }
local FILES = { ["notify-file"] = true, ["state-file"] = true }

local function load_hash(path)
  local ok, recipe = pcall(loader.load, path)
  return ok and recipe.hash or nil
end

local function scan(folder, by_hash)
  for _, name in ipairs(fs.list(folder)) do
    local path = folder .. "/" .. name
    local kind = fs.stat(path).type
    if kind == "directory" then scan(path, by_hash)
    elseif name:match "%.lua$" then
      local hash = load_hash(path)
      if hash then by_hash[hash] = path end
    end
  end
end

---@param o {recipes?: string, secrets?: string, allow_commands?: boolean}   recipes: nil, whatever the rows name
---@return table
function Admission.new(o)
  local self = setmetatable({ o = o, by_hash = {}, free = o.recipes == nil, verdicts = {} }, Admission)
  if o.recipes and not fs.exists(o.recipes) then
    fail.raise("PGO-USAGE", ("--recipes: there is no folder %s"):format(o.recipes))
  end
  for _, name in ipairs(self.free and {} or loader.built_in()) do
    local hash = load_hash(name)
    if hash then self.by_hash[hash] = name end
  end
  if o.recipes then scan(o.recipes, self.by_hash) end
  return self
end

---Where the recipe of a row is on this machine; nil: it is not here.
---@param row pgorch.BatchRow
---@return string|nil
function Admission:recipe_of(row)
  if not self.free then return self.by_hash[row.recipe_hash] end
  return row.recipe_path
end

local function refuse_word(self, word)
  local name, value = word:match "^%-%-([^=]+)=?(.*)$"
  if not name then return ("its word %q is no --NAME=VALUE"):format(word) end
  if self.o.allow_commands then return nil end
  if SHELL[name] or name:match "%-command$" then return ("--%s is a command: --allow-commands"):format(name) end
  if not FILES[name] and not name:match "%-file$" then return nil end
  local folder = self.o.secrets and self.o.secrets:gsub("/+$", "") .. "/"
  local inside = folder and value:sub(1, #folder) == folder and not (value .. "/"):find("/../", 1, true)
  return not inside and ("--%s: the file is not below --secrets"):format(name) or nil
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
    local why = refuse_word(self, word)
    if why then return why end
  end
end

return Admission
