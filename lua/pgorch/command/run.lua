-- pgorch run RECIPE: begins a run and works on it until it ends.

local help       = require "pgorch.help"
local invocation = require "pgorch.invocation"
local runner     = require "pgorch.runner"
local term       = require "pgorch.term"

local command = {
  takes_flags = true,
  summary = "move a database as a recipe says",
  usage = "pgorch run RECIPE [--PARAMETER VALUE ...] [FLAGS]     `pgorch run RECIPE --help` explains the parameters",
}

function command.run(arguments)
  local o, recipe = invocation.new(arguments)
  if not o then
    term.out(help.recipe(recipe))
    return 0
  end
  local store <close> = invocation.open_store(o.host)
  o.store = store
  return runner.start(o)
end

return command
