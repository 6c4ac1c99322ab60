-- Watches pg_dump from the server's side, by a session of its own beside it: how far COPY is, who holds a lock that it
-- waits for, and whether it still moves. A dump may take a day: it is stuck only when nothing has moved, neither bytes
-- nor messages nor rows, and its session does no work. What cannot be seen is not judged by more than the bytes.

local fail     = require "pgorch.error"
local poll     = require "pgorch.poll"
local progress = require "pgorch.dump.progress"
local source   = require "pgorch.source"
local task     = require "pgorch.task"
local values   = require "pgorch.recipe.values"

local watch = {}

local STILL = 600                -- seconds without any sign of life
local COPY_PROGRESS = 140000     -- the first server that says how far COPY is

---@class pgorch.dump.Watch
---@field conn pgorch.Connection|nil
---@field before string       pids of our sessions that are not pg_dump's, as an array's text
---@field session table|nil   the last that was seen of pg_dump's
---@field still number        how long nothing may move
local Watch = {}
Watch.__index = Watch

local OURS = [[select coalesce(array_agg(pid), '{}')::text from pg_stat_activity
  where application_name = 'pgorch' and datname = current_database()]]

---Before pg_dump is started. A source that takes no more sessions is dumped unwatched.
---@param from pgorch.Source
---@param state pgorch.DumpState   gets `progress`
---@param o? {still?: number}
---@return pgorch.dump.Watch <close>
function watch.open(from, state, o)
  local self = setmetatable({ before = "{}", still = o and o.still or STILL, moved = task.now() }, Watch)
  local ok, why = pcall(function()
    self.conn = from:connect()
    self.before = self.conn:value(OURS)
    state.progress = progress.read(self.conn)
  end)
  if not ok and task.cancelled(why) then error(why, 0) end
  return self
end

function Watch:close()
  if self.conn then self.conn:close() end
  self.conn = nil
end

Watch.__close = Watch.close

local function ask(self, state)
  local session = self.conn:row(source.sql "dump_session", self.before)
  local copy = session and self.conn.server_version >= COPY_PROGRESS
    and self.conn:row(source.sql "copy_progress", session.pid)
  if copy and state.progress then state.progress:copied(copy.bytes) end
  return session, copy and copy.rows
end

---Who holds the lock that pg_dump waits for; nil when it waits for none.
---@param session table|nil
---@return string|nil
function watch.blocker(session)
  if not session or session.wait_event_type ~= "Lock" then return nil end
  if not session.blocker then return "a lock" end
  return ("a lock that session %d holds (user %s, application %s, for %s)"):format(session.blocker,
    session.blocker_user or "?", session.blocker_application or "?",
    session.blocker_age and values.show_duration(session.blocker_age) or "an unknown time")
end

-- A session that works, or waits for the disk or for a lock, is alive; one that waits for us, or is idle, is not known
-- to be. A lock has a limit of its own.
local function works(session)
  return session and session.state == "active" and session.wait_event_type ~= "Client"
end

local function refuse_if_stuck(self, signs, session)
  local now = task.now()
  if signs ~= self.signs or works(session) then self.signs, self.moved = signs, now end
  if now - self.moved < self.still then return end
  fail.raise("PGO-DUMP", ("pg_dump has not moved for %s"):format(values.show_duration(now - self.moved)), {
    retryable = true, detail = session and ("its session is %s, waiting for %s"):format(session.state,
      session.wait_event or "nothing") or "its session on the server was not seen" })
end

---Until it is cancelled: looks every few seconds. Raises PGO-DUMP when the dump is stuck.
---@param state pgorch.DumpState   gets `waits_for`
---@param archive pgorch.Stream
---@param tell? fun(state: pgorch.DumpState, bytes: integer)   called after each look
function Watch:run(state, archive, tell)
  while true do
    task.sleep(poll.seconds "dump")
    local session, rows
    if self.conn then
      local ok, seen, count = pcall(ask, self, state)
      if ok then session, rows = seen, count
      elseif task.cancelled(seen) then error(seen, 0)
      else self:close() end
    end
    state.waits_for = watch.blocker(session)
    state.blocker = state.waits_for or state.blocker
    if tell then tell(state, archive:total()) end
    refuse_if_stuck(self, ("%d|%d|%s"):format(archive:total(), state.messages or 0, rows or ""), session)
  end
end

return watch
