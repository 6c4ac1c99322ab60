-- What came of a batch: a line for each row, then what is to be done for those that need a person, then the counts. For
-- a person at any time, also while it goes on; for machines as one object.

local clock     = require "pgorch.clock"
local figures   = require "pgorch.batch.board.figures"
local json      = require "pgorch.json"
local list      = require "pgorch.status.list"
local listing   = require "pgorch.batch.listing"
local moment    = require "pgorch.report.moment"
local next_words = require "pgorch.runner.next"
local recorded  = require "pgorch.report.recorded"
local state     = require "pgorch.batch.state"
local tables    = require "pgorch.runner.summary"
local values    = require "pgorch.recipe.values"

local summary = {}

---@class pgorch.batch.Summary
---@field batch string
---@field state string
---@field reason string|nil
---@field counts table<string, integer>
---@field rows pgorch.batch.SummaryRow[]   in the manifest's order

---@class pgorch.batch.SummaryRow
---@field row string
---@field group string|nil
---@field recipe string
---@field app string|nil
---@field state pgorch.BatchRowState
---@field outcome string              in words
---@field run string|nil              that is on record
---@field exit_status integer|nil
---@field window {open: boolean, seconds: number}|nil
---@field verified {tables: integer, rows: integer, equal: boolean}|nil
---@field seconds number|nil          from its begin to its end, or until now
---@field step string|nil             of a row at work
---@field error table|nil
---@field next string[]               what can be typed for it

local RETRIED = { failed = true, refused = true, stopped = true }

-- By the row, then by its run: what a run says is for rows that stand somewhere.
local function next_lines(batch, row, run)
  if state.gate(row) then return { "past its gate: " .. state.why(batch.name, row) } end
  local lines = {}
  if RETRIED[row.state] then
    lines[1] = ("again: pgorch batch retry %s %s"):format(batch.name, row.id)
  end
  if run and (row.state == "stopped" or row.state == "attention") then
    for _, line in ipairs(next_words.lines(run.id, recorded.state(run), run.cut_over_at ~= nil)) do
      lines[#lines + 1] = line
    end
  end
  if run and state.needs_person(row) then lines[#lines + 1] = "what it did: pgorch status " .. run.id end
  return lines
end

local function seconds_of(row)
  if not row.started_at or row.state == "ready" then return nil end
  return math.max(0, (row.ended_at or clock.time() * 1e6) - row.started_at) / 1e6
end

-- A row that failed before its run was on record has touched nothing.
local function outcome_of(row, run)
  return row.state == "failed" and not run and "failed, nothing touched" or state.words(row)
end

local function step_of(row)
  local at = row.state == "running" and row.progress
  if not at then return nil end
  return (at.title or at.step or "") .. (at.fraction and (" %.0f %%"):format(at.fraction * 100) or "")
end

local function row_of(batch, row, run, outline)
  local made = { row = row.id, group = row.grp, recipe = row.recipe, app = state.app(row), state = row.state,
    outcome = outcome_of(row, run), run = run and run.id, exit_status = row.exit_status, seconds = seconds_of(row),
    step = step_of(row), error = row.error or nil, next = json.array(next_lines(batch, row, run)) }
  local fields = run and list.fields(run, outline)
  if fields then made.window, made.verified = fields.window, fields.verified end
  return made
end

---@param store pgorch.Store
---@param batch pgorch.BatchRead
---@return pgorch.batch.Summary
function summary.of(store, batch)
  local runs, outlines, rows = {}, store:outlines(), json.array {}
  for _, run in ipairs(store:runs { limit = math.maxinteger }) do runs[run.id] = run end
  for i, row in ipairs(batch.rows) do
    local run = row.run and runs[row.run]
    rows[i] = row_of(batch, row, run, run and outlines[run.id])
  end
  return { batch = batch.name, state = batch.state, reason = batch.reason, rows = rows,
           counts = listing.count(batch.rows) }
end

-- --- text ---

local function window_text(window)
  if not window then return "" end
  return (window.open and "OPEN " or "") .. values.show_duration(window.seconds)
end

local COLUMNS = { "row", "outcome", "run", "window", "tables", "rows equal", "took" }

local function cells(row)
  local equal = row.verified
  return { row.row, row.step and ("%s: %s"):format(row.outcome, row.step) or row.outcome, row.run or "",
           window_text(row.window), equal and moment.count(equal.tables) or "",
           equal and moment.count(equal.rows) or "", row.seconds and figures.brief(row.seconds) or "" }
end

local function error_line(err)
  return ("  %s %s"):format(err.id or "", (tostring(err.message or ""):match "^[^\n]*"))
end

-- What a person has to do, row by row.
local function needs(it)
  local out = {}
  for _, row in ipairs(it.rows) do
    if #row.next > 0 then
      out[#out + 1] = ("%s: %s"):format(row.row, row.outcome)
      if row.error then out[#out + 1] = error_line(row.error) end
      for _, line in ipairs(row.next) do out[#out + 1] = "  " .. line end
    end
  end
  return out
end

---@param it pgorch.batch.Summary
---@return string
function summary.text(it)
  local rows = {}
  for i, row in ipairs(it.rows) do rows[i] = cells(row) end
  local head = ("Batch %s: %s%s"):format(it.batch, it.state, it.reason and ", " .. it.reason or "")
  local out = { tables.table { title = head, columns = COLUMNS, rows = rows } }
  local list_of_needs = needs(it)
  if #list_of_needs > 0 then out[#out + 1] = "\n" .. table.concat(list_of_needs, "\n") end
  out[#out + 1] = "\n" .. listing.counts(it.counts)
  return table.concat(out, "\n") .. "\n"
end

---The same for machines: the last of the JSON Lines.
---@param it pgorch.batch.Summary
---@param status integer|nil   exit status
---@return string
function summary.line(it, status)
  local made = { event = "ended", at = clock.iso(), status = status }
  for name, value in pairs(it) do made[name] = value end
  return json.encode(made) .. "\n"
end

return summary
