-- The app gets the new database: as DATABASE, or under each plain config var that held the source's address.
-- The old address stays on the app as OLD_<NAME>; a database that had the name keeps another attachment.

local recipe = require "pgorch.recipe"
local json   = require "pgorch.json"
local pg     = require "pgorch.pg"

-- Config vars that an attachment sets cannot be edited; only plain ones are looked at.
local function plain_vars(app)
  local config = app:config()
  for _, attachment in ipairs(app:attachments()) do
    for _, name in ipairs(attachment.config_vars or {}) do config[name] = nil end
  end
  return config
end

local function is_source(source, value)
  local ok, dsn = pcall(pg.dsn, value)
  if not ok or not dsn.host or dsn.dbname ~= source.dbname or (dsn.port or 5432) ~= source.port then return false end
  for _, host in ipairs(source.hosts or { source.host }) do
    if dsn.host == host then return true end
  end
  return false
end

-- Names of config vars ("DATABASE_URL") that hold the source's address, and of those that no attachment can replace.
local function holders(ctx)
  local names, others = {}, {}
  for name, value in pairs(plain_vars(ctx.target.app)) do
    if not name:match("^OLD_") and is_source(ctx.source, value) then
      local list = name:match("^[%u%d_]+_URL$") and names or others
      list[#list + 1] = name
    end
  end
  table.sort(names)
  table.sort(others)
  return names, others
end

-- Config vars and attachments are changed by requests of their own: Heroku makes two releases, and a release process
-- runs once without the var. It is the second one that is waited for.
local function replace(app, database, name)
  local value = plain_vars(app)[name]
  if value then app:set_config { ["OLD_" .. name] = value, [name] = json.null } end
  return database:promote((name:gsub("_URL$", "")))
end

local function run(ctx)
  ctx.target:claim(ctx)
  local app, database = ctx.target.app, ctx.target:database()
  local names, others = holders(ctx)
  if ctx.recall then names = ctx.recall.names end
  local before = app:attachment "DATABASE"
  local was = ctx.recall and ctx.recall.was
    or before and before.name == "DATABASE" and before.addon.id ~= database.id and before.addon.name or nil
  ctx:remember { names = names, was = was }
  if #names == 0 then database:promote "DATABASE" end
  for _, name in ipairs(names) do replace(app, database, name) end
  app:wait_for_release()
  for _, name in ipairs(others) do
    ctx:warn(("%s holds the source's address; no attachment can set it: change it by hand"):format(name))
  end
  local vars = #names > 0 and names or { "DATABASE_URL" }
  ctx:note(("%s -> %s"):format(table.concat(vars, ", "), database.name))
  return { names = names, was = was, vars = vars, addon = database.name }
end

local function take_off(app, database, name)
  for _, each in ipairs(app:attachments()) do
    if each.name == name and each.addon.id == database.id then app:detach(each.id) end
  end
end

local function undo(ctx, result)
  local app, database = ctx.target.app, ctx.target:database()
  for _, name in ipairs(result.names) do
    take_off(app, database, (name:gsub("_URL$", "")))
    local old = app:config()["OLD_" .. name]
    if old then app:set_config { [name] = old, ["OLD_" .. name] = json.null } end
  end
  if #result.names == 0 then
    if result.was then app:attach(result.was, "DATABASE") else take_off(app, database, "DATABASE") end
  end
  ctx:put_back((#result.names > 0 and table.concat(result.names, ", ") or "DATABASE") .. " as before")
end

local function plan(ctx)
  local names = ctx.target.app:info() and holders(ctx) or {}
  return ("~ %s -> the new database"):format(#names > 0 and table.concat(names, ", ") or "DATABASE")
end

return recipe.step {
  id = "cut_over", title = "Point the app to the new database", effect = "write", run = run, undo = undo, plan = plan,
  undo_when = "failure", point_of_no_return = true, stands = "the app uses the new database",
}
