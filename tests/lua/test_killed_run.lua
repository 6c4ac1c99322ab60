-- What a process that was killed at an unlucky moment leaves on record, and that the cures which are named do help:
-- names of a run that is over, a run that has not begun, a rollback that was half done.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local process = require "pgorch.process"
local store   = require "pgorch.store"
local task    = require "pgorch.task"

local folder

local function argv(...)
  local words = { host.executable(), ... }
  words.env = { PGORCH_STATE = "sqlite:" .. folder .. "/state.db", MARKS_KEY = "", NO_COLOR = "1" }
  words.check, words.stdin, words.timeout = false, "", 60
  return words
end

local function pgorch(...) return process.run(argv(...)) end

describe("after a process that was killed", function()
  before(function() folder = fs.mkdtemp "pgorch-killed-" end)
  after(function() fs.remove_tree(folder) end)

  it("the app is free, if it was at a cleanup; after Ctrl-C, too", function()
    local path, began = folder .. "/recipe.lua", folder .. "/began"
    fs.write(path, ([[local recipe, fs, task = require "pgorch.recipe", require "pgorch.fs", require "pgorch.task"
      return recipe { name = "slow", summary = "s", params = { app = {} }, steps = {
        recipe.step { id = "a", effect = "write", run = function() return {} end, undo = false, cleanup = function()
          fs.write(%q, "")
          task.sleep(30)
          return {}
        end } } }]]):format(began))
    local function move(id) return pgorch("run", path, "--app", "shop", "--run-id", id) end
    local function cleaning(id, signal)
      fs.remove(began)
      local child <close> = process.spawn(argv("cleanup", id))
      for _ = 1, 200 do
        if fs.exists(began) then break end
        task.sleep(0.05)
      end
      child:kill(signal)
      child:wait()
    end
    local function held(id)
      local st <close> = store.open("sqlite:" .. folder .. "/state.db")
      return #st:locks(id)
    end
    expect(move("r1").code).is(0)
    cleaning("r1", "INT")
    expect(held "r1").is(0)
    cleaning("r1", "KILL")
    expect(held "r1").is(1)
    expect(move("r2").code).is(0)
    cleaning("r1", "KILL")
    expect(pgorch("resume", "r1").code).is(0)
    expect(held "r1").is(0)
  end)

  it("nothing is on record of a run that could not begin", function()
    local path = folder .. "/recipe.lua"
    fs.write(path, [[local recipe = require "pgorch.recipe"
      return recipe { name = "little", summary = "s", steps = {
        recipe.step { id = "a", effect = "read", run = function() end } } }]])
    fs.write(folder .. "/runs", "no folder")
    local refused = pgorch("run", path, "--run-id", "r1")
    expect(refused.code).is_not(0)
    expect(refused.stderr).has "PGO-IO"
    expect(pgorch("status", "r1").code).is(2)
    fs.remove(folder .. "/runs")
    expect(pgorch("run", path, "--run-id", "r1").code).is(0)
  end)

  it("a rollback that is finished by a resume ends as it would have, also when it stuck before", function()
    local marks = TEST_FOLDER .. "/../fixtures/recipes/marks.lua"
    local function failed(id, ...)
      local log = folder .. "/" .. id
      expect(pgorch("run", marks, "--log", log, "--run-id", id, "--fail", "parts.y", "--error", "PGO-PREFLIGHT",
        "--on-failure", "keep", ...).code).is(8)
    end
    failed("r1", "--kill", "left:undo")
    expect(pgorch("rollback", "r1").signal).is "KILL"
    expect(pgorch("resume", "r1").code).is(0)
    failed("r2", "--stuck", "left")
    expect(pgorch("rollback", "r2").code).is(11)
    expect(pgorch("resume", "r2", "--stuck", "none", "--accept-changes").code).is(0)
  end)
end)
