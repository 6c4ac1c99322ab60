-- An app at Heroku: its state, its dynos, its config, its add-ons and what is attached to it.
-- Nothing repeats a request that creates something; `create_database` looks first, and again after a lost answer.
-- Config values are secrets from the moment they are read.

local fail   = require "pgorch.error"
local json   = require "pgorch.json"
local task   = require "pgorch.task"
local poll   = require "pgorch.poll"
local plans  = require "pgorch.heroku.plans"

local M = {}

---@class pgorch.heroku.App
---@field client pgorch.heroku.Client
---@field name string
local App = {}
App.__index = App

---@return pgorch.heroku.App
function M.new(client, name)
  return setmetatable({ client = client, name = name, path = "/apps/" .. name }, App)
end

---What Heroku says of the app, or nil when there is none of that name.
function App:info()
  return (self.client:request("GET", self.path, nil, { missing = true }))
end

---Creates the app. A name that somebody else owns is PGO-HEROKU-APP.
---@param o? {region?: string, stack?: string, team?: string, space?: string}
function App:create(o)
  o = o or {}
  local in_team = o.team or o.space
  local ok, answer = pcall(self.client.request, self.client, "POST", in_team and "/teams/apps" or "/apps",
    { name = self.name, region = o.region, stack = o.stack, team = o.team, space = o.space })
  if ok then return answer end
  if answer.status == 422 then
    fail.raise("PGO-HEROKU-APP", ("the app %s cannot be created: %s"):format(self.name, answer.message),
      { detail = "app names are global: choose another with --app", cause = answer, status = 422 })
  end
  error(answer, 0)
end

---Turns maintenance mode on or off. Returns what it was before.
---@param on boolean
---@return boolean
function App:maintenance(on)
  local before = self.client:request("GET", self.path).maintenance
  if before ~= on then self.client:request("PATCH", self.path, { maintenance = on }) end
  return before
end

---@return {type: string, quantity: integer, size: string}[]
function App:formation()
  local list = {}
  for _, each in ipairs(self.client:list(self.path .. "/formation")) do
    list[#list + 1] = { type = each.type, quantity = math.tointeger(tonumber(each.quantity)), size = each.size }
  end
  return list
end

---Sets the number of dynos of each process type.
---@param list {type: string, quantity: integer}[]
function App:scale(list)
  if #list == 0 then return end
  local updates = json.array {}
  for _, each in ipairs(list) do updates[#updates + 1] = { type = each.type, quantity = each.quantity } end
  self.client:request("PATCH", self.path .. "/formation", { updates = updates })
end

---Dynos that run now, one-off dynos included.
---@return {name: string, type: string, state: string}[]
function App:dynos()
  return self.client:list(self.path .. "/dynos")
end

---Waits until no dyno of the formation runs any more; others (one-off, scheduled, release) are left alone and returned.
---@param seconds number
---@return table[] still_running
function App:wait_for_no_dynos(seconds)
  local deadline, of_formation, pause = task.now() + seconds, {}, poll.pace "dynos"
  for _, each in ipairs(self:formation()) do of_formation[each.type] = each.type ~= "release" end
  while true do
    local running, formation_runs = {}, false
    for _, dyno in ipairs(self:dynos()) do
      if dyno.state ~= "down" and dyno.state ~= "crashed" then
        running[#running + 1] = dyno
        formation_runs = formation_runs or of_formation[dyno.type]
      end
    end
    if not formation_runs or task.now() > deadline then return running end
    task.sleep(pause())
  end
end

---All config vars; every value is a secret.
---@return table<string, any>
function App:config()
  local text = self.client:request("GET", self.path .. "/config-vars", nil, { raw = true })
  return json.decode(text, { secrets = { "*" } })
end

---Changes config vars; json.null removes one. Makes a release and restarts the dynos.
---@param vars table<string, any>
function App:set_config(vars)
  self.client:request("PATCH", self.path .. "/config-vars", vars)
end

local RELEASE_LIMIT = 900        -- seconds: as long as Heroku's CLI waits

---Waits until the newest change of config is in effect. Only an app with a release process takes its time for that: its
---dynos run with the config of before until the process has ended well, and for good when it fails.
function App:wait_for_release()
  local has_process, deadline = false, task.now() + RELEASE_LIMIT
  for _, each in ipairs(self:formation()) do has_process = has_process or each.type == "release" end
  if not has_process then return end
  local newest = self.client:request("GET", self.path .. "/releases", nil,
    { headers = { Range = "version ..; order=desc,max=1" } })[1]
  if not newest then return end
  local pause = poll.pace "release"
  while newest.status == "pending" and task.now() < deadline do
    task.sleep(pause())
    newest = self.client:request("GET", ("%s/releases/%s"):format(self.path, newest.id))
  end
  if newest.status == "succeeded" then return end
  fail.raise("PGO-CUT-OVER", ("release v%d (%s) of %s is %s: the app runs with the config of before")
    :format(newest.version, newest.description, self.name, newest.status))
end

---@return table[] add-ons of the app
function App:addons()
  return self.client:list(self.path .. "/addons", { headers = { ["Accept-Expansion"] = "plan" } })
end

---One add-on by name or id, or nil.
function App:addon(name)
  return (self.client:request("GET", self.path .. "/addons/" .. name, nil,
    { missing = true, headers = { ["Accept-Expansion"] = "addon_service,plan" } }))
end

---As `addon`, but "not there" is believed only after two look-ups some seconds apart.
function App:addon_surely(name)
  local found = self:addon(name)
  if found then return found end
  task.sleep(poll.seconds "lookup")
  return self:addon(name)
end

---Removes an add-on and what is in it, for good. One that other apps use is refused.
---@param id string
function App:destroy_addon(id)
  self.client:request("DELETE", self.path .. "/addons/" .. id, { force = false }, { missing = true })
end

---Removes the app and its add-ons, for good.
function App:destroy()
  self.client:request("DELETE", self.path, nil, { missing = true })
end

-- Not confirmed: an attachment name that something else has by now is a refusal, not a loss.
local function post_database(self, o)
  return self.client:request("POST", self.path .. "/addons", {
    plan = { name = plans.full_name(o.plan) }, name = o.name,
    attachment = { name = o.attachment },
    config = { version = o.version and tostring(o.version) or nil },
  }, { headers = { ["Accept-Expansion"] = "plan", ["X-Heroku-Legacy-Provider-Messages"] = "true" } })
end

---Asks for a Heroku Postgres add-on under a name of our own, or finds the one that an earlier attempt asked for.
---@param o {plan: string, name: string, attachment?: string, version?: integer, maybe_asked?: boolean}
---@return table addon, boolean created
function App:create_database(o)
  plans.refuse_advanced(o.plan)
  local found
  if o.maybe_asked then found = self:addon_surely(o.name) else found = self:addon(o.name) end
  if found then return found, false end
  local ok, answer = pcall(post_database, self, o)
  if ok then return answer, true end
  if task.cancelled(answer) then error(answer, 0) end
  if answer.status == nil or answer.retryable then      -- the answer was lost: the add-on may be there, and billed
    found = self:addon_surely(o.name)
    if found then return found, true end
  elseif answer.status == 404 or answer.status == 422 then
    fail.raise("PGO-HEROKU-PLAN", ("%s was not provisioned: %s"):format(plans.full_name(o.plan), answer.message),
      { cause = answer, status = answer.status })
  end
  error(answer, 0)
end

---@return table[] attachments, each with addon.plan and config_vars
function App:attachments()
  return self.client:list(self.path .. "/addon-attachments",
    { sdk = true, headers = { ["Accept-Inclusion"] = "addon:plan,config_vars" } })
end

---The attachment of that name ("DATABASE"), or the first one of the add-on of that name; nil when there is none.
---@param name string
---@return table|nil
function App:attachment(name)
  local by_addon
  for _, each in ipairs(self:attachments()) do
    if each.name == name then return each end
    if each.addon.name == name or each.addon.id == name then by_addon = by_addon or each end
  end
  return by_addon
end

---Attaches an add-on; with a name that is taken, Heroku moves that name (`confirm` allows it).
---@param addon string name or id
---@param name? string attachment name; Heroku picks a colour without
function App:attach(addon, name)
  return self.client:request("POST", "/addon-attachments",
    { app = { name = self.name }, addon = { name = addon }, name = name, confirm = self.name, namespace = json.null })
end

---@param id string
function App:detach(id)
  self.client:request("DELETE", "/addon-attachments/" .. id, nil, { missing = true })
end

---@return pgorch.heroku.Database
function App:database(addon)
  return require("pgorch.heroku.database").new(self.client, self, addon)
end

return M
