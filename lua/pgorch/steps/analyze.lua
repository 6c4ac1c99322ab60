-- A restore brings no statistics: without ANALYZE the first hours are slow. Table by table, so that a long one is seen
-- and one that fails does not keep the others from it; partitions before PostgreSQL 18 with the table that they are of.

local recipe   = require "pgorch.recipe"
local preflight = require "pgorch.preflight"
local snapshot = require "pgorch.verify.snapshot"
local source   = require "pgorch.source"
local task     = require "pgorch.task"
local times    = require "pgorch.plan.times"
local verify   = require "pgorch.verify"

local AT_ONCE = 2

-- A role that may not analyze a table gets a warning from the server, and no error.
local function skipped(conn, before)
  local notices = conn.notices
  return #notices > before and notices[#notices] or nil
end

local function worker(ctx, work)
  local conn <close> = ctx.target:connect()
  while work.queue[work.at + 1] do
    work.at = work.at + 1
    local each = work.queue[work.at]
    local key = verify.key(each)
    ctx:progress { text = ("%d of %d  %s"):format(work.at, #work.queue, key) }
    local before = #conn.notices
    local _, why = snapshot.attempt(conn, conn.exec, conn, (each.only and "analyze only " or "analyze ") .. key)
    why = why or skipped(conn, before)
    if why then ctx:warn(("%s was not analyzed: %s"):format(key, why)) else work.done = work.done + 1 end
  end
end

local function run(ctx)
  local work = { at = 0, done = 0 }
  do
    local conn <close> = ctx.target:connect()
    work.queue = conn:query(source.sql "analyzable", conn.server_version, true)
  end
  task.group(function(group)
    for _ = 1, math.min(AT_ONCE, #work.queue) do group:spawn(worker, ctx, work) end
  end)
  return { tables = work.done }
end

local function plan(ctx)
  return { "~ ANALYZE every table", about = preflight.number(#ctx.result.size.tables, "table") }
end

local function estimate(ctx) return 2 + times.at("read", ctx.result.size.bytes) / 4 end

return recipe.step { id = "analyze", title = "ANALYZE the new database", effect = "write", run = run, undo = false,
                     plan = plan, estimate = estimate }
