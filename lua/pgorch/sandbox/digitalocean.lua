-- The sandbox's DigitalOcean API v2, on loopback: one account with three managed databases (`demo` stands for the
-- world's source; a second PostgreSQL and a MySQL one make a client choose). Checks the token and the rate, and knows
-- nothing of runs. Spaces have no API there: the sandbox's S3 endpoint is one.

local account = require "pgorch.sandbox.account"
local answer = require "pgorch.sandbox.digitalocean.answer"
local clock = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local databases = require "pgorch.sandbox.digitalocean.databases"
local faults = require "pgorch.sandbox.faults"
local json = require "pgorch.json"
local managed = require "pgorch.sandbox.managed"
local url = require "pgorch.sandbox.url"

local digitalocean = {}

local MAX_BODY = 1024 * 1024
local HOUR = 3600
local ADMIN = "doadmin"

local function about_account()
  return answer.json(200, { account = { email = "sandbox@example.com", uuid = crypto.uuid(), status = "active",
    droplet_limit = 10, email_verified = true } })
end

local ONE = "/v2/databases/([^/]+)"

--- Every call: method, path, the name of its faults, the handler.
local CALLS = {
  { "GET", "/v2/account", "account", about_account },
  { "GET", "/v2/databases", "databases", databases.list },
  { "GET", ONE, "database", databases.get },
  { "DELETE", ONE, "delete_database", databases.delete },
  { "GET", ONE .. "/ca", "ca", databases.ca },
  { "GET", ONE .. "/backups", "backups", databases.backups },
  { "GET", ONE .. "/dbs", "dbs", databases.dbs },
  { "GET", ONE .. "/pools", "pools", databases.pools },
  { "GET", ONE .. "/firewall", "firewall", databases.firewall },
  { "PUT", ONE .. "/firewall", "set_firewall", databases.set_firewall },
}

--- All operations, by the names of their faults.
---@return table<string, string>
function digitalocean.operations() return faults.operations("digitalocean", CALLS) end

local function route(req)
  for _, call in ipairs(CALLS) do
    local captures = { req.path:match("^" .. call[2] .. "$") }
    if call[1] == req.method and captures[1] then return call, captures end
  end
  return nil, {}
end

--- The hour's budget, which the headers of every answer tell; nil when it is spent.
local function count(state)
  local now = clock.time()
  if now >= state.reset then state.reset, state.used = math.floor(now) + HOUR, 0 end
  state.used = state.used + 1
  return { ["ratelimit-limit"] = tostring(state.rate), ["ratelimit-reset"] = tostring(state.reset),
    ["ratelimit-remaining"] = tostring(math.max(0, state.rate - state.used)) }, state.used <= state.rate
end

local function perform(api, req)
  local call, captures = route(req)
  if not call then return answer.not_found() end
  local text = req.body and req.body:read_all(MAX_BODY) or ""
  local _, arguments = url.parameters(req.query)
  local request = { captures = captures, arguments = arguments, url = api.url:gsub("/v2$", "") .. req.path }
  if text ~= "" then
    local ok, value = pcall(json.decode, text)
    if not ok then return answer.error(400, "bad_request", "The request body is not JSON.") end
    request.json = value
  end
  return call[4](api.state, request)
end

local function handle(api, req)
  if req.headers.authorization ~= "Bearer " .. api.state.token then
    return answer.error(401, "Unauthorized", "Unable to authenticate you")
  end
  local headers, within = count(api.state)
  local reply = within and perform(api, req)
  if not reply then
    reply = answer.error(429, "too_many_requests", "API Rate limit exceeded.")
    headers["retry-after"] = tostring(math.max(1, math.ceil(api.state.reset - clock.time())))
  end
  for name, value in pairs(headers) do reply.headers[name] = value end
  return reply
end

local function fault_answer(fault)
  if fault.html then return answer.html(fault.answer) end
  return answer.error(fault.answer, "server_error", "An error was asked for.")
end

--- The name under which a request's faults are asked for.
---@param req table
---@return string
function digitalocean.operation(req)
  local call = route(req)
  return "digitalocean." .. (call and call[3] or "unknown")
end

local Api = account.class()

--- Another database of the account, which stands for databases of the source's cluster.
---@param o { name: string, trusted: string[]?, dbs: string[]? } see databases.real
---@return table entry {object, server, rules}
function Api:add_database(o) return self:keep(databases.real(self.world, self.admin, o)) end

--- The URL of a database, as an app of a user's would have it.
---@param entry table
---@return string
function Api.database_url(_, entry)
  local login = entry.object.connection
  return ("postgres://%s:%s@%s:%d/%s?sslmode=require"):format(login.user, url.encode(login.password), login.host,
    login.port, login.database)
end

--- Starts the API.
---@param world { dir: string, source: table, ca_pem: string? }
---@param opts { port: integer?, token: string?, trusted: string[]?, backup_age: number|false|nil, rate: integer?,
---  hides_credentials: boolean?, changing_seconds: number?, more: integer? } trusted: rules of demo, none by default;
---  rate: requests an hour; hides_credentials: the token may not see passwords; more: so many databases more
---@return table api {url (with /v2), port, token, state, close}
function digitalocean.start(world, opts)
  opts = opts or {}
  local token = opts.token or "dop_v1_" .. crypto.hex(crypto.random(32))
  local state = { token = token, databases = {}, rate = opts.rate or 5000, used = 0, reset = 0,
    hides_credentials = opts.hides_credentials }
  local api = setmetatable({ world = world, state = state, token = token, made = {},
    admin = managed.admin(world.source, ADMIN) }, Api)
  api:add_database { name = "demo", trusted = opts.trusted, backup_age = opts.backup_age,
    changing_seconds = opts.changing_seconds }
  api:add_database { name = "analytics", trusted = { "198.51.100.7" } }
  api:keep(databases.listed { name = "wordpress", engine = "mysql", version = "8", ca_pem = world.ca_pem })
  for i = 1, opts.more or 0 do
    api:keep(databases.listed { name = ("more-%03d"):format(i), ca_pem = world.ca_pem })
  end
  return account.serve(api, { name = "digitalocean", prefix = "/v2", port = opts.port,
    operation = digitalocean.operation, handle = function(req) return handle(api, req) end,
    fault_answer = fault_answer })
end

return digitalocean
