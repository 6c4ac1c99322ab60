-- Saves the source's settings, as the preparing article does with /tmp/settings_postgres.csv, in the run's folder.
-- Values stay out of the record of runs: some are secrets of apps. They are read again when they are applied.

local recipe = require "pgorch.recipe"
local fs     = require "pgorch.fs"
local read   = require "pgorch.settings.read"

local function count(map)
  local n = 0
  for _ in pairs(map) do n = n + 1 end
  return n
end

local function run(ctx)
  local conn <close> = ctx.source:connect()
  local state, path = read.state(conn), ctx.run.dir .. "/settings_postgres.csv"
  fs.write(path, read.csv(state))
  return { file = path, settings = #state.rows, chosen = count(state.chosen) }
end

return recipe.step { id = "save_settings", title = "Save the source's settings", effect = "read", run = run,
                     plan = function() return "kept in the run's folder" end }
