-- --backup-now: a backup where the last is too old, on the legacy platform, which alone takes one on request.

local recipe  = require "pgorch.recipe"
local backups = require "pgorch.linode.backups"
local poll    = require "pgorch.poll"
local task    = require "pgorch.task"
local values  = require "pgorch.recipe.values"

local ONE     = "/databases/postgresql/instances/%s"
local LONGEST = 3600    -- seconds that a backup on request may take

local function take(ctx)
  local api, one = ctx.api, ONE:format(ctx.source.id)
  api:post(one .. "/backups", { label = "pgorch-" .. ctx.run.id, target = "primary" })
  task.timeout(LONGEST, function()
    while api:get(one).status ~= "active" do
      ctx:progress { text = "Linode takes a backup" }
      task.sleep(poll.seconds "addon")
    end
  end)
  ctx:note "a backup was taken"
end

local function run(ctx)
  local known = backups.of(ctx.api, ctx.source.id)
  backups.refuse_request(known)
  local old = backups.is_old(known, values.duration(ctx.options.within))
  if old then take(ctx) else ctx:note "the latest backup is recent: no other was taken" end
  return { taken = old }
end

local function plan(ctx)
  local known = backups.of(ctx.api, ctx.source.id)
  backups.refuse_request(known)
  local old = backups.is_old(known, values.duration(ctx.options.within))
  return old and "+ a backup at Linode" or "the latest backup is recent"
end

return recipe.step {
  id = "backup_now", title = "Take a backup", effect = "write", run = run, undo = false, options = { within = "26h" },
  only_if = function(ctx) return ctx.params.backup_now end,
  plan = plan, estimate = 600,
}
