-- One claimed row, from its claim to what becomes of it: looks at the run first, which may be done already, or still
-- at work elsewhere; starts the child; notes how far it is; puts down how it ended. Nothing is written for a row that
-- another worker has claimed since: the store refuses it, and the child is stopped, so that the other one's can go on.

local child   = require "pgorch.batch.child"
local clock   = require "pgorch.clock"
local fail    = require "pgorch.error"
local json    = require "pgorch.json"
local outcome = require "pgorch.batch.outcome"
local owner   = require "pgorch.runner.owner"
local poll    = require "pgorch.poll"
local task    = require "pgorch.task"
local window  = require "pgorch.batch.window"

local NOTE_SECONDS = 2           -- between two notes of how far a row is
local AGAIN_SECONDS = 2          -- until a store that is away is asked again

---@class pgorch.RowTask
---@field batch string
---@field id string
---@field fence integer
---@field row pgorch.BatchRow
---@field proc pgorch.Process|nil
---@field asked boolean|nil   it was told to stop
---@field lost boolean|nil    another worker has the row
local RowTask = {}
RowTask.__index = RowTask

---@param worker pgorch.Worker
---@param batch pgorch.BatchRead
---@param row pgorch.BatchRow  as it was claimed
---@param taken_over boolean   from a worker that has gone
---@return pgorch.RowTask
function RowTask.new(worker, batch, row, taken_over)
  return setmetatable({ worker = worker, of = batch, row = row, batch = batch.name, id = row.id, fence = row.fence,
    taken_over = taken_over, noted = -math.huge }, RowTask)
end

local function terminate(self)
  if self.proc then self.proc:kill "TERM" end
end

---Lets the run stop safely; its state is kept.
function RowTask:stop()
  self.asked = true
  terminate(self)
end

---Another worker has the row.
function RowTask:lose()
  if self.lost then return end
  self.lost = true
  self.worker.board:message(("row %s of %s was taken over by another worker"):format(self.id, self.batch))
  terminate(self)
end

-- --- the store, which may be away ---

local function patiently(fn, ...)
  while true do
    local results = table.pack(pcall(fn, ...))
    if results[1] then return table.unpack(results, 2, results.n) end
    if not fail.is(results[2]) or results[2].kind ~= "store" then error(results[2], 0) end
    task.sleep(AGAIN_SECONDS)
  end
end

local function find_run(self)
  local store, id = self.worker.store, self.row.run
  local ok, run = pcall(patiently, store.run, store, id)
  if ok then return run.id == id and run or nil end
  if fail.is(run, "PGO-RUN-UNKNOWN") then return nil end
  error(run, 0)
end

local function show(self, fields)
  for name, value in pairs(fields) do self.row[name] = value ~= json.null and value or nil end
  self.worker.board:row(self.of, self.row)
end

local function settle(self, made)
  local fields = { progress = json.null }
  for name, value in pairs(made) do fields[name] = value end
  patiently(self.worker.store.release_row, self.worker.store, self.batch, self.id, self.fence, fields)
  self.settled = true
  show(self, fields)
end

-- How far it is; a write that fails now is made good by the next one.
local function note(self, at)
  self.row.progress = at
  self.worker.board:row(self.of, self.row)
  if clock.uptime() - self.noted < NOTE_SECONDS and not (at.gate and not self.gate) then return end
  self.noted, self.gate = clock.uptime(), at.gate
  local ok, err = pcall(self.worker.store.update_row, self.worker.store, self.batch, self.id, self.fence,
    { progress = at })
  if not ok and fail.is(err, "PGO-FENCED") then self:lose() end
end

-- --- the child ---

local function limits(self, more)
  local o = { attempt = self.row.attempt, attempts = self.of.options.attempts, scale = poll.seconds "again" }
  for name, value in pairs(more or {}) do o[name] = value end
  return o
end

local function start(self, what)
  local recipe = self.worker.admission:recipe_of(self.row)
  local words = child.words(self.row, what, { recipe = recipe, options = self.of.options })
  return child.run(words, child.environment(self.worker.state), {
    started = function(proc)
      self.proc = proc
      if self.lost or self.worker.stopping then self:stop() end
    end,
    changed = function(at) note(self, at) end,
  })
end

-- A row that was claimed, and whose worker went away before its run began, is as it was before; so is its time.
local function is_too_late(self, what)
  return what == "begin" and self.taken_over
    and not window.fits(self.of.options.window, clock.time(), self.row.estimate)
end

-- Its workers went away too often, in the middle of it: what stands is said, and no more is tried by itself.
local function is_worn_out(self, what)
  return self.taken_over and self.row.attempt > self.of.options.attempts and (what == "begin" or what == "go_on")
end

local function put_away(self, run)
  settle(self, { state = "stopped", stands = run ~= nil, error = { id = "PGO-BATCH",
    message = ("its worker went away %d times"):format(self.row.attempt - 1) } })
end

local function work(self)
  local run = find_run(self)
  local what = outcome.next_step(run, { at_work = run ~= nil and owner.is_at_work(run), taken_over = self.taken_over,
    now = clock.time() })
  if what == "wait" then return settle(self, outcome.elsewhere(limits(self))) end
  if what == "settled" then return settle(self, outcome.of(run, limits(self))) end
  if is_worn_out(self, what) then return put_away(self, run) end
  if is_too_late(self, what) then return settle(self, { state = "ready", stands = false }) end
  local ended = start(self, what)
  self.proc = nil
  if self.lost then return end
  settle(self, outcome.of(find_run(self), limits(self, { code = ended.code, error = ended.error, asked = self.asked })))
end

-- What no outcome tells: the program itself is wrong, or cannot be started. Where no run is on record nothing stands.
local function give_up(self, err)
  local known, run = pcall(find_run, self)
  local begun = not known or run ~= nil
  local made = { state = begun and "attention" or "failed", stands = begun, exit_status = 1,
                 error = child.error_fields(err) }
  local ok, why = pcall(settle, self, made)
  if not ok then self.worker.board:message(("row %s of %s: %s"):format(self.id, self.batch, tostring(why))) end
end

---Never raises.
function RowTask:run()
  local ok, err = pcall(work, self)
  if ok then return end
  if fail.is(err, "PGO-FENCED") then return self:lose() end
  if not self.settled then give_up(self, err) end
end

return RowTask
