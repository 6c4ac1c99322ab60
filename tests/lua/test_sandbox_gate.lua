-- The gate in front of a real PostgreSQL server, with libpq as the client: dropped like behind a firewall, let in when
-- the list says so, and the troubles of a network.

local fail     = require "pgorch.error"
local gate     = require "pgorch.sandbox.gate"
local http_server = require "pgorch.http_server"
local pg       = require "pgorch.pg"
local sandbox  = require "pgorch.sandbox"
local task     = require "pgorch.task"

local function dsn(world, door, more)
  local parts = { host = door.host, port = door.port, user = world.source.user, password = world.source.password,
    dbname = "postgres", sslmode = "verify-full", ca_pem = world.ca_pem, connect_timeout = 20 }
  for name, value in pairs(more or {}) do parts[name] = value end
  return parts
end

local function connect(world, door, more) return pg.connect(dsn(world, door, more)) end

local function raised(id, fn)
  local ok, err = pcall(fn)
  if ok or not fail.is(err, id) then error(("expected %s, got %s"):format(id, ok and "none" or tostring(err)), 0) end
  return err
end

local function has_ipv6()
  local ok, listener = pcall(http_server.serve, { host = "::1" }, function() return { status = 503 } end)
  if ok then listener:close() end
  return ok
end

-- One world for all cases.
local function with_gate(world, fn)
  local door <close> = gate.open(world.source.cluster)
  fn(door)
end

local function until_true(test)
  task.timeout(20, function() while not test() do task.sleep(0.01) end end)
end

describe("a gate", function()
  it("does what a firewall does", function()
    sandbox.run({ source = { sql = "select 1;" } }, function(world)
      -- TLS goes through: the server's own certificate is what the client sees.
      with_gate(world, function(door)
        local conn <close> = connect(world, door)
        expect(conn:value "select ssl from pg_stat_ssl where pid = pg_backend_pid()").is(true)
        local before = door:counts()
        expect(#conn:value "select repeat('x', 300000)").is(300000)
        expect(door:counts().down - before.down > 300000).is(true)
        expect(door:counts().open).is(1)
      end)

      -- By ::1 too, which is another address to the list.
      if has_ipv6() then with_gate(world, function(door)
        local six = { host = "::1", sslmode = "require", connect_timeout = 2 }
        local parts = dsn(world, door, six)
        parts.ca_pem = nil
        pg.connect(parts):close()
        door:allow { "127.0.0.1/32" }
        raised("PGO-PG-CONNECT", function() pg.connect(parts) end)
        door:allow { "::/64" }
        pg.connect(parts):close()
        raised("PGO-PG-CONNECT", function() connect(world, door, { connect_timeout = 0.5 }) end)
      end) end

      -- Dropped: connected, never answered, and the server never hears of it.
      with_gate(world, function(door)
        door:allow { "198.51.100.7/32", "fd00::/8" }
        local err = raised("PGO-PG-CONNECT", function() connect(world, door, { connect_timeout = 0.5 }) end)
        expect(err.message).has "allow list"
        expect(err.retryable).is(true)
        expect(door:counts().let_in).is(0)
        until_true(function() return door:counts().dropped == 0 end)
      end)

      -- A list that changes while somebody knocks lets him in, and whoever is inside stays.
      with_gate(world, function(door)
        door:allow {}
        door:allow({ "127.0.0.0/8" }, 0.2)
        expect(door:changing()).is(true)
        local conn <close> = connect(world, door)
        expect(door:changing()).is(false)
        door:allow {}
        expect(conn:value "select 1").is(1)
        door:cut_unlisted()
        raised("PGO-PG-LOST", function() conn:value "select 1" end)
      end)

      -- Cut in the middle of an answer; frozen, then going on as if nothing had been.
      with_gate(world, function(door)
        local conn <close> = connect(world, door)
        door:cut_after(100000)
        raised("PGO-PG-LOST", function() conn:value "select repeat('x', 3000000)" end)
        local other <close> = connect(world, door)
        door:freeze()
        raised("PGO-TIMEOUT", function() task.timeout(0.3, pg.connect, dsn(world, door)) end)
        door:thaw()
        expect(other:value "select 2").is(2)
        door:cut()
        raised("PGO-PG-LOST", function() other:value "select 1" end)
      end)
    end)
  end, { limit = 120 })

  it("leads nowhere but to this machine, and takes no list that is none", function()
    expect(function() gate.open { host = "192.0.2.1", port = 5432 } end):raises "PGO-INVALID"
    local door <close> = gate.open { host = "127.0.0.1", port = 1 }
    expect(function() door:allow { "127.0.0.1/32", "nonsense" } end):raises "PGO-INVALID"
  end)

  it("lets nobody in after it was closed, or forgotten", function()
    local door = gate.open { host = "127.0.0.1", port = 1 }
    door:close()
    door:close()
    expect(function() door:allow {} end):raises "PGO-CLOSED"
    local port = gate.open({ host = "127.0.0.1", port = 1 }).port
    collectgarbage()
    collectgarbage()
    local err = raised("PGO-PG-CONNECT", function() pg.connect { host = "127.0.0.1", port = port, user = "u" } end)
    expect(err.message).has "refused"
  end)
end)
