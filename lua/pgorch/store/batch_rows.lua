-- The part of the store that claims rows of batches and writes to them. A claim gives the row the next number of its
-- fence; whoever was fenced off by another claim is refused with each write. Where a server's clock tells, a claim is
-- good for a lease that is renewed; in a file each worker has a lock instead, which goes with its process. A row's
-- claim is only about who schedules it: what protects the databases is the lease of the run itself.

local crypto  = require "pgorch.crypto"
local fail    = require "pgorch.error"
local fs      = require "pgorch.fs"
local json    = require "pgorch.json"

local Rows = {}

local function lock_file(self, worker)
  return ("%s/workers/%s"):format(self.home.folder, crypto.sha256(worker, "hex"):sub(1, 16))
end

---In a home without leases: others see from now on that this worker lives. Gone with the process, or when closed.
---@param worker string  as runner/owner.lua names it
---@return {close: fun(self: table)}
function Rows:work_as(worker)
  if self.home.leases then return { close = function() end } end
  local path = lock_file(self, worker)
  fs.mkdir(path:match "^(.*)/", { mode = 0700, parents = true })
  local lock = fs.lock(path)
  return { close = function()
    if lock then lock:close() end
    lock = nil
    pcall(fs.remove, path)
  end }
end

---Whether somebody schedules the row.
---@param row pgorch.BatchRow  as it was read
---@return boolean
function Rows:is_row_held(row)
  if row.state ~= "running" or not row.worker then return false end
  if self.home.leases then return row.leased end
  return fs.is_locked(lock_file(self, row.worker))
end

local CLAIM = "update batch_row set state = 'running', worker = $4, lease_until = %s, fence = fence + 1, "
  .. "run = coalesce(run, $5), stands = 1, attempt = attempt + 1, not_before = null, exit_status = null, error = null, "
  .. "progress = null, ended_at = null, started_at = coalesce(started_at, %s) "
  .. "where batch = $1 and id = $2 and fence = $3"

-- Of a group that begins, or is tried again, nobody has come to any point yet, and nothing is decided.
local FORGET = { "delete from barrier where batch = $1 and grp = $2",
                 "delete from barrier_decision where batch = $1 and grp = $2" }

-- Groups of which nothing stands: with this claim they begin, and what an earlier try has left counts no more.
local function groups_that_begin(batch, rows)
  local begun, names = {}, {}
  for _, row in ipairs(batch.rows) do
    if row.grp and (row.state == "running" or row.stands and row.state ~= "attention") then begun[row.grp] = true end
  end
  for _, row in ipairs(rows) do
    if row.grp and not begun[row.grp] then names[row.grp] = true end
  end
  return names
end

-- Another worker may be at this very row: where the server can, it is passed over and not waited for.
local function lock_row(self, batch, row)
  local wait = self.home.leases and " for update skip locked" or ""
  return { "select id from batch_row where batch = $1 and id = $2 and fence = $3" .. wait, batch, row.id, row.fence,
    needs = "PGO-BATCH-CHANGED" }
end

---Takes rows for a worker, all of them or none. Nothing is taken when anything has changed since the batch was read:
---nil, and it is read again.
---@param batch pgorch.BatchRead  as it was read
---@param rows pgorch.BatchRow[]
---@param worker string
---@return pgorch.BatchRow[]|nil  as they are now
function Rows:claim_rows(batch, rows, worker)
  local statements, taken = { self:schedule_changes(batch.revision) }, {}
  for i, row in ipairs(rows) do
    local run = row.run or require("pgorch.store").new_id()
    statements[#statements + 1] = lock_row(self, batch.name, row)
    statements[#statements + 1] = { CLAIM:format(self.home.lease, self:now_sql()), batch.name, row.id, row.fence,
      worker, run, needs = "PGO-BATCH-CHANGED" }
    statements[#statements + 1] = self:batch_told(batch.name, row.id, "claimed",
      { worker = worker, fence = row.fence + 1, run = run, from = row.state == "running" and row.worker or nil })
    taken[i] = row.id
  end
  for name in pairs(groups_that_begin(batch, rows)) do
    for _, sql in ipairs(FORGET) do statements[#statements + 1] = { sql, batch.name, name } end
  end
  local ok, err = pcall(self.db.batch, self.db, statements)
  if not ok and fail.is(err, "PGO-BATCH-CHANGED") then return nil end
  if not ok then error(err, 0) end
  for i, id in ipairs(taken) do taken[i] = self:batch_row(batch.name, id) end
  return taken
end

---Makes the leases of a worker's rows good for another while.
---@param worker string
---@param rows {batch: string, id: string, fence: integer}[]
---@return table<table, boolean> lost  those that another worker has by now
function Rows:renew_rows(worker, rows)
  local statements = {}
  for i, row in ipairs(rows) do
    statements[i] = { ("update batch_row set lease_until = %s where batch = $1 and id = $2 and fence = $3")
      :format(self.home.lease), row.batch, row.id, row.fence }
  end
  statements[#statements + 1] = { "select batch, id, fence from batch_row where worker = $1", worker }
  local mine, lost = {}, {}
  for _, row in ipairs((self.db:batch(statements))) do mine[row.batch .. "\0" .. row.id] = row.fence end
  for _, row in ipairs(rows) do
    if mine[row.batch .. "\0" .. row.id] ~= row.fence then lost[row] = true end
  end
  return lost
end

local COLUMNS = { state = true, run = true, stands = true, attempt = true, estimate = true, exit_status = true,
                  error = true, progress = true, findings = true, worker = true, lease_until = true,
                  not_before = true }

-- What ends with a row's work.
local OVER = { done = true, failed = true, stopped = true, refused = true, blocked = true, attention = true }

local function sets_of(self, fields, statement)
  local sets = {}
  for name, value in pairs(fields) do
    if not COLUMNS[name] then fail.raise("PGO-BUG", "a row of a batch has no field " .. tostring(name)) end
    local n = #sets + 4
    sets[#sets + 1] = ("%s = $%d"):format(name, n)
    if value == json.null then value = nil
    elseif type(value) == "table" then value = json.encode(value)
    elseif type(value) == "boolean" then value = value and 1 or 0 end
    statement[n + 1] = value
  end
  statement.n = #sets + 4
  if OVER[fields.state] then sets[#sets + 1] = "ended_at = " .. self:now_sql() end
  return sets
end

-- A state decides what may start next; progress and findings do not.
local function told(self, batch, id, fence, fields, statements)
  if not fields.state then return end
  table.insert(statements, 1, self:schedule_changes())
  statements[#statements + 1] = self:batch_told(batch, id, fields.state,
    { fence = fence, exit_status = fields.exit_status ~= json.null and fields.exit_status or nil,
      error = type(fields.error) == "table" and fields.error.id or nil })
end

---Sets the fields given; `json.null` empties one. Raises PGO-FENCED when another worker has claimed the row since.
---@param batch string
---@param id string
---@param fence integer  of the claim that the writer has, or of the row as it was read
---@param fields table   columns; wait = seconds from now sets not_before by the clock that it is compared with
function Rows:update_row(batch, id, fence, fields)
  local statement, given = { "", batch, id, fence, needs = "PGO-FENCED" }, {}
  for name, value in pairs(fields) do given[name] = value end
  local wait = given.wait
  given.wait = nil
  local sets = sets_of(self, given, statement)
  if wait then sets[#sets + 1] = ("not_before = %s + %d"):format(self:now_sql(), math.ceil(wait * 1e6)) end
  statement[1] = ("update batch_row set %s where batch = $1 and id = $2 and fence = $3")
    :format(table.concat(sets, ", "))
  local statements = { statement }
  told(self, batch, id, fence, fields, statements)
  local ok, err = pcall(self.db.batch, self.db, statements)
  if ok then return end
  if not fail.is(err, "PGO-FENCED") then error(err, 0) end
  fail.raise("PGO-FENCED", ("row %s of batch %s is another worker's by now"):format(id, batch),
    { cure = ("That one goes on with it: `pgorch batch status %s` shows it."):format(batch) })
end

---The same for a row that its worker is done with.
---@param batch string
---@param id string
---@param fence integer
---@param fields table
function Rows:release_row(batch, id, fence, fields)
  local given = { worker = json.null, lease_until = json.null }
  for name, value in pairs(fields) do given[name] = value end
  self:update_row(batch, id, fence, given)
end

local AGAIN = "update batch_row set state = 'ready', attempt = 0, not_before = null, ended_at = null, worker = null, "
  .. "lease_until = null, fence = fence + 1 where batch = $1 and id = $2"

local AGAIN_FROM = { failed = true, refused = true, stopped = true, blocked = true }

local function groups_of(batch, named)
  local groups = {}
  for _, row in ipairs(batch.rows) do
    if row.grp and named[row.id] then groups[row.grp] = true end
  end
  return groups
end

-- Those that are asked for; the others of their groups with them, and the blocked ones, as what they wait for may end
-- well now.
local function wanted(batch, ids)
  local named, all = {}, ids == nil or #ids == 0
  for _, id in ipairs(ids or {}) do named[id] = true end
  local list, groups = {}, groups_of(batch, named)
  for _, row in ipairs(batch.rows) do
    local again = AGAIN_FROM[row.state] or named[row.id] and row.state == "attention"
    local meant = all or named[row.id] or groups[row.grp or false] or row.state == "blocked"
    if again and meant then list[#list + 1] = row end
    if named[row.id] and not again and row.state ~= "waiting" then
      fail.raise("PGO-USAGE", ("row %s is %s: there is nothing to try again"):format(row.id, row.state))
    end
    if named[row.id] and row.state == "waiting" then list[#list + 1] = row end
    named[row.id] = nil
  end
  local unknown = next(named)
  if unknown then fail.raise("PGO-USAGE", ("batch %s has no row %s"):format(batch.name, unknown)) end
  return list
end

---Rows that failed, were refused, stopped or blocked become ready; their runs are gone on with. A row that needs
---attention only when it is named.
---@param name string
---@param ids? string[]  all of them
---@return string[] ids  those that are ready now
function Rows:retry_rows(name, ids)
  local batch = self:batch(name)
  local statements, done = { self:schedule_changes(batch.revision) }, {}
  for i, row in ipairs(wanted(batch, ids)) do
    statements[#statements + 1] = { AGAIN, name, row.id }
    statements[#statements + 1] = self:batch_told(name, row.id, "retried", { from = row.state })
    for _, sql in ipairs(row.grp and FORGET or {}) do statements[#statements + 1] = { sql, name, row.grp } end
    done[i] = row.id
  end
  if #done == 0 then return done end
  statements[#statements + 1] = { "update batch set state = 'running', reason = null "
    .. "where name = $1 and state = 'done'", name }
  local ok, err = pcall(self.db.batch, self.db, statements)
  if ok then return done end
  if fail.is(err, "PGO-BATCH-CHANGED") then return self:retry_rows(name, ids) end
  error(err, 0)
end

return Rows
