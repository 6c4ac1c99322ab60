-- "Update Dependent Systems and Test": connects through the config that the app will read, and meets the new database.

local recipe = require "pgorch.recipe"
local fail   = require "pgorch.error"

local WHO = "select oid::text || '@' || pg_postmaster_start_time()::text from pg_database "
  .. "where datname = current_database()"

local function run(ctx)
  local expected
  do
    local conn <close> = ctx.target:connect()
    expected = conn:value(WHO)
  end
  local config = ctx.target.app:config()
  for _, name in ipairs(ctx.result.cut_over.vars) do
    if not config[name] then fail.raise("PGO-CUT-OVER", ("%s is not set on %s"):format(name, ctx.params.app)) end
    local conn <close> = ctx.target:connect { url = config[name] }
    if conn:value(WHO) ~= expected then
      fail.raise("PGO-CUT-OVER", ("%s does not lead to the new database"):format(name))
    end
  end
  return { vars = ctx.result.cut_over.vars }
end

return recipe.step { id = "test_connections", title = "Connect through the new config", effect = "read", run = run,
                     plan = function() return "connects through the app's new config" end }
