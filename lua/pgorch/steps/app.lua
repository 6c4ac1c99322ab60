-- The app: found, or created. One that was created is kept when the migration fails; the next run uses it.

local recipe = require "pgorch.recipe"

local function run(ctx)
  local app, name = ctx.target.app, ctx.params.app
  local found = app:info()
  if found then
    -- Asked for by an attempt that was killed before it could say so: then it is ours.
    return { name = name, id = found.id, created = ctx.recall ~= nil }
  end
  ctx:remember { name = name }
  local made = app:create { region = ctx.params.region, team = ctx.params.team, space = ctx.params.space }
  return { name = name, id = made.id, created = true }
end

return recipe.step {
  id = "app", title = "Create a Heroku app, or find it", effect = "write", run = run, undo = false,
  plan = function(ctx)
    return ctx.target.app:info() and "app " .. ctx.params.app .. " is there" or "+ app " .. ctx.params.app
  end,
  check = function(ctx) return ctx.target.app:info() ~= nil end,
}
