-- The ways without object storage, --via direct and --via heroku, from end to end: what they move is what the archive
-- moves, they ask for no bucket, and neither is begun twice.

local api     = require "support.heroku_api"
local fs      = require "pgorch.fs"
local json    = require "pgorch.json"
local pg      = require "pgorch.pg"
local vultr_run = require "support.vultr_run"

local run = require "support.provider_run"("postgres", {})

-- A run needs no storage: its variables are not there.
local NO_STORAGE = { AWS_ENDPOINT_URL = false, AWS_ENDPOINT_URL_S3 = false, AWS_ACCESS_KEY_ID = false,
                     AWS_SECRET_ACCESS_KEY = false, AWS_DEFAULT_REGION = false, AWS_REGION = false }

local function pgorch(world, words) return run.pgorch(world, words, NO_STORAGE) end

local function move(world, via, more)
  local words = { "--via", via }
  return run.run(world, table.move(more or {}, 1, #(more or {}), 3, words), NO_STORAGE)
end

local function requests(world) return fs.read(world.dir .. "/requests.jsonl", 1 << 28) end

-- What the stand-ins were asked: lines of requests.jsonl.
local function asked(world, method, pattern)
  local found = {}
  for line in requests(world):gmatch "[^\n]+" do
    local each = json.decode(line)
    if each.method == method and each.path:find(pattern) then found[#found + 1] = each end
  end
  return found
end

local function expect_no_storage(world)
  expect(run.objects(world, world.s3.account)).same {}
  expect(world.s3:buckets(world.s3.account)).same {}
  expect(requests(world):find('"standin":"s3"', 1, true)).is_nil()
end

-- Transfers of the app, oldest first.
local function transfers(world)
  local list = { table.unpack(world.heroku:app(run.APP).transfers) }
  table.sort(list, function(a, b) return a.num < b.num end)
  return list
end

local function id_of(done) return done.all:match "pgorch report (%w+)" end

-- Kills (-9) pgorch as soon as Heroku has been asked, or the copy has begun. Returns the run's id.
local function kill(world, words, step)
  if fs.exists(world.dir .. "/printed") then fs.remove(world.dir .. "/printed") end
  return vultr_run.kill_when(world, function(events)
    return events:find(('"event":"progress","id":"%s"'):format(step), 1, true)
  end, 0, words)
end

local function kill_in(world, via, step) return kill(world, run.usual { "--via", via, "--json" }, step) end

describe("--via heroku", function()
  it("has Heroku fetch the database, without a bucket or its keys; a lost answer is not asked for twice",
    run.with_world({}, function(world)
      world:fault { at = "heroku.copy", drop = true, after = true }
      local done = move(world, "heroku")
      run.expect_exit(done, 0)
      run.expect_moved(world)
      expect_no_storage(world)
      expect(#transfers(world)).is(1)
      expect(#asked(world, "POST", "/transfers$")).is(1)
      expect(done.all).has "copy c001"
      expect(requests(world):find(world.source.url:match "://[^:]+:([^@]+)@", 1, true)).is_nil()
    end), { limit = 200 })

  it("waits out a busy Heroku; what was not begun is asked for by resume, what was begun under an error is found",
    run.with_world({}, function(world)
      world:fault { at = "heroku.copy", answer = 503 }
      world:fault { at = "heroku.transfers", answer = 503, times = 2 }
      local stopped = move(world, "heroku")
      run.expect_exit(stopped, 6)
      expect(#transfers(world)).is(0)

      world:fault { at = "heroku.copy", after = true, answer = 503 }
      world:fault { at = "heroku.transfer", answer = 503, times = 6 }
      local done = pgorch(world, { "resume", id_of(stopped), "--yes-cut-over" })
      run.expect_exit(done, 0)
      run.expect_moved(world)
      expect(#transfers(world)).is(1)
      expect(#asked(world, "POST", "/transfers$")).is(2)
      for _, at in ipairs { "copy", "transfers", "transfer" } do
        expect(fs.exists(world.dir .. "/faults/heroku." .. at)).is(false)
      end
    end), { limit = 200 })

  it("that is canceled elsewhere, or cannot reach the source, is put back with the reason",
    run.with_world({}, function(world)
      world:fault { at = "worker.restore", canceled = true }
      local done = move(world, "heroku")
      run.expect_exit(done, 1)
      expect(done.all).has "copy c001 was canceled, and not by this run"
      run.expect_app_as_before(world)

      world:fault { at = "worker.restore", answer = 500, message = 'pg_dump: error: connection to server at '
        .. '"db.example" (203.0.113.5), port 5432 failed: Connection timed out' }
      done = move(world, "heroku")
      run.expect_exit(done, 1)
      expect(done.all).has "Heroku's pg_dump could not connect to the source"
      expect(done.all).has "0.0.0.0/0"
      expect(#transfers(world)).is(2)                      -- what does not pass is not asked for again
      run.expect_app_as_before(world)
    end), { limit = 200 })

  it("is found again after kill -9, and canceled by a rollback", run.with_world({}, function(world)
    world:fault { at = "worker.restore", delay = 3 }
    local id = kill_in(world, "heroku", "pull")
    run.expect_exit(pgorch(world, { "rollback", id }), 0)
    local first = transfers(world)[1]
    expect(first.canceled_at and first.finished_at).is_true()
    run.expect_app_as_before(world)

    world:fault { at = "worker.restore", delay = 3 }
    id = kill_in(world, "heroku", "pull")
    local refused = pgorch(world, { "resume", id, "--via", "archive", "--bucket", "b", "--accept-changes" })
    run.expect_exit(refused, 2)
    expect(refused.all).has "has begun to move with --via heroku, and --via is archive now"
    local done = pgorch(world, { "resume", id, "--yes-cut-over" })
    run.expect_exit(done, 0)
    expect(#transfers(world)).is(2)
    run.expect_moved(world)
    expect_no_storage(world)
  end), { limit = 200 })
end)

-- A row that the copy will not touch: it shows whether a database was emptied.
local function mark(world)
  local addon = world.heroku.state:config(world.heroku:app(run.APP))
  local conn <close> = pg.connect(addon.PGORCH_TARGET_URL)
  conn:exec "create table public.of_nobody (a integer)"
end

describe("--via direct", function()
  it("copies from server to server without a bucket or its keys, and verifies; auto takes it where there is no storage",
    run.with_world({}, function(world)
      local done = move(world, "auto")
      run.expect_exit(done, 0)
      expect(done.all).has "the way is direct"
      expect(done.all).has "AWS_ACCESS_KEY_ID is not set"
      expect(done.all).has "only where --via heroku asks for it"
      expect(done.all).has "23 tables, 11144 rows"
      run.expect_moved(world)
      expect_no_storage(world)
      expect(#transfers(world)).is(0)
      local report = pgorch(world, { "report", id_of(done) })
      expect(report.all).has "Copy from server to server"
      for _, other in ipairs { "Restore at Heroku", "Dump the database", "Fetched by Heroku", "private bucket" } do
        expect(report.all:find(other, 1, true)).is_nil()
        expect(done.all:find(other, 1, true)).is_nil()
      end
      done = pgorch(world, { "cleanup", id_of(done) })
      run.expect_exit(done, 0)
      expect_no_storage(world)
    end), { limit = 200 })

  it("begins again in an emptied database after kill -9, a rollback empties it, and after that it can be resumed",
    run.with_world({}, function(world)
      local id = kill_in(world, "direct", "copy")
      local definitions = ("%s/runs/%s/copy"):format(run.record(world), id)
      expect(fs.exists(definitions)).is(true)
      mark(world)
      run.expect_exit(pgorch(world, { "resume", id, "--via", "heroku", "--accept-changes" }), 2)
      run.expect_exit(pgorch(world, { "rollback", id }), 0)
      expect(#asked(world, "PUT", "/reset$")).is(1)
      expect(fs.exists(definitions)).is(false)
      run.expect_app_as_before(world)

      kill(world, { "resume", id, "--yes-cut-over", "--json" }, "copy")
      mark(world)
      run.expect_exit(pgorch(world, { "resume", id, "--yes-cut-over" }), 0)
      run.expect_moved(world)
      expect(run.value(run.database_url(world), "select count(*) from pg_class where relname = 'of_nobody'")).is(0)
    end), { limit = 200 })

  it("is rehearsed into a local target, and tells what its window would be", run.with_world({}, function(world)
    local done = pgorch(world, { "rehearse", "postgres", "--app", run.APP, "--via", "direct" })
    run.expect_exit(done, 0)
    expect(done.all).has "Copy from server to server (local)"
    expect(done.all).has "the copy on Heroku's hardware"
    expect(done.all:find("Dump the database", 1, true)).is_nil()
    run.expect_app_as_before(world)
    local plan = pgorch(world, { "plan", "postgres", "--app", run.APP, "--via", "direct" })
    run.expect_exit(plan, 10)
    expect(plan.all).has "! copy directly into"
    expect(plan.all).has "Way of the data: direct ~"
    expect(plan.all).has "instead: --via archive ~"
    expect(plan.all).has "times of rehearsal"
    expect(plan.all).matches "Way of the data: direct ~%d+ s by rehearsal %w+: from server to server"
    expect(plan.all).matches "instead: %-%-via archive ~%d+ s: a dump"
    expect(plan.all).matches "copy [%d.]+ .?B/s by rehearsal %w+"
  end), { limit = 200 })
end)

-- An add-on of the app that no run has made. Returns the address of its database.
local function add_database(world, attachment)
  local path = "/apps/" .. run.APP .. "/addons"
  local status = api.ask(world, "POST", path, { plan = { name = "heroku-postgresql:essential-1" }, name = "own-one",
                                                attachment = { name = attachment } })
  expect(status).is(201)
  for _ = 1, 10 do api.ask(world, "GET", path .. "/own-one") end
  for _, addon in ipairs(world.heroku.state.addons) do
    if addon.name == "own-one" then return addon.database.url end
  end
end

describe("a database of the user's own", function()
  it("that holds anything, be it no table, is refused, and left as it is", run.with_world({}, function(world)
    local url = add_database(world, "REPORTS")
    do
      local conn <close> = pg.connect(url)
      conn:exec "create view of_nobody as select 1 as n; select lo_from_bytea(5, 'kept')"
    end
    for _, via in ipairs { "direct", "heroku" } do
      local done = move(world, via, { "--database", "REPORTS" })
      run.expect_exit(done, 4)
      expect(done.all).has "PGO-CONFIRM"
      expect(done.all).has "not empty"
      expect(run.value(url, "select n from of_nobody")).is(1)
      expect(run.value(url, "select convert_from(lo_get(5), 'UTF8')")).is "kept"
    end
    expect(#asked(world, "PUT", "/reset$")).is(0)
    local plan = pgorch(world, { "plan", "postgres", "--app", run.APP, "--via", "direct", "--database", "REPORTS",
                                 "--confirm", run.APP })
    run.expect_exit(plan, 10)
    expect(plan.all).has "1 large object in it lost)"
    run.expect_exit(move(world, "direct", { "--database", "REPORTS", "--confirm", run.APP }), 0)
  end), { limit = 200 })
end)

describe("recipes/vultr.lua", function()
  it("moves with --via direct from an account that has no object storage", vultr_run.with_world({}, function(world)
    world.vultr.state.storages = {}
    local done = vultr_run.run(world, { "--via", "direct" }, NO_STORAGE)
    vultr_run.expect_exit(done, 0)
    vultr_run.expect_moved(world)
    expect(#asked(world, "GET", "object%-storage")).is(0)
  end), { limit = 200 })
end)
