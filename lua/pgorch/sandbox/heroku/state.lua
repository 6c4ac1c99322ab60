-- What the Heroku stand-in knows: accounts, apps, add-ons, attachments, transfers; and how they are found by name or
-- id.
-- Lives in memory as long as the world. Databases are made and dropped through the target, never here.

local clock  = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local reply  = require "pgorch.sandbox.heroku.reply"

local state = {}

---@class pgorch.sandbox.heroku.State
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

--- The app, or a refusal: 404 when there is none, 403 when it is somebody else's.
---@return table
function State:app(name_or_id)
  local app = find(self.apps, name_or_id)
  if not app then reply.not_found("app", "Couldn't find that app.") end
  if app.owner ~= self.account then
    reply.refuse(403, "forbidden", ("You do not have access to the app %s."):format(app.name))
  end
  return app
end

function State:is_taken(app_name)
  return find(self.apps, app_name) ~= nil
end

--- The add-on, or nil.
function State:find_addon(name_or_id)
  return find(self.addons, name_or_id)
end

---@return table
function State:addon(name_or_id)
  local addon = find(self.addons, name_or_id)
  if not addon or addon.app.owner ~= self.account then reply.not_found("add_on", "Couldn't find that add-on.") end
  return addon
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

--- A change of an app's config or slug makes a release, as at Heroku.
function State.release(_, app, description)
  local number = #app.releases + 1
  app.releases[number] = { id = crypto.uuid(), version = number, description = description, created_at = clock.iso() }
  app.updated_at, app.released_at = clock.iso(), clock.iso()
end

--- All config vars of an app: the plain ones and those that attachments set.
---@return table<string, string>
function State:config(app)
  local vars = {}
  for name, value in pairs(app.config) do vars[name] = value end
  for _, each in ipairs(self.attachments) do
    if each.app == app and each.addon.database then vars[each.name .. "_URL"] = each.addon.database.url end
  end
  return vars
end

--- Adds an app.
---@param o { name: string, owner: table?, region: string?, stack: string?, dynos: table<string, integer>?, config:
---table? }
function State:add_app(o)
  local now = clock.iso()
  local app = { id = crypto.uuid(), name = o.name, owner = o.owner or self.account, region = o.region or "us",
    stack = o.stack or "heroku-24", maintenance = false, created_at = now, updated_at = now, config = {},
      formation = {},
    releases = {}, transfers = {} }
  for name, value in pairs(o.config or {}) do app.config[name] = value end
  for kind, quantity in pairs(o.dynos or {}) do
    app.formation[#app.formation + 1] = { id = crypto.uuid(), type = kind, quantity = quantity, size = "Basic",
      command = "bin/" .. kind }
  end
  table.sort(app.formation, function(a, b) return a.type > b.type end)
  self.apps[#self.apps + 1] = app
  self:release(app, "Initial release")
  return app
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
  return setmetatable({ account = account, apps = {}, addons = {}, attachments = {}, serial = 0 }, State)
end

return state
