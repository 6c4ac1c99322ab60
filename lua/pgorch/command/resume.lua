-- pgorch resume RUN: goes on with a run that was interrupted, stopped, or put back.

local invocation = require "pgorch.invocation"
local runner     = require "pgorch.runner"

local command = {
  takes_flags = true,
  summary = "go on with a run",
  usage = "pgorch resume RUN [--accept-changes] [--PARAMETER VALUE ...] [FLAGS]",
}

function command.run(arguments)
  local o, run = invocation.existing(arguments)
  local _ <close> = o.store
  if run.state == "done" then
    o.display:emit("message", { text = ("run %s is done: there is nothing to go on with"):format(run.id) })
    return 0
  end
  return runner.resume(o, run)
end

return command
