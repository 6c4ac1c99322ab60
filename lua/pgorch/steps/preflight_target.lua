-- Preflight again, with what is known now that the database exists: its version, its extensions, its limits.

local recipe    = require "pgorch.recipe"
local preflight = require "pgorch.preflight"
local target    = require "pgorch.preflight.target"

local function run(ctx)
  local found = preflight.new()
  local facts = found:try(target.check, ctx, found) or {}
  found:report(ctx, "Preflight of the target")
  return { target_major = facts.major }
end

return recipe.step {
  id = "preflight_target", title = "Preflight of the target", effect = "read", run = run,
  plan = function() return "checked once the add-on exists: extensions, connections, size" end,
}
