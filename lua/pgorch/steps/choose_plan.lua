-- The plan asked for, or the smallest that holds the database with room to grow. Prices are read live.

local recipe = require "pgorch.recipe"
local plans  = require "pgorch.heroku.plans"
local values = require "pgorch.recipe.values"

-- A restored copy has no bloat, but a plan that is nearly full is soon over its limit.
local HEADROOM = 1.3

local function existing(ctx)
  local info = ctx.target:database():info()
  ctx:note(("%s is there, plan %s"):format(ctx.target:name(), tostring(info.plan)))
  return { plan = info.plan, chosen = false }
end

local function run(ctx)
  if not ctx.target:is_ours() then return existing(ctx) end
  local size = ctx.result.size
  local slug = ctx.params.plan and plans.slug(ctx.params.plan)
    or plans.plan_for(size.bytes * HEADROOM, { tables = #size.tables })
  local live = ctx.target.client:plans()[slug]
  local cents = live and live.cents or (plans.find(slug) or { month = 0 }).month * 100
  ctx:note(("%s for %s ($%g/month)%s"):format(slug, values.show_size(size.bytes), cents / 100,
    ctx.params.plan and "" or ", chosen from the size"))
  return { plan = slug, chosen = not ctx.params.plan, cents = cents }
end

return recipe.step { id = "choose_plan", title = "Choose the Heroku Postgres plan", effect = "read", run = run,
                     needs = { "size" } }
