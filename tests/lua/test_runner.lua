-- Runs, seen from outside: a child pgorch works on a recipe whose steps write marks into a file. What happened, in
-- which order, what was put back, and with which exit status.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local json    = require "pgorch.json"
local process = require "pgorch.process"
local store   = require "pgorch.store"
local task    = require "pgorch.task"

local RECIPE = TEST_FOLDER .. "/../fixtures/recipes/marks.lua"

local folder, log

local function argv(...)
  local words = { host.executable(), ... }
  words.env = { PGORCH_STATE = "sqlite:" .. folder .. "/state.db", MARKS_KEY = "", NO_COLOR = "1" }
  words.check, words.stdin, words.timeout = false, "", 60
  return words
end

local function pgorch(...) return process.run(argv(...)) end

local function run(...) return pgorch("run", RECIPE, "--log", log, "--run-id", "r1", "--yes-cut-over", ...) end

local function marks()
  local list = {}
  for line in (fs.exists(log) and fs.read(log) or ""):gmatch("[^\n]+") do list[#list + 1] = line end
  return list
end

local function forget_marks() fs.remove(log) end

local function count(list, text)
  local n = 0
  for _, each in ipairs(list) do
    if each == text then n = n + 1 end
  end
  return n
end

local function status(id)
  return json.decode(pgorch("status", id or "r1", "--json").stdout)
end

local ALL = { "do one", "two saw one", "do two", "do borrowed", "do left", "do right", "do parts.x", "do parts.y",
              "made thing", "do cut", "do after", "undo borrowed borrowed" }

describe("a run", function()
  before(function()
    folder = fs.mkdtemp("pgorch-runner-")
    log = folder .. "/log"
  end)
  after(function() fs.remove_tree(folder) end)

  it("does every step once and in order, gives borrowed things back, and ends with 0", function()
    local r = run()
    expect(r.code).is(0)
    expect(marks()).same(ALL)
    expect(r.stdout).has("What was seen")
    expect(r.stdout).has("exit 0: done")
    expect(r.stdout).has "pgorch report r1 --html FILE   tidy up: pgorch cleanup r1\n"
    expect(r.stdout).has "pgorch destroy-source r1\n"
    expect(r.stdout).lacks "the window"
    expect(r.stderr).lacks("What was seen")
    expect(status().state).is("done")
  end)

  it("ends with 3 after a warning", function()
    local r = run "--loud"
    expect(r.code).is(3)
    expect(r.stdout).has("warning: look: look at this")
  end)

  it("puts back in reverse what was done when a step fails for good", function()
    local r = run("--fail", "parts.y", "--error", "PGO-IO")
    expect(r.code).is(1)
    expect({ table.unpack(marks(), 8) }).same { "undo parts.x x", "undo right right", "undo left left",
      "undo borrowed borrowed", "undo two two", "undo one one" }
    expect(r.stderr).has("step parts[y]: PGO-IO")
    expect(r.stderr).has("second line")
    expect(status().state).is("put_back")
  end)

  it("undoes a failed step from what it remembered", function()
    run("--fail", "two", "--error", "PGO-IO")
    expect(marks()).same { "do one", "two saw one", "undo two two", "undo one one" }
  end)

  it("names each kind of failure by its exit status", function()
    for id, code in pairs { ["PGO-PREFLIGHT"] = 4, ["PGO-VERIFY"] = 5, ["PGO-NET"] = 6, ["PGO-TIMEOUT"] = 6,
                            ["PGO-IO"] = 1, ["PGO-GATE"] = 8 } do
      local r = pgorch("run", RECIPE, "--log", log, "--yes-cut-over", "--fail", "two", "--error", id)
      expect(id .. " " .. r.code).is(id .. " " .. code)
    end
  end)

  it("keeps the state after a transient failure, and says how to go on", function()
    local r = run("--fail", "left", "--error", "PGO-NET")
    expect(r.code).is(6)
    expect(table.concat(marks(), " ")).lacks("undo")
    expect(r.stdout).has("pgorch resume r1")
    expect(r.stdout).has("pgorch rollback r1")
    expect(r.stdout).has("still so: ")
    fs.write(log .. ".mended", "")
    forget_marks()
    local again = pgorch("resume", "r1", "--yes-cut-over")
    expect(again.code).is(0)
    expect(count(marks(), "do one")).is(0)
    expect(count(marks(), "do left")).is(1)
    expect(count(marks(), "recall left left")).is(1)
  end)

  it("does as --on-failure says", function()
    expect(run("--fail", "two", "--error", "PGO-NET", "--on-failure", "rollback").code).is(1)
    expect(count(marks(), "undo one one")).is(1)
    forget_marks()
    local r = pgorch("run", RECIPE, "--log", log, "--fail", "two", "--error", "PGO-IO", "--on-failure", "keep")
    expect(r.code).is(8)
    expect(count(marks(), "undo one one")).is(0)
  end)

  it("puts nothing else back as long as the point of no return cannot be undone, and goes on when it can", function()
    expect(run("--fail", "after", "--error", "PGO-IO").code).is(9)
    local function passed()
      local record <close> = store.open("sqlite:" .. folder .. "/state.db")
      return record:run("r1").cut_over_at
    end
    local at = passed()
    expect(at).is_not(nil)
    local r = pgorch("rollback", "r1", "--lose-writes", "--stuck", "cut", "--accept-changes")
    expect(r.code).is(11)
    expect(table.concat(marks(), ", ")).lacks "undo one"
    expect(r.stdout).has "NOT put back: cut"
    expect(r.stdout).has "by hand: rm cut"
    expect(r.stdout).has "still so: step cut; "
    expect(r.stdout).has "; step two; step one"
    expect(status().state).is "undo_failed"
    expect(passed()).is(at)
    expect(pgorch("rollback", "r1", "--lose-writes", "--stuck", "none", "--accept-changes").code).is(0)
    expect(marks()[#marks()]).is "undo one one"
    expect(passed()).is(nil)
    expect(status().state).is "put_back"
  end)

  it("lists by hand what could not be put back, and puts the rest back", function()
    local r = run("--fail", "parts.x", "--error", "PGO-PREFLIGHT", "--stuck", "two")
    expect(r.code).is(11)
    expect(count(marks(), "undo one one")).is(1)
    expect(r.stdout).has("NOT put back: two")
    expect(r.stdout).has("by hand: rm two")
    expect(status().state).is("undo_failed")
    expect(pgorch("resume", "r1").code).is(11)
    expect(pgorch("resume", "r1", "--stuck", "none", "--accept-changes").code).is(4)
    expect(count(marks(), "undo two two")).is(1)
    expect(status().state).is("put_back")
  end)

  it("does not put back what failed after the point of no return", function()
    local r = run("--fail", "after", "--error", "PGO-IO")
    expect(r.code).is(9)
    expect(table.concat(marks(), " ")).lacks("undo")
    local refused = pgorch("rollback", "r1")          -- no step of the recipe keeps an app down
    expect(refused.code).is(2)
    expect(refused.stderr).has "PGO-PAST-CUT-OVER"
    expect(count(marks(), "undo cut cut")).is(0)
    expect(pgorch("rollback", "r1", "--lose-writes").code).is(0)
    expect(count(marks(), "undo cut cut")).is(1)
    expect(count(marks(), "undo one one")).is(1)
  end)

  it("repeats nothing from before the point of no return, whatever a check would say", function()
    expect(run("--fail", "after", "--error", "PGO-IO", "--lifted").code).is(9)
    fs.write(log .. ".mended", "")
    forget_marks()
    expect(pgorch("resume", "r1", "--yes-cut-over").code).is(0)
    expect(marks()).same { "recall after after", "do after", "undo borrowed borrowed" }
  end)

  it("tries a run that was put back again as a new attempt", function()
    run("--fail", "right", "--error", "PGO-IO")
    fs.write(log .. ".mended", "")
    forget_marks()
    expect(pgorch("resume", "r1", "--yes-cut-over").code).is(0)
    expect(marks()).same(ALL)
    expect(status().attempt).is(2)
  end)

  it("repeats a finished step whose check fails, and those that stand on it", function()
    run("--fail", "parts.x", "--error", "PGO-NET", "--lifted")
    fs.write(log .. ".mended", "")
    forget_marks()
    expect(pgorch("resume", "r1", "--yes-cut-over").code).is(0)
    local list = marks()
    expect(count(list, "do one")).is(1)
    expect(count(list, "do two")).is(1)
    expect(count(list, "do left")).is(0)
  end)

  it("runs a part with --only and --until", function()
    expect(run("--until", "two").code).is(0)
    expect(marks()).same { "do one", "two saw one", "do two" }
    expect(pgorch("resume", "r1", "--yes-cut-over").code).is(0)
    expect(marks()).same(ALL)
    forget_marks()
    local r = pgorch("run", RECIPE, "--log", log, "--only", "one,left")
    expect(r.code).is(0)
    expect(marks()).same { "do one", "do left" }
  end)

  it("ends a part at any kind of step, and names the one that was meant", function()
    expect(run("--until", "left").code).is(0)                       -- what stands beside it is done too
    expect(count(marks(), "do right")).is(1)
    expect(count(marks(), "do parts.x")).is(0)
    expect(pgorch("resume", "r1", "--until", "gate_cut_over", "--yes-cut-over").code).is(0)
    expect(count(marks(), "do parts.y")).is(1)
    expect(count(marks(), "do cut")).is(0)
    for _, flag in ipairs { "--until", "--only" } do
      local r = pgorch("run", RECIPE, "--log", log, flag, "prats")
      expect(r.code).is(2)
      expect(r.stderr).has "did you mean parts?"
    end
  end)

  -- What is done inside needs an open door; somebody may shut it while the run is stopped.
  local function door_recipe()
    local path, door = folder .. "/door.lua", folder .. "/door"
    fs.write(path, ([[local recipe, fs = require "pgorch.recipe", require "pgorch.fs"
      local function open() return fs.exists "%s" end
      return recipe { name = "door", summary = "behind a door", steps = {
        recipe.step { id = "open", effect = "write", before_checks = true, check = open,
          run = function() fs.append("%s", "opened ") end, undo = function() fs.remove("%s") end },
        recipe.step { id = "inside", effect = "write", run = function() fs.append("%s.seen", "looked ") end,
          check = function() assert(open(), "the door is shut") return true end,
          undo = function() assert(open() and not fs.exists "%s.stuck", "stuck") fs.append("%s.seen", "left ") end },
        recipe.step { id = "last", effect = "read", run = function() end } } }]]):gsub("%%s", door), nil)
    return path, door
  end

  it("does a step again before it checks the others, where they stand on it", function()
    local path, door = door_recipe()
    expect(pgorch("run", path, "--run-id", "d1", "--until", "inside").code).is(0)
    fs.remove(door)
    expect(pgorch("resume", "d1").code).is(0)
    expect(fs.read(door)).is "opened "
    expect(fs.read(door .. ".seen")).is "looked "                   -- its own result still holds
  end)

  it("does it again before it puts the others back, too, and after a rollback that stuck", function()
    local path, door = door_recipe()
    expect(pgorch("run", path, "--run-id", "d1", "--until", "inside").code).is(0)
    fs.remove(door)
    fs.write(door .. ".stuck", "")
    expect(pgorch("rollback", "d1").code).is(11)
    expect(fs.exists(door)).is(false)                               -- what could be put back was
    fs.remove(door .. ".stuck")
    expect(pgorch("rollback", "d1").code).is(0)
    expect(fs.read(door .. ".seen")).is "looked left "
    expect(fs.exists(door)).is(false)
  end)

  it("explains a part that lacks what other steps found", function()
    local path = folder .. "/part.lua"
    fs.write(path, [[local recipe = require "pgorch.recipe"
      return recipe { name = "part", summary = "two steps", steps = {
        recipe.step { id = "a", effect = "read", run = function() return { n = 1 } end },
        recipe.step { id = "b", effect = "read", run = function(ctx) return { n = ctx.result.a.n } end } } }]])
    local r = pgorch("run", path, "--only", "b")
    expect(r.code).is(1)
    expect(r.stderr).has("b needs what these steps found, and they have not run: a")
    expect(r.stderr:find("pgorch/runner", 1, true)).is(nil)
    expect(pgorch("run", path, "--only", "a,b").code).is(0)
  end)

  it("tells a step whether the recipe opens a window, and which steps freeze", function()
    local path, STEPS = folder .. "/window.lua", [[local recipe = require "pgorch.recipe"
      return recipe { name = "window", summary = "a window", steps = {
        recipe.step { id = "a", effect = "read", run = function(ctx)
          ctx:note(("window %%s, freezes %%s"):format(ctx.recipe.has_window, table.concat(ctx.recipe.freezes)))
        end },
        recipe.step { id = "b", effect = "read", run = function() end, %s = true } } }]]
    for field, wanted in pairs { opens_window = "window true, freezes \n", freezes = "window false, freezes b\n" } do
      fs.write(path, STEPS:format(field))
      expect(pgorch("run", path).stderr).has(wanted)
    end
  end)

  it("leaves a target to one run at a time", function()
    expect(run("--app", "shop", "--fail", "two", "--error", "PGO-NET").code).is(6)
    local r = pgorch("run", RECIPE, "--log", log, "--app", "shop")
    expect(r.code).is(7)
    expect(r.stderr).has("run r1")
    local _, listed = pgorch("status", "--json").stdout:gsub('"event":"status"', "")
    expect(listed).is(1)                          -- the one that was refused is not on record
    expect(pgorch("rollback", "r1").code).is(0)
    expect(pgorch("run", RECIPE, "--log", log, "--app", "shop", "--no-input").code).is(0)
  end)

  it("passes a gate with --no-input and says so", function()
    local r = pgorch("run", RECIPE, "--log", log, "--no-input")
    expect(r.code).is(0)
    expect(r.stderr).has("nobody is asked")
  end)

  it("waits at a gate for pgorch approve", function()
    local waiting <close> = process.spawn(argv("run", RECIPE, "--log", log, "--run-id", "r1"))
    while not fs.exists(folder .. "/state.db") or pgorch("status", "r1", "--json").code ~= 0
      or status().state ~= "waiting" do task.sleep(0.1) end
    expect(pgorch("approve", "r1").code).is(0)
    expect(waiting:wait().code).is(0)
    expect(marks()).same(ALL)
    expect(pgorch("approve", "r1").code).is(2)
  end)

  it("refuses to resume with another parameter, unless it is accepted", function()
    run("--fail", "two", "--error", "PGO-NET")
    local r = pgorch("resume", "r1", "--fail", "left")
    expect(r.code).is(2)
    expect(r.stderr).has("PGO-CHANGED")
    expect(r.stderr).has("--fail: left, was two")
    expect(pgorch("resume", "r1", "--fail", "none", "--accept-changes", "--yes-cut-over").code).is(0)
  end)

  it("refuses to resume when the recipe changed", function()
    fs.write(folder .. "/copy.lua", fs.read(RECIPE))
    local path = folder .. "/copy.lua"
    pgorch("run", path, "--log", log, "--run-id", "r1", "--fail", "two", "--error", "PGO-NET")
    fs.write(path, fs.read(RECIPE) .. "\n-- another\n")
    expect(pgorch("resume", "r1").code).is(2)
    expect(pgorch("resume", "r1", "--fail", "two").stderr).has("its text changed")
    fs.write(log .. ".mended", "")
    expect(pgorch("resume", "r1", "--accept-changes", "--yes-cut-over").code).is(0)
  end)

  it("tells what was put back once, and not again in a part that puts nothing back", function()
    expect(run("--fail", "two").stdout).has "put back: one; two"
    fs.write(log .. ".mended", "")
    local r = pgorch("resume", "r1", "--until", "one")
    expect(r.code).is(0)
    expect(r.stdout).lacks "put back: two"
  end)

  it("gives machines JSON Lines with the version first", function()
    local r = run("--json", "--fail", "two", "--error", "PGO-VERIFY")
    local events = {}
    for line in r.stdout:gmatch("[^\n]+") do events[#events + 1] = json.decode(line) end
    expect(events[1].event).is("version")
    expect(events[#events].event).is("ended")
    expect(events[#events].status).is(5)
    expect(events[#events].error.id).is("PGO-VERIFY")
    expect(r.stderr).is("")
  end)
end)

describe("an interrupted run", function()
  before(function()
    folder = fs.mkdtemp("pgorch-runner-")
    log = folder .. "/log"
  end)
  after(function() fs.remove_tree(folder) end)

  local function wait_for(mark)
    while count(marks(), mark) == 0 do task.sleep(0.05) end
  end

  it("stops safely at Ctrl-C, says what still stands, and can be resumed", function()
    local child <close> = process.spawn(argv("run", RECIPE, "--log", log, "--run-id", "r1", "--hang", "left"))
    wait_for("hang left")
    child:kill("INT")
    expect(child:wait().code).is(8)
    expect(table.concat(marks(), " ")).lacks("undo")
    expect(status().state).is("stopped")
    local r = pgorch("rollback", "r1")
    expect(r.code).is(0)
    expect(count(marks(), "undo left left")).is(1)
    expect(count(marks(), "undo one one")).is(1)
    expect(status().state).is("put_back")
  end)

  it("puts back at Ctrl-C with --on-failure rollback", function()
    local child <close> = process.spawn(argv("run", RECIPE, "--log", log, "--run-id", "r1", "--hang", "two",
      "--on-failure", "rollback"))
    wait_for("hang two")
    child:kill("TERM")
    expect(child:wait().code).is(1)
    expect({ table.unpack(marks(), 4) }).same { "undo two two", "undo one one" }
  end)

  it("leaves at once at the second Ctrl-C, naming what was not put back; a resume finishes that", function()
    local argv_ = argv("run", RECIPE, "--log", log, "--run-id", "r1", "--fail", "borrowed", "--error", "PGO-IO",
      "--linger", "two")
    argv_.stderr = "stream"
    local child <close> = process.spawn(argv_)
    wait_for("linger two")
    child:kill("INT")
    task.sleep(0.3)
    child:kill("INT")
    local said = child.stderr:read_all(100000)
    expect(child:wait().code).is(130)
    expect(said).has("NOT put back: step two; step one")
    expect(pgorch("resume", "r1", "--linger", "none", "--accept-changes").code).is(1)
    expect(count(marks(), "undo two two")).is(1)
    expect(count(marks(), "undo one one")).is(1)
  end)

  it("leaves at once in the middle of a step, naming what it has done by then and what goes on far away", function()
    local path = folder .. "/door.lua"
    fs.write(path, ([[local recipe, fs = require "pgorch.recipe", require "pgorch.fs"
      local task = require "pgorch.task"
      return recipe { name = "door", summary = "a door", steps = { recipe.step {
        id = "open", effect = "write", stands = "the door is OPEN", undo = function() end,
        goes_on = function() return "the bell rings" end,
        run = function(ctx)
          ctx:remember { n = 1 }
          fs.append("%s", "opened\n")
          task.shield(60, task.sleep, 60)
        end } } }]]):format(log))
    local words = argv("run", path)
    words.stderr = "stream"
    local child <close> = process.spawn(words)
    wait_for "opened"
    child:kill("INT")
    task.sleep(0.3)
    child:kill("INT")
    local said = child.stderr:read_all(100000)
    expect(child:wait().code).is(130)
    expect(said).has "left at once. NOT put back: the door is OPEN.\n  goes on: the bell rings.\n  go on: pgorch resume"
  end)

  it("is put back when the deadline nears", function()
    local r = run("--hang", "two", "--deadline", "+121s")
    expect(r.code).is(1)
    expect(r.stderr).has("PGO-DEADLINE")
    expect(count(marks(), "undo one one")).is(1)
  end)

  it("is put back by its deadline when it was resumed, too", function()
    expect(run("--hang", "two", "--deadline", "+124s", "--until", "one").code).is(0)
    local r = pgorch("resume", "r1")
    expect(r.code).is(1)
    expect(r.stderr).has("PGO-DEADLINE")
    expect(r.stderr).has("120 s before the deadline")
    expect(r.stderr).has("as the run began: --deadline 20")
    expect(count(marks(), "undo one one")).is(1)
  end)

  it("is not begun with a deadline that leaves no time for putting back", function()
    for _, at in ipairs { "+40s", "+2m", "2020-01-01T00:00:00Z" } do
      local r = run("--deadline", at)
      expect(r.code).is(2)
      expect(r.stderr).has "kept for putting back"
    end
    expect(pgorch("status", "--json").stdout).lacks '"status"'
    expect(run("--until", "one").code).is(0)
    do                                            -- time goes by
      local record <close> = store.open("sqlite:" .. folder .. "/state.db")
      local params = record:run("r1").params
      params.host.deadline = 1e9
      record:update_run("r1", { params = params })
    end
    local late = pgorch("resume", "r1")
    expect(late.code).is(2)
    expect(late.stderr).has "2001-09-09T01:46:40Z has passed"
    expect(pgorch("resume", "r1", "--deadline", "none").code).is(0)
  end)

  it("keeps --yes-cut-over and --on-failure for the resumed one, which may say otherwise", function()
    expect(run("--until", "one", "--on-failure", "keep", "--fail", "two", "--error", "PGO-IO").code).is(0)
    local kept = pgorch("resume", "r1")
    expect(kept.code).is(8)
    expect(kept.stderr).has "as the run began: --on-failure keep, --yes-cut-over"
    expect(pgorch("resume", "r1", "--on-failure", "rollback").code).is(1)
    fs.write(log .. ".mended", "")
    expect(pgorch("resume", "r1").code).is(0)
  end)

  it("that waited at a gate and is over waits no more, and no step of it runs", function()
    local function says(state)
      local text = pgorch("status", "r1").stdout
      expect(text).has("r1  " .. state)
      expect(text).lacks "approve"
      expect(text).lacks " running"
      expect(status().gate).is_nil()
    end
    local begun = { KILL = { "run", RECIPE, "--log", log, "--run-id", "r1" }, INT = { "resume", "r1" } }
    for _, signal in ipairs { "KILL", "INT" } do
      local waiting <close> = process.spawn(argv(table.unpack(begun[signal])))
      while not fs.exists(folder .. "/state.db") or pgorch("status", "r1", "--json").code ~= 0
        or status().state ~= "waiting" do task.sleep(0.1) end
      expect(pgorch("status", "r1").stdout).has "pgorch approve r1"
      waiting:kill(signal)
      waiting:wait()
      says(signal == "KILL" and "interrupted" or "stopped")
    end
    expect(pgorch("rollback", "r1").code).is(0)
    says "put back"
  end)

  it("leaves no lock after a part that only reads, and the part can be resumed", function()
    expect(run("--app", "shop", "--only", "look").code).is(0)
    expect(pgorch("run", RECIPE, "--log", log, "--app", "shop", "--no-input").code).is(0)
    expect(run("--run-id", "r2", "--app", "shop", "--until", "one").code).is(0)
    expect(pgorch("resume", "r1").code).is(7)                      -- what stands still holds the app
    expect(pgorch("rollback", "r2").code).is(0)
    expect(pgorch("resume", "r1").code).is(0)
  end)

  it("leaves a run to the process that works on it", function()
    local child <close> = process.spawn(argv("run", RECIPE, "--log", log, "--run-id", "r1", "--hang", "two"))
    wait_for("hang two")
    expect(pgorch("resume", "r1").code).is(7)
    child:kill("KILL")
    child:wait()
    expect(status().state).is("interrupted")
    expect(pgorch("rollback", "r1").code).is(0)
  end)

  local BESIDE = { left = "right", right = "left" }

  local places = {}
  for _, id in ipairs { "one", "two", "borrowed", "left", "right", "cut", "after" } do
    for _, where in ipairs { "start", "remembered", "done" } do places[#places + 1] = id .. ":" .. where end
  end
  for _, place in ipairs(places) do
    it("goes on after kill -9 at " .. place, function()
      local r = run("--kill", place)
      expect(r.signal).is("KILL")
      expect(pgorch("resume", "r1", "--yes-cut-over").code).is(0)
      local list, id, where = marks(), place:match("^(.*):(.*)$")
      for _, mark in ipairs(ALL) do
        local again = (where == "done" and mark == "do " .. id) or (id == "two" and mark == "two saw one")
        -- The step beside it was killed as well, perhaps between its effect and its result.
        again = again or BESIDE[id] and mark == "do " .. BESIDE[id] and count(list, ("recall %s %s"):format(BESIDE[id],
          BESIDE[id])) == 1
        if mark ~= "made thing" and not again then expect(mark .. " " .. count(list, mark)).is(mark .. " 1") end
      end
      expect(count(list, ("recall %s %s"):format(id, id))).is(where == "start" and 0 or 1)
    end)
  end

  it("does not repeat the finished items of a step", function()
    expect(run("--kill", "parts.y:done").signal).is("KILL")
    expect(pgorch("resume", "r1", "--yes-cut-over").code).is(0)
    expect(count(marks(), "do parts.x")).is(1)
    expect(count(marks(), "do parts.y")).is(2)
  end)

  it("finishes a rollback that was killed", function()
    local r = run("--fail", "parts.y", "--error", "PGO-IO", "--kill", "left:undo")
    expect(r.signal).is("KILL")
    expect(count(marks(), "undo one one")).is(0)
    expect(pgorch("resume", "r1").code).is(1)
    expect(count(marks(), "undo right right")).is(1)
    expect(count(marks(), "undo left left")).is(1)
    expect(count(marks(), "undo one one")).is(1)
    expect(status().state).is("put_back")
  end)
end)
