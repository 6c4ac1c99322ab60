-- "Back Up Your Database" at Linode. On today's platform the instance can be restored to any time since some day; on
-- the legacy one there is a list of backups, and --backup-now takes one where the last is too old.

local recipe = require "pgorch.recipe"
local clock  = require "pgorch.clock"
local fail   = require "pgorch.error"
local linode = require "pgorch.linode"
local poll   = require "pgorch.poll"
local task   = require "pgorch.task"
local values = require "pgorch.recipe.values"

local LONGEST = 3600    -- seconds that a backup on request may take

local function by_time(ctx, known)
  if ctx.params.backup_now then
    fail.raise("PGO-PARAM", "--backup-now: Linode takes no backup of this database on request",
      { cure = "Leave it out: a database on this platform can be restored to any time." })
  end
  if not known.since then
    fail.raise("PGO-BACKUP-OLD", ("%s cannot be restored to any time yet"):format(ctx.source.label),
      { cure = "Wait for its first backup: one is made every day." })
  end
  ctx:note(("Linode can restore it to any time since %s"):format(clock.iso(known.since)))
  return { since = clock.iso(known.since) }
end

local function take(ctx)
  local api, source = ctx.api, ctx.source
  api:post(("/databases/postgresql/instances/%s/backups"):format(source.id),
    { label = "pgorch-" .. ctx.run.id, target = "primary" })
  task.timeout(LONGEST, function()
    while api:get("/databases/postgresql/instances/" .. source.id).status ~= "active" do
      ctx:progress { text = "Linode takes a backup" }
      task.sleep(poll.seconds "addon")
    end
  end)
  ctx:note "a backup was taken"
  return linode.backups(api, source.id)
end

local function run(ctx)
  local known, within = linode.backups(ctx.api, ctx.source.id), values.duration(ctx.options.within)
  if not known.on_request then return by_time(ctx, known) end
  local function age() return known.latest and clock.time() - known.latest end
  if ctx.params.backup_now and (not known.latest or age() > within) then known = take(ctx) end
  if not known.latest or age() > within then
    fail.raise("PGO-BACKUP-OLD", known.latest and ("the latest backup of %s is %s old, more than %s"):format(
      ctx.source.label, values.show_duration(age()), values.show_duration(within))
      or ("%s has no backup yet"):format(ctx.source.label), { cure = "--backup-now takes one." })
  end
  ctx:note(("the latest backup is %s old"):format(values.show_duration(age())))
  return { latest = clock.iso(known.latest), age = age() }
end

return recipe.step {
  id = "backup_is_fresh", title = "A recent backup exists", effect = "write", run = run, undo = false,
  options = { within = "26h" },
  plan = function(ctx) return ctx.params.backup_now and "+ a backup, if the last one is too old" or {} end,
}
