-- The commands of the command line, one file each in pgorch/command/.

local resource = require "pgorch.resource"
local fail = require "pgorch.error"

local command = {}

function command.main(arguments)
  local name = table.remove(arguments, 1) or "help"
  if not resource.find(("pgorch/command/%s.lua"):format(name)) then
    fail.raise("PGO-USAGE", ("there is no command `%s`"):format(name))
  end
  return require("pgorch.command." .. name).run(arguments)
end

return command
