-- pgorch help [COMMAND | RECIPE]: the commands, one of them, or a recipe with its parameters.

local fail = require "pgorch.error"
local help = require "pgorch.help"
local loader = require "pgorch.recipe.load"
local term = require "pgorch.term"

local command = { summary = "explain pgorch, or a command", usage = "pgorch help [COMMAND | RECIPE]" }

local function is_recipe(name)
  for _, each in ipairs(loader.built_in()) do
    if each == name then return true end
  end
  return name:find "%.lua$" ~= nil
end

function command.run(arguments)
  if not arguments[1] then
    term.out(help.all())
    return 0
  end
  local found = require("pgorch.command").find(arguments[1])
  local recipe = not found and is_recipe(arguments[1])
  if recipe then
    term.out(help.recipe(loader.load(arguments[1])))
    return 0
  end
  if not found then fail.raise("PGO-USAGE", ("there is no command `%s`"):format(arguments[1])) end
  term.out(help.command(arguments[1], found))
  return 0
end

return command
