-- Checks of the preflight that need no server: size and clients against the plan, closing the source, the storage.

local fs           = require "pgorch.fs"
local preflight    = require "pgorch.preflight"
local server       = require "pgorch.preflight.server"
local size         = require "pgorch.preflight.size"
local surroundings = require "pgorch.preflight.surroundings"

-- "warn 21 GB: ...", a line for each; what passed is left out.
local function show(list)
  local lines = {}
  for _, each in ipairs(list) do
    if each.level ~= "pass" then lines[#lines + 1] = each.level .. " " .. table.concat(preflight.lines(each), "\n") end
  end
  return table.concat(lines, "\n")
end

describe("the size of a source", function()
  local GB = 2 ^ 30
  local function findings(facts, params)
    local found = preflight.new()
    facts.tables, facts.name = facts.tables or 10, "shop"
    size.check({ params = params }, found, facts)
    return show(found.list)
  end

  it("has to fit the plan, in bytes and tables", function()
    expect(findings({ bytes = 5 * GB }, { plan = "essential-1" })).is ""
    expect(findings({ bytes = 9.5 * GB }, { plan = "essential-1" })).has "9.5 GB do not fit essential-1"
    expect(findings({ bytes = GB, tables = 4001 }, { plan = "essential-2" })).has "4001 tables do not fit essential-2"
    expect(findings({ bytes = GB, tables = 4001 }, { plan = "standard-0" })).is ""
    expect(findings({ bytes = GB }, { plan = "private-0" })).has "the limits of private-0 are not known here"
  end)

  it("is warned of above 20 GB, and refused above 100", function()
    expect(findings({ bytes = 20 * GB }, {})).is ""
    expect(findings({ bytes = 21 * GB }, {})).has "warn 21 GB: the restore will take hours"
    expect(findings({ bytes = 101 * GB }, {})).has "fail PGO-TARGET-SIZE 101 GB"
    expect(findings({ bytes = 101 * GB }, { allow_large = true })).has "warn 101 GB"
    expect(findings({ bytes = GB, tables = 0 }, {})).has "PGO-EMPTY-SOURCE"
  end)

  it("counts what makes a restore slow, and the clients against the plan", function()
    local found = preflight.new()
    local conn = { row = function() return { schemas = 1001, objects = 10001 } end, value = function() return 10001 end,
      query = function() return { { application = "web", sessions = 21 } } end }
    size.amounts({}, found, {}, conn)
    expect(found:count "warn").is(3)
    size.clients({ params = { plan = "essential-1" } }, found, {}, conn)
    expect(show(found.list)).has "21 sessions are connected; essential-1 allows 20"
    local few = preflight.new()
    size.clients({ params = { plan = "essential-2" } }, few, {}, conn)
    expect(show(few.list)).lacks "essential-2 allows"
  end)
end)

describe("closing a source", function()
  it("is refused on a standby, and without any means", function()
    local function failures(facts, freeze, steps)
      local found = preflight.new()
      local recipe = { freezes = steps or {}, has_window = true }
      server.closing({ params = { freeze = freeze }, recipe = recipe }, found, facts)
      return found:count "fail"
    end
    expect(failures({ standby = true })).is(1)
    expect(failures({ standby = false }, { "none" })).is(1)
    expect(failures({ standby = false }, { "none" }, { "close_the_shop" })).is(0)
    expect(failures({ standby = false }, { "read-only" })).is(0)
  end)
end)

describe("the folder of --spool", function()
  local function finding(dir, bytes)
    local found = preflight.new()
    surroundings.spool(found, dir, bytes)
    return found.list[1].level
  end

  it("must be there, be ours to write to, and have room", function()
    fs.with_temporary("pgorch-spool-", function(dir)
      local free = fs.free_space(dir)
      expect(finding(dir, 1000)).is "pass"
      expect(finding(dir, free)).is "warn"
      expect(finding(dir, free * 3)).is "fail"
      expect(#fs.list(dir)).is(0)
      expect(finding(dir .. "/none", 1000)).is "fail"
    end)
  end)
end)

describe("an object storage", function()
  local function finding(host, o)
    local found = preflight.new()
    surroundings.store(found, host, o)
    return found.list[1] and found.list[1].level or "none"
  end

  it("must be one that Heroku can reach", function()
    for _, host in ipairs { "127.0.0.1:9000", "localhost", "10.1.2.3", "172.20.0.1:443", "192.168.1.1", "[::1]:9000",
      "[fd00::1]", "s3.internal" } do
      expect(finding(host, {})).is "fail"
    end
    for _, host in ipairs { "ewr1.vultrobjects.com", "172.32.0.1", "11.0.0.1:443", "fdisk.example" } do
      expect(finding(host, {})).is "pass"
    end
    expect(finding("s3.example", { bundle = "/etc/own.pem" })).is "warn"
    expect(finding("127.0.0.1:9000", { heroku = "http://127.0.0.1:5000" })).is "none"
    expect(finding("127.0.0.1:9000", { heroku = "api.heroku.com" })).is "fail"
  end)
end)
