-- What came of a run, in one sentence that a manager reads: what was moved or put back, and what is left to do. Pure.

local moment = require "pgorch.report.moment"

local outcome = {}

local function subject(report) return report.run.app or report.source.name or "the app" end

-- The step where it ended, by its title.
local function place(report)
  local id = report.run.error and report.run.error.step
  for _, step in ipairs(report.steps) do
    if step.id == id then return ("“%s”"):format(step.title) end
  end
  return id
end

local function at(report, words)
  local where = place(report)
  return where and words:format(where) or ""
end

local function warnings(report)
  local n = #report.warnings
  return n > 0 and (" %s a look."):format(moment.number(n, "warning needs", "warnings need")) or ""
end

local function equal(report)
  local v = report.verification
  if v.state ~= "equal" then return "" end
  return (" All %s in %s are equal on both sides."):format(moment.number(v.totals.rows, "row"),
    moment.number(v.totals.tables, "table"))
end

local function moved(report)
  if not report.cut_over_at then return ("The run came to its end.%s%s"):format(equal(report), warnings(report)) end
  return ("%s runs on its new database.%s%s"):format(subject(report), equal(report), warnings(report))
end

-- Only an error that came before the rollback made it one that failed: a rollback that was asked for has status 0.
local function put_back(report)
  if report.run.exit_status == 0 then
    return ("The move was given up and put back: %s is as it was before."):format(subject(report))
  end
  return ("The move failed%s and was put back: %s is as it was before."):format(at(report, " at %s"), subject(report))
end

local function window(report) return report.window.open and " THE WINDOW IS STILL OPEN." or "" end

local function stopped(report)
  return ("The run stopped%s; what it did stands, and it can go on or be put back.%s"):format(at(report, " at %s"),
    window(report))
end

local function failed(report)
  if report.cut_over_at then
    return ("%s was moved to its new database, but something after the cut-over failed%s."):format(subject(report),
      at(report, ": %s"))
  end
  return ("The run failed%s.%s"):format(at(report, " at %s"), window(report))
end

local function running_step(report)
  for i = #report.steps, 1, -1 do
    if report.steps[i].state == "running" then return ("“%s”"):format(report.steps[i].title) end
  end
end

local SENTENCES = {
  done = moved, put_back = put_back, stopped = stopped, failed = failed,
  undo_failed = function(report)
    return ("The move failed%s, and NOT everything could be put back.%s"):format(at(report, " at %s"), window(report))
  end,
  interrupted = function(report)
    return ("The process that worked on this run is gone. It can go on or be put back.%s"):format(window(report))
  end,
  waiting = function() return "The run waits for somebody to approve the cut-over." end,
  undoing = function(report) return ("What was done to %s is being put back now."):format(subject(report)) end,
  running = function(report)
    local step = running_step(report)
    return ("%s is being moved now%s."):format(subject(report), step and ": " .. step or "")
  end,
}

local HOW = { running = "goes on", stopped = "was stopped", interrupted = "was killed", failed = "failed" }

local function rehearsed(report)
  local state = report.run.state
  if state ~= "done" then
    return ("The rehearsal %s%s; nothing was changed outside."):format(HOW[state] or state, state ~= "running"
      and at(report, " at %s") or "")
  end
  local it = report.rehearsed
  return ("The rehearsal went through; nothing was changed outside.%s%s"):format(it
    and (" The window to announce is about %d min."):format(math.ceil(it.announce / 60)) or "", equal(report))
end

---@param report table
---@return string
function outcome.sentence(report)
  if report.run.kind == "rehearsal" then return rehearsed(report) end
  return ((SENTENCES[report.run.state] or stopped)(report):gsub("^the app ", "The app "))
end

local TONE = { done = "good", put_back = "calm", undo_failed = "bad", failed = "bad", stopped = "wait",
               interrupted = "wait", waiting = "wait", undoing = "wait", running = "calm" }

---How it is to be coloured: good, calm, wait, bad.
---@param report table
---@return string
function outcome.tone(report)
  if report.run.state == "put_back" and report.run.exit_status ~= 0 then return "wait" end
  return TONE[report.run.state] or "wait"
end

return outcome
