-- The part of the store that tells what happened, in the order in which it was written down: an event stands in the
-- same transaction as what it tells, and is never changed. Kinds, and what their data holds:
--   running, waiting, stopped, failed, undoing, put_back, undo_failed, done      of the run {attempt, exit_status}
--   taken_over {owner, fence}                a process works on the run from now on; given_back {}: none does
--   step_begun {step, attempt}  remembered {step}  step_done {step}  step_failed {step, error}  step_skipped {step}
--   step_void {step}  undoing {step}  undone {step}  undo_failed {step, error}   of a step, which `step` tells
--   lock_taken {name}  lock_given {name}  held {name}  released {name}           of names that runs share
--       (a run that comes to an end, done, failed or put_back, gives back the names that it has for itself with it)
--   requested {what}  changed {differences}      asked of the process that works; accepted with --accept-changes
--   approved {gate}  cleaned {left, entries}  destroying {source}  destroyed {source, ...}   of commands

local clock = require "pgorch.clock"
local json  = require "pgorch.json"

local Events = {}

-- A clock that was set back makes no event older than the one before it.
local INSERT = "insert into event (run, seq, at, kind, data) "
  .. "select $1, latest.seq + 1, case when latest.at > $2 then latest.at else $2 end, $3, $4 "
  .. "from (select coalesce(max(seq), 0) as seq, coalesce(max(at), 0) as at from event where run = $1) as latest"

---A statement of the batch that does what it tells.
---@param run string
---@param kind string
---@param data? table
---@param o? {at?: integer, only_if?: string, values?: any[]}   a condition over $1 (run), $2 (at), $5... (values)
---@return table
function Events.told(run, kind, data, o)
  local at = o and o.at or math.floor(clock.time() * 1e6)
  local text = json.encode(data or {})
  if not (o and o.only_if) then return { INSERT, run, at, kind, text } end
  return { INSERT .. " where " .. o.only_if, run, at, kind, text, table.unpack(o.values) }
end

local Methods = {}

---Something that happened, for the report.
---@param run string
---@param kind string
---@param data? table
function Methods:event(run, kind, data)
  self:write(run, { Events.told(run, kind, data) })
end

---All of a run, first first.
---@param run string
---@return {seq: integer, at: integer, kind: string, data: table}[]
function Methods:events(run)
  local rows = self.db:query("select seq, at, kind, data from event where run = $1 order by seq", run)
  for _, row in ipairs(rows) do row.data = json.decode(row.data) end
  return rows
end

Events.methods = Methods

return Events
