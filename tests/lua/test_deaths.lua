-- Processes that die after a write to the record: only in a sandbox, as large a share of the writes as is asked for, no
-- write twice, and the same ones for the same seed.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local process = require "pgorch.process"

local RECIPE = TEST_FOLDER .. "/../fixtures/recipes/marks.lua"

local function run(dir, word, variables)
  local words = { host.executable(), word, word == "run" and RECIPE or "r1", "--yes-cut-over" }
  if word == "run" then table.move({ "--log", dir .. "/log", "--run-id", "r1" }, 1, 4, #words + 1, words) end
  words.check, words.env = false, { PGORCH_STATE = "sqlite:" .. dir .. "/state.db", MARKS_KEY = "",
    PGORCH_SANDBOX_DEATHS = dir .. "/deaths", PGORCH_SANDBOX_DEATHS_SHARE = "1" }
  for name, value in pairs(variables) do words.env[name] = value end
  return process.run(words).code
end

local function died(dir)
  local list = {}
  for label in fs.read(dir .. "/deaths"):gmatch "died ([^\n]*)\n" do list[#list + 1] = label end
  return list
end

local function in_folder(fn)
  return function() fs.with_temporary("pgorch-deaths-", fn) end
end

-- Process after process, to the end.
local function until_done(dir, variables)
  local code, word = 137, "run"
  for _ = 1, 200 do
    code = run(dir, word, variables)
    if code ~= 137 then break end
    if fs.read(dir .. "/deaths"):find "running" then word = "resume" end
  end
  return code
end

local SANDBOX = { PGORCH_SANDBOX = "/nowhere", HEROKU_HOST = "http://127.0.0.1:1" }

describe("deaths after writes", function()
  it("do not come outside of a sandbox", in_folder(function(dir)
    expect(run(dir, "run", {})).is(0)
    expect(fs.exists(dir .. "/deaths")).is(false)
  end))

  it("do not come where Heroku is the real one", in_folder(function(dir)
    expect(run(dir, "run", { PGORCH_SANDBOX = "/nowhere", HEROKU_HOST = "api.heroku.com" })).is(0)
    expect(fs.exists(dir .. "/deaths")).is(false)
  end))

  it("come after each write, once", in_folder(function(dir)
    expect(until_done(dir, SANDBOX)).is(0)
    local seen, list = {}, died(dir)
    expect(#list).above(30)
    for _, label in ipairs(list) do
      expect(seen[label]).is_nil()
      seen[label] = true
    end
    expect(seen["remembered one"]).is(true)
    expect(seen["step_done cut"]).is(true)
  end))

  it("come after those that the seed chooses", in_folder(function(dir)
    local lists = {}
    for i, seed in ipairs { "1", "1", "2" } do
      local here = dir .. "/" .. i
      fs.mkdir(here)
      local variables = { PGORCH_SANDBOX_DEATHS_SHARE = "0.1", PGORCH_SANDBOX_DEATHS_SEED = seed }
      for name, value in pairs(SANDBOX) do variables[name] = value end
      expect(until_done(here, variables)).is(0)
      lists[i] = table.concat(died(here), "; ")
    end
    expect(lists[1] ~= "").is(true)
    expect(lists[1]).is(lists[2])
    expect(lists[1] ~= lists[3]).is(true)
  end))
end)
