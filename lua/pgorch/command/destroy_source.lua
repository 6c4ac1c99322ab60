-- pgorch destroy-source RUN: destroys the database that a run has moved away from, once its name was typed.

local destroy    = require "pgorch.runner.destroy"
local fail       = require "pgorch.error"
local invocation = require "pgorch.invocation"
local runner     = require "pgorch.runner"
local term       = require "pgorch.term"

local command = {
  takes_flags = true,
  summary = "destroy the source of a run that has moved",
  usage = "pgorch destroy-source RUN [--confirm LABEL] [--force] [--unset-old] [FLAGS]",
  flags = invocation.flags_for_help({
    { name = "confirm", value = "LABEL", help = "the source's name: it is destroyed without asking" },
    { name = "force", help = "although clients connect to it, or it cannot be told whether it was written to" },
    { name = "unset-old", help = "remove the app's config vars that hold its address" },
  }, { "no-input", "accept-changes" }),
}

-- `--force` and `--unset-old` are this command's own.
local function take(arguments, flag)
  for i, word in ipairs(arguments) do
    if word == flag then
      table.remove(arguments, i)
      return true
    end
  end
  return false
end

local function confirmed(o, label)
  local answer = o.given.confirm
  if not answer and not o.host["no-input"] and term.is_tty(0) and term.is_tty(2) then
    answer = term.ask(("Type its name, %s, to destroy it for good: "):format(label))
    answer = answer and answer:match "^%s*(.-)%s*$"
  end
  if answer == label then return end
  fail.raise("PGO-SOURCE-KEPT", ("the name of the source was not typed: %s"):format(label),
    { cure = ("Type it when asked, or pass --confirm %s."):format(label) })
end

function command.run(arguments)
  local force, unset = take(arguments, "--force"), take(arguments, "--unset-old")
  local o, run = invocation.existing(arguments, command.flags)
  local _ <close> = o.store
  runner.at_rest(o, run, function(session)
    local facts = runner.with_source(session, function() return destroy.inspect(session, { force = force }) end)
    term.out(facts.text)
    confirmed(o, facts.label)
    term.out(destroy.perform(session, facts, { unset_old = unset }))
  end)
  return 0
end

return command
