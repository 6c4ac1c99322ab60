-- A rehearsal: the steps of a recipe with the real source, which is only read, and everything else local. Recorded as a
-- run of its own kind, whose times `pgorch plan` may use. Nothing of it is left when it ends, but for the record.

local attended = require "pgorch.runner.attended"
local basis    = require "pgorch.rehearsal.basis"
local changes  = require "pgorch.runner.changes"
local derived  = require "pgorch.rehearsal.recipe"
local ending   = require "pgorch.runner.ending"
local host     = require "pgorch.native.host"
local measured = require "pgorch.rehearsal.measured"
local names    = require "pgorch.rehearsal.names"
local place    = require "pgorch.rehearsal.place"
local report   = require "pgorch.rehearsal.report"
local owner    = require "pgorch.runner.owner"
local session  = require "pgorch.runner.session"
local steps    = require "pgorch.runner.steps"
local task     = require "pgorch.task"
local term     = require "pgorch.term"
local undo     = require "pgorch.runner.undo"

local rehearsal = {}

-- --- what is said before ---

local function say(display, format, ...) display:emit("message", { text = format:format(...) }) end

local function announce(o, current)
  local display = o.display
  if display.mode == "json" then return display:emit("run_started", { session = current }) end
  say(display, "%s of recipe %s%s", display:paint("bold", "rehearsal " .. current.run.id), o.recipe.name,
    o.params.app and "   app " .. o.params.app or "")
  if display.quiet then return end
  say(display, "reads the whole source twice: once for the dump, once for the sums, with %s at a time (--verify-jobs)",
    o.params.verify_jobs and o.params.verify_jobs .. " connections" or "up to 4 connections")
  say(display, "changes nothing there or at Heroku%s", o.host["open-allow-list"]
    and ", but for an entry on the source's allow list, which is taken out again" or "")
  if o.params.on_freeze or o.params.on_thaw then say(display, "--on-freeze and --on-thaw are not run") end
  if o.params.accept then say(display, "--accept is run against the local copy") end
end

-- --- how it ends ---

local TRANSIENT = { net = true, timeout = true, store = true }

-- Exit status and state. Nothing stands that would have to be kept.
local function outcome(current, err, warned)
  if not err then return warned and 3 or 0, "done" end
  if task.cancelled(err) or current.requested or host.interrupted() then return 8, "stopped" end
  if err.retryable or TRANSIENT[err.kind] then return 6, "failed" end
  return ending.status_of(err), "failed"
end

local function has_warnings(current)
  for _, row in pairs(current.rows) do
    if row.summary and row.summary.warnings then return true end
  end
  return false
end

local function put_back(current)
  if #undo.pending(current) == 0 then return {} end
  return attended.undisturbed(current, undo.all, current)
end

local function results_of(o, current, err)
  local list, seconds = measured.of(current.rows, current.steps)
  local unmeasured = measured.not_measured(list, current.results, { hooks = o.params.on_freeze or o.params.on_thaw })
  return { measured = list, unmeasured = unmeasured, window = not err and measured.window(seconds, unmeasured) or nil,
           error = err, rows = current:forwards(), run = current.run, record = o.store.path,
           seconds = task.now() - current.started }
end

local function finish(o, current, err)
  local failures = put_back(current)
  local e = results_of(o, current, err)
  local state
  e.failures, e.left_out = failures, o.left_out
  e.status, state = outcome(current, err, has_warnings(current))
  if #failures > 0 then e.status, state = 11, "failed" end
  if not err then current:durably(basis.keep, current, e) end
  current:update { state = state, exit_status = e.status, error = err and steps.error_fields(err) or nil }
  current:durably(current.unlock, current)
  if err then o.display:emit("failed", { error = err, status = e.status, pending = 0 }) end
  term.out(o.display.mode == "json" and report.json(e) or report.text(e))
  return e.status
end

-- --- the rehearsal ---

local function last_words(current)
  local standing = undo.standing(current)
  host.last_words(("left at once. %s; the local world goes by itself."):format(#standing > 0
    and "NOT put back: " .. table.concat(standing, "; ") or "Nothing was changed outside"))
end

local function open_session(o, recipe)
  local run = o.store:create_run {
    recipe = o.recipe.name, recipe_path = o.recipe_path, recipe_hash = o.recipe.hash, kind = "rehearsal",
    params = { values = o.values, secrets = o.places, host = {} },
    versions = changes.versions(o.recipe), owner = owner.this(),
  }
  local current = session.new { store = o.store, run = run, recipe = recipe, params = derived.params(o.params),
                                host = {}, display = o.display }
  current.owner, current.last_words = run.owner, last_words
  current.store = names.apart(current.store, run.id)
  return current
end

local function work(o, group)
  local local_place <close> = place.new { group = group, folder = o.host.folder, postgres = o.host.postgres }
  local recipe, left_out = derived.derive(o.recipe, { place = local_place, params = o.params,
                                                      open_allow_list = o.host["open-allow-list"] })
  o.left_out = left_out
  local current <close> = open_session(o, recipe)
  announce(o, current)
  current:last_words()
  local ok, err = attended.run(current, steps.run_all, current)
  return finish(o, current, not ok and err or nil)
end

---Rehearses. A Ctrl-C that came meanwhile was answered: its status counts.
---@param o table   as for runner.start; host has folder, postgres, open-allow-list
---@return integer status
function rehearsal.run(o)
  local status
  local ok, why = pcall(task.group, function(group) status = work(o, group) end)
  if not ok and not (status and task.cancelled(why)) then error(why, 0) end
  return status
end

return rehearsal
