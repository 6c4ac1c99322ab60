-- The task tree: what must hold of groups, deadlines, shields, and cancelled tasks that clean up.

local task = require "pgorch.task"
local fail = require "pgorch.error"
local native = require "pgorch.native.task"

local function guard(log, name, seconds)
  return setmetatable({}, { __close = function()
    table.insert(log, name .. " begins")
    task.shield(5, function() task.sleep(seconds) end)
    table.insert(log, name .. " ends")
  end })
end

describe("task.group", function()
  it("returns what its body returns, after every child has ended", function()
    local seen = {}
    local a, b = task.group(function(group)
      group:spawn(function() task.sleep(0.02); seen[#seen + 1] = "child" end)
      return 1, 2
    end)
    expect({ a, b, seen[1] }).same { 1, 2, "child" }
  end)

  it("cancels the siblings of a failure, lets them clean up, and raises it", function()
    local log = {}
    local err = expect(function()
      task.group(function(group)
        group:spawn(function()
          local _ <close> = guard(log, "clean-up", 0.02)
          task.sleep(100)
          table.insert(log, "NOT REACHED")
        end)
        group:spawn(function() task.sleep(0.01); error("disk full", 0) end)
      end)
    end):raises "PGO-LUA"
    expect(err.message).is "disk full"
    expect(log).same { "clean-up begins", "clean-up ends" }
  end)

  it("keeps later failures beside the first", function()
    local err = expect(function()
      task.group(function(group)
        group:spawn(function() error("first", 0) end)
        group:spawn(function() pcall(task.sleep, 9); error("second", 0) end)
      end)
    end):raises "PGO-LUA"
    expect(err.message).is "first"
    expect(err.others[1].message).is "second"
  end)

  it("reaches grandchildren when an outer deadline passes", function()
    local log = {}
    expect(function()
      task.timeout(0.03, task.group, function(group)
        group:spawn(task.group, function(inner)
          inner:spawn(function()
            local _ <close> = guard(log, "deep", 0.01)
            task.sleep(99)
          end)
        end)
      end)
    end):raises "PGO-TIMEOUT"
    expect(log).same { "deep begins", "deep ends" }
  end)

  it("ends without an error when it was cancelled by its own body", function()
    task.group(function(group)
      group:spawn(task.sleep, 99)
      group:cancel "enough"
    end)
  end)

  it("gives the results of a child to join", function()
    task.group(function(group)
      local child = group:spawn(function(x) task.sleep(0.01); return x * 2, "two" end, 21)
      local a, b = child:join()
      expect({ a, b }).same { 42, "two" }
    end)
  end)

  it("refuses a child once it has ended", function()
    local kept
    task.group(function(group) kept = group end)
    expect(function() kept:spawn(function() end) end):raises "PGO-CLOSED"
  end)
end)

describe("task.timeout", function()
  it("absorbs only its own cancellation", function()
    local ok, err = pcall(task.timeout, 0.01, function() task.sleep(50) end)
    expect(ok).is(false)
    expect(err.id).is "PGO-TIMEOUT"
    task.sleep(0.001) -- the task goes on
  end)

  it("raises at every await after the deadline, so that a swallowed error revives nothing", function()
    local ids = {}
    pcall(task.timeout, 0.01, function()
      for _ = 1, 3 do
        local _, err = pcall(task.sleep, 50)
        ids[#ids + 1] = err.id
      end
    end)
    expect(ids).same { "PGO-CANCELED", "PGO-CANCELED", "PGO-CANCELED" }
  end)

  it("keeps an error of the clean-up as the cause", function()
    local err = expect(function()
      task.timeout(0.01, function()
        local _ <close> = setmetatable({}, { __close = function() fail.raise("PGO-IO", "clean-up failed") end })
        task.sleep(9)
      end)
    end):raises "PGO-TIMEOUT"
    expect(err.cause.message).is "clean-up failed"
  end)

  it("returns the results of a body that was in time", function()
    expect(task.timeout(5, function(x) return x end, 7)).is(7)
  end)
end)

describe("awaits", function()
  it("are refused in a coroutine of the script's own", function()
    local co = coroutine.wrap(function() task.sleep(1) end)
    expect(co):raises "PGO-AWAIT"
  end)

  it("are refused in table.sort, string.gsub and __tostring", function()
    expect(function() table.sort({ 2, 1 }, function() task.sleep(0) end) end):raises "PGO-AWAIT"
    expect(function() string.gsub("a", "a", function() task.sleep(0) end) end):raises "PGO-AWAIT"
    expect(function() tostring(setmetatable({}, { __tostring = function() task.sleep(0) end })) end):raises "PGO-AWAIT"
  end)

  it("work in metamethods, iterators, pcall and close handlers", function()
    local t = setmetatable({}, { __index = function(_, key) task.sleep(0.001); return key end })
    expect(t.name).is "name"
    local seen = 0
    for i in function(_, last) task.sleep(0.001); return (last or 0) < 3 and (last or 0) + 1 or nil end do seen = i end
    expect(seen).is(3)
  end)
end)

describe("task.map", function()
  it("keeps the order and the limit", function()
    local running, most = 0, 0
    local results = task.map({ 3, 1, 2, 5, 4 }, { limit = 2 }, function(x)
      running = running + 1
      most = math.max(most, running)
      task.sleep(x / 500)
      running = running - 1
      return x * 10
    end)
    expect(results).same { 30, 10, 20, 50, 40 }
    expect(most).is(2)
  end)
end)

describe("task.retry", function()
  it("tries again what may succeed later, and gives up on what may not", function()
    local tries = 0
    local value = task.retry({ tries = 4, base = 0.001 }, function()
      tries = tries + 1
      if tries < 3 then fail.raise("PGO-NET", "reset", { retryable = true }) end
      return "done"
    end)
    expect({ value, tries }).same { "done", 3 }
    expect(function() task.retry({ tries = 4 }, fail.raise, "PGO-IO", "no") end):raises "PGO-IO"
  end)
end)

describe("semaphores and channels", function()
  it("let in as many as there are places, in order", function()
    local sem, log = task.semaphore(1), {}
    task.group(function(group)
      for i = 1, 3 do
        group:spawn(function() sem:with(function() task.sleep(0.002); log[#log + 1] = i end) end)
      end
    end)
    expect(log).same { 1, 2, 3 }
  end)

  it("give a place back when a waiting task is cancelled", function()
    local sem = task.semaphore(1)
    sem:acquire()
    pcall(task.timeout, 0.01, sem.acquire, sem)
    sem:release()
    task.timeout(1, sem.acquire, sem)
  end)

  it("carry values from task to task until closed", function()
    local channel, got = task.channel(1), {}
    task.group(function(group)
      group:spawn(function() for i = 1, 4 do channel:send(i) end channel:close() end)
      for value in function() return channel:recv() end do got[#got + 1] = value end
    end)
    expect(got).same { 1, 2, 3, 4 }
  end)
end)

describe("times without an end", function()
  it("do not fire", function()
    expect(task.timeout(math.huge, function() task.sleep(0.01); return "done" end)).is "done"
    expect(function() task.timeout(0.02, task.sleep, math.huge) end).raises "PGO-TIMEOUT"
    expect(function() task.timeout(0.02, task.sleep, 1e300) end).raises "PGO-TIMEOUT"
  end)
end)

describe("a native scope", function()
  it("hands any number of arguments to what it starts", function()
    local scope, many, count = native.scope_enter(false), {}, nil
    for i = 1, 5000 do many[i] = i end
    scope:spawn(function(...) count = select("#", ...) end, table.unpack(many))
    task.sleep(0.01)
    scope:leave()
    expect(count).is(5000)
  end)
end)
