-- Child processes: results, failures, secrets, streams, and that none is left behind.

local env = require "pgorch.env"
local process = require "pgorch.process"
local secret = require "pgorch.secret"
local stream = require "pgorch.stream"
local task = require "pgorch.task"

local function sh(script, options)
  options = options or {}
  options[1], options[2], options[3] = "sh", "-c", script
  return options
end

describe("process.run", function()
  it("returns what the program said", function()
    local result = process.run { "printf", "%s-%s", "a b", 7 }
    expect(result.stdout).is "a b-7"
    expect(result.code).is(0)
    expect(result.signal).is_nil()
    expect(result.truncated).is(false)
  end)

  it("raises the exit code and the last five lines of stderr", function()
    local err = expect(function() process.run(sh "seq 1 9 >&2; exit 3") end):raises "PGO-PROCESS"
    expect(err.message).is "sh ended with exit code 3"
    expect(err.detail).is "5\n6\n7\n8\n9"
    expect(err.status).is(3)
  end)

  it("names the signal that ended it", function()
    local err = expect(function() process.run(sh "kill -KILL $$") end):raises "PGO-PROCESS"
    expect(err.message).is "sh was ended by signal KILL"
    local result = process.run(sh("kill -TERM $$", { check = false }))
    expect(result.code).is(143)
    expect(result.signal).is "TERM"
  end)

  it("names a program that is missing", function()
    local err = expect(function() process.run { "no-such-program" } end):raises "PGO-SPAWN"
    expect(err.message).is "could not start no-such-program: it was not found in PATH"
  end)

  it("ends a program that takes too long, and what it started", function()
    local began = task.now()
    expect(function() process.run(sh("sleep 30 & sleep 30", { timeout = 0.1 })) end):raises "PGO-TIMEOUT"
    expect(task.now() - began).below(3)
  end)

  it("ends a program that is cancelled", function()
    local began = task.now()
    expect(function() task.timeout(0.1, process.run, sh "sleep 30") end):raises "PGO-TIMEOUT"
    expect(task.now() - began).below(3)
  end)

  it("gives stdin and the environment, secrets too", function()
    local result = process.run(sh("cat; echo $A $PGPASSWORD", {
      stdin = secret.new "hunter2hunter2" .. "\n", env = { A = 1, PGPASSWORD = secret.new "correct horse" },
    }))
    expect(result.stdout).is "hunter2hunter2\n1 correct horse\n"
    expect(process.run { "env", env_clear = true, env = { B = "x" } }.stdout).is "B=x\n"
  end)

  it("masks secrets in the detail of an error", function()
    local err = expect(function()
      process.run(sh("echo \"FATAL: password $P refused\" >&2; exit 1", { env = { P = secret.new "correct horse" } }))
    end):raises "PGO-PROCESS"
    expect(err.detail).is "FATAL: password [secret] refused"
  end)

  it("refuses a secret on the command line, and a mask anywhere", function()
    local token = secret.new "abcdefghijkl"
    local err = expect(function() process.run { "echo", token } end):raises "PGO-INVALID"
    expect(err.message).has "argument 1 of echo is a secret"
    expect(function() process.run { "echo", "--token=" .. tostring(token) } end):raises "PGO-SECRET-MARKER"
    expect(function() process.run { "env", env = { T = tostring(token) } } end):raises "PGO-SECRET-MARKER"
  end)

  it("does not pass on variables that were read as secrets", function()
    expect(process.run(sh "echo ${PATH:+set}").stdout).is "set\n"
    local child = { "env", "PGO_TEST_SECRET=abcdefghijkl", "PGO_TEST_PLAIN=plain", nil }
    child[#child + 1] = require("pgorch.native.host").executable()
    child[#child + 1] = "eval"
    child[#child + 1] = [[require("pgorch.env").secret("PGO_TEST_SECRET")
      local out = require("pgorch.process").run { "sh", "-c", "echo $PGO_TEST_PLAIN-$PGO_TEST_SECRET-" }.stdout
      require("pgorch.term").out(out)]]
    expect(process.run(child).stdout).has "plain--"
    expect(env.get "PGO_TEST_SECRET").is_nil()
  end)
end)

describe("process.spawn", function()
  it("joins streams of two programs, outside Lua", function()
    local link = stream.new()
    local counted
    task.group(function(group)
      group:spawn(process.run, { "head", "-c", "30000000", "/dev/zero", stdout = link })
      counted = process.run { "wc", "-c", stdin = link }.stdout
    end)
    expect(counted).is "30000000\n"
  end)

  it("gives streams, waits, and tells the end", function()
    local cat <close> = process.spawn { "cat", stdin = "stream", stdout = "stream" }
    expect(cat:alive()).is(true)
    expect(cat.pid).above(1)
    cat.stdin:write "hello"
    cat.stdin:finish()
    expect(cat.stdout:read_all()).is "hello"
    expect(cat:wait().code).is(0)
    expect(cat:alive()).is(false)
    expect(cat:kill()).is(false)
  end)

  it("does not let half an output look whole", function()
    local dump <close> = process.spawn(sh("echo half; exit 1", { stdout = "stream" }))
    local err = expect(function() dump.stdout:read_all() end):raises "PGO-PROCESS"
    expect(err.message).is "sh ended with exit code 1"
    expect(function() dump:check() end):raises "PGO-PROCESS"
  end)

  it("raises when the program cannot be started", function()
    expect(function() process.spawn { "/nowhere/psql" } end):raises "PGO-SPAWN"
  end)

  it("leaves a process running when a wait for it is cancelled", function()
    local sleep <close> = process.spawn { "sleep", "30" }
    expect(function() task.timeout(0.05, sleep.wait, sleep) end):raises "PGO-TIMEOUT"
    expect(sleep:alive()).is(true)
    sleep:kill "INT"
    expect(sleep:wait().signal).is "INT"
  end)

  it("ends a process on leaving its scope", function()
    local began = task.now()
    local kept
    do
      local sleep <close> = process.spawn { "sleep", "30" }
      kept = sleep
    end
    expect(kept:alive()).is(false)
    expect(task.now() - began).below(3)
  end)

  it("gives a reader that has enough no reason to wait", function()
    local yes <close> = process.spawn { "yes", stdout = "stream", check = false }
    expect(yes.stdout:read(4)).is "y\ny\n"
    yes.stdout:close()
    expect(yes:wait().signal).is "PIPE"
  end)

  it("counts a timeout from the start, however long the script computed before", function()
    local busy = task.now() + 0.3
    while task.now() < busy do end
    process.run { "true", timeout = 0.25 }
  end)

  it("takes an infinite timeout for none", function()
    process.run { "sleep", "0.02", timeout = math.huge }
  end)

  it("does not take a closed stdin for the end of the input", function()
    local slow <close> = process.spawn { "sh", "-c", "sleep 0.2; cat >/dev/null; sleep 9", stdin = "stream",
      check = false }
    task.group(function(group)
      group:spawn(function() pcall(slow.stdin.write, slow.stdin, ("x"):rep(4 << 20)) end)
      task.sleep(0.05)
      slow.stdin:close() -- while a write to the pipe is under way
    end)
    expect(function() task.timeout(5, slow.wait, slow) end).raises "PGO-CLOSED"
  end)

  it("takes a number as stdin, whatever is collected meanwhile", function()
    local vars, mode = {}, collectgarbage("incremental", 1, 10000, 1)
    for i = 1, 3000 do vars["V" .. i] = i * 1000003 end
    for i = 1, 5 do
      local number = 123456789012345 + i
      expect(process.run({ "cat", stdin = number, env = vars }).stdout).is(tostring(number))
    end
    collectgarbage(mode)
  end)

  it("runs many at once", function()
    local list = {}
    for i = 1, 40 do list[i] = i end
    local sums = task.map(list, { limit = 20 }, function(i) return tonumber(process.run { "echo", i }.stdout) end)
    expect(sums).same(list)
  end)
end)

