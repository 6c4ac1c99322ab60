-- The runner: starts a run, resumes one, puts one back. Ties the record, the steps, the endings and the display
-- together; each of them is a file in runner/. Returns exit statuses; raises only what came before the run began.

local attended = require "pgorch.runner.attended"
local changes = require "pgorch.runner.changes"
local cleanup = require "pgorch.runner.cleanup"
local clock   = require "pgorch.clock"
local deadline = require "pgorch.runner.deadline"
local drift   = require "pgorch.plan.drift"
local elsewhere = require "pgorch.runner.elsewhere"
local ending  = require "pgorch.runner.ending"
local fail    = require "pgorch.error"
local fs      = require "pgorch.fs"
local group   = require "pgorch.runner.group"
local json    = require "pgorch.json"
local lost_writes = require "pgorch.runner.lost_writes"
local owner   = require "pgorch.runner.owner"
local requests = require "pgorch.runner.requests"
local resume  = require "pgorch.runner.resume"
local session = require "pgorch.runner.session"
local steps   = require "pgorch.runner.steps"
local task    = require "pgorch.task"
local undo    = require "pgorch.runner.undo"

local runner = {}

local undisturbed = attended.undisturbed

local function choose(current)
  local only = current.host.only
  if only then
    current.only = {}
    for _, id in ipairs(only) do
      current:need_step(id, "--only")
      current.only[id] = true
    end
  end
  if current.host["until"] then current:need_step(current.host["until"], "--until") end
end

-- One of the endings; the run may be lost to another process meanwhile.
local function finish(current, fn, ...)
  local results = table.pack(pcall(undisturbed, current, fn, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  if not current.lost and not fail.is(results[2], "PGO-FENCED") then error(results[2], 0) end
  return ending.lost(current, results[2])
end

local function work(current)
  local ok, result = attended.run(current, steps.run_all, current)
  if not ok then return finish(current, ending.failed, current, result) end
  if result or current.only then
    return finish(current, ending.part, current, result or table.concat(current.host.only, ", "))
  end
  return finish(current, ending.good, current)
end

local function open_session(o, run)
  local current = session.new { store = o.store, run = run, recipe = o.recipe, params = o.params, host = o.host,
                                display = o.display }
  current.standing, current.going_on = undo.standing, undo.going_on
  current.member = group.member(current)
  if not o.host["accept-changes"] then current.planned = drift.of_run(o.store, run.id) end
  return current
end

-- Flags that are for the whole run: a resumed one has them too, unless it is told otherwise.
local KEPT = { "deadline", "on-failure", "yes-cut-over", "notify-env", "notify-file", "in-batch", "batch-row" }

local function kept_flags(flags)
  local kept = {}
  for _, name in ipairs(KEPT) do kept[name] = flags[name] or nil end
  return kept
end

local function take_over(current, before)
  local said = {}
  for _, name in ipairs(KEPT) do
    local value = before[name]
    if value and current.host[name] == nil then
      current.host[name] = value
      local shown = name == "deadline" and clock.iso(math.floor(value)) or value ~= true and value
      said[#said + 1] = "--" .. name .. (shown and " " .. shown or "")
    end
  end
  if #said > 0 then current.display:emit("message", { text = "as the run began: " .. table.concat(said, ", ") }) end
  local problem = current.host.deadline and not current:cut_over() and deadline.problem(current.host.deadline)
  if problem then
    fail.raise("PGO-USAGE", "--deadline: " .. problem, { cure = ("Name another: `pgorch resume %s --deadline +2h`, or "
      .. "none."):format(current.run.id) })
  end
end

---@class pgorch.RunnerOptions
---@field store pgorch.Store
---@field recipe pgorch.Recipe
---@field recipe_path string  as it was named, made absolute
---@field values table        parameters that are no secrets
---@field places table        where the secret ones come from
---@field params table        all of them, for the steps
---@field given table         the parameters named on this command line (resume)
---@field exact boolean|nil   these are all parameters, and not only those that differ (run --run-id)
---@field host table          flags of the host
---@field display table
---@field planned table[]|nil what the steps may do: those of a plan that is applied

local function params_of(o)
  return { values = o.values, secrets = o.places, host = kept_flags(o.host) }
end

local DISCARD_SECONDS = 60

-- It has not begun: a record of it would only stand in the way.
local function discard(o, run, why)
  task.shield(DISCARD_SECONDS, o.store.discard_run, o.store, run.id)
  pcall(fs.remove_tree, o.store:run_dir(run.id))
  error(why, 0)
end

---Begins a run and works on it until it ends.
---@param o pgorch.RunnerOptions
---@return integer status
function runner.start(o)
  local run = o.store:create_run {
    id = o.host["run-id"], recipe = o.recipe.name, recipe_path = o.recipe_path, recipe_hash = o.recipe.hash,
    params = params_of(o), versions = changes.versions(o.recipe), owner = owner.this(),
    told = o.planned and drift.event(o.planned),
  }
  local opened, current = pcall(open_session, o, run)
  if not opened then discard(o, run, current) end
  local _ <close> = current
  current.owner = run.owner
  local ok, err = pcall(function()
    choose(current)
    current:lock()
  end)
  if not ok then discard(o, run, err) end
  o.display:emit("run_started", { session = current })
  current:last_words()
  return work(current)
end

-- `status` is what it ends with when all could be put back. What cannot be reached fails by itself, and is listed.
local function put_back(current, status)
  current.display:emit("rollback_started", { session = current })
  return finish(current, function()
    if #undo.pending(current) > 0 then pcall(resume.reopen, current) end
    current.ending = "undo"
    group.give_up(current)
    local ended, failures = ending.put_back(current, status, current.run.error)
    current.display:emit("ended", { session = current, status = ended, failures = failures,
                                    standing = undo.standing(current), put_back = true })
    return ended
  end)
end

local function recheck(current)
  local ok, voided = attended.run(current, resume.recheck, current)
  if not ok then return nil, voided end
  current.display:emit("resumed", { session = current, voided = voided, done = resume.done_count(current),
                                    interrupted = resume.interrupted(current) })
  return voided
end

local function refuse_lost_writes(current)
  local ok, err = attended.run(current, lost_writes.refuse, current)
  if not ok then error(err, 0) end
end

-- The one process that works on the run from now on. `accepted`: what it may do otherwise than the run was begun.
local function claim(current, o, accepted)
  current:claim()
  if #accepted == 0 then return end
  current:update { recipe_hash = o.recipe.hash, recipe_path = o.recipe_path, versions = changes.versions(o.recipe),
                   params = { values = o.values, secrets = o.places, host = current.run.params.host } }
  current:durably(current.store.event, current.store, current.run.id, "changed", { differences = accepted })
  current.display:emit("message", { text = "accepted:\n  " .. table.concat(accepted, "\n  ") })
end

-- What the rollback that was begun last was to end with.
local function status_meant(current)
  local status = 0
  for _, event in ipairs(current.store:events(current.run.id)) do
    if event.kind == "undoing" and not event.data.step then status = event.data.exit_status or 0 end
  end
  return status
end

---Goes on with a run.
---@param o pgorch.RunnerOptions
---@param run pgorch.Run
---@return integer status
function runner.resume(o, run)
  local accepted = changes.refuse(run, o)
  changes.refuse_other_way(run, o)
  local current <close> = open_session(o, run)
  claim(current, o, accepted)
  -- A rollback that was cut short is finished, and ends as it would have.
  if run.state == "undoing" or run.state == "undo_failed" then
    refuse_lost_writes(current)
    return put_back(current, status_meant(current))
  end
  take_over(current, run.params.host or {})
  choose(current)
  current:lock()
  current:update { state = "running", attempt = run.attempt + 1, exit_status = json.null, error = json.null,
                   gate = json.null, versions = changes.versions(o.recipe), params = params_of(o) }
  current.run.exit_status, current.run.error, current.run.gate = nil, nil, nil
  current:last_words()
  local voided, err = recheck(current)
  if not voided then return finish(current, ending.failed, current, err) end
  return work(current)
end

-- A process that was killed at its cleanup has left them, and nothing else would give them back.
local function give_back_names(o, run)
  for _, lock in ipairs(o.store:locks(run.id)) do
    if not lock.data then
      local current <close> = open_session(o, run)
      current:claim()
      return current:durably(current.unlock, current)
    end
  end
end

---Goes on with a run, unless it is done: then it says so, and holds nothing.
---@param o pgorch.RunnerOptions
---@param run pgorch.Run
---@return integer status
function runner.go_on(o, run)
  if run.state ~= "done" then return runner.resume(o, run) end
  changes.refuse(run, o)
  give_back_names(o, run)
  o.display:emit("message", { text = ("run %s is done: there is nothing to go on with. pgorch status %s")
    :format(run.id, run.id) })
  return 0
end

-- What is undone at the end of a good run too (our entry on the source's allow list) is needed again by whoever comes
-- back to the source later. It is undone with the rest, or by undo.all(current, true).
-- `way_in`: only what lets this machine in.
local function reopen(current, way_in)
  for _, row in ipairs(current:backwards()) do
    local step = current:step_of(row.id)
    local wanted = step and step.undo_when == "always" and not step.each and (step.before_checks or not way_in)
    if row.state == "undone" and wanted then
      local ok, err = attended.run(current, steps.run, current, step)
      if not ok then error(err, 0) end
    end
  end
end

---Puts everything back that the run did. A process that works on it is asked to; where none does, or it is gone before
---it has, this one does.
---@param o pgorch.RunnerOptions
---@param run pgorch.Run
---@return integer status
function runner.rollback(o, run)
  local accepted = changes.refuse(run, o)
  if requests.is_worked_on(run) then
    local status
    run, status = elsewhere.put_back(o, run, function()
      local current <close> = open_session(o, run)
      refuse_lost_writes(current)
    end)
    if status then return status end
  end
  local current <close> = open_session(o, run)
  claim(current, o, accepted)
  refuse_lost_writes(current)
  current:lock()
  current:last_words()
  if run.state == "done" or run.state == "failed" then reopen(current) end
  return put_back(current, 0)
end

---Runs fn with a run that is over, as the one process that works on it and on its app.
---@param o pgorch.RunnerOptions
---@param run pgorch.Run
---@param fn fun(current: table): any
---@return any
function runner.at_rest(o, run, fn)
  local accepted = changes.refuse(run, { recipe = o.recipe, given = {}, host = o.host })
  local current <close> = open_session(o, run)
  claim(current, o, accepted)
  cleanup.refuse_unfinished(current)
  current:lock()
  local results = table.pack(pcall(current.while_mine, current, fn))
  current:durably(current.unlock, current)                -- after Ctrl-C, too: nobody comes back to give it
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

---Runs fn while the source lets this machine in, as it did during the run.
---@param current table
---@param fn fun(): any
---@return any
function runner.with_source(current, fn)
  reopen(current, true)
  local ok, result = pcall(fn)
  local failures = undisturbed(current, undo.all, current, true)
  if not ok then error(result, 0) end
  if failures[1] then error(failures[1].error, 0) end
  return result
end

---Removes what the run has left behind. Returns how much of it could not be removed.
---@param o pgorch.RunnerOptions
---@param run pgorch.Run
---@param confirmed fun(what: string): boolean
---@param seen fun(entry: pgorch.Cleaned)
---@return integer left
function runner.cleanup(o, run, confirmed, seen)
  return runner.at_rest(o, run, function(current) return cleanup.run(current, confirmed, seen) end)
end

return runner
