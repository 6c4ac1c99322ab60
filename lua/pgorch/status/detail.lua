-- One run for a terminal: its steps, its window, what was compared, who has been seen on the new database, what it
-- holds, and what can be typed now. Times are UTC. Pure, but for the clock.

local basis    = require "pgorch.rehearsal.basis"
local json     = require "pgorch.json"
local lines    = require "pgorch.runner.lines"
local list     = require "pgorch.status.list"
local meaning  = require "pgorch.runner.meaning"
local moment   = require "pgorch.report.moment"
local next_words = require "pgorch.runner.next"
local recorded = require "pgorch.report.recorded"
local rehearsed = require "pgorch.rehearsal.report"
local standing = require "pgorch.runner.standing"
local summary  = require "pgorch.runner.summary"
local values   = require "pgorch.recipe.values"

local detail = {}

local function at(iso) return iso:sub(1, 10) .. " " .. moment.time(iso) .. " UTC" end

---The first line: which run this is.
---@param seen pgorch.Recorded
---@return string
function detail.heading(seen)
  local run = seen.run
  return ("run %s  %s  recipe %s%s  attempt %d  began %s"):format(run.id, list.outcome(run, seen.state), run.recipe,
    run.params.values.app and "  app " .. run.params.values.app or "", run.attempt, at(moment.iso(run.created_at)))
end

-- Only a process that works can be in the middle of a step.
local function state_of_step(seen, row)
  if row.state ~= "running" then return row.state:gsub("_", " ") end
  if not recorded.is_working(seen.state) then return "interrupted" end
  return ("running for %s"):format(values.show_duration(moment.between(row.started_at, seen.now)))
end

---@param seen pgorch.Recorded
---@param row table
---@return string
function detail.step(seen, row)
  local seconds = moment.between(row.started_at, row.ended_at) or 0
  local text = row.state == "done" and lines.figures(row, seconds) or state_of_step(seen, row)
  return "  " .. lines.dotted(row.id, text, 38)
end

local function cleaned(data)
  if data.left ~= 0 then return data.left .. " could not be removed" end
  for _, each in ipairs(data.entries or {}) do
    if each.state == "kept" then return "nothing left but what is kept" end
  end
  return "nothing left"
end

-- The last clean-up, and whether the source still lives.
local function after_lines(seen, out)
  local said = {}
  for _, event in ipairs(seen.events) do
    if event.kind == "cleaned" then
      said.cleaned = ("cleaned %s: %s"):format(at(moment.iso(event.at)), cleaned(event.data))
    elseif event.kind == "destroyed" then
      said.destroyed = ("source %s destroyed %s"):format(event.data.source, at(moment.iso(event.at)))
    end
  end
  for _, kind in ipairs { "cleaned", "destroyed" } do out[#out + 1] = said[kind] end
end

local function window_line(report)
  local it = report.window
  if #it.times == 0 then return nil end
  return ("window %s, from %s%s"):format(values.show_duration(it.seconds), at(it.opened_at), it.closed_at
    and " to " .. moment.time(it.closed_at) or it.open and "  STILL OPEN" or "")
end

-- While it still says something: once the app is moved, or is as it was, nothing has to be done by then.
local function deadline_line(seen, report)
  if not report.run.deadline or seen:cut_over() or seen.state == "done" or seen.state == "put_back" then return nil end
  return ("deadline %s: %s"):format(at(report.run.deadline), report.window.open and "the window must close by then"
    or "the app is moved by then, or as it was before")
end

local function verified_line(report)
  local v = report.verification
  if v.state == "not reached" then return nil end
  if v.state ~= "equal" then return "compared: " .. v.state end
  return ("compared: %s, %s EQUAL"):format(moment.number(v.totals.tables, "table"), moment.number(v.totals.rows, "row"))
end

-- Whoever was not seen still points at the old database, unless he has gone.
local function clients_line(report)
  local said = {}
  for i, each in ipairs(report.clients.clients) do
    said[i] = each.client .. (each.seen and " seen" or " NOT YET")
  end
  if #said == 0 then return nil end
  return "clients of the source, on the target since: " .. table.concat(said, "  ")
end

local function error_line(run)
  local err = run.error
  return err and ("error: %s%s  %s"):format(err.step and "step " .. err.step .. ": " or "", err.id, err.message)
end

local function locks_line(seen)
  local names = {}
  for i, lock in ipairs(seen.locks) do names[i] = lock.name end
  return #names > 0 and "holds: " .. table.concat(names, ", ") or nil
end

local function is_destroyed(seen)
  for _, event in ipairs(seen.events) do
    if event.kind == "destroyed" then return true end
  end
  return false
end

-- Of no use to a rehearsal: it can neither be gone on with nor put back.
local function next_lines(seen)
  local run = seen.run
  if run.kind == "rehearsal" then return {} end
  local past = seen:cut_over() and not (seen.state == "done" and is_destroyed(seen))
  return next_words.lines(run.id, run.state == "undoing" and "undoing" or seen.state, past)
end

---What can be typed now, and where the run waits.
---@param seen pgorch.Recorded
---@return string
function detail.commands(seen)
  local run, out = seen.run, {}
  if seen.state == "waiting" and run.gate then out[1] = "waits at " .. run.gate end
  for _, line in ipairs(next_lines(seen)) do out[#out + 1] = line end
  return table.concat(out, "\n")
end

-- What still stands of a run that nobody works on, and what could not be put back.
local function stands(seen)
  local over = recorded.is_working(seen.state) or seen.state == "done" or seen.state == "put_back"
  return not over and seen.run.kind ~= "rehearsal" and standing.of(seen) or nil
end

---@param status integer
---@param state string
---@return string
function detail.exit(status, state) return ("exit %d: %s"):format(status, meaning.of(status, state)) end

local function has_entry(seen)
  for _, lock in ipairs(seen.locks) do
    if lock.name:find "^allow%-list:" then return true end
  end
end

-- There is nothing to go on with, and nothing to put back.
local function below_rehearsal(seen, add)
  local window, status = basis.window(seen.events), seen.run.exit_status
  add(window and rehearsed.window_line(window))
  if seen.state == "interrupted" and has_entry(seen) then
    add "its entry on the allow list is taken out by the next `pgorch rehearse ... --open-allow-list` of this source"
  end
  add(status and ("exit %d: %s"):format(status, rehearsed.meaning(status)))
end

---What stands below the steps.
---@param seen pgorch.Recorded
---@param report table  of report.of
---@param out string[]
function detail.below(seen, report, out)
  local function add(text) out[#out + 1] = text or nil end
  add(window_line(report))
  add(deadline_line(seen, report))
  add(verified_line(report))
  add(clients_line(report))
  add(error_line(seen.run))
  add(locks_line(seen))
  after_lines(seen, out)
  if seen.run.kind == "rehearsal" then return below_rehearsal(seen, add) end
  if seen:cut_over() then add("the point of no return was passed " .. at(moment.iso(seen.run.cut_over_at))) end
  add(seen.run.exit_status and detail.exit(seen.run.exit_status, seen.state))
  local found = stands(seen)
  for _, line in ipairs(found and standing.lines(found) or {}) do add(line) end
  if not recorded.is_working(seen.state) then add(summary.kept_line(seen, seen.run.params.values.app)) end
  local commands = detail.commands(seen)
  add(commands ~= "" and commands)
end

---The same for machines, beside what the list of runs has.
---@param seen pgorch.Recorded
---@return table
function detail.fields(seen)
  local found, steps, events = stands(seen), json.array {}, json.array {}
  for i, row in ipairs(seen.list) do
    local step = {}
    for name, value in pairs(row) do step[name] = value end
    step.started_at, step.ended_at = moment.iso(row.started_at), moment.iso(row.ended_at)
    steps[i] = step
  end
  for i, each in ipairs(seen.events) do
    events[i] = { seq = each.seq, at = moment.iso(each.at), kind = each.kind, data = each.data }
  end
  return { steps = steps, events = events, standing = found and json.array(found.list),
           going_on = found and json.array(found.going_on), not_put_back = found and json.array(found.failed),
           next = json.array(next_lines(seen)) }
end

---@param seen pgorch.Recorded
---@param report table
---@return string
function detail.text(seen, report)
  local out = { detail.heading(seen) }
  for _, row in ipairs(seen.list) do out[#out + 1] = detail.step(seen, row) end
  detail.below(seen, report, out)
  return table.concat(out, "\n") .. "\n"
end

return detail
