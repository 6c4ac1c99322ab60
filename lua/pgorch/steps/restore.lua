-- "Restore Backup on Heroku": Heroku downloads the dump by its signed URL and restores it; the transfer is followed to
-- its end and every line of its log is judged. Asked for once: a transfer is known by the dump's path in its URL.

local recipe   = require "pgorch.recipe"
local ask      = require "pgorch.restore.ask"
local attempts = require "pgorch.restore.attempts"
local planned  = require "pgorch.plan.database"
local room     = require "pgorch.restore.room"
local times    = require "pgorch.plan.times"
local watch    = require "pgorch.restore.watch"

local function run(ctx)
  local dump = ctx.result.dump_to_store
  return attempts.run(ctx, { order = ask.for_dump(ctx, dump.key), later = attempts.later_steps(ctx, "restore"),
    watch = watch.new(ctx.target, { dump = dump.bytes, source = ctx.result.size.bytes }),
    silence = "Heroku could not download the dump" })
end

local function undo(ctx, result)
  room.undo(ctx, function(database)
    return result.uuid and { uuid = result.uuid } or database:find_restore(result.key or "")
  end)
end

local function plan(ctx) return ("! restore into %s (%s)"):format(planned.name(ctx), planned.contents(ctx)) end

return recipe.step {
  id = "restore", title = "Restore at Heroku", effect = "destroy", run = run, undo = undo, undo_when = "failure",
  way = "archive",
  needs = { "size", "dump_to_store" },
  plan = plan,
  estimate = function(ctx) return times.restore(ctx.result.size, times.rates(ctx)) end,
  stands = function(result)
    return result.lines and "the copy is in the target" or "the target may be half filled"    -- asked for, at least
  end,
  undo_estimate = 120,                     -- cancelled, waited for, the database emptied
  goes_on = attempts.goes_on,
  by_hand = function(ctx) return room.by_hand(ctx, true) end,
}
