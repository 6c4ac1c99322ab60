-- --via direct: schema and rows go from the source's server to the target's through this machine, in the source's
-- snapshot, without a dump. The target is this run's alone from before it is looked into until the run ends. A copy
-- that was interrupted is begun again in an empty database: it never goes on in one that is half filled.

local recipe    = require "pgorch.recipe"
local attempts  = require "pgorch.restore.attempts"
local copy      = require "pgorch.copy"
local fail      = require "pgorch.error"
local fs        = require "pgorch.fs"
local dump_snapshot = require "pgorch.dump_snapshot"
local pg_client = require "pgorch.pg_client"
local planned   = require "pgorch.plan.database"
local preflight = require "pgorch.preflight"
local room      = require "pgorch.restore.room"
local source    = require "pgorch.source"
local task      = require "pgorch.task"
local times     = require "pgorch.plan.times"
local values    = require "pgorch.recipe.values"

-- Whether an earlier attempt of this run may have written to the database.
local function has_begun(ctx) return ctx.recall ~= nil and ctx.recall.began ~= false end

-- A database that this run has not made, or has written to, may hold anything; only what is empty is copied into. From
-- `began` on it is ours to empty: one that nobody confirmed was empty then.
local function make_room(ctx, database)
  local begun, made = has_begun(ctx), ctx.result.addon
  room.wait_for_others(ctx, database)
  ctx.target:refuse_if_in_use()
  room.claim(ctx, begun)
  if not begun then room.refuse_unconfirmed(ctx) end
  local is_new = ctx.target:is_ours() and made and made.created and not begun
  ctx:remember { began = true }
  if (begun or room.may_overwrite(ctx)) and not is_new then room.empty_and_claim(ctx, database) end
  room.make_extensions(ctx)
end

-- What the copy writes there are definitions, which may hold passwords of servers elsewhere. It has one name for every
-- attempt: what a killed one has left is removed by the next, or with what is put back.
local function folder(ctx) return ctx.run.dir .. "/copy" end

local function with_folder(ctx, fn)
  local path = folder(ctx)
  local _ <close> = setmetatable({}, { __close = function() task.shield(60, fs.remove_tree, path) end })
  fs.remove_tree(path)
  fs.mkdir(path, { parents = true })
  return fn(path)
end

local function jobs(ctx)
  local from <close> = ctx.source:connect()
  local to <close> = ctx.target:connect()
  return copy.jobs(from, to, ctx.target:database():limits().connections)
end

local function transfer(ctx, dir)
  local count, index_jobs = jobs(ctx)
  return copy.run {
    source = ctx.source, snapshot = dump_snapshot.id_or_quiet(ctx),
    client = pg_client.choose(ctx.result.preflight.source_major, ctx.result.preflight_target.target_major),
    target = { connect = function(o) return ctx.target:connect(o) end,
               env = function(where) return ctx.target:env(where) end,
               name = function() return ctx.target:name() end },
    dir = dir, log = ctx.run.dir .. "/restore.log", jobs = count, index_jobs = index_jobs,
    extensions_there = ctx.result.extensions ~= nil, analyze = false, mends = attempts.later_steps(ctx, "copy"),
    progress = function(p) ctx:progress(p) end,
  }
end

-- Refused, it has written nothing: what somebody has put there since we looked is not emptied by an undo.
local function copied(ctx)
  local ok, did = pcall(with_folder, ctx, function(dir) return transfer(ctx, dir) end)
  if ok then return did end
  if fail.is(did, "PGO-CONFIRM") then ctx:remember { began = false } end
  error(did, 0)
end

-- What a later step makes good has the name of what it is.
local function sorted(complaints)
  local judged = { harmless = {}, mended = {} }
  for _, each in ipairs(complaints) do table.insert(each.name and judged.mended or judged.harmless, each) end
  return judged
end

local function run(ctx)
  make_room(ctx, ctx.target:database())
  local did = copied(ctx)
  local judged = sorted(did.complaints)
  local told = attempts.tell(ctx, judged)
  ctx:progress { bytes = did.bytes }
  ctx:note(("%s, %s rows, %s in %s"):format(preflight.number(did.tables, "table"), did.rows,
    values.show_size(did.bytes), values.show_duration(did.seconds)))
  return { tables = did.tables, rows = did.rows, bytes = did.bytes, indexes = did.indexes,
           large_objects = did.large_objects, seconds = did.seconds, phases = did.phases,
           harmless = #judged.harmless, classes = told.classes, mended = told.mended,
           extensions = told.extensions }
end

-- Somebody may have emptied it meanwhile.
local function check(ctx, result)
  if result.tables == 0 then return true end
  local conn <close> = ctx.target:connect()
  return conn:value(source.sql "user_tables") > 0
end

-- One that only waited for others, or was refused, has written nothing: then somebody's own database is left as it is.
local function undo(ctx, result)
  fs.remove_tree(folder(ctx))
  room.undo(ctx, function() end, result.began or result.tables ~= nil)
end

local function plan(ctx)
  return ("! copy directly into %s (%s)"):format(planned.name(ctx), planned.contents(ctx))
end

return recipe.step {
  id = "copy", title = "Copy from server to server", effect = "destroy", run = run, check = check, undo = undo,
  undo_when = "failure", way = "direct",
  needs = { "size", "preflight", "preflight_target", "fingerprint" },
  plan = plan,
  estimate = function(ctx) return times.of_way("direct", ctx.result.size, times.rates(ctx)) end,
  stands = function(result)
    if result.began == false then return false end
    return result.tables and "the copy is in the target" or "the target may be half filled"
  end,
  undo_estimate = 60,
  by_hand = function(ctx) return room.by_hand(ctx, false) end,
}
