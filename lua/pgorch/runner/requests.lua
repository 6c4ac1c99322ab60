-- What another terminal asks of the process that works on a run, through the record, wherever that is: to stop safely,
-- or to put everything back. A request names its process: one that comes too late means nobody.

local json    = require "pgorch.json"
local owner   = require "pgorch.runner.owner"
local task    = require "pgorch.task"

local requests = {}

local LOOK_SECONDS = 1           -- of the process that works
local FOLLOW_SECONDS = 0.3       -- of the one that has asked, and of a person before it
local SILENT_SECONDS = 20        -- then it is said that no answer has come

local WORDS = { stop = "`pgorch cancel` asks to stop", rollback = "`pgorch rollback` asks to put back" }

---Whether a process works on the run.
---@param run pgorch.Run
---@return boolean
function requests.is_worked_on(run)
  return owner.is_at_work(run)
end

---The process that works on the run, in words.
---@param run pgorch.Run
---@return string
function requests.worker(run)
  return owner.words(run.owner)
end

---What is said when it does not answer.
---@param run pgorch.Run
---@return string
function requests.unanswered(run)
  return ("%s has not answered in %d s. Waiting for it goes on; if it hangs, end it (kill -9), and ask again")
    :format(requests.worker(run), SILENT_SECONDS)
end

---@param st pgorch.Store
---@param run pgorch.Run   as it was just read: its process is the one that is asked
---@param what "stop"|"rollback"
function requests.ask(st, run, what)
  st:update_run(run.id, { request = what .. " " .. run.owner })
  st:event(run.id, "requested", { what = what })
end

---Waits until the process that was asked has let the run go, or is gone.
---@param st pgorch.Store
---@param run pgorch.Run
---@param seen fun(run: pgorch.Run, silent: boolean)   at each look; silent: for once, when no answer has come
---@return pgorch.Run  as it is then
function requests.follow(st, run, seen)
  local asked, since, said = run.owner, task.now(), false
  repeat
    task.sleep(FOLLOW_SECONDS)
    run = st:run(run.id)
    local silent = not said and run.request ~= nil and task.now() - since > SILENT_SECONDS
    said = said or silent
    seen(run, silent)
  until run.owner ~= asked or not owner.is_at_work(run)
  return run
end

-- A record that cannot be read now is asked again at the next look.
local function asked(current)
  local ok, run = pcall(current.store.run, current.store, current.run.id)
  local what, whom = (ok and run.request or ""):match "^(%l+) (.+)$"
  return whom == current.owner and WORDS[what] and what or nil
end

local function forget(current)
  pcall(current.durably, current, current.store.update_run, current.store, current.run.id,
    { request = json.null })
end

---Heeds requests while the group works: the first one cancels it. What is being put back, or finished, is not stopped.
---@param current pgorch.Session
---@param group table
function requests.watch(current, group)
  while current.owner do
    task.sleep(LOOK_SECONDS)
    local what = asked(current)
    if what then
      forget(current)
      local how = not current.ending and "stopping safely" or what == "stop" and "not now: the run is ending by itself"
        or "the run is ending by itself"
      current.display:emit("message", { text = ("%s: %s"):format(WORDS[what], how) })
      if not current.ending then
        current.requested = what
        group:cancel("requested")
        return
      end
    end
  end
end

return requests
