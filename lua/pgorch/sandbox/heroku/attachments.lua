-- Attachments: the names under which an app sees an add-on, and the config vars that come of them.
-- An add-on that loses its last attachment is destroyed with its data, as at Heroku.

local addons = require "pgorch.sandbox.heroku.addons"
local json   = require "pgorch.json"
local names  = require "pgorch.sandbox.heroku.names"
local page   = require "pgorch.sandbox.heroku.page"
local reply  = require "pgorch.sandbox.heroku.reply"
local roles  = require "pgorch.sandbox.heroku.roles"

local attachments = {}

--- config_vars are listed without asking, too: the schema has them, and some commands of the CLI rely on it.
local function shape(attachment, request)
  local addon, app = attachment.addon, attachment.app
  local shown = { id = attachment.id, name = attachment.name, namespace = attachment.namespace or json.null,
    app = { id = app.id, name = app.name },
    addon = { id = addon.id, name = addon.name, app = { id = addon.app.id, name = addon.app.name } },
    config_vars = json.array { attachment.name .. "_URL" }, web_url = json.null, log_input_url = json.null,
    created_at = attachment.created_at, updated_at = attachment.created_at }
  local include = request.headers["accept-inclusion"] or ""
  if include:find("addon:plan", 1, true) then shown.addon.plan = { id = addon.plan.id, name = addon.plan.name } end
  return shown
end

local function show(server, request, keys, wanted)
  return page.of(request, server.state:attachments_where(wanted), { keys = keys, page = server.page,
    shape = function(each) return shape(each, request) end })
end

local function of_app(server, request)
  local app = server.state:app(request.at.app)
  return show(server, request, { "name", "id" }, function(a) return a.app == app end)
end

local function of_addon(server, request)
  local addon = server.state:addon(request.at.addon)
  return show(server, request, { "id" }, function(a) return a.addon == addon end)
end

local function list(server, request)
  return show(server, request, { "id" }, function(a) return server.state:may_use(a.app) end)
end

local function find(server, id)
  local found = server.state:attachments_where(function(a) return a.id == id and server.state:may_use(a.app) end)
  return found[1] or reply.not_found("add_on attachment", "Couldn't find that add on attachment.")
end

--- By its name on the app, or its id.
local function one_of_app(server, request)
  local app, wanted = server.state:app(request.at.app), request.at.attachment
  local found = server.state:attachments_where(function(a)
    return a.app == app and (a.name == wanted or a.id == wanted)
  end)
  if #found == 0 then reply.not_found("add_on attachment", "Couldn't find that add on attachment.") end
  return reply.json(200, shape(found[1], request))
end

local function one(server, request)
  return reply.json(200, shape(find(server, request.at.id), request))
end

--- By attachment name, config var, add-on name or any id. An attachment's own name wins over an add-on's.
local function resolve(server, request)
  local wanted, app = request.json.addon_attachment, reply.given(request.json.app)
  if type(wanted) ~= "string" then reply.invalid "addon_attachment is required." end
  local within = app and server.state:app(app)
  local function visible(a) return server.state:may_use(a.app) and (not within or a.app == within) end
  local name = wanted:gsub("_URL$", "")
  local found = server.state:attachments_where(function(a)
    return visible(a) and (a.id == wanted or within and (a.name == wanted or a.name == name))
  end)
  if #found == 0 then
    found = server.state:attachments_where(function(a)
      return visible(a) and (a.addon.name == wanted or a.addon.id == wanted)
    end)
  end
  if #found == 0 then reply.not_found("add_on attachment", "Couldn't find that add on attachment.") end
  return reply.list(found, function(each) return shape(each, request) end)
end

local function name_or_id(value)
  if type(value) == "table" then return value.id or value.name end
  return value
end

--- "credential:NAME" of a credential that there is.
local function wanted_namespace(addon, namespace)
  if not namespace then return nil end
  local name = tostring(namespace):match "^credential:(.+)$"
  if not name or not roles.find(addon, name) then
    reply.not_found("namespace", ("Couldn't find the namespace %s."):format(tostring(namespace)))
  end
  return namespace
end

local function create(server, request)
  local asked = request.json
  local app = server.state:app(name_or_id(asked.app))
  local addon = server.state:addon(name_or_id(asked.addon))
  local made, displaced = names.attach(server, app, addon, { name = reply.given(asked.name),
    namespace = wanted_namespace(addon, reply.given(asked.namespace)), confirmed = asked.confirm == app.name })
  if displaced then addons.drop_if_orphaned(server, displaced) end
  return reply.json(201, shape(made, request))
end

local function delete(server, request)
  local attachment = find(server, request.at.id)
  server.state.remove(server.state.attachments, attachment)
  server.state:release(attachment.app, ("Detach %s (@ref:%s)"):format(attachment.name, attachment.addon.name))
  addons.drop_if_orphaned(server, attachment.addon)
  return reply.json(200, shape(attachment, request))
end

attachments.routes = {
  { "GET", "/apps/:app/addon-attachments", "attachments", of_app },
  { "GET", "/apps/:app/addon-attachments/:attachment", "attachment", one_of_app },
  { "GET", "/addons/:addon/addon-attachments", "attachments", of_addon },
  { "GET", "/addon-attachments", "attachments", list },
  { "GET", "/addon-attachments/:id", "attachment", one },
  { "POST", "/addon-attachments", "attachment.create", create },
  { "DELETE", "/addon-attachments/:id", "attachment.delete", delete },
  { "POST", "/actions/addon-attachments/resolve", "attachment.resolve", resolve },
}

return attachments
