-- kill -9 of pgorch, hundreds of times: after every write to its record, and at random instants, in moves by each
-- recipe and while moves are put back. What must hold: whoever goes on comes to the end, and judge.lua has no
-- complaint. Run by tests/faults/run; prints what was killed where, and the seed that does it again.

local chance    = require "chance"
local env       = require "pgorch.env"
local lanes     = require "lanes"
local moves     = require "support.moves"
local sandbox   = require "pgorch.sandbox"
local scenarios = require "scenarios"
local series    = require "series"
local tally     = require "tally"
local term      = require "pgorch.term"
local victim    = require "victim"

local SEED = env.get "FAULTS_SEED" or "1"
local LONG = env.get "FAULTS_LONG" == "1"
local KILLS = tonumber(env.get "FAULTS_KILLS" or (LONG and "1000" or "40"))
local ONE = env.get "FAULTS_RECIPE"

local RECIPES = ONE and { ONE } or lanes.KILLED

-- An undisturbed one: which writes there are, how long it takes. Held at each write all the same.
local function measure(lane, scenario, count)
  series.run(lane, scenario, function(move, start)
    local ended = victim.at_writes(move, start, function(write, image)
      if not scenario.concerns or scenario.concerns(image) then count:known(write) end
      return false
    end)
    count.seconds = ended.seconds
    return ended
  end, function() end)
end

-- Each process dies of the first write that nobody has died of yet. `share`: only of so many of them, by the seed.
local function at_each_write(lane, scenario, count, share)
  series.run(lane, scenario, function(move, start)
    return victim.at_writes(move, start, function(write, image)
      if scenario.concerns and not scenario.concerns(image) then return false end
      return not count.hit[write] and chance.of(SEED, lane.recipe, scenario.name, write) < share
    end)
  end, function(death) count:died(death) end)
end

-- Some writes are only there where nobody died of the one before: they are for the moves after the first.
local function at_every_write(lane, scenario, count)
  local missed = count.writes
  repeat
    local before = missed
    at_each_write(lane, scenario, count, 1)
    missed = #count:missed()
  until missed == 0 or missed == before
  count:expect_all()
end

-- A new move for each: the first process dies of its Nth write, at once, and the second one comes to the end.
local function at_first_writes(lane, scenario, count, many)
  for i = 1, many do
    local at = math.floor(count.writes * (i - chance.of(SEED, lane.recipe, "first", i)) / many) + 1
    series.run(lane, scenario, function(move, start, number)
      return victim.at_write_number(move, start, number == 1 and at or 0)
    end, function(death) count:died(death) end)
  end
end

-- Moves whose processes die at instants that know nothing of what is done then, until there are `many` deaths.
local function at_instants(lane, scenario, count, many)
  local serial, deaths = 0, 0
  while deaths < many do
    series.run(lane, scenario, function(move, start)
      serial = serial + 1
      if deaths >= many then return start {} end
      local ended, death = victim.at_instant(move, start,
        count.seconds * chance.of(SEED, lane.recipe, scenario.name, serial))
      if not death then count.seconds = math.min(count.seconds, ended.seconds) end   -- that instant never came
      return ended, death
    end, function(death)
      deaths = deaths + 1
      count:died(death)
    end)
  end
end

local function disturb_all(lane, counts)
  for _, name in ipairs { "move", "failure", "rollback", "reversal" } do
    local count, scenario = counts(lane.recipe, name), scenarios[name]
    measure(lane, scenario, count)
    at_every_write(lane, scenario, count)
    if name == "move" then at_first_writes(lane, scenario, count, 8) end
    at_instants(lane, scenario, count, name == "move" and 12 or 4)
  end
end

-- A part of it, spread over the recipes: which writes is decided by the seed.
local function disturb_some(lane, counts, index)
  local count = counts(lane.recipe, "move")
  measure(lane, scenarios.move, count)
  at_each_write(lane, scenarios.move, count, KILLS / #RECIPES * 0.7 / count.writes)
  at_instants(lane, scenarios.move, count, math.max(1, KILLS // #RECIPES // 10))
  local back = index % 2 == 1 and "failure" or "rollback"
  at_each_write(lane, scenarios[back], counts(lane.recipe, back), 0.1)
end

describe("kill -9", function()
  it("wherever a process dies, the next one comes to the end, and nothing is doubled or left", function()
    term.out(("# seed %s\n"):format(SEED))
    local all = tally.new()
    sandbox.run(lanes.OPTIONS, function(world)
      local list, cases = {}, {}
      for i, recipe in ipairs(RECIPES) do
        list[i] = lanes.add(world, recipe)
        cases[i] = { name = recipe, lane = list[i], index = i }
      end
      local ok, why = pcall(moves.each, list, cases, function(case)
        (LONG and disturb_all or disturb_some)(case.lane, function(...) return all:of(...) end, case.index)
      end)
      term.out(all:text())
      if not ok then error(why, 0) end
      all:expect(LONG and 200 or math.min(KILLS // 2, 20))
    end)
  end, { limit = 3600 })
end)
