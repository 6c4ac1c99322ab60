-- pgorch help [COMMAND]: the commands, or one of them.

local fail = require "pgorch.error"
local help = require "pgorch.help"
local term = require "pgorch.term"

local command = { summary = "explain pgorch, or a command", usage = "pgorch help [COMMAND]" }

function command.run(arguments)
  if not arguments[1] then
    term.out(help.all())
    return 0
  end
  local found = require("pgorch.command").find(arguments[1])
  if not found then fail.raise("PGO-USAGE", ("there is no command `%s`"):format(arguments[1])) end
  term.out(help.command(arguments[1], found))
  return 0
end

return command
