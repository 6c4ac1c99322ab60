-- What a worker costs: moves of so many databases by one worker, against the same runs started by `xargs -P`, as many
-- at a time, with the record in the same server. Prints seconds for both; asserts that all were moved.
-- pgorch test tests/workers/overhead.lua; OVERHEAD_DATABASES (12), OVERHEAD_SLOTS (4)

local batches  = require "support.batches"
local env      = require "pgorch.env"
local host     = require "pgorch.native.host"
local moves    = require "support.moves"
local postgres = require "support.postgres"
local process  = require "pgorch.process"
local task     = require "pgorch.task"
local term     = require "pgorch.term"

local DATABASES = tonumber(env.get "OVERHEAD_DATABASES" or "12")
local SLOTS = env.get "OVERHEAD_SLOTS" or "4"

local function new_moves(lanes, from)
  local list, rows = {}, {}
  for i = 1, DATABASES do
    list[i] = moves.new(lanes[from + i])
    rows[i] = batches.row(list[i])
  end
  return list, rows
end

local function by_worker(world, url, lanes)
  local list, rows = new_moves(lanes, 0)
  batches.submit(url, rows)
  local began = task.now()
  local worker <close> = batches.worker(world, url, { words = { "--once", "--slots", SLOTS } })
  expect(worker:wait().code).is(0)
  return task.now() - began, list
end

local function by_xargs(world, url, lanes)
  local list, rows = new_moves(lanes, DATABASES)
  local lines = {}
  for i, row in ipairs(rows) do lines[i] = table.concat(row.argv, " ") .. "\n" end
  local began = task.now()
  local ended = process.run { "xargs", "-P", SLOTS, "-L", "1", host.executable(), "run", "vultr", "--yes-cut-over",
    "--json", env = batches.environment(world, url), env_clear = true, stdin = table.concat(lines), stdout = "null",
    check = false }
  expect(ended.code .. ended.stderr).is "0"
  return task.now() - began, list
end

describe("the same moves", function()
  it("by a worker and by xargs", function()
    local server <close> = postgres.start {}
    local options = { heroku = { budget = 1000000 } }
    moves.world({ lanes = 2 * DATABASES, scale = 0.005, options = options }, function(world, lanes)
      local apart, first = by_worker(world, server.uri, lanes)
      local bare, second = by_xargs(world, server.uri, lanes)
      batches.expect_moved(first)
      batches.expect_moved(second)
      term.out(("# %d databases, %s at a time: worker %.1f s, xargs -P %.1f s, %+.2f s for each database\n")
        :format(DATABASES, SLOTS, apart, bare, (apart - bare) / DATABASES))
    end)
  end, { limit = 900 })
end)
