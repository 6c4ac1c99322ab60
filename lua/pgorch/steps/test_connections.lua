-- "Update Dependent Systems and Test": connects through the config that the app will read, meets the new database, and
-- may write there. What it writes is a temporary table, and rolled back.

local recipe = require "pgorch.recipe"
local fail   = require "pgorch.error"
local source = require "pgorch.source"

local function wrong(name, text) fail.raise("PGO-CUT-OVER", ("%s %s"):format(name, text)) end

-- A plan that is over its capacity takes INSERT away from the role.
local function refuse_read_only(conn, name)
  if conn:value "show transaction_read_only" == "on" then wrong(name, "leads to a database that is read-only") end
  local tables = conn:query(source.sql "not_insertable")
  if #tables > 0 then
    wrong(name, ("leads to a role that may not write to %s (%d tables)"):format(tables[1].name, #tables))
  end
  conn:exec "begin; create temporary table pgorch_probe (n integer); insert into pgorch_probe values (1); rollback"
end

local function run(ctx)
  local expected
  do
    local conn <close> = ctx.target:connect()
    expected = ctx.target.who(conn)
  end
  local config = ctx.target.app:config()
  for _, name in ipairs(ctx.result.cut_over.vars) do
    if not config[name] then fail.raise("PGO-CUT-OVER", ("%s is not set on %s"):format(name, ctx.params.app)) end
    local conn <close> = ctx.target:connect { url = config[name] }
    if ctx.target.who(conn) ~= expected then wrong(name, "does not lead to the new database") end
    refuse_read_only(conn, name)
  end
  return { vars = ctx.result.cut_over.vars }
end

return recipe.step { id = "test_connections", title = "Connect through the new config", effect = "read", run = run,
                     needs = { "cut_over" },
                     plan = function() return "connects through the app's new config, reads and writes" end }
