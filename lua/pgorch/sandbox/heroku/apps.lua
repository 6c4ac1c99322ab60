-- Apps, account, config vars, formation, dynos and releases of the Heroku stand-in (Platform API v3).

local addons = require "pgorch.sandbox.heroku.addons"
local clock  = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local json   = require "pgorch.json"
local reply  = require "pgorch.sandbox.heroku.reply"

local apps = {}

local function shape(app)
  return { id = app.id, name = app.name, acm = false, archived_at = json.null, maintenance = app.maintenance,
    build_stack = { id = app.id, name = app.stack }, stack = { id = app.id, name = app.stack },
    buildpack_provided_description = json.null, created_at = app.created_at, updated_at = app.updated_at,
    released_at = app.released_at, generation = { id = app.id, name = "cedar" },
    git_url = ("https://git.heroku.com/%s.git"):format(app.name), internal_routing = json.null, owner = app.owner,
    organization = json.null, team = json.null, space = json.null, region = { id = app.id, name = app.region },
    repo_size = 0, slug_size = json.null, web_url = ("https://%s.herokuapp.com/"):format(app.name) }
end

local function random_name()
  return ("shielded-lake-%05d"):format(tonumber(crypto.hex(crypto.random(3)), 16) % 100000)
end

local function create(server, request)
  local name = request.json.name or random_name()
  if type(name) ~= "string" or #name > 30 or not name:match "^[a-z][a-z0-9%-]+[a-z0-9]$" then
    reply.invalid("Name must start with a letter, end with a letter or digit and can only contain lowercase "
      .. "letters, digits, and dashes.")
  end
  if server.state:is_taken(name) then reply.invalid(("Name %s is already taken"):format(name)) end
  return reply.json(201, shape(server.state:add_app { name = name, region = request.json.region,
    stack = request.json.stack }))
end

local function list(server, request)
  local own = {}
  for _, app in ipairs(server.state.apps) do
    if app.owner == server.state.account then own[#own + 1] = app end
  end
  return reply.page(request, own, { keys = { "name", "id", "updated_at" }, page = server.page, shape = shape })
end

local function info(server, request)
  return reply.json(200, shape(server.state:app(request.at.app)))
end

local function update(server, request)
  local app, changes = server.state:app(request.at.app), request.json
  if changes.maintenance ~= nil and type(changes.maintenance) ~= "boolean" then
    reply.invalid "Maintenance must be a boolean."
  end
  if changes.maintenance ~= nil then app.maintenance = changes.maintenance end
  if changes.name and changes.name ~= app.name then
    if server.state:is_taken(changes.name) then reply.invalid(("Name %s is already taken"):format(changes.name)) end
    app.name = changes.name
  end
  app.updated_at = clock.iso()
  return reply.json(200, shape(app))
end

local function delete(server, request)
  local app = server.state:app(request.at.app)
  for i = #server.state.addons, 1, -1 do
    local addon = server.state.addons[i]
    if addon.app == app then addons.destroy(server, addon) end
  end
  server.state.remove(server.state.apps, app)
  return reply.json(200, shape(app))
end

-- Config vars --------------------------------------------------------------------------------------------------

local function config(server, request)
  return reply.json(200, server.state:config(server.state:app(request.at.app)))
end

local function set_config(server, request)
  local app = server.state:app(request.at.app)
  local held = {}
  for _, each in ipairs(server.state:attachments_where(function(a) return a.app == app end)) do
    held[each.name .. "_URL"] = true
  end
  local names = {}
  for name, value in pairs(request.json) do
    if held[name] then reply.invalid(("Cannot overwrite attachment values %s."):format(name)) end
    if value ~= json.null and type(value) == "table" then reply.invalid(("%s must be a string."):format(name)) end
    names[#names + 1] = name
  end
  for name, value in pairs(request.json) do app.config[name] = value ~= json.null and tostring(value) or nil end
  table.sort(names)
  server.state:release(app, ("Set %s config vars"):format(table.concat(names, ", ")))
  return reply.json(200, server.state:config(app))
end

-- Formation, dynos, releases -------------------------------------------------------------------------------------

local function shape_process(app)
  return function(process)
    return { id = process.id, type = process.type, quantity = process.quantity, size = process.size,
      command = process.command,
      app = { id = app.id, name = app.name }, dyno_size = { name = process.size }, created_at = app.created_at,
      updated_at = app.updated_at }
  end
end

local function map(items, shape_of)
  local shown = json.array {}
  for i, item in ipairs(items) do shown[i] = shape_of(item) end
  return shown
end

local function formation(server, request)
  local app = server.state:app(request.at.app)
  return reply.json(200, map(app.formation, shape_process(app)))
end

--- The CLI sends quantities as strings, and relative ones with a sign.
local function new_quantity(process, wanted)
  local number = math.tointeger(tonumber(wanted))
  if not number then reply.invalid "Quantity must be an integer." end
  if type(wanted) == "string" and wanted:match "^[+-]" then number = process.quantity + number end
  if number < 0 then reply.invalid "Quantity must be at least 0." end
  return number
end

local function dyno(process, number)
  return { id = crypto.uuid(), name = ("%s.%d"):format(process.type, number), type = process.type, size = process.size,
    command = process.command, state = "up", attach_url = json.null, created_at = clock.iso(),
      updated_at = clock.iso() }
end

local function scale(app, kind, change)
  for _, process in ipairs(app.formation) do
    if process.type == kind or process.id == kind then
      local before = process.quantity
      if change.quantity ~= nil then process.quantity = new_quantity(process, change.quantity) end
      process.size = change.size or process.size
      app.stopping = app.stopping or {}
      for i = process.quantity + 1, before do app.stopping[#app.stopping + 1] = dyno(process, i) end
      return process
    end
  end
  reply.not_found("formation", ("Couldn't find that process type (%s)."):format(tostring(kind)))
end

local function set_formation(server, request)
  local app, changed = server.state:app(request.at.app), {}
  if type(request.json.updates) ~= "table" then reply.invalid "Updates must be an array." end
  for _, change in ipairs(request.json.updates) do changed[#changed + 1] = scale(app, change.type, change) end
  app.updated_at = clock.iso()
  return reply.json(200, map(changed, shape_process(app)))
end

local function set_process(server, request)
  local app = server.state:app(request.at.app)
  return reply.json(200, shape_process(app)(scale(app, request.at.type, request.json)))
end

--- A dyno that was scaled away is still there at the first look: it has 30 seconds to end.
local function dynos(server, request)
  local app, shown = server.state:app(request.at.app), json.array {}
  for _, process in ipairs(app.formation) do
    for i = 1, process.quantity do shown[#shown + 1] = dyno(process, i) end
  end
  for _, each in ipairs(app.stopping or {}) do shown[#shown + 1] = each end
  app.stopping = nil
  for _, each in ipairs(shown) do each.app = { id = app.id, name = app.name } end
  return reply.json(200, shown)
end

local function stop(server, request)
  server.state:app(request.at.app)
  return reply.json(202, {})
end

local function releases(server, request)
  local app = server.state:app(request.at.app)
  return reply.page(request, app.releases, { keys = { "version", "id" }, page = server.page, shape = function(each)
    return { id = each.id, version = each.version, description = each.description, status = "succeeded",
      current = each.version == #app.releases, created_at = each.created_at,
      updated_at = each.created_at, slug = json.null,
      app = { id = app.id, name = app.name }, user = server.state.account, addon_plan_names = json.array {},
      output_stream_url = json.null }
  end })
end

-- Account ------------------------------------------------------------------------------------------------------

local function account(server)
  local who = server.state.account
  return reply.json(200, { id = who.id, email = who.email, name = "Sandbox", verified = true,
    two_factor_authentication = false,
    federated = false, beta = false, allow_tracking = false, default_organization = json.null, default_team = json.null,
    country_of_residence = json.null, suspended_at = json.null, delinquent_at = json.null,
    created_at = "2020-01-01T00:00:00Z", updated_at = "2020-01-01T00:00:00Z", last_login = clock.iso() })
end

local function rate_limits(server)
  return reply.json(200, { remaining = server.rate.left })
end

local function regions()
  return reply.json(200, json.array { { id = crypto.uuid(), name = "us", private_capable = false },
    { id = crypto.uuid(), name = "eu", private_capable = false } })
end

local function nothing_there(server, request)
  if request.at.app then server.state:app(request.at.app) end
  reply.not_found("resource", "Not found.")
end

local function empty_list(server, request)
  server.state:app(request.at.app)
  return reply.json(200, json.array {})
end

apps.routes = {
  { "GET", "/account", "account", account },
  { "GET", "/account/rate-limits", "rate-limits", rate_limits, free = true },
  { "GET", "/regions", "regions", regions },
  { "GET", "/teams/:team", "team", nothing_there },
  { "POST", "/apps", "app.create", create },
  { "POST", "/teams/apps", "app.create", create },
  { "GET", "/apps", "apps", list },
  { "GET", "/apps/:app", "app", info },
  { "PATCH", "/apps/:app", "app.update", update },
  { "DELETE", "/apps/:app", "app.delete", delete },
  { "GET", "/apps/:app/config-vars", "config", config },
  { "PATCH", "/apps/:app/config-vars", "config.update", set_config },
  { "GET", "/apps/:app/formation", "formation", formation },
  { "PATCH", "/apps/:app/formation", "formation.update", set_formation },
  { "PATCH", "/apps/:app/formation/:type", "formation.update", set_process },
  { "POST", "/apps/:app/formations/:type/actions/stop", "formation.stop", stop },
  { "GET", "/apps/:app/dynos", "dynos", dynos },
  { "POST", "/apps/:app/dynos/:dyno/actions/stop", "dyno.stop", stop },
  { "GET", "/apps/:app/releases", "releases", releases },
  { "GET", "/apps/:app/collaborators", "collaborators", empty_list },
  { "GET", "/apps/:app/pipeline-couplings", "pipeline", nothing_there },
}

return apps
