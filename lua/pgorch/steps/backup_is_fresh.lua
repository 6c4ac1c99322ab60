-- "Back Up Your Database": the provider's own backup must be recent. No provider's API can be asked to make one now.

local recipe = require "pgorch.recipe"
local clock  = require "pgorch.clock"
local fail   = require "pgorch.error"
local values = require "pgorch.recipe.values"

local function run(ctx)
  local within = values.duration(ctx.options.within)
  if not ctx.source.latest_backup then
    ctx:note "nothing here says when this database was last backed up: make sure that there is a backup"
    return { unknown = true }
  end
  local latest = ctx.source.latest_backup()
  if not latest then fail.raise("PGO-BACKUP-OLD", ("%s has no backup yet"):format(ctx.source.label)) end
  local age = clock.time() - latest
  if age > within then
    fail.raise("PGO-BACKUP-OLD", ("the latest backup of %s is %s old, more than %s"):format(ctx.source.label,
      values.show_duration(age), values.show_duration(within)))
  end
  ctx:note(("the latest backup is %s old"):format(values.show_duration(age)))
  return { latest = clock.iso(latest), age = age }
end

return recipe.step {
  id = "backup_is_fresh", title = "A recent backup exists", effect = "read", run = run, options = { within = "26h" },
}
