-- "Migrate Any Custom Settings": saves the target's settings beside the source's, and sets again those of the database
-- that its owner may set and that change what queries mean. The rest is listed, for a person to decide.

local recipe = require "pgorch.recipe"
local csv    = require "pgorch.csv"
local fs     = require "pgorch.fs"
local pg     = require "pgorch.pg"
local source = require "pgorch.source"

local SAFE = {
  search_path = true, TimeZone = true, DateStyle = true, IntervalStyle = true, statement_timeout = true,
  lock_timeout = true, idle_in_transaction_session_timeout = true, default_text_search_config = true,
  bytea_output = true, extra_float_digits = true, default_transaction_isolation = true, lc_monetary = true,
  lc_numeric = true, lc_time = true, xmloption = true, standard_conforming_strings = true, jit = true,
}

-- Never carried: pgorch's own switch, and what the provider tunes for its own machines.
local IGNORED = { default_transaction_read_only = true }

-- The server stores lists already quoted ("$user", public); one literal around them would be one name.
local function value_of(name, text)
  if name == "search_path" and text:match('^[%w_"$, ]*$') then return text == "" and "''" or text end
  return pg.literal(text)
end

local function apply(conn, rows)
  local done, left = {}, {}
  local database = pg.ident(conn:value "select current_database()")
  for _, row in ipairs(rows) do
    local name, value = row.setting:match("^([^=]+)=(.*)$")
    if not IGNORED[name] then
      local applied = not row.role and SAFE[name]
        and pcall(conn.exec, conn, ("alter database %s set %s = %s"):format(database, pg.ident(name),
          value_of(name, value)))
      local list = applied and done or left
      list[#list + 1] = (row.role and row.role .. ": " or "") .. row.setting
    end
  end
  return done, left
end

local function save_and_apply(ctx)
  local conn <close> = ctx.target:connect()
  fs.write(ctx.run.dir .. "/settings_heroku.csv", csv.text(conn:query "select * from pg_settings order by name"))
  if ctx.options.only == "none" then return {}, {} end
  return apply(conn, ctx.result.save_settings.database)
end

local function run(ctx)
  local done, left = save_and_apply(ctx)
  local conn <close> = ctx.target:connect()       -- a new session: settings of the database apply from its start
  local chosen, rows = {}, {}
  for _, row in ipairs(conn:query(source.sql "settings")) do chosen[row.name] = row.setting end
  for name, value in pairs(ctx.result.save_settings.chosen) do
    if SAFE[name] and chosen[name] ~= value then rows[#rows + 1] = { name, value, chosen[name] or "default" } end
  end
  table.sort(rows, function(a, b) return a[1] < b[1] end)
  if #rows > 0 then
    ctx:table { title = "Settings that differ", columns = { "setting", "source", "target" }, rows = rows }
  end
  if #done > 0 then ctx:note("settings carried: " .. table.concat(done, "; ")) end
  if #left > 0 then ctx:note("settings not carried: " .. table.concat(left, "; ")) end
  return { applied = done, left = left, differing = #rows }
end

return recipe.step {
  id = "reapply_settings", title = "Reapply the settings", effect = "write", run = run, undo = false,
  options = { only = "safe" },
  plan = function() return "~ settings of the database that its owner may set" end,
}
