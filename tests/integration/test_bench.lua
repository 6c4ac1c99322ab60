-- The harness of the benchmarks, on a database of 15 MB: it measures, tells what fails, and leaves nothing behind. How
-- fast anything is belongs to no test.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local json    = require "pgorch.json"
local process = require "pgorch.process"

local BENCH = TEST_FOLDER .. "/../bench/run"

-- The servers run as another user, who must be able to pass through the folders.
local function in_folder(fn)
  fs.with_temporary("pgorch-test-bench-", function(dir)
    fs.chmod(dir, 711)
    return fn(dir)
  end)
end

local function bench(dir, figure, pgorch)
  local result = process.run { BENCH, "--size", "15", "--pairs", "1", "--only", figure, "--out", dir .. "/out",
    "--cache", dir .. "/cache", env = { PGORCH = pgorch, TMPDIR = dir }, check = false, timeout = 100 }
  return result, json.decode(fs.read(dir .. "/out/bench.json")).figures[1]
end

local function left_behind(dir)
  local names = {}
  for _, name in ipairs(fs.list(dir)) do
    if name ~= "cache" and name ~= "out" then names[#names + 1] = name end
  end
  return names
end

describe("the benchmarks", function()
  before(function()
    local there = pcall(process.run, { "python3", "--version" })
    if not there then skip "python3 is not installed: vendor/debian.sh bench" end
  end)

  it("take turns, hold the archives to the same content, and tell ratios as text, JSON and a page", function()
    in_folder(function(dir)
      local result, figure = bench(dir, "archive", host.executable())
      expect({ result.code, result.code == 0 and "" or result.stdout .. result.stderr }).same { 0, "" }
      expect(figure.failed).is_nil()
      expect(figure.rounds[1].stock.bytes).above(1000000)
      for _, ratio in ipairs(figure.ratios) do
        if ratio.name == "size fast / stock" then expect(ratio.median > 0.8 and ratio.median < 1.2).is(true) end
      end
      expect(result.stdout).has "wall fast / stock"
      expect(fs.read(dir .. "/out/bench.html")).has "<svg"
      expect(fs.read(dir .. "/out/bench.md")).has "| archive: size small / stock |"
      expect(left_behind(dir)).same {}

      local readme, other = dir .. "/out/readme.md", dir .. "/out/other.md"
      local marks = { "<!-- results: begin, by --readme -->", "<!-- results: end -->" }
      fs.write(readme, "before\n" .. marks[1] .. "\nold\n" .. marks[2] .. "\nafter\n")
      fs.write(other, "no marks\n")
      local function again(path)
        return process.run { BENCH, "--from", dir .. "/out/bench.json", "--out", dir .. "/out", "--readme", path,
                             check = false, timeout = 30 }
      end
      expect(again(readme).code).is(0)
      expect(fs.read(readme)).matches "^before\n.*| archive: wall fast / stock | 15 MB, 1 |.*\nafter\n$"
      expect(fs.read(readme)).lacks "old"
      expect(again(other).stderr).has "has no place for results"
      expect(fs.read(other)).is "no marks\n"

      local broken, told = bench(dir, "archive", "/bin/false")
      expect(broken.code).is(1)
      expect(told.failures.fast).has "status 1"
      expect(told.rounds[1].stock.wall > 0).is(true)
      expect(told.ratios).same {}
      expect(broken.stdout).has "FAILED: small"
      expect(left_behind(dir)).same {}
    end)
  end, { limit = 100 })
end)
