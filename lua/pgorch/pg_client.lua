-- PostgreSQL's own client programs on this machine: which majors are installed, and the one that fits a migration.
-- pg_dump refuses a server newer than itself, and an older pg_restore refuses the archive of a newer pg_dump, so the
-- choice is source <= client <= target.

local env     = require "pgorch.env"
local fail    = require "pgorch.error"
local fs      = require "pgorch.fs"
local process = require "pgorch.process"
local task    = require "pgorch.task"

local M = {}

---@class pgorch.PgClient
---@field major integer
---@field version string
---@field pg_dump string   path

-- Of the user's environment a client program gets only this. PGSERVICE would send it to another server whatever the
-- other variables say; keys of APIs are none of its business.
local KEPT = { "PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH" }

---The whole environment of a client program. Its messages are English: they are read.
---@param vars table<string, any>  where it connects to
---@return table<string, any>
function M.environment(vars)
  local all = { LC_ALL = "C" }
  for _, name in ipairs(KEPT) do all[name] = env.get(name) end
  for name, value in pairs(vars) do all[name] = value end
  return all
end

local function look_at(path)
  local readable, there = pcall(fs.exists, path) -- PATH may hold folders that are closed to us, or are none
  if not readable or not there then return nil end
  local ok, out = pcall(process.run, { path, "--version", timeout = 10, env = M.environment {}, env_clear = true })
  if not ok then return nil end
  local version = out.stdout:match("(%d+[%w.]*)")
  local major = version and math.tointeger(tonumber(version:match("^(%d+)")))
  if major then return { major = major, version = version, pg_dump = path } end
end

local DEBIAN = "/usr/lib/postgresql"

local function debian_folder(major) return ("%s/%s/bin"):format(DEBIAN, major) end

local function folders()
  local list = {}
  local ok, majors = pcall(fs.list, DEBIAN)
  for _, name in ipairs(ok and majors or {}) do list[#list + 1] = debian_folder(name) end
  for folder in (env.get("PATH") or ""):gmatch("[^:]+") do list[#list + 1] = folder end
  return list
end

---The pg_dump in this place, nil when there is none that runs.
M.look_at = look_at

-- The best comes first.
local function places()
  local list = { env.get "PGORCH_PG_DUMP" }
  for _, folder in ipairs(folders()) do list[#list + 1] = folder .. "/pg_dump" end
  return list
end

-- All of them at once: each is a program that has to start.
local function look_at_all(paths)
  local found = {}
  task.group(function(group)
    for i, path in ipairs(paths) do
      group:spawn(function() found[i] = look_at(path) or false end)
    end
  end)
  return found
end

---All pg_dump programs of this machine, one per major, oldest first.
---@return pgorch.PgClient[]
function M.installed()
  local by_major, list = {}, {}
  for _, found in ipairs(look_at_all(places())) do
    if found and not by_major[found.major] then by_major[found.major] = found end
  end
  for _, each in pairs(by_major) do list[#list + 1] = each end
  table.sort(list, function(a, b) return a.major < b.major end)
  return list
end

-- The server's version, what is here, and what to do: all that the reader needs.
local function refuse(source_major, target_major, list)
  local names = {}
  for i, each in ipairs(list) do names[i] = ("%s (%s)"):format(each.version, each.pg_dump) end
  local has = #names > 0 and "installed here: " .. table.concat(names, ", ") or "no pg_dump is installed here"
  local range = not target_major and ("%d or newer"):format(source_major)
    or target_major == source_major and tostring(source_major) or ("%d to %d"):format(source_major, target_major)
  fail.raise("PGO-PG-VERSION", ("the source is PostgreSQL %d: a pg_dump of %s is needed"):format(source_major, range), {
    detail = ("%s\ninstall it, on Debian with: apt-get install postgresql-client-%d"):format(has, source_major)
      .. "\n(from PostgreSQL's own packages, where the distribution has none), or name one in PGORCH_PG_DUMP" })
end

-- Of that very major, where one is sure to find it: no others have to be started then.
local function of_major(major)
  local paths = { env.get "PGORCH_PG_DUMP" }
  paths[#paths + 1] = debian_folder(major) .. "/pg_dump"
  for _, path in ipairs(paths) do
    local found = look_at(path)
    if found and found.major == major then return found end
  end
end

---The pg_dump to use: of the source's major if there is one, else the next newer one that is not past the target.
---@param source_major integer
---@param target_major integer|nil   nil: not known yet
---@param list? pgorch.PgClient[]
---@return pgorch.PgClient
function M.choose(source_major, target_major, list)
  local exact = not list and of_major(source_major)
  if exact then return exact end
  list = list or M.installed()
  -- A target that is older than the source is a finding of its own: no pg_dump would mend it.
  if target_major and target_major < source_major then target_major = nil end
  for _, each in ipairs(list) do
    if each.major >= source_major and each.major <= (target_major or 999) then return each end
  end
  refuse(source_major, target_major, list)
end

-- libpq has no environment variables for these. An idle firewall in between would cut a dump that the upload holds up;
-- a server that is gone is noticed within two minutes.
local KEEPALIVES = "--dbname=keepalives=1 keepalives_idle=30 keepalives_interval=10 keepalives_count=9"

---Arguments of a dump that Heroku can restore: no owners, grants, publications, labels, tablespaces of the source. All
---names are quoted: a newer major has more reserved words (system_user since 16).
---@param client pgorch.PgClient
---@param o {snapshot?: string, lock_wait?: number, compress?: integer}   lock_wait: seconds to wait for the lock of
---each table; compress: 0 leaves that to who reads
---@return string[]
function M.dump_argv(client, o)
  local argv = { client.pg_dump, "--format=custom", "--large-objects", "--no-acl", "--no-owner", "--no-publications",
                 "--no-subscriptions", "--no-security-labels", "--no-tablespaces", "--quote-all-identifiers",
                 "--no-password", KEEPALIVES }
  if client.major < 16 then argv[3] = "--blobs" end          -- the option's name until 15
  if o.compress then argv[#argv + 1] = ("--compress=%d"):format(o.compress) end
  if o.snapshot then argv[#argv + 1] = "--snapshot=" .. o.snapshot end
  if o.lock_wait then argv[#argv + 1] = ("--lock-wait-timeout=%d"):format(math.floor(o.lock_wait * 1000)) end
  return argv
end

return M
