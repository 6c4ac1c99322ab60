-- The part of the store that keeps runs apart: names held by one run alone, and counted names that several hold.

local clock  = require "pgorch.clock"
local events = require "pgorch.store.events"

local Locks = {}

local function now() return math.floor(clock.time() * 1e6) end

local TAKE = "insert into lock (name, run, exclusive, at) select $1, $2, $3, $4 where not exists "
  .. "(select 1 from lock where name = $1 and run <> $2 and (exclusive = 1 or $3 = 1)) "
  .. "on conflict (name, run) do nothing"

-- Only what changes something is told: the row that was put there just now, the row that is about to go.
local PUT_NOW = "exists (select 1 from lock where name = $5 and run = $1 and at = $2)"
local IS_HELD = "exists (select 1 from lock where name = $5 and run = $1)"

local function take(self, name, run, exclusive)
  local at = now()
  local rows = self:write(run, {
    { TAKE, name, run, exclusive, at },
    events.told(run, exclusive == 1 and "lock_taken" or "held", { name = name },
      { at = at, only_if = PUT_NOW, value = name }),
    { "select run, at from lock where name = $1 order by case when run = $2 then 0 else 1 end, at", name, run },
  })
  return rows[1] and rows[1].run == run, rows
end

local function leave(self, name, run, told)
  return self:write(run, {
    events.told(run, told, { name = name }, { only_if = IS_HELD, value = name }),
    { "delete from lock where name = $1 and run = $2", name, run },
    { "select run from lock where name = $1", name },
  })
end

---Takes `name` for this run alone. Taking it again is fine.
---@param name string
---@param run string
---@return boolean taken
---@return {run: string, at: integer}|nil holder  who has it when it was not taken
function Locks:lock(name, run)
  local taken, rows = take(self, name, run, 1)
  if taken then return true end
  return false, rows[1]
end

---@param name string
---@param run string
function Locks:unlock(name, run)
  leave(self, name, run, "lock_given")
end

---Joins those who need `name`; it counts each run once.
---@param name string
---@param run string
---@return integer|nil others  how many other runs hold it too; nil when one has it for itself
function Locks:hold(name, run)
  local taken, rows = take(self, name, run, 0)
  return taken and #rows - 1 or nil
end

---Leaves it.
---@param name string
---@param run string
---@return integer others  how many still need it: at 0 the caller undoes what it stands for
function Locks:release(name, run)
  return #leave(self, name, run, "released")
end

---@param run string
---@return {name: string, exclusive: integer, at: integer}[]
function Locks:locks(run)
  return self.db:query("select name, exclusive, at from lock where run = $1 order by at, name", run)
end

return Locks
