-- Upgrades of a database's major version in the Heroku stand-in (Data API). A sandbox runs one version, so a database
-- is always on the newest one: the calls answer as Heroku would then, and nothing is ever upgraded.

local data  = require "pgorch.sandbox.heroku.data"
local reply = require "pgorch.sandbox.heroku.reply"

local upgrade = {}

local function refuse_version(server, request)
  local addon, version = data.addon(server, request.at.id), reply.given(request.json.version)
  local major = server.target.server.major
  if version and tonumber(version) ~= major then
    reply.unprocessable(("Version %s is not available: this sandbox runs PostgreSQL %d."):format(tostring(version),
      major))
  end
  reply.unprocessable(("%s is already on PostgreSQL %d, the latest version."):format(addon.name, major))
end

--- Preparing and trying out is for leaders of dedicated plans.
local function refuse_essential(server, request)
  if data.addon(server, request.at.id).plan.essential then
    reply.unprocessable "You can only use this command on Standard-tier and higher leader databases."
  end
  refuse_version(server, request)
end

local function cancel(server, request)
  data.addon(server, request.at.id)
  reply.unprocessable "There is no upgrade to cancel."
end

local function wait_status(server, request)
  data.addon(server, request.at.id)
  return reply.json(200, { ["waiting?"] = false, message = "available" })
end

upgrade.routes = {
  { "POST", "/client/v11/databases/:id/upgrade/run", "upgrade", refuse_version },
  { "POST", "/client/v11/databases/:id/upgrade/prepare", "upgrade", refuse_essential },
  { "POST", "/client/v11/databases/:id/upgrade/dry_run", "upgrade", refuse_essential },
  { "POST", "/client/v11/databases/:id/upgrade/cancel", "upgrade", cancel },
  { "GET", "/client/v11/databases/:id/upgrade/wait_status", "upgrade.wait_status", wait_status },
}

return upgrade
