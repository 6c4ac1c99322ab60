-- Which rows of a batch a worker may start now, and why each of the others waits. Pure: decides on what was read, and a
-- claim is void when that has changed meanwhile. Two kinds of rows: those that are begun (their app may be down) come
-- first, and ask only for a slot, whatever window, canary, limits and the batch's state say of new ones; those that are
-- not start in order, by units.

local order  = require "pgorch.batch.order"
local Room   = require "pgorch.batch.room"
local window = require "pgorch.batch.window"

local eligible = {}

---@class pgorch.Have
---@field slots integer     free slots of this worker
---@field busy integer      rows that it works on
---@field is_held fun(row: pgorch.BatchRow): boolean           whether some worker schedules the row
---@field takes nil|fun(row: pgorch.BatchRow): boolean, string|nil   whether this worker may run it
---@field elsewhere table[]|nil   rows of other batches that are at work
---@field clock number      seconds since 1970, for the window

---@class pgorch.Decision
---@field start pgorch.BatchRow[]
---@field blocked {row: pgorch.BatchRow, reason: string}[]    what they wait for did not end well
---@field reasons table<string, string>     of rows that wait
---@field state string|nil                  that the batch has from now on
---@field reason string|nil
---@field awaits_approval boolean|nil

local function wait(it, row, reason) it.reasons[row.id] = reason end

local function is_due(it, row)
  if not row.not_before or row.not_before <= it.batch.now then return true end
  wait(it, row, ("is tried again in %d s"):format(math.ceil((row.not_before - it.batch.now) / 1e6)))
  return false
end

local function takes(it, row)
  if not it.have.takes then return true end
  local good, why = it.have.takes(row)
  if not good then wait(it, row, why) end
  return good
end

-- Of a batch's order, how many rows may start: those of a canary first, then all, or wave by wave.
local function last_end(units, limit)
  local at = 0
  for _, unit in ipairs(units) do
    for _, row in ipairs(unit.before < limit and unit.rows or {}) do
      if not order.ENDED[row.state] then return nil end
      at = math.max(at, row.ended_at or 0)
    end
  end
  return at
end

local function wave_limit(canary, waves)
  if waves == 0 then return canary.first end
  return canary.waves and canary.first + canary.waves * waves or math.huge
end

local function canary_limit(batch, units)
  local canary, waves = batch.options.canary, batch.waves_approved
  if not canary then return math.huge end
  local limit = wave_limit(canary, waves)
  while type(canary.then_wait) == "number" and limit < #batch.rows do
    local ended = last_end(units, limit)
    if not ended or batch.now < ended + canary.then_wait * 1e6 then break end
    waves = waves + 1
    limit = wave_limit(canary, waves)
  end
  return limit
end

local FAILURES = { failed = true, refused = true, stopped = true, attention = true }

-- Why the batch stops by itself. A part cannot be told of fewer rows than make it up.
local function too_many_failures(batch)
  local rule = batch.options.stop_after
  if not rule then return nil end
  local failures, ended = 0, 0
  for _, row in ipairs(batch.rows) do
    if order.ENDED[row.state] and row.state ~= "blocked" and (row.ended_at or 0) > batch.continued_at then
      ended = ended + 1
      failures = failures + (FAILURES[row.state] and 1 or 0)
    end
  end
  if rule.failures and failures >= rule.failures then return ("%d rows did not end well"):format(failures) end
  if rule.rate and ended >= 1 / rule.rate and failures / ended >= rule.rate then
    return ("%d of %d rows did not end well"):format(failures, ended)
  end
end

-- Where one of a group has begun, the others wait for all of it.
local function goes_on(unit)
  if not unit.grp then return order.is_begun end
  for _, row in ipairs(unit.rows) do
    if order.is_begun(row) then return function(each) return not order.ENDED[each.state] end end
  end
  return order.is_begun
end

-- Rows that are begun and that nobody schedules now. One of a group asks for no slot: the others wait for it, closed.
local function start_begun(it, units)
  for _, unit in ipairs(units) do
    local begun = goes_on(unit)
    for _, row in ipairs(unit.rows) do
      local idle = begun(row) and not (row.state == "running" and it.have.is_held(row))
      if idle and is_due(it, row) and takes(it, row) then
        local may = #it.start < it.have.slots or unit.grp
        if may then it.start[#it.start + 1] = row else wait(it, row, "waits for a slot") end
      end
    end
  end
end

-- What a unit waits for: a reason; or one that will never come: nil and a reason.
local function dependency(it, unit)
  local own = {}
  for _, row in ipairs(unit.rows) do own[row.id] = true end
  for _, row in ipairs(unit.rows) do
    for _, id in ipairs(row.depends_on or {}) do
      local other = it.by_id[id]
      local state = other and other.state or "missing"
      if not own[id] and state ~= "done" then
        if not other or order.ENDED[state] then return nil, ("%s is %s"):format(id, state) end
        return ("waits for %s"):format(id)
      end
    end
  end
  return false
end

-- The rows of a unit that would begin now. Of a group all that are not done, or none.
local function fresh_rows(unit)
  local list = {}
  for _, row in ipairs(unit.rows) do
    if row.state == "running" or order.is_begun(row) then return nil end
    if not order.ENDED[row.state] then list[#list + 1] = row
    elseif row.state ~= "done" then return nil, ("%s of its group is %s"):format(row.id, row.state) end
  end
  return #list > 0 and list or nil
end

local function all(list, fn, ...)
  for _, each in ipairs(list) do
    if not fn(..., each) then return false end
  end
  return true
end

-- Why a unit does not start now; nil: it does. `true` as second: nothing behind it does either.
local function obstacle(it, unit, rows)
  if unit.before >= it.limit then
    local canary = it.batch.options.canary
    it.awaits_approval = it.awaits_approval or canary.then_wait == "approve" and last_end(it.units, it.limit) ~= nil
    return canary.then_wait == "approve" and ("waits for approval: pgorch batch approve %s"):format(it.batch.name)
      or "waits for the wave before it"
  end
  for _, row in ipairs(rows) do
    local fits, why = window.fits(it.batch.options.window, it.have.clock, row.estimate)
    if not fits then return why end
  end
  local full = it.room:full(rows)
  if full then return "waits for room: " .. full end
  local slots = it.have.slots - #it.start
  if not it.room:has_jobs(#rows) then return "waits for its turn", true end
  local alone = it.have.busy == 0 and #it.start == 0 and slots > 0
  if #rows > slots and not alone then return "waits for a slot", true end
end

local function consider(it, unit)
  local rows, why = fresh_rows(unit)
  if not rows then
    for _, row in ipairs(why and unit.rows or {}) do
      local idle = not order.ENDED[row.state] and row.state ~= "running" and not order.is_begun(row)
      if idle then it.blocked[#it.blocked + 1] = { row = row, reason = why } end
    end
    return
  end
  local waits, never = dependency(it, unit)
  for _, row in ipairs(never and rows or {}) do it.blocked[#it.blocked + 1] = { row = row, reason = never } end
  if never or not all(rows, is_due, it) or not all(rows, takes, it) then return end
  local stops
  if not waits then waits, stops = obstacle(it, unit, rows) end
  if stops then it.full = it.full or waits end
  waits = waits or it.full
  if not waits then
    for _, row in ipairs(rows) do it.start[#it.start + 1] = row end
    return it.room:take(rows)
  end
  for _, row in ipairs(rows) do wait(it, row, waits) end
end

-- Rows that could still begin, and those that are begun.
local function census(batch)
  local fresh, begun = 0, 0
  for _, row in ipairs(batch.rows) do
    if row.state == "running" or order.is_begun(row) then begun = begun + 1
    elseif not order.ENDED[row.state] then fresh = fresh + 1 end
  end
  return fresh, begun
end

local function next_state(batch, have)
  local fresh, begun = census(batch)
  if fresh + begun == 0 then return batch.state ~= "done" and "done" or nil end
  if batch.state == "draining" and begun == 0 then return "paused", "drained" end
  if batch.state ~= "running" or fresh == 0 then return nil end
  local why = too_many_failures(batch)
  if why then return "stopped", why end
  if begun == 0 and window.is_over(batch.options.window, have.clock) then
    return "stopped", ("the window closed %s: `pgorch batch run` or `submit` opens the next one")
      :format(batch.options.window.closes)
  end
end

local HELD_BACK = { paused = "the batch is paused", draining = "the batch is drained",
                    stopped = "the batch is stopped" }

---@param batch pgorch.BatchRead
---@param have pgorch.Have
---@return pgorch.Decision
function eligible.next(batch, have)
  local units, by_id = order.units(batch.rows), {}
  for _, row in ipairs(batch.rows) do by_id[row.id] = row end
  local it = { batch = batch, have = have, units = units, by_id = by_id, start = {}, blocked = {},
    reasons = {}, room = Room.new(batch.options.limits or {}, units, have.elsewhere) }
  it.state, it.reason = next_state(batch, have)
  start_begun(it, units)
  local held = HELD_BACK[it.state or batch.state]
  if not held then
    it.limit = canary_limit(batch, units)
    for _, unit in ipairs(units) do consider(it, unit) end
    return it
  end
  for _, row in ipairs(batch.rows) do
    if not order.ENDED[row.state] and not order.is_begun(row) then wait(it, row, held) end
  end
  return it
end

---Whether the next rows wait until somebody approves them.
---@param batch pgorch.BatchRead
---@param now number   seconds since 1970, for the window
---@return boolean
function eligible.awaits_approval(batch, now)
  local have = { slots = 0, busy = 0, clock = now, is_held = function() return true end }
  return batch.state == "running" and eligible.next(batch, have).awaits_approval or false
end

return eligible
