-- The report for a terminal: what came of it, in a screenful. The page and the JSON have all the rest. Pure.

local moment = require "pgorch.report.moment"
local values = require "pgorch.recipe.values"

local text = {}

local function window(report)
  local it, began = report.window, report.run.created_at
  if #it.times == 0 then return "not opened" end
  local by = report.run.deadline and ", must close by " .. moment.since(report.run.deadline, began) or ""
  return ("%s  from %s to %s%s"):format(values.show_duration(it.seconds), moment.since(it.opened_at, began),
    it.closed_at and moment.since(it.closed_at, began) or "now", it.open and "  STILL OPEN" .. by or "")
end

local function compared(report)
  local v = report.verification
  if v.state ~= "equal" then return v.state end
  return ("%s, %s, EQUAL"):format(moment.number(v.totals.tables, "table"), moment.number(v.totals.rows, "row"))
end

-- Nothing was moved before the cut-over, nor by a rehearsal.
local function ends(report, add)
  local from, to = report.source.name or "source", report.target.name or report.run.app
  if report.cut_over_at and report.run.kind ~= "rehearsal" then
    return add("moved", to and ("%s -> %s"):format(from, to) or from)
  end
  add("from", from)
  add("to", to)
end

local function slowest(report)
  local list, out = {}, {}
  for _, step in ipairs(report.steps) do
    if step.seconds and not step.gate and not step.item then list[#list + 1] = step end
  end
  table.sort(list, function(a, b) return a.seconds > b.seconds end)
  for i = 1, math.min(5, #list) do
    out[i] = ("%s %s"):format(list[i].title, values.show_duration(list[i].seconds))
  end
  return #out > 0 and table.concat(out, "; ") or nil
end

local function joined(list)
  local out = {}
  for i, each in ipairs(list) do out[i] = type(each) == "string" and each or each.text or each.title end
  return #out > 0 and table.concat(out, "; ") or nil
end

---@param report table
---@return string
function text.write(report)
  local run, out = report.run, { report.run.outcome, "" }
  local function add(label, value)
    if value then out[#out + 1] = ("  %-13s %s"):format(label, value) end
  end
  add("run", ("%s  recipe %s  %s"):format(run.id, run.recipe.name, moment.number(#report.attempts, "attempt")))
  add("began", run.created_at:sub(1, 10) .. " " .. moment.time(run.created_at) .. " UTC; all times here are UTC")
  add("deadline", run.deadline and moment.since(run.deadline, run.created_at))
  ends(report, add)
  add("size", report.source.bytes and values.show_size(report.source.bytes) .. (report.dump.bytes
    and ", dump of " .. values.show_size(report.dump.bytes) or ""))
  add("window", window(report))
  add("cut over", report.cut_over_at and moment.since(report.cut_over_at, run.created_at))
  add("compared", compared(report))
  add("slowest", slowest(report))
  add("put back", joined(report.put_back))
  add("NOT put back", joined(report.not_put_back))
  add("still so", joined(report.standing))
  add("kept", joined(report.kept))
  add("error", run.error and ("%s  %s"):format(run.error.id, run.error.message))
  for _, each in ipairs(report.warnings) do add("warning", ("%s: %s"):format(each.step, each.text)) end
  if run.exit_status then add("exit", ("%d: %s"):format(run.exit_status, run.meaning)) end
  return table.concat(out, "\n") .. ("\n\nthe whole of it: pgorch report %s --html FILE, or --json\n"):format(run.id)
end

return text
