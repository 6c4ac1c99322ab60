-- `pgorch status`: what it says of runs, and --watch beside a run that another process works on.

local clock   = require "pgorch.clock"
local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local json    = require "pgorch.json"
local process = require "pgorch.process"
local store   = require "pgorch.store"
local task    = require "pgorch.task"

local RECIPE = TEST_FOLDER .. "/../fixtures/recipes/marks.lua"

local folder

local function argv(...)
  local words = { host.executable(), ... }
  words.env = { PGORCH_STATE = "sqlite:" .. folder .. "/state.db", MARKS_KEY = "", NO_COLOR = "1" }
  words.check, words.stdin, words.timeout = false, "", 60
  return words
end

local function streamed(words)
  words.stdout = "stream"
  return process.spawn(words)
end

local function pgorch(...) return process.run(argv(...)) end

local function run(...) return argv("run", RECIPE, "--log", folder .. "/log", "--run-id", "r1", ...) end

local function is_begun() return fs.exists(folder .. "/state.db") and pgorch("status", "r1").code == 0 end

local function wait_until(test)
  while not test() do task.sleep(0.02) end
end

local function lines_of(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do list[#list + 1] = json.decode(line) end
  return list
end

local function kinds(events)
  local list = {}
  for i, each in ipairs(events) do list[i] = each.event end
  return " " .. table.concat(list, " ") .. " "
end

-- Rows as a run leaves them, for what no short run can have.
local DAY = 86400 * 1000000

local function made_up(fill)
  local st <close> = store.open("sqlite:" .. folder .. "/state.db")
  fill(function(id, o)
    st:create_run { id = id, recipe = "vultr", recipe_path = "/gone.lua", recipe_hash = "x", kind = o.kind,
      params = { values = { app = "app-" .. id } }, versions = {} }
    for _, step in ipairs { "window_opens", "verify", "window_closes" } do
      local result = o.steps and o.steps[step]
      if result then
        if o.before then o.before(step) end
        st:begin_step(id, step, { title = step, attempt = 1 })
        st:finish_step(id, step, { result = result })
      end
    end
    st:update_run(id, { state = o.state, exit_status = o.status, cut_over_at = o.cut_over_at, owner = json.null })
    if o.destroyed then st:event(id, "destroyed", { source = "shop-db" }) end
  end)
end

local MOVED = { window_opens = {}, window_closes = { read_only = true }, verify = { tables = 14, rows = 8412331 } }

-- What a run leaves that was put back, and a window that was open.
local LEAVES = [[local recipe = require "pgorch.recipe"
  local fail, task = require "pgorch.error", require "pgorch.task"
  local function step(id, fields)
    fields.id, fields.effect, fields.undo = id, "write", fields.undo or false
    return recipe.step(fields)
  end
  return recipe { name = "leaves", summary = "a made thing", params = { app = {}, fail = { default = false } },
    steps = {
    step("thing", { run = function() return { name = "t" } end,
      keeps = function(result) return "thing " .. result.name .. ", $5/month" end,
      cleanup = function() return { { what = "thing t", state = "kept", why = "billed" } } end }),
    step("open", { opens_window = true, undo = function() end, run = function(ctx)
      ctx:remember {}
      task.sleep(1.1)
    end }),
    step("trouble", { run = function(ctx) if ctx.params.fail then fail.raise("PGO-IO", "as asked for") end end }),
    step("shut", { closes_window = true, run = function() end, undo = function() end }) } }]]

local function leaves(...)
  fs.write(folder .. "/leaves.lua", LEAVES)
  return pgorch("run", folder .. "/leaves.lua", "--run-id", "r1", "--app", "shop", ...)
end

describe("status", function()
  before(function() folder = fs.mkdtemp("pgorch-status-") end)
  after(function() fs.remove_tree(folder) end)

  it("says where there are no runs, and makes no record to look at", function()
    local place = folder .. "/state.db"
    expect(pgorch("status").stdout).is(("no runs in %s: there is no record there\n"):format(place))
    expect(#lines_of(pgorch("status", "--json").stdout)).is(1)              -- the version
    for _, words in ipairs { { "status", "r1" }, { "report", "r1" }, { "cancel", "r1" }, { "approve", "r1" },
                             { "resume", "r1" }, { "rollback", "r1" }, { "cleanup", "r1" }, { "destroy-source", "r1" },
                             { "prune", "--older-than", "1d" } } do
      local ended = pgorch(table.unpack(words))
      expect({ words[1], ended.code }).same { words[1], 2 }
      expect(ended.stderr).has("there is no record of runs at " .. place)
      expect(fs.exists(place)).is(false)
    end
    store.open("sqlite:" .. place):close()
    expect(pgorch("status").stdout).is(("no runs in %s\n"):format(place))
  end)

  it("lists what came of each run, its window, what was compared, and how its source is", function()
    made_up(function(add)
      add("m1", { state = "done", status = 0, cut_over_at = store.now() - 2 * DAY, steps = MOVED })
      add("m2", { state = "done", status = 3, cut_over_at = store.now() - 2 * DAY, steps = MOVED, destroyed = true })
      add("m3", { state = "put_back", status = 5 })
      add("m4", { state = "stopped", status = 8, steps = { window_opens = {} } })
      add("m5", { state = "done", status = 0, kind = "rehearsal", cut_over_at = store.now(), steps = MOVED })
    end)
    local text = pgorch("status").stdout
    local function line(id) return text:match("\n  (" .. id .. "[^\n]*)") end
    expect(line "m1").matches "^m1  done  .*14 tables, 8\u{202F}412\u{202F}331 rows EQUAL  read%-only, alive"
    expect(line "m1").has "alive for 2 d 00 h"
    expect(line "m2").matches "^m2  done, with warnings .* destroyed "
    expect(line "m3").matches "^m3  failed, put back "
    expect(line "m4").matches "^m4  stopped .* OPEN for "
    expect(line "m5").matches "^m5  rehearsal: done "
    expect(line "m5").lacks "alive"
  end)

  it("has the window as the report has it, also when the clock was set back while it was open", function()
    local time, behind = clock.time, 0
    local patched = pcall(function()
      clock.time = function() return time() - behind end
      made_up(function(add)
        add("m1", { state = "done", status = 0, cut_over_at = store.now(), steps = MOVED, before = function(step)
          if step == "window_closes" then behind = 3 * 3600 end
        end })
      end)
    end)
    clock.time = time
    expect(patched).is(true)
    local listed = lines_of(pgorch("status", "--json").stdout)[2].window
    local reported = json.decode(pgorch("report", "m1", "--json").stdout).window
    expect({ listed.open, reported.open, listed.seconds }).same { false, false, reported.seconds }
    expect(listed.seconds >= 0).is(true)
    expect(pgorch("status").stdout).lacks "-1"
    expect(pgorch("report", "m1").stdout).lacks "STILL OPEN"
  end)

  it("and cancel name what a run that was put back has left, with the command that removes it", function()
    local kept = "kept: thing t, $5/month   (`pgorch cleanup r1 --confirm shop` removes it)\n"
    local r = leaves "--fail"
    expect(r.code).is(1)
    expect(r.stdout).has(kept)
    expect(r.stdout).matches "\nthe window was open for [12]%.%d s\n"
    expect(pgorch("status", "r1").stdout).has(kept)
    expect(pgorch("cancel", "r1").stdout).has(kept)
  end)

  it("of a run that is done names what can be typed, until the source is gone", function()
    local r = leaves()
    expect(r.code).is(0)
    expect(r.stdout).matches "\nthe window was open for [12]%.%d s\n"
    local text = pgorch("status", "r1").stdout
    expect(text).has "\nwhat came of it: pgorch report r1 --html FILE   tidy up: pgorch cleanup r1\n"
    expect(text).lacks "destroy-source"                               -- there was no cut-over
    expect(text).lacks "kept: "
    made_up(function(add)
      add("m1", { state = "done", status = 0, cut_over_at = store.now() - 2 * DAY, steps = MOVED })
      add("m2", { state = "done", status = 0, cut_over_at = store.now() - 2 * DAY, steps = MOVED, destroyed = true })
    end)
    expect(pgorch("status", "m1").stdout).has "pgorch destroy-source m1"
    expect(pgorch("status", "m2").stdout).lacks "pgorch destroy-source m2"
  end)

  it("gives machines the version, then a line for each run; of one run what stands and what can be typed", function()
    expect(process.run(run("--fail", "two", "--error", "PGO-NET")).code).is(6)
    local all = lines_of(pgorch("status", "--json").stdout)
    expect({ #all, all[1].event, all[1].format, all[2].event, all[2].id }).same { 2, "version", 1, "status", "r1" }
    expect(all[2].updated_at).matches "^20%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$"
    local one = json.decode(pgorch("status", "r1", "--json").stdout)
    expect({ one.state, one.standing, one.going_on }).same { "stopped", { "step two", "step one" }, {} }
    expect(one.next).same { "go on: pgorch resume r1   give up: pgorch rollback r1" }
    expect(one.steps[1].started_at).matches "T.*Z$"
    expect(one.events[1].at).matches "T.*Z$"
    expect(pgorch("rollback", "r1").code).is(0)
    one = json.decode(pgorch("status", "r1", "--json").stdout)
    expect({ one.standing, one.next }).same { nil, { "try again: pgorch resume r1" } }
  end)

  it("--watch beside a run tells each step and the gate, and ends as the run does", function()
    local ended
    task.timeout(60, task.group, function(group)
      group:spawn(function() ended = process.run(run()) end)
      wait_until(is_begun)
      local events = group:spawn(pgorch, "status", "r1", "--watch", "--json")
      local watching <close> = streamed(argv("status", "r1", "--watch"))
      local text = ""
      while not text:find("pgorch approve r1", 1, true) do text = text .. watching.stdout:read() end
      expect(text).has "  one ...."
      expect(text).lacks "  after"
      expect(pgorch("approve", "r1").code).is(0)
      text = text .. watching.stdout:read_all()
      expect(watching:wait().code).is(0)
      expect(text).has "  after ...."
      expect(text).matches "\ndone\n.*exit 0: done\n.*pgorch report r1 %-%-html FILE"
      expect(text).lacks "\27["
      local told = lines_of(events:join().stdout)
      expect({ told[1].event, told[2].event, told[2].id }).same { "version", "status", "r1" }
      expect(kinds(told)).has " waiting "
      expect(kinds(told)).matches " done [given_back ]*ended $"
      expect(told[#told].status).is(0)
    end)
    expect(ended.code).is(0)
  end)

  it("--watch of a run that fails has its exit status, one whose process is gone ends with 8", function()
    expect(process.run(run("--fail", "two", "--error", "PGO-VERIFY")).code).is(5)
    expect(pgorch("status", "r1", "--watch").code).is(5)
    fs.write(folder .. "/log.mended", "")
    local child <close> = process.spawn(argv("resume", "r1"))
    wait_until(function() return pgorch("status", "r1").stdout:find("pgorch approve r1", 1, true) end)
    local code
    task.timeout(60, task.group, function(group)
      group:spawn(function() code = pgorch("status", "r1", "--watch").code end)
      task.sleep(0.2)
      child:kill "KILL"
    end)
    expect(code).is(8)
    expect(pgorch("status", "r1").stdout).has "interrupted"
  end)

  it("--watch that is left with Ctrl-C ends with 130, and names no trouble", function()
    local child <close> = process.spawn(run("--hang", "two"))
    wait_until(is_begun)
    for _, words in ipairs { { "status", "r1", "--watch" }, { "status", "--watch" } } do
      local words_of_it = argv(table.unpack(words))
      words_of_it.stderr = "stream"
      local watching <close> = streamed(words_of_it)
      while not watching.stdout:read():find("r1", 1, true) do task.sleep(0) end
      watching:kill "INT"
      expect(watching.stderr:read_all()).lacks "PGO-"
      expect(watching:wait().code).is(130)
    end
    child:kill "INT"
    expect(child:wait().code).is(8)
  end)

  it("says where the record is named, as cancel and report do", function()
    for _, name in ipairs { "status", "cancel", "report" } do
      expect(pgorch(name, "--help").stdout).has "--state-env VAR"
    end
  end)

  it("--watch without a run ends when none is at work", function()
    made_up(function(add) add("m3", { state = "put_back", status = 5 }) end)
    local ended = pgorch("status", "--watch")
    expect(ended.code).is(0)
    expect(ended.stdout).has "failed, put back"
  end)

  it("--watch on a terminal redraws the steps at work in place", function()
    if process.run({ "sh", "-c", "command -v script", check = false }).code ~= 0 then skip "script is not installed" end
    local child <close> = process.spawn(run("--hang", "two"))
    wait_until(is_begun)
    local words = ("script -qec '%s status r1 --watch' /dev/null"):format(host.executable())
    local env = { PGORCH_STATE = "sqlite:" .. folder .. "/state.db", TERM = "xterm" }
    local watching <close> = streamed { "sh", "-c", words, env = env, check = false, stdin = "" }
    local text = ""
    while not text:find("\27%[1A\27%[J  two %.+ running for") do text = text .. watching.stdout:read() end
    child:kill "INT"
    expect(watching:wait().code).is(8)
  end)
end)
