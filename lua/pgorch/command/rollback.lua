-- pgorch rollback RUN: puts everything back that a run did. A process that works on it is asked to do so.

local invocation = require "pgorch.invocation"
local notify     = require "pgorch.runner.notify"
local runner     = require "pgorch.runner"

local command = {
  takes_flags = true,
  summary = "put back what a run did",
  usage = "pgorch rollback RUN [--lose-writes] [FLAGS]\n"
    .. "  also from another terminal while the run works: it is asked to stop and to put back",
  flags = invocation.flags_for_help({}, { "recipe", "accept-changes", "lose-writes", "notify-env",
    "notify-file", "json" }),
}

function command.run(arguments)
  local o, run = invocation.existing(arguments, command.flags)
  local _ <close> = o.store
  if run.state == "put_back" then
    o.display:emit("message", { text = ("run %s is put back already"):format(run.id) })
    return 0
  end
  return notify.around(o, run, function() return runner.rollback(o, run) end)
end

return command
