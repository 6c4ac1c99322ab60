-- Several runs of one record at once: two databases of one app, two targets of one source. What must hold: an app is
-- down while any run needs that, a source stays closed while any run has it so, and the last one to end puts back what
-- was there before the first, however each of them ends.

local fs    = require "pgorch.fs"
local moves = require "support.moves"
local pg    = require "pgorch.pg"
local task  = require "pgorch.task"

-- Two moves of one app: DATABASE from the first lane, REPORTS from the second, with one bucket and one record.
local function two_databases(lanes)
  local first = moves.new(lanes[1])
  local second = moves.new(lanes[2], { dir = first.dir, no_app = true })
  second.app_name, second.bucket = first.app_name, first.bucket
  first:app().config.REPORTS_URL = lanes[2].url
  return first, second
end

local AS_REPORTS = { "--yes-cut-over", "--as", "REPORTS" }

local function expect_app(move, is)
  local app = move:app()
  local dynos = move.world.heroku:dynos(move.app_name)
  expect({ maintenance = app.maintenance, web = dynos.web, worker = dynos.worker }).same(is == "down"
    and { maintenance = true, web = 0, worker = 0 } or { maintenance = false, web = 2, worker = 1 })
end

local function setting(lane)
  local conn <close> = pg.connect(lane.direct)
  return conn:value "show default_transaction_read_only"
end

local function config(move) return move.world.heroku.state:config(move:app()) end

-- What the app reads under that name has the data of the lane.
local function expect_data(move, name)
  if config(move)[name] == move.lane.url then error(name .. " still leads to the source", 0) end
  expect(moves.digest(config(move)[name])).is(moves.digest(move.lane.direct))
end

local function expect_list(lane) expect(lane.entry.object.trusted_ips).same { "198.51.100.7/32" } end

-- Stops in the window, with the app down and the source closed.
local function stopped(move, more)
  moves.expect_exit(move:run(more, { on_line = moves.signal_at("verify", "INT") }), 8)
  expect_app(move, "down")
end

-- Killed when the app is half down, in its turn.
local function killed_half_way(move)
  move.world:fault { at = "heroku.app.update", hold = 20 }
  local asked = move.world.dir .. "/faults/heroku.app.update"
  move:run(nil, { watch = moves.signal_when("KILL", function()
    return not fs.exists(asked) and move:app().maintenance
  end) })
  expect(move.world.heroku:dynos(move.app_name).web).is(2)
end

local LONG = { limit = 400 }

describe("two databases of one app", function()
  it("are moved side by side, and the app is up when both are done", function()
    moves.world({ lanes = 2 }, function(_, lanes)
      local first, second = two_databases(lanes)
      local one, other
      task.group(function(group)
        group:spawn(function() one = first:run() end)
        group:spawn(function() other = second:run(AS_REPORTS) end)
      end)
      moves.expect_exit(one, 0)
      moves.expect_exit(other, 0)
      expect_app(first, "up")
      expect_data(first, "DATABASE_URL")
      expect_data(second, "REPORTS_URL")
      expect(#first:addons()).is(2)
      for _, lane in ipairs(lanes) do
        expect_list(lane)
        expect(setting(lane)).is "on"
      end
    end)
  end, LONG)

  it("keep the app down until the last of them ends: one done, the other stopped, and resumed or put back", function()
    moves.world({ lanes = 2 }, function(_, lanes)
      for _, ending in ipairs { "resume", "rollback" } do
        local first, second = two_databases(lanes)
        stopped(first)
        local other = second:run(AS_REPORTS)
        moves.expect_exit(other, 0)
        expect(other.all).has(("the app stays down: run %s still needs that"):format(first.id))
        expect_app(second, "down")
        moves.expect_exit(first[ending](first), 0)
        expect_app(first, "up")
        expect_data(second, "REPORTS_URL")
        if ending == "resume" then expect_data(first, "DATABASE_URL") end
        expect(setting(lanes[1])).is(ending == "resume" and "on" or "off")
        expect_list(lanes[1])
      end
    end)
  end, LONG)

  it("are put back apart from each other, also from a run that was killed when the app was half down", function()
    moves.world({ lanes = 2 }, function(_, lanes)
      local first, second = two_databases(lanes)
      killed_half_way(first)
      stopped(second, AS_REPORTS)
      moves.expect_exit(first:rollback(), 0)
      expect_app(second, "down")
      expect(setting(lanes[1])).is "off"
      moves.expect_exit(second:rollback(), 0)
      expect_app(second, "up")
      expect(setting(lanes[2])).is "off"
      expect(config(first).DATABASE_URL).is(lanes[1].url)
      expect(config(first).REPORTS_URL).is(lanes[2].url)
    end)
  end, LONG)
end)

describe("one source for two targets", function()
  it("stays closed, let in and with its bucket while one run needs that, and for good when one has moved", function()
    moves.world({}, function(_, lanes)
      local lane, first = lanes[1], moves.new(lanes[1])
      local second = moves.new(lane, { dir = first.dir })
      second.bucket = first.bucket
      stopped(first)
      moves.expect_exit(second:run(), 0)
      expect_data(second, "DATABASE_URL")
      local entry = lane.entry.object.trusted_ips
      expect(#entry).is(2)                                         -- ours is still needed
      local cleaned = second:pgorch({ "cleanup", second.id, "--no-input" }, { plain = true })
      expect(cleaned.out).matches("bucket [^\n]*kept")

      local back = first:rollback()
      moves.expect_exit(back, 0)
      expect(back.all).has(("the source stays read-only: run %s has moved away from it"):format(second.id))
      expect(setting(lane)).is "on"
      expect_app(first, "up")
      expect_list(lane)

      moves.expect_exit(second:rollback { "--lose-writes" }, 0)    -- and it comes back: nobody has moved away any more
      expect(setting(lane)).is "off"
      expect_app(second, "up")
      expect(config(second).DATABASE_URL).is(lane.url)
    end)
  end, LONG)
end)
