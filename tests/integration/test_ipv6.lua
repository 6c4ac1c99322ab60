-- The Vultr recipe where source, target, object storage and Heroku are all at [::1], and where the provider's API gives
-- a user, a password and a database with every awkward character.

local crypto    = require "pgorch.crypto"
local fs        = require "pgorch.fs"
local http      = require "pgorch.http"
local loopback  = require "pgorch.sandbox.loopback"
local pg        = require "pgorch.pg"
local vultr_run = require "support.vultr_run"

local NAME = [[O'Neil's "shop" \ 100% größer?&=#@:/]]
local PASSWORD = " p@ss/w%41rd:'\"\\ e\u{301}\u{fb01}🐘?&=+#,;${HOME}$(id)`id`\t" .. ("x"):rep(100) .. "\n"

local WORLD = { source = { scale = 0.01, host = "::1" }, target = { host = "::1" }, s3 = { host = "::1" },
  heroku = { host = "::1" }, vultr = { trusted_ips = { "::1/128", "198.51.100.7/32" } } }

-- A database in the source's cluster, owned by that user.
local function make_database(world)
  do
    local admin <close> = world.source.cluster:connect()
    admin:exec(("create role %s login password %s"):format(pg.ident(NAME), pg.literal(PASSWORD)))
    admin:exec(("create database %s owner %s"):format(pg.ident(NAME), pg.ident(NAME)))
  end
  local admin <close> = world.source.cluster:connect(NAME)
  admin:exec(("set role %s"):format(pg.ident(NAME)))
  admin:exec [[create table goods (id integer primary key, name text);
    insert into goods select g, 'g' || g from generate_series(1, 1000) g]]
end

-- The provider's API and the app speak of it.
local function publish(world)
  local entry = world.vultr.state.databases[1]
  entry.object.user, entry.object.password, entry.object.dbname, entry.server.dbs = NAME, PASSWORD, NAME, { NAME }
  local url = ("postgres://%s:%s@[::1]:%s/%s?sslmode=require"):format(http.escape(NAME), http.escape(PASSWORD),
    entry.object.port, http.escape(NAME))
  world.heroku:app(vultr_run.APP).config.DATABASE_URL = url
  return url
end

describe("run vultr at [::1]", function()
  it("moves a database whose user, password and name have every awkward character", function()
    if not loopback.has_ipv6() then skip "this machine has no ::1" end
    vultr_run.with_world(WORLD, function(world)
      make_database(world)
      local url = publish(world)
      local done = vultr_run.run(world, { "--dbname", NAME, "--target-ca", world.tls.ca_file })
      vultr_run.expect_exit(done, 0)
      expect(done.all).lacks(PASSWORD:sub(1, 20))
      expect(done.all).lacks(http.escape(PASSWORD:sub(1, 20)))
      local moved = vultr_run.database_url(world)
      expect(moved).has "@[::1]:"
      expect(vultr_run.value(moved, "select count(*) from goods")).is(1000)
      expect(vultr_run.value(moved, "select host(inet_client_addr())")).is "::1"
      expect(vultr_run.value(url, "show default_transaction_read_only")).is "on"
      local old = world.heroku:app(vultr_run.APP).config.OLD_DATABASE_URL
      expect(crypto.sha256(old)).is(crypto.sha256(url))
      expect(#vultr_run.objects(world)).is(0)
      -- It knew that it comes from ::1, which is on the allow list already.
      expect(fs.read(world.dir .. "/requests.jsonl", 1 << 24)).lacks '"method":"PUT","path":"/v2/databases'
    end)()
  end, { limit = 150 })
end)
