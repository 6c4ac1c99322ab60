-- The programs that pgorch starts: which databases can be dumped with the pg_dump that are here, what else is missing.

local doctor    = require "pgorch.doctor"
local env       = require "pgorch.env"
local fs        = require "pgorch.fs"
local binaries  = require "pgorch.sandbox.postgres.binaries"
local native    = require "pgorch.native.pg"
local pg_client = require "pgorch.pg_client"
local process   = require "pgorch.process"

local NEWEST = 18 -- PostgreSQL's newest major

local function in_path(name)
  for folder in (env.get "PATH" or ""):gmatch "[^:]+" do
    local ok, there = pcall(fs.exists, folder .. "/" .. name)
    if ok and there then return folder .. "/" .. name end
  end
end

-- Every child goes through pgorch-exec, which stands beside the program.
local function check_children(found)
  local ended = doctor.try(found, "child processes", process.run, { "true", timeout = 10 })
  if ended then found:pass "child processes can be started" end
end

local function installing(major) return ("on Debian: apt-get install postgresql-client-%d"):format(major) end

local function describe(client)
  local restore = fs.exists((client.pg_dump:match "^(.*)/" or ".") .. "/pg_restore")
  return ("pg_dump %s (%s%s)"):format(client.version, client.pg_dump, restore and "" or ", no pg_restore beside it")
end

local function check_dump(found)
  local list = pg_client.installed()
  local newest = list[#list]
  if not newest then
    return found:fail("PGO-PG-VERSION", "no pg_dump is installed: no database can be dumped", {
      cure = ("Install one of the source's major version, %s; or name one in PGORCH_PG_DUMP."):format(
        installing(NEWEST)) })
  end
  for _, client in ipairs(list) do
    found:pass(("%s: dumps databases of PostgreSQL %d and older"):format(describe(client), client.major))
  end
  if newest.major >= NEWEST then return end
  found:warn(("databases of PostgreSQL %d and newer cannot be dumped"):format(newest.major + 1), {
    cure = ("only if you have one: install a pg_dump of its major, %s, from PostgreSQL's own packages where the "
      .. "distribution has none"):format(installing(newest.major + 1)) })
end

local function check_library(found)
  local version = native.library_version()
  found:pass(("libpq %d.%d"):format(version // 10000, version % 10000))
end

-- What a move does not need, and a person may.
local OPTIONAL = {
  psql = "for commands that pgorch suggests (Debian: postgresql-client)",
  heroku = "for commands that pgorch suggests: pgorch itself speaks to Heroku's API",
  aws = "to look into a bucket by hand (Debian: awscli)",
  openssl = "for the certificates of `pgorch sandbox`, `demo` and `rehearse` (Debian: openssl)",
}

local function check_optional(found)
  for _, name in ipairs { "psql", "heroku", "aws", "openssl" } do
    local path = in_path(name)
    if path then
      found:pass(("%s (%s)"):format(name, path))
    else
      found:note(("there is no %s: it is %s"):format(name, OPTIONAL[name]))
    end
  end
end

local function check_server(found)
  local ok, server = pcall(binaries.find)
  if ok then return found:pass(("a PostgreSQL server for the sandbox: %s (%s)"):format(server.version, server.bin)) end
  found:note(("`pgorch sandbox`, `demo` and `rehearse` cannot be used: %s"):format(server.message or tostring(server)))
end

return function(found)
  check_children(found)
  check_dump(found)
  check_library(found)
  check_optional(found)
  check_server(found)
end
