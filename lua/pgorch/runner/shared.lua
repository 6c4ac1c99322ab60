-- What several runs hold together: an app that is kept down, a source that is read-only, an entry of an allow list.
-- The first one finds what was there before and stores it with its own name, then acts; the others take that over and
-- act again; the last one puts it back, then takes its name away. Whoever does any of this does it in turn: so nobody
-- takes another one's freeze for what was there before. Knows nothing of what is held.

local fail = require "pgorch.error"
local poll = require "pgorch.poll"
local task = require "pgorch.task"

local shared = {}

-- A provider's instance that is being configured lets nobody change its list for minutes.
local LONGEST_TURN = 900

local function give_up(session, name, holder)
  fail.raise("PGO-LOCKED", ("run %s is at work on %s, and has not ended that for %d minutes"):format(holder.run, name,
    LONGEST_TURN // 60), { cure = ("Look at its process. `pgorch resume %s` goes on, `pgorch rollback %s` puts back; "
    .. "then `pgorch resume %s`."):format(holder.run, holder.run, session.run.id) })
end

-- One whose process has died in its turn loses it: whatever it had begun, its row tells what was there before. What it
-- had asked for just then may still be on its way.
local function wait_for_turn(session, turn, name)
  local since = task.now()
  while true do
    local taken, holder = session.store:lock(turn, session.run.id)
    if taken then return end
    local at_work, owner, lease = session:is_at_work(holder.run)
    if not at_work then
      task.sleep(poll.seconds "lookup")
      if session.store:take_over(turn, session.run.id, holder.run, owner, lease) then return end
    elseif task.now() - since > LONGEST_TURN then
      give_up(session, name, holder)
    else
      task.sleep(poll.seconds "turn")
    end
  end
end

-- Steps side by side are the same run to the store.
local function semaphore(session, turn)
  session.turns = session.turns or {}
  session.turns[turn] = session.turns[turn] or task.semaphore(1)
  return session.turns[turn]
end

---Runs fn while no other run is in its turn for that name. Not to be nested.
---@param session table
---@param name string
---@param fn fun(): any
---@return any
function shared.in_turn(session, name, fn)
  local turn = "turn:" .. name
  return semaphore(session, turn):with(function()
    wait_for_turn(session, turn, name)
    local results = table.pack(pcall(fn))
    pcall(session.durably, session, session.store.unlock, session.store, turn, session.run.id)
    if not results[1] then error(results[2], 0) end
    return table.unpack(results, 2, results.n)
  end)
end

-- Own data, the runs that need it now, and the data of all. One that left it so for good has its data on record, and
-- needs nothing.
local function holders(session, name)
  local active, all = {}, {}
  for _, row in ipairs(session.store:holders(name)) do
    all[row.run] = row.data or {}
    if row.run ~= session.run.id and not all[row.run].for_good then active[#active + 1] = row.run end
  end
  return all[session.run.id], active, all
end

-- With all others it is on record that `run` has left it so for good while they held it.
local function mark(all, run)
  for other, data in pairs(all) do
    if other ~= run then
      data.left_by = data.left_by or {}
      data.left_by[run] = true
    end
  end
end

local function those_for_good(runs, all)
  local list = {}
  for run in pairs(runs or {}) do
    if all[run] and all[run].for_good then list[#list + 1] = run end
  end
  table.sort(list)
  return list
end

-- It comes back: a rollback of a run that was done. Those who came after it had found what it left: to them, what was
-- before is what was before it.
local function unmark(all, run)
  local mine = all[run]
  mine.for_good = nil
  for _, data in pairs(all) do
    if data.left_by then data.left_by[run] = nil end
    if data.found and data.found[run] and #those_for_good(data.found, all) == 0 then data.before = mine.before end
  end
end

local function left_for_good(all)
  local found = {}
  for run, data in pairs(all) do found[run] = data.for_good end
  return found
end

local function entered(session, name, look)
  local mine, active, all = holders(session, name)
  if not mine then
    mine = active[1] and all[active[1]] or { before = look(), found = left_for_good(all) }
    return { [session.run.id] = { before = mine.before, found = mine.found, left_by = mine.left_by } }, active
  end
  if not mine.for_good then return { [session.run.id] = mine }, active end
  unmark(all, session.run.id)
  return all, active
end

-- A record of version 1 has no rows for what its runs have closed. What such a run has stored with its step is what was
-- before it: that becomes its row, unless it had one and has given it back.
local function adopt(session, name, recorded)
  if not recorded then return end
  local store, run = session.store, session.run.id
  for _, row in ipairs(store:holders(name)) do
    if row.run == run and row.data then return end
  end
  if not store:was_released(name, run) then store:share(name, run, { [run] = { before = recorded } }) end
end

---Joins those who hold `name`, and does the effect, which may be there already.
---@param session table
---@param name string
---@param o {look: (fun(): table), effect: fun(before: table, others: string[]), turn: string|nil, recorded: table|nil}
---turn: where several names are one thing to change, whose turn it is
---recorded: what the run itself has stored, beside the name, of what was there before it
---@return table before  what was there before the first of them
---@return string[] others  the runs that need it too
function shared.join(session, name, o)
  return shared.in_turn(session, o.turn or name, function()
    adopt(session, name, o.recorded)
    local shares, others = entered(session, name, o.look)
    session.store:share(name, session.run.id, shares)
    local before = shares[session.run.id].before
    o.effect(before, others)
    return before, others
  end)
end

---@class pgorch.Left
---@field others string[]    runs that still need it: nothing was put back
---@field left_by string[]   runs that have left it so for good meanwhile: nothing was put back
---@field result any         what put_back returned, where it was called

---Leaves `name`. The last one puts back what was there before. Left already: nil.
---@param session table
---@param name string
---@param put_back fun(before: table): any
---@param o? {turn?: string, recorded?: table}
---@return pgorch.Left|nil
function shared.leave(session, name, put_back, o)
  return shared.in_turn(session, o and o.turn or name, function()
    adopt(session, name, o and o.recorded)
    local mine, others, all = holders(session, name)
    if not mine then return nil end
    if mine.for_good then                                -- killed between that and its record, and put back
      unmark(all, session.run.id)
      session.store:share(name, session.run.id, all)
    end
    local left = { others = others, left_by = those_for_good(mine.left_by, all) }
    if #others == 0 and #left.left_by == 0 then left.result = put_back(mine.before) end
    session.store:unlock(name, session.run.id)
    return left
  end)
end

---Leaves `name` as it is now, for good: those who hold it now do not put back what was there before.
---@param session table
---@param name string
---@param o? {recorded?: table}
---@return string[] others  the runs that still need it
function shared.leave_for_good(session, name, o)
  return shared.in_turn(session, name, function()
    adopt(session, name, o and o.recorded)
    local mine, others, all = holders(session, name)
    if not mine or mine.for_good then return others end
    mine.for_good = true
    mark(all, session.run.id)
    session.store:share(name, session.run.id, all)
    return others
  end)
end

return shared
