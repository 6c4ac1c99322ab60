-- The end of a rehearsal on one page: what each step took, what was left out, what could not be measured, and the
-- window to announce. Text for people, one JSON object for machines. Decides nothing.

local clock   = require "pgorch.clock"
local json    = require "pgorch.json"
local summary = require "pgorch.runner.summary"
local values  = require "pgorch.recipe.values"

local M = {}

-- The exit statuses of a rehearsal in words: nothing was moved, so nothing is put back.
local MEANING = {
  [0] = "rehearsed", [1] = "failed; nothing was changed", [3] = "rehearsed, with warnings",
  [4] = "preflight failed; nothing was changed", [5] = "the two databases differ; nothing was changed",
  [6] = "trouble outside; nothing was changed", [7] = "locked", [8] = "stopped; nothing was changed",
  [11] = "not everything could be put back",
}

---@param status integer
---@return string
function M.meaning(status) return MEANING[status] or "?" end

local function shown_rate(each)
  return each.bytes and values.show_size(each.bytes) or "", each.rate and values.show_size(each.rate) .. "/s" or ""
end

local function measured_table(measured)
  local rows = {}
  for i, each in ipairs(measured) do
    local bytes, rate = shown_rate(each)
    rows[i] = { each.title, values.show_duration(each.seconds), bytes, rate, each.window and "window" or "" }
  end
  return summary.table { title = "Measured", columns = { "step", "time", "bytes", "rate", "" }, rows = rows }
end

local function unmeasured_table(list)
  local rows = {}
  for i, each in ipairs(list) do
    local counted = each.seconds and ("+ %s"):format(values.show_duration(each.seconds)) or ""
    rows[i] = { each.what, each.assumed, counted }
  end
  return summary.table { title = "Not measured here", columns = { "what", "assumed", "window" }, rows = rows }
end

local function left_out_table(list)
  local rows = {}
  for i, each in ipairs(list) do rows[i] = { each.title or each.id, each.why } end
  return summary.table { title = "Not rehearsed", columns = { "step", "why" }, rows = rows }
end

---@param window {measured: number, margin: number, announce: number}
---@return string
function M.window_line(window)
  return ("window to announce: about %d min (measured %s + %s for what is not measured)"):format(
    math.ceil(window.announce / 60), values.show_duration(window.measured), values.show_duration(window.margin))
end

local function warnings_of(e)
  local list = {}
  for _, row in ipairs(e.rows) do
    for _, text in ipairs(row.summary and row.summary.warnings or {}) do
      list[#list + 1] = { id = row.id, text = text }
    end
  end
  return list
end

local function headline(e)
  local where = e.error and e.error.step and ("  step %s"):format(e.error.step) or ""
  return ("\nrehearsal %s  %s%s  after %s"):format(e.run.id, M.meaning(e.status), where,
    values.show_duration(e.seconds))
end

---@param e table   see rehearsal.lua
---@return string
function M.text(e)
  local out = { headline(e) }
  if #e.measured > 0 then out[#out + 1] = measured_table(e.measured) end
  if e.window then
    if #e.left_out > 0 then out[#out + 1] = left_out_table(e.left_out) end
    out[#out + 1] = unmeasured_table(e.unmeasured)
    out[#out + 1] = "\n" .. M.window_line(e.window)
  end
  for _, each in ipairs(warnings_of(e)) do out[#out + 1] = ("warning: %s: %s"):format(each.id, each.text) end
  for _, each in ipairs(e.failures) do
    out[#out + 1] = ("NOT put back: %s  (%s)"):format(each.row.id, tostring(each.error))
    if each.by_hand then out[#out + 1] = "  by hand: " .. each.by_hand end
  end
  out[#out + 1] = ("record: %s   pgorch status %s"):format(e.record, e.run.id)
  out[#out + 1] = ("exit %d: %s"):format(e.status, M.meaning(e.status))
  return table.concat(out, "\n") .. "\n"
end

local function error_fields(err)
  return err and { id = err.id, kind = err.kind, message = err.message, step = err.step,
                   detail = err.detail and tostring(err.detail) or nil }
end

---@param e table
---@return string   one line
function M.json(e)
  local left = {}
  for i, each in ipairs(e.failures) do
    left[i] = { id = each.row.id, error = error_fields(each.error), by_hand = each.by_hand }
  end
  return json.encode { event = "rehearsed", at = clock.iso(), run = e.run.id, recipe = e.run.recipe,
    state = e.run.state, status = e.status, meaning = M.meaning(e.status), seconds = e.seconds,
    steps = json.array(e.measured), not_rehearsed = json.array(e.left_out),
    not_measured = e.window and json.array(e.unmeasured), window = e.window,
    warnings = json.array(warnings_of(e)), not_put_back = json.array(left), error = error_fields(e.error) } .. "\n"
end

return M
