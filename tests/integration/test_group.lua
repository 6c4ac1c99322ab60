-- Groups of a batch, with real runs. What must hold: no app of a group is closed before all of them are about to be,
-- none is cut over before all are ready for it, one that is put back takes all others with it, and whatever is killed
-- while it waits goes on with the others.

local batch_world = require "support.batch_world"
local process     = require "pgorch.process"
local store       = require "pgorch.store"
local task        = require "pgorch.task"

local function grouped(world, count, more)
  local rows = {}
  for i = 1, count do
    local fields = { group = "shop" }
    for name, value in pairs(more and more[i] or {}) do fields[name] = value end
    rows[i] = batch_world.row(world, world.names[i], fields)
  end
  return rows, batch_world.manifest(world, "g", rows)
end

-- When the step of each row's run was begun, and ended last.
local function times(world, step)
  local st <close> = store.open(batch_world.record(world))
  local begun, ended = {}, {}
  for _, row in ipairs(st:batch("g").rows) do
    for _, each in ipairs(row.run and st:steps(row.run) or {}) do
      if each.id == step then begun[row.id], ended[row.id] = each.started_at, each.ended_at end
    end
  end
  return begun, ended
end

local function reduce(list, fn)
  local found
  for _, value in pairs(list) do found = found and fn(found, value) or value end
  return found
end

-- The last one is through `before` when the first one begins `step`.
local function expect_together(world, before, step)
  local _, ended = times(world, before)
  local begun = times(world, step)
  expect(reduce(ended, math.max)).below(reduce(begun, math.min))
end

local function run_of(world, id)
  for _, row in ipairs(batch_world.read(world, "g").rows) do
    if row.id == id then return row end
  end
end

local function has_arrived(world, point, id)
  local st <close> = store.open(batch_world.record(world))
  return st:arrived("g", "shop", point)[id]
end

local function pid_of(world, id)
  local st <close> = store.open(batch_world.record(world))
  return st:run(run_of(world, id).run).owner:match ":(%d+):%d+$"
end

describe("a group of a batch", function()
  it("is frozen together and cut over together", batch_world.with_world({ databases = 3 }, function(world)
    local rows, path = grouped(world, 3, { [2] = { accept = "sleep 3" } })
    world:fault { at = "heroku.addon.create", hold = 3 }
    local done = batch_world.batch(world, "run", path, "--yes-cut-over")
    batch_world.expect_exit(done, 0)
    expect_together(world, "preflight_target", "window_opens")
    expect_together(world, "accept", "cut_over")
    batch_world.expect_all_moved(world, rows)
  end), { limit = 120 })

  it("is put back whole when one fails, and tried again whole", batch_world.with_world({ databases = 3 },
    function(world)
      local rows, path = grouped(world, 3, { [2] = { accept = "sleep 2; test -e " .. world.dir .. "/good" } })
      local done = batch_world.batch(world, "run", path, "--yes-cut-over")
      batch_world.expect_exit(done, 1)
      expect(batch_world.states(world, "g")).is "db01 failed, db02 failed, db03 failed"
      for _, row in ipairs(rows) do batch_world.expect_as_before(world, row) end
      expect(run_of(world, "db01").error.id).is "PGO-GROUP"
      expect(run_of(world, "db01").error.message).has "row db02 of its group is put back"
      process.run { "touch", world.dir .. "/good" }
      batch_world.expect_exit(batch_world.batch(world, "retry", "g", "db01"), 0)
      expect(batch_world.states(world, "g")).is "db01 ready, db02 ready, db03 ready"
      batch_world.expect_exit(batch_world.batch(world, "run", path, "--yes-cut-over"), 0)
      expect_together(world, "accept", "cut_over")
      for _, row in ipairs(rows) do batch_world.expect_moved(world, row) end
    end), { limit = 160 })

  it("waits for one that is killed, which goes on", batch_world.with_world({ databases = 3 }, function(world)
    local rows, path = grouped(world, 3, { [3] = { accept = "sleep 4" } })
    local child <close> = batch_world.start(world, "run", path, "--yes-cut-over", "--attempts", "9")
    batch_world.wait_until(function()
      return batch_world.read(world, "g") and has_arrived(world, "cut_over", "db01")
        and has_arrived(world, "cut_over", "db02")
    end, child)
    process.run { "kill", "-KILL", pid_of(world, "db01") }
    process.run { "kill", "-KILL", pid_of(world, "db03") }
    local ended = child:wait()
    expect(ended.code).is(0)
    expect_together(world, "accept", "cut_over")
    batch_world.expect_all_moved(world, rows)
  end), { limit = 160 })

  it("is put back whole when somebody puts one of its runs back", batch_world.with_world({ databases = 2 },
    function(world)
      local rows, path = grouped(world, 2, { { accept = "sleep 60" } })
      local child <close> = batch_world.start(world, "run", path, "--yes-cut-over")
      batch_world.wait_until(function()
        return batch_world.read(world, "g") and has_arrived(world, "cut_over", "db02")
      end, child)
      local st <close> = store.open(batch_world.record(world))
      local run = st:run(run_of(world, "db02").run)
      require("pgorch.runner.requests").ask(st, run, "rollback")
      expect(child:wait().code).is(1)
      for _, row in ipairs(rows) do batch_world.expect_as_before(world, row) end
      expect(st:arrived("g", "shop", "cut_over").db01).is_nil()
    end), { limit = 120 })

  it("stops as a whole when it is told to, and goes on from there", batch_world.with_world({ databases = 2 },
    function(world)
      local rows, path = grouped(world, 2, { { accept = "sleep 5" } })
      do
        local child <close> = batch_world.start(world, "run", path, "--yes-cut-over")
        batch_world.wait_until(function()
          return batch_world.read(world, "g") and has_arrived(world, "cut_over", "db02")
        end, child)
        child:kill "INT"
        task.sleep(0.5)
        child:kill "INT"
        expect(child:wait().code).is(8)
      end
      expect(has_arrived(world, "cut_over", "db02")).is_nil()       -- it is waited for again
      batch_world.expect_exit(batch_world.batch(world, "run", path, "--yes-cut-over"), 0)
      for _, row in ipairs(rows) do batch_world.expect_moved(world, row) end
    end), { limit = 120 })
end)
