-- The test harness itself: what it counts, what it calls a failure, what a skip is, which files and tests it takes.

local process = require "pgorch.process"
local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"

local function pgorch(dir, ...)
  local words = { host.executable(), "test", ... }
  words.check, words.cwd = false, dir
  local done = process.run(words)
  done.all = done.stdout .. done.stderr
  return done
end

local function run(source, ...)
  local more = { ... }
  return fs.with_temporary("pgorch-test-", function(dir)
    fs.write(dir .. "/test_it.lua", source)
    local done = pgorch(dir, "test_it.lua", table.unpack(more))
    return done.code, done.stdout, done.all
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
    expect(out).has "not ok 2 - fails\n#   test_it.lua:2: expected 2, got 1\n"
    expect(out).has "ok 3 - skips # SKIP no server here\n"
    expect(out).has "not ok 4 - raises\n#   PGO-LUA: test_it.lua:4: boom\n"
    expect(out).lacks "pgorch/test.lua"
    expect(out).has "1..4\n# 1 passed, 2 failed, 1 skipped\n"
  end)

  it("says in which line of the test the library raised an error", function()
    local code, out = run [[
      local http = require "pgorch.http"
      it("asks", function() http.request { url = "http://127.0.0.1:9/" } end)
    ]]
    expect(code).is(1)
    expect(out).has "#   test_it.lua:2: PGO-NET"
  end)

  it("ends well when nothing failed, and fails a case that takes too long", function()
    expect((run [[it("passes", function() end) it("skips", function() skip "why not" end)]])).is(0)
    local code, out = run [[it("hangs", function() require("pgorch.task").sleep(60) end, { limit = 0.1 })]]
    expect(code).is(1)
    expect(out).has "PGO-TIMEOUT"
  end)

  it("fails a file that leaves a handle or a task open, and nothing that its tests share", function()
    local code, out = run [[
      local process = require "pgorch.process"
      local kept
      it("starts", function() kept = process.spawn { "sleep", "60", stdout = "null", stderr = "null" } end)
      it("uses", function() expect(kept:alive()).is(true) end)
      it("ends it", function() kept:close() end)
      it("closes", function() local proc <close> = process.spawn { "sleep", "60" } end)
    ]]
    expect(code).is(0)
    expect(out).has "1..4\n"
    code, out = run [[
      it("starts", function()
        package.loaded.kept = require("pgorch.process").spawn { "sleep", "60", stdout = "null" }
      end)
    ]]
    expect(code > 0).is(true)
    expect(out).has "ok 1 - starts\nnot ok 2 - test_it.lua\n#   this is left open: 1 pipe handle, 1 process handle\n"
    code, out = run [[it("serves", function() require("pgorch.http").serve({}, function() end) end)]]
    expect(code > 0).is(true)
    expect(out).has "not ok 1 - serves\n#   this is left open: 1 poll handle, 1 task\n"
  end)

  it("takes the tests of a folder, counts on through its files, and goes past one that does not load", function()
    fs.with_temporary("pgorch-test-", function(dir)
      fs.mkdir(dir .. "/b")
      fs.write(dir .. "/a_test.lua", [[it("one", function() end)]])
      fs.write(dir .. "/b/test_b.lua", [[it("two", function() end)]])
      fs.write(dir .. "/c_test.lua", [[it("three", function()]])
      fs.write(dir .. "/d_test.lua", [[it("four", function() expect(1).is(1) end)]])
      fs.write(dir .. "/other.lua", [[error "not a test"]])
      local done = pgorch(dir)
      expect(done.code).is(1)
      expect(done.stdout).has "ok 1 - one\nok 2 - two\nnot ok 3 - c_test.lua\n#   PGO-LUA: c_test.lua:1: "
      expect(done.stdout).has "ok 4 - four\n1..4\n# 3 passed, 1 failed, 0 skipped\n"
      done = pgorch(dir, "b", "d_test.lua", "--only", "fo")
      expect(done.code).is(0)
      expect(done.stdout).is "ok 1 - four\n1..1\n# 1 passed, 0 failed, 0 skipped\n"
    end)
  end)

  it("does not end well when it has found no test", function()
    local code, _, all = run([[it("one", function() end)]], "--only", "two")
    expect(code).is(2)
    expect(all).has "no test has `two` in its title"
    code, _, all = run "local nothing = 1"
    expect(code).is(2)
    expect(all).has "there is no test"
  end)

  it("refuses what it does not understand", function()
    fs.with_temporary("pgorch-test-", function(dir)
      local refused = { ["nothing.lua"] = "there is no test file nothing.lua", ["--what"] = "does not know --what",
        ["--kills=0"] = "--kills 0: a whole number above 0", ["--only"] = "--only needs a value",
        ["--fault=heroku.nothing drop"] = "no stand-in asks for the fault", ["."] = "there is no test file here" }
      for words, told in pairs(refused) do
        local done = pgorch(dir, words)
        expect(words .. " " .. done.code).is(words .. " 2")
        expect(done.stderr).has(told)
      end
    end)
  end)
end)
