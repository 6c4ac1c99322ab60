-- How often remote things are asked whether they have moved on: one table, in seconds.
-- The figures are those of Heroku's own CLI, so that pgorch spends no more of the account's request budget than it.
-- PGORCH_POLL_SCALE shortens them, but only while HEROKU_HOST is loopback: never against the real service.

local env = require "pgorch.env"

local poll = {}

local INTERVAL = {
  addon = 5,          -- GET add-on while it is provisioning
  wait_status = 5,    -- Data API, while the database is prepared
  connect = 5,        -- a database that should answer soon
  dump = 2,           -- pg_dump's session on the source
  transfer = 3,       -- GET transfer while a restore runs
  settle = 2,         -- processed_bytes arrives up to two seconds after finished_at
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

---Seconds to wait between two looks at `what`.
---@param what string a key of the table above
---@return number
function poll.seconds(what)
  local seconds = assert(INTERVAL[what], "no such poll interval: " .. tostring(what))
  local scale = tonumber(env.get("PGORCH_POLL_SCALE") or "")
  if scale and scale > 0 and poll.is_loopback(env.get("HEROKU_HOST")) then return seconds * scale end
  return seconds
end

return poll
