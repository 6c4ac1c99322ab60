-- What a run that is over has left in its world: objects and unfinished uploads, entries on allow lists, keys, names in
-- the record; and, where it was put back, an app or a source that is not as it was. Read from the stand-ins and the
-- servers themselves; nothing that pgorch says of itself counts. Changes nothing.

local json = require "pgorch.json"

local left = {}

local PROVIDERS = { "vultr", "linode", "digitalocean" }

local function sorted(list)
  table.sort(list)
  return table.concat(list, " ")
end

local function entries_of(database)
  local list = {}
  for _, each in ipairs(database.object.trusted_ips or database.object.allow_list or {}) do list[#list + 1] = each end
  for _, rule in ipairs(database.rules or {}) do list[#list + 1] = rule.value end
  return sorted(list)
end

local function add_providers(world, found)
  for _, name in ipairs(PROVIDERS) do
    local state = world[name] and world[name].state or {}
    for _, database in ipairs(state.databases or {}) do
      local label = database.object.label or database.object.name
      found[("the allow list of %s at %s"):format(label, name)] = entries_of(database)
    end
    local labels = {}
    for i, key in ipairs(state.keys or {}) do labels[i] = key.label end
    found["the storage keys at " .. name] = state.keys and sorted(labels)
  end
end

-- The fields of which an author's stand-in says that a run has to give them back.
local function add_stand_ins(world, names, found)
  for _, name in ipairs(names) do
    for _, field in ipairs(world[name].given_back or {}) do
      found[("world.%s.%s"):format(name, field)] = json.encode { world[name][field] }
    end
  end
end

---@param world pgorch.sandbox.World
---@return string "off", or nil without a cluster
local function read_only(world)
  if not (world.source and world.source.cluster) then return nil end
  local conn <close> = world.source.cluster:connect(world.source.dbname)
  return conn:value "show default_transaction_read_only"
end

local function apps_of(world)
  local found = {}
  for _, app in ipairs(world.heroku.state.apps) do
    found[app.name] = { dynos = json.encode(world.heroku:dynos(app.name)), maintenance = tostring(app.maintenance),
      DATABASE_URL = world.heroku.state:config(app).DATABASE_URL }
  end
  return found
end

---@class pgorch.test.Before   what a run has to leave as it is
---@field lists table<string, string>
---@field apps table<string, table<string, string>>
---@field read_only string|nil

---@param world pgorch.sandbox.World
---@param stand_ins string[]  names of the author's own
---@return pgorch.test.Before
function left.before(world, stand_ins)
  local lists = {}
  add_providers(world, lists)
  add_stand_ins(world, stand_ins, lists)
  return { lists = lists, apps = apps_of(world), read_only = read_only(world) }
end

---Keys of the objects and of the unfinished uploads in all of the world's buckets.
---@param world pgorch.sandbox.World
---@return string[] objects
---@return string[] uploads
function left.stored(world)
  local objects, uploads = {}, {}
  for name, bucket in pairs(world.s3.server and world.s3.server.buckets or {}) do
    for key in pairs(bucket.objects) do objects[#objects + 1] = ("%s/%s"):format(name, key) end
    for _, upload in pairs(bucket.uploads) do
      if not upload.completed then uploads[#uploads + 1] = ("%s/%s"):format(name, upload.key) end
    end
  end
  table.sort(objects)
  table.sort(uploads)
  return objects, uploads
end

local function differing(say, before, now)
  for name, text in pairs(before) do
    if now[name] ~= text then say("%s: %s, was %s", name, tostring(now[name]), text) end
  end
end

-- The address of the database is secret: that it differs is told, and nothing of it.
local function differing_apps(say, before, now)
  for app, was in pairs(before) do
    for name, text in pairs(was) do
      local is = now[app] and now[app][name]
      if is ~= text and name == "DATABASE_URL" then
        say("DATABASE_URL of %s is not what it was", app)
      elseif is ~= text then
        say("%s of %s: %s, was %s", name, app, tostring(is), text)
      end
    end
  end
end

---What is left, in words.
---@param world pgorch.sandbox.World
---@param stand_ins string[]
---@param before pgorch.test.Before
---@param o {put_back: boolean, keeps_dump: boolean|nil, names: string[]}  names: that the record still holds
---@return string[]
function left.since(world, stand_ins, before, o)
  local list, now = {}, left.before(world, stand_ins)
  local function say(text, ...) list[#list + 1] = text:format(...) end
  local objects, uploads = left.stored(world)
  for _, each in ipairs(o.keeps_dump and {} or objects) do say("the object %s", each) end
  for _, each in ipairs(uploads) do say("an unfinished upload of %s", each) end
  for _, each in ipairs(o.names) do say("the name %s in the record", each) end
  differing(say, before.lists, now.lists)
  if o.put_back then
    differing_apps(say, before.apps, now.apps)
    if now.read_only ~= before.read_only then say("the source's read-only setting: %s", tostring(now.read_only)) end
  end
  table.sort(list)
  return list
end

return left
