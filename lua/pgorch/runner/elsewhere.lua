-- The rollback of a run on which another process works: it is asked to, followed to its end, and its outcome is told as
-- if it were our own. Puts nothing back itself.

local requests = require "pgorch.runner.requests"
local session  = require "pgorch.runner.session"
local task     = require "pgorch.task"
local undo     = require "pgorch.runner.undo"

local elsewhere = {}

-- Each step as it is put back there, as far as the record knows.
local function shower(o)
  local shown = {}
  return function(run)
    for _, row in ipairs(o.store:steps(run.id)) do
      local ended = row.state == "undone" and "put back" or row.state == "undo_failed" and "NOT put back"
      if ended and shown[row.id] ~= row.state then
        shown[row.id] = row.state
        o.display:emit("message", { text = ("  %s: %s"):format(row.title, ended) })
      end
    end
  end
end

local function follow(o, run)
  local show = shower(o)
  return requests.follow(o.store, run, function(now, silent)
    if silent then o.display:emit("message", { text = requests.unanswered(run) }) end
    show(now)
  end)
end

-- What the process that was asked has left, as its own `ended` would say it.
local function tell(o, run, since)
  local seen <close> = session.new { store = o.store, run = run, recipe = o.recipe, params = o.params, host = o.host,
                                     display = o.display }
  seen.started = since
  local status = run.state == "put_back" and 0 or 11
  o.display:emit("ended", { session = seen, status = status, failures = undo.failures(seen), standing = {},
                            put_back = true })
  return status
end

---Has the process that works on the run put it back.
---@param o pgorch.RunnerOptions
---@param run pgorch.Run
---@param refuse fun()            raises where putting back would lose something: before anybody is disturbed
---@return pgorch.Run run         as that process has left it
---@return integer|nil status     nil: it has not put back, or died on the way
function elsewhere.put_back(o, run, refuse)
  refuse()
  local since = task.now()
  requests.ask(o.store, run, "rollback")
  o.display:emit("message", { text = ("%s works on run %s: asked to stop and to put everything back")
    :format(requests.worker(run), run.id) })
  local left = follow(o, run)
  local over = left.state == "put_back" or left.state == "undo_failed"
  return left, over and tell(o, left, since) or nil
end

return elsewhere
