-- A source whose address is that of a connection pooler is refused, with the cure; one that only looks like it is
-- warned of. Against a real PgBouncer in each of its modes.

local checks    = require "pgorch.preflight.source"
local fail      = require "pgorch.error"
local input     = require "pgorch.preflight.input"
local pgbouncer = require "support.pgbouncer"
local pooled    = require "pgorch.preflight.pooled"
local postgres  = require "support.postgres"
local preflight = require "pgorch.preflight"
local source    = require "pgorch.source"
local vultr_run = require "support.vultr_run"

local function show(found)
  local lines = {}
  for _, each in ipairs(found.list) do
    lines[#lines + 1] = ("%s %s"):format(each.level, table.concat(preflight.lines(each), " "))
  end
  return table.concat(lines, "\n")
end

-- What is found at this address: "fail PGO-POOLED ...".
local function at(parts)
  local found = preflight.new()
  checks.check({ source = source.new(parts), params = {},
    recipe = { steps = { "restore" }, freezes = {}, has_window = true } }, found)
  return show(found)
end

describe("a source's address", function()
  it("of a PgBouncer is refused in every mode, that of the server passes", function()
    if not pgbouncer.program() then skip "vendor/debian.sh servers has not unpacked PgBouncer" end
    local server <close> = postgres.start()
    expect(at(server:table())).has "pass the connection goes to the server itself"
    for _, mode in ipairs { "session", "transaction" } do
      local pooler <close> = pgbouncer.start(server, { mode = mode })
      local said = at(pooler:table())
      expect(said).has(("fail PGO-POOLED 127.0.0.1:%d is a connection pooler"):format(pooler.port))
      expect(said).has "cure: Use the host and port of the database itself"
    end
  end)

  it("that looks like a pooler's is warned of", function()
    local function hint(host, port)
      local found = preflight.new()
      pooled.check({ source = { host = host, port = port } }, found, nil, { pid = 7, value = function() return 7 end })
      return found.list[1].level .. " " .. found.list[1].what
    end
    expect(hint("ep-cool-1-pooler.eu.neon.example", 5432)).is
      "warn the host ep-cool-1-pooler.eu.neon.example is named like a pooler"
    expect(hint("aws-0.pooler.example", 5432)).has "warn the host"
    expect(hint("db.example", 6432)).is "warn port 6432 is PgBouncer's usual one"
    expect(hint("db.example", 6543)).is "warn port 6543 is Supavisor's usual one"
    expect(hint("db-pooler-4.example", 5432)).is "pass the connection goes to the server itself"
  end)

  it("whose refusal is a pooler's is refused too", function()
    local function refusing(message)
      local found = preflight.new()
      found:try(input.login, found, { host = "h", port = 1, connect = function()
        fail.raise("PGO-PG-CONNECT", message)
      end })
      return show(found)
    end
    expect(refusing 'unsupported startup parameter: "options"').has "fail PGO-POOLED"
    expect(refusing "connection refused").has "fail PGO-PG-CONNECT"
  end)

  it("that names a pool of the provider is refused, with the database behind it", function()
    local found = preflight.new()
    input.pools(found, { label = "shop", dbname = "web", pools = function()
      return { { name = "web", database = "defaultdb" } }
    end })
    expect(show(found)).has "web is a connection pool of shop"
    expect(show(found)).has "cure: name the database behind it: --dbname defaultdb"
    expect(found:count "fail").is(1)
  end)

  it("at a provider with pools comes with their names", vultr_run.with_world({}, function(world)
    world.vultr.state.databases[1].pools = { { name = "web", database = "defaultdb", mode = "transaction", size = 20 } }
    local arguments = { "check", "vultr", "--instance", "demo", "--app", vultr_run.APP }
    local done = vultr_run.pgorch(world, arguments)
    vultr_run.expect_exit(done, 0)
    expect(done.stdout).has "warn  1 connection pool at the provider\n          web, of defaultdb\n"
  end), { limit = 100 })
end)
