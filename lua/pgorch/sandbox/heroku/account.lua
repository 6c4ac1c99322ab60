-- The account, its teams, its request budget and the regions of the Heroku stand-in (Platform API v3).

local access = require "pgorch.sandbox.heroku.access"
local clock  = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local json   = require "pgorch.json"
local page   = require "pgorch.sandbox.heroku.page"
local reply  = require "pgorch.sandbox.heroku.reply"

local account = {}

local REGIONS = { { id = crypto.uuid(), name = "us", description = "United States", country = "United States" },
  { id = crypto.uuid(), name = "eu", description = "Europe", country = "Ireland" } }

local function info(server)
  local who = server.state.account
  return reply.json(200, { id = who.id, email = who.email, name = "Sandbox", verified = true,
    two_factor_authentication = server.two_factor ~= nil, federated = false, beta = false, allow_tracking = false,
    default_organization = json.null, default_team = json.null, country_of_residence = json.null,
    suspended_at = json.null, delinquent_at = json.null, created_at = "2020-01-01T00:00:00Z",
    updated_at = "2020-01-01T00:00:00Z", last_login = clock.iso() })
end

local function rate_limits(server)
  return reply.json(200, { remaining = math.floor(server.rate.left) })
end

local function regions(server, request)
  return page.of(request, REGIONS, { keys = { "name", "id" }, page = server.page, shape = function(region)
    return { id = region.id, name = region.name, description = region.description, country = region.country,
      locale = json.null, private_capable = false, created_at = "2012-01-01T00:00:00Z",
      updated_at = "2012-01-01T00:00:00Z" }
  end })
end

local function shape_team(team)
  return { id = team.id, name = team.name, role = "admin", type = "team", default = false, membership_limit = 25,
    credit_card_collections = true, provisioned_licenses = false, enterprise_account = json.null,
    identity_provider = json.null, created_at = team.created_at, updated_at = team.created_at }
end

local function teams(server, request)
  return page.of(request, server.state.teams, { keys = { "name", "id" }, page = server.page, shape = shape_team })
end

local function team(server, request)
  return reply.json(200, shape_team(server.state:team(request.at.team)))
end

account.routes = {
  { "GET", "/account", "account", info },
  { "GET", "/account/rate-limits", "rate-limits", rate_limits, free = true },
  { "GET", "/regions", "regions", regions },
  { "GET", "/teams", "teams", teams },
  { "GET", "/teams/:team", "team", team },
  { "PUT", "/apps/:app/pre-authorizations", "pre-authorization", access.pre_authorize },
}

return account
