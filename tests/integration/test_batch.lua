-- `pgorch batch` as a user runs it, in a world with one instance of many databases. What must hold: all rows are looked
-- at before one is touched; one that fails hurts no other; nothing begins that the batch does not allow; and running it
-- again does only what is not done.

local batch_world = require "support.batch_world"
local fs          = require "pgorch.fs"
local json        = require "pgorch.json"
local task        = require "pgorch.task"

local function as_text(...) return table.concat({ ... }, "\n") end

local function look_first(world)
  local rows = { batch_world.row(world, "db01"), batch_world.row(world, "db02", { instance = "typo" }),
                 batch_world.row(world, "db03", { depends_on = "db02" }),
                 batch_world.row(world, "db04", { accept = "exit 3" }),
                 batch_world.row(world, "db05", { depends_on = "db04" }) }
  return rows, batch_world.manifest(world, "five", rows)
end

local function expect_untouched(world)
  expect(batch_world.changes(world)).same {}
  expect(batch_world.read(world, "five")).is(nil)
end

describe("pgorch batch", function()
  it("looks at every row first, touches nothing where one is refused; one that fails hurts no other",
    batch_world.with_world({ databases = 5 }, function(world)
      local rows, path = look_first(world)
      local validated = batch_world.batch(world, "validate", path, "--yes-cut-over")
      batch_world.expect_exit(validated, 4)
      expect(validated.stdout).has "PGO-PROVIDER-INSTANCE there is no Vultr PostgreSQL database typo"
      expect(validated.stdout).has "5 rows: 4 ready, 1 refused"
      batch_world.expect_exit(batch_world.batch(world, "validate", path), 2)
      local short = batch_world.batch(world, "validate", path, "--yes-cut-over", "--no-check", "--opens", "22:00",
        "--closes", "22:02")
      expect(short.stderr).has "it fits into no window from 22:00 to 22:02"
      local refused = batch_world.batch(world, "run", path, "--yes-cut-over")
      batch_world.expect_exit(refused, 4)
      expect(refused.stderr).has "nothing was touched"
      expect_untouched(world)

      local run = batch_world.batch(world, "run", path, "--yes-cut-over", "--skip-refused")
      batch_world.expect_exit(run, 1)
      expect(batch_world.states(world, "five")).is(
        "db01 done, db02 refused, db03 blocked, db04 failed, db05 blocked")
      batch_world.expect_moved(world, rows[1])
      for i = 2, 5 do batch_world.expect_as_before(world, rows[i]) end
      expect(batch_world.batch(world, "status", "five").stdout).has "1 done, 1 failed, 1 refused, 2 blocked"

      rows[2].instance, rows[4].accept = "many", nil
      local mended = batch_world.batch(world, "run", batch_world.manifest(world, "five", rows), "--yes-cut-over")
      batch_world.expect_exit(mended, 0)
      for i, row in ipairs(rows) do
        batch_world.expect_moved(world, row)
        batch_world.expect_once(world, row.app, 1, i == 4 and 2 or 1)    -- one that failed was restored before
      end
    end), { limit = 200 })

  it("waits for approval after the first rows, and stops where too many fail", batch_world.with_world({ databases = 6 },
    function(world)
      local rows = { batch_world.row(world, "db01"), batch_world.row(world, "db02"), batch_world.row(world, "db03") }
      local path = batch_world.manifest(world, "canary", rows)
      local early = batch_world.batch(world, "submit", path, "--yes-cut-over", "--canary", "1", "--no-check")
      batch_world.expect_exit(early, 0)
      local refused = batch_world.batch(world, "approve", "canary")
      batch_world.expect_exit(refused, 2)
      expect(refused.stderr).has "the rows before it are not all at their end"
      do
        local child <close> = batch_world.start(world, "run", path, "--yes-cut-over", "--canary", "1")
        batch_world.wait_until(function() return batch_world.count(world, "canary", "done") == 1 end, child)
        task.sleep(0.5)
        expect(batch_world.states(world, "canary")).is "db01 done, db02 ready, db03 ready"
        batch_world.expect_exit(batch_world.batch(world, "approve", path), 0)
        expect(child:wait().code).is(0)
      end

      local three = { batch_world.row(world, "db04", { accept = "exit 3", priority = 1 }),
                      batch_world.row(world, "db05"), batch_world.row(world, "db06") }
      path = batch_world.manifest(world, "stops", three)
      local stopped = batch_world.batch(world, "run", path, "--yes-cut-over", "--stop-after", "1", "--jobs", "1")
      batch_world.expect_exit(stopped, 6)
      expect(batch_world.states(world, "stops")).is "db04 failed, db05 ready, db06 ready"
      expect(batch_world.read(world, "stops").state).is "stopped"
      batch_world.expect_as_before(world, three[1])
    end), { limit = 200 })

  it("begins nothing before the window opens, and ends safely when told to", batch_world.with_world({ databases = 2 },
    function(world)
      local rows = { batch_world.row(world, "db01"), batch_world.row(world, "db02") }
      local path = batch_world.manifest(world, "night", rows)
      local opens = os.date("!%Y-%m-%d %H:%M UTC", os.time() + 3600)
      do
        local child <close> = batch_world.start(world, "run", path, "--yes-cut-over", "--opens", opens)
        batch_world.wait_until(function() return batch_world.read(world, "night") end, child)
        task.sleep(0.5)
        expect(batch_world.states(world, "night")).is "db01 ready, db02 ready"
        child:kill "INT"
        expect(child:wait().code).is(8)
      end
      expect(batch_world.changes(world)).same {}

      local child <close> = batch_world.start(world, "run", path, "--yes-cut-over", "--jobs", "2")
      batch_world.wait_until(function() return #batch_world.changes(world) > 4 end, child)
      child:kill "INT"
      task.sleep(0.2)
      child:kill "INT"
      local ended = child:wait()
      expect(ended.code).is(8)
      expect(as_text(ended.stdout, ended.stderr)).has "rows at work are stopped safely"
      expect(ended.stdout).has "db01"                       -- what came of each row is told all the same
      batch_world.expect_exit(batch_world.batch(world, "run", path, "--yes-cut-over"), 0)
      batch_world.expect_all_moved(world, rows)
    end), { limit = 200 })

  it("gets through a storm of 429, and rows may wait at their gates", batch_world.with_world({ databases = 3 },
    function(world)
      local rows = { batch_world.row(world, "db01"), batch_world.row(world, "db02"), batch_world.row(world, "db03") }
      local path = batch_world.manifest(world, "storm", rows)
      world:fault { match = "* /apps/**", standin = "heroku", answer = 429, retry_after = 0, times = 25 }
      local child <close> = batch_world.start(world, "run", path, "--gates", "ask", "--no-check")
      local function waits() return #(batch_world.read(world, "storm") or { rows = {} }).rows > 0
        and (batch_world.batch(world, "status", "storm").stdout:match "waits at its gate") end
      batch_world.wait_until(waits, child)
      task.timeout(60, function()
        while child:alive() do
          batch_world.batch(world, "approve", "storm")
          task.sleep(0.2)
        end
      end)
      expect(child:wait().code).is(0)
      local throttled = 0
      for _, each in ipairs(batch_world.requests(world)) do throttled = throttled + (each.status == 429 and 1 or 0) end
      expect(throttled).above(24)
      for _, row in ipairs(rows) do batch_world.expect_moved(world, row) end
    end), { limit = 200 })

  it("takes its rows from a provider's account: recipes/batch.lua, and a manifest of one's own", batch_world.with_world(
    { databases = 3 }, function(world)
      batch_world.add_app(world, "acme-many-db02", { DATABASE = "db02" })
      local all = batch_world.batch(world, "validate", "batch", "--label", "^many$", "--prefix", "acme-", "--gates",
        "ask", "--json")
      batch_world.expect_exit(all, 0)
      local seen = {}
      for line in all.stdout:gmatch "[^\n]+" do
        local event = json.decode(line)
        if event.event == "checked" then seen[#seen + 1] = event end
      end
      expect(#seen).is(3)
      expect(seen[2].row).is "many/db02"
      expect(seen[2].bytes).above(1000000)
      expect(seen[2].estimate).above(10)
      expect(batch_world.batch(world, "validate", "batch", "--tag", "none", "--gates", "ask").stderr).has "no rows"
      local closed = batch_world.batch(world, "validate", "batch", "--label", "^analytics$", "--gates", "ask")
      batch_world.expect_exit(closed, 4)
      expect(closed.stdout).has "FAIL  PGO-ALLOW-LIST the allow list of analytics does not let 127.0.0.1 in"

      world.many.object.tag = "move"
      local path = world.dir .. "/weekend.lua"
      fs.write(path, fs.read(TEST_FOLDER .. "/../fixtures/batch.lua"))
      batch_world.expect_exit(batch_world.batch(world, "submit", path, "--yes-cut-over", "--no-check"), 0)
      local rows = batch_world.read(world, "vultr-weekend-1").rows
      expect(#rows).is(3)
      expect(rows[1].id).is "many/db01"
      expect(table.concat(rows[1].argv, " ")).has "--app=acme-db01"
      expect(table.concat(rows[1].argv, " ")).has "--plan=essential-0"
      expect(rows[1].priority).below(0)
      -- Another file of that name with other rows is another batch.
      local other = batch_world.manifest(world, "vultr-weekend-1", { batch_world.row(world, "db03") })
      local refused = batch_world.batch(world, "submit", other, "--yes-cut-over", "--no-check")
      batch_world.expect_exit(refused, 2)
      expect(refused.stderr).has "with other rows, of "
    end), { limit = 100 })

  it("hands rows to workers, which get no secret but by its name", batch_world.with_world({ databases = 2 },
    function(world)
      local rows = { batch_world.row(world, "db01", { watch = "1s" }), batch_world.row(world, "db02") }
      local path = batch_world.manifest(world, "handed", rows)
      batch_world.expect_exit(batch_world.batch(world, "submit", path, "--yes-cut-over"), 0)
      expect(batch_world.states(world, "handed")).is "db01 ready, db02 ready"
      local kept = fs.read(world.dir .. "/record/state.db", 1 << 26)
      for _, secret in ipairs { world.heroku.token, world.vultr.api_key, world.source.password } do
        expect(kept:find(secret, 1, true)).is(nil)
      end
      expect(kept).has "--token-env=VULTR_API_KEY"
      fs.mkdir(world.dir .. "/recipes")
      local worked = batch_world.pgorch(world, "worker", "--recipes", world.dir .. "/recipes", "--once")
      batch_world.expect_exit(worked, 0)
      for _, row in ipairs(rows) do batch_world.expect_moved(world, row) end
    end), { limit = 100 })

  it("says what is wrong with its words", batch_world.with_world({ databases = 1 }, function(world)
    local path = batch_world.manifest(world, "one", { batch_world.row(world, "db01") })
    batch_world.expect_exit(batch_world.batch(world, "status", "nope"), 2)
    expect(batch_world.batch(world, "vaildate", path).stderr).has "did you mean `validate`?"
    batch_world.expect_exit(batch_world.batch(world, "submit", path, "--yes-cut-over", "--no-check"), 0)
    local unknown = batch_world.batch(world, "pause", "noe")
    batch_world.expect_exit(unknown, 2)
    expect(unknown.stderr).has "there are: one"
    batch_world.expect_exit(batch_world.batch(world, "pause", path), 0)
    expect(batch_world.read(world, "one").state).is "paused"
    batch_world.expect_exit(batch_world.batch(world, "continue", "one"), 0)
    batch_world.expect_exit(batch_world.batch(world, "continue", "one"), 2)
    batch_world.expect_exit(batch_world.batch(world, "retry", "one", "db77"), 2)
    expect(batch_world.batch(world, "status", "--json").stdout).has '"batch":"one"'
    expect(fs.exists(world.dir .. "/record/state.db")).is(true)
  end), { limit = 60 })
end)
