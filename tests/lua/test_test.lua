-- The test harness itself: what it counts, what it calls a failure, what a skip is.

local process = require "pgorch.process"
local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"

local function run(source)
  return fs.with_temporary("pgorch-test-", function(dir)
    fs.write(dir .. "/test_it.lua", source)
    local done = process.run { host.executable(), "test", dir .. "/test_it.lua", check = false }
    return done.code, done.stdout
  end)
end

describe("pgorch test", function()
  it("passes, fails and skips, and says why", function()
    local code, out = run [[
      it("passes", function() expect(1).is(1) end)
      it("fails", function() expect(1).is(2) end)
      it("skips", function() skip "no server here" end)
      it("raises", function() error "boom" end)
    ]]
    expect(code).is(1)
    expect(out).has "ok 1 - passes\n"
    expect(out).has "not ok 2 - fails\n"
    expect(out).has "expected 2, got 1"
    expect(out).has "ok 3 - skips # SKIP no server here\n"
    expect(out).has "not ok 4 - raises"
    expect(out).has "1..4"
  end)

  it("ends well when nothing failed, and fails a case that takes too long", function()
    expect((run [[it("passes", function() end) it("skips", function() skip "why not" end)]])).is(0)
    local code, out = run [[it("hangs", function() require("pgorch.task").sleep(60) end, { limit = 0.1 })]]
    expect(code).is(1)
    expect(out).has "PGO-TIMEOUT"
  end)
end)
