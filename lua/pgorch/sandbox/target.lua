-- The target side of the world: the cluster in which the Heroku stand-in makes the databases of its add-ons.
-- Each has an owner who is not a superuser; what Heroku does with privileges of its own is done by the superuser here.

local crypto   = require "pgorch.crypto"
local fs       = require "pgorch.fs"
local pg       = require "pgorch.pg"
local binaries = require "pgorch.sandbox.postgres.binaries"
local postgres = require "pgorch.sandbox.postgres"
local resource = require "pgorch.native.resource"
local template = require "pgorch.sandbox.postgres.template"

local target = {}

--- What Heroku Postgres offers, of what a plain PostgreSQL can have.
target.EXTENSIONS = { "address_standardizer", "bloom", "btree_gin", "btree_gist", "citext", "cube", "dblink",
  "dict_int",
  "dict_xsyn", "earthdistance", "fuzzystrmatch", "hstore", "intarray", "isn", "ltree", "pg_stat_statements", "pg_trgm",
  "pgcrypto", "pgrowlocks", "pgstattuple", "plpgsql", "postgis", "postgis_tiger_geocoder", "postgis_topology",
  "postgres_fdw", "tablefunc", "unaccent", "uuid-ossp", "vector" }

---@class pgorch.sandbox.Target
---@field cluster pgorch.sandbox.Cluster
local Target = {}
Target.__index = Target

---@class pgorch.sandbox.Database
---@field user string
---@field password string
---@field dbname string
---@field url string

local function on_superuser(self, dbname, fn)
  local conn <close> = self.cluster:connect(dbname)
  return fn(conn)
end

--- Runs a function with a connection of the superuser.
---@param dbname string|nil
---@param fn fun(conn: table): any
function Target:admin(dbname, fn)
  return on_superuser(self, dbname, fn)
end

--- The extensions that may be created in it.
---@return table<string, { trusted: boolean }>
function Target:offered()
  if not self.extensions then
    local found = {}
    local wanted = {}
    for _, name in ipairs(target.EXTENSIONS) do wanted[name] = true end
    on_superuser(self, nil, function(conn)
      for _, row in ipairs(conn:query "SELECT DISTINCT ON (name) name, trusted FROM pg_available_extension_versions") do
        if wanted[row.name] then found[row.name] = { trusted = row.trusted } end
      end
    end)
    self.extensions = found
  end
  return self.extensions
end

--- Makes a role and a database that it owns.
---@param plan { essential: boolean, connections: integer }
---@return pgorch.sandbox.Database
function Target:create(plan)
  local user, dbname = "u" .. crypto.hex(crypto.random(7)), "d" .. crypto.hex(crypto.random(7))
  local password = "p" .. crypto.hex(crypto.random(32))
  local names = {}
  for name in pairs(self:offered()) do names[#names + 1] = name end
  table.sort(names)
  -- Essential databases live on an RDS-like service, the others on Heroku's own: the allow-list has two names.
  local setting = plan.essential and "rds.allowed_extensions" or "extwlist.extensions"
  on_superuser(self, nil, function(conn)
    conn:exec(("CREATE ROLE %s LOGIN PASSWORD %s CONNECTION LIMIT %d"):format(user, pg.literal(password),
      plan.connections))
    conn:exec(("CREATE DATABASE %s OWNER %s"):format(dbname, user))
    conn:exec(("REVOKE CONNECT, TEMPORARY ON DATABASE %s FROM PUBLIC"):format(dbname))
    conn:exec(("ALTER DATABASE %s SET %s = %s"):format(dbname, setting, pg.literal(table.concat(names, ","))))
  end)
  local database = { user = user, password = password, dbname = dbname, url = self.cluster:url(user, password, dbname) }
  self:reset(database)
  return database
end

---@param database pgorch.sandbox.Database
function Target:drop(database)
  on_superuser(self, nil, function(conn)
    conn:exec(("DROP DATABASE %s WITH (FORCE)"):format(database.dbname))
    conn:exec(("DROP ROLE %s"):format(database.user))
  end)
end

--- Gives its owner a new password.
---@param database pgorch.sandbox.Database
function Target:rotate(database)
  database.password = "p" .. crypto.hex(crypto.random(32))
  on_superuser(self, nil, function(conn)
    conn:exec(("ALTER ROLE %s PASSWORD %s"):format(database.user, pg.literal(database.password)))
  end)
  database.url = self.cluster:url(database.user, database.password, database.dbname)
end

--- Empties it. Sessions in it are ended, as they would be in the way.
---@param database pgorch.sandbox.Database
function Target:reset(database)
  local script = assert(resource.read "pgorch/sandbox/reset.sql")
  on_superuser(self, database.dbname, function(conn) conn:exec(script) end)
end

--- Ends all sessions in it.
---@param database pgorch.sandbox.Database
function Target:disconnect(database)
  on_superuser(self, nil, function(conn)
    conn:exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database.dbname)
  end)
end

--- Creates extensions in it, as the superuser. Each is "name" or "schema.name".
---@param database pgorch.sandbox.Database
---@param list string[]
function Target:create_extensions(database, list)
  on_superuser(self, database.dbname, function(conn)
    for _, each in ipairs(list) do
      local schema, name = each:match "^([^.]+)%.(.+)$"
      schema, name = schema or "public", name or each
      conn:exec(("CREATE SCHEMA IF NOT EXISTS %s"):format(pg.ident(schema)))
      conn:exec(("CREATE EXTENSION IF NOT EXISTS %s SCHEMA %s"):format(pg.ident(name), pg.ident(schema)))
    end
  end)
end

--- What the Data API tells of it.
---@param database pgorch.sandbox.Database
---@return { bytes: integer, tables: integer, connections: integer, version: string }
function Target:facts(database)
  return on_superuser(self, database.dbname, function(conn)
    return conn:row [[SELECT pg_database_size(current_database()) AS bytes,
      (SELECT count(*) FROM pg_stat_user_tables) AS tables,
      (SELECT count(*) FROM pg_stat_activity WHERE
        datname = current_database() AND pid <> pg_backend_pid()) AS connections,
      split_part(current_setting('server_version'), ' ', 1) AS version]]
  end)
end

--- The library that Heroku has in every server, if this installation comes with it: where Debian has it, or npm.
local function preload(server)
  for _, folder in ipairs { "/../lib/", "/../lib/postgresql/" } do
    if fs.exists(server.bin .. folder .. "pg_stat_statements.so") then return "pg_stat_statements" end
  end
  return ""
end

--- Starts the cluster, without any database of a user.
---@param world table {dir, server, tls}
---@param o? { postgres: string?, host: string? } postgres: the bin folder of another server than the world's;
--- host: "::1" in the place of "127.0.0.1"
---@return pgorch.sandbox.Target
function target.start(world, o)
  o = o or {}
  local dir = world.dir .. "/target"
  local server = o.postgres and binaries.find(o.postgres, "--target-postgres") or world.server
  postgres.prepare(server, dir, world.tls)
  template.provide({ kind = ("target-%d"):format(server.major), identity = { server.version, server.user or "self" } },
    dir .. "/data", function() postgres.initdb(server, dir .. "/data") end)
  local cluster = postgres.start(server, dir, { host = o.host,
    settings = { shared_preload_libraries = preload(server), max_connections = "200" } })
  return setmetatable({ cluster = cluster, server = server }, Target)
end

--- True when a request may name this extension.
---@param entry string "name" or "schema.name"
function Target:allows(entry)
  return self:offered()[entry:match "%.(.+)$" or entry] ~= nil
end

--- True when the owner of a database may create it without help.
---@param name string
function Target:is_trusted(name)
  local extension = self:offered()[name]
  return extension ~= nil and extension.trusted
end

return target
