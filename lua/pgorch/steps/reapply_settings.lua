-- "Migrate Any Custom Settings": saves the target's settings and what differs beside the source's, and sets again those
-- of the database that its owner may set and that change what queries mean. The rest is told, with what can be done.

local recipe = require "pgorch.recipe"
local csv    = require "pgorch.csv"
local diff   = require "pgorch.settings.diff"
local fs     = require "pgorch.fs"
local pg     = require "pgorch.pg"
local plans  = require "pgorch.heroku.plans"
local preflight = require "pgorch.preflight"
local read   = require "pgorch.settings.read"
local task   = require "pgorch.task"
local value  = require "pgorch.settings.value"

local function state_of(end_of_move)
  local conn <close> = end_of_move:connect()
  return read.state(conn)
end

local function plan_of(ctx)
  local name = ctx.target:database().name
  local addon = ctx.target.app:addon(name)
  local slug = plans.slug(addon and addon.plan and addon.plan.name or "")
  return { app = ctx.params.app, database = name, essential = slug:find "^essential" ~= nil }
end

-- An app's own setting (app.name) only a superuser may set for a database: no owner at Heroku is one.
local BY_APP = "; have the app set it when its sessions begin"

local function words_of(err, each)
  local said = err.message:find(each.value, 1, true) and "" or ": " .. err.message
  return said .. (each.name:find(".", 1, true) and err.sqlstate == "42501" and BY_APP or "")
end

-- One that the server refuses is told in its words. What somebody wrote for the database is missed: that is a warning.
local function set(ctx, conn, each)
  local ok, err = pcall(conn.exec, conn, ("alter database %s set %s = %s"):format(pg.ident(conn.dbname),
    pg.ident(each.name), value.sql(each.name, each.value)))
  if ok then
    each.applied = true
    return
  end
  if task.cancelled(err) or err.id ~= "PGO-PG-QUERY" then error(err, 0) end
  each.can = "refused" .. words_of(err, each)
  if each.origin == "server" then return end
  ctx:warn(("%s could not be set on the target%s"):format(each.name, words_of(err, each)))
end

local function apply(ctx, list, how)
  local conn <close> = ctx.target:connect()
  local applied = {}
  for _, each in ipairs(list) do
    if diff.is_wanted(each, how) then
      set(ctx, conn, each)
      if each.applied then applied[#applied + 1] = each.name end
    elseif each.class == "carry" then
      each.can = "--settings safe sets it"
    end
  end
  return applied
end

-- A new session, in which settings of the database apply from its start, has to say the same as the source.
local function expect_applied(ctx, list, from)
  local to = state_of(ctx.target)
  for _, each in ipairs(list) do
    local wanted = from.server[each.name] and read.effective(from, each.name) or each.value
    if each.applied and read.effective(to, each.name) ~= wanted then
      ctx:warn(("%s was set, but a session of the target gets another value"):format(each.name))
    end
  end
end

-- What only Heroku sets, of what only the source's provider has set, is for the file: it is about machines.
local function is_for_people(each)
  return each.class ~= "cannot" and each.class ~= "never" or each.origin ~= "server"
end

local function show(ctx, list)
  local rows, hidden = {}, 0
  for _, each in ipairs(list) do
    local name = each.role and ("%s: %s"):format(each.role, each.name) or each.name
    if is_for_people(each) then rows[#rows + 1] = { name, each.source, each.target, each.can }
    else hidden = hidden + 1 end
  end
  if #rows > 0 then
    ctx:table { title = "Settings that differ", columns = { "setting", "source", "target was", "" }, rows = rows }
  end
  if hidden > 0 then ctx:note(("%d settings of the server differ too: settings_diff.csv"):format(hidden)) end
end

local function save(ctx, name, text) fs.write(("%s/%s.csv"):format(ctx.run.dir, name), text) end

local function save_diff(ctx, list)
  local rows = {}
  for i, each in ipairs(list) do
    rows[i] = { setting = each.name, role = each.role, set_on = each.origin, source = each.source,
                target = each.target, what = each.applied and "set on the database" or each.can }
  end
  save(ctx, "settings_diff", csv.text(rows, { "setting", "role", "set_on", "source", "target", "what" }))
end

local function run(ctx)
  local from, to = state_of(ctx.source), state_of(ctx.target)
  save(ctx, "settings_heroku", read.csv(to))
  local list = diff.list(from, to, plan_of(ctx))
  local applied = apply(ctx, list, ctx.params.settings or ctx.options.only)
  expect_applied(ctx, list, from)
  save_diff(ctx, list)
  show(ctx, list)
  if #applied > 0 then ctx:note("settings carried: " .. table.concat(applied, ", ")) end
  return { applied = applied, differing = #list }
end

local NAMED = 8

-- What the target has by itself shows only there: it may be the same.
local function plan(ctx)
  local how = ctx.params.settings or ctx.options.only
  local names = diff.candidates(state_of(ctx.source), how)
  if #names == 0 then return how == "none" and "settings are not carried" or "no settings to carry" end
  local more = #names > NAMED and (" and %d more"):format(#names - NAMED) or ""
  return ("~ what differs of %s: %s%s"):format(preflight.number(#names, "setting"),
    table.concat(names, ", ", 1, math.min(NAMED, #names)), more)
end

return recipe.step {
  id = "reapply_settings", title = "Reapply the settings", effect = "write", run = run, undo = false,
  options = { only = "safe" },
  plan = plan, estimate = 5,
}
