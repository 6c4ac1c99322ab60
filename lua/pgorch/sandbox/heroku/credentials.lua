-- Credentials of a database in the Heroku stand-in (Data API, /postgres/v0): the default one, and on dedicated plans
-- others that users make. Each is a real role; a rotation is a new password.

local data  = require "pgorch.sandbox.heroku.data"
local json  = require "pgorch.json"
local reply = require "pgorch.sandbox.heroku.reply"
local roles = require "pgorch.sandbox.heroku.roles"

local credentials = {}

local function sessions_of(server, addon)
  local counted = {}
  server.target:admin(nil, function(conn)
    for _, row in ipairs(conn:query([[SELECT usename AS name, count(*) AS sessions FROM pg_stat_activity
      WHERE datname = $1 GROUP BY usename]], addon.database.dbname)) do counted[row.name] = row.sessions end
  end)
  return counted
end

local function shape(server, addon)
  local cluster, counted = server.target.cluster, sessions_of(server, addon)
  return function(each)
    return { uuid = each.uuid, name = each.name, state = "active", database = addon.database.dbname,
      host = cluster.host, port = cluster.port, credentials = json.array { { user = each.user,
        password = each.password, state = "active", connections = counted[each.user] or 0 } } }
  end
end

local function default_of(addon)
  return { uuid = addon.id, name = "default", user = addon.database.user, password = addon.database.password }
end

local function find(addon, name)
  if name == "default" then return default_of(addon) end
  return roles.find(addon, name) or reply.not_found("credential", "Couldn't find that credential.")
end

local function list(server, request)
  local addon = data.addon(server, request.at.id)
  return reply.list({ default_of(addon), table.unpack(addon.credentials) }, shape(server, addon))
end

local function one(server, request)
  local addon = data.addon(server, request.at.id)
  return reply.json(200, shape(server, addon)(find(addon, request.at.name)))
end

local function create(server, request)
  local addon, name = data.addon(server, request.at.id), request.json.name
  if addon.plan.essential then
    reply.unprocessable "You can't create a custom credential on Essential-tier databases."
  end
  if type(name) ~= "string" or not name:match "^[%w_-]+$" or #name > 50 then
    reply.invalid "Credential names can only contain letters, digits, underscores and dashes."
  end
  if name == "default" or roles.find(addon, name) then reply.invalid(("Credential %s already exists."):format(name)) end
  return reply.json(201, shape(server, addon)(roles.create(server, addon, name)))
end

local function destroy(server, request)
  local addon, name = data.addon(server, request.at.id), request.at.name
  if name == "default" then reply.unprocessable "The default credential can't be destroyed." end
  local credential = find(addon, name)
  local namespace = "credential:" .. name
  if #server.state:attachments_where(function(a) return a.addon == addon and a.namespace == namespace end) > 0 then
    reply.unprocessable(("Credential %s must be detached before it is destroyed."):format(name))
  end
  roles.drop(server, addon, credential)
  return reply.json(200, { message = "Credential destroyed." })
end

--- Apps that use the credential get the new URL in their config, and a release of it.
local function tell_apps(server, addon, namespace)
  local told = {}
  for _, each in ipairs(server.state:attachments_where(function(a)
    return a.addon == addon and a.namespace == namespace
  end)) do
    if not told[each.app] then server.state:release(each.app, ("Update %s by %s"):format(each.name, addon.name)) end
    told[each.app] = true
  end
end

local function rotate_one(server, addon, name)
  if name == "default" then
    server.target:rotate(addon.database)
    return tell_apps(server, addon, nil)
  end
  roles.rotate(server, addon, find(addon, name))
  tell_apps(server, addon, "credential:" .. name)
end

local function rotate(server, request)
  local addon = data.addon(server, request.at.id)
  rotate_one(server, addon, request.at.name)
  return reply.json(200, { message = ("Rotating credentials on %s"):format(addon.name) })
end

local function rotate_all(server, request)
  local addon = data.addon(server, request.at.id)
  rotate_one(server, addon, "default")
  for _, each in ipairs(addon.credentials) do rotate_one(server, addon, each.name) end
  return reply.json(200, { message = ("Rotating all credentials on %s"):format(addon.name) })
end

--- What a namespace of an add-on would set: how the CLI finds out whether a credential is there (Platform API).
local function namespace_config(server, request)
  local addon, name = server.state:addon(request.at.addon), request.at.namespace:match "^credential:(.+)$"
  local found = name and addon.database and roles.find(addon, name)
  if not found then return reply.json(200, json.array {}) end
  return reply.json(200, json.array { { name = "URL", value = found.url } })
end

credentials.routes = {
  { "GET", "/postgres/v0/databases/:id/credentials", "credentials", list },
  { "POST", "/postgres/v0/databases/:id/credentials", "credential.create", create },
  { "GET", "/postgres/v0/databases/:id/credentials/:name", "credentials", one },
  { "DELETE", "/postgres/v0/databases/:id/credentials/:name", "credential.delete", destroy },
  { "POST", "/postgres/v0/databases/:id/credentials/:name/credentials_rotation", "rotate", rotate },
  { "POST", "/postgres/v0/databases/:id/credentials_rotation", "rotate", rotate_all },
  { "GET", "/addons/:addon/config/:namespace", "addon.config", namespace_config },
}

return credentials
