-- Runs a part of a run's work beside what watches over it: the display, Ctrl-C, the deadline, requests from other
-- terminals, the other rows of its group. Decides nothing about what follows.

local deadline = require "pgorch.runner.deadline"
local fail     = require "pgorch.error"
local grouped  = require "pgorch.runner.group"
local host     = require "pgorch.native.host"
local requests = require "pgorch.runner.requests"
local task     = require "pgorch.task"

local attended = {}

local TICK_SECONDS = 0.5

-- What the first Ctrl-C does depends on what is under way.
local HEARD = {
  undo = "putting back goes on: what is half put back helps nobody (again to leave at once)",
  ["end"] = "the end of the run is being recorded (again to leave at once)",
}

local function say_heard(current)
  current.heeded = true
  local text = HEARD[current.ending] or "stopping safely (again to leave at once)"
  if current.asking then text = "\n" .. text end               -- a question stands on this line
  current.display:emit("message", { text = text })
end

-- Keeps the display alive. The first Ctrl-C cancels everything: say at once that it was heard.
local function tick(current)
  repeat
    local ok = pcall(task.sleep, TICK_SECONDS)
    if host.interrupted() and not current.heeded then say_heard(current) end
    current.display:tick()
  until not ok
end

---Runs fn. Returns whether it succeeded, and its result or error, read from what fn did: the group's own end may be an
---error that came later.
---@param current pgorch.Session
---@param fn function
---@return boolean ok
---@return any
function attended.run(current, fn, ...)
  local arguments, results, lost_before = table.pack(...), nil, current.lost
  local _, outside = pcall(task.group, function(group)
    group:spawn(tick, current)
    group:spawn(current.keep_lease, current)
    group:spawn(current.watch_lease, current)
    group:spawn(deadline.watch, current, group)
    group:spawn(requests.watch, current, group)
    group:spawn(grouped.watch, current, group)
    results = table.pack(xpcall(fn, fail.handler, table.unpack(arguments, 1, arguments.n)))
    group:cancel("done")
  end)
  if not results then return false, fail.wrap(outside) end
  -- Another process has the run, or may have: what was done here since then is not to be told as its end.
  if current.lost and (not results[1] or not lost_before) then return false, current.lost end
  return table.unpack(results, 1, results.n)
end

---Work that Ctrl-C, a deadline and requests do not reach.
---@param current pgorch.Session
---@param fn function
---@return any  fn's result; its error is raised
function attended.undisturbed(current, fn, ...)
  current.ending = current.ending or "end"
  local ok, result = task.shield(nil, attended.run, current, fn, ...)
  if not ok then error(result, 0) end
  return result
end

return attended
