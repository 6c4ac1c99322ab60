-- pgorch version: the version of the program.

local host = require "pgorch.native.host"
local term = require "pgorch.term"

local command = { summary = "print the version", usage = "pgorch version" }

function command.run()
  term.out(("pgorch %s\n"):format(host.version))
  return 0
end

return command
