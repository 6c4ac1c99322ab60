-- Add-ons of the Heroku stand-in: only Heroku Postgres is sold. A database is made when an add-on becomes provisioned,
-- which takes as many looks at it as the world was told (time does not count, so that tests need not wait).

local clock  = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local faults = require "pgorch.sandbox.faults"
local json   = require "pgorch.json"
local plans  = require "pgorch.sandbox.heroku.plans"
local reply  = require "pgorch.sandbox.heroku.reply"

local addons = {}

local COLOURS = { "AMBER", "AQUA", "BLACK", "BLUE", "BRONZE", "BROWN", "CHARCOAL", "COBALT", "COPPER", "CRIMSON",
  "CYAN", "GOLD", "GRAY", "GREEN", "IVORY", "JADE", "MAROON", "MAUVE", "NAVY", "OLIVE", "ONYX", "ORANGE", "PINK",
  "PUCE", "PURPLE",
  "RED", "ROSE", "SILVER", "TEAL", "VIOLET", "WHITE", "YELLOW" }
local ADJECTIVES = { "acute", "clean", "cubic", "deep", "flat", "graceful", "opaque", "rigid", "round", "solid",
  "tapered" }

-- Attaching ----------------------------------------------------------------------------------------------------

local function named(server, app, name)
  return server.state:attachments_where(function(a) return a.app == app and a.name == name end)[1]
end

local function is_free(server, app, name)
  return not named(server, app, name) and app.config[name .. "_URL"] == nil
end

local function next_colour(server, app)
  for _, colour in ipairs(COLOURS) do
    local name = "HEROKU_POSTGRESQL_" .. colour
    if is_free(server, app, name) then return name end
  end
  reply.invalid "All attachment names are taken."
end

--- Attaches an add-on to an app. Without a name: DATABASE for the add-on's first one if that is free, else a colour.
---@param confirmed boolean a name that another add-on holds may be taken from it
---@return table attachment
---@return table|nil displaced the add-on that had the name before
function addons.attach(server, app, addon, name, confirmed)
  if not name then name = next_colour(server, app) end
  if type(name) ~= "string" or not name:match "^[A-Z][A-Z0-9_]*$" then
    reply.invalid "Name must start with a letter and can only contain uppercase letters, numbers, and underscores."
  end
  local holder = named(server, app, name)
  if holder and holder.addon == addon then reply.invalid(("%s is already attached as %s"):format(addon.name, name)) end
  if not holder and app.config[name .. "_URL"] then
    reply.invalid(("Cannot overwrite config var %s_URL."):format(name))
  end
  if holder and not confirmed then
    reply.refuse(423, "confirmation_required",
      ("The attachment %s is held by %s; confirm with the name of the app."):format(name, holder.addon.name),
      nil, { ["X-Confirmation-Required"] = app.name })
  end
  if holder then server.state.remove(server.state.attachments, holder) end
  local attachment = { id = crypto.uuid(), name = name, app = app, addon = addon, created_at = clock.iso() }
  table.insert(server.state.attachments, attachment)
  return attachment, holder and holder.addon
end

--- Removes an add-on, its attachments and its database.
function addons.destroy(server, addon)
  if addon.transfer and not addon.transfer.finished_at then addon.transfer.stop() end
  for _, each in ipairs(server.state:attachments_where(function(a) return a.addon == addon end)) do
    server.state.remove(server.state.attachments, each)
  end
  server.state.remove(server.state.addons, addon)
  addon.state = "deprovisioned"
  local database = addon.database
  addon.database = nil
  if database then server.target:drop(database) end
end

function addons.drop_if_orphaned(server, addon)
  if #server.state:attachments_where(function(a) return a.addon == addon end) == 0 then
    addons.destroy(server, addon)
  end
end

-- Provisioning -------------------------------------------------------------------------------------------------

--- One look at an add-on: the last of those that it takes makes the database.
local function look(server, addon)
  if addon.state ~= "provisioning" or addon.busy then return end
  addon.looks = addon.looks + 1
  if faults.at(server.world, "worker.provision") then
    addon.state = "deprovisioned"
  elseif addon.looks > server.provision_polls then
    addon.busy = true
    local ok, database = pcall(server.target.create, server.target, addon.plan)
    addon.busy = nil
    if not ok then error(database, 0) end
    addon.database, addon.state, addon.updated_at = database, "provisioned", clock.iso()
  end
end

local function shape(server, addon, request)
  local expand = request.headers["accept-expansion"] or ""
  local vars = json.array {}
  local function is_own(a) return a.addon == addon and a.app == addon.app end
  for _, each in ipairs(server.state:attachments_where(is_own)) do
    if addon.database then vars[#vars + 1] = each.name .. "_URL" end
  end
  local app = { id = addon.app.id, name = addon.app.name }
  return { id = addon.id, name = addon.name, state = addon.state, app = app, config_vars = vars,
    actions = json.array {},
    addon_service = plans.SERVICE, billed_price = plans.price(addon.plan), provider_id = addon.provider_id,
    plan = expand:find("plan", 1, true) and plans.shape(addon.plan) or { id = addon.plan.id, name = addon.plan.name },
    billing_entity = { id = app.id, name = app.name, type = "app" }, created_at = addon.created_at,
      updated_at = addon.updated_at,
    web_url = ("https://addons-sso.heroku.com/apps/%s/addons/%s"):format(app.id, addon.id) }
end

local function pick_name(server)
  repeat
    local random = tonumber(crypto.hex(crypto.random(4)), 16)
    local name = ("postgresql-%s-%05d"):format(ADJECTIVES[1 + random % #ADJECTIVES], random % 100000)
    if not server.state:find_addon(name) then return name end
  until false
end

local function wanted_plan(value)
  local name = value
  if type(value) == "table" then name = value.id or value.name end
  local plan = type(name) == "string" and plans.find(name)
  if plan then return plan end
  reply.invalid(("Couldn't find either the add-on service or the add-on plan of \"%s\"."):format(tostring(name)))
end

local function check_version(server, config)
  local version = config and config.version
  if not version or version == json.null or tonumber(version) == server.target.server.major then return end
  reply.invalid(("Version %s is not available: this sandbox runs PostgreSQL %d."):format(tostring(version),
    server.target.server.major))
end

local function wanted_name(server, given)
  if not given or given == json.null then return pick_name(server) end
  if type(given) ~= "string" or not given:match "^[a-zA-Z][A-Za-z0-9_-]+$" or #given > 256 then
    reply.invalid "Name must start with a letter and can only contain letters, digits, underscores and dashes."
  end
  if server.state:find_addon(given) then reply.invalid(("Add-on name %s is already taken"):format(given)) end
  return given
end

local function create(server, request)
  local app, asked = server.state:app(request.at.app), request.json
  local plan = wanted_plan(asked.plan)
  check_version(server, asked.config)
  local addon = { id = crypto.uuid(), name = wanted_name(server, asked.name), state = "provisioning", app = app,
    plan = plan,
    looks = 0, waits = 0, created_at = clock.iso(), updated_at = clock.iso(),
    provider_id = tostring(13277431 + #server.state.addons) }
  local as = type(asked.attachment) == "table" and asked.attachment.name or nil
  if as == json.null then as = nil end
  if not as and is_free(server, app, "DATABASE") then as = "DATABASE" end
  local attachment = addons.attach(server, app, addon, as, false)
  if attachment.name == "DATABASE" and not plan.essential then addons.attach(server, app, addon, nil, false) end
  table.insert(server.state.addons, addon)
  server.state:release(app, ("Attach %s (@ref:%s)"):format(attachment.name, addon.name))
  local shown = shape(server, addon, request)
  shown.provision_message = "Database should be available soon"
  return reply.json(201, shown)
end

-- Reading ------------------------------------------------------------------------------------------------------

local function show(server, addon, request)
  look(server, addon)
  return reply.json(200, shape(server, addon, request))
end

local function of_app(server, request)
  local app, shown = server.state:app(request.at.app), json.array {}
  for _, addon in ipairs(server.state.addons) do
    local attached = server.state:attachments_where(function(a) return a.app == app and a.addon == addon end)
    if addon.app == app or #attached > 0 then shown[#shown + 1] = shape(server, addon, request) end
  end
  return reply.json(200, shown)
end

local function one_of_app(server, request)
  local app = server.state:app(request.at.app)
  local addon = server.state:addon(request.at.addon)
  if addon.app ~= app then reply.not_found("add_on", "Couldn't find that add-on.") end
  return show(server, addon, request)
end

local function list(server, request)
  local own = {}
  for _, addon in ipairs(server.state.addons) do
    if addon.app.owner == server.state.account then own[#own + 1] = addon end
  end
  return reply.page(request, own, { keys = { "id", "name" }, page = server.page,
    shape = function(addon) return shape(server, addon, request) end })
end

--- By add-on name or id, or by the name of an attachment or of its config var on the app.
local function resolve(server, request)
  local wanted, app = request.json.addon, request.json.app
  if type(wanted) ~= "string" then reply.invalid "addon is required." end
  local found = server.state:find_addon(wanted)
  if found and found.app.owner ~= server.state.account then found = nil end
  if not found and app and app ~= json.null then
    local within, name = server.state:app(app), wanted:gsub("_URL$", "")
    local attachment = named(server, within, wanted) or named(server, within, name)
    found = attachment and attachment.addon
  end
  if not found then reply.not_found("add_on", "Couldn't find that add-on.") end
  return reply.json(200, json.array { shape(server, found, request) })
end

local function change_plan(server, request)
  server.state:app(request.at.app)
  local addon = server.state:addon(request.at.addon)
  addon.plan, addon.updated_at = wanted_plan(request.json.plan), clock.iso()
  return reply.json(200, shape(server, addon, request))
end

local function delete(server, request)
  server.state:app(request.at.app)
  local addon = server.state:addon(request.at.addon)
  local shown = shape(server, addon, request)
  addons.destroy(server, addon)
  server.state:release(addon.app, ("Detach DATABASE (@ref:%s)"):format(addon.name))
  shown.state = "deprovisioned"
  return reply.json(200, shown)
end

local function list_plans(_, request)
  local shown = json.array {}
  for i, plan in ipairs(plans.list) do shown[i] = plans.shape(plan) end
  if request.at.plan then
    local plan = plans.find(request.at.plan) or plans.find("heroku-postgresql:" .. request.at.plan)
    if not plan then reply.not_found("plan", "Couldn't find that add-on plan.") end
    return reply.json(200, plans.shape(plan))
  end
  return reply.json(200, shown)
end

addons.routes = {
  { "POST", "/apps/:app/addons", "addon.create", create },
  { "GET", "/apps/:app/addons", "addons", of_app },
  { "GET", "/apps/:app/addons/:addon", "addon", one_of_app },
  { "PATCH", "/apps/:app/addons/:addon", "addon.update", change_plan },
  { "DELETE", "/apps/:app/addons/:addon", "addon.delete", delete },
  { "GET", "/addons", "addons", list },
  { "GET", "/addons/:addon", "addon",
    function(server, request) return show(server, server.state:addon(request.at.addon), request) end },
  { "POST", "/actions/addons/resolve", "addon.resolve", resolve },
  { "GET", "/addon-services/heroku-postgresql/plans", "plans", list_plans },
  { "GET", "/addon-services/heroku-postgresql/plans/:plan", "plans", list_plans },
  { "GET", "/plans/:plan", "plans", list_plans },
}

return addons
