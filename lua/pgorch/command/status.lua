-- pgorch status [RUN]: the runs of the record, or the steps of one.

local clock      = require "pgorch.clock"
local invocation = require "pgorch.invocation"
local json       = require "pgorch.json"
local lines      = require "pgorch.runner.lines"
local meaning    = require "pgorch.runner.meaning"
local next_words = require "pgorch.runner.next"
local session    = require "pgorch.runner.session"
local standing   = require "pgorch.runner.standing"
local summary    = require "pgorch.runner.summary"
local term       = require "pgorch.term"
local values     = require "pgorch.recipe.values"

local command = { summary = "list the runs, or show one", usage = "pgorch status [RUN] [--json]" }

local WORKING = { running = true, waiting = true, undoing = true }

-- A run that says it runs, and whose process is gone, was interrupted.
local function state_of(run)
  if WORKING[run.state] and not session.is_at_work(run) then return "interrupted" end
  return run.state
end

local function age(microseconds) return values.show_duration(math.max(0, clock.time() - microseconds / 1e6)) end

local function fields(run)
  local state = state_of(run)
  return { id = run.id, recipe = run.recipe, state = state, attempt = run.attempt, app = run.params.values.app,
           exit_status = run.exit_status, gate = state == "waiting" and run.gate or nil, error = run.error,
           created_at = run.created_at, updated_at = run.updated_at, params = run.params.values }
end

local function list(runs)
  if #runs == 0 then return "no runs\n" end
  local rows = {}
  for i, run in ipairs(runs) do
    local state = state_of(run)
    rows[i] = { run.id, meaning.of_state(state), run.recipe, run.params.values.app or "", age(run.updated_at) .. " ago",
                run.error and run.error.id or "" }
  end
  return summary.table { title = "Runs", columns = { "id", "state", "recipe", "app", "last change", "error" },
                         rows = rows } .. "\n"
end

-- Only a process that works can be in the middle of a step.
local function state_of_step(row, working)
  return row.state == "running" and not working and "interrupted" or row.state:gsub("_", " ")
end

local function step_text(row, working)
  local seconds = row.ended_at and (row.ended_at - row.started_at) / 1e6 or 0
  local text = row.state == "done" and lines.figures(row, seconds) or state_of_step(row, working)
  return "  " .. lines.dotted(row.id, text, 38)
end

-- The last clean-up, and whether the source still lives.
local function after_lines(store, run, out)
  local said = {}
  for _, event in ipairs(store:events(run.id)) do
    local at = clock.iso(event.at // 1000000)
    if event.kind == "cleaned" then
      said.cleaned = ("cleaned %s: %s"):format(at, event.data.left == 0 and "nothing left but what is kept"
        or event.data.left .. " could not be removed")
    elseif event.kind == "destroyed" then
      said.destroyed = ("source %s destroyed %s"):format(event.data.source, at)
    end
  end
  for _, kind in ipairs { "cleaned", "destroyed" } do out[#out + 1] = said[kind] end
end

-- What still stands of a run that nobody works on, what could not be put back, and what to type.
local function what_stands(store, run, state, out)
  local working = WORKING[state]
  local found = not working and state ~= "done" and state ~= "put_back" and standing.of(store, run)
  for _, line in ipairs(found and standing.lines(found) or {}) do out[#out + 1] = line end
  local half_back = not working and run.state == "undoing" and "undoing" or state
  for _, line in ipairs(next_words.lines(run.id, half_back, run.cut_over_at ~= nil)) do out[#out + 1] = line end
end

local function detail(store, run)
  local state, out = state_of(run), {}
  out[1] = ("run %s  %s  recipe %s%s  attempt %d"):format(run.id, meaning.of_state(state), run.recipe,
    run.params.values.app and "  app " .. run.params.values.app or "", run.attempt)
  local working = WORKING[state] or false
  for _, row in ipairs(store:steps(run.id)) do out[#out + 1] = step_text(row, working) end
  if run.error then
    out[#out + 1] = ("error: %s%s  %s"):format(run.error.step and "step " .. run.error.step .. ": " or "",
      run.error.id, run.error.message)
  end
  if run.gate and state == "waiting" then out[#out + 1] = "waits at " .. run.gate end
  if run.cut_over_at then
    out[#out + 1] = "the point of no return was passed " .. clock.iso(run.cut_over_at // 1000000)
  end
  local locks = store:locks(run.id)
  for i, lock in ipairs(locks) do locks[i] = lock.name end
  if #locks > 0 then out[#out + 1] = "holds: " .. table.concat(locks, ", ") end
  after_lines(store, run, out)
  if run.exit_status then
    out[#out + 1] = ("exit %d: %s"):format(run.exit_status, meaning.OF[run.exit_status] or "?")
  end
  what_stands(store, run, state, out)
  return table.concat(out, "\n") .. "\n"
end

function command.run(arguments)
  local id, host = invocation.simple(arguments, { { name = "json", type = "boolean" } }, command.usage)
  local store <close> = invocation.open_store(host)
  if not id then
    local runs = store:runs()
    if not host.json then
      term.out(list(runs))
      return 0
    end
    for i, run in ipairs(runs) do runs[i] = fields(run) end
    term.out(json.encode(json.array(runs)) .. "\n")
    return 0
  end
  local run = store:run(id)
  if host.json then
    local one = fields(run)
    one.steps, one.events = json.array(store:steps(run.id)), json.array(store:events(run.id))
    term.out(json.encode(one) .. "\n")
  else
    term.out(detail(store, run))
  end
  return 0
end

return command
