-- TLS to databases: verify-full for our own connections and for pg_dump alike, on the source with the provider's CA and
-- on the target with --target-ca. Every way in which a certificate can be wrong is refused, and the reason is told.

local authority    = require "pgorch.authority"
local certificates = require "support.certificates"
local dump         = require "pgorch.dump"
local fs           = require "pgorch.fs"
local host         = require "pgorch.native.host"
local http         = require "pgorch.http"
local loopback     = require "pgorch.sandbox.loopback"
local pg_client    = require "pgorch.pg_client"
local postgres     = require "support.postgres"
local process      = require "pgorch.process"
local sandbox      = require "pgorch.sandbox"
local secret       = require "pgorch.secret"
local source       = require "pgorch.source"
local task         = require "pgorch.task"
local vultr_run    = require "support.vultr_run"

local GOOD = "DNS:localhost,IP:127.0.0.1,IP:::1"

-- A source on that server, with a CA.
local function from(server, address, ca_pem)
  return source.new { provider = "test", host = address, port = server.port, user = server.user,
    password = server.password, dbname = "postgres", ca_pem = ca_pem }
end

-- The size of what pg_dump makes of it.
local function dumped(it)
  local dir = fs.mkdtemp "pgorch-tls-"
  local _ <close> = setmetatable({}, { __close = function() fs.remove_tree(dir) end })
  return dump.run({ source = it, client = pg_client.choose(15), dir = dir }, function(archive)
    return #archive:read_all(1 << 20)
  end)
end

local function expect_accepted(it)
  do
    local conn <close> = it:connect()
    expect(conn.tls).matches "^TLSv1"
  end
  expect(dumped(it)).above(500)
end

-- By libpq in this process, and by the pg_dump that it would run.
local function expect_refused(it, reason)
  local err = expect(function() it:connect() end):raises "PGO-TLS"
  expect(err.message).has(reason)
  expect(err.retryable).is(false)
  err = expect(function() dumped(it) end):raises "PGO-DUMP"
  expect(err.detail).has(reason)
end

describe("a file of authorities", function()
  it("is not called wrong when it is Ctrl-C that ends its reading", function()
    local _, err
    pcall(task.group, function(group)
      group:cancel "stopped"
      _, err = pcall(authority.read, "--ca", "/etc/passwd")
    end)
    expect(task.cancelled(err)).is_true()
  end)
end)

local function with_server(fn)
  return function()
    fs.with_temporary("pgorch-ca-", function(dir)
      local server <close> = postgres.start { tls = true }
      local ours = certificates.authority(dir, "ours")
      server:present(ours:issue { names = GOOD })
      fn(server, ours, certificates.authority(dir, "theirs"))
    end)
  end
end

describe("a source with a CA", function()
  it("is believed by name and by number, over IPv4 and IPv6", with_server(function(server, ours)
    expect_accepted(from(server, "localhost", ours.pem))
    expect_accepted(from(server, "127.0.0.1", ours.pem))
    if loopback.has_ipv6() then expect_accepted(from(server, "::1", ours.pem)) end
  end))

  it("is refused by another CA, for another name, expired, self-signed, and without TLS",
    with_server(function(server, ours, theirs)
      expect_refused(from(server, "127.0.0.1", theirs.pem), "certificate verify failed")
      server:present(ours:issue { names = "DNS:elsewhere.example,IP:192.0.2.1" })
      expect_refused(from(server, "localhost", ours.pem), "does not match host name \"localhost\"")
      expect_refused(from(server, "127.0.0.1", ours.pem), "does not match host name \"127.0.0.1\"")
      server:present(ours:issue { names = GOOD, days = -1 })
      expect_refused(from(server, "127.0.0.1", ours.pem), "certificate verify failed")
      server:present(theirs:issue { names = GOOD })
      expect_refused(from(server, "127.0.0.1", ours.pem), "certificate verify failed")
      server:reload { ssl = "off" }
      expect_refused(from(server, "127.0.0.1", ours.pem), "server does not support SSL")
    end))
end)

-- The server's URL by its name, with that query.
local function url_of(server, query)
  return ("postgres://postgres:%s@localhost:%d/postgres?%s"):format(http.escape(server.password), server.port, query)
end

-- `pgorch dump` with PGSSLROOTCERT: the connection of its own, and pg_dump's.
local function dump_with(server, query, ca_file)
  return fs.with_temporary("pgorch-tls-", function(dir)
    return process.run { host.executable(), "dump", "-o", dir .. "/dump", check = false,
      env = { SOURCE_DATABASE_URL = url_of(server, query), PGSSLROOTCERT = ca_file } }
  end)
end

-- Until somebody on this machine is connected to that port.
local function wait_for_connection(port)
  local established = ("0100007F:%04X 01"):format(port)
  for _ = 1, 3000 do
    if fs.read("/proc/net/tcp", 1 << 22):find(established, 1, true) then return end
    task.sleep(0.01)
  end
  error("nobody connects", 0)
end

describe("a source's URL", function()
  it("names its CA with sslrootcert, or PGSSLROOTCERT does, for pg_dump too",
    with_server(function(server, ours, theirs)
      local function by(ca, more)
        return source.from_url(url_of(server, ("sslrootcert=%s/ca.pem%s"):format(ca.dir, more or "")))
      end
      expect_accepted(by(ours))
      expect_accepted(source.from_url(url_of(server, "sslmode=verify-full"), { ca_pem = ours.pem }))
      expect_refused(by(theirs), "certificate verify failed")
      expect_refused(by(theirs, "&sslmode=require"), "certificate verify failed")
      server:present(ours:issue { names = "DNS:elsewhere.example" })
      expect_refused(by(ours), "does not match host name")
      local provided = source.from_url(url_of(server, "sslmode=require"), { ca_pem = ours.pem })
      expect_refused(provided, "does not match host name")
      for _, mode in ipairs { "verify-ca", "require", "prefer" } do expect_accepted(by(ours, "&sslmode=" .. mode)) end
      for _, query in ipairs { "sslmode=verify-ca", "" } do
        expect(dump_with(server, query, theirs.dir .. "/ca.pem").stderr).has "certificate verify failed"
      end
      expect(dump_with(server, "sslmode=verify-ca", ours.dir .. "/ca.pem").code).is(0)
    end))

  it("that asks for no TLS does not keep the server from being asked for it", with_server(function(server)
    local plain = source.from_url(url_of(server, "sslmode=disable"))
    do
      local conn <close> = plain:connect()
      expect(conn.tls).is_nil()
    end
    expect(plain:speaks_tls()).is(true)
    server:reload { ssl = "off" }
    local speaks, why = plain:speaks_tls()
    expect(speaks).is(false)
    expect(why).has "does not support SSL"
  end))

  it("leaves no CA in a file when the process is killed while it connects", with_server(function(server, ours)
    fs.with_temporary("pgorch-tls-", function(dir)
      local url = ("postgres://u:p@127.0.0.1:%d/d?sslrootcert=%s/ca.pem"):format(server.port, ours.dir)
      server.process:kill "STOP"
      local _ <close> = setmetatable({}, { __close = function() server.process:kill "CONT" end })
      local child <close> = process.spawn { host.executable(), "dump", "-o", dir .. "/dump",
        env = { SOURCE_DATABASE_URL = url, TMPDIR = dir } }
      wait_for_connection(server.port)
      child:kill "KILL"
      child:wait()
      expect(table.concat(fs.list(dir), " ")).lacks "pgorch-ca"
    end)
  end))

  it("that asks for no verification gets none, whatever PGSSLROOTCERT is set for",
    with_server(function(server, _, theirs)
      local file = theirs.dir .. "/ca.pem"
      for _, query in ipairs { "sslmode=require", "sslmode=disable", "sslmode=disable&sslrootcert=" .. file } do
        local done = dump_with(server, query, file)
        if done.code ~= 0 then error(("%s: %s"):format(query, done.stderr), 0) end
      end
      local conn <close> = source.from_url(url_of(server, "sslmode=disable&sslrootcert=" .. file)):connect()
      expect(conn.tls).is_nil()
    end))

  it("with a CA that is no file is refused before anything else", function()
    for _, path in ipairs { "system", "/none.pem", "/etc/passwd" } do
      local err = expect(function() source.from_url("postgres://u:p@127.0.0.1:1/d?sslrootcert=" .. path) end)
        :raises "PGO-PARAM"
      expect(err.message).has(path)
      expect(err.cure).has "PEM"
    end
  end)
end)

describe("a provider's CA", function()
  -- Each as its own API tells it: as PEM, or as base64 of that.
  local PROVIDERS = {
    { "vultr", "api_key", function(world, pem) world.vultr.state.databases[1].object.ca_certificate = pem end },
    { "linode", "token", function(world, pem) world.linode.state.databases[1].ca_pem = pem end },
    { "digitalocean", "token", function(world, pem) world.digitalocean.state.databases[1].ca_pem = pem end },
  }

  it("is what our connections and pg_dump verify with, and no other is believed", function()
    sandbox.run({ source = { sql = "create table public.goods as select generate_series(1, 2000) as n;" } },
      function(world)
        fs.with_temporary("pgorch-ca-", function(dir)
          local theirs = certificates.authority(dir, "theirs").pem
          for _, each in ipairs(PROVIDERS) do
            local name, key, set_ca = table.unpack(each)
            local api = require("pgorch." .. name).client { token = secret.new(world[name][key]),
                                                            api_url = world[name].url }
            local it_ = api:database("demo", "defaultdb")
            expect(it_:dsn().sslmode).is "verify-full"
            expect_accepted(it_)
            set_ca(world, theirs)
            expect_refused(api:database("demo", "defaultdb"), "certificate verify failed")
          end
        end)
      end)
  end, { limit = 120 })
end)

describe("run vultr", function()
  it("verifies the source with the CA that the provider gives, and touches nothing when it is not its CA",
    vultr_run.with_world({}, function(world)
      fs.with_temporary("pgorch-ca-", function(dir)
        world.vultr.state.databases[1].object.ca_certificate = certificates.authority(dir, "theirs").pem
        local done = vultr_run.run(world, {})
        vultr_run.expect_exit(done, 4)
        expect(done.all).has "PGO-TLS"
        expect(done.all).has "certificate verify failed"
        vultr_run.expect_app_as_before(world)
        expect(#world.heroku.state.addons).is(0)
      end)
    end), { limit = 100 })

  it("verifies the target with --target-ca, and goes no further with another",
    vultr_run.with_world({}, function(world)
      fs.with_temporary("pgorch-ca-", function(dir)
        local other = certificates.authority(dir, "theirs")
        local done = vultr_run.run(world, { "--target-ca", dir .. "/nothing" })
        vultr_run.expect_exit(done, 4)
        expect(done.all).has "is no file with a PEM certificate"
        done = vultr_run.run(world, { "--target-ca", other.dir .. "/ca.pem" })
        vultr_run.expect_exit(done, 6)
        expect(done.all).has "certificate verify failed"
        vultr_run.expect_app_as_before(world)
        expect(vultr_run.restores(world)).is(0)
        vultr_run.expect_exit(vultr_run.pgorch(world, { "rollback", done.all:match "rollback (%w+)" }), 0)
      end)
      vultr_run.expect_exit(vultr_run.run(world, { "--target-ca", world.tls.ca_file }), 0)
      vultr_run.expect_moved(world)
    end), { limit = 200 })

  it("is not led astray by a root certificate that lies in the user's home for another server",
    vultr_run.with_world({}, function(world)
      fs.with_temporary("pgorch-ca-", function(dir)
        local home = world.env.HOME .. "/.postgresql"
        process.run { "mkdir", "-p", home }
        process.run { "cp", certificates.authority(dir, "theirs").dir .. "/ca.pem", home .. "/root.crt" }
      end)
      vultr_run.expect_exit(vultr_run.run(world, {}), 0)
      vultr_run.expect_moved(world)
    end), { limit = 200 })
end)
