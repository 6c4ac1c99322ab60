-- Vultr's API v2, as far as a migration needs it: managed PostgreSQL, its backups and allow list, object storage.
-- Normalises its types (the port is text there, the region in capitals). Never regenerates keys, never creates a
-- database or a storage subscription.

local crypto   = require "pgorch.crypto"
local env      = require "pgorch.env"
local fail     = require "pgorch.error"
local json     = require "pgorch.json"
local provider = require "pgorch.provider"
local s3       = require "pgorch.s3"

local methods = {}

local function next_page(page)
  local links = type(page.meta) == "table" and page.meta.links
  local cursor = type(links) == "table" and provider.text(links.next)    -- a token; "" on the last page
  return cursor and { cursor = cursor } or nil
end

local function client(o)
  return provider.api {
    title = "Vultr", token = o.token, env = "VULTR_API_KEY",
    base = o.api_url or env.get "VULTR_API_URL" or "https://api.vultr.com/v2",
    limits = { rate = 25, burst = 25 },                    -- 30 in a second, of an address
    secrets = { "password", "s3_secret_key", "s3_access_key", "access_key" },
    reason = function(body) return provider.text(body.error) end,
    page = { per_page = 100 }, next = next_page, methods = methods,
  }
end

-- --- databases ---

local UUID = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"

local function list(api)
  local found = {}
  for _, raw in ipairs(api:pages("/databases", "databases")) do
    if raw.database_engine == "pg" then found[#found + 1] = raw end
  end
  return found
end

local function find(api, wanted)
  local one = wanted and wanted:match(UUID) and api:get("/databases/" .. wanted:lower(), { missing = true })
  local raw = one and one.database or provider.choose("Vultr", list(api), wanted)
  if raw.database_engine == "pg" then return raw end
  fail.raise("PGO-PROVIDER-INSTANCE", ("%s is a %s database, not PostgreSQL"):format(wanted, raw.database_engine))
end

local READY = { running = true, configuring = true }    -- "configuring": the allow list is being changed

local function database(api, wanted)
  local raw, names = find(api, wanted), {}
  for i, each in ipairs(api:pages(("/databases/%s/dbs"):format(raw.id), "dbs")) do names[i] = each.name end
  -- With a VPC, `host` is a private address and `public_host` the one that can be reached from here.
  local public, status = provider.text(raw.public_host), (raw.status or ""):lower()
  return {
    id = raw.id, label = raw.label, tag = provider.text(raw.tag), region = (raw.region or ""):lower(),
    host = public or raw.host, hosts = { raw.host, public }, port = math.tointeger(tonumber(raw.port)),
    user = raw.user, password = raw.password, dbname = raw.dbname, dbnames = names,
    ca_pem = provider.text(raw.ca_certificate), major = math.tointeger(tonumber(raw.database_engine_version)),
    status = status, ready = READY[status] or false,
  }
end

local function latest_backup(api, id)
  local answer = api:get(("/databases/%s/backups"):format(id), { missing = true })
  local latest = answer and answer.latest_backup
  local date = type(latest) == "table" and provider.text(latest.date)
  return date and ("%sT%sZ"):format(date, provider.text(latest.time) or "00:00:00") or nil
end

local function console_bytes(api, id)
  local usage = api:get(("/databases/%s/usage"):format(id), { missing = true })
  local disk = usage and usage.usage and usage.usage.disk
  return disk and disk.current_gb and math.floor(tonumber(disk.current_gb) * 1e9) or nil
end

---The account that the key belongs to: {name, email, ...}.
function methods:account() return self:get("/account").account end

-- --- object storage ---

---@class pgorch.vultr.Storage
---@field id string
---@field label string
---@field endpoint string
local Storage = {}
Storage.__index = Storage

---A bucket of this subscription. Without a name: one that is stable for the subscription and taken by nobody else.
---@param name? string
function Storage:bucket(name)
  return self.s3:bucket(name or "postgres-for-migration-" .. crypto.sha256(self.id):sub(1, 10))
end

local function find_storage(api, label)
  local labels = {}
  for i, raw in ipairs(api:pages("/object-storage", "object_storages")) do
    if raw.label == label or raw.id == label then return raw end
    labels[i] = raw.label
  end
  table.sort(labels)
  fail.raise("PGO-PROVIDER-STORAGE", ("there is no Vultr Object Storage labelled %s"):format(label), {
    detail = #labels > 0 and "there are: " .. table.concat(labels, ", ")
      or "the account has none: create one in Vultr's console, labelled " .. label })
end

---The object storage subscription of that label or id, with its S3 keys.
---@param label string
---@return pgorch.vultr.Storage
function methods:object_storage(label)
  local found = find_storage(self, label)
  if found.status ~= "active" then
    fail.raise("PGO-PROVIDER-STORAGE", ("the Vultr Object Storage %s is %s"):format(label, found.status),
      { retryable = true })
  end
  local endpoint = provider.base_url(found.s3_hostname)
  return setmetatable({ id = found.id, label = found.label, region = found.region, endpoint = endpoint,
    s3 = s3.client { endpoint = endpoint, region = "us-east-1", access_key = found.s3_access_key,
                     secret_key = found.s3_secret_key } }, Storage)
end

return provider {
  name = "vultr", title = "Vultr", hosts = { "api.vultr.com" }, client = client, list = list, database = database,
  latest_backup = latest_backup, console_bytes = console_bytes,
  empty_allow_list = "open",
  -- For some seconds after a change the instance is "Configuring" and answers 412.
  allow_list = {
    get = function(api, id) return api:get("/databases/" .. id).database.trusted_ips or {} end,
    put = function(api, id, entries) api:put("/databases/" .. id, { trusted_ips = json.array(entries) }) end,
    busy = function(err) return err.status == 412 end,
  },
  pools = function(api, id)
    return api:pages(("/databases/%s/connection-pools"):format(id), "connection_pools", { missing = true })
  end,
  destroy = function(api, id) api:delete("/databases/" .. id) end,
}
