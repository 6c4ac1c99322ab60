-- The deadline of a run. What must hold: by then the app is moved or as before; enough time is kept for what stands;
-- the point of no return is not cut in the middle; a clock that is set moves nothing, and is told of.

local clock    = require "pgorch.clock"
local deadline = require "pgorch.runner.deadline"
local fs       = require "pgorch.fs"
local invocation = require "pgorch.invocation"
local json     = require "pgorch.json"
local marks    = require "support.marks"
local process  = require "pgorch.process"
local task     = require "pgorch.task"

local it_with = function(fn)
  return function()
    local m <close> = marks.new()
    fn(m)
  end
end

-- Two clocks that a test sets.
local function clocks()
  local set = { now = 1e9, passed = 0 }
  set.wall, set.steady = function() return set.now end, function() return set.passed end
  function set.pass(seconds) set.now, set.passed = set.now + seconds, set.passed + seconds end
  return set
end

-- What the watcher needs of a run in which nothing stands.
local function session(set, seconds)
  local said = {}
  local display = { emit = function(_, _, e) said[#said + 1] = e.text end }
  return { host = { deadline = 1e9 + seconds }, eye = deadline.eye(1e9 + seconds, set), rows = {}, steps = {},
           said = said, run = { id = "r1" }, display = display, backwards = function() return {} end,
           cut_over = function() return false end }
end

-- Runs the watcher while `fn` sets the clocks. Returns whether it has cancelled.
local function watched(current, fn)
  task.group(function(group)
    group:spawn(deadline.watch, current, group)
    fn()
    task.sleep(1.2)                             -- it looks each second
    group:cancel "seen"
  end)
  return current.past_deadline == true
end

describe("a deadline", function()
  it("comes by the time that has passed", function()
    local set = clocks()
    local current = session(set, 3600)
    expect(watched(current, function() set.pass(3600 - 121) end)).is(false)
    expect(watched(current, function() set.pass(2) end)).is(true)
    expect(#current.said).is(0)
  end)

  it("is neither brought nor missed by a clock that is set, which is told", function()
    local set = clocks()
    local current = session(set, 3600)
    expect(watched(current, function() set.now = set.now + 5 * 3600 end)).is(false)
    expect(#current.said).is(1)
    expect(current.said[1]).has "this machine's clock was set forward by 5 h"
    expect(current.said[1]).has "pgorch resume r1 --deadline TIME"
    expect(watched(current, function() set.now = set.now - 9 * 3600 end)).is(false)
    expect(current.said[2]).has "set back by 9 h"
    expect(watched(current, function() set.pass(3600 - 119) end)).is(true)
    expect(#current.said).is(2)
  end)

  it("takes a clock that is kept right for what it is", function()
    local set = clocks()
    local current = session(set, 3600)
    expect(watched(current, function()
      set.pass(60)
      set.now = set.now + 20
    end)).is(false)
    expect(#current.said).is(0)
  end)

  it("counts the time in which the machine slept", function()
    local eye = deadline.eye(clock.time() + 1000)
    local text = fs.read("/proc/uptime", 256)
    expect(math.abs(eye.steady - tonumber(text:match "^[%d.]+"))).below(5)
  end)

  it("that passes while it is put back is told, and putting back goes on", function()
    local set = clocks()
    local current = session(set, 10)
    current.ending = "undo"
    expect(watched(current, function() set.pass(11) end)).is(false)
    expect(current.said).same { "the deadline has passed, and putting back goes on" }
  end)
end)

describe("--deadline", function()
  it("takes a time of day as the next one, and none that no day has", function()
    for _, text in ipairs { "04:00", "4:00", "00:00", "23:59", os.date "%H:%M" } do
      local at = invocation.deadline(text)
      expect(os.date("%H:%M", at)).is(("0" .. text):sub(-5))
      expect(at > os.time() and at <= os.time() + 25 * 3600).is(true)
    end
    for _, text in ipairs { "25:99", "99:99", "04:61", "24:00", "04:60", "2026-11-26T25:00:00Z",
                            "2026-11-26T04:61:00Z" } do
      expect(text .. " " .. tostring(invocation.deadline(text))).is(text .. " nil")
    end
  end)

  it("that no day has is refused before anything is begun", it_with(function(m)
    local r = m:run("--deadline", "25:99")
    expect(r.code).is(2)
    expect(r.stderr).has "--deadline 25:99: write 04:00, ISO 8601, +2h or none"
    expect(m:lines()).same {}
  end))
end)

describe("a run with a deadline", function()
  it("is put back in time while it waits at a gate", it_with(function(m)
    local r = m:run("--deadline", "+122s")
    expect(r.code).is(1)
    expect(r.stderr).has "waiting for approval"
    expect(r.stderr).has "PGO-DEADLINE"
    expect(m:count "undo one one").is(1)
    expect(m:status().state).is "put_back"
  end))

  it("keeps as much time as its steps say that their undo takes", it_with(function(m)
    local path = m.folder .. "/slow.lua"
    fs.write(path, [[local recipe, task = require "pgorch.recipe", require "pgorch.task"
      local function step(id, estimate, run)
        return recipe.step { id = id, effect = "write", run = run, undo = function() end, undo_estimate = estimate }
      end
      return recipe { name = "slow", summary = "an undo that takes long", steps = {
        step("a", 3000, function() return { n = 5 } end),
        step("b", function(result, took) return result.n * 100 + took end, function() return { n = 5 } end),
        step("c", nil, function(ctx) ctx:remember {} task.sleep(60) end) } }]])
    local r = m:pgorch("run", path, "--deadline", "+58m31s")
    expect(r.code).is(1)
    expect(r.stderr).has "not moved 3510 s before the deadline"
  end))

  it("tells it at the beginning and with the window, here and in UTC, in status and in the report", it_with(function(m)
    local path = m.folder .. "/window.lua"
    fs.write(path, [[local recipe = require "pgorch.recipe"
      return recipe { name = "window", summary = "a window", steps = {
        recipe.step { id = "window_opens", effect = "write", opens_window = true, undo = function() end,
          run = function(ctx) ctx:remember {} end },
        recipe.step { id = "later", effect = "read", run = function() end } } }]])
    local function east(...)
      local words = m:argv(...)
      words.env.TZ = "IST-5:30"
      return process.run(words)
    end
    local begun = east("run", path, "--run-id", "r1", "--deadline", "2099-11-27T03:00:00Z", "--until", "window_opens")
    expect(begun.stderr).has "deadline: 2099-11-27 08:30 (03:00 UTC); the app is moved by then, or as it was before"
    expect(begun.stderr).matches "WINDOW OPEN %d%d:%d%d:%d%d, must close by 2099%-11%-27 08:30 %(03:00 UTC%)"
    expect(m:pgorch("status", "r1").stdout).has "deadline 2099-11-27 03:00:00 UTC: the window must close by then"
    local told = m:pgorch("report", "r1").stdout
    expect(told).matches "\n  deadline +27 Nov 03:00:00\n"
    expect(told).has "STILL OPEN, must close by 27 Nov 03:00:00"
    expect(json.decode(m:pgorch("report", "r1", "--json").stdout).run.deadline).is "2099-11-27T03:00:00.000Z"
    local resumed = east("resume", "r1", "--until", "window_opens", "--deadline", "none")
    expect(resumed.stderr).matches "WINDOW OPEN %d%d:%d%d:%d%d\n"
    expect(resumed.stderr).lacks "deadline:"
  end))

  it("is not cut while the app is given its new database: that is brought to its end", it_with(function(m)
    local path = m.folder .. "/held.lua"        -- what the app writes is no reason: the window keeps it down
    fs.write(path, ([[local recipe, task, fs = require "pgorch.recipe", require "pgorch.task", require "pgorch.fs"
      local function yes() return true end
      local function undo() fs.append("LOG", "undo\n") end
      return recipe { name = "held", summary = "a window that holds", steps = {
        recipe.step { id = "window", effect = "write", opens_window = true, holds_app = yes, run = function() end,
          undo = undo },
        recipe.step { id = "cut", effect = "write", point_of_no_return = true, reached = yes, undo = undo,
          run = function(ctx)
            ctx:remember { begun = true }
            fs.append("LOG", "turning\n")
            while not fs.exists "LOG.go" do task.sleep(0.1) end
            fs.append("LOG", "turned\n")
          end } } }]]):gsub("LOG", m.log))
    local worker <close> = m:spawn { "run", path, "--run-id", "r1", "--deadline", "+121s" }
    m:wait_for "turning"
    task.sleep(2.5)                             -- the deadline's time has come
    fs.write(m.log .. ".go", "")
    local ended = marks.ended(worker)
    expect(ended.code).is(0)
    expect(ended.stderr).has "is brought to its end first"
    expect(m:lines()).same { "turning", "turned" }
  end))

  it("that is moved already is not put back for it", it_with(function(m)
    local worker <close> = m:spawn { "--yes-cut-over", "--hang", "after", "--deadline", "+122s" }
    m:wait_for "hang after"
    task.sleep(2.5)
    fs.write(m.log .. ".go", "")
    local ended = marks.ended(worker)
    expect(ended.code).is(0)
    expect(ended.stderr).has "the point of no return is passed, so nothing is put back for it"
  end))
end)
