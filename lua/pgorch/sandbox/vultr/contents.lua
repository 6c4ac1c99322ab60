-- What is inside an instance of the Vultr stand-in: users, logical databases, connection pools. Users are roles of the
-- cluster and databases are databases there: what the API makes, psql finds.

local answer = require "pgorch.sandbox.vultr.answer"
local crypto = require "pgorch.crypto"
local databases = require "pgorch.sandbox.vultr.databases"
local json = require "pgorch.json"

local contents = {}

--- Runs a handler with the server behind the instance: one that is only listed, or of another engine, has none.
local function with_server(handler)
  return databases.with(function(state, request, entry)
    if entry.object.status:lower() ~= "running" then return answer.error(412, "Database is not ready.") end
    if not entry.server or not entry.server.cluster then
      return answer.error(400, "The database is not the sandbox's own.")
    end
    return handler(entry, request, state)
  end)
end

-- Users ----------------------------------------------------------------------------------------------------------

local function user_object(user)
  return { username = user.name, password = user.password, encryption = "Default (SCRAM-SHA-256)" }
end

--- Runs a handler with the user that the path names.
local function with_user(handler)
  return with_server(function(entry, request)
    local user, index = entry.server:find_user(request.captures[2])
    if not user then return answer.error(404, "Invalid database user.") end
    return handler(entry, request, user, index)
  end)
end

function contents.users(state, request)
  return databases.with(function(_, _, entry)
    local users = {}
    for i, user in ipairs(entry.server and entry.server.users or {}) do users[i] = user_object(user) end
    return answer.page("users", users, request.arguments)
  end)(state, request)
end

contents.user = with_user(function(_, _, user) return answer.json(200, { user = user_object(user) }) end)

contents.create_user = with_server(function(entry, request)
  local given = request.json or {}
  local name, password = given.username, given.password or "AVNS_" .. crypto.hex(crypto.random(9))
  if type(name) ~= "string" or not name:find "^[%w_][%w_.-]*$" or #name > 32 then
    return answer.error(400, "Invalid username.")
  end
  if type(password) ~= "string" or #password < 8 then return answer.error(400, "Invalid password.") end
  local done, why = entry.server:create_user(name, password)
  if not done then return answer.error(422, "Unable to create user: " .. why) end
  return answer.json(201, { user = user_object(entry.server:find_user(name)) })
end)

contents.update_user = with_user(function(entry, request, user)
  local password = request.json and request.json.password
  if type(password) ~= "string" or #password < 8 then return answer.error(400, "Invalid password.") end
  local done, why = entry.server:set_password(user, password)
  if not done then return answer.error(422, "Unable to update user: " .. why) end
  if user.name == entry.object.user then entry.object.password = password end
  return answer.json(202, { user = user_object(user) })
end)

contents.delete_user = with_user(function(entry, _, user, index)
  if user.name == entry.object.user then return answer.error(400, "The default user cannot be deleted.") end
  local done, why = entry.server:drop_user(index)
  if not done then return answer.error(422, "Unable to delete user: " .. why) end
  return { status = 204 }
end)

-- Logical databases ----------------------------------------------------------------------------------------------

contents.dbs = databases.with(function(_, request, entry)
  local found = {}
  for i, name in ipairs(entry.server and entry.server.dbs or { entry.object.dbname }) do found[i] = { name = name } end
  return answer.page("dbs", found, request.arguments)
end)

contents.create_db = with_server(function(entry, request)
  local name = request.json and request.json.name
  if type(name) ~= "string" or not name:find "^[%w_][%w_-]*$" or #name > 40 then
    return answer.error(400, "Invalid database name.")
  end
  local done, why = entry.server:create_database(name)
  if not done then return answer.error(422, "Unable to create database: " .. why) end
  return answer.json(201, { db = { name = name } })
end)

contents.db = with_server(function(entry, request)
  local name = request.captures[2]
  if not entry.server:find_database(name) then return answer.error(404, "Invalid logical database.") end
  return answer.json(200, { db = { name = name } })
end)

contents.delete_db = with_server(function(entry, request)
  local index = entry.server:find_database(request.captures[2])
  if not index then return answer.error(404, "Invalid logical database.") end
  if request.captures[2] == entry.object.dbname then
    return answer.error(400, "The default database cannot be deleted.")
  end
  local done, why = entry.server:drop_database(index)
  if not done then return answer.error(422, "Unable to delete database: " .. why) end
  return { status = 204 }
end)

-- Pools ----------------------------------------------------------------------------------------------------------

--- Those that a test has put into the entry's `pools`: no pooler runs here.
contents.pools = databases.with(function(_, _, entry)
  local used, most = 0, 97
  if entry.server and entry.server.cluster then used, most = entry.server:connections() end
  return answer.json(200, { connections = { used = used, available = most - used, max = most },
    connection_pools = json.array(entry.pools or {}),
    meta = { total = #(entry.pools or {}), links = { next = "", prev = "" } } })
end)

return contents
