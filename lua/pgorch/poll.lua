-- How often remote things are asked whether they have moved on: one table, in seconds.
-- The figures are those of Heroku's own CLI. What is over soon is asked about more often at first, and what takes long
-- more rarely later, so that a wait costs a few dozen of the account's requests more than the CLI's at most, and in the
-- end far fewer.
-- PGORCH_POLL_SCALE shortens them, but only while HEROKU_HOST is loopback: never against the real service.

local env  = require "pgorch.env"
local task = require "pgorch.task"

local poll = {}

local INTERVAL = {
  addon = 5,          -- GET add-on while it is provisioning
  wait_status = 5,    -- Data API, while the database is prepared
  connect = 5,        -- a database that should answer soon
  dump = 2,           -- pg_dump's session on the source
  transfer = 3,       -- GET transfer while a restore runs
  settle = 2,         -- Heroku's last figures arrive up to two seconds after finished_at
  lookup = 3,         -- between the two look-ups that must both say "not there"
  dynos = 10,         -- GET dynos while they stop
  allow_list = 5,     -- a provider's allow list takes seconds to minutes to spread
  release = 5,        -- a release phase
  turn = 1,           -- another run is just changing what both share
  lease = 10,         -- a sign of life of a run whose record is in a server
  watch = 15,         -- sessions on the source after the cut-over
  batch = 1,          -- what of a batch may start now
  group = 1,          -- whether the other rows of a group are there, or are put back
  again = 1,          -- each second of a wait until a row of a batch is tried again
}

---Whether a host, a host:port or a URL names this machine. A bare IPv6 address has no port.
---@param host string|nil
---@return boolean
function poll.is_loopback(host)
  if not host then return false end
  local name = host:gsub("^%a[%w+.-]*://", ""):gsub("/.*$", "")
  name = name:match("^%[([^%]]*)%]") or name:match("^([^:]*):%d+$") or name
  return name == "localhost" or name == "::1" or name:match("^127%.%d+%.%d+%.%d+$") ~= nil
end

local function scale()
  local asked = tonumber(env.get("PGORCH_POLL_SCALE") or "")
  return asked and asked > 0 and poll.is_loopback(env.get("HEROKU_HOST")) and asked or 1
end

---Seconds to wait between two looks at `what`.
---@param what string a key of the table above
---@return number
function poll.seconds(what)
  return assert(INTERVAL[what], "no such poll interval: " .. tostring(what)) * scale()
end

-- Seconds between the first looks of a wait, and between those of a very long one; parts of what has passed.
local FIRST, LAST = 0.5, 30
local SOON, LONG = 0.05, 0.01

---Seconds until the next look, by how long a wait has lasted: from half a second on a twentieth of that, up to
---`seconds`; when that is less than a hundredth of it, a hundredth, up to half a minute. An hour takes 400 looks.
---@param seconds number   the interval of the table
---@param passed number    seconds since the wait began
---@param by? number       what FIRST and LAST are scaled by
---@return number
function poll.after(seconds, passed, by)
  by = by or 1
  local soon = math.min(seconds, math.max(FIRST * by, SOON * passed))
  return math.max(soon, math.min(LAST * by, LONG * passed))
end

---For one wait that begins now: what it gives is slept before each next look at `what`.
---@param what string   a key of the table above
---@return fun(): number
function poll.pace(what)
  local began = task.now()
  return function() return poll.after(poll.seconds(what), task.now() - began, scale()) end
end

return poll
