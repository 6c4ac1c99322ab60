-- The part of the store that keeps batches: what is to be moved, by rows, and what the batch as a whole may do. The
-- limits span rows, and batches too, so what may start is decided on what was read (batch/eligible.lua), and a claim is
-- void when anything that decides has changed meanwhile: `revision` tells, one number for all batches of the record.
-- The rows' own writes are in store/batch_rows.lua.

local fail = require "pgorch.error"
local json = require "pgorch.json"

local Batches = {}

---@alias pgorch.BatchRowState
---| "ready"|"running"|"waiting"|"done"|"failed"|"stopped"|"refused"|"blocked"|"attention"

---@class pgorch.BatchRow
---@field batch string
---@field id string
---@field position integer
---@field recipe string
---@field recipe_path string
---@field recipe_hash string
---@field argv string[]
---@field labels string[]|nil
---@field scopes {provider?: string, instance?: string, storage?: string, account?: table<string, string>}  what
---limits count; account: where the token of each service comes from, {heroku = "env:HEROKU_API_KEY"}
---@field priority integer
---@field grp string|nil
---@field depends_on string[]
---@field state pgorch.BatchRowState
---@field run string|nil
---@field stands boolean     what its run did may still stand: it neither ended well nor was put back
---@field attempt integer
---@field not_before integer|nil
---@field worker string|nil
---@field leased boolean     its worker's lease is good by the server's clock; false in a home without leases
---@field fence integer
---@field estimate number|nil seconds
---@field exit_status integer|nil
---@field error table|nil     {id, message, ...}
---@field progress table|nil  {step, title, fraction, bytes, rate, eta, gate}
---@field findings table|nil
---@field started_at integer|nil
---@field ended_at integer|nil

---@class pgorch.BatchRead
---@field name string
---@field options table
---@field state "running"|"paused"|"draining"|"stopped"|"done"
---@field reason string|nil
---@field waves_approved integer
---@field revision integer       of the whole schedule
---@field continued_at integer  failures before it are forgiven
---@field now integer           by the clock that leases and waits go by
---@field rows pgorch.BatchRow[]  in the manifest's order

---SQL: microseconds since 1970, by the server's clock where there is one.
---@return string
function Batches:now_sql()
  if self.home.leases then return self.home.now end
  return tostring(require("pgorch.store").now())
end

-- Of the batch's own log: the statement stands in the transaction of what it tells.
local TOLD = "insert into batch_event (batch, seq, at, row_id, kind, data) "
  .. "select $1, coalesce(max(seq), 0) + 1, %s, $2, $3, $4 from batch_event where batch = $1"

---@param batch string
---@param row string|nil
---@param kind string
---@param data? table
---@return table statement
function Batches:batch_told(batch, row, kind, data)
  return { TOLD:format(self:now_sql()), batch, row, kind, json.encode(data or {}), n = 5 }
end

local JSON_FIELDS = { "argv", "labels", "scopes", "depends_on", "error", "progress", "findings" }

local function decoded(row)
  row.leased, row.stands = row.leased == 1, row.stands == 1
  for _, field in ipairs(JSON_FIELDS) do
    if row[field] then row[field] = json.decode(row[field]) end
  end
  row.depends_on, row.scopes = row.depends_on or {}, row.scopes or {}
  return row
end

local LEASED = "case when lease_until > %s then 1 else 0 end as leased"

-- What decides about starts; argv, findings and progress are most of a row.
local BRIEF = "batch, id, position, recipe, recipe_path, recipe_hash, scopes, priority, grp, depends_on, state, run, "
  .. "stands, attempt, not_before, worker, fence, estimate, exit_status, started_at, ended_at"

local function rows_of(self, name, brief)
  local rows = self.db:query(("select %s, %s from batch_row where batch = $1 order by position, id")
    :format(brief and BRIEF or "*", LEASED:format(self.home.now)), name)
  for _, row in ipairs(rows) do decoded(row) end
  return rows
end

-- The revision is read first: whatever is younger than it makes a claim void.
local function read(self, name, brief)
  local revision = self:schedule_revision()
  local found = self.db:query(("select *, %s as now from batch where name = $1"):format(self:now_sql()), name)[1]
  if not found then return nil end
  found.revision, found.options, found.rows = revision, json.decode(found.options), rows_of(self, name, brief)
  return found
end

---A number that is another one after each change that decides what may start: cheap to ask.
---@return integer
function Batches:schedule_revision()
  return self.db:query("select value from meta where name = 'schedule'")[1].value
end

---@param name string
---@return pgorch.BatchRead|nil
function Batches:find_batch(name) return read(self, name, false) end

---@param name string
---@return pgorch.BatchRead
function Batches:batch(name)
  return self:find_batch(name) or fail.raise("PGO-BATCH-UNKNOWN",
    ("there is no batch %s in %s"):format(name, self.path))
end

---What decides about starts: the rows without argv, labels, findings, progress, error. nil: there is no such batch.
---@param name string
---@return pgorch.BatchRead|nil
function Batches:schedule(name) return read(self, name, true) end

---Names of the batches in which something may be to do, oldest first.
---@return string[]
function Batches:open_batches()
  local names = self.db:query "select name from batch where state <> 'done' order by created_at, name"
  for i, row in ipairs(names) do names[i] = row.name end
  return names
end

---Rows of other batches that are scheduled now: limits count them, too.
---@param name string
---@return {batch: string, id: string, grp: string|nil, scopes: table}[]
function Batches:busy_elsewhere(name)
  local rows = self.db:query("select batch, id, grp, scopes from batch_row "
    .. "where batch <> $1 and state = 'running'", name)
  for _, row in ipairs(rows) do row.scopes = row.scopes and json.decode(row.scopes) or {} end
  return rows
end

---One row with all that is known of it.
---@param batch string
---@param id string
---@return pgorch.BatchRow|nil
function Batches:batch_row(batch, id)
  local row = self.db:query(("select *, %s from batch_row where batch = $1 and id = $2")
    :format(LEASED:format(self.home.now)), batch, id)[1]
  return row and decoded(row)
end

---All batches without their rows, oldest first, each with how many rows are in each state.
---@return {name: string, state: string, counts: table<string, integer>, created_at: integer}[]
function Batches:batches()
  local list, by_name = self.db:query "select * from batch order by created_at, name", {}
  for _, each in ipairs(list) do
    each.options, each.counts, by_name[each.name] = json.decode(each.options), {}, each
  end
  for _, row in ipairs(self.db:query "select batch, state, count(*) as n from batch_row group by batch, state") do
    if by_name[row.batch] then by_name[row.batch].counts[row.state] = row.n end
  end
  return list
end

---All that happened to a batch and its rows, first first.
---@param name string
---@return {seq: integer, at: integer, row_id: string|nil, kind: string, data: table}[]
function Batches:batch_events(name)
  local rows = self.db:query("select seq, at, row_id, kind, data from batch_event where batch = $1 order by seq", name)
  for _, row in ipairs(rows) do row.data = json.decode(row.data) end
  return rows
end

---Whoever decides on what was read before this decides again.
---@param revision? integer  as it was read; PGO-BATCH-CHANGED when it is another by now
---@return table statement
function Batches.schedule_changes(_, revision)
  local sql = "update meta set value = value + 1 where name = 'schedule'"
  if not revision then return { sql } end
  return { sql .. " and value = $1", revision, needs = "PGO-BATCH-CHANGED" }
end

local STATE = "update batch set state = $2, reason = $3, updated_at = NOW, "
  .. "continued_at = case when $4 = 1 then NOW else continued_at end where name = $1"

---@param name string
---@param state "running"|"paused"|"draining"|"stopped"|"done"
---@param reason? string
---@param o? {revision?: integer, continued?: boolean}  revision: only if nothing has changed since (nothing is done
---then); continued: failures until now are forgiven
---@return boolean done
function Batches:set_batch_state(name, state, reason, o)
  o = o or {}
  local ok, err = pcall(self.db.batch, self.db, {
    self:schedule_changes(o.revision),
    { (STATE:gsub("NOW", self:now_sql())), name, state, reason, o.continued and 1 or 0, n = 5,
      needs = "PGO-BATCH-UNKNOWN" },
    self:batch_told(name, nil, state, { reason = reason }),
  })
  if ok then return true end
  if fail.is(err, "PGO-BATCH-CHANGED") then return false end
  error(err, 0)
end

---The next wave of a canary may start.
---@param name string
function Batches:approve_wave(name)
  self.db:batch {
    self:schedule_changes(),
    { "update batch set waves_approved = waves_approved + 1 where name = $1", name, needs = "PGO-BATCH-UNKNOWN" },
    self:batch_told(name, nil, "approved"),
  }
end

---Forgets a batch with its rows; their runs stay.
---@param name string
function Batches:forget_batch(name)
  self.db:batch { self:schedule_changes(), { "delete from batch where name = $1", name } }
end

return Batches
