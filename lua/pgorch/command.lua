-- The commands of the command line, one file each in pgorch/command/: {summary, usage, run = fn(argv) -> exit status}.

local fail     = require "pgorch.error"
local resource = require "pgorch.resource"
local values   = require "pgorch.recipe.values"

local command = {}

---The names of all commands, sorted.
---@return string[]
function command.names()
  local names = {}
  for _, path in ipairs(resource.list("pgorch/command/")) do
    names[#names + 1] = path:match("^pgorch/command/([%w_]+)%.lua$")
  end
  return names
end

---@param name string  as typed: destroy-source is pgorch/command/destroy_source.lua
---@return table|nil
function command.find(name)
  local file = name:gsub("-", "_")
  if not name:match("^%l[%l%d%-]*$") or not resource.find(("pgorch/command/%s.lua"):format(file)) then return nil end
  return require("pgorch.command." .. file)
end

local ALIASES = { ["--help"] = "help", ["-h"] = "help", ["--version"] = "version", ["-V"] = "version" }

-- Commands whose help is a recipe's, if one is named.
local OF_A_RECIPE = { run = true, check = true, plan = true, rehearse = true }

local function wants_help(name, arguments)
  if name == "help" then return false end
  if OF_A_RECIPE[name] and #arguments > 1 then return false end
  for _, word in ipairs(arguments) do
    if word == "--" then return false end
    if word == "--help" or word == "-h" then return true end
  end
  return false
end

---@param arguments string[]  without the program's name
---@return integer status
function command.main(arguments)
  local name = table.remove(arguments, 1) or "help"
  name = ALIASES[name] or name
  local found = command.find(name)
  if not found then
    local hint = values.hint(name, command.names()):gsub("_", "-")
    fail.raise("PGO-USAGE", ("there is no command `%s`%s"):format(name, hint))
  end
  if wants_help(name, arguments) then return require("pgorch.command.help").run { name } end
  return found.run(arguments)
end

return command
