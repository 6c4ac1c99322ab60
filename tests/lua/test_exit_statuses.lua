-- The exit statuses, a promise to scripts: each is provoked through the command line. 10 is that of `pgorch plan`.

local fail    = require "pgorch.error"
local fs      = require "pgorch.fs"
local marks   = require "support.marks"
local meaning = require "pgorch.runner.meaning"
local task    = require "pgorch.task"

-- A process that gets signals while a step of it, or its undo, waits.
local function signalled(m, words, mark, signals)
  local child <close> = m:spawn(words)
  m:wait_for(mark)
  for i = 1, signals do
    if i > 1 then task.sleep(0.3) end
    child:kill "INT"
  end
  return marks.ended(child)
end

local function window_recipe(m)
  local path = m.folder .. "/window.lua"
  fs.write(path, [[local recipe = require "pgorch.recipe"
    local function step(id, field)
      return recipe.step { id = id, effect = "write", run = function() return {} end, undo = function() end,
        [field] = true }
    end
    return recipe { name = "window", summary = "a window", steps = { step("open", "opens_window"),
      step("inside", "rehearse"), step("shut", "closes_window"), step("last", "rehearse") } }]])
  return path
end

local function fails(step, id, ...) return { "--yes-cut-over", "--fail", step, "--error", id, ... } end

-- What the end of it tells to type, unless its case has other words.
local ON = "go on: pgorch resume r1   give up: pgorch rollback r1"
local NEXT = { [0] = "tidy up: pgorch cleanup r1", [1] = "try again: pgorch resume r1", [3] = "pgorch report r1 --html",
  [4] = "try again: pgorch resume r1", [5] = "try again: pgorch resume r1", [6] = ON, [8] = ON,
  [9] = "go on: pgorch resume r1\n", [11] = "try again to put back: pgorch rollback r1", [130] = ON }

-- What ends with this status: fn(m) -> ended; and other words that it ends with.
local CASES = {
  { 0, "a good run", function(m) return m:run "--yes-cut-over" end },
  { 0, "a part that was asked for", function(m) return m:run("--until", "one") end, ON },
  { 0, "a rollback that succeeds", function(m)
    m:run("--until", "two")
    return m:pgorch("rollback", "r1")
  end, "try again: pgorch resume r1" },
  { 1, "a failure, put back", function(m) return m:run(table.unpack(fails("two", "PGO-IO"))) end },
  { 2, "a flag that there is not", function(m) return m:run "--untill" end, "did you mean --until?" },
  { 2, "a run that there is not", function(m)
    m:run "--yes-cut-over"
    return m:pgorch("resume", "r2")
  end, "`pgorch status` lists the runs" },
  { 2, "a run, and no record of any", function(m) return m:pgorch("resume", "r1") end,
    "there is no record of runs at" },
  { 2, "a record of no known kind", function(m) return m:pgorch("status", "--state-env", "NOPE") end,
    "NOPE is not set" },
  { 3, "a warning", function(m) return m:run("--yes-cut-over", "--loud") end },
  { 4, "a preflight that fails", function(m) return m:run(table.unpack(fails("two", "PGO-PREFLIGHT"))) end },
  { 5, "a verification that fails", function(m) return m:run(table.unpack(fails("parts.x", "PGO-VERIFY"))) end },
  { 5, "writes that were seen", function(m) return m:run(table.unpack(fails("parts.x", "PGO-WRITTEN"))) end },
  { 6, "trouble of the network", function(m) return m:run(table.unpack(fails("two", "PGO-NET"))) end },
  { 6, "a record that cannot be read", function(m)
    fs.write(m.folder .. "/state.db", ("not a database "):rep(1000))
    return m:pgorch("status", "r1")
  end, "then `pgorch resume" },
  { 7, "an app in the hands of another run", function(m)
    m:run("--app", "shop", "--until", "two")
    return m:pgorch("run", marks.RECIPE, "--log", m.log, "--app", "shop")
  end, "`pgorch resume r1` goes on with it, `pgorch rollback r1` puts it back" },
  { 7, "a run that a process works on", function(m)
    local _ <close> = m:spawn { "--hang", "two" }
    m:wait_for "hang two"
    return m:pgorch("resume", "r1")
  end, "stop it: `pgorch cancel r1`" },
  { 8, "a part that ends with the window open", function(m)
    return m:pgorch("run", window_recipe(m), "--run-id", "r1", "--until", "inside")
  end },
  { 0, "a part that ends after it was closed", function(m)
    return m:pgorch("run", window_recipe(m), "--run-id", "r1", "--until", "shut")
  end, ON },
  { 8, "Ctrl-C", function(m) return signalled(m, { "--hang", "two" }, "hang two", 1) end },
  { 8, "a gate that was not approved", function(m) return m:run(table.unpack(fails("parts.x", "PGO-GATE"))) end },
  { 9, "a failure after the cut-over", function(m) return m:run(table.unpack(fails("after", "PGO-IO"))) end },
  { 11, "an undo that fails, over 1", function(m)
    return m:run(table.unpack(fails("parts.x", "PGO-IO", "--stuck", "one")))
  end },
  { 11, "an undo that fails, over 4", function(m)
    return m:run(table.unpack(fails("parts.x", "PGO-PREFLIGHT", "--stuck", "one")))
  end },
  { 11, "an undo that fails, over 5", function(m)
    return m:run(table.unpack(fails("parts.x", "PGO-VERIFY", "--stuck", "one")))
  end },
  { 130, "Ctrl-C twice", function(m)
    return signalled(m, fails("borrowed", "PGO-IO", "--linger", "two"), "linger two", 2)
  end },
}

describe("the cure of an error", function()
  it("names the run and the app, and commands as they can be typed", function()
    local m <close> = marks.new()
    local ended = m:run("--app", "shop", table.unpack(fails("two", "PGO-HEROKU")))
    expect(ended.stderr).has "then `pgorch resume r1`."
    ended = m:run("--until", "nostep")
    expect(ended.stderr).matches "%-%-until: there is no step nostep, but .*one, .*two"
    ended = m:pgorch("status", "--bogus")
    expect(ended.code).is(2)
    expect(ended.stderr).has "cure: usage: pgorch status [RUN]"
  end)

  it("is filled in whole words alone, and in commands of the detail", function()
    local err = fail.complete(fail.new("PGO-RESTORE-LOSSY", "x", { detail = "table RUN\n cure: `pgorch cleanup RUN "
      .. "--confirm APP` of APP", cure = "See PGO-RUN-UNKNOWN, RUNS, MY_APP: `pgorch plan RECIPE ... --out FILE`" }),
      { RUN = "r1", APP = "a%1", RECIPE = "x.lua" })
    expect(err.cure).is "See PGO-RUN-UNKNOWN, RUNS, MY_APP: `pgorch plan x.lua ... --out FILE`"
    expect(err.detail).is "table RUN\n cure: `pgorch cleanup r1 --confirm a%1` of APP"
  end)
end)

describe("the exit status", function()
  for _, case in ipairs(CASES) do
    it(("is %d after %s"):format(case[1], case[2]), function()
      local m <close> = marks.new()
      local ended = case[3](m)
      if ended.code ~= case[1] then error(("it is %s\n%s\n%s"):format(ended.code, ended.stderr, ended.stdout), 0) end
      -- Whoever reads the end of it knows what to type.
      expect(ended.stderr .. "\n" .. ended.stdout).has(case[4] or NEXT[case[1]])
    end)
  end

  it("has a case here for each that runs can end with", function()
    local seen = { [10] = true }
    for _, case in ipairs(CASES) do seen[case[1]] = true end
    for status in pairs(meaning.OF) do expect(status .. " " .. tostring(seen[status])).is(status .. " true") end
  end)
end)

-- What a failure leads to, before the window, in it, and after the cut-over, as --on-failure says.
describe("--on-failure", function()
  local PHASES = { two = "before the cut-over", after = "after it" }
  local WANTED = {
    { "two", "PGO-NET", nil, 6 }, { "two", "PGO-NET", "keep", 6 }, { "two", "PGO-NET", "rollback", 1 },
    { "two", "PGO-IO", nil, 1 }, { "two", "PGO-IO", "keep", 8 }, { "two", "PGO-IO", "rollback", 1 },
    { "two", "PGO-VERIFY", "keep", 8 }, { "two", "PGO-VERIFY", "rollback", 5 },
    { "after", "PGO-NET", nil, 9 }, { "after", "PGO-NET", "rollback", 9 }, { "after", "PGO-IO", "keep", 9 },
    { "after", "PGO-IO", "rollback", 9 },
  }
  for _, case in ipairs(WANTED) do
    local step, id, wish, status = case[1], case[2], case[3], case[4]
    it(("%s, %s %s: %d"):format(wish or "not given", id, PHASES[step], status), function()
      local m <close> = marks.new()
      local words = fails(step, id, wish and "--on-failure", wish)
      local ended = m:run(table.unpack(words))
      expect(ended.code).is(status)
      local put_back = status == 1 or status == 5
      expect(m:count "undo one one").is(put_back and 1 or 0)
      expect(m:status().state).is(put_back and "put_back" or status == 9 and "failed" or "stopped")
    end)
  end
end)
