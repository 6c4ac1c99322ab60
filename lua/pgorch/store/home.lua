-- Where a record of runs is kept, from its URL: what the driver opens, what messages call it, where a run's files go on
-- this machine, and the few words of SQL in which the two homes differ. Opens nothing, and never shows a password.

local env    = require "pgorch.env"
local fail   = require "pgorch.error"
local pg     = require "pgorch.pg"
local poll   = require "pgorch.poll"
local secret = require "pgorch.secret"

local home = {}

-- How long a run stays with a process that is not heard of. Only a server can tell: processes of other machines are
-- not seen, and clocks differ. PGORCH_LEASE_SECONDS shortens it in the sandbox alone.
local function lease_seconds()
  local wish = tonumber(env.get "PGORCH_LEASE_SECONDS" or "")
  return wish and wish > 0 and poll.is_loopback(env.get "HEROKU_HOST") and wish or 60
end

home.LEASE_SECONDS = lease_seconds()

---@class pgorch.StoreHome
---@field kind "sqlite"|"postgres"
---@field place string|pgorch.Secret   what native.store opens
---@field name string                  for messages: no secret
---@field folder string                of this machine: runs keep their files below it
---@field now string                   SQL: microseconds since 1970 by the clock that leases go by
---@field lease string                 SQL: until when a lease that is taken now is good
---@field has_tables string            SQL: n > 0 when there is a record
---@field version string               SQL: its version; by the schema's name, so that a missing right is told as one
---@field leases boolean               whether the owner of a run may be a process that cannot be seen from here

local sqlite = {
  kind = "sqlite", leases = false, now = "-1", lease = "null",
  has_tables = "select count(*) as n from sqlite_master where name = 'meta'",
  version = "select value from meta where name = 'version'",
}

local SERVER_CLOCK = "cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)"
local postgres = {
  kind = "postgres", leases = true, now = SERVER_CLOCK,
  lease = ("%s + %d"):format(SERVER_CLOCK, math.ceil(home.LEASE_SECONDS * 1000000)),
  has_tables = "select count(*) as n from pg_catalog.pg_tables where schemaname = 'pgorch' and tablename = 'meta'",
  version = "select value from pgorch.meta where name = 'version'",
}

---The folder of this user's state: $XDG_STATE_HOME/pgorch.
---@return string
function home.state_folder()
  local base = env.get("XDG_STATE_HOME")
  if not base or base == "" then
    local user = env.get("HOME")
    if not user or user == "" then
      fail.raise("PGO-STORE", "neither PGORCH_STATE, XDG_STATE_HOME nor HOME says where the record of runs is kept",
        { kind = "usage", cure = "Set HOME or XDG_STATE_HOME: the files of a run are kept there." })
    end
    base = user .. "/.local/state"
  end
  return base .. "/pgorch"
end

local function shown(parts)
  local host = tostring(parts.host or "")
  if host:find(":", 1, true) and not host:find(",", 1, true) then host = "[" .. host .. "]" end
  return ("postgres://%s%s:%s/%s"):format(parts.user and parts.user .. "@" or "", host, parts.port,
    parts.dbname or parts.user or "")
end

-- The whole URL becomes a secret too, so that no error or log can show it.
local function of_server(url)
  return setmetatable({ place = secret.new(url), name = shown(pg.dsn(url)), folder = home.state_folder() },
    { __index = postgres })
end

local function of_file(path)
  return setmetatable({ place = path, name = path, folder = path:match("^(.*)/[^/]*$") or "." }, { __index = sqlite })
end

---@param url string   "sqlite:PATH", a path, or "postgres://..."
---@return pgorch.StoreHome
function home.of(url)
  if url:match("^postgres://") or url:match("^postgresql://") then return of_server(url) end
  local path = url:match "^sqlite:(.+)$" or not url:match "^%a[%w+]+:" and url ~= "" and url or nil
  if url:match "^sqlite://[^/]" then path = nil end          -- a server's address by a slip, maybe with a password
  if not path then
    fail.raise("PGO-STORE", "what is given as the record of runs names no place for one",
      { kind = "usage", cure = "Use sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE." })
  end
  return of_file(path)
end

return home
