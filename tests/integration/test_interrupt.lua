-- Ctrl-C at every step of recipes/vultr.lua. What must hold: the run ends with status 8 and says what stands and how to
-- go on; `resume` then finishes with the data equal, `rollback` puts the app back as it was. The second one leaves at
-- once.

local fs    = require "pgorch.fs"
local moves = require "support.moves"
local task  = require "pgorch.task"

-- The last step is over in no time unless it has something to wait for.
local MORE = { watch_source = { "--yes-cut-over", "--watch", "2", "--accept-changes" } }

-- Whether the app is closed while the step runs.
local function window_is_open(step)
  local open = false
  for _, each in ipairs(moves.STEPS) do
    if each == "delete_dump" then open = false end
    if each == step then return open end
    if each == "window_opens" then open = true end
  end
end

local function interrupt(move, step, command)
  local ended = move[command](move, MORE[step], { on_line = moves.signal_at(step, "INT") })
  moves.expect_exit(ended, 8)
  expect(ended.last.event).is "ended"
  expect(ended.last.run).is(move.id)
  local standing = table.concat(ended.last.standing, "; ")
  if not window_is_open(step) then
    expect(standing).lacks "STILL"
  else
    expect(standing).has "maintenance is STILL ON"
    expect(standing).has "source is STILL read-only"
    expect(move:app().maintenance).is(true)
  end
end

local function cases(list)
  local found = {}
  for i, step in ipairs(list) do found[i] = { name = step } end
  return found
end

describe("Ctrl-C", function()
  it("at any step keeps the state, and resume finishes", function()
    moves.world({ lanes = 4 }, function(_, lanes)
      moves.each(lanes, moves.deal(8), function(case, lane)
        local move = moves.new(lane)
        for i, step in ipairs(case.steps) do interrupt(move, step, i == 1 and "run" or "resume") end
        moves.expect_exit(move:resume(), 0)
        move:expect_moved()
        expect(move:expect_once()).is(1)
      end)
    end)
  end, { limit = 280 })

  it("at any step with something to put back, rollback puts it back", function()
    local list = { "allow_list", "addon", "window_opens", "dump_to_store", "restore", "verify", "cut_over",
      "window_closes" }
    moves.world({ lanes = 4 }, function(_, lanes)
      moves.each(lanes, cases(list), function(case, lane)
        local move = moves.new(lane)
        interrupt(move, case.name, "run")
        local ended = move:rollback()
        if case.name == "window_closes" and ended.code == 2 then      -- the app was started by then, and may write
          expect(ended.all).has "PGO-PAST-CUT-OVER"
          ended = move:rollback { "--lose-writes" }
        end
        moves.expect_exit(ended, 0)
        move:expect_as_before()
      end)
    end)
  end, { limit = 280 })

  it("says in words what stands, and how to go on or to give up", function()
    moves.world({}, function(world, lanes)
      local move = moves.new(lanes[1])
      world:fault { at = "heroku.restore", delay = 30 }
      local asked = world.dir .. "/faults/heroku.restore"
      local ended = move:run(nil, { plain = true,
        watch = moves.signal_when("INT", function() return not fs.exists(asked) end) })
      moves.expect_exit(ended, 8)
      for _, text in ipairs { "stopping safely (again to leave at once)", "still so: ", "maintenance is STILL ON",
        "source is STILL read-only", "the dump is in the bucket", "pgorch resume " .. move.id,
        "pgorch rollback " .. move.id, "exit 8: stopped, state kept" } do
        expect(ended.all).has(text)
      end
      moves.expect_exit(move:resume(), 0)
      move:expect_moved()
      expect(move:expect_once()).is(1)
    end)
  end)

  it("while a gate waits keeps the state, and the gate waits again", function()
    moves.world({}, function(_, lanes)
      local move = moves.new(lanes[1])
      local function at_gate(line, child)
        if line:find('"event":"gate_waits"', 1, true) then child:kill "INT" end
      end
      moves.expect_exit(move:run({}, { on_line = at_gate }), 8)
      moves.expect_exit(move:resume({}, { on_line = at_gate }), 8)
      moves.expect_exit(move:resume(), 0)
      move:expect_moved()
    end)
  end)

  it("is heard as TERM and HUP too", function()
    moves.world({ lanes = 2 }, function(_, lanes)
      moves.each(lanes, { { name = "TERM" }, { name = "HUP" } }, function(case, lane)
        local move = moves.new(lane)
        moves.expect_exit(move:run(nil, { on_line = moves.signal_at("dump_to_store", case.name) }), 8)
        moves.expect_exit(move:resume(), 0)
        move:expect_moved()
      end)
    end)
  end)

  it("twice leaves at once, and lists what was not put back", function()
    moves.world({}, function(world, lanes)
      local move = moves.new(lanes[1])
      -- The undo is under way when the second one comes: the app hangs in maintenance mode.
      local hangs = world.dir .. "/faults/heroku.app.update"
      local function first(line, child)
        if moves.begun(line) ~= "restore" then return end
        world:fault { at = "heroku.app.update", delay = 30 }
        child:kill "INT"
      end
      local function second(child)
        while not fs.exists(hangs) do task.sleep(0.01) end
        moves.signal_when("INT", function() return not fs.exists(hangs) end)(child)
      end
      local ended = move:run({ "--yes-cut-over", "--on-failure", "rollback" }, { on_line = first, watch = second })
      moves.expect_exit(ended, 130)
      expect(ended.seconds).below(25)
      expect(ended.err).has "NOT put back"
      expect(ended.err).has "maintenance is STILL ON"
      expect(ended.err).has("pgorch rollback " .. move.id)
      moves.expect_exit(move:rollback(), 0, 1)
      move:expect_as_before()
    end)
  end)
end)
