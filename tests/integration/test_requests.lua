-- A move that is stopped or put back from another terminal, and what a stop leaves: what goes on at Heroku is said, a
-- freeze that was lifted meanwhile voids all that stands on it, and a move that was put back is tried again.

local json  = require "pgorch.json"
local moves = require "support.moves"
local task  = require "pgorch.task"

local function last_line(text) return json.decode(text:match "([^\n]+)%s*$") end

-- Runs the move, and another pgorch from another terminal once the world is as `test` says.
local function beside(move, test, words)
  local ended, other
  task.group(function(group)
    group:spawn(function()
      while not test() do task.sleep(0.02) end
      other = move:pgorch(words)
    end)
    ended = move:run()
    if not test() then error("it ended before: " .. ended.all:sub(-2000), 0) end
  end)
  return ended, other
end

local function restore_runs(move)
  return function() return #move:restores() == 1 and move:restores()[1].started_at ~= nil end
end

local function voided(ended)
  local line = ended.out:match '[^\n]*"event":"resumed"[^\n]*'
  local set = {}
  for _, id in ipairs(json.decode(line).voided) do set[id] = true end
  return set
end

-- Nobody has written; but somebody could have while the app was up.
local function lift_the_freeze(move)
  moves.expect_exit(move:resume(nil, { on_line = moves.signal_at("accept", "INT") }), 8)
  move:app().maintenance = false
  local again = move:resume()
  moves.expect_exit(again, 0)
  local void = voided(again)
  for _, id in ipairs { "window_opens", "fingerprint", "dump_to_store", "restore", "checksum_source", "verify" } do
    expect(id .. " " .. tostring(void[id])).is(id .. " true")
  end
  for _, id in ipairs { "addon", "size", "preflight" } do expect(void[id]).is_nil() end
end

local CASES = {}

CASES[1] = { name = "cancel", fn = function(move)
  local ended, other = beside(move, restore_runs(move), { "cancel", move.id })
  moves.expect_exit(other, 0)
  moves.expect_exit(ended, 8)
  local told = last_line(other.out)
  expect(told.state).is "stopped"
  for _, each in ipairs { told, ended.last } do
    expect(table.concat(each.standing, "; ")).has "maintenance is STILL ON"
    expect(table.concat(each.going_on, "; ")).matches "Heroku's restore r%d+ is not stopped by this"
  end
  lift_the_freeze(move)
  expect(#move:restores()).is(2)                        -- the first one was found again, not asked for again
  move:expect_moved()
  move:expect_once()
end }

CASES[2] = { name = "rollback", fn = function(move)
  local ended, other = beside(move, restore_runs(move), { "rollback", move.id })
  moves.expect_exit(other, 0)
  moves.expect_exit(ended, 1)
  move:expect_as_before()
  moves.expect_exit(move:resume(), 0)                   -- a new attempt, with a dump of another name
  move:expect_moved()
  local keys = {}
  for i, transfer in ipairs(move:restores()) do keys[i] = transfer.from_url:match "pgorch/[^?]+" end
  expect(keys).same { ("pgorch/%s/2.dump"):format(move.id), ("pgorch/%s/1.dump"):format(move.id) }
  move:expect_once()
end }

describe("a move", function()
  it("is stopped from another terminal and goes on, or is put back from there and tried again", function()
    moves.world({ lanes = 2 }, function(world, lanes)
      world:fault { at = "worker.restore", delay = 4, times = 2 }
      moves.each(lanes, CASES, function(case, lane) case.fn(moves.new(lane)) end)
    end)
  end, { limit = 280 })
end)
