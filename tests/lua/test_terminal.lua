-- A gate on a terminal: a real one, made by script(1), into which a person types. What must hold: it says what comes
-- after it, only a yes passes it, Ctrl-C there stops safely and says what stands, and another terminal can stop it too.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local marks   = require "support.marks"
local process = require "pgorch.process"
local task    = require "pgorch.task"

-- Runs the recipe on a terminal of its own. Types `keys` once the gate asks, or calls `meanwhile`.
local function at_the_gate(m, keys, meanwhile)
  local command = ("exec '%s' run '%s' --log '%s' --run-id r1"):format(host.executable(), marks.RECIPE, m.log)
  local terminal <close> = process.spawn { "script", "-qefc", command, "/dev/null", check = false, stdin = "stream",
    stdout = "stream", env = { PGORCH_STATE = "sqlite:" .. m.folder .. "/state.db", MARKS_KEY = "", NO_COLOR = "1",
                               TERM = "xterm", SHELL = "/bin/sh" } }
  local said, typed = "", false
  while true do
    local chunk = terminal.stdout:read()
    if not chunk then break end
    said = said .. chunk
    if not typed and said:find("[yes/no]", 1, true) then
      typed = true
      if meanwhile then meanwhile() else terminal.stdin:write(keys) end
    end
  end
  return { code = terminal:wait().code, said = said:gsub("\r", "") }
end

local it_with = function(fn)
  return function()
    local m <close> = marks.new()
    fn(m)
  end
end

describe("a gate on a terminal", function()
  it("says that the point of no return comes next, and passes with a yes", it_with(function(m)
    local ended = at_the_gate(m, "yes\n")
    expect(ended.code).is(0)
    expect(ended.said).has "the point of no return comes after this: until here `pgorch rollback r1` puts"
    expect(m:count "do cut").is(1)
  end))

  it("keeps the state with any other answer", it_with(function(m)
    local ended = at_the_gate(m, "maybe\n")
    expect(ended.code).is(8)
    expect(ended.said).has '"cut over?" was answered with maybe'
    expect(ended.said).has "go on: pgorch resume r1   give up: pgorch rollback r1"
    expect(m:count "do cut").is(0)
  end))

  it("is left by Ctrl-C: stopped safely, with what stands and what to type", it_with(function(m)
    local ended = at_the_gate(m, "\3")
    expect(ended.code).is(8)
    expect(ended.said).has "^C\nstopping safely (again to leave at once)"
    expect(ended.said).has "still so: step parts y; step parts x; step right; step left"
    expect(ended.said).has "go on: pgorch resume r1   give up: pgorch rollback r1"
    expect(m:status().state).is "stopped"
    expect(m:status().error.message).is "stopped by SIGINT"
  end))

  it("is left when another terminal asks", it_with(function(m)
    local asked
    local ended = at_the_gate(m, nil, function() asked = m:pgorch("cancel", "r1") end)
    expect(asked.code).is(0)
    expect(ended.code).is(8)
    expect(ended.said).has "`pgorch cancel` asks to stop: stopping safely"
  end))
end)

describe("Ctrl-C while it is put back", function()
  local function lingering(m)
    local worker = m:spawn { "--fail", "borrowed", "--error", "PGO-IO", "--linger", "two" }
    m:wait_for "linger two"
    worker:kill "INT"
    return worker
  end

  it("once does not stop that, and says so", it_with(function(m)
    local worker <close> = lingering(m)
    task.sleep(0.7)
    fs.write(m.log .. ".go", "")
    local ended = marks.ended(worker)
    expect(ended.code).is(1)
    expect(ended.stderr).has "putting back goes on: what is half put back helps nobody (again to leave at once)"
    expect(m:count "undo one one").is(1)
    expect(m:status().state).is "put_back"
  end))

  it("twice leaves at once, and a rollback finishes it", it_with(function(m)
    local worker <close> = lingering(m)
    task.sleep(0.3)
    worker:kill "INT"
    local ended = marks.ended(worker)
    expect(ended.code).is(130)
    expect(ended.stderr).has "NOT put back: step two; step one"
    local told = m:pgorch("status", "r1").stdout
    expect(told).has "still so: step two; step one"
    expect(told).has "finish putting back: pgorch rollback r1"
    fs.write(m.log .. ".go", "")
    expect(m:pgorch("rollback", "r1").code).is(0)
    expect(m:count "undo one one").is(1)
  end))
end)
