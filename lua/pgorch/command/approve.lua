-- pgorch approve RUN: says yes to the gate at which a run waits.

local approval   = require "pgorch.runner.approval"
local fail       = require "pgorch.error"
local invocation = require "pgorch.invocation"
local term       = require "pgorch.term"

local command = { summary = "approve the gate at which a run waits",
                  usage = "pgorch approve RUN" .. invocation.RECORD_USAGE, flags = invocation.with_record {} }

function command.run(arguments)
  local id, host = invocation.simple(arguments, command.flags, command.usage)
  if not id then fail.raise("PGO-USAGE", "no run is named: " .. command.usage) end
  local store <close> = invocation.find_store(host)
  local run = store:run(id)
  approval.give(store, run)
  term.out(("run %s goes on\n"):format(run.id))
  return 0
end

return command
