-- A restore brings no statistics: without ANALYZE the first hours are slow.

local recipe = require "pgorch.recipe"

local function run(ctx)
  local conn <close> = ctx.target:connect()
  conn:exec "analyze"
  return {}
end

return recipe.step { id = "analyze", title = "ANALYZE the new database", effect = "write", run = run, undo = false,
                     plan = function() return "~ analyze" end }
