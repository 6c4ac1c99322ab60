-- The lines of the display, as text: one function for each kind. Pure, but for the clock that it is handed.

local clock   = require "pgorch.clock"
local columns = require "pgorch.columns"
local fail    = require "pgorch.error"
local values  = require "pgorch.recipe.values"

local lines = {}

-- A rate over the last seconds says more than one since the beginning.
local RATE_SECONDS = 5

lines.clip = columns.clip

---`label ....... value`, so that values line up.
---@param label string
---@param value string
---@param width integer
---@return string
function lines.dotted(label, value, width)
  local dots = width - columns.width(label) - 2
  return ("%s %s %s"):format(label, ("."):rep(math.max(2, dots)), value)
end

---What a person reads for a step: its title, and the key of an `each` item.
---@param row {title: string|nil, id: string, item: table|nil}
---@return string
function lines.label(row)
  local title = row.title or row.id
  return row.item and row.item.key and ("%s %s"):format(title, row.item.key) or title
end

---Notes where a step is; keeps what the rate needs.
---@param step table
---@param e {bytes?: integer, total?: integer, text?: string}
---@param now number
function lines.note_progress(step, e, now)
  step.text = e.text or step.text
  if not e.bytes then return end
  if step.mark == nil or e.bytes < step.bytes then step.mark = { at = now, bytes = e.bytes } end
  if now - step.mark.at >= RATE_SECONDS then
    step.rate = (e.bytes - step.mark.bytes) / (now - step.mark.at)
    step.mark, step.settled = { at = now, bytes = e.bytes }, true
  elseif not step.settled and now - step.mark.at >= 1 then
    step.rate = (e.bytes - step.mark.bytes) / (now - step.mark.at)
  end
  step.bytes, step.total = e.bytes, e.total or step.total
end

---Seconds that a step has to go at its rate; nil when that is not known.
---@param step table
---@return number|nil
function lines.left(step)
  if not step.rate or step.rate <= 0 or not step.total or step.total <= step.bytes then return nil end
  return (step.total - step.bytes) / step.rate
end

---How much is done, in so many columns.
---@param part number    0 to 1
---@param width? integer  of what is between the brackets
---@return string
function lines.bar(part, width)
  width = width or 12
  local full = math.floor(math.max(0, math.min(1, part)) * width + 0.5)
  return "[" .. ("#"):rep(full) .. (" "):rep(width - full) .. "]"
end

---A running step: bytes, rate, time left.
---@param step table
---@param now number
---@return string
function lines.running(step, now)
  local parts = { "  " .. lines.label(step) }
  if step.bytes and step.total and step.total > 0 then
    local part = math.min(1, step.bytes / step.total)
    parts[#parts + 1] = ("%s %3.0f %%"):format(lines.bar(part), part * 100)
  end
  if step.bytes then parts[#parts + 1] = values.show_size(step.bytes) end
  if step.rate then parts[#parts + 1] = values.show_size(step.rate) .. "/s" end
  local left = lines.left(step)
  if left then parts[#parts + 1] = "ETA " .. values.show_duration(left) end
  if step.text then parts[#parts + 1] = step.text end
  parts[#parts + 1] = values.show_duration(now - step.began)
  return table.concat(parts, "  ")
end

---"run ID  recipe  app".
function lines.heading(session, verb, display)
  local run = session.run
  local app = session.params.app and "   app " .. session.params.app or ""
  return ("%s %s%s   recipe %s"):format(display:paint("bold", "run " .. run.id), verb, app, session.recipe.name)
end

-- A moment as a person at this machine reads it, and in UTC: "04:00 (03:00 UTC)"; with its day when that is not today.
local function moment_of(at)
  local here, utc = os.date("%Y-%m-%d %H:%M", at), clock.iso(at):sub(1, 16):gsub("T", " ")
  local today = os.date "%Y-%m-%d "
  local function short(text) return text:sub(1, #today) == today and text:sub(#today + 1) or text end
  if here == utc then return short(here) .. " UTC" end
  return ("%s (%s UTC)"):format(short(here), here:sub(1, 10) == utc:sub(1, 10) and utc:sub(12) or utc)
end

---@param at number   seconds since 1970
---@return string
function lines.deadline(at)
  return ("deadline: %s; the app is moved by then, or as it was before"):format(moment_of(math.floor(at)))
end

---@param opened integer   microseconds since 1970
---@param deadline number|nil
---@return string
function lines.window_open(opened, deadline)
  return ("WINDOW OPEN %s%s"):format(os.date("%H:%M:%S", opened // 1000000), deadline
    and ", must close by " .. moment_of(math.floor(deadline)) or "")
end

function lines.resumed(e, display)
  local again = e.interrupted and (", `%s` starts again"):format(e.interrupted) or ""
  local text = ("resuming %s: %d steps done%s"):format(e.session.run.id, e.done, again)
  if #e.voided > 0 then
    text = text .. "\n  no longer so, done again: " .. table.concat(e.voided, ", ")
  end
  return display:paint("bold", text)
end

local function figures(row, seconds)
  local text = values.show_duration(seconds)
  local bytes = row.summary and row.summary.bytes
  if not bytes then return text end
  text = ("%s  %s"):format(text, values.show_size(bytes))
  return seconds > 0.05 and ("%s  %s/s"):format(text, values.show_size(bytes / seconds)) or text
end
lines.figures = figures

function lines.done(e, seconds, display)
  return ("  %s %s"):format(display:paint("green", display.tick_mark),
    lines.dotted(lines.label { title = e.title, id = e.id, item = e.row.item }, figures(e.row, seconds), 50))
end

function lines.failed(e, seconds, display)
  local cancelled = e.error.kind == "cancelled"
  local mark = cancelled and display:paint("yellow", "-") or display:paint("red", display.cross_mark)
  return ("  %s %s"):format(mark, lines.dotted(lines.label(e), values.show_duration(seconds)
    .. (cancelled and "  interrupted" or ""), 50))
end

function lines.undone(e, seconds, display)
  return ("  %s %s"):format(display:paint("green", display.tick_mark),
    lines.dotted("undo: " .. lines.label(e), values.show_duration(seconds), 50))
end

local function indent(text) return (tostring(text):gsub("\n+$", ""):gsub("[^\n]+", "      %0")) end

function lines.undo_failed(e, display)
  return ("  %s undo: %s: %s%s"):format(display:paint("red", display.cross_mark), lines.label(e), tostring(e.error),
    e.error.at and "\n" .. indent("at: " .. e.error.at) or "")
end

---An error for a person: step, id, message, detail, cure. Printed once, here.
---@param err table
---@param display table
---@return string
function lines.explain(err, display)
  local where = err.step and ("step %s: "):format(err.step) or ""
  local list = { ("%s %s%s  %s"):format(display:paint("red", "error:"), where, err.id, err.message) }
  if err.told and not display.quiet then return list[1] end -- its findings stand in the table just above
  if err.at then list[#list + 1] = indent("at: " .. err.at) end
  if err.detail and err.detail ~= "" then list[#list + 1] = indent(err.detail) end
  if fail.is(err.cause) then list[#list + 1] = indent("because: " .. tostring(err.cause)) end
  local cure = fail.cure(err)
  if cure ~= "" then list[#list + 1] = indent("cure: " .. cure) end
  for _, other in ipairs(err.others or {}) do list[#list + 1] = indent("also: " .. tostring(other)) end
  return table.concat(list, "\n")
end

return lines
