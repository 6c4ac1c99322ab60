-- pgorch rollback RUN: puts everything back that a run did.

local invocation = require "pgorch.invocation"
local runner     = require "pgorch.runner"

local command = {
  takes_flags = true,
  summary = "put back what a run did",
  usage = "pgorch rollback RUN [--lose-writes] [FLAGS]",
  flags = invocation.flags_for_help({}, { "accept-changes", "lose-writes", "json" }),
}

function command.run(arguments)
  local o, run = invocation.existing(arguments)
  local _ <close> = o.store
  if run.state == "put_back" then
    o.display:emit("message", { text = ("run %s is put back already"):format(run.id) })
    return 0
  end
  return runner.rollback(o, run)
end

return command
