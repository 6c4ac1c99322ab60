-- The sandbox's Linode API v4, on loopback: one account with four managed databases (`demo` stands for the world's
-- source; a second PostgreSQL, a MySQL one and one that is being made give a client something to choose from) and
-- object storage at the sandbox's S3 endpoint. Checks tokens, scopes and rates, and knows nothing of runs.

local answer = require "pgorch.sandbox.linode.answer"
local buckets = require "pgorch.sandbox.linode.buckets"
local crypto = require "pgorch.crypto"
local databases = require "pgorch.sandbox.linode.databases"
local faults = require "pgorch.sandbox.faults"
local instances = require "pgorch.sandbox.linode.instances"
local json = require "pgorch.json"
local keys = require "pgorch.sandbox.linode.keys"
local limits = require "pgorch.sandbox.linode.limits"
local managed = require "pgorch.sandbox.managed"
local objects = require "pgorch.sandbox.linode.objects"
local places = require "pgorch.sandbox.linode.places"
local settings = require "pgorch.sandbox.linode.settings"
local stand_in = require "pgorch.sandbox.account"
local url = require "pgorch.sandbox.url"

local linode = {}

local MAX_BODY = 1024 * 1024
local ADMIN = "akmadmin"

local function profile()
  return answer.json(200, { username = "sandbox", email = "sandbox@example.com", restricted = false, timezone = "GMT" })
end

local function account()
  return answer.json(200, { email = "sandbox@example.com", company = "pgorch sandbox", balance = 0,
    balance_uninvoiced = 4.2, capabilities = json.array { "Managed Databases", "Object Storage" } })
end

local function endpoints(state, request)
  local found = places.endpoints(state)
  for _, each in ipairs(found) do each.s3_endpoint = each.s3_endpoint or json.null end
  return answer.page(found, request)
end

local function clusters(state, request)
  local host = places.host(state)
  return answer.page({ { id = places.CLUSTER, domain = host, region = places.REGION, status = "available",
    static_site_domain = "website-" .. host } }, request)
end

local ONE = "/databases/(%a+)/instances/(%d+)"
local BUCKET = "/object%-storage/buckets/([^/]+)/([^/]+)"

--- Every call: method, path, the name of its faults, the handler, and whether it gives a list in pages.
local CALLS = {
  { "GET", "/profile", "profile", profile },
  { "GET", "/account", "account", account },
  { "GET", "/databases/engines", "engines", settings.engines, true },
  { "GET", "/databases/engines/(.+)", "engine", settings.engine },
  { "GET", "/databases/types", "types", settings.types, true },
  { "GET", "/databases/types/([^/]+)", "type", settings.type },
  { "GET", "/databases/instances", "instances", databases.all, true },
  { "GET", "/databases/(%a+)/config", "config", settings.config },
  { "GET", "/databases/(%a+)/instances", "databases", databases.list, true },
  { "GET", ONE, "database", databases.get },
  { "PUT", ONE, "update_database", databases.update },
  { "DELETE", ONE, "delete_database", databases.delete },
  { "GET", ONE .. "/credentials", "credentials", databases.credentials },
  { "POST", ONE .. "/credentials/reset", "reset_credentials", databases.reset_credentials },
  { "GET", ONE .. "/ssl", "ssl", databases.ssl },
  { "POST", ONE .. "/suspend", "suspend", databases.suspend },
  { "POST", ONE .. "/resume", "resume", databases.resume },
  { "GET", ONE .. "/connection%-pools", "pools", databases.pools, true },
  { "GET", ONE .. "/backups", "backups", databases.backups, true },
  { "POST", ONE .. "/backups", "create_backup", databases.create_backup },
  { "GET", "/object%-storage/endpoints", "endpoints", endpoints, true },
  { "GET", "/object%-storage/clusters", "clusters", clusters, true },
  { "GET", "/object%-storage/keys", "keys", keys.list, true },
  { "POST", "/object%-storage/keys", "create_key", keys.create },
  { "GET", "/object%-storage/keys/(%d+)", "key", keys.get },
  { "PUT", "/object%-storage/keys/(%d+)", "update_key", keys.update },
  { "DELETE", "/object%-storage/keys/(%d+)", "delete_key", keys.delete },
  { "GET", "/object%-storage/buckets", "buckets", buckets.list, true },
  { "POST", "/object%-storage/buckets", "create_bucket", buckets.create },
  { "GET", "/object%-storage/buckets/([^/]+)", "region_buckets", buckets.list_region, true },
  { "GET", BUCKET, "bucket", buckets.get },
  { "DELETE", BUCKET, "delete_bucket", buckets.delete },
  { "GET", BUCKET .. "/access", "access", buckets.access },
  { "POST", BUCKET .. "/access", "set_access", buckets.set_access },
  { "PUT", BUCKET .. "/access", "set_access", buckets.set_access },
  { "GET", BUCKET .. "/object%-list", "objects", objects.list },
  { "POST", BUCKET .. "/object%-url", "object_url", objects.url },
  { "GET", BUCKET .. "/object%-acl", "object_acl", objects.acl },
  { "PUT", BUCKET .. "/object%-acl", "set_object_acl", objects.set_acl },
}

--- All operations, by the names of their faults.
---@return table<string, string>
function linode.operations() return faults.operations("linode", CALLS) end

--- The call of a request, whatever its version; without one, whether its path is known.
---@return table|nil call
---@return string[] captures parts of the path
---@return boolean known
local function route(req)
  local path = req.path:match "^/v4beta(/.*)$" or req.path:match "^/v4(/.*)$" or ""
  local known = false
  for _, call in ipairs(CALLS) do
    local captures = { path:match("^" .. call[2] .. "$") }
    if captures[1] then
      if call[1] == req.method then return call, captures, true end
      known = true
    end
  end
  return nil, {}, known
end

local SCOPES = { databases = "databases", ["object-storage"] = "object_storage", account = "account" }

local function perform(state, req, token, call, captures)
  local kind = req.path:match "^/v4%a*/([%w-]+)"
  local refused = limits.refusal(token, SCOPES[kind], req.method)
  if refused then return refused end
  local text = req.body and req.body:read_all(MAX_BODY) or ""
  local _, arguments = url.parameters(req.query)
  for i, each in ipairs(captures) do captures[i] = url.decode(each) end
  local request = { captures = captures, arguments = arguments, filter = req.headers["x-filter"] }
  if text ~= "" then
    local ok, value = pcall(json.decode, text)
    if not ok then return answer.error(400, "Invalid JSON") end
    request.json = value
  end
  return call[4](state, request)
end

local function handle(state, req)
  local token = state.tokens[(req.headers.authorization or ""):match "^[Bb]earer (.+)$" or ""]
  if not token then return answer.error(401, "Invalid Token") end
  local call, captures, known = route(req)
  local headers, reply = limits.count(token, call ~= nil and call[5] == true and req.method == "GET")
  if not reply and call then
    reply = perform(state, req, token, call, captures)
  elseif not reply then
    reply = known and answer.error(405, "Method Not Allowed") or answer.error(404, "Not found")
  end
  for name, value in pairs(headers) do reply.headers[name] = value end
  return reply
end

local REASONS = { [400] = "Linode busy.", [429] = "Too many requests", [503] = "Service Unavailable" }

local function fault_answer(fault)
  if fault.html then return answer.html(fault.answer) end
  return answer.error(fault.answer, fault.reason or REASONS[fault.answer] or "An error was asked for.")
end

--- The name under which a request's faults are asked for.
---@param req table
---@return string
function linode.operation(req)
  local call = route(req)
  return "linode." .. (call and call[3] or "unknown")
end

local DEFAULT_ALLOW = { "127.0.0.1/32", "::1/128", "198.51.100.7/32" }

local function about_demo(opts)
  local about = { id = 123, label = "demo", allow_list = opts.allow_list or DEFAULT_ALLOW }
  for _, name in ipairs { "legacy", "backup_age", "updating_polls", "updating_seconds" } do about[name] = opts[name] end
  return about
end

local Api = stand_in.class()

--- Another database of the account, which stands for databases of the source's cluster, behind a gate of its own.
---@param o { label: string, id: integer?, allow_list: string[]?, dbs: string[]? } see instances.real
---@return table entry {object, server}
function Api:add_database(o)
  self.last_id = (self.last_id or 1000) + 1
  o.id = o.id or self.last_id
  return self:keep(instances.real(self.world, self.admin, o))
end

--- Another token: "databases:read_only object_storage:read_write", with a budget of its own.
---@param scopes string
---@param rates? { general: integer?, collections: integer? } requests a minute
---@return string
function Api:add_token(scopes, rates)
  local token = crypto.hex(crypto.random(32))
  self.state.tokens[token] = limits.token(scopes, rates)
  return token
end

--- The URL of a database, as an app of a user's would have it.
---@param entry table
---@param dbname? string
---@return string
function Api:database_url(entry, dbname)
  local source = self.world.source
  return ("postgres://%s:%s@%s:%d/%s?sslmode=require"):format(self.admin.name, url.encode(self.admin.password),
    source.host, entry.object.port, dbname or source.dbname)
end

local function add_databases(api, opts)
  local ca_pem = api.world.ca_pem
  api:add_database(about_demo(opts))
  api:add_database { id = 124, label = "analytics", allow_list = { "198.51.100.7/32" } }
  table.insert(api.state.databases, instances.listed { id = 125, label = "wordpress", engine = "mysql",
    version = "8.0.35", ca_pem = ca_pem })
  api:add_database { id = 126, label = "brand-new", provisioning_polls = opts.provisioning_polls or math.maxinteger }
  for i = 1, opts.more or 0 do
    table.insert(api.state.databases, instances.listed { id = 200 + i, label = ("more-%03d"):format(i),
      version = "16.4", ca_pem = ca_pem })
  end
end

--- Starts the API. `s3` is what the S3 stand-in's start returned, or a real store {url, access_key, secret_key}.
---@param world { dir: string, source: table, ca_pem: string?, s3: table? }
---@param opts { s3: table?, port: integer?, token: string?, scopes: string?, rates: table?, allow_list: string[]?,
---  backup_age: number|false|nil, legacy: boolean?, updating_polls: integer?, updating_seconds: number?,
---  provisioning_polls: integer?, more: integer?, expires_range: integer[]? } backup_age in seconds, false: there is
---  none; legacy: demo is on the old platform, which has backups on request; more: so many databases more in the
---  list; provisioning_polls: looks until `brand-new` is there (never by default); expires_range: what object-url
---  takes
---@return table api {url (with /v4), port, token, state, close}
function linode.start(world, opts)
  opts = opts or {}
  local s3 = opts.s3 or world.s3
  local token = opts.token or crypto.hex(crypto.random(32))
  local state = { s3 = s3, databases = {}, keys = {}, expires_range = opts.expires_range,
    tokens = { [token] = limits.token(opts.scopes or "*", opts.rates) } }
  if s3.add_account then
    local own = s3:add_account("linode")
    state.account, state.signer = own.account, own
  else
    state.signer = s3
  end
  local api = setmetatable({ world = world, state = state, token = token, made = {},
    admin = managed.admin(world.source, ADMIN) }, Api)
  add_databases(api, opts)
  return stand_in.serve(api, { name = "linode", prefix = "/v4", port = opts.port, operation = linode.operation,
    handle = function(req) return handle(state, req) end, fault_answer = fault_answer })
end

return linode
