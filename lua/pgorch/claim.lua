-- A database that runs have for themselves, by an advisory lock in the database, which those see whose record is on
-- another machine too: a target has one process, a source the runs of one record, which know of each other by that.
-- Held by a session of its own as long as the process lives. Writes nothing.

local fail = require "pgorch.error"
local poll = require "pgorch.poll"
local resource = require "pgorch.resource"
local task = require "pgorch.task"

local claim = {}

-- "pgor", and what for: 1 is one process alone, any other number is a record.
local ALONE   = "select pg_try_advisory_lock(1885826930, 1)"
local TOGETHER = "select pg_advisory_lock_shared(1885826930, $1::integer)"
local APART   = "select pg_advisory_unlock_shared(1885826930, $1::integer)"
-- A process that died without a word gives it back in a minute.
local KEEPALIVE = { tcp_keepalives_idle = "30", tcp_keepalives_interval = "10", tcp_keepalives_count = "3" }
local LOOK_SECONDS = 10

-- A server may end sessions that idle, since 14.
local STAY = "select set_config(name, '0', false) from pg_settings where name = 'idle_session_timeout'"

local function answers(conn)
  return pcall(task.timeout, LOOK_SECONDS, conn.value, conn, "select 1")
end

-- Who comes in asks after he has made himself known: of two at once at least one sees the other.
local function try(conn, record)
  if not record then return conn:value(ALONE) end
  conn:value(TOGETHER, record)
  if conn:value(resource.read "pgorch/sql/foreign_claims.sql", record) == 0 then return true end
  conn:value(APART, record)
  return false
end

-- The session of a process that was just killed may still be ending: looked at twice.
local function lock(conn, record)
  conn:query(STAY)
  if try(conn, record) then return true end
  task.sleep(poll.seconds "lookup")
  return try(conn, record)
end

-- An integer of the server's, from 2 on.
local function number_of(record) return 2 + record % 0x7ffffffd end

---Raises PGO-LOCKED when another process has it. A claim whose connection was lost is made again.
---@param ctx pgorch.Context
---@param name string     under which the session is kept: ctx.live[name]
---@param database pgorch.Source|pgorch.Target
---@param o? {if_reachable?: boolean, together?: boolean}  if_reachable: a database that cannot be reached is let pass;
---together: with the other runs of this record
function claim.take(ctx, name, database, o)
  local held = ctx.live[name]
  if held and answers(held) then return end
  local ok, conn = pcall(database.connect, database, { settings = KEEPALIVE })
  if not ok then
    if o and o.if_reachable and not task.cancelled(conn) then return end
    error(conn, 0)
  end
  ctx:keep(name, conn)
  if lock(conn, o and o.together and number_of(ctx:record())) then return end
  ctx:keep(name, nil)
  fail.raise("PGO-LOCKED", ("another pgorch works on %s now"):format(database:name()),
    { cure = "Wait for it, or stop it: it runs on another machine, or with another record of runs.", claim = name })
end

return claim
