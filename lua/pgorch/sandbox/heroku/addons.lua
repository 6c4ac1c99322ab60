-- Add-ons of the Heroku stand-in: only Heroku Postgres is sold. A database is made when an add-on becomes provisioned,
-- which takes as many looks at it as the world was told (time does not count, so that tests need not wait).

local clock  = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local data   = require "pgorch.sandbox.heroku.data"
local faults = require "pgorch.sandbox.faults"
local json   = require "pgorch.json"
local names  = require "pgorch.sandbox.heroku.names"
local page   = require "pgorch.sandbox.heroku.page"
local plans  = require "pgorch.sandbox.heroku.plans"
local reply  = require "pgorch.sandbox.heroku.reply"
local roles  = require "pgorch.sandbox.heroku.roles"

local addons = {}

local function attachments_of(server, addon)
  return server.state:attachments_where(function(a) return a.addon == addon end)
end

--- Removes an add-on, its attachments and its database.
function addons.destroy(server, addon)
  if addon.transfer and not addon.transfer.finished_at then addon.transfer.stop() end
  for _, each in ipairs(attachments_of(server, addon)) do
    server.state.remove(server.state.attachments, each)
  end
  server.state.remove(server.state.addons, addon)
  addon.state = "deprovisioned"
  local database = addon.database
  addon.database = nil
  if database then
    server.target:drop(database)
    roles.drop_all(server, addon)
  end
end

function addons.drop_if_orphaned(server, addon)
  if #attachments_of(server, addon) == 0 then addons.destroy(server, addon) end
end

-- Provisioning -------------------------------------------------------------------------------------------------

local function make_database(server, addon)
  addon.busy = true
  local ok, database = pcall(server.target.create, server.target, addon.plan)
  addon.busy = nil
  if not ok then error(database, 0) end
  server.target:create_extensions(database, addon.extensions)
  addon.database, addon.state, addon.updated_at = database, "provisioned", clock.iso()
end

--- A fault makes it crawl (`looks` more of them, or not before `delay` seconds) or, without either, fail.
local function play(server, addon)
  local fault = faults.at(server.world, "worker.provision")
  if not fault then return end
  if not fault.looks and not fault.delay then
    addon.state, addon.updated_at = "deprovisioned", clock.iso()
  end
  addon.takes = addon.takes + (fault.looks or 0)
  if fault.delay then addon.not_before = clock.time() + fault.delay end
end

--- One look at an add-on: the last of those that it takes makes the database.
local function look(server, addon)
  if addon.state ~= "provisioning" or addon.busy then return end
  addon.looks = addon.looks + 1
  play(server, addon)
  local is_due = addon.looks > addon.takes and clock.time() >= addon.not_before
  if addon.state == "provisioning" and is_due then make_database(server, addon) end
end

local function shape(server, addon, request)
  local expand = request.headers["accept-expansion"] or ""
  local vars = json.array {}
  for _, each in ipairs(attachments_of(server, addon)) do
    if addon.database and each.app == addon.app then vars[#vars + 1] = each.name .. "_URL" end
  end
  local app = { id = addon.app.id, name = addon.app.name }
  return { id = addon.id, name = addon.name, state = addon.state, app = app, config_vars = vars,
    actions = json.array {}, addon_service = plans.SERVICE, billed_price = plans.price(addon.plan),
    plan = expand:find("plan", 1, true) and plans.shape(addon.plan) or { id = addon.plan.id, name = addon.plan.name },
    provider_id = addon.provider_id, billing_entity = { id = app.id, name = app.name, type = "app" },
    created_at = addon.created_at, updated_at = addon.updated_at,
    web_url = ("https://addons-sso.heroku.com/apps/%s/addons/%s"):format(app.id, addon.id) }
end

-- Making -------------------------------------------------------------------------------------------------------

--- Refuses what it cannot provide; gives the extensions that were asked for. Values of `config` are strings.
local function check_config(server, config)
  config = type(config) == "table" and config or {}
  local version = reply.given(config.version)
  if version and tonumber(version) ~= server.target.server.major then
    reply.invalid(("Version %s is not available: this sandbox runs PostgreSQL %d."):format(tostring(version),
      server.target.server.major))
  end
  for _, name in ipairs { "fork", "follow", "rollback" } do
    if reply.given(config[name]) then reply.invalid(("This sandbox cannot %s a database."):format(name)) end
  end
  local extensions = {}
  for name in tostring(reply.given(config.extensions) or ""):gmatch "[^,%s]+" do extensions[#extensions + 1] = name end
  return data.extensions(server, extensions)
end

local function wanted_name(server, given)
  given = reply.given(given)
  if not given then return names.random_addon(function(name) return server.state:is_addon_taken(name) end) end
  if type(given) ~= "string" or not given:match "^[a-zA-Z][A-Za-z0-9_-]+$" or #given > 256 then
    reply.invalid "Name must start with a letter and can only contain letters, digits, underscores and dashes."
  end
  if server.state:is_addon_taken(given) then reply.invalid(("Add-on name %s is already taken"):format(given)) end
  return given
end

local function add(server, app, asked)
  local plan = plans.wanted(reply.given(asked.plan))
  if plan.advanced then
    reply.unprocessable "This sandbox has no Heroku Postgres Advanced databases: pg:backups does not apply to them."
  end
  local extensions = check_config(server, asked.config)
  return { id = crypto.uuid(), name = wanted_name(server, asked.name), state = "provisioning", app = app,
    plan = plan, looks = 0, takes = server.provision_polls, not_before = 0, waits = 0,
    ready_after = server.missing_polls + server.wait_polls, credentials = {},
    extensions = extensions, schedules = {}, created_at = clock.iso(), updated_at = clock.iso(),
    provider_id = tostring(13277431 + #server.state.addons) }
end

--- The first database of an app is its DATABASE; one of a dedicated plan has a colour as well.
local function create(server, request)
  local app, asked = server.state:app(request.at.app), request.json
  local addon = add(server, app, asked)
  local as = type(asked.attachment) == "table" and reply.given(asked.attachment.name) or nil
  if not as and names.is_free(server, app, "DATABASE") then as = "DATABASE" end
  local attachment, displaced = names.attach(server, app, addon, { name = as,
    confirmed = asked.confirm == app.name })
  if attachment.name == "DATABASE" and not addon.plan.essential then names.attach(server, app, addon, {}) end
  table.insert(server.state.addons, addon)
  if displaced then addons.drop_if_orphaned(server, displaced) end
  local shown = shape(server, addon, request)
  shown.provision_message = "Database should be available soon"
  return reply.json(201, shown)
end

-- Reading ------------------------------------------------------------------------------------------------------

local function show(server, addon, request)
  look(server, addon)
  return reply.json(200, shape(server, addon, request))
end

local function show_all(server, request, wanted)
  local found = {}
  for _, addon in ipairs(server.state.addons) do
    if wanted(addon) then found[#found + 1] = addon end
  end
  return page.of(request, found, { keys = { "name", "id" }, page = server.page,
    shape = function(addon) return shape(server, addon, request) end })
end

local function of_app(server, request)
  local app = server.state:app(request.at.app)
  return show_all(server, request, function(addon)
    return addon.app == app or #server.state:attachments_where(function(a)
      return a.app == app and a.addon == addon
    end) > 0
  end)
end

local function list(server, request)
  return show_all(server, request, function(addon) return server.state:may_use(addon.app) end)
end

local function one_of_app(server, request)
  local app = server.state:app(request.at.app)
  local addon = server.state:addon(request.at.addon)
  if addon.app ~= app then reply.not_found("add_on", "Couldn't find that add-on.") end
  return addon
end

--- By add-on name or id, or by the name of an attachment or of its config var on the app.
local function resolve(server, request)
  local wanted, app = request.json.addon, reply.given(request.json.app)
  if type(wanted) ~= "string" then reply.invalid "addon is required." end
  local within = app and server.state:app(app)
  local found = server.state:find_addon(wanted)
  if not found and within then
    local attachment = names.held(server, within, wanted) or names.held(server, within, (wanted:gsub("_URL$", "")))
    found = attachment and attachment.addon
  end
  if not found then reply.not_found("add_on", "Couldn't find that add-on.") end
  return reply.json(200, json.array { shape(server, found, request) })
end

-- Changing -----------------------------------------------------------------------------------------------------

local function change_plan(server, request)
  local addon, plan = one_of_app(server, request), plans.wanted(request.json.plan)
  if plan.essential ~= addon.plan.essential or plan.advanced then
    reply.unprocessable(("A change from %s to %s is not possible in place."):format(addon.plan.slug, plan.slug))
  end
  addon.plan, addon.updated_at = plan, clock.iso()
  server.target:admin(nil, function(conn)
    conn:exec(("ALTER ROLE %s CONNECTION LIMIT %d"):format(addon.database.user, plan.connections))
  end)
  return reply.json(200, shape(server, addon, request))
end

--- One that other apps use, too, goes only by force.
local function delete(server, request)
  local addon = one_of_app(server, request)
  for _, each in ipairs(attachments_of(server, addon)) do
    if each.app ~= addon.app and request.json.force ~= true then
      reply.unprocessable(("%s is attached to other apps: detach it first."):format(addon.name))
    end
  end
  local shown = shape(server, addon, request)
  for _, each in ipairs(attachments_of(server, addon)) do
    server.state:release(each.app, ("Detach %s (@ref:%s)"):format(each.name, addon.name))
  end
  addons.destroy(server, addon)
  shown.state = "deprovisioned"
  return reply.json(200, shown)
end

addons.routes = {
  { "POST", "/apps/:app/addons", "addon.create", create },
  { "GET", "/apps/:app/addons", "addons", of_app },
  { "GET", "/apps/:app/addons/:addon", "addon",
    function(server, request) return show(server, one_of_app(server, request), request) end },
  { "PATCH", "/apps/:app/addons/:addon", "addon.update", change_plan },
  { "DELETE", "/apps/:app/addons/:addon", "addon.delete", delete },
  { "GET", "/addons", "addons", list },
  { "GET", "/addons/:addon", "addon",
    function(server, request) return show(server, server.state:addon(request.at.addon), request) end },
  { "POST", "/actions/addons/resolve", "addon.resolve", resolve },
}

return addons
