-- What `pgorch check` shows of what it has seen: a heading, the findings, what cannot be known yet, one last line;
-- or the same as JSON Lines. Writes, and decides nothing.

local clock     = require "pgorch.clock"
local json      = require "pgorch.json"
local native    = require "pgorch.native.host"
local preflight = require "pgorch.preflight"
local term      = require "pgorch.term"
local times     = require "pgorch.plan.times"
local values    = require "pgorch.recipe.values"

local M = {}

local LARGEST = 5

local WORD   = { pass = "pass", note = "note", warn = "warn", fail = "FAIL" }
local COLOUR = { pass = "green", note = "green", warn = "yellow", fail = "red" }

local function largest(size)
  local list = {}
  for i = 1, math.min(LARGEST, #size.tables) do
    local each = size.tables[i]
    list[i] = { name = each.key, bytes = each.bytes + each.index_bytes, estimate = each.estimate }
  end
  return list
end

local function source_of(seen)
  local ok, source = pcall(function() return seen.inspection:context().source end)
  return ok and source or nil
end

local function target_text(seen)
  local params = seen.inspection.params
  if seen.target then return seen.target end
  return ("%s (%s)"):format(params.app or "?", params.database or "new add-on")
end

local function heading(seen)
  local recipe, source, size = seen.inspection.recipe, source_of(seen), seen.size
  local words = { "pgorch " .. native.version,
                  ("recipe %s (%s)"):format(recipe.name, recipe.folder and recipe.path or "built in") }
  if source then words[#words + 1] = "source " .. source:name() end
  if size then
    local total, list = 0, largest(size)
    for _, each in ipairs(list) do total = total + each.bytes end
    words[#words + 1] = "PostgreSQL " .. size.version:match "^%S+"
    words[#words + 1] = ("%s (%s %s%s)"):format(values.show_size(size.bytes),
      #list == 1 and "its one table" or ("%d largest tables"):format(#list), values.show_size(total),
      size.console_bytes and "; the console says " .. values.show_size(size.console_bytes) or "")
  end
  words[#words + 1] = "target " .. target_text(seen)
  return table.concat(words, "  ")
end

local function largest_line(seen)
  local list = seen.size and largest(seen.size) or {}
  for i, each in ipairs(list) do list[i] = ("%s %s"):format(each.name, values.show_size(each.bytes)) end
  return #list > 0 and "largest: " .. table.concat(list, ", ") or nil
end

---What only the target itself can tell, in words; nil when it was asked.
local function unknown(seen)
  if not seen.facts then return "not looked into: what is in the source" end
  if seen.target then return nil end
  return "not known until the add-on exists: which extensions and collations it offers, its version and limits "
    .. "(checked again before the window opens)"
end

local function last_line(found)
  local failed, warned = found:count "fail", found:count "warn"
  if failed > 0 then return ("preflight failed: %d fail, %d warn"):format(failed, warned) end
  return "preflight passed" .. (warned > 0 and ", " .. preflight.number(warned, "warning") or "")
end

local function finding_lines(out, each, paint)
  for i, line in ipairs(preflight.lines(each)) do
    out[#out + 1] = ("  %s  %s"):format(i == 1 and paint(COLOUR[each.level], WORD[each.level]) or "    ", line)
  end
end

---Passed checks are counted, unless each is wanted; then what needs a look, then what fails, nearest to the end.
---@param out string[]   lines are added to it
---@param found pgorch.Findings
---@param host {verbose: boolean|nil, quiet: boolean|nil}
---@param paint fun(how: string, word: string): string
function M.findings(out, found, host, paint)
  if host.verbose then
    for _, each in ipairs(found.list) do
      if each.level == "pass" then finding_lines(out, each, paint) end
    end
  elseif not host.quiet and found:count "pass" > 0 then
    out[#out + 1] = ("  %s  %s"):format(paint("green", "pass"), preflight.number(found:count "pass", "check"))
  end
  for _, level in ipairs { "note", "warn", "fail" } do
    for _, each in ipairs(found.list) do
      if each.level == level and not (level ~= "fail" and host.quiet) then finding_lines(out, each, paint) end
    end
  end
end

---Colours words for standard output, where that is a terminal.
---@param display pgorch.Display
---@return fun(how: string, word: string): string
function M.painter(display)
  local colour = display.colour and term.is_tty(1)
  return function(how, word) return colour and display:paint(how, word) or word end
end

local function text(seen, o)
  local out, paint = {}, M.painter(o.display)
  if not o.host.quiet then
    out[1], out[2] = heading(seen), largest_line(seen)
  end
  M.findings(out, seen.found, o.host, paint)
  local open = unknown(seen)
  if open and not o.host.quiet then out[#out + 1] = "  " .. open end
  out[#out + 1] = last_line(seen.found)
  return table.concat(out, "\n") .. "\n"
end

---One line for machines.
---@param kind string
---@param fields table
---@return string
local function event(kind, fields)
  fields.event, fields.at = kind, clock.iso()
  return json.encode(fields) .. "\n"
end
M.event = event

---One line for each finding.
---@param out string[]
---@param found pgorch.Findings
function M.finding_events(out, found)
  for _, each in ipairs(found.list) do
    out[#out + 1] = event("finding", { level = each.level, id = each.id, what = each.what, detail = each.detail,
                                       fate = each.fate, cure = each.cure })
  end
end

local function events(seen)
  local source, size, found = source_of(seen), seen.size, seen.found
  local out = { event("inspected", {
    recipe = seen.inspection.recipe.name, app = seen.inspection.params.app, source = source and source:name(),
    version = size and size.version, bytes = size and size.bytes, console_bytes = size and size.console_bytes,
    largest = size and json.array(largest(size)), target = seen.target,
    estimate = size and times.of_run(seen.inspection) }) }
  M.finding_events(out, found)
  out[#out + 1] = event("summary", { passed = found:count "pass", warned = found:count "warn",
                                     failed = found:count "fail", unknown = unknown(seen),
                                     status = found:count "fail" > 0 and 4 or 0 })
  return table.concat(out)
end

---@param seen pgorch.preflight.Seen
---@param o {host: table, display: table, write: fun(text: string)}
function M.write(seen, o)
  o.write(o.host.json and events(seen) or text(seen, o))
end

return M
