-- A database, source or target, that one process has for itself: by an advisory lock in the database, which runs see
-- whose record is on another machine too. Held by a session of its own as long as the process lives. Writes nothing.

local fail = require "pgorch.error"
local poll = require "pgorch.poll"
local task = require "pgorch.task"

local claim = {}

-- "pgor", and what for. A process that died without a word gives it back in a minute.
local LOCK = "select pg_try_advisory_lock(1885826930, 1)"
local KEEPALIVE = { tcp_keepalives_idle = "30", tcp_keepalives_interval = "10", tcp_keepalives_count = "3" }
local LOOK_SECONDS = 10

-- A server may end sessions that idle, since 14.
local STAY = "select set_config(name, '0', false) from pg_settings where name = 'idle_session_timeout'"

local function answers(conn)
  return pcall(task.timeout, LOOK_SECONDS, conn.value, conn, "select 1")
end

-- The session of a process that was just killed may still be ending: looked at twice.
local function lock(conn)
  conn:query(STAY)
  if conn:value(LOCK) then return true end
  task.sleep(poll.seconds "lookup")
  return conn:value(LOCK)
end

---Raises PGO-LOCKED when another process has it. A claim whose connection was lost is made again.
---@param ctx pgorch.Context
---@param name string     under which the session is kept: ctx.live[name]
---@param database pgorch.Source|pgorch.Target
---@param o? {if_reachable?: boolean}  a database that cannot be reached is let pass
function claim.take(ctx, name, database, o)
  local held = ctx.live[name]
  if held and answers(held) then return end
  local ok, conn = pcall(database.connect, database, { settings = KEEPALIVE })
  if not ok then
    if o and o.if_reachable and not task.cancelled(conn) then return end
    error(conn, 0)
  end
  ctx:keep(name, conn)
  if lock(conn) then return end
  ctx:keep(name, nil)
  fail.raise("PGO-LOCKED", ("another pgorch works on %s now"):format(database:name()),
    { cure = "Wait for it, or stop it: it runs on another machine, or with another record of runs.", claim = name })
end

return claim
