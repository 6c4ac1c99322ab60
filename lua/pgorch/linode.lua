-- Linode's (Akamai's) API v4, as far as a migration needs it: managed PostgreSQL, its credentials, CA, backups and
-- allow list; object storage is in linode/bucket.lua. Never creates a database, never resets a password.

local backups  = require "pgorch.linode.backups"
local crypto   = require "pgorch.crypto"
local env      = require "pgorch.env"
local fail     = require "pgorch.error"
local json     = require "pgorch.json"
local provider = require "pgorch.provider"

local ONE = "/databases/postgresql/instances/%s"

-- --- the client ---

local function reason(body)
  local said = {}
  for i, each in ipairs(type(body.errors) == "table" and body.errors or {}) do
    said[i] = (each.field and each.field .. ": " or "") .. tostring(each.reason)
  end
  return said[1] and table.concat(said, "; ") or nil
end

local function is_nginx(reply)
  return (reply.headers.server or ""):lower():find "nginx" and (reply.headers["content-type"] or ""):find "text/html"
end

-- As Linode's own clients do it: busy, throttled and turned away by the proxy passes by itself; maintenance does not.
local function judge(reply)
  if reply.status == 429 or reply.status == 400 and is_nginx(reply) then return "untouched" end
  if reply.status == 503 and reply.headers["x-maintenance-mode"] then return false end
  local ok, body = pcall(json.decode, reply.status == 400 and reply.body or "")
  local only = ok and type(body) == "table" and type(body.errors) == "table" and #body.errors == 1 and body.errors[1]
  if only and only.reason == "Linode busy." then return "untouched" end
end

local function client(o)
  return provider.api {
    title = "Linode", token = o.token, env = { "LINODE_TOKEN", "LINODE_CLI_TOKEN" },
    base = o.api_url or env.get "LINODE_API_URL" or "https://api.linode.com/v4",
    limits = { rate = 20, burst = 100 },                   -- 1600 in a minute
    secrets = { "password", "secret_key" }, reason = reason, judge = judge, page = { page_size = 100 },
    next = function(page)
      return (page.page or 1) < (page.pages or 1) and { page = page.page + 1 } or nil
    end,
    methods = { bucket = function(self, o_) return require "pgorch.linode.bucket"(self, o_) end },
  }
end

-- --- databases ---

local function list(api) return api:pages("/databases/postgresql/instances", "data") end

local function refuse_other_engine(api, wanted)
  for _, raw in ipairs(api:pages("/databases/instances", "data")) do
    if raw.engine ~= "postgresql" and (raw.label == wanted or tostring(raw.id) == wanted) then
      fail.raise("PGO-PROVIDER-INSTANCE", ("%s is a %s database, not PostgreSQL"):format(wanted, raw.engine))
    end
  end
end

local function find(api, wanted)
  wanted = wanted and tostring(wanted)
  local one = wanted and wanted:match "^%d+$" and api:get(ONE:format(wanted), { missing = true })
  if one then return one end
  local found = wanted and api:pages("/databases/postgresql/instances", "data",
    { headers = { ["X-Filter"] = json.encode { label = wanted } } }) or {}
  if #found == 1 then return found[1] end
  if wanted then refuse_other_engine(api, wanted) end
  return provider.choose("Linode", #found > 1 and found or list(api), wanted)
end

local function not_yet(raw, what)
  fail.raise("PGO-PROVIDER-INSTANCE", ("%s is %s: it has no %s yet"):format(raw.label, raw.status, what),
    { retryable = true, cure = "Wait until it is active." })
end

-- Where it can be reached from here: the primary's public name. And all its names: an app may use another.
local function address_of(raw)
  local hosts = type(raw.hosts) == "table" and raw.hosts or not_yet(raw, "address")
  local network = type(raw.private_network) == "table" and raw.private_network
  if network and network.public_access == false then
    fail.raise("PGO-PROVIDER-INSTANCE", ("%s can be reached from its VPC alone"):format(raw.label),
      { cure = "Allow public access to it in Cloud Manager (its Networking tab) for the time of the migration." })
  end
  local host, port, names = provider.text(hosts.primary), raw.port, { provider.text(hosts.primary) }
  for _, each in ipairs(type(hosts.endpoints) == "table" and hosts.endpoints or {}) do
    if each.role == "primary" then
      names[#names + 1] = each.address
      if each.public_access ~= false then host, port = each.address, each.port or port end
    end
  end
  return host or not_yet(raw, "address"), port, names
end

-- A call of its own, refused while the database is being made.
local function detail(api, raw, what)
  local ok, answer = pcall(api.get, api, ONE:format(raw.id) .. "/" .. what)
  if ok then return answer end
  if fail.is(answer) and answer.status == 400 and not answer.retryable then not_yet(raw, what) end
  error(answer, 0)
end

local READY = { active = true, updating = true, backing_up = true, degraded = true }

local function database(api, wanted)
  local raw = find(api, wanted)
  local host, port, hosts = address_of(raw)
  local login = detail(api, raw, "credentials")
  local ca = crypto.unbase64(detail(api, raw, "ssl").ca_certificate)
  return {
    id = raw.id, label = raw.label, region = raw.region, host = host, hosts = hosts, port = port,
    user = login.username, password = login.password, ca_pem = provider.text(ca),
    status = raw.status, ready = READY[raw.status] or false,
    dbname = raw.platform == "rdbms-legacy" and "postgres" or "defaultdb",
    major = math.tointeger(tonumber((raw.version or ""):match "^%d+")),
  }
end

-- --- the allow list ---

-- It takes changes in the state "active" only, and one after the other.
local function put_allow_list(api, id, entries)
  local status = api:get(ONE:format(id)).status
  if status ~= "active" then
    fail.raise("PGO-PROVIDER", ("Linode: the database is %s"):format(status), { status = 409, retryable = true })
  end
  api:put(ONE:format(id), { allow_list = json.array(entries) })
end

local function is_busy(err)
  return err.status == 409 or err.status == 400 and err.message:find("must be active", 1, true) ~= nil
end

local linode = provider {
  name = "linode", title = "Linode", hosts = { "api.linode.com" }, client = client, list = list, database = database,
  empty_allow_list = "closed",
  allow_list = { get = function(api, id) return api:get(ONE:format(id)).allow_list or {} end, put = put_allow_list,
                 busy = is_busy },
  latest_backup = function(api, id) return backups.of(api, id).latest end,
  console_bytes = function(api, id)
    local used = tonumber(api:get(ONE:format(id)).used_disk_size_gb)
    return used and math.floor(used * 1e9) or nil
  end,
  pools = function(api, id)
    local found = api:pages(ONE:format(id) .. "/connection-pools", "data", { missing = true })
    for _, pool in ipairs(found) do pool.name = pool.label end
    return found
  end,
  destroy = function(api, id) api:delete(ONE:format(id)) end,
}

-- The steps that Linode has of its own, loaded when a recipe names them.
return setmetatable(linode, { __index = function(self, name)
  if name ~= "backup_is_fresh" and name ~= "backup_now" and name ~= "storage_key" then return nil end
  local made = require("pgorch.linode." .. name)
  rawset(self, name, made)
  return made
end })
