-- The part of the store that says who may write to a run. A process that takes a run over gets the next number of its
-- fence, and writes through a view of the store that carries it: once another process has taken over, every write of
-- the first one is refused, wherever it runs. In a home with leases each write makes the lease good again. In a file
-- the process has a lock instead, on a file in the run's folder: it goes with the process, however that ends, and all
-- who see the file see it, also where they do not see each other's processes (two containers with one volume).

local clock  = require "pgorch.clock"
local events = require "pgorch.store.events"
local fail   = require "pgorch.error"
local fs     = require "pgorch.fs"

local Owners = {}

local function guard(self, run)
  local fence = self.fence
  if not self.home.leases then
    return { "select 1 as here from run where id = $1 and fence = $2", run, fence.number, needs = "PGO-FENCED" }
  end
  return { ("update run set lease_until = %s where id = $1 and fence = $2"):format(self.home.lease), run, fence.number,
    needs = "PGO-FENCED" }
end

local function raise_fenced(run)
  fail.raise("PGO-FENCED", ("run %s was taken over by another process"):format(run),
    { cure = ("That one goes on with it: `pgorch status %s` shows it."):format(run) })
end

---Raises PGO-FENCED when the run, as it was just read, was taken over.
---@param run pgorch.Run
function Owners:refuse_taken_over(run)
  local fence = self.fence
  if fence and fence.run == run.id and fence.number ~= run.fence then raise_fenced(run.id) end
end

local function lock_file(self, run) return self:run_dir(run) .. "/lock" end

---Locks the run for this process, in a home without leases.
---@param run string
---@return boolean  false: another process has it
function Owners:hold_run(run)
  if self.home.leases or self.held[run] then return true end
  fs.mkdir(self:run_dir(run), { mode = 0700, parents = true })
  local lock = fs.lock(lock_file(self, run))
  self.held[run] = lock or self.held[run]
  return lock ~= nil
end

---@param run string
function Owners:let_run_go(run)
  if self.held[run] then self.held[run]:close() end
  self.held[run] = nil
end

---Whether a process that works on the run is there, wherever that is, in a home without leases.
---@param run string
---@return boolean
function Owners:is_held(run) return not self.home.leases and fs.is_locked(lock_file(self, run)) end

---All of the statements in one transaction, or none. Raises PGO-FENCED when the run was taken over.
---@param run string
---@param statements table[]
---@return table[] rows
---@return integer changes
function Owners:write(run, statements)
  if not (self.fence and self.fence.run == run) then return self.db:batch(statements) end
  local asked = clock.uptime()             -- the lease is counted from some time after this
  local ok, rows, changes = pcall(self.db.batch, self.db, { guard(self, run), table.unpack(statements) })
  if ok then
    self.fence.good = math.max(self.fence.good, asked)
    return rows, changes
  end
  if fail.is(rows, "PGO-FENCED") then raise_fenced(run) end
  error(rows, 0)
end

---The store as the process uses it that works on a run.
---@param run string
---@param fence integer
---@param asked? number   by clock.uptime(), when it was asked for the run; now
---@return pgorch.Store
function Owners:as_writer(run, fence, asked)
  return setmetatable({ fence = { run = run, number = fence, good = asked or clock.uptime() } }, { __index = self })
end

local TAKE = "update run set owner = $2, fence = fence + 1, lease_until = %s where id = $1 and fence = $4 "
  .. "and (owner is null or owner = $2 or owner = $3 or coalesce(lease_until, 0) <= %s)"

local TOOK_IT = "exists (select 1 from run where id = $1 and owner = $5 and fence = $6)"

-- Where a process of another machine cannot be seen its lease decides. In a file its lock does: it is ours by now.
local function seen_dead(self, present, alive)
  if present == nil then return "" end
  if alive == nil and self.home.leases then return "" end
  return alive and "" or present
end

local function changed_hands(run)
  fail.raise("PGO-LOCKED", ("another process has worked on run %s meanwhile"):format(run.id),
    { cure = ("Look at `pgorch status %s`, then ask again."):format(run.id) })
end

local function take(self, run, owner, alive)
  local is_free = self:hold_run(run.id)
  local present = self:run(run.id).owner
  if not is_free then return present or changed_hands(run) end
  local lives = present ~= nil and present ~= owner and alive(present)
  if lives then return present end
  local rows = self.db:batch {
    { TAKE:format(self.home.lease, self.home.now), run.id, owner, seen_dead(self, present, lives), run.fence },
    events.told(run.id, "taken_over", { owner = owner, fence = run.fence + 1 },
      { only_if = TOOK_IT, values = { owner, run.fence + 1 } }),
    { "select owner, fence from run where id = $1", run.id },
  }
  local row = rows[1]
  if row and row.owner == owner and row.fence == run.fence + 1 then return true, row.fence end
  if row and row.owner and row.fence == run.fence then return row.owner end
  changed_hands(run)
end

---Makes `owner` the process that works on the run. Raises PGO-LOCKED when it has changed hands since it was read.
---@param run pgorch.Run      as it was read
---@param owner string
---@param alive fun(owner: string): boolean|nil  of the present one; nil: it cannot be seen from here
---@return true|string        true, or who has it
---@return integer|nil fence
function Owners:claim(run, owner, alive)
  local had = self.held[run.id]
  local ok, taken, fence = pcall(take, self, run, owner, alive)
  if not had and not (ok and taken == true) then self:let_run_go(run.id) end
  if not ok then error(taken, 0) end
  return taken, fence
end

---Makes the lease good for another while. Raises PGO-FENCED.
---@param run string
function Owners:renew(run) self:write(run, {}) end

---No process works on the run any more. Who has read it before this cannot claim it: it may have changed since.
---@param run string
function Owners:disown(run)
  self:write(run, { { "update run set owner = null, lease_until = null, fence = fence + 1 where id = $1", run },
    events.told(run, "given_back") })
  self:let_run_go(run)
end

return Owners
