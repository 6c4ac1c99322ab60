-- A batch of many databases of one instance, and two of one app, by `pgorch batch run`: whatever is killed, rows or the
-- batch itself, running it again does only what is not done, and each database is moved once.

local batch_world = require "support.batch_world"
local process     = require "pgorch.process"

local function kill(pid) process.run { "kill", "-KILL", tostring(pid), check = false } end

local function twenty_two(world)
  local rows = {}
  for i = 1, 20 do rows[i] = batch_world.row(world, world.names[i]) end
  local shared = { app = "app-shared" }
  batch_world.add_app(world, "app-shared", { DATABASE = "db21", REPORTS = "db22" })
  rows[21] = batch_world.row(world, "db21", shared)
  shared.as = "REPORTS"
  rows[22] = batch_world.row(world, "db22", shared)
  return rows
end

-- Kills one of the rows at work, a few times, and then the batch itself.
local function run_with_kills(world, path)
  local child <close> = batch_world.start(world, "run", path, "--yes-cut-over", "--jobs", "5", "--attempts", "9",
    "--no-check")
  for after = 1, 3 do
    batch_world.wait_until(function() return batch_world.count(world, "many", "done") >= 2 * after end, child)
    local rows = {}
    batch_world.wait_until(function()
      rows = batch_world.children(child.pid)
      return #rows > 1
    end, child)
    kill(rows[after % #rows + 1])
  end
  batch_world.wait_until(function() return batch_world.count(world, "many", "done") >= 8 end, child)
  child:kill "KILL"
  child:wait()
end

describe("a batch of 22 databases, 20 of one instance and 2 of one app", function()
  it("comes to its end, each database moved once, whatever is killed", batch_world.with_world({ databases = 22 },
    function(world)
      local rows = twenty_two(world)
      local path = batch_world.manifest(world, "many", rows)
      run_with_kills(world, path)
      expect(batch_world.count(world, "many", "done")).below(22)
      local again = batch_world.batch(world, "run", path, "--yes-cut-over", "--jobs", "5", "--no-check")
      batch_world.expect_exit(again, 0)
      for i, row in ipairs(rows) do
        batch_world.expect_moved(world, row)
        if i <= 20 then batch_world.expect_once(world, row.app, 1) end
      end
      batch_world.expect_once(world, "app-shared", 2)

      local before = #batch_world.requests(world)
      batch_world.expect_exit(batch_world.batch(world, "run", path, "--yes-cut-over"), 0)
      expect(#batch_world.requests(world)).is(before)
    end), { limit = 280 })
end)
