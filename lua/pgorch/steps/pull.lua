-- --via heroku: Heroku's own pg_dump fetches the database from the source and restores it, without object storage. It
-- gets the source's address and password, over TLS, and must be let in. Its snapshot is a later one than ours: that it
-- is the same data is for the freeze and the write detector to say. Asked for once: a copy is known by its name.

local recipe   = require "pgorch.recipe"
local attempts = require "pgorch.restore.attempts"
local planned  = require "pgorch.plan.database"
local room     = require "pgorch.restore.room"
local times    = require "pgorch.plan.times"
local watch    = require "pgorch.restore.watch"

-- One for each snapshot that is to be the last word: a copy that was asked for before it was taken may hold less. A
-- resumed run whose snapshot still is the last word finds the copy that it has asked for.
local function name_of(ctx)
  local at = ctx.result.fingerprint
  return ("pgorch/%s/%s-%s"):format(ctx.run.id, (at.taken:gsub("[^%dTZ]", "")), at.snapshot)
end

-- What an earlier attempt asked for, on a snapshot that has fallen since.
local function stop_old(ctx, database, name)
  local before = ctx.recall and ctx.recall.name
  if not before or before == name then return end
  local old = database:find_copy(before)
  if old then room.stop(database, old.uuid) end
end

local function order_for(ctx, database, name)
  return {
    mark = { name = name, from_type = "pg_dump" },
    find = function(mark) return database:find_copy(mark.name or name) end,
    post = function() return database:copy_from(ctx.source:url(), name, { attachment = ctx.target.attachment }) end,
  }
end

local function run(ctx)
  local database, name, bytes = ctx.target:database(), name_of(ctx), ctx.result.size.bytes
  stop_old(ctx, database, name)
  local result = attempts.run(ctx, { order = order_for(ctx, database, name), later = attempts.later_steps(ctx, "pull"),
    watch = watch.new(ctx.target, { source = bytes }), silence = "Heroku could not fetch the database" })
  result.name = name
  return result
end

local function undo(ctx, result)
  room.undo(ctx, function(database)
    return result.uuid and { uuid = result.uuid } or result.name and database:find_copy(result.name)
  end)
end

local function plan(ctx)
  return { ("! copy by Heroku into %s (%s)"):format(planned.name(ctx), planned.contents(ctx)),
           about = "Heroku gets the source's password" }
end

return recipe.step {
  id = "pull", title = "Fetched by Heroku", effect = "destroy", run = run, undo = undo, undo_when = "failure",
  way = "heroku",
  needs = { "size", "fingerprint" },
  plan = plan,
  estimate = function(ctx) return times.of_way("heroku", ctx.result.size, times.rates(ctx)) end,
  stands = function(result)
    return result.lines and "the copy is in the target" or "the target may be half filled"
  end,
  undo_estimate = 120,
  goes_on = attempts.goes_on,
  by_hand = function(ctx) return room.by_hand(ctx, true) end,
}
