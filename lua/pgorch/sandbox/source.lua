-- The source side of the world: a cluster like a managed provider's, with the sample data in it.
-- Knows no provider: the stand-ins describe this cluster in their own words.

local crypto    = require "pgorch.crypto"
local fail      = require "pgorch.error"
local pg        = require "pgorch.pg"
local binaries  = require "pgorch.sandbox.postgres.binaries"
local postgres  = require "pgorch.sandbox.postgres"
local resource  = require "pgorch.native.resource"
local template  = require "pgorch.sandbox.postgres.template"
local url       = require "pgorch.sandbox.url"

local source = {}

source.ADMIN, source.DBNAME = "vultradmin", "defaultdb"

-- Durable settings would only slow the loading down; minimal WAL lets new tables skip it.
local LOADING = { wal_level = "minimal", max_wal_senders = "0", maintenance_work_mem = "128MB" }

local function script(name)
  return assert(resource.read("pgorch/sandbox/" .. name), name)
end

local function load(server, dir, o)
  postgres.initdb(server, dir .. "/data")
  local cluster <close> = postgres.start(server, dir, { settings = LOADING })
  cluster:psql(script "source_roles.sql", {})
  cluster:psql(o.sample, { user = source.ADMIN, dbname = source.DBNAME, variables = { scale = o.scale } })
  if o.extras then cluster:psql(script "source_extras.sql", { dbname = source.DBNAME }) end
  cluster:close "INT"
end

--- A password with what URLs, shells, conninfo strings and passfiles stumble over, and enough chance to be one.
local function new_password()
  return ("p@ss/w%%rd:'\"\\ ü?&=+#%s"):format(crypto.hex(crypto.random(12)))
end

--- Starts the cluster.
---@param world table {dir, server, tls}
---@param o? { scale: number?, sql: string?, postgres: string?, host: string? } sql: a script (text) to load in place of
--- the sample; postgres: the bin folder of another server than the world's; host: "::1" in the place of "127.0.0.1"
---@return table source {cluster, host, port, user, password, dbname, url, ca_pem, ca_file, version}
function source.start(world, o)
  o = o or {}
  local scale, dir = o.scale or 1, world.dir .. "/source"
  local server = o.postgres and binaries.find(o.postgres, "--source-postgres") or world.server
  local sample = o.sql or script "sample.sql"
  postgres.prepare(server, dir, world.tls)
  local identity = { server.version, server.user or "self", tostring(scale), script "source_roles.sql",
    script "source_extras.sql", sample }
  local kind = ("source-%d-%s"):format(server.major, o.sql and "custom" or scale)
  template.provide({ kind = kind, identity = identity }, dir .. "/data",
    function() load(server, dir, { scale = scale, sample = sample, extras = not o.sql }) end)
  local cluster = postgres.start(server, dir, { host = o.host })
  local made = { cluster = cluster, host = cluster.host, port = cluster.port, user = source.ADMIN,
    password = new_password(),
    dbname = source.DBNAME, ca_pem = world.tls.ca_pem, ca_file = world.tls.ca_file, version = server.major }
  local conn <close> = cluster:connect()
  conn:exec(("ALTER ROLE %s PASSWORD %s"):format(pg.ident(made.user), pg.literal(made.password)))
  made.url = cluster:url(made.user, made.password, made.dbname) .. "?sslmode=require"
  return made
end

--- A real database in the place of the cluster: what the stand-ins need to know of it. They hand the password out, so
--- that it is read from the URL here: parsed as libpq does it, it would be a secret.
---@param text string
---@return table source as from start, without a cluster
function source.from_url(text)
  local ok, parts = pcall(pg.dsn, text)
  local password = text:match "^postgres%a*://[^:@/]+:([^@/]+)@"
  if not (ok and password and parts.host and parts.dbname) then
    fail.raise("PGO-SANDBOX", "the source's URL is not postgres://USER:PASSWORD@HOST:PORT/DB")
  end
  return { url = text, user = parts.user, password = url.decode(password), host = parts.host, port = parts.port,
    dbname = parts.dbname }
end

return source
