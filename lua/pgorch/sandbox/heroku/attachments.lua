-- Attachments: the names under which an app sees an add-on, and the config vars that come of them.
-- An add-on that loses its last attachment is destroyed with its data, as at Heroku.

local addons = require "pgorch.sandbox.heroku.addons"
local json   = require "pgorch.json"
local reply  = require "pgorch.sandbox.heroku.reply"

local attachments = {}

local function shape(attachment, request)
  local addon, app = attachment.addon, attachment.app
  local shown = { id = attachment.id, name = attachment.name, namespace = json.null, app = { id = app.id,
    name = app.name },
    addon = { id = addon.id, name = addon.name, app = { id = addon.app.id, name = addon.app.name } },
    web_url = json.null, log_input_url = json.null, created_at = attachment.created_at,
      updated_at = attachment.created_at }
  local include = request.headers["accept-inclusion"] or ""
  if include:find("addon:plan", 1, true) then shown.addon.plan = { id = addon.plan.id, name = addon.plan.name } end
  -- Listed without asking too: the schema has them, and some commands of the CLI rely on it.
  shown.config_vars = json.array { attachment.name .. "_URL" }
  return shown
end

local function show_all(found, request)
  local shown = json.array {}
  for i, each in ipairs(found) do shown[i] = shape(each, request) end
  return reply.json(200, shown)
end

local function of_app(server, request)
  local app = server.state:app(request.at.app)
  return show_all(server.state:attachments_where(function(a) return a.app == app end), request)
end

local function list(server, request)
  return show_all(server.state:attachments_where(function(a) return a.app.owner == server.state.account end), request)
end

local function of_addon(server, request)
  local addon = server.state:addon(request.at.addon)
  return show_all(server.state:attachments_where(function(a) return a.addon == addon end), request)
end

local function find(server, id)
  local found = server.state:attachments_where(function(a) return a.id == id
    and a.app.owner == server.state.account end)
  return found[1] or reply.not_found("add_on attachment", "Couldn't find that add on attachment.")
end

--- By attachment name, config var, add-on name or any id. An attachment's own name wins over an add-on's.
local function resolve(server, request)
  local wanted, app = request.json.addon_attachment, request.json.app
  if type(wanted) ~= "string" then reply.invalid "addon_attachment is required." end
  local within = app and app ~= json.null and server.state:app(app) or nil
  local function visible(a) return a.app.owner == server.state.account and (not within or a.app == within) end
  local name = wanted:gsub("_URL$", "")
  local found = server.state:attachments_where(function(a)
    return visible(a) and (a.id == wanted or within ~= nil and (a.name == wanted or a.name == name))
  end)
  if #found == 0 then
    found = server.state:attachments_where(function(a)
      return visible(a) and (a.addon.name == wanted or a.addon.id == wanted)
    end)
  end
  if #found == 0 then reply.not_found("add_on attachment", "Couldn't find that add on attachment.") end
  return show_all(found, request)
end

local function name_or_id(value)
  if type(value) == "table" then return value.id or value.name end
  return value
end

local function create(server, request)
  local app = server.state:app(name_or_id(request.json.app))
  local addon = server.state:addon(name_or_id(request.json.addon))
  local name = request.json.name ~= json.null and request.json.name or nil
  local made, displaced = addons.attach(server, app, addon, name, request.json.confirm == app.name)
  server.state:release(app, ("Attach %s (@ref:%s)"):format(made.name, addon.name))
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
  { "GET", "/addons/:addon/addon-attachments", "attachments", of_addon },
  { "GET", "/addon-attachments", "attachments", list },
  { "GET", "/addon-attachments/:id", "attachment",
    function(server, request) return reply.json(200, shape(find(server, request.at.id), request)) end },
  { "POST", "/addon-attachments", "attachment.create", create },
  { "DELETE", "/addon-attachments/:id", "attachment.delete", delete },
  { "POST", "/actions/addon-attachments/resolve", "attachment.resolve", resolve },
}

return attachments
