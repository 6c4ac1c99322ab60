-- The end of a run on one page: every step with its time, the tables that steps gave, what was put back, warnings,
-- what still stands, where the record is, what the exit status means. Text for people, fields for machines.

local columns = require "pgorch.columns"
local json    = require "pgorch.json"
local lines   = require "pgorch.runner.lines"
local meaning = require "pgorch.runner.meaning"
local next_words = require "pgorch.runner.next"
local task    = require "pgorch.task"
local values  = require "pgorch.recipe.values"

local summary = {}

local STATE = { running = "interrupted", failed = "FAILED", skipped = "not needed", undone = "put back",
                undo_failed = "NOT PUT BACK", void = "to be done again", undoing = "half put back" }

local function step_line(row)
  local seconds = row.ended_at and math.max(0, (row.ended_at - row.started_at) / 1e6) or 0
  local text = row.state == "done" and lines.figures(row, seconds) or STATE[row.state] or row.state
  if row.state == "failed" and row.error and row.error.kind == "stopped" then text = "not approved" end
  return "  " .. lines.dotted(lines.label(row), text, 52)
end

local function columns_of(t)
  local widths = {}
  for _, row in ipairs({ t.columns, table.unpack(t.rows) }) do
    for i = 1, #t.columns do
      widths[i] = math.max(widths[i] or 0, columns.width(tostring(row[i] or "")))
    end
  end
  return widths
end

local function table_row(row, widths, t)
  local cells = {}
  for i, width in ipairs(widths) do
    local value = row[i] == nil and "" or tostring(row[i])
    local pad = (" "):rep(width - columns.width(value))
    local right = type(t.rows[1] and t.rows[1][i]) == "number"
    cells[i] = right and pad .. value or value .. pad
  end
  return ("  " .. table.concat(cells, "  ")):gsub("%s+$", "")
end

---A table as aligned text.
---@param t {title: string, columns: string[], rows: any[][]}
---@return string
function summary.table(t)
  local widths = columns_of(t)
  local list = { t.title, (table_row(t.columns, widths, t)) }
  for _, row in ipairs(t.rows) do list[#list + 1] = (table_row(row, widths, t)) end
  return table.concat(list, "\n")
end

local function gather(rows, field)
  local list = {}
  for _, row in ipairs(rows) do
    for _, each in ipairs(row.summary and row.summary[field] or {}) do list[#list + 1] = { row = row, value = each } end
  end
  return list
end

-- When this attempt has put nothing back, what is undone was so before it.
local function put_back_lines(e, rows, out)
  local list = {}
  for _, each in ipairs(gather(rows, "put_back")) do
    if not (e.kept and each.row.state == "undone") then list[#list + 1] = each.value end
  end
  if #list > 0 then out[#out + 1] = "put back: " .. table.concat(list, "; ") end
  for _, failure in ipairs(e.failures or {}) do
    out[#out + 1] = ("NOT put back: %s  (%s)"):format(failure.row.id, tostring(failure.error))
    if failure.by_hand then out[#out + 1] = "  by hand: " .. failure.by_hand:gsub("\n", "\n           ") end
  end
end

-- The last clean-up has removed it, or has found nothing of it: "add-on X" is "add-on X, $9/month" here.
local function is_cleaned(session, text)
  local last
  for _, event in ipairs(session.events or {}) do
    if event.kind == "cleaned" then last = event end
  end
  for _, each in ipairs(last and last.data.entries or {}) do
    local gone = each.state == "removed" or each.state == "gone"
    if gone and (text == each.what or text:sub(1, #each.what + 2) == each.what .. ", ") then return true end
  end
  return false
end

---What a run that was put back leaves on purpose.
---@param session table   with the events where they were read: what was cleaned since is not there any more
---@return string[]
function summary.kept(session)
  local list = {}
  if session.run.state ~= "put_back" and session.run.state ~= "undo_failed" then return list end
  for _, row in ipairs(session:forwards()) do
    local step, did = session:step_of(row.id), row.result or row.remembered
    local ok, text = pcall(step and step.keeps or error, did, session.run.id)
    if did and ok and text and not is_cleaned(session, text) then list[#list + 1] = text end
  end
  return list
end

---The same as a line with the command that removes it; nil: nothing is left.
---@param session table
---@param app string|nil   what is billed goes only when it is named
---@return string|nil
function summary.kept_line(session, app)
  local list = summary.kept(session)
  return #list > 0 and ("kept: %s   (`pgorch cleanup %s%s` removes it)"):format(table.concat(list, "; "),
    session.run.id, app and " --confirm " .. app or "") or nil
end

local function standing_lines(e, out)
  if not e.kept and #(e.failures or {}) == 0 then return end
  if #e.standing > 0 then
    out[#out + 1] = "still so: " .. table.concat(e.standing, "; ")
  elseif e.kept and not e.session:cut_over() then
    out[#out + 1] = "nothing stands that needs putting back"
  end
  if #(e.going_on or {}) > 0 then out[#out + 1] = "goes on: " .. table.concat(e.going_on, "; ") end
end

-- As the report has it: all the times that it was open, those of earlier attempts too.
local function window_of(e)
  local recorded, timeline = require "pgorch.report.recorded", require "pgorch.report.timeline"
  local session = e.session
  local run = session.store:run(session.run.id)
  local seen = recorded.of { run = run, list = session.store:steps(run.id), events = session.store:events(run.id),
                             recipe = session.recipe, state = run.state }
  local seconds, windows = 0, timeline.windows(seen, timeline.stretches(seen))
  for _, each in ipairs(windows) do seconds = seconds + math.max(0, (each.to or seen.now) - each.from) / 1e6 end
  local last = windows[#windows]
  return last and ("the window %s %s"):format(last.to and "was open for" or "is OPEN, for",
    values.show_duration(seconds))
end

-- A record that cannot be read keeps nobody from the rest.
local function window_line(e, out)
  local ok, text = pcall(window_of, e)
  if ok then out[#out + 1] = text or nil end
end

local function headline(e)
  local run, took = e.session.run, values.show_duration(task.now() - e.session.started)
  local part = e.part and (e.window_open and "stopped after %s, as asked, and the window is OPEN"
    or "ended after %s, as asked"):format(e.part)
  local what = part or e.put_back and e.status == 0 and "put back"
    or meaning.OF[e.status]
  local where = e.error and e.error.step and ("  step %s"):format(e.error.step) or ""
  return ("run %s  %s%s  after %s"):format(run.id, what, where, took)
end

---@param e table  the event `ended`
---@return string
function summary.text(e)
  local rows, out = e.session:forwards(), {}
  out[1] = "\n" .. headline(e)
  for _, row in ipairs(rows) do out[#out + 1] = step_line(row) end
  for _, each in ipairs(gather(rows, "tables")) do
    -- What a failed step has found was told with its error.
    if each.value.summary and not e.put_back and each.row.state ~= "failed" then
      out[#out + 1] = "\n" .. summary.table(each.value)
    end
  end
  out[#out + 1] = ""
  for _, each in ipairs(gather(rows, "warnings")) do
    out[#out + 1] = ("warning: %s: %s"):format(each.row.id, each.value)
  end
  window_line(e, out)
  put_back_lines(e, rows, out)
  out[#out + 1] = summary.kept_line(e.session, e.session.params.app)
  standing_lines(e, out)
  for _, line in ipairs(next_words.lines(e.session.run.id, e.session.run.state, e.session:cut_over())) do
    out[#out + 1] = line
  end
  if e.session.record_lost then out[#out + 1] = "the record of this run could not be written to its end" end
  out[#out + 1] = ("record: %s   pgorch status %s   pgorch report %s"):format(e.session.store.path, e.session.run.id,
    e.session.run.id)
  out[#out + 1] = ("exit %d: %s"):format(e.status, meaning.of(e.status, e.session.run.state))
  return table.concat(out, "\n") .. "\n"
end

-- --- for machines ---

local function error_fields(err)
  if not err then return nil end
  return { id = err.id, kind = err.kind, message = err.message, step = err.step, retryable = err.retryable,
           detail = err.detail and tostring(err.detail) or nil }
end

local function row_fields(row)
  return { id = row.id, state = row.state, started_at = row.started_at, ended_at = row.ended_at, summary = row.summary,
           error = row.error }
end

local PLAIN = { "id", "title", "text", "bytes", "total", "how", "effect", "run", "voided", "done", "interrupted",
                "pgorch", "format", "status", "part" }

local function ended_fields(e, fields)
  fields.state, fields.meaning = e.session.run.state, meaning.of(e.status, e.session.run.state)
  fields.window_open = e.window_open
  fields.steps, fields.standing, fields.not_put_back = json.array {}, json.array(e.standing), json.array {}
  fields.kept, fields.going_on = json.array(summary.kept(e.session)), json.array(e.going_on or {})
  for i, row in ipairs(e.session:forwards()) do fields.steps[i] = row_fields(row) end
  for i, failure in ipairs(e.failures or {}) do
    fields.not_put_back[i] = { id = failure.row.id, error = error_fields(failure.error), by_hand = failure.by_hand }
  end
end

---An event as one JSON object, nil when it says nothing to a machine.
---@param kind string
---@param e table
---@return table|nil
function summary.json(kind, e)
  local fields = {}
  for _, name in ipairs(PLAIN) do fields[name] = e[name] end
  if e.session then fields.run, fields.recipe = e.session.run.id, e.session.recipe.name end
  fields.voided = e.voided and json.array(e.voided)
  fields.error = error_fields(e.error)
  if e.row then fields.summary = e.row.summary end
  if kind == "ended" then ended_fields(e, fields) end
  return fields
end

return summary
