-- The loop of a worker, and of `batch run`, which is a worker for one batch: reads what is on record, decides what may
-- start (batch/eligible.lua), claims it, and works on each claimed row beside the others (batch/row_task.lua). Any
-- number of workers share a store; none knows of another but by what is on record.
-- Signals: the first one, and no row begins any more, those at work go on to their end; the second, or the time for
-- draining is over, and these are stopped safely; the third ends the process at once, and its children with it.

local Admission = require "pgorch.batch.admission"
local RowTask   = require "pgorch.batch.row_task"
local clock     = require "pgorch.clock"
local eligible  = require "pgorch.batch.eligible"
local fail      = require "pgorch.error"
local host      = require "pgorch.native.host"
local order     = require "pgorch.batch.order"
local owner     = require "pgorch.runner.owner"
local poll      = require "pgorch.poll"
local task      = require "pgorch.task"

local worker = {}

local TICK_SECONDS = 0.2
local OLD_SECONDS = 10           -- a lease that is over changes nothing on record: it is looked for so often

---@class pgorch.Worker
---@field store pgorch.Store
---@field state string|pgorch.Secret  address of the store, for the children
---@field name string
---@field slots integer
---@field board table
---@field mine table<table, boolean>  tasks of rows, see batch/row_task.lua
---@field stopping boolean|nil        those are to be stopped
local Worker = {}
Worker.__index = Worker

-- What is shown decides nothing: a board that fails, on a terminal that is gone or by its own mistake, hurts no row.
local function unfailing(board)
  local function call(name)
    return function(_, ...)
      if board then pcall(board[name], board, ...) end
    end
  end
  return { row = call "row", batch = call "batch", message = call "message", tick = call "tick" }
end

-- --- what is on record ---

-- As it was read, with the clock going on.
local function at_present(seen)
  seen.batch.now = seen.now + math.floor((clock.uptime() - seen.at) * 1e6)
  return seen.batch
end

local function look(self, name, revision)
  local seen = self.seen[name]
  if seen and seen.batch.revision == revision and clock.uptime() - seen.at < OLD_SECONDS then return seen end
  local batch = self.store:schedule(name)
  if not batch then return nil end
  self.seen[name] = { batch = batch, now = batch.now, at = clock.uptime(), told = seen and seen.told or {},
    elsewhere = self.store:busy_elsewhere(name) }
  return self.seen[name]
end

-- --- what is told ---

local function tell(self, seen, decision)
  local batch = seen.batch
  local head = ("%s %s %s"):format(batch.state, batch.reason or "", decision.awaits_approval or "")
  if seen.told[1] ~= head then
    seen.told[1], batch.awaits_approval = head, decision.awaits_approval
    self.board:batch(batch)
  end
  for _, row in ipairs(batch.rows) do
    row.reason = decision.reasons[row.id]
    local what = ("%s %d %s"):format(row.state, row.fence, (row.reason or ""):gsub("%d+", ""))
    if seen.told[row.id] ~= what then
      seen.told[row.id] = what
      self.board:row(batch, row)
    end
  end
end

-- --- what is done ---

local function busy(self)
  local n = 0
  for _ in pairs(self.mine) do n = n + 1 end
  return n
end

-- Its own rows are its own, also when their leases are over: the store was away.
local function is_mine(self, row)
  for mine in pairs(self.mine) do
    if mine.batch == row.batch and mine.id == row.id then return true end
  end
  return false
end

local function have(self, seen)
  local n = busy(self)
  return { slots = self.slots - n, busy = n, elsewhere = seen.elsewhere, clock = clock.time(),
    is_held = function(row) return is_mine(self, row) or self.store:is_row_held(row) end,
    takes = function(row)
      local refused = self.refused[row.batch .. "\0" .. row.id]
      if refused and refused.fence == row.fence then return false, refused.why end
      return self.admission:takes(row)
    end }
end

-- Rows whose words this worker may not run are another one's; or nobody's, which is said.
-- A group is taken whole or not at all.
local function admitted(self, batch, rows)
  if self.admission.free then return rows end
  local without, good = {}, {}
  for _, row in ipairs(rows) do
    local full = self.store:batch_row(batch.name, row.id)
    local why = full and self.admission:refuses(full)
    if why then
      without[row.grp and "group " .. row.grp or row] = true
      self.refused[row.batch .. "\0" .. row.id] = { why = why, fence = row.fence }
      self.board:message(("row %s of %s is not for this worker: %s"):format(row.id, batch.name, why))
    end
  end
  for _, row in ipairs(rows) do
    if not without[row.grp and "group " .. row.grp or row] then good[#good + 1] = row end
  end
  return good
end

local function begin(self, batch, rows)
  rows = admitted(self, batch, rows)
  if #rows == 0 then return end
  local claimed = self.store:claim_rows(batch, rows, self.name)
  self.woken = not claimed                           -- something has changed: it is looked at again
  if not claimed then return end
  for i, row in ipairs(claimed) do
    local mine = RowTask.new(self, batch, row, rows[i].state == "running")
    self.mine[mine] = true
    self.board:row(batch, row)
    self.group:spawn(function()
      mine:run()
      self.mine[mine], self.woken = nil, true
      self.change:set()
    end)
  end
end

-- A row that was claimed by another one meanwhile is that one's to tell of.
local function note(self, row, fields)
  local ok, err = pcall(self.store.release_row, self.store, row.batch, row.id, row.fence, fields)
  if not ok and not fail.is(err, "PGO-FENCED") then error(err, 0) end
end

local function put_down(self, batch, decision)
  for _, each in ipairs(decision.blocked) do
    note(self, each.row, { state = "blocked", error = { id = "PGO-BATCH", message = each.reason } })
  end
  self.woken = self.woken or decision.state ~= nil or #decision.blocked > 0
  if decision.state then
    self.store:set_batch_state(batch.name, decision.state, decision.reason, { revision = batch.revision })
  end
end

local function tend(self, name, revision)
  local seen = look(self, name, revision)
  if not seen then return end
  local batch = at_present(seen)
  local decision = eligible.next(batch, have(self, seen))
  tell(self, seen, decision)
  put_down(self, batch, decision)
  if #decision.start > 0 then begin(self, batch, decision.start) end
end

local function pass(self)
  self.names = self.batch and { self.batch } or self.store:open_batches()
  for _, name in ipairs(self.names) do tend(self, name, self.store:schedule_revision()) end
  self.trouble = nil
end

-- A store that is away is asked again: rows at work have leases of their own.
local function try_pass(self)
  local ok, err = pcall(pass, self)
  if ok then return end
  if not fail.is(err) or err.kind ~= "store" then error(err, 0) end
  if not self.trouble then self.board:message(err.message .. "; it is asked again") end
  self.trouble = err
end

-- --- signs of life ---

local function heartbeat(self)
  while true do
    task.sleep(poll.seconds "lease")
    local rows = {}
    for mine in pairs(self.mine) do rows[#rows + 1] = mine end
    local ok, lost = false, nil
    if #rows > 0 then ok, lost = pcall(self.store.renew_rows, self.store, self.name, rows) end
    task.check()
    for mine in pairs(ok and lost or {}) do mine:lose() end
  end
end

-- --- the end ---

local function say_leaving(self)
  local n = busy(self)
  self.board:message(n == 0 and "no row begins any more"
    or ("no row begins any more; %d at work go on to their end%s"):format(n, self.drain_timeout
      and (", or are stopped safely in %d s"):format(self.drain_timeout)
      or " (again to stop them safely, a third time to leave at once)"))
end

local function heed_signals(self)
  local _, count = host.interrupted()
  if count > 0 and not self.leaving then
    self.leaving = clock.uptime()
    say_leaving(self)
  end
  local late = self.leaving and self.drain_timeout and clock.uptime() - self.leaving > self.drain_timeout
  if self.leaving and (count > 1 or late) and not self.stopping then
    self.stopping = true
    if next(self.mine) then self.board:message "rows at work are stopped safely; their state is kept" end
    for mine in pairs(self.mine) do mine:stop() end
  end
end

local function is_at_rest(batch)
  if batch.state == "running" or batch.state == "draining" or batch.state == "paused" and batch.reason ~= "drained" then
    return false
  end
  for _, row in ipairs(batch.rows) do
    if row.state == "running" or order.is_begun(row) then return false end
  end
  return true
end

local function has_finished(self)
  if next(self.mine) then return false end
  if self.leaving then return true end
  if self.trouble then return false end
  if not self.batch and not self.once then return false end
  for _, name in ipairs(self.names or {}) do
    local seen = self.seen[name]
    if seen and not is_at_rest(seen.batch) then return false end
  end
  return true
end

local function update_last_words(self)
  local ids = {}
  for mine in pairs(self.mine) do ids[#ids + 1] = mine.id end
  table.sort(ids)
  local text = #ids == 0 and "left at once. No row was at work." or ("left at once. In the middle of: %s.\n  "
    .. "the same command goes on with them; what stands of each: pgorch status"):format(table.concat(ids, ", "))
  if text ~= self.last then host.last_words(text) end
  self.last = text
end

local function loop(self)
  local last = -math.huge
  repeat
    heed_signals(self)
    update_last_words(self)
    self.board:tick()
    local now = clock.uptime()
    if not self.leaving and (self.woken or now - last >= poll.seconds "batch") then
      self.woken, last = nil, now
      try_pass(self)
    end
    local finished = has_finished(self)
    if not finished then pcall(task.timeout, TICK_SECONDS, self.change.wait, self.change) end
    if self.change:is_set() then self.change = task.event() end
  until finished
end

---@class pgorch.WorkerOptions
---@field store pgorch.Store
---@field state string|pgorch.Secret   its address
---@field batch? string          this one alone, until it is done or stopped
---@field slots integer
---@field recipes? string        folder; nil: whatever recipe the rows name
---@field secrets? string        folder of files with secrets that rows may name
---@field allow_commands? boolean
---@field once? boolean          ends when nothing is left to do
---@field drain_timeout? number  seconds after the first signal; nil: as long as it takes
---@field board? pgorch.Board    shows it

---Works until a signal ends it, or, for one batch or once, until nothing is left. Raises what is no trouble of a row.
---@param o pgorch.WorkerOptions
---@return {signals: integer}   that came; the end of the time for draining counts as the second
function worker.run(o)
  local self = setmetatable({ store = o.store, state = o.state, name = owner.this(), slots = o.slots, batch = o.batch,
    once = o.once, drain_timeout = o.drain_timeout, board = unfailing(o.board), admission = Admission.new(o),
    mine = {}, seen = {}, refused = {}, change = task.event() }, Worker)
  host.leaves_at(3)
  local held = self.store:work_as(self.name)
  local ok, err = task.shield(nil, pcall, task.group, function(group)
    self.group = group
    if self.store.home.leases then group:spawn(heartbeat, self) end
    loop(self)
    group:cancel "done"
  end)
  held:close()
  host.last_words(nil)
  if not ok then error(err, 0) end
  local _, count = host.interrupted()
  return { signals = self.stopping and math.max(count, 2) or count }
end

return worker
