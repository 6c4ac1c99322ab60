-- The trial of workers: so many processes, each with state of its own and a way of its own to the record, on a batch of
-- so many databases, with trouble by chance. What must hold at the end: each database was moved, once, and is the same;
-- none is lost; no two restores of one target ran at once; and no write of a worker or of a run that was fenced off has
-- come through. tests/workers/run; TRIAL_* name what is tried.

local Trouble   = require "trouble"
local batches   = require "support.batches"
local chance    = require "faults.chance"
local env       = require "pgorch.env"
local event_log = require "support.event_log"
local moves     = require "support.moves"
local postgres  = require "support.postgres"
local store     = require "pgorch.store"
local task      = require "pgorch.task"
local term      = require "pgorch.term"

local function number(name, default) return tonumber(env.get("TRIAL_" .. name) or default) end

local WORKERS, DATABASES, SLOTS = number("WORKERS", 2), number("DATABASES", 6), number("SLOTS", 2)
local TROUBLES, LEASE, SEED = number("TROUBLES", DATABASES), number("LEASE", 6), env.get "TRIAL_SEED" or "1"
local LIMIT = 60 + 40 * DATABASES

local function by_id(rows)
  local found = {}
  for _, row in ipairs(rows) do found[row.id] = row end
  return found
end

local function submit(url, lanes)
  local list, rows = {}, {}
  for i, lane in ipairs(lanes) do
    list[i] = moves.new(lane)
    rows[i] = batches.row(list[i])
  end
  batches.submit(url, rows, { attempts = 1000 })
  return list
end

-- Troubles begin one after another, and several are under way at once.
local function make_trouble(group, trouble, is_done)
  for i = 1, TROUBLES do
    task.sleep(0.5 + 3 * chance.of(SEED, i, "pause"))
    if is_done() then return end
    group:spawn(trouble.happen, trouble, i)
  end
end

local function work(world, server, lanes)
  local list = submit(server.uri, lanes)
  local trouble = Trouble.new { world = world, server = server, workers = WORKERS, slots = SLOTS, lease = LEASE,
    seed = SEED }
  local st <close> = store.open(server.uri)
  local function is_done() return st:batch("b").state == "done" end
  local began = task.now()
  task.group(function(group)
    make_trouble(group, trouble, is_done)
    task.timeout(LIMIT, function()
      while not is_done() do task.sleep(0.5) end
    end)
  end)
  local seconds = task.now() - began
  return list, trouble, trouble:finish(), seconds
end

local function complain(list, what, ...) list[#list + 1] = what:format(...) end

local function judge_runs(url, complaints)
  local st <close> = store.open(url)
  for _, row in ipairs(st:batch("b").rows) do
    if row.state ~= "done" then
      complain(complaints, "%s is %s: %s", row.id, row.state, row.error and row.error.message)
    end
    local image = { run = st:run(row.run), steps = by_id(st:steps(row.run)), events = st:events(row.run) }
    for _, text in ipairs(event_log.complaints(image)) do complain(complaints, "%s: %s", row.id, text) end
  end
end

local function judge(url, list, ended)
  local complaints = {}
  judge_runs(url, complaints)
  for _, move in ipairs(list) do
    for _, test in ipairs { move.expect_moved, move.expect_once } do
      local ok, err = pcall(test, move)
      if not ok then complain(complaints, "%s: %s", move.id, tostring(err)) end
    end
  end
  for i, each in ipairs(ended) do
    if each.code ~= 0 then complain(complaints, "worker %d ended with %d: %s", i, each.code, each.stderr:sub(-500)) end
  end
  local ok, err = pcall(batches.expect_fenced, url)
  if not ok then complain(complaints, "%s", err) end
  return complaints
end

local function figures(url, trouble, ended, seconds)
  local st <close> = store.open(url)
  local claims, over, lost, all = 0, 0, 0, {}
  for _, event in ipairs(st:batch_events "b") do
    claims = claims + (event.kind == "claimed" and 1 or 0)
    over = over + (event.kind == "claimed" and event.data.from and 1 or 0)
  end
  for _, each in ipairs(ended) do
    for _ in each.stderr:gmatch "was taken over by another worker" do lost = lost + 1 end
  end
  for kind, n in pairs(trouble.counts) do all[#all + 1] = ("%s %d"):format(kind, n) end
  table.sort(all)
  term.out(("# %d databases, %d workers of %d slots, seed %s: %.0f s, %.1f a minute\n"):format(DATABASES, WORKERS,
    SLOTS, SEED, seconds, DATABASES * 60 / seconds))
  term.out(("# trouble: %s\n# %d claims, %d of them from a worker that was gone; %d rows lost by one that came back\n")
    :format(table.concat(all, ", "), claims, over, lost))
end

describe("workers in trouble", function()
  it("move each database of a batch once", function()
    local server <close> = postgres.start {}
    -- Polls come 50 times as often as in earnest: the hour's requests would be spent in minutes.
    local options = { heroku = { budget = 2000 * DATABASES } }
    moves.world({ lanes = DATABASES, scale = 0.005, options = options }, function(world, lanes)
      local list, trouble, ended, seconds = work(world, server, lanes)
      figures(server.uri, trouble, ended, seconds)
      expect(table.concat(judge(server.uri, list, ended), "\n")).is ""
    end)
  end, { limit = LIMIT + 300 })
end)
