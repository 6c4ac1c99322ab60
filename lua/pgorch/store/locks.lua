-- The part of the store that keeps runs apart: names held by one run alone, counted names that several hold, and shared
-- ones, where each holder's row has what was there before the first came.

local clock  = require "pgorch.clock"
local events = require "pgorch.store.events"
local json   = require "pgorch.json"

local Locks = {}

local function now() return math.floor(clock.time() * 1e6) end

local TAKE = "insert into lock (name, run, exclusive, at) select $1, $2, $3, $4 where not exists "
  .. "(select 1 from lock where name = $1 and run <> $2 and (exclusive = 1 or $3 = 1)) "
  .. "on conflict (name, run) do nothing"

local HOLDERS = "select run, at from lock where name = $1 order by case when run = $2 then 0 else 1 end, at"

-- Only what changes something is told: the row that was put there just now, the row that is about to go.
local PUT_NOW = "exists (select 1 from lock where name = $5 and run = $1 and at = $2)"
local IS_HELD = "exists (select 1 from lock where name = $5 and run = $1 and exclusive = %d)"

local function take(self, name, run, exclusive)
  local at = now()
  local rows = self:write(run, {
    { TAKE, name, run, exclusive, at },
    events.told(run, exclusive == 1 and "lock_taken" or "held", { name = name },
      { at = at, only_if = PUT_NOW, values = { name } }),
    { HOLDERS, name, run },
  })
  return rows[1] and rows[1].run == run, rows
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

---Takes `name` from a run on which nobody works: its owner is still the one that was found dead, and has given no sign
---of life since.
---@param name string
---@param run string
---@param from string        the run that has it
---@param owner string|nil   of that run, as it was found
---@param lease integer|nil  lease_until of that run, as it was found
---@return boolean taken
function Locks:take_over(name, run, from, owner, lease)
  local at = now()
  local rows = self:write(run, {
    { "delete from lock where name = $1 and run = $2 and exists (select 1 from run where id = $2 "
      .. "and coalesce(owner, '') = $3 and coalesce(lease_until, 0) = $4)", name, from, owner or "", lease or 0 },
    { TAKE, name, run, 1, at },
    events.told(run, "lock_taken", { name = name, from = from }, { at = at, only_if = PUT_NOW, values = { name } }),
    { HOLDERS, name, run },
  })
  return rows[1] ~= nil and rows[1].run == run
end

---Gives `name` back, whether the run had it for itself or with others.
---@param name string
---@param run string
function Locks:unlock(name, run)
  self:write(run, {
    events.told(run, "lock_given", { name = name }, { only_if = IS_HELD:format(1), values = { name } }),
    events.told(run, "released", { name = name }, { only_if = IS_HELD:format(0), values = { name } }),
    { "delete from lock where name = $1 and run = $2", name, run },
  })
end

---Joins those who need `name`; it counts each run once.
---@param name string
---@param run string
---@return integer|nil others  how many other runs hold it too; nil when one has it for itself
function Locks:hold(name, run)
  local taken, rows = take(self, name, run, 0)
  return taken and #rows - 1 or nil
end

---@param name string
---@return {run: string, at: integer, data: table|nil}[]  all who hold it, the first one first
function Locks:holders(name)
  local rows = self.db:query("select run, at, data from lock where name = $1 order by at, run", name)
  for _, row in ipairs(rows) do row.data = row.data and json.decode(row.data) end
  return rows
end

local SHARE = "insert into lock (name, run, exclusive, at, data) values ($1, $2, 0, $3, $4) "
  .. "on conflict (name, run) do update set data = excluded.data"

---Makes these runs holders of `name`, or gives those who are other data; all of it or nothing.
---@param name string
---@param run string                    the one that does it
---@param shares table<string, table>   data by run
function Locks:share(name, run, shares)
  local statements, at = {}, now()
  for holder, data in pairs(shares) do
    statements[#statements + 1] = { SHARE, name, holder, at, json.encode(data) }
  end
  statements[#statements + 1] = events.told(run, "held", { name = name },
    { at = at, only_if = PUT_NOW, values = { name } })
  self:write(run, statements)
end

---Whether the run has held `name` with others, and has given it back since.
---@param name string
---@param run string
---@return boolean
function Locks:was_released(name, run)
  local released = false
  for _, event in ipairs(self:events(run)) do
    local tells = (event.kind == "held" or event.kind == "released") and event.data.name == name
    if tells then released = event.kind == "released" end
  end
  return released
end

---@param run string
---@return {name: string, exclusive: integer, at: integer, data: table|nil}[]
function Locks:locks(run)
  local rows = self.db:query("select name, exclusive, at, data from lock where run = $1 order by at, name", run)
  for _, row in ipairs(rows) do row.data = row.data and json.decode(row.data) end
  return rows
end

return Locks
