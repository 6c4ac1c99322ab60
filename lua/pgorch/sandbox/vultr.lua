-- The sandbox's Vultr API v2, on loopback: one account with three managed databases (`demo` is the world's source;
-- a second PostgreSQL and a MySQL one make a client choose) and an object storage labelled `pgorch` that is the
-- sandbox's S3 endpoint. Checks the bearer token and the rate, and knows nothing of runs.

local answer = require "pgorch.sandbox.vultr.answer"
local clock = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local databases = require "pgorch.sandbox.vultr.databases"
local faults = require "pgorch.sandbox.faults"
local http_server = require "pgorch.http_server"
local json = require "pgorch.json"
local request_log = require "pgorch.sandbox.request_log"
local storage = require "pgorch.sandbox.vultr.storage"
local url = require "pgorch.sandbox.s3.url"

local vultr = {}

local REQUESTS_PER_SECOND = 30
local MAX_BODY = 1024 * 1024

local function account()
  return answer.json(200, { account = { name = "pgorch sandbox", email = "sandbox@example.com", balance = -12.5,
    pending_charges = 4.2, last_payment_date = "2026-11-01T00:00:00+00:00", last_payment_amount = -10,
    acls = json.array { "manage_users", "subscriptions_view", "subscriptions", "objstore" } } })
end

--- Every call: method, path, the name of its faults, the handler. The first that matches is taken.
local CALLS = {
  { "GET", "/v2/account", "account", account },
  { "GET", "/v2/databases", "databases", databases.list },
  { "GET", "/v2/databases/([^/]+)", "database", databases.get },
  { "PUT", "/v2/databases/([^/]+)", "update_database", databases.update },
  { "DELETE", "/v2/databases/([^/]+)", "delete_database", databases.delete },
  { "GET", "/v2/databases/([^/]+)/usage", "usage", databases.usage },
  { "GET", "/v2/databases/([^/]+)/backups", "backups", databases.backups },
  { "GET", "/v2/databases/([^/]+)/dbs", "dbs", databases.dbs },
  { "GET", "/v2/databases/([^/]+)/users", "users", databases.users },
  { "GET", "/v2/databases/([^/]+)/connection%-pools", "pools", databases.pools },
  { "GET", "/v2/object%-storage", "object_storages", storage.list },
  { "POST", "/v2/object%-storage", "create_object_storage", storage.create },
  { "GET", "/v2/object%-storage/clusters", "clusters", storage.clusters },
  { "GET", "/v2/object%-storage/tiers", "tiers", storage.tiers },
  { "GET", "/v2/object%-storage/clusters/9/tiers", "tiers", storage.tiers },
  { "GET", "/v2/object%-storage/([^/]+)", "object_storage", storage.get },
  { "PUT", "/v2/object%-storage/([^/]+)", "update_object_storage", storage.update },
  { "DELETE", "/v2/object%-storage/([^/]+)", "delete_object_storage", storage.delete },
  { "POST", "/v2/object%-storage/([^/]+)/regenerate%-keys", "regenerate_keys", storage.regenerate_keys },
  { "GET", "/v2/object%-storage/([^/]+)/bucket", "buckets", storage.buckets },
  { "POST", "/v2/object%-storage/([^/]+)/bucket", "create_bucket", storage.create_bucket },
  { "DELETE", "/v2/object%-storage/([^/]+)/bucket/([^/]+)", "delete_bucket", storage.delete_bucket },
}

--- The names of all operations.
---@return string[]
function vultr.operations()
  local found = {}
  for i, call in ipairs(CALLS) do found[i] = "vultr." .. call[3] end
  return found
end

---@return table|nil call
---@return string[] captures parts of the path
local function route(req)
  local path = #req.path > 1 and req.path:gsub("/$", "") or req.path
  for _, call in ipairs(CALLS) do
    if call[1] == req.method then
      local captures = { path:match("^" .. call[2] .. "$") }
      if captures[1] then return call, captures end
    end
  end
  return nil, {}
end

--- More than 30 requests within a second are refused, as the real API does it per address.
local function throttled(state)
  local now = clock.time()
  if now - state.second >= 1 then state.second, state.count = now, 0 end
  state.count = state.count + 1
  return state.count > REQUESTS_PER_SECOND
end

local function handle(state, req)
  local text = req.body and req.body:read_all(MAX_BODY) or ""
  if throttled(state) then return answer.error(429, "Rate limit exceeded.") end
  if req.headers.authorization ~= "Bearer " .. state.api_key then return answer.error(401, "Invalid API token.") end
  local call, captures = route(req)
  if not call then return answer.error(404, "Invalid API endpoint.") end
  local _, arguments = url.parameters(req.query)
  local request = { captures = captures, arguments = arguments }
  if text ~= "" then
    local ok, value = pcall(json.decode, text)
    if not ok then return answer.error(400, "Invalid JSON body.") end
    request.json = value
  end
  return call[4](state, request)
end

local function fault_answer(fault) return answer.error(fault.answer, "An error was asked for.") end

--- The name under which a request's faults are asked for.
---@param req table
---@return string
function vultr.operation(req)
  local call = route(req)
  return "vultr." .. (call and call[3] or "unknown")
end

local function instances(world, opts)
  local source = world.source
  local function entry(o, extra)
    extra = extra or {}
    return { object = databases.instance(o), dbs = extra.dbs, disk_gb = extra.disk_gb }
  end
  return {
    entry({ id = crypto.uuid(), label = "demo", tag = "production", host = source.host, port = source.port,
      user = source.user, password = source.password, dbname = source.dbname, version = source.version,
      ca_pem = source.ca_pem, backup_age = opts.backup_age,
      trusted_ips = opts.trusted_ips or { "127.0.0.1/32", "198.51.100.7/32" } },
      { dbs = source.dbs, disk_gb = source.disk_gb }),
    entry { id = crypto.uuid(), label = "analytics", host = "vultr-prod-analytics.vultrdb.invalid", port = 16752,
      user = "vultradmin", password = "AVNS_" .. crypto.hex(crypto.random(9)), dbname = "defaultdb", version = 16,
      ca_pem = world.ca_pem, backup_age = 40 * 3600, trusted_ips = { "198.51.100.7/32" } },
    entry { id = crypto.uuid(), label = "wordpress", engine = "mysql", version = 8, port = 16753,
      host = "vultr-prod-wordpress.vultrdb.invalid", user = "vultradmin", dbname = "defaultdb",
      password = "AVNS_" .. crypto.hex(crypto.random(9)), ca_pem = world.ca_pem },
  }
end

local Api = {}
Api.__index = Api

function Api:close() self.listener:close() end
Api.__close = Api.close

--- Starts the API. `s3` is what the S3 stand-in's start returned.
---@param world { dir: string, source: table, ca_pem: string?, s3: table? }
---@param opts { s3: table?, port: integer?, api_key: string?, trusted_ips: string[]?, backup_age: number?,
---  configuring_polls: integer? } backup_age in seconds
---@return table api {url (with /v2), port, api_key, state, close}
function vultr.start(world, opts)
  opts = opts or {}
  local s3 = opts.s3 or world.s3
  local state = { s3 = s3, api_key = opts.api_key or crypto.hex(crypto.random(18)):upper(), second = 0, count = 0,
    databases = instances(world, opts), storages = {}, configuring_polls = opts.configuring_polls }
  if s3 then
    state.storages[1] = storage.subscription(state, { label = "pgorch", status = "active", account = s3.account,
      access_key = s3.access_key, secret_key = s3.secret_key })
  end
  local handler = faults.wrap(world, vultr.operation, function(req) return handle(state, req) end, fault_answer)
  local listener = http_server.serve({ host = "127.0.0.1", port = opts.port or 0 },
    request_log.wrap("vultr", handler, world))
  return setmetatable({ state = state, listener = listener, port = listener.port, api_key = state.api_key,
    url = ("http://127.0.0.1:%d/v2"):format(listener.port) }, Api)
end

return vultr
