-- TLS to databases: verify-full for our own connections and for pg_dump alike, on the source with the provider's CA and
-- on the target with --target-ca. Every way in which a certificate can be wrong is refused, and the reason is told.

local certificates = require "support.certificates"
local dump         = require "pgorch.dump"
local fs           = require "pgorch.fs"
local host         = require "pgorch.native.host"
local http         = require "pgorch.http"
local loopback     = require "pgorch.sandbox.loopback"
local pg_client    = require "pgorch.pg_client"
local postgres     = require "support.postgres"
local process      = require "pgorch.process"
local source       = require "pgorch.source"
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

describe("a source's URL", function()
  it("names its CA with sslrootcert, or PGSSLROOTCERT does, for pg_dump too",
    with_server(function(server, ours, theirs)
      local function url(more)
        local password = http.escape(server.password)
        return ("postgres://postgres:%s@localhost:%d/postgres?%s"):format(password, server.port, more)
      end
      expect_accepted(source.from_url(url("sslrootcert=" .. ours.dir .. "/ca.pem")))
      expect_accepted(source.from_url(url "sslmode=verify-full", { ca_pem = ours.pem }))
      expect_refused(source.from_url(url("sslrootcert=" .. theirs.dir .. "/ca.pem")), "certificate verify failed")
      server:present(ours:issue { names = "DNS:elsewhere.example" })
      expect_refused(source.from_url(url("sslrootcert=" .. ours.dir .. "/ca.pem")), "does not match host name")
      expect_accepted(source.from_url(url("sslmode=verify-ca&sslrootcert=" .. ours.dir .. "/ca.pem")))
      local function dump_with(authority)
        return process.run { host.executable(), "dump", "-o", authority.dir .. "/dump", check = false,
          env = { SOURCE_DATABASE_URL = url "sslmode=verify-ca", PGSSLROOTCERT = authority.dir .. "/ca.pem" } }
      end
      expect(dump_with(ours).code).is(0)
      expect(dump_with(theirs).stderr).has "certificate verify failed"
    end))
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
