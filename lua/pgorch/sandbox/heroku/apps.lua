-- Apps, personal and of teams, their config vars and releases in the Heroku stand-in (Platform API v3).

local addons = require "pgorch.sandbox.heroku.addons"
local clock  = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local faults = require "pgorch.sandbox.faults"
local json   = require "pgorch.json"
local page   = require "pgorch.sandbox.heroku.page"
local reply  = require "pgorch.sandbox.heroku.reply"

local apps = {}

local function shape(app)
  local owner = app.team and app.team.owner or app.owner
  local team = app.team and { id = app.team.id, name = app.team.name } or json.null
  return { id = app.id, name = app.name, acm = false, archived_at = json.null, maintenance = app.maintenance,
    build_stack = { id = app.id, name = app.stack }, stack = { id = app.id, name = app.stack },
    buildpack_provided_description = json.null, created_at = app.created_at, updated_at = app.updated_at,
    released_at = app.released_at, generation = { id = app.id, name = "cedar" }, create_status = "complete",
    git_url = ("https://git.heroku.com/%s.git"):format(app.name), internal_routing = json.null,
    owner = { id = owner.id, email = owner.email }, organization = team, team = team, space = json.null,
    region = { id = app.id, name = app.region }, repo_size = 0, slug_size = json.null,
    web_url = ("https://%s.herokuapp.com/"):format(app.name) }
end

local function random_name()
  return ("shielded-lake-%05d"):format(tonumber(crypto.hex(crypto.random(3)), 16) % 100000)
end

local function checked_name(server, name)
  if type(name) ~= "string" or #name > 30 or not name:match "^[a-z][a-z0-9%-]+[a-z0-9]$" then
    reply.invalid("Name must start with a letter, end with a letter or digit and can only contain lowercase "
      .. "letters, digits, and dashes.")
  end
  if server.state:is_taken(name) then reply.invalid(("Name %s is already taken"):format(name)) end
  return name
end

local function make(server, asked, team)
  return reply.json(201, shape(server.state:add_app { name = checked_name(server, reply.given(asked.name)
    or random_name()), team = team, owner = team and team.owner, region = reply.given(asked.region),
    stack = reply.given(asked.stack) }))
end

local function create(server, request)
  return make(server, request.json)
end

--- Without a team it is a personal app, as with POST /apps.
local function create_in_team(server, request)
  local asked = request.json
  if reply.given(asked.space) then reply.not_found("space", "Couldn't find that space.") end
  return make(server, asked, reply.given(asked.team) and server.state:team(asked.team) or nil)
end

local function show(server, request, wanted)
  local found = {}
  for _, app in ipairs(server.state.apps) do
    if server.state:may_use(app) and wanted(app) then found[#found + 1] = app end
  end
  return page.of(request, found, { keys = { "name", "id", "updated_at" }, page = server.page, shape = shape })
end

local function list(server, request)
  return show(server, request, function() return true end)
end

--- "~" is who asks. Teams' apps are not among them.
local function of_user(server, request)
  if request.at.user ~= "~" and request.at.user ~= server.state.account.email then
    reply.not_found("user", "Couldn't find that user.")
  end
  return show(server, request, function(app) return app.team == nil end)
end

local function of_team(server, request)
  local team = server.state:team(request.at.team)
  return show(server, request, function(app) return app.team == team end)
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
  if changes.name and changes.name ~= app.name then app.name = checked_name(server, changes.name) end
  app.updated_at = clock.iso()
  return reply.json(200, shape(app))
end

local function delete(server, request)
  local app = server.state:app(request.at.app)
  for i = #server.state.addons, 1, -1 do
    local addon = server.state.addons[i]
    if addon.app == app then addons.destroy(server, addon) end
  end
  for _, each in ipairs(server.state:attachments_where(function(a) return a.app == app end)) do
    server.state.remove(server.state.attachments, each)
  end
  server.state.remove(server.state.apps, app)
  return reply.json(200, shape(app))
end

-- Config vars and releases ---------------------------------------------------------------------------------------

local function config(server, request)
  return reply.json(200, server.state:config(server.state:app(request.at.app)))
end

--- What attachments set cannot be edited here: the attachment is to be moved.
local function check_changes(server, app, changes)
  local held = {}
  for _, each in ipairs(server.state:attachments_where(function(a) return a.app == app end)) do
    held[each.name .. "_URL"] = true
  end
  for name, value in pairs(changes) do
    if held[name] then reply.invalid(("Cannot overwrite attachment values %s."):format(name)) end
    if value ~= json.null and type(value) == "table" then reply.invalid(("%s must be a string."):format(name)) end
  end
end

local function set_config(server, request)
  local app, set, unset = server.state:app(request.at.app), {}, {}
  check_changes(server, app, request.json)
  for name, value in pairs(request.json) do
    local changed = value == json.null and unset or set
    changed[#changed + 1] = name
    app.config[name] = value ~= json.null and tostring(value) or nil
  end
  table.sort(set)
  table.sort(unset)
  local said = {}
  if #set > 0 then said[1] = ("Set %s config vars"):format(table.concat(set, ", ")) end
  if #unset > 0 then said[#said + 1] = ("Remove %s config vars"):format(table.concat(unset, ", ")) end
  server.state:release(app, table.concat(said, ", "))
  return reply.json(200, server.state:config(app))
end

--- A release process ends at the second look at its release: well, or as a fault says.
local function look(server, each)
  if each.status ~= "pending" then return end
  each.looks = (each.looks or 0) + 1
  if each.looks > 1 then each.status = faults.at(server.world, "worker.release") and "failed" or "succeeded" end
end

local function shape_release(server, app)
  return function(each)
    look(server, each)
    return { id = each.id, version = each.version, description = each.description, status = each.status,
      current = each.version == #app.releases, created_at = each.created_at, updated_at = each.created_at,
      slug = json.null, app = { id = app.id, name = app.name }, addon_plan_names = json.array {},
      user = { id = server.state.account.id, email = server.state.account.email }, output_stream_url = json.null }
  end
end

local function releases(server, request)
  local app = server.state:app(request.at.app)
  return page.of(request, app.releases, { keys = { "version", "id" }, page = server.page,
    shape = shape_release(server, app) })
end

local function release(server, request)
  local app = server.state:app(request.at.app)
  for _, each in ipairs(app.releases) do
    if each.id == request.at.release or tostring(each.version) == request.at.release then
      return reply.json(200, shape_release(server, app)(each))
    end
  end
  reply.not_found("release", "Couldn't find that release.")
end

-- Who else works on it -------------------------------------------------------------------------------------------

local function collaborators(server, request)
  local app = server.state:app(request.at.app)
  local people = { { id = app.id, user = app.owner, role = "owner" } }
  if app.is_shared then
    people[2] = { id = server.state.account.id, user = server.state.account, role = "collaborator" }
  end
  return page.of(request, people, { keys = { "id" }, page = server.page, shape = function(each)
    return { id = each.id, app = { id = app.id, name = app.name }, role = each.role, permissions = json.array {},
      user = { id = each.user.id, email = each.user.email, federated = false }, created_at = app.created_at,
      updated_at = app.created_at }
  end })
end

local function pipeline(server, request)
  server.state:app(request.at.app)
  reply.not_found("pipeline-coupling", "Couldn't find that pipeline coupling.")
end

apps.routes = {
  { "POST", "/apps", "app.create", create },
  { "POST", "/teams/apps", "app.create", create_in_team },
  { "GET", "/apps", "apps", list },
  { "GET", "/users/:user/apps", "apps", of_user },
  { "GET", "/teams/:team/apps", "apps", of_team },
  { "GET", "/apps/:app", "app", info },
  { "PATCH", "/apps/:app", "app.update", update },
  { "DELETE", "/apps/:app", "app.delete", delete },
  { "GET", "/apps/:app/config-vars", "config", config },
  { "PATCH", "/apps/:app/config-vars", "config.update", set_config },
  { "GET", "/apps/:app/releases", "releases", releases },
  { "GET", "/apps/:app/releases/:release", "release", release },
  { "GET", "/apps/:app/collaborators", "collaborators", collaborators },
  { "GET", "/apps/:app/pipeline-couplings", "pipeline", pipeline },
}

return apps
