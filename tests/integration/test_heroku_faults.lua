-- Faults of Heroku itself, met by `pgorch run vultr` as a user runs it: what is harmless is passed and told, what lost
-- something ends the move with the app as it was, and whichever way Heroku makes room for a restore, it works.

local fs        = require "pgorch.fs"
local json      = require "pgorch.json"
local vultr_run = require "support.vultr_run"

-- A world of its own, with these faults asked for before the run.
local function run_with(faults, fn, heroku)
  return vultr_run.with_world({ heroku = heroku }, function(world)
    for _, fault in ipairs(faults) do world:fault(fault) end
    fn(world, vultr_run.run(world, {}))
    for _, fault in ipairs(faults) do
      expect(fs.exists(world.dir .. "/faults/" .. fault.at)).is(false)
    end
  end)
end

local function ends_with(code, id)
  return function(world, done)
    vultr_run.expect_exit(done, code)
    expect(done.all).has(id)
    vultr_run.expect_app_as_before(world)
  end
end

local function moves_on(world, done)
  vultr_run.expect_exit(done, 0)
  vultr_run.expect_moved(world)
end

-- When the stand-ins have been asked for that.
local function asked(path)
  return function(_, requests) return requests:find(path, 1, true) end
end

-- What was answered to each request for a path that ends so.
local function statuses(requests, ending)
  local list = {}
  for line in requests:gmatch "[^\n]+" do
    local request = json.decode(line)
    if (request.path or ""):sub(-#ending) == ending then list[#list + 1] = request.status end
  end
  return list
end

describe("run vultr, with trouble at Heroku", function()
  it("goes on when a restore complains of what is harmless, and says so", run_with({
    { at = "worker.restore", warnings = "harmless" } }, function(world, done)
    moves_on(world, done)
    expect(done.all).has "only the comment on one is missing"
    expect(world.heroku:app(vultr_run.APP).transfers[1].warnings).above(0)
  end), { limit = 250 })

  it("puts the app back when a restore lost an index", run_with({ { at = "worker.restore", warnings = "lossy" } },
    ends_with(1, "PGO-RESTORE-LOSSY")), { limit = 250 })

  it("puts the app back when Heroku cancels a restore", run_with({ { at = "worker.restore", canceled = true } },
    ends_with(1, "PGO-RESTORE-FAILED")), { limit = 250 })

  it("puts the app back when a database never becomes ready", run_with({ { at = "worker.ready", error = "no room" } },
    ends_with(1, "PGO-HEROKU-ADDON")), { limit = 250 })

  it("waits for what crawls: provisioning, readiness, a pending restore", run_with({
    { at = "worker.provision", looks = 5 }, { at = "worker.ready", looks = 3 }, { at = "worker.start", delay = 2 } },
    moves_on), { limit = 250 })

  it("empties the database only once a cancelled restore has really stopped", vultr_run.with_world({}, function(world)
    world:fault { at = "worker.restore", delay = 100 }
    world:fault { at = "worker.cancel", delay = 1 }
    local run = vultr_run.kill_when(world, asked "/restores", 0.3)
    local done = vultr_run.pgorch(world, { "rollback", run })
    vultr_run.expect_exit(done, 0)
    expect(done.all).has "target reset"
    expect(world.heroku:app(vultr_run.APP).transfers[1].canceled_at).is_true()
    vultr_run.expect_app_as_before(world)
  end), { limit = 250 })

  it("waits for that too after a rollback that was killed as soon as it had cancelled", vultr_run.with_world({},
    function(world)
      world:fault { at = "worker.restore", delay = 100 }
      world:fault { at = "worker.cancel", delay = 5 }
      local run = vultr_run.kill_when(world, asked "/restores", 0.3)
      vultr_run.kill_when(world, asked "/actions/cancel", 0, { "rollback", run })
      vultr_run.expect_exit(vultr_run.pgorch(world, { "rollback", run }), 0)
      local requests = fs.read(world.dir .. "/requests.jsonl", 1 << 26)
      expect(statuses(requests, "/reset")).same { 200 }
      expect(#statuses(requests, "/actions/cancel")).is(1)
      vultr_run.expect_app_as_before(world)
    end), { limit = 250 })

  it("waits for the app's release process; puts the app back if it fails", vultr_run.with_world({}, function(world)
    table.insert(world.heroku:app(vultr_run.APP).formation, { id = "r", type = "release", quantity = 0, size = "Basic",
      command = "bin/migrate" })
    world:fault { at = "worker.release" }
    ends_with(1, "PGO-CUT-OVER")(world, vultr_run.run(world, {}))
    moves_on(world, vultr_run.run(world, {}))
  end), { limit = 250 })

  it("works when Heroku drops what is in the archive instead of emptying the database", vultr_run.with_world({
    heroku = { restore_mode = "clean" } }, function(world)
    do -- on the target it is the superuser's: nobody else can drop it there
      local admin <close> = world.source.cluster:connect(world.source.dbname)
      admin:exec "create extension pg_stat_statements"
    end
    local done = vultr_run.run(world, {})
    moves_on(world, done)
    expect(done.all).has "the extension stays"
  end), { limit = 250 })

  it("works when the Data API answers as in 2020, in HTML, and with a dedicated plan", vultr_run.with_world({
    heroku = { html_404 = true, missing_polls = 3 } }, function(world)
    moves_on(world, vultr_run.run(world, { "--plan", "standard-0" }))
  end), { limit = 250 })
end)
