-- The list of runs: what came of each, how long its window was, what was compared, and how its source is. Text for a
-- person, fields for machines. Times are UTC. Pure, but for the clock.

local clock    = require "pgorch.clock"
local meaning  = require "pgorch.runner.meaning"
local moment   = require "pgorch.report.moment"
local recorded = require "pgorch.report.recorded"
local summary  = require "pgorch.runner.summary"
local timeline = require "pgorch.report.timeline"
local values   = require "pgorch.recipe.values"

local list = {}

local function since(microseconds) return math.max(0, clock.time() - microseconds / 1e6) end

---What came of a run, in a few words.
---@param run pgorch.Run
---@param state string
---@return string
function list.outcome(run, state)
  local words = meaning.of_state(state)
  if state == "put_back" and (run.exit_status or 0) ~= 0 then words = "failed, put back" end
  if state == "done" and run.exit_status == 3 then words = meaning.OF[3] end
  return run.kind == "rehearsal" and "rehearsal: " .. words or words
end

-- As the report has it; nil when there was none, or none that was more than a local app's.
local function window_of(run, state, outline)
  local window = timeline.window(recorded.of { run = run, list = outline.list, events = outline.events, state = state })
  if #window.times == 0 or not window.to and not window.open then return nil end
  return { open = window.open, seconds = window.seconds }
end

local function source_of(run, outline)
  if outline.destroyed then return { destroyed_at = moment.iso(outline.destroyed) } end
  local closes = outline.steps.window_closes
  if run.kind == "rehearsal" or not run.cut_over_at or not closes or not closes.result then return nil end
  return { read_only = closes.result.read_only, alive_seconds = since(run.cut_over_at) }
end

local function verified(steps)
  local row = steps.verify
  if not row or row.state ~= "done" or not row.result then return nil end
  return { tables = row.result.tables, rows = row.result.rows, equal = true }
end

---@param run pgorch.Run
---@param outline table   of Store:outlines
---@return table
function list.fields(run, outline)
  local state = recorded.state(run)
  return { id = run.id, kind = run.kind, recipe = run.recipe, state = state, outcome = list.outcome(run, state),
           attempt = run.attempt, app = run.params.values.app, exit_status = run.exit_status,
           gate = state == "waiting" and run.gate or nil, error = run.error,
           created_at = moment.iso(run.created_at), updated_at = moment.iso(run.updated_at),
           params = run.params.values, window = window_of(run, state, outline), verified = verified(outline.steps),
           source = source_of(run, outline) }
end

local function window_text(window)
  if not window then return "" end
  return (window.open and "OPEN for " or "") .. values.show_duration(window.seconds)
end

local function verified_text(it)
  if not it then return "" end
  return ("%s, %s EQUAL"):format(moment.number(it.tables, "table"), moment.number(it.rows, "row"))
end

local function source_text(source)
  if not source then return "" end
  if source.destroyed_at then return "destroyed" end
  return ("%salive for %s"):format(source.read_only and "read-only, " or "", values.show_duration(source.alive_seconds))
end

---@param all table[]  of list.fields
---@param place string  what messages call the record
---@return string
function list.text(all, place)
  if #all == 0 then return ("no runs in %s\n"):format(place) end
  local rows = {}
  for i, it in ipairs(all) do
    rows[i] = { it.id, it.outcome, it.recipe, it.app or "", window_text(it.window), verified_text(it.verified),
                source_text(it.source), values.show_duration(since(moment.parse(it.updated_at))) .. " ago",
                it.error and it.error.id or "" }
  end
  return summary.table { title = "Runs", columns = { "id", "outcome", "recipe", "app", "window", "compared", "source",
    "last change", "error" }, rows = rows } .. "\n"
end

return list
