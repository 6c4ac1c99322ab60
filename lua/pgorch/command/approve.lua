-- pgorch approve RUN: says yes to the gate at which a run waits.

local fail       = require "pgorch.error"
local invocation = require "pgorch.invocation"
local meaning    = require "pgorch.runner.meaning"
local owner      = require "pgorch.runner.owner"
local term       = require "pgorch.term"

local command = { summary = "approve the gate at which a run waits",
                  usage = "pgorch approve RUN" .. invocation.RECORD_USAGE, flags = invocation.with_record {} }

function command.run(arguments)
  local id, host = invocation.simple(arguments, command.flags, command.usage)
  if not id then fail.raise("PGO-USAGE", "no run is named: " .. command.usage) end
  local store <close> = invocation.find_store(host)
  local run = store:run(id)
  if run.state ~= "waiting" or not run.gate then
    fail.raise("PGO-USAGE", ("run %s does not wait for approval: it is %s"):format(run.id, meaning.of_state(run.state)),
      { cure = ("`pgorch status %s` shows it."):format(run.id) })
  end
  if not owner.is_at_work(run) then
    fail.raise("PGO-USAGE", ("run %s was interrupted at its gate: no process is there that would go on"):format(run.id),
      { cure = ("`pgorch resume %s` goes on, and asks at the gate again."):format(run.id) })
  end
  store:update_run(run.id, { approved = run.gate })
  store:event(run.id, "approved", { gate = run.gate })
  term.out(("run %s goes on\n"):format(run.id))
  return 0
end

return command
