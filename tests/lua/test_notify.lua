-- Notifications: what is posted to a URL while a run works, that it cannot hold a run up or fail it, and that the URL
-- is a secret.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local http    = require "pgorch.http"
local json    = require "pgorch.json"
local process = require "pgorch.process"
local task    = require "pgorch.task"

local RECIPE = TEST_FOLDER .. "/../fixtures/recipes/marks.lua"
local PATH = "/services/T0000/hunter2hunter2"

local folder

-- Runs pgorch while `answer` serves what it posts. Returns how it ended, and the posted objects in order.
local function told(words, answer, o)
  local heard = {}
  local server <close> = http.serve({}, function(request)
    local message = json.decode(request.body:read_all(1 << 20))
    heard[#heard + 1] = { path = request.path, message = message, type = request.headers["content-type"] }
    return answer and answer(message, #heard) or { status = 204 }
  end)
  local argv = { host.executable(), check = false, stdin = "", timeout = 60,
    env = { PGORCH_STATE = "sqlite:" .. folder .. "/state.db", MARKS_KEY = "", NO_COLOR = "1",
            HOOK = (o and o.url or server.url) .. PATH } }
  table.move(words, 1, #words, 2, argv)
  local ended = process.run(argv)
  return ended, heard
end

local function run(...)
  return { "run", RECIPE, "--log", folder .. "/log", "--run-id", "r1", "--app", "shop-app", "--notify-env", "HOOK",
           ... }
end

local function kinds(heard)
  local list = {}
  for i, each in ipairs(heard) do list[i] = each.message.event end
  return table.concat(list, " ")
end

local function files_with(text)
  local found = {}
  for _, name in ipairs(fs.list(folder)) do
    local path = folder .. "/" .. name
    if fs.stat(path).type == "file" and fs.read(path, 1 << 26):find(text, 1, true) then found[#found + 1] = name end
  end
  return table.concat(found, " ")
end

describe("notifications", function()
  before(function() folder = fs.mkdtemp("pgorch-notify-") end)
  after(function() fs.remove_tree(folder) end)

  it("tell the beginning, the cut-over and the end as JSON with a sentence", function()
    local ended, heard = told(run "--yes-cut-over")
    expect(ended.code).is(0)
    expect(kinds(heard)).is("start cut_over finish")
    expect(heard[1].type).is("application/json")
    expect(heard[1].path).is(PATH)
    local last = heard[3].message
    expect({ last.run, last.recipe, last.app, last.state, last.status, last.meaning })
      .same { "r1", "marks", "shop-app", "done", 0, "done" }
    expect(last.text).is("shop-app: run r1 is over: done (exit 0)")
  end)

  it("tell that a part has ended with the window open", function()
    local path = folder .. "/window.lua"
    fs.write(path, [[local recipe = require "pgorch.recipe"
      return recipe { name = "window", summary = "a window", steps = {
        recipe.step { id = "open", effect = "write", opens_window = true, run = function() end, undo = function() end },
        recipe.step { id = "last", effect = "read", run = function() end } } }]])
    local ended, heard = told { "run", path, "--run-id", "r1", "--until", "open", "--notify-env", "HOOK" }
    expect(ended.code).is(8)
    expect(heard[2].message.text).is "window: run r1 is over: stopped as asked, the window is OPEN (exit 8)"
    expect({ heard[2].message.window.open, heard[2].message.meaning }).same { true, "stopped, state kept" }
  end)

  it("tell a failure with its id and its cure, and the end that came of it", function()
    local ended, heard = told(run("--fail", "two", "--error", "PGO-VERIFY"))
    expect(ended.code).is(5)
    expect(kinds(heard)).is("start failure finish")
    local failure = heard[2].message
    expect({ failure.error.id, failure.error.step, failure.error.cure })
      .same { "PGO-VERIFY", "two", "What differs is listed. Nothing was cut over." }
    expect(failure.text).has("failed at \"step two\": PGO-VERIFY as asked for")
    expect(heard[3].message.state).is("put_back")
  end)

  it("tell the gate with the command that approves, and a resumed run tells the same URL", function()
    local child
    local _, first = told(run("--fail", "left", "--error", "PGO-NET"))
    expect(kinds(first)).is("start failure finish")
    fs.write(folder .. "/log.mended", "")
    local ended, heard = told({ "resume", "r1" }, function(message)
      if message.event == "gate" then
        child = process.run { host.executable(), "approve", "r1", env = { PGORCH_STATE = "sqlite:" .. folder
          .. "/state.db" } }
      end
      return { status = 200 }
    end)
    expect(child.code).is(0)
    expect(ended.code).is(0)
    expect(ended.stderr).has("as the run began: --notify-env HOOK")
    expect(kinds(heard)).is("start gate cut_over finish")
    expect(heard[1].message.resumed).is(true)
    expect(first[1].message.text).is "shop-app: run r1 (marks) has begun"
    expect(heard[1].message.text).is "shop-app: run r1 (marks) goes on"
    expect(heard[2].message.gate.approve).is("pgorch approve r1")
    expect(heard[2].message.text).is("shop-app: run r1 waits at \"cut over?\". To go on: pgorch approve r1")
  end)

  it("never hold the run up: it goes on to its end while a post hangs", function()
    local ended, heard = told(run "--yes-cut-over", function()
      local log = folder .. "/log"
      while not (fs.exists(log) and fs.read(log):find("do after", 1, true)) do task.sleep(0.02) end
      return { status = 204 }
    end)
    expect(ended.code).is(0)
    expect(kinds(heard)).is("start cut_over finish")    -- a run that waited would have waited for itself
    expect(ended.stderr).lacks("warning")
  end)

  it("never fail the run: a refusal is tried thrice if it may pass, and is one warning without the URL", function()
    local ended, heard = told(run "--yes-cut-over", function(_, n)
      return n <= 3 and { status = 503, headers = { ["retry-after"] = "0" } } or { status = 404, body = "no such hook" }
    end)
    expect(ended.code).is(0)
    expect(kinds(heard)).is("start start start cut_over finish")
    local _, warnings = ended.stderr:gsub("warning: ", "")
    expect(warnings).is(1)
    expect(ended.stderr).has("warning: start could not be posted to http://127.0.0.1:")
    expect(ended.stderr .. ended.stdout).lacks("hunter2")
    expect(files_with "hunter2").is ""
  end)

  it("refuse http to anywhere but this machine, an empty variable and two places, before anything is done", function()
    local ended = told(run(), nil, { url = "http://hooks.example.com" })
    expect(ended.code).is(2)
    expect(ended.stderr).has("use https")
    expect(ended.stderr).lacks("hunter2")
    local argv = run()
    argv[#argv] = "NOT_SET_AT_ALL"
    ended = told(argv)
    expect(ended.code).is(2)
    expect(ended.stderr).has("--notify-env NOT_SET_AT_ALL: it is empty or not set")
    ended = told(run("--notify-file", folder .. "/hook"))
    expect(ended.code).is(2)
    expect(fs.exists(folder .. "/log")).is(false)
  end)

  it("are not what keeps a run from being put back when their place is gone", function()
    fs.write(folder .. "/hook", "http://127.0.0.1:1/" .. "hunter2hunter2")
    local argv = run("--fail", "two", "--error", "PGO-NET")
    for i, word in ipairs(argv) do
      if word == "--notify-env" then argv[i], argv[i + 1] = "--notify-file", folder .. "/hook" end
    end
    expect(told(argv).code).is(6)
    fs.remove(folder .. "/hook")
    local ended = told { "rollback", "r1" }
    expect(ended.code).is(0)
    expect(ended.stderr).has("warning: nobody is notified: --notify-file")
  end)
end)
