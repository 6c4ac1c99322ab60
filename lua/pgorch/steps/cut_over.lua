-- The app gets the new database: as DATABASE (--as), or in the place of each plain config var that held the source's
-- address. The old address stays on the app as OLD_<NAME>; a database that had the name keeps another attachment. Never
-- before the databases were compared and the detector was asked in this run.

local recipe      = require "pgorch.recipe"
local config_vars = require "pgorch.config_vars"
local fail        = require "pgorch.error"
local json        = require "pgorch.json"
local moved       = require "pgorch.preflight.moved"
local planned     = require "pgorch.plan.database"

local NEEDS = { "verify", "nothing_was_written" }

-- By what was found, not by the order of the steps alone: --only must not come here without it.
local function refuse_unverified(ctx)
  local lacking = {}
  for _, id in ipairs(NEEDS) do
    if not ctx.result[id] then lacking[#lacking + 1] = id end
  end
  if #lacking == 0 then return end
  fail.raise("PGO-NOT-VERIFIED", "nothing has shown that the new database is the source: " .. table.concat(lacking,
    " and ") .. (#lacking > 1 and " have" or " has") .. " not run")
end

-- Everybody who uses the database that has the name now: they are not moved.
local function show_others(ctx, addon, name)
  local app, rows = ctx.target.app, {}
  for _, each in ipairs(app.client:list("/addons/" .. addon.id .. "/addon-attachments")) do
    if each.app.name ~= app.name or each.name ~= name then rows[#rows + 1] = { each.app.name, each.name } end
  end
  if #rows == 0 then return end
  ctx:table { title = addon.name .. " is also used by: they are not moved", columns = { "app", "as" }, rows = rows }
end

-- A pooler stands beside it under this name; it is the old database's, and Heroku moves it with no promotion.
local function warn_of_pooler(ctx, addon)
  local name = ctx.target.as .. "_CONNECTION_POOL"
  local pool = ctx.target.app:attachment(name)
  if not pool or pool.name ~= name or pool.addon.id ~= addon.id then return end
  ctx:warn(("%s still leads to %s: heroku pg:connection-pooling:attach %s --as %s --app %s"):format(name, addon.name,
    ctx.target:database().name, name, ctx.target.app.name))
end

local function promote_database(ctx, database)
  local app, as = ctx.target.app, ctx.target.as
  local before = app:attachment(as)
  if before and before.name == as and before.addon.id ~= database.id then
    show_others(ctx, before.addon, as)
    warn_of_pooler(ctx, before.addon)
  end
  local done = database:promote(as)
  if done.spare then ctx:note(("%s stays attached as %s"):format(done.was, done.spare)) end
end

-- Config vars and attachments are changed by requests of their own: Heroku makes two releases, and a release process
-- runs once without the var. It is the second one that is waited for.
local function replace(app, database, holder)
  local value = config_vars.plain(app)[holder.name]
  if value then app:set_config { [holder.old] = value, [holder.name] = json.null } end
  database:promote(holder.attachment)
end

-- The copy and its attachment: one release more, and the var is never without a value.
local function copy(ctx, database, holder)
  local app = ctx.target.app
  database:promote(holder.attachment)
  local value = config_vars.plain(app)[holder.name]
  if value and config_vars.is_source(ctx.source, value) then
    app:set_config { [holder.old] = value, [holder.name] = (database:url(holder.attachment)) }
  end
  ctx:warn(("%s holds a copy of the new address, which Heroku may change at any time: let the app read %s_URL")
    :format(holder.name, holder.attachment))
end

-- What an add-on is attached as on the app: {NAME = true}.
local function names_of(app, addon)
  local names = {}
  for _, each in ipairs(app:attachments()) do
    if each.addon.name == addon then names[each.name] = true end
  end
  return names
end

local function intent(ctx, database)
  if ctx.recall then return ctx.recall end
  moved.refuse(ctx, database.name)
  local app, as = ctx.target.app, ctx.target.as
  local before = app:attachment(as)
  local was = before and before.name == as and before.addon.id ~= database.id and before.addon.name or nil
  local new = { holders = config_vars.holders(app, ctx.source), was = was, names = was and names_of(app, was) }
  ctx:remember(new)
  return new
end

local function run(ctx)
  refuse_unverified(ctx)
  ctx.target:claim(ctx)
  local app, database = ctx.target.app, ctx.target:database()
  local todo, vars = intent(ctx, database), {}
  if #todo.holders == 0 then promote_database(ctx, database) end
  for i, holder in ipairs(todo.holders) do
    if holder.copy then copy(ctx, database, holder) else replace(app, database, holder) end
    vars[i] = holder.name
    ctx:note(("the old %s is kept in %s"):format(holder.name, holder.old))
  end
  app:wait_for_release()
  if #vars == 0 then vars = { ctx.target.as .. "_URL" } end
  ctx:note(("%s -> %s"):format(table.concat(vars, ", "), database.name))
  return { holders = todo.holders, was = todo.was, names = todo.names, vars = vars, addon = database.name,
           source = ctx.source:identity() }
end

-- An attempt that was cut short has not recorded how far it came: the app itself shows it.
local function reached(ctx, todo)
  local id, names = ctx.target:database().id, { [ctx.target.as] = #todo.holders == 0 or nil }
  for _, holder in ipairs(todo.holders) do names[holder.attachment] = true end
  for _, each in ipairs(ctx.target.app:attachments()) do
    if names[each.name] and each.addon.id == id then return true end
  end
  return false
end

local function take_off(app, database, name)
  for _, each in ipairs(app:attachments()) do
    if each.name == name and each.addon.id == database.id then app:detach(each.id) end
  end
end

-- The old value first where the var is not the attachment's: the app is never without one.
local function give_back(app, database, holder)
  if not holder.copy then take_off(app, database, holder.attachment) end
  local old = app:config()[holder.old]
  if old then app:set_config { [holder.name] = old, [holder.old] = json.null } end
  if holder.copy then take_off(app, database, holder.attachment) end
end

-- The name back, unless the run was killed before it was taken; then the colour off that kept the old database alive.
local function attach_again(app, as, result)
  local now = app:attachment(as)
  if not now or now.name ~= as or now.addon.name ~= result.was then app:attach(result.was, as) end
  for _, each in ipairs(app:attachments()) do
    local spare = each.addon.name == result.was and each.name:match "^HEROKU_POSTGRESQL_%u+$"
    if spare and result.names and not result.names[each.name] then app:detach(each.id) end
  end
end

local function undo(ctx, result)
  local app, database, names = ctx.target.app, ctx.target:database(), {}
  for i, holder in ipairs(result.holders or {}) do
    give_back(app, database, holder)
    names[i] = holder.name
  end
  if #names == 0 then
    names[1] = ctx.target.as
    if result.was then attach_again(app, names[1], result) else take_off(app, database, names[1]) end
  end
  ctx:put_back(table.concat(names, ", ") .. " as before")
end

-- Config vars and attachments by Heroku's own program, in the order of give_back.
local function by_hand(ctx, result)
  local app, list = ctx.target.app.name, {}
  local function add(text, ...) list[#list + 1] = ("heroku " .. text):format(...) .. " --app " .. app end
  for _, holder in ipairs(result.holders or {}) do
    if not holder.copy then add("addons:detach %s", holder.attachment) end
    add([[config:set %s="$(heroku config:get %s --app %s)"]], holder.name, holder.old, app)
    add("config:unset %s", holder.old)
    if holder.copy then add("addons:detach %s", holder.attachment) end
  end
  if #list == 0 and result.was then add("addons:attach %s --as %s --confirm %s", result.was, ctx.target.as, app) end
  if #list == 0 then add("addons:detach %s", ctx.target.as) end
  return table.concat(list, "\n")
end

local function replaces(holder, name)
  return ("~ %s -> %s (its value goes to %s; %s)"):format(holder.name, name, holder.old, holder.copy
    and "a copy of the new address" or "two releases, the first without it")
end

local function plan(ctx)
  local target, name, lines = ctx.target, planned.name(ctx), {}
  local app, as = target.app, target.as
  if not app:info() then return ("~ %s -> %s"):format(as, name) end
  for i, holder in ipairs(config_vars.holders(app, ctx.source)) do lines[i] = replaces(holder, name) end
  if #lines > 0 then return lines end
  local before = app:attachment(as)
  if not before or before.name ~= as then return ("~ %s -> %s"):format(as, name) end
  if not target:is_ours() and before.addon.id == target:database().id then return ("%s is %s"):format(as, name) end
  return ("~ %s -> %s (%s stays attached)"):format(as, name, before.addon.name)
end

-- They are of use as long as the source lives.
local function cleanup(_, result, row)
  local kept = {}
  for i, holder in ipairs(row and row.state == "done" and result and result.holders or {}) do
    kept[i] = { what = "config var " .. holder.old, state = "kept", why = "while the source lives" }
  end
  return kept
end

return recipe.step {
  id = "cut_over", title = "Point the app to the new database", effect = "write", run = run, undo = undo, plan = plan,
  by_hand = by_hand, undo_when = "failure", point_of_no_return = true, needs = NEEDS,
  stands = "the app uses the new database", cleanup = cleanup, reached = reached, estimate = 15, undo_estimate = 60,
}
