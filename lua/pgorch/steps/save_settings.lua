-- Saves the source's settings, as the preparing article does with /tmp/settings_postgres.csv, in the run's folder.
-- Also those of the database and of roles in it, which a dump of one database does not carry.

local recipe = require "pgorch.recipe"
local csv    = require "pgorch.csv"
local fs     = require "pgorch.fs"
local source = require "pgorch.source"

local function run(ctx)
  local conn <close> = ctx.source:connect()
  local path = ctx.run.dir .. "/settings_postgres.csv"
  fs.write(path, csv.text(conn:query "select * from pg_settings order by name"))
  local chosen, own = {}, {}
  for _, row in ipairs(conn:query(source.sql "settings")) do chosen[row.name] = row.setting end
  for _, row in ipairs(conn:query(source.sql "db_settings")) do
    own[#own + 1] = { role = row.role, setting = row.setting }
  end
  return { file = path, chosen = chosen, database = own }
end

return recipe.step { id = "save_settings", title = "Save the source's settings", effect = "read", run = run }
