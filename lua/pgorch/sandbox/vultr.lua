-- The sandbox's Vultr API v2, on loopback: one account with three managed databases (`demo` is the world's source;
-- a second PostgreSQL and a MySQL one make a client choose) and an object storage labelled `pgorch` that is the
-- sandbox's S3 endpoint. Checks the bearer token, its access list and the rate, and knows nothing of runs.

local answer = require "pgorch.sandbox.vultr.answer"
local clock = require "pgorch.clock"
local contents = require "pgorch.sandbox.vultr.contents"
local crypto = require "pgorch.crypto"
local databases = require "pgorch.sandbox.vultr.databases"
local faults = require "pgorch.sandbox.faults"
local instances = require "pgorch.sandbox.vultr.instances"
local json = require "pgorch.json"
local settings = require "pgorch.sandbox.vultr.settings"
local stand_in = require "pgorch.sandbox.account"
local storage = require "pgorch.sandbox.vultr.storage"
local url = require "pgorch.sandbox.url"

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
  { "GET", "/v2/databases/plans", "plans", settings.plans },
  { "GET", "/v2/databases/([^/]+)", "database", databases.get },
  { "PUT", "/v2/databases/([^/]+)", "update_database", databases.update },
  { "DELETE", "/v2/databases/([^/]+)", "delete_database", databases.delete },
  { "GET", "/v2/databases/([^/]+)/usage", "usage", databases.usage },
  { "GET", "/v2/databases/([^/]+)/backups", "backups", databases.backups },
  { "GET", "/v2/databases/([^/]+)/dbs", "dbs", contents.dbs },
  { "POST", "/v2/databases/([^/]+)/dbs", "create_db", contents.create_db },
  { "GET", "/v2/databases/([^/]+)/dbs/([^/]+)", "db", contents.db },
  { "DELETE", "/v2/databases/([^/]+)/dbs/([^/]+)", "delete_db", contents.delete_db },
  { "GET", "/v2/databases/([^/]+)/users", "users", contents.users },
  { "POST", "/v2/databases/([^/]+)/users", "create_user", contents.create_user },
  { "GET", "/v2/databases/([^/]+)/users/([^/]+)", "user", contents.user },
  { "PUT", "/v2/databases/([^/]+)/users/([^/]+)", "update_user", contents.update_user },
  { "DELETE", "/v2/databases/([^/]+)/users/([^/]+)", "delete_user", contents.delete_user },
  { "GET", "/v2/databases/([^/]+)/connection%-pools", "pools", contents.pools },
  { "GET", "/v2/databases/([^/]+)/version%-upgrade", "versions", settings.versions },
  { "GET", "/v2/databases/([^/]+)/advanced%-options", "options", settings.options },
  { "PUT", "/v2/databases/([^/]+)/advanced%-options", "set_options", settings.set_options },
  { "POST", "/v2/databases/([^/]+)/alerts", "alerts", settings.alerts },
  { "GET", "/v2/databases/([^/]+)/migration", "migration", settings.migration },
  { "DELETE", "/v2/databases/([^/]+)/migration", "migration", settings.migration },
  { "GET", "/v2/object%-storage", "object_storages", storage.list },
  { "POST", "/v2/object%-storage", "create_object_storage", storage.create },
  { "GET", "/v2/object%-storage/clusters", "clusters", storage.clusters },
  { "GET", "/v2/object%-storage/tiers", "tiers", storage.tiers },
  { "GET", "/v2/object%-storage/clusters/([^/]+)/tiers", "tiers", storage.tiers },
  { "GET", "/v2/object%-storage/([^/]+)", "object_storage", storage.get },
  { "PUT", "/v2/object%-storage/([^/]+)", "update_object_storage", storage.update },
  { "DELETE", "/v2/object%-storage/([^/]+)", "delete_object_storage", storage.delete },
  { "POST", "/v2/object%-storage/([^/]+)/regenerate%-keys", "regenerate_keys", storage.regenerate_keys },
  { "GET", "/v2/object%-storage/([^/]+)/bucket", "buckets", storage.buckets },
  { "POST", "/v2/object%-storage/([^/]+)/bucket", "create_bucket", storage.create_bucket },
  { "DELETE", "/v2/object%-storage/([^/]+)/bucket/([^/]+)", "delete_bucket", storage.delete_bucket },
}

--- All operations, by the names of their faults.
---@return table<string, string>
function vultr.operations() return faults.operations("vultr", CALLS) end

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

--- More than 30 requests within a second are refused, as the real API does it, per address.
local function throttled(state, host)
  local now, window = clock.time(), state.windows[host]
  if not window or now - window.since >= 1 then
    window = { since = now, count = 0 }
    state.windows[host] = window
  end
  window.count = window.count + 1
  return window.count > state.rate
end

--- The key, and the addresses from which it may be used.
local function refusal(state, req)
  if req.headers.authorization ~= "Bearer " .. state.api_key then return answer.error(401, "Invalid API token.") end
  if not state.key_access then return nil end
  for _, address in ipairs(state.key_access) do
    if address == req.remote.host then return nil end
  end
  return answer.error(401, ("Unauthorized IP address: %s"):format(req.remote.host))
end

local function handle(state, req)
  local text = req.body and req.body:read_all(MAX_BODY) or ""
  if throttled(state, req.remote.host) then return answer.error(429, "Rate limit exceeded.") end
  local refused = refusal(state, req)
  if refused then return refused end
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

local function fault_answer(fault)
  return fault.html and answer.html(fault.answer) or answer.error(fault.answer, "An error was asked for.")
end

--- The name under which a request's faults are asked for.
---@param req table
---@return string
function vultr.operation(req)
  local call = route(req)
  return "vultr." .. (call and call[3] or "unknown")
end

-- Every address of this machine's own by which the source may be asked for.
local DEFAULT_TRUST = { "127.0.0.1/32", "::1/128", "198.51.100.7/32" }

--- The account's databases: `demo` is the source and shares its gate.
local function account_databases(world, opts)
  local source = world.source
  local found = {
    instances.real(world, { label = "demo", tag = "production", gate = source.gate, dbs = source.dbs, vpc = opts.vpc,
      backup_age = opts.backup_age, trusted_ips = opts.trusted_ips or DEFAULT_TRUST, region = opts.region,
      configuring_polls = opts.configuring_polls, configuring_seconds = opts.configuring_seconds }),
    instances.real(world, { label = "analytics", backup_age = 40 * 3600, trusted_ips = { "198.51.100.7/32" } }),
    instances.listed { label = "wordpress", engine = "mysql", version = 8, ca_pem = world.ca_pem },
  }
  for i = 1, opts.more or 0 do
    found[#found + 1] = instances.listed { label = ("more-%03d"):format(i), version = 16, ca_pem = world.ca_pem }
  end
  return found
end

local Api = stand_in.class()

--- Another database of the account, which stands for databases of the source's cluster, behind a gate of its own.
---@param o { label: string, dbname: string?, trusted_ips: string[]?, configuring_polls: integer? } see instances.real
---@return table entry {object, server}
function Api:add_database(o)
  return self:keep(instances.real(self.world, o))
end

--- Starts the API. `s3` is what the S3 stand-in's start returned.
---@param world { dir: string, source: table, ca_pem: string?, s3: table? }
---@param opts { s3: table?, port: integer?, api_key: string?, trusted_ips: string[]?, backup_age: number?,
---  configuring_polls: integer?, configuring_seconds: number?, pending_polls: integer?, vpc: boolean?, more: integer?,
---  region: string?, spelling: (fun(text: string): string)?, key_access: string[]?, rate: integer? }
---  backup_age in seconds; vpc: demo has a private host and a public one; more: so many databases more in the list;
---  spelling of regions and states, such as string.lower; key_access: the addresses from which the key works; rate:
---  requests per second and address
---@return table api {url (with /v2), port, api_key, state, close}
function vultr.start(world, opts)
  opts = opts or {}
  local s3 = opts.s3 or world.s3
  local state = { s3 = s3, api_key = opts.api_key or crypto.hex(crypto.random(18)):upper(), windows = {},
    rate = opts.rate or REQUESTS_PER_SECOND, databases = account_databases(world, opts), storages = {},
    spelling = opts.spelling, key_access = opts.key_access, pending_polls = opts.pending_polls }
  if s3 then
    state.storages[1] = storage.subscription(state, { label = "pgorch", status = "active", account = s3.account,
      access_key = s3.access_key, secret_key = s3.secret_key })
  end
  local api = setmetatable({ world = world, state = state, api_key = state.api_key,
    made = { state.databases[1], state.databases[2] } }, Api)
  return stand_in.serve(api, { name = "vultr", prefix = "/v2", port = opts.port, operation = vultr.operation,
    handle = function(req) return handle(state, req) end, fault_answer = fault_answer })
end

return vultr
