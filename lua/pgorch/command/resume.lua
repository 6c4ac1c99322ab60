-- pgorch resume RUN: goes on with a run that was interrupted, stopped, or put back.

local invocation = require "pgorch.invocation"
local notify     = require "pgorch.runner.notify"
local runner     = require "pgorch.runner"

local command = {
  takes_flags = true,
  summary = "go on with a run",
  usage = "pgorch resume RUN [--accept-changes] [--PARAMETER VALUE ...] [FLAGS]\n"
    .. "  a parameter that is not given is as it was; `pgorch run vultr --help` explains those of a recipe",
  flags = invocation.flags_for_help({}, { "recipe", "only", "until", "deadline", "yes-cut-over", "no-input",
    "on-failure", "accept-changes", "lose-writes", "notify-env", "notify-file", "json" }),
}

function command.run(arguments)
  local o, run = invocation.existing(arguments, command.flags)
  local _ <close> = o.store
  return notify.around(o, run, function() return runner.go_on(o, run) end)
end

return command
