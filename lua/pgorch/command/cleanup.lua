-- pgorch cleanup RUN: removes what a run has left behind, and proves that it is gone.

local invocation = require "pgorch.invocation"
local json       = require "pgorch.json"
local runner     = require "pgorch.runner"
local term       = require "pgorch.term"

local command = {
  takes_flags = true,
  summary = "remove what a run left behind, and prove it",
  usage = "pgorch cleanup RUN [--confirm APP] [--json] [FLAGS]",
  flags = invocation.flags_for_help({
    { name = "confirm", value = "APP", help = "the app's name: what is billed (add-on, app) goes too, without asking" },
  }, { "no-input", "accept-changes", "json" }),
}

-- What is billed goes when its app's name is typed, here or on the terminal; asked once.
local function asker(o)
  local app, given, asked = o.params.app, o.given.confirm, nil
  return function(what)
    if given or o.host["no-input"] or o.host.json or not (term.is_tty(0) and term.is_tty(2)) then
      return given ~= nil and given == app
    end
    if asked == nil then
      local answer = term.ask(("%s goes for good. Type the app's name, %s, to remove it: "):format(what, app))
      asked = answer ~= nil and answer:match "^%s*(.-)%s*$" == app
    end
    return asked
  end
end

local function show(o, counts)
  return function(entry)
    counts[entry.state] = (counts[entry.state] or 0) + 1
    if o.host.json then
      term.out(json.encode { event = "cleanup", what = entry.what, state = entry.state, why = entry.why } .. "\n")
    else
      local state = entry.state == "left" and "STILL THERE" or entry.state
      term.out(("  - %s: %s%s\n"):format(entry.what, state, entry.why and "  (" .. entry.why .. ")" or ""))
    end
  end
end

function command.run(arguments)
  local o, run = invocation.existing(arguments, command.flags)
  local _ <close> = o.store
  local counts = {}
  local left = runner.cleanup(o, run, asker(o), show(o, counts))
  local status = left == 0 and 0 or 11
  if o.host.json then
    term.out(json.encode { event = "ended", run = run.id, status = status, left = left } .. "\n")
  else
    term.out(left == 0 and ("run %s: nothing is left%s\n"):format(run.id, counts.kept and " but what is kept" or "")
      or ("run %s: %d could not be removed; `pgorch cleanup %s` tries again\n"):format(run.id, left, run.id))
  end
  return status
end

return command
