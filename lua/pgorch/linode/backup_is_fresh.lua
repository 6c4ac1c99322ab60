-- "Back Up Your Database" at Linode. On today's platform the instance can be restored to any time since some day; on
-- the legacy one there is a list of backups, and the last must be recent. Only reads: backup_now takes one.

local recipe  = require "pgorch.recipe"
local backups = require "pgorch.linode.backups"
local clock   = require "pgorch.clock"
local fail    = require "pgorch.error"
local values  = require "pgorch.recipe.values"

local function by_time(ctx, known)
  if not known.since then
    fail.raise("PGO-BACKUP-OLD", ("%s cannot be restored to any time yet"):format(ctx.source.label),
      { cure = "Wait for its first backup: one is made every day." })
  end
  ctx:note(("Linode can restore it to any time since %s"):format(clock.iso(known.since)))
  return { since = clock.iso(known.since) }
end

-- Looked at without a run, the backup that was asked for is yet to be taken.
local function too_old(ctx, known, within)
  local age = known.latest and values.show_duration(clock.time() - known.latest)
  local what = age and ("the latest backup of %s is %s old, more than %s"):format(ctx.source.label, age,
    values.show_duration(within)) or ("%s has no backup yet"):format(ctx.source.label)
  if not ctx.params.backup_now or ctx.result.backup_now then
    fail.raise("PGO-BACKUP-OLD", what, { cure = "--backup-now takes one." })
  end
  ctx:note(what .. ": --backup-now takes one")
  return {}
end

local function run(ctx)
  local known, within = backups.of(ctx.api, ctx.source.id), values.duration(ctx.options.within)
  if ctx.params.backup_now then backups.refuse_request(known) end
  if not known.on_request then return by_time(ctx, known) end
  if backups.is_old(known, within) then return too_old(ctx, known, within) end
  local age = clock.time() - known.latest
  ctx:note(("the latest backup is %s old"):format(values.show_duration(age)))
  return { latest = clock.iso(known.latest), age = age }
end

return recipe.step {
  id = "backup_is_fresh", title = "A recent backup exists", effect = "read", run = run, options = { within = "26h" },
}
