-- Acceptance tests: the user's own command must succeed against the new database before anything is cut over.

local recipe = require "pgorch.recipe"
local hook   = require "pgorch.hook"

local function run(ctx)
  local done = hook.run(ctx.params.accept, { id = "PGO-ACCEPT", what = "acceptance test",
                                             limit = ctx.params.hook_limit,
                                             env = { DATABASE_URL = (ctx.target:url()) } })
  if not done then
    ctx:note "no acceptance test was given (--accept)"
    return { run = false }
  end
  return { run = true, seconds = done.seconds }
end

return recipe.step { id = "accept", title = "Run the acceptance tests", effect = "read", run = run,
                     estimate = function(ctx) return not ctx.params.accept and 0 or nil end,    -- who knows?
                     plan = function(ctx) return ctx.params.accept and "runs: " .. ctx.params.accept or {} end }
