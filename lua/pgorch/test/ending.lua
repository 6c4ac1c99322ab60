-- How a world is once a run has ended, as names and texts, so that two worlds can be compared: one in which a run came
-- to its end undisturbed, and one in which its process was killed again and again. What is drawn anew in each world
-- (addresses, passwords, ports) is told by what it stands for.

local json = require "pgorch.json"
local left = require "pgorch.test.left"

local ending = {}

local TABLES = [[select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'm') and c.relispopulated and n.nspname not like 'pg\_%'
  and n.nspname <> 'information_schema'
  and not exists (select 1 from pg_depend d where d.objid = c.oid and d.deptype = 'e') order by 1]]
local SUM = "select count(*) || ' rows, sum ' || coalesce(sum(hashtextextended(t::text, 0)), 0) from %s t"
local SETTINGS = "select unnest(setconfig) as setting from pg_db_role_setting s join pg_database d on d.oid = "
  .. "s.setdatabase where d.datname = current_database() order by 1"

local function add_data(found, whose, conn)
  conn:exec "set search_path = ''"
  for _, row in ipairs(conn:query(TABLES)) do
    found[("%s: %s"):format(whose, row.name)] = conn:value(SUM:format(row.name))
  end
end

local function add_source(world, found)
  local conn <close> = world.source.cluster:connect(world.source.dbname)
  local settings = {}
  for i, row in ipairs(conn:query(SETTINGS)) do settings[i] = row.setting end
  found["the source's settings"] = table.concat(settings, ", ")
  add_data(found, "the source", conn)
end

-- What an address stands for.
local function meaning(world, value)
  for _, addon in ipairs(world.heroku.state.addons) do
    if addon.database and addon.database.url == value then return "the address of " .. addon.name end
  end
  return value:find "^postgres" and "another address" or value
end

local function add_app(world, app, found)
  for kind, quantity in pairs(world.heroku:dynos(app.name)) do
    found[("%s: dynos of %s"):format(app.name, kind)] = tostring(quantity)
  end
  found[app.name .. ": maintenance"] = tostring(app.maintenance)
  for name, value in pairs(world.heroku.state:config(app)) do
    found[("%s: %s"):format(app.name, name)] = meaning(world, value)
  end
end

local function add_addons(world, found)
  for _, addon in ipairs(world.heroku.state.addons) do
    found["the add-on " .. addon.name] = ("%s, %s, of %s"):format(addon.plan.name, addon.state, addon.app.name)
    if addon.database then
      local conn <close> = world.target.cluster:connect(addon.database.dbname)
      add_data(found, addon.name, conn)
    end
  end
end

local ARRAY = getmetatable(json.array {})

-- What an author's stand-in knows, as far as it is data: objects of the library differ from world to world.
local function add_value(name, value, found)
  if type(value) == "table" then
    local mark = getmetatable(value)
    if mark and mark ~= ARRAY and name:find("%..*%.") then return end
    for key, each in pairs(value) do add_value(("%s.%s"):format(name, tostring(key)), each, found) end
  elseif type(value) ~= "function" and type(value) ~= "userdata" then
    found[name] = tostring(value)
  end
end

local function add_stored(world, found)
  local objects, uploads = left.stored(world)
  for _, key in ipairs(objects) do found["the object " .. key] = "there" end
  for _, key in ipairs(uploads) do found["the upload " .. key] = "unfinished" end
end

---@param world pgorch.sandbox.World
---@param stand_ins string[]  names of the author's own
---@return table<string, string>
function ending.of(world, stand_ins)
  local found = {}
  for _, app in ipairs(world.heroku.state.apps) do add_app(world, app, found) end
  add_addons(world, found)
  add_source(world, found)
  add_stored(world, found)
  for _, name in ipairs(stand_ins) do
    for field, value in pairs(world[name]) do add_value(("world.%s.%s"):format(name, field), value, found) end
  end
  return found
end

---In which names two endings differ, in words.
---@param calm table<string, string>
---@param disturbed table<string, string>
---@return string[]
function ending.differences(calm, disturbed)
  local list = {}
  for name, value in pairs(calm) do
    if disturbed[name] ~= value then
      list[#list + 1] = ("%s: %s; undisturbed it is %s"):format(name, disturbed[name] or "gone", value)
    end
  end
  for name, value in pairs(disturbed) do
    if calm[name] == nil then list[#list + 1] = ("%s: %s; undisturbed it is not there"):format(name, value) end
  end
  table.sort(list)
  return list
end

return ending
