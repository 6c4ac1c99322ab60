-- pgorch cancel RUN: asks the process that works on a run to stop safely, waits until it has, and says what stands.

local fail       = require "pgorch.error"
local invocation = require "pgorch.invocation"
local json       = require "pgorch.json"
local meaning    = require "pgorch.runner.meaning"
local next_words = require "pgorch.runner.next"
local recorded   = require "pgorch.report.recorded"
local requests   = require "pgorch.runner.requests"
local standing   = require "pgorch.runner.standing"
local summary    = require "pgorch.runner.summary"
local task       = require "pgorch.task"
local term       = require "pgorch.term"

local command = {
  summary = "stop a run safely, from another terminal",
  usage = "pgorch cancel RUN [--json]\n"
    .. "  as Ctrl-C there: its state is kept, `pgorch resume` goes on, `pgorch rollback` puts back"
    .. invocation.RECORD_USAGE,
  flags = invocation.with_record { { name = "json", type = "boolean" } },
}

local function show(store, run, asked, as_json)
  local seen = recorded.read(store, run)
  local state, found = seen.state, standing.of(seen)
  local past = found and found.cut_over or run.cut_over_at ~= nil
  if as_json then
    term.out(json.encode { event = "cancelled", run = run.id, state = state, asked = asked, cut_over = past,
      standing = found and json.array(found.list), going_on = found and json.array(found.going_on) } .. "\n")
    return
  end
  local out = { ("run %s  %s"):format(run.id, meaning.of_state(state)) }
  if state == "done" then
    out[2] = asked and "it was done before it could stop" or nil
  elseif found then
    for _, line in ipairs(standing.lines(found)) do out[#out + 1] = line end
  else
    out[#out + 1] = "what stands cannot be told: " .. tostring(seen.problem)
  end
  if found then out[#out + 1] = summary.kept_line(seen, run.params.values.app) end
  if run.kind == "rehearsal" then return term.out(table.concat(out, "\n") .. "\n") end
  local half_back = run.state == "undoing" and "undoing" or state
  for _, line in ipairs(next_words.lines(run.id, half_back, past)) do out[#out + 1] = line end
  term.out(table.concat(out, "\n") .. "\n")
end

local function ask(store, run)
  requests.ask(store, run, "stop")
  local what = run.state == "undoing" and "is putting it back, which is not stopped: waiting for its end"
    or "is asked to stop"
  term.err(("run %s: %s %s\n"):format(run.id, requests.worker(run), what))
  local ok, now = xpcall(requests.follow, fail.handler, store, run, function(_, silent)
    if silent then term.err(requests.unanswered(run) .. "\n") end
  end)
  if ok then return now end
  if not task.cancelled(now) then error(now, 0) end
  fail.raise("PGO-CANCELED", ("nobody waits for the answer any more; run %s stays asked to stop"):format(run.id),
    { cause = now, cure = ("`pgorch status %s` says what came of it."):format(run.id) })
end

function command.run(arguments)
  local id, host = invocation.simple(arguments, command.flags, command.usage)
  if not id then fail.raise("PGO-USAGE", "no run is named: " .. command.usage) end
  local store <close> = invocation.find_store(host)
  local run = store:run(id)
  local asked = requests.is_worked_on(run)
  if asked then
    run = ask(store, run)
  else
    term.err(("run %s: no process works on it\n"):format(run.id))
  end
  show(store, run, asked, host.json)
  return 0
end

return command
