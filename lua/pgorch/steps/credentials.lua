-- All that was given is tried: the provider's key and instance, login, Heroku's token, app, plan, storage keys, bucket.
-- If any of it is wrong, what else can be seen already is checked too, so that one run tells everything.

local recipe    = require "pgorch.recipe"
local preflight = require "pgorch.preflight"
local input     = require "pgorch.preflight.input"
local source    = require "pgorch.preflight.source"
local target    = require "pgorch.preflight.target"

local function run(ctx)
  local found = preflight.new()
  local may = input.check(ctx, found)
  if may.heroku and may.app and not ctx.target:is_ours() then found:try(target.check_empty, ctx, found) end
  if found:count "fail" > 0 and may.source then found:try(source.check, ctx, found) end
  local told = found:report(ctx, "Input")
  return { passed = told.passed, warned = told.warned, config_vars = may.config_vars }
end

return recipe.step { id = "credentials", title = "Check keys, names and logins", effect = "read", run = run }
