-- The gate in front of a real PostgreSQL server, with libpq as the client: dropped like behind a firewall, let in when
-- the list says so, and the troubles of a network.

local fail     = require "pgorch.error"
local gate     = require "pgorch.sandbox.gate"
local loopback = require "pgorch.sandbox.loopback"
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

local function until_true(test)
  task.timeout(20, function() while not test() do task.sleep(0.01) end end)
end

-- Each with a gate of its own before the one world's server, by name.
local CASES = {}

CASES["TLS goes through: the client sees the server's own certificate"] = function(world, door)
  local conn <close> = connect(world, door)
  expect(conn:value "select ssl from pg_stat_ssl where pid = pg_backend_pid()").is(true)
  local before = door:counts()
  expect(#conn:value "select repeat('x', 300000)").is(300000)
  expect(door:counts().down - before.down > 300000).is(true)
  expect(door:counts().open).is(1)
end

CASES["::1 is another address to the list"] = function(world, door)
  if not loopback.has_ipv6() then return end
  local function connect_by_six(seconds)
    local parts = dsn(world, door, { host = "::1", sslmode = "require", connect_timeout = seconds })
    parts.ca_pem = nil -- which is for 127.0.0.1
    pg.connect(parts):close()
  end
  connect_by_six(20)
  door:allow { "127.0.0.1/32" }
  raised("PGO-PG-CONNECT", function() connect_by_six(0.5) end)
  door:allow { "::/64" }
  connect_by_six(20)
  raised("PGO-PG-CONNECT", function() connect(world, door, { connect_timeout = 0.5 }) end)
end

CASES["who is dropped is connected, never answered, and the server never hears of it"] = function(world, door)
  door:allow { "198.51.100.7/32", "fd00::/8" }
  local err = raised("PGO-PG-CONNECT", function() connect(world, door, { connect_timeout = 0.5 }) end)
  expect(err.message).has "allow list"
  expect(err.retryable).is(true)
  expect(door:counts().let_in).is(0)
  until_true(function() return door:counts().dropped == 0 end)
end

CASES["a list that changes lets in who knocks, and whoever is inside stays"] = function(world, door)
  door:allow {}
  door:allow({ "127.0.0.0/8" }, 3600)
  expect(door:changing()).is(true)
  task.group(function(group)
    local knocking = group:spawn(connect, world, door)
    until_true(function() return door:counts().dropped == 1 end)
    door:allow({ "127.0.0.0/8" }, 0.01)
    local conn <close> = knocking:join()
    expect(door:changing()).is(false)
    door:allow {}
    expect(conn:value "select 1").is(1)
    door:cut_unlisted()
    raised("PGO-PG-LOST", function() conn:value "select 1" end)
  end)
end

CASES["a cut comes in the middle of an answer"] = function(world, door)
  local conn <close> = connect(world, door)
  door:cut_after(100000)
  raised("PGO-PG-LOST", function() conn:value "select repeat('x', 3000000)" end)
  local other <close> = connect(world, door)
  door:cut()
  raised("PGO-PG-LOST", function() other:value "select 1" end)
end

-- What a frozen gate holds back is not measured by a clock: the server has answered others twenty times meanwhile.
CASES["nothing moves while it is frozen, then all goes on as if nothing had been"] = function(world, door)
  local inside <close> = connect(world, door)
  local beside <close> = connect(world, world.source.cluster)
  local before = door:counts()
  before.dropped = 1 -- who comes now waits
  door:freeze()
  task.group(function(group)
    local asking = group:spawn(function() return inside:value "select 2" end)
    local knocking = group:spawn(connect, world, door)
    until_true(function() return door:counts().dropped == 1 end)
    for i = 1, 20 do
      expect(beside:value(("select %d"):format(i))).is(i)
      task.sleep(0.01)
    end
    expect(door:counts()).same(before)
    door:thaw()
    expect(asking:join()).is(2)
    knocking:join():close()
  end)
end

describe("a gate", function()
  it("does what a firewall does", function()
    sandbox.run({ source = { sql = "select 1;" } }, function(world)
      for name, case in pairs(CASES) do
        local door <close> = gate.open(world.source.cluster)
        local ok, why = pcall(case, world, door)
        if not ok then error(("%s: %s"):format(name, tostring(why)), 0) end
      end
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
