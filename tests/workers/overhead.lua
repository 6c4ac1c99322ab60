-- What a worker costs: moves of so many databases by one worker, against the same runs started by `xargs -P`, as many
-- at a time, with the record in the same server. Prints seconds for both; asserts that all were moved.
-- pgorch test tests/workers/overhead.lua; OVERHEAD_DATABASES (12), OVERHEAD_SLOTS (4)

local batches  = require "support.batches"
local env      = require "pgorch.env"
local host     = require "pgorch.native.host"
local moves    = require "support.moves"
local postgres = require "support.postgres"
local process  = require "pgorch.process"
local store    = require "pgorch.store"
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

-- Seconds between a claim and the begin of its run, and between the run's end and the row's.
local function waits(url)
  local st <close> = store.open(url)
  local claimed, before, after = {}, 0, 0
  for _, event in ipairs(st:batch_events "b") do
    if event.kind == "claimed" then claimed[event.row_id] = event.at
    elseif event.kind == "done" and event.row_id then
      local run = st:run(st:batch_row("b", event.row_id).run)
      before, after = before + run.created_at - claimed[event.row_id], after + event.at - run.updated_at
    end
  end
  return before / DATABASES / 1e6, after / DATABASES / 1e6
end

-- Seconds of a run by its own record, of the last ones.
local function seconds_of_runs(url)
  local st <close> = store.open(url)
  local sum = 0
  for _, run in ipairs(st:runs { limit = DATABASES }) do sum = sum + run.updated_at - run.created_at end
  return sum / DATABASES / 1e6
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
    moves.world({ lanes = 3 * DATABASES, scale = 0.005, options = options }, function(world, lanes)
      by_xargs(world, server.uri, table.move(lanes, 2 * DATABASES + 1, 3 * DATABASES, DATABASES + 1, {}))  -- warms up
      local apart, first = by_worker(world, server.uri, lanes)
      local run_apart = seconds_of_runs(server.uri)
      local bare, second = by_xargs(world, server.uri, lanes)
      local run_bare = seconds_of_runs(server.uri)
      batches.expect_moved(first)
      batches.expect_moved(second)
      term.out(("# %d databases, %s at a time: worker %.1f s (a run %.1f s), xargs -P %.1f s (a run %.1f s)\n")
        :format(DATABASES, SLOTS, apart, run_apart, bare, run_bare))
      term.out(("# from claim to run %.2f s, from the run's end to the row's %.2f s\n"):format(waits(server.uri)))
    end)
  end, { limit = 900 })
end)
