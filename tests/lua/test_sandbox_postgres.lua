-- The sandbox's clusters: they start fast, hold the sample, are reached only as a managed one would be, and leave
-- nothing.

local certificate = require "pgorch.sandbox.certificate"
local binaries    = require "pgorch.sandbox.postgres.binaries"
local env         = require "pgorch.env"
local folder      = require "pgorch.sandbox.folder"
local fs          = require "pgorch.fs"
local pg          = require "pgorch.pg"
local process     = require "pgorch.process"
local http_server = require "pgorch.http_server"
local loopback    = require "pgorch.sandbox.loopback"
local majors      = require "support.majors"
local source      = require "pgorch.sandbox.source"
local target      = require "pgorch.sandbox.target"
local template    = require "pgorch.sandbox.postgres.template"

local SCALE = 0.02

local function in_world(fn)
  local world = { dir = folder.make(), server = binaries.find() }
  fs.mkdir(world.dir .. "/tls")
  world.tls = certificate.make(world.dir .. "/tls")
  local ok, why = pcall(fn, world)
  fs.remove_tree(world.dir)
  if not ok then error(why, 0) end
end

describe("the sandbox's source", function()
  it("holds the sample, owned by an admin who is no superuser", function()
    in_world(function(world)
      local made = source.start(world, { scale = SCALE })
      local cluster <close> = made.cluster
      expect(cluster.port).above(0)
      local conn <close> = pg.connect { host = made.host, port = made.port, user = made.user, password = made.password,
        dbname = made.dbname, sslmode = "verify-full", ca_pem = made.ca_pem }
      expect(conn:value "SELECT rolsuper FROM pg_roles WHERE rolname = current_user").is(false)
      expect(conn:value "SELECT rolcreaterole AND rolcreatedb FROM pg_roles WHERE rolname = current_user").is(true)
      local owner = conn:value "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
      expect(owner).is(made.user)
      expect(conn:value "SELECT count(*) FROM shop.customers").is(720)
      expect(conn:value "SELECT count(*) FROM pg_largeobject_metadata").above(2)
      expect(conn:value "SELECT relispopulated FROM pg_class WHERE relname = 'sales_by_month'").is(true)
    end)
  end)

  it("gives a URL that works with TLS and not without", function()
    in_world(function(world)
      local made = source.start(world, { scale = SCALE })
      local _ <close> = made.cluster
      local conn <close> = pg.connect(made.url)
      expect(conn:value "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").is(true)
      expect(function() pg.connect((made.url:gsub("sslmode=require", "sslmode=disable"))) end).raises()
      expect(function() pg.connect { host = made.host, port = made.port, user = made.user, password = "wrong",
        dbname = made.dbname, sslmode = "require" } end).raises "PGO-PG-AUTH"
    end)
  end)
end)

describe("the sandbox's target", function()
  it("makes databases whose owners can do no more than Heroku's", function()
    in_world(function(world)
      local made = target.start(world)
      local _ <close> = made.cluster
      local database = made:create { essential = true, connections = 20 }
      expect(#database.password).above(63)
      local conn <close> = pg.connect(database.url .. "?sslmode=require")
      expect(conn:value "SHOW rds.allowed_extensions").has "pg_trgm"
      expect(function() conn:exec "CREATE ROLE other" end).raises "PGO-PG-QUERY"
      conn:exec "CREATE EXTENSION pg_trgm"
    end)
  end)

  it("empties one, and the sessions in it end", function()
    in_world(function(world)
      local made = target.start(world)
      local _ <close> = made.cluster
      local database = made:create { essential = false, connections = 200 }
      do
        local conn <close> = pg.connect(database.url .. "?sslmode=require")
        conn:exec "CREATE SCHEMA other CREATE TABLE other.t (a integer)"
        conn:exec "SELECT lo_create(0)"
        made:reset(database)
        expect(function() conn:exec "SELECT 1" end).raises()
      end
      local conn <close> = pg.connect(database.url .. "?sslmode=require")
      expect(conn:value "SELECT count(*) FROM pg_namespace WHERE nspname = 'other'").is(0)
      expect(conn:value "SELECT count(*) FROM pg_largeobject_metadata").is(0)
      expect(conn:value "SELECT has_schema_privilege('public', 'CREATE')").is(true)
      made:drop(database)
    end)
  end)
end)

describe("a server of the sandbox", function()
  it("is asked for in vain with a folder that holds none", function()
    local err = expect(function() binaries.find "/nonexistent" end).raises "PGO-SANDBOX"
    expect(err.message).has "postgres"
  end)

  it("is started again at another port when somebody has its port on ::1 alone", function()
    if not loopback.has_ipv6() then skip "this machine has no ::1" end
    local free_port = loopback.free_port
    local _ <close> = setmetatable({}, { __close = function() loopback.free_port = free_port end })
    in_world(function(world)
      local taken <close> = http_server.serve({ host = "::1", port = free_port() }, function()
        return { status = 503 }
      end)
      local asked = 0
      loopback.free_port = function()
        asked = asked + 1
        return asked == 1 and taken.port or free_port()
      end
      local made = target.start(world, { host = "::1" })
      local _ <close> = made.cluster
      expect(asked).above(1)
      expect(made.cluster.port ~= taken.port).is(true)
      local conn <close> = pg.connect(made:create({ essential = true, connections = 20 }).url)
      expect(conn:value "select host(inet_server_addr())").is "::1"
    end)
  end)

  it("that comes without client programs has the machine's", function()
    local missing = majors.missing(18)
    if missing then skip(missing) end
    local server = binaries.find(majors.bin(18))
    expect(server.major).is(18)
    expect(server.bin).is(majors.bin(18))
    for _, name in ipairs { "psql", "pg_dump", "pg_restore" } do
      expect(fs.exists(server.bin .. "/" .. name)).is(false)
      expect(fs.exists(server.client .. "/" .. name)).is(true)
    end
  end)
end)

describe("the template cache", function()
  it("never uses an entry whose files changed", function()
    local dir = fs.mkdtemp "/tmp/pgorch-test-"
    local made = 0
    local function provide(name)
      template.provide({ kind = "test", identity = { dir } }, dir .. "/" .. name, function()
        made = made + 1
        fs.mkdir(dir .. "/" .. name)
        fs.write(dir .. "/" .. name .. "/file", "whole")
      end)
    end
    provide "first"
    provide "second"
    expect(made).is(1)
    expect(fs.read(dir .. "/second/file")).is "whole"
    local cache = (env.get "XDG_CACHE_HOME" or env.get "HOME" .. "/.cache") .. "/pgorch/sandbox"
    for _, name in ipairs(fs.list(cache)) do
      if name:match "^test%." then process.run { "truncate", "-s", "1", cache .. "/" .. name .. "/data/file" } end
    end
    provide "third"
    expect(made).is(2)
    expect(fs.read(dir .. "/third/file")).is "whole"
    for _, name in ipairs(fs.list(cache)) do
      if name:match "^test%." then fs.remove_tree(cache .. "/" .. name) end
    end
    fs.remove_tree(dir)
  end)
end)
