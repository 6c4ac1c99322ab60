-- kill -9 at every step of recipes/vultr.lua, and between an effect and the moment when pgorch hears of it. What must
-- hold: `resume` finishes with the data equal, and nothing was done twice or left behind.

local moves = require "support.moves"

local HELD = 60       -- seconds that an answer is kept back: far more than the kill takes

local function kill(move, command, o)
  moves.expect_exit(move[command](move, nil, o), 137)
end

-- Kills the child when the world has changed as `test` says; the answer that would tell it so is still held back.
local function kill_after(move, command, at, test)
  move.world:fault { at = at, hold = HELD }
  local ended = move[command](move, nil, { watch = moves.signal_when("KILL", test) })
  if ended.code ~= 137 then error(("it was not killed after %s: exit status %d"):format(at, ended.code), 0) end
end

local function no_dynos(move)
  local count = 0
  for _, quantity in pairs(move.world.heroku:dynos(move.app_name)) do count = count + quantity end
  return count == 0
end

local function objects(move) return #(move:stored()) end

local function is_promoted(move)
  return #move:addons() == 1
    and move.world.heroku.state:config(move:app()).DATABASE_URL == move:addons()[1].database.url
end

-- Each effect of a run, in their order: the request that has it, and how the world shows that it is done.
local EFFECTS = {
  { "vultr.update_database", function(move) return #move.lane.entry.object.trusted_ips == 2 end },
  { "s3.create_bucket", function(move) return move.world.s3.server.buckets[move.bucket] end },
  { "heroku.addon.create", function(move) return #move:addons() == 1 end },
  { "heroku.app.update", function(move) return move:app().maintenance end },
  { "heroku.formation.update", no_dynos },
  { "s3.put_object", function(move) return objects(move) == 1 end },
  { "heroku.restore", function(move) return #move:restores() == 1 end },
  { "heroku.config.update", function(move) return move:app().config.OLD_DATABASE_URL end },
  { "heroku.attachment.create", is_promoted },
  { "heroku.formation.update", function(move) return not no_dynos(move) end },
  { "heroku.app.update", function(move) return not move:app().maintenance end },
  { "s3.delete_object", function(move) return objects(move) == 0 end },
  { "vultr.update_database", function(move) return #move.lane.entry.object.trusted_ips == 1 end },
}

describe("kill -9", function()
  it("at any step: resume finishes, nothing is done twice", function()
    moves.world({ lanes = 4 }, function(_, lanes)
      moves.each(lanes, moves.deal(8), function(case, lane)
        local move = moves.new(lane)
        for i, step in ipairs(case.steps) do
          kill(move, i == 1 and "run" or "resume", { on_line = moves.signal_at(step, "KILL") })
        end
        moves.expect_exit(move:resume(), 0)
        move:expect_moved()
        expect(move:expect_once()).is(1)
      end)
    end)
  end, { limit = 280 })

  it("after any effect, before its answer: resume finishes, nothing is done twice", function()
    -- The stand-in counts looks, not time: a change of the allow list is over at the next one.
    moves.world({ options = { vultr = { configuring_polls = 0 } } }, function(_, lanes)
      local move = moves.new(lanes[1])
      for i, effect in ipairs(EFFECTS) do
        kill_after(move, i == 1 and "run" or "resume", effect[1], function() return effect[2](move) end)
      end
      moves.expect_exit(move:resume(), 0)
      move:expect_moved()
      expect(move:expect_once()).is(1)
      expect(#move:restores()).is(1)
    end)
  end, { limit = 280 })

  it("after the app was made, before the answer: there is one app", function()
    moves.world({}, function(world, lanes)
      local move = moves.new(lanes[1], { no_app = true })
      kill_after(move, "run", "heroku.app.create", function() return move:app() end)
      moves.expect_exit(move:resume(), 0)
      expect(moves.digest(world.heroku.state:config(move:app()).DATABASE_URL)).is(moves.digest(lanes[1].direct))
    end)
  end)

  it("while it is put back: the next rollback finishes", function()
    moves.world({}, function(_, lanes)
      local move = moves.new(lanes[1])
      moves.expect_exit(move:run(nil, { on_line = moves.signal_at("verify", "INT") }), 8)
      kill_after(move, "rollback", "s3.delete_object", function() return objects(move) == 0 end)
      kill_after(move, "rollback", "heroku.formation.update", function() return not no_dynos(move) end)
      kill_after(move, "rollback", "heroku.app.update", function() return not move:app().maintenance end)
      moves.expect_exit(move:rollback(), 0)
      move:expect_as_before()
    end)
  end, { limit = 200 })
end)
