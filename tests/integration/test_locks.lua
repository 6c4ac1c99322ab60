-- Two runs that would get into each other's way. What must hold: the second one is refused with status 7 before it
-- changes anything, wherever its record is, and the first one ends as if it had been alone.

local fs    = require "pgorch.fs"
local moves = require "support.moves"
local pg    = require "pgorch.pg"
local task  = require "pgorch.task"

local function expect_refused(ended)
  moves.expect_exit(ended, 7)
  expect(ended.all).has "PGO-LOCKED"
end

-- Runs a move that a fault holds up for some seconds, and fn() as soon as the fault is met.
local function while_held(move, at, seconds, fn)
  move.world:fault { at = at, delay = seconds }
  local asked, ended = move.world.dir .. "/faults/" .. at, nil
  task.group(function(group)
    local running = group:spawn(function() return move:run() end)
    while fs.exists(asked) do task.sleep(0.02) end
    fn()
    ended = running:join()
  end)
  return ended
end

local function refused_meanwhile(at)
  moves.world({}, function(_, lanes)
    local first = moves.new(lanes[1])
    local second = moves.new(lanes[1], { beside = first })
    local ended = while_held(first, at, 6, function()
      expect_refused(second:run())
      expect(first:app().maintenance).is(true)
    end)
    moves.expect_exit(ended, 0)
    first:expect_moved()
    expect(first:expect_once()).is(1)
    expect(#first:restores()).is(1)
  end)
end

local function attach(move, name)
  table.insert(move.world.heroku.state.attachments, { id = "an-id", name = name, app = move:app(),
    addon = move:addons()[1], created_at = "2026-11-20T18:00:00Z" })
end

describe("a second run", function()
  it("on an app that another record's run is dumping for", function()
    refused_meanwhile "s3.put_object"
  end)

  it("on an app that another record's run is restoring into", function()
    refused_meanwhile "worker.restore"
  end)

  it("on the same database of an app, even if the first one is stopped", function()
    moves.world({}, function(_, lanes)
      local first = moves.new(lanes[1])
      local second = moves.new(lanes[1], { dir = first.dir, beside = first })
      moves.expect_exit(first:run(nil, { on_line = moves.signal_at("verify", "INT") }), 8)
      local refused = second:run()
      expect_refused(refused)
      expect(refused.all).has("pgorch resume " .. first.id)
      expect(refused.all).has "--as NAME"
      expect(#first:addons()).is(1)
      moves.expect_exit(first:resume(), 0)
      first:expect_moved()
    end)
  end)
end)

describe("a source", function()
  local function source_setting(lane)
    local conn <close> = pg.connect(lane.direct)
    return conn:value "show default_transaction_read_only"
  end

  -- The other process is on another machine: all that both know of each other is in the source.
  it("is in the hands of one record: not closed, and not opened under another one's process", function()
    moves.world({}, function(_, lanes)
      local move, taken = moves.new(lanes[1]), nil
      local function other(sql)
        local conn = pg.connect(lanes[1].direct, { application_name = "pgorch" })
        return conn, conn:value(sql)
      end
      local theirs = other "select pg_advisory_lock(1885826930, 1)::text"
      expect_refused(move:run())
      move:expect_as_before()
      theirs:close()
      local stop = moves.signal_at("verify", "INT")
      moves.expect_exit(move:resume(nil, { on_line = function(line, child)
        if moves.begun(line) == "verify" then
          local conn <close>, count = other "select count(*) from pg_locks where classid = 1885826930 and granted"
          taken = conn and count == 1
        end
        stop(line, child)
      end }), 8)
      expect(taken).is(true)

      theirs = other "select pg_advisory_lock(1885826930, 1)::text"
      expect_refused(move:resume())
      expect(move:app().maintenance).is(true)
      moves.expect_exit(move:rollback(), 11)
      expect(source_setting(lanes[1])).is "on"
      theirs:close()
      moves.expect_exit(move:rollback(), 0)
      move:expect_as_before()
    end)
  end, { limit = 200 })
end)

describe("a database that an app has begun to use", function()
  local function in_use(at, command)
    moves.world({}, function(_, lanes)
      local move = moves.new(lanes[1])
      moves.expect_exit(move:run(nil, { on_line = moves.signal_at(at, "INT") }), 8)
      attach(move, "REPORTS")
      local url = move:addons()[1].database.url
      do
        local conn <close> = pg.connect(url)
        conn:exec "create table public.written_since (i int)"
      end
      local ended = move[command](move)
      expect(ended.all).has "uses the database as REPORTS"
      local conn <close> = pg.connect(url)
      expect(conn:value "select to_regclass('public.written_since')::text").is "written_since"
    end)
  end

  it("is not restored into", function() in_use("presign", "resume") end)
  it("is not emptied by a rollback", function() in_use("verify", "rollback") end)
end)
