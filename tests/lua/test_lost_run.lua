-- A run that is taken from its process while that puts back what it did, as it is where the record is in a server: the
-- process stops in the middle, and says that it has not ended the run.

local fs       = require "pgorch.fs"
local host     = require "pgorch.native.host"
local postgres = require "support.postgres"
local process  = require "pgorch.process"
local relay    = require "pgorch.native.relay"
local task     = require "pgorch.task"

local RECIPE = TEST_FOLDER .. "/../fixtures/recipes/marks.lua"

local folder, log, server

local function pgorch(record, ...)
  local options = { host.executable(), ... }
  options.env = { PGORCH_STATE = record, XDG_STATE_HOME = folder, MARKS_KEY = "", NO_COLOR = "1",
                  HEROKU_HOST = "http://127.0.0.1:1", PGORCH_POLL_SCALE = "0.02" }
  options.check, options.stdin, options.timeout = false, "", 60
  return process.run(options)
end

local function marks() return fs.exists(log) and fs.read(log) or "" end

local function exec(sql)
  local conn <close> = server:connect()
  conn:exec(sql)
end

local function value(sql)
  local conn <close> = server:connect()
  return conn:value(sql)
end

local function wait_for(text)
  while not marks():find(text, 1, true) do task.sleep(0.05) end
end

-- A run that fails, and whose undo of `left` lingers; meanwhile fn() happens.
local function failing(record, fn)
  local ended
  task.group(function(group)
    group:spawn(function()
      ended = pgorch(record, "run", RECIPE, "--log", log, "--run-id", "r1", "--yes-cut-over", "--fail", "parts.y",
        "--error", "PGO-IO", "--linger", "left")
    end)
    wait_for "linger left"
    fn()
  end)
  return ended
end

describe("a run that is lost while it is put back", function()
  before(function()
    folder = fs.mkdtemp "pgorch-lost-"
    log = folder .. "/log"
    server = server or postgres.start {}
    exec "drop schema if exists pgorch cascade"
  end)
  after(function() fs.remove_tree(folder) end)

  it("is left as it is to the process that has taken it over, in the middle of an undo", function()
    local ended = failing(server.uri, function()
      exec "update pgorch.run set fence = fence + 1, owner = 'elsewhere/far:1:1'"
    end)
    expect(ended.code).is(7)
    expect(ended.stderr).has "PGO-FENCED"
    expect(ended.stdout).has "exit 7"
    expect(ended.stdout).lacks "exit 1"
    expect(marks()).lacks "undo left"
    expect(marks()).lacks "undo one"
    expect(value "select state || ' ' || owner from pgorch.run").is "undoing elsewhere/far:1:1"
  end)

  it("is put back to its end when the record was out of reach for a moment only", function()
    local link = relay.open { host = "127.0.0.1", port = server.port }
    local _ <close> = setmetatable({}, { __close = function() link:close() end })
    link:allow { "127.0.0.0/8" }
    local record = server.uri:gsub(":%d+/postgres$", (":%d/postgres?connect_timeout=2"):format(link:port()))
    local ended = failing(record, function()
      link:allow {}
      link:cut()
      fs.write(log .. ".go", "")
      wait_for "undo left"
      task.sleep(2)
      expect(marks()).lacks "undo two"           -- not before the record knows of it
      link:allow { "127.0.0.0/8" }
    end)
    expect(ended.code).is(1)
    expect(ended.stdout).lacks "could not be written"
    expect(marks()).has "undo one one"
    expect(value "select state from pgorch.run").is "put_back"
  end)

  it("ends its server", function()
    server:close()
    expect(fs.exists(server.dir)).is(false)
  end)
end)
