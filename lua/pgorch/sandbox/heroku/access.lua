-- Who may ask the Heroku stand-in, and how often: the token, suspended accounts, the second factor, the API version in
-- the Accept header, the budget of requests.

local clock  = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local reply  = require "pgorch.sandbox.heroku.reply"

local access = {}

local BUDGET, REFILL = 4500, 75 / 60          -- requests, and how many come back each second
local AUTHORIZED = 600                        -- seconds that a second factor holds for an app

access.NO_VERSION = "The requested API endpoint was not found. Are you using the right HTTP verb "
  .. "(i.e. `GET` vs. `POST`), and did you specify your intended version with the `Accept` header?"

--- A full budget; `refill` requests come back each second.
---@param size? integer
function access.budget(size)
  return { size = size or BUDGET, left = size or BUDGET, refill = REFILL, since = clock.time() }
end

--- Bearer, or Basic with the token as password: both hosts take both.
local function token_of(headers)
  local given = headers.authorization or ""
  local basic = given:match "^[Bb]asic%s+(.+)$"
  if not basic then return given:match "^[Bb]earer%s+(.+)$" end
  local ok, text = pcall(crypto.unbase64, basic)
  return ok and text:match "^[^:]*:(.*)$" or nil
end

--- Refuses who is not the account, and an account that may not do anything.
function access.authenticate(server, headers)
  if token_of(headers) ~= server.token then
    reply.refuse(401, "unauthorized", "Invalid credentials provided.")
  end
  if server.suspended then reply.refuse(403, "suspended", "Your account has been suspended.") end
  local factor = server.two_factor
  if factor and factor.account and headers["heroku-two-factor-code"] ~= factor.code then
    reply.refuse(403, "two_factor", "A second authentication factor or pre-authorization is required.")
  end
end

--- The reference of 2014 knew 406 for it; the service of later years answers 404 with this text.
function access.check_version(server, headers)
  if (headers.accept or ""):find("application/vnd%.heroku%+json; *version=3") then return end
  if server.no_version == 406 then
    reply.refuse(406, "not_acceptable", "Set the Accept header to application/vnd.heroku+json; version=3.")
  end
  reply.refuse(404, "not_found", access.NO_VERSION)
end

--- Takes one request from the budget, which fills itself again with time.
---@param is_free boolean|nil
function access.spend(server, is_free)
  local rate, now = server.rate, clock.time()
  rate.left = math.min(rate.size, rate.left + (now - rate.since) * rate.refill)
  rate.since = now
  if is_free then return end
  if rate.left < 1 then
    reply.refuse(429, "rate_limit",
      "Your account reached the API rate limit. Please wait a few minutes before making new requests",
      { url = "https://devcenter.heroku.com/articles/platform-api-reference#rate-limits" })
  end
  rate.left = rate.left - 1
end

--- PUT /apps/APP/pre-authorizations: the code for an app that asks for it.
function access.pre_authorize(server, request)
  local app = server.state:app(request.at.app, { unauthorized = true })
  local factor = server.two_factor
  if not factor or request.headers["heroku-two-factor-code"] ~= factor.code then
    reply.refuse(403, "two_factor", "The second authentication factor is not valid.",
      { app = { id = app.id, name = app.name } })
  end
  app.authorized_until = clock.time() + AUTHORIZED
  return reply.json(200, { id = crypto.uuid(), app = { id = app.id, name = app.name } })
end

return access
