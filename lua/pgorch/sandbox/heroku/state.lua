-- What the Heroku stand-in knows: the account and its teams, apps, add-ons, attachments, transfers; how they are found
-- by name or id, and who may see them. Lives in memory as long as the world. Databases are made and dropped through the
-- target, never here.

local clock  = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local reply  = require "pgorch.sandbox.heroku.reply"

local state = {}

---@class pgorch.sandbox.heroku.State
---@field account table
---@field teams table[]         those that the account is a member of
---@field apps table[]
---@field addons table[]
---@field attachments table[]
local State = {}
State.__index = State

local function find(list, name_or_id)
  for _, each in ipairs(list) do
    if each.name == name_or_id or each.id == name_or_id then return each end
  end
end

--- May the account use the app: its own, one of its teams', or one that it was invited to?
---@return boolean
function State:may_use(app)
  if app.owner == self.account or app.is_shared then return true end
  return app.team ~= nil and find(self.teams, app.team.id) ~= nil
end

--- An app that asks for a second factor lets nobody in until PUT pre-authorizations had the code.
local function check_second_factor(app)
  if not app.two_factor or app.authorized_until and clock.time() < app.authorized_until then return end
  reply.refuse(403, "two_factor", "A second authentication factor is required for this app.",
    { app = { id = app.id, name = app.name } })
end

--- The app, or a refusal: 404 when there is none, 403 when it is somebody else's.
---@param o? { unauthorized: boolean? } unauthorized: even before the second factor
---@return table
function State:app(name_or_id, o)
  local app = find(self.apps, name_or_id)
  if not app then reply.not_found("app", "Couldn't find that app.") end
  if not self:may_use(app) then
    reply.refuse(403, "forbidden", ("You do not have access to the app %s."):format(app.name))
  end
  if not (o and o.unauthorized) then check_second_factor(app) end
  return app
end

function State:is_taken(app_name)
  return find(self.apps, app_name) ~= nil
end

--- The team, or a refusal.
---@return table
function State:team(name_or_id)
  return find(self.teams, name_or_id) or reply.not_found("team", "Couldn't find that team.")
end

--- The add-on, or nil: one that the account may see.
function State:find_addon(name_or_id)
  local addon = find(self.addons, name_or_id)
  return addon and self:may_use(addon.app) and addon or nil
end

--- Names of add-ons are unique in all of Heroku.
function State:is_addon_taken(name)
  return find(self.addons, name) ~= nil
end

---@return table
function State:addon(name_or_id)
  return self:find_addon(name_or_id) or reply.not_found("add_on", "Couldn't find that add-on.")
end

--- The attachments that `test` accepts.
---@return table[]
function State:attachments_where(test)
  local found = {}
  for _, each in ipairs(self.attachments) do
    if test(each) then found[#found + 1] = each end
  end
  return found
end

--- A change of an app's config or slug makes a release, as at Heroku. With a release process it takes its time.
function State.release(_, app, description)
  local number, status = #app.releases + 1, "succeeded"
  for _, process in ipairs(app.formation) do
    if process.type == "release" then status = "pending" end
  end
  app.releases[number] = { id = crypto.uuid(), version = number, description = description, status = status,
    created_at = clock.iso() }
  app.updated_at, app.released_at = clock.iso(), clock.iso()
end

--- The URL that an attachment sets: of the default credential, or of the one that its namespace names.
local function url_of(attachment)
  local addon, name = attachment.addon, (attachment.namespace or ""):match "^credential:(.+)$"
  if not name then return addon.database.url end
  for _, credential in ipairs(addon.credentials or {}) do
    if credential.name == name then return credential.url end
  end
end

--- All config vars of an app: the plain ones and those that attachments set.
---@return table<string, string>
function State:config(app)
  local vars = {}
  for name, value in pairs(app.config) do vars[name] = value end
  for _, each in ipairs(self.attachments) do
    if each.app == app and each.addon.database then vars[each.name .. "_URL"] = url_of(each) end
  end
  return vars
end

--- Adds an app.
---@param o { name: string, owner: table?, team: table?, region: string?, stack: string?, config: table?,
---  dynos: table<string, integer>?, shared: boolean?, two_factor: boolean? }
function State:add_app(o)
  local now = clock.iso()
  local app = { id = crypto.uuid(), name = o.name, owner = o.owner or self.account, team = o.team,
    region = o.region or "us", stack = o.stack or "heroku-24", is_shared = o.shared, two_factor = o.two_factor,
    maintenance = false, created_at = now, updated_at = now, config = {}, formation = {}, releases = {},
    transfers = {} }
  for name, value in pairs(o.config or {}) do app.config[name] = value end
  for kind, quantity in pairs(o.dynos or {}) do
    app.formation[#app.formation + 1] = { id = crypto.uuid(), type = kind, quantity = quantity, size = "Basic",
      command = "bin/" .. kind }
  end
  self.apps[#self.apps + 1] = app
  self:release(app, "Initial release")
  return app
end

--- A team that the account is a member of. What the team owns belongs to an account of the team's own.
---@param name string
function State:add_team(name)
  local team = { id = crypto.uuid(), name = name, created_at = clock.iso() }
  team.owner = { id = crypto.uuid(), email = name .. "@herokumanager.com" }
  self.teams[#self.teams + 1] = team
end

--- Removes an item from a list.
function State.remove(list, item)
  for i, each in ipairs(list) do
    if each == item then return table.remove(list, i) end
  end
end

---@param email string
---@return pgorch.sandbox.heroku.State
function state.new(email)
  local account = { id = crypto.uuid(), email = email }
  return setmetatable({ account = account, teams = {}, apps = {}, addons = {}, attachments = {} }, State)
end

return state
