-- What `pgorch plan` shows: the changes in the four parts of a move, how long and how dear, what the figures rest on;
-- or the same as JSON Lines. Writes, and decides nothing.

local clock     = require "pgorch.clock"
local event     = require("pgorch.preflight.report").event
local lines     = require "pgorch.plan.lines"
local preflight = require "pgorch.preflight"
local survey    = require "pgorch.plan.survey"
local term      = require "pgorch.term"
local times     = require "pgorch.plan.times"
local values    = require "pgorch.recipe.values"
local ways      = require "pgorch.plan.ways"

local M = {}

local GROUPS = { "before", "window", "point", "after" }
local PLAIN_WIDTH, INDENT, GAP = 120, 26, 3
local COLOUR = { ["+"] = "green", ["~"] = "yellow", ["-"] = "red", ["!"] = "red", ["?"] = "dim" }

-- People read "about 6 min", not "5 m 43 s".
local function roughly(seconds)
  if seconds < 55 then return ("%d s"):format(math.max(5, math.ceil(seconds / 5) * 5)) end
  if seconds < 5400 then return ("%d min"):format(math.ceil(seconds / 60)) end
  return ("%d h %02d min"):format(seconds // 3600, math.ceil(seconds % 3600 / 60) % 60)
end

local function window_of(plan)
  return times.window(plan.seen.inspection.recipe.steps, plan.survey.by_id, plan.history)
end

local function about(seconds, at_least) return (at_least and "at least " or "about ") .. roughly(seconds) end

local function titles(plan)
  local self, seconds, at_least = plan.survey, window_of(plan)
  return { before = self.has_window and "before the window" or "in this order",
           window = ("window (%s)"):format(about(seconds, at_least)), point = "point of no return", after = "after" }
end

-- The lines of a part: changes, and what is so already; with `verbose` what the reading steps said, too.
local function shown(plan, group, verbose)
  local list = {}
  for _, entry in ipairs(plan.survey.steps) do
    local wanted = entry.group == group and (entry.effect ~= "read" or verbose)
    for _, line in ipairs(wanted and entry.lines or {}) do list[#list + 1] = { line = line, step = entry } end
  end
  for _, each in ipairs(group == "after" and survey.changes(plan.survey) or {}) do
    if each.line.after == nil and each.group == "after" and each.step.group ~= "after" then
      list[#list + 1] = { line = each.line, step = each.step }
    end
  end
  if group == "point" then list[#list + 1] = { text = "(until then `pgorch rollback` puts everything back)" } end
  return list
end

local function width_of(text) return utf8.len(text) or #text end

local function text_of(each, paint)
  if each.text then return each.text, each.text end
  local plain = lines.show(each.line)
  local sign = each.line.sign
  return plain, sign ~= "" and paint(COLOUR[sign], sign) .. plain:sub(2) or plain
end

-- As many as fit beside each other; one that does not fit anywhere is not cut.
local function packed(title, list, width, paint)
  local out, room = {}, width - INDENT
  local line, used = ("  %-" .. INDENT - 2 .. "s"):format(title), 0
  for _, each in ipairs(list) do
    local plain, painted = text_of(each, paint)
    local needs = width_of(plain)
    if used > 0 and used + GAP + needs > room then
      out[#out + 1], line, used = line, (" "):rep(INDENT), 0
    end
    line = line .. (used > 0 and (" "):rep(GAP) or "") .. painted
    used = used + (used > 0 and GAP or 0) + needs
  end
  out[#out + 1] = line
  return table.concat(out, "\n")
end

-- One step a line, with how long it takes.
local function one_by_one(title, list, paint)
  local out, last = { "  " .. title }, nil
  for _, each in ipairs(list) do
    local _, painted = text_of(each, paint)
    local entry = each.step
    local id = entry and entry ~= last and entry.id or ""
    local takes = entry and entry ~= last and entry.seconds and entry.seconds >= 2
      and ("   %s%s"):format(entry.measured and "" or "~", roughly(entry.seconds)) or ""
    out[#out + 1] = ("    %-20s %s%s"):format(id, painted, takes)
    last = entry
  end
  return table.concat(out, "\n")
end

-- What sets the pace on each way, and what is assumed of it.
local PACE = { archive = { "dump and upload", "upload" }, direct = { "copy", "copy" }, heroku = { "copy", "pull" } }

local function rate_of(plan)
  local found, known = ways.of(plan), plan.history
  local name = found and found.way or "archive"
  local uplink = plan.seen.inspection.params.uplink
  if known and known.rate and known.way == name and not uplink then
    return ("%s %s/s as in run %s"):format(PACE[name][1], values.show_size(known.rate), known.run)
  end
  local measured = found and ways.pace(found)
  if measured then return measured .. (uplink and name == "archive" and " as --uplink says" or "") end
  local rate = values.show_size(times.RATES[PACE[name][2]])
  return ("%s not measured (%s/s assumed)"):format(name == "archive" and "upload" or "copy", rate)
end

local function measured_by(known)
  if not known then return "rehearsal none (run `pgorch rehearse` for a better figure)" end
  local age = values.show_duration(math.max(0, clock.time() - known.at / 1e6))
  local then_ = known.bytes and ", " .. values.show_size(known.bytes) .. " then" or ""
  return ("times of %s %s (%s ago%s)"):format(known.kind, known.run, age, then_)
end

local function basis(plan)
  local size = plan.seen.size
  if not size then return "Basis: what the steps estimate" end
  return ("Basis: %s, %s, %s"):format(values.show_size(size.bytes), rate_of(plan), measured_by(plan.history))
end

local function cents_of(plan)
  local total
  for _, each in ipairs(survey.changes(plan.survey)) do
    if each.line.cents then total = (total or 0) + each.line.cents end
  end
  return total
end

local function last_line(plan)
  local self, cents = plan.survey, cents_of(plan)
  local count = self.changes + self.open == 0 and "nothing to do" or preflight.number(self.changes, "change")
  if self.open > 0 then count = ("%s, and %d known later"):format(count, self.open) end
  if cents then count = ("%s, $%g/month"):format(count, cents / 100) end
  return ("%s. %s"):format(count, basis(plan))
end

local function add_warnings(plan, out, check)
  for _, each in ipairs(plan.survey.warnings) do out[#out + 1] = ("warning: %s: %s"):format(each.id, each.text) end
  local warned = plan.seen.found:count "warn"
  if warned == 0 then return end
  out[#out + 1] = ("%s of the checks, told by: %s"):format(preflight.number(warned, "warning"), check)
end

local function text(plan, o)
  local colour = o.display.colour and term.is_tty(1)
  local function paint(how, word) return colour and how and o.display:paint(how, word) or word end
  local width, heads, out = term.is_tty(1) and math.max(60, term.width()) or PLAIN_WIDTH, titles(plan), {}
  for _, group in ipairs(GROUPS) do
    local list = shown(plan, group, o.host.verbose)
    if #list > (group == "point" and 1 or 0) then
      out[#out + 1] = o.host.verbose and one_by_one(heads[group], list, paint)
        or packed(heads[group], list, width, paint)
    end
  end
  if o.host.quiet then out = {} else
    local found = ways.of(plan)
    for _, line in ipairs(found and ways.lines(found) or {}) do out[#out + 1] = line end
    add_warnings(plan, out, o.check)
  end
  out[#out + 1] = last_line(plan)
  return table.concat(out, "\n") .. "\n"
end

-- --- for machines ---

local function basis_fields(plan)
  local known, size = plan.history, plan.seen.size
  return { bytes = size and size.bytes, run = known and known.run, kind = known and known.kind,
           bytes_then = known and known.bytes, upload_measured = known ~= nil and known.rate ~= nil }
end

local function events(plan, o)
  local out, total = {}, times.sum(plan.seen.inspection.recipe.steps, plan.survey.by_id, function() return true end)
  for _, each in ipairs(survey.changes(plan.survey)) do
    out[#out + 1] = event("change", { step = each.step.id, part = each.group, sign = each.line.sign,
      text = each.line.text, about = each.line.about, cents = each.line.cents,
      seconds = each.first and each.step.seconds or nil, measured = each.first and each.step.measured or nil })
  end
  for _, each in ipairs(plan.survey.warnings) do out[#out + 1] = event("warn", { id = each.id, text = each.text }) end
  local window, at_least = window_of(plan)
  out[#out + 1] = event("planned", { changes = plan.survey.changes, known_later = plan.survey.open,
    cents = cents_of(plan) or 0, seconds = total, window_seconds = plan.survey.has_window and window or nil,
    at_least = at_least, basis = basis_fields(plan), data = ways.of(plan), warned = plan.seen.found:count "warn",
    run = plan.run,
    source = plan.source and plan.source.name, file = o.file, status = o.status })
  return table.concat(out)
end

---@param plan pgorch.Plan
---@param o {host: table, display: table, status: integer, file: string|nil, check: string}  check: its command line
function M.write(plan, o)
  term.out(o.host.json and events(plan, o) or text(plan, o))
end

return M
