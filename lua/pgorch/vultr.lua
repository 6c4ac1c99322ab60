-- Vultr's API v2, as far as a migration needs it: managed PostgreSQL, its backups and allow list, object storage.
-- Makes sources (source.lua) and buckets (s3.lua) out of what the API knows; normalises its types (port is text there).
-- Never regenerates keys, never creates or deletes a database or a storage subscription.

local clock  = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local env    = require "pgorch.env"
local fail   = require "pgorch.error"
local http   = require "pgorch.http"
local json   = require "pgorch.json"
local s3     = require "pgorch.s3"
local secret = require "pgorch.secret"
local source = require "pgorch.source"
local task   = require "pgorch.task"
local poll   = require "pgorch.poll"

local vultr = {}

---@class pgorch.vultr.Client
local Client = {}
Client.__index = Client

-- Decoded as secrets, so that they never are plain strings in Lua.
local SECRET_FIELDS = { "password", "s3_secret_key", "s3_access_key", "access_key" }

---@param o? {token?: any, api_url?: string}   default VULTR_API_KEY and VULTR_API_URL
---@return pgorch.vultr.Client
function vultr.client(o)
  o = o or {}
  local token = o.token or env.secret("VULTR_API_KEY")
  if not token then fail.raise("PGO-PROVIDER-TOKEN", "there is no Vultr API key: VULTR_API_KEY is not set") end
  if not secret.is(token) then token = secret.new(token) end
  local base = o.api_url or env.get("VULTR_API_URL") or "https://api.vultr.com/v2"
  return setmetatable({ token = token, base = (base:gsub("/+$", "")) }, Client)
end

local function raise_status(method, path, reply, body)
  local message = type(body) == "table" and body.error or ("HTTP status %d"):format(reply.status)
  local id = (reply.status == 401 or reply.status == 403) and "PGO-PROVIDER-TOKEN" or "PGO-PROVIDER"
  fail.raise(id, "Vultr: " .. tostring(message), {
    status = reply.status, detail = ("%s %s: %d"):format(method, path, reply.status),
    retryable = reply.status == 429 or reply.status >= 500,
  })
end

---One request; 429 and 503 are waited out politely. With `missing`, a 404 is nil.
---@return table|nil
function Client:request(method, path, body, o)
  local reply = http.request {
    method = method, url = self.base .. path, check = false, follow = 0, retry = "polite",
    headers = { Authorization = "Bearer " .. self.token, ["Content-Type"] = body and "application/json" or nil },
    body = body and json.encode(body) or nil,
  }
  local ok, value = true, nil
  if reply.body and reply.body ~= "" then ok, value = pcall(json.decode, reply.body, { secrets = SECRET_FIELDS }) end
  if reply.status == 404 and o and o.missing then return nil end
  if reply.status < 200 or reply.status > 204 then raise_status(method, path, reply, ok and value or nil) end
  return value
end

---All items under `key`, page after page: `next` is a cursor, empty on the last page.
---@return table[]
function Client:pages(path, key)
  local all, cursor = {}, nil
  repeat
    local query = (path:find("?", 1, true) and "&" or "?") .. "per_page=100"
      .. (cursor and "&cursor=" .. http.escape(cursor) or "")
    local page = self:request("GET", path .. query) or {}
    for _, item in ipairs(page[key] or {}) do all[#all + 1] = item end
    local links = type(page.meta) == "table" and page.meta.links
    cursor = type(links) == "table" and type(links.next) == "string" and links.next ~= "" and links.next or nil
  until not cursor
  return all
end

---The account that the key belongs to: {name, email, ...}.
function Client:account()
  return self:request("GET", "/account").account
end

local function allow_list(client, id)
  local path = "/databases/" .. id
  local function get() return client:request("GET", path).database.trusted_ips or {} end
  -- PUT replaces the whole list: it is read as it is now, and only our own entry comes or goes. For some seconds after
  -- a change the instance is "Configuring" and answers 412: then the list is read again, it may have changed as well.
  local function change(edit)
    local pause = poll.seconds "allow_list"
    return task.retry({ tries = 30, on = function(e) return e.status == 412 and pause end }, function()
      local list, answer = edit(get())
      if list then client:request("PUT", path, { trusted_ips = json.array(list) }) end
      return answer
    end)
  end
  return {
    get = get,
    add = function(cidr)
      change(function(list)
        for _, each in ipairs(list) do if each == cidr then return nil end end
        list[#list + 1] = cidr
        return list
      end)
    end,
    -- Taking the last entry out would open the database to everybody: then ours stays, and the caller is told.
    remove = function(cidr)
      return change(function(list)
        local rest, had = {}, false
        for _, each in ipairs(list) do
          if each == cidr then had = true else rest[#rest + 1] = each end
        end
        if not had then return nil, "absent" end
        if #rest == 0 then return nil, "kept" end
        return rest
      end)
    end,
  }
end

local function backup_time(client, id)
  local answer = client:request("GET", "/databases/" .. id .. "/backups", nil, { missing = true })
  local latest = answer and answer.latest_backup
  if type(latest) ~= "table" or not latest.date or latest.date == "" then return nil end
  return clock.parse_iso(latest.date .. "T" .. (latest.time or "00:00:00") .. "Z")
end

local READY = { running = true, configuring = true }    -- "configuring": the allow list is being changed

local function known(value)                -- absent, null and "" are the same thing here
  return type(value) == "string" and value ~= "" and value or nil
end

local function to_source(client, raw, dbname)
  -- With a VPC, `host` is a private address and `public_host` the one that can be reached from here.
  local public = known(raw.public_host)
  local host = public or raw.host
  return source.new {
    provider = "vultr", id = raw.id, label = raw.label, tag = known(raw.tag), region = (raw.region or ""):lower(),
    host = host, hosts = { raw.host, public }, port = math.tointeger(tonumber(raw.port)), user = raw.user,
    password = raw.password, dbname = dbname, ca_pem = known(raw.ca_certificate),
    major = math.tointeger(tonumber(raw.database_engine_version)),
    status = (raw.status or ""):lower(), ready = READY[(raw.status or ""):lower()] or false,
    console_bytes = function()
      local usage = client:request("GET", "/databases/" .. raw.id .. "/usage", nil, { missing = true })
      local disk = usage and usage.usage and usage.usage.disk
      return disk and disk.current_gb and math.floor(tonumber(disk.current_gb) * 1e9) or nil
    end,
    latest_backup = function() return backup_time(client, raw.id) end,
    databases = function()
      local names = {}
      for _, each in ipairs(client:pages("/databases/" .. raw.id .. "/dbs", "dbs")) do names[#names + 1] = each.name end
      return names
    end,
    allow_list = allow_list(client, raw.id), empty_allow_list = "open",
  }
end

---Every PostgreSQL instance of the account.
---@param filter? {tag?: string, region?: string, engine?: string}
---@return pgorch.Source[]
function Client:databases(filter)
  filter = filter or {}
  local found = {}
  for _, raw in ipairs(self:pages("/databases", "databases")) do
    local wanted = raw.database_engine == (filter.engine or "pg") and (not filter.tag or raw.tag == filter.tag)
      and (not filter.region or (raw.region or ""):lower() == filter.region:lower())
    if wanted then found[#found + 1] = to_source(self, raw) end
  end
  return found
end

local UUID = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"

local function find(client, label_or_id)
  if label_or_id and label_or_id:match(UUID) then
    local one = client:request("GET", "/databases/" .. label_or_id:lower(), nil, { missing = true })
    if one then return one.database end
  end
  local matches, labels = {}, {}
  for _, raw in ipairs(client:pages("/databases", "databases")) do
    if raw.database_engine == "pg" then
      labels[#labels + 1] = raw.label
      if raw.label == label_or_id then matches[#matches + 1] = raw end
    end
  end
  table.sort(labels)
  local existing = #labels > 0 and "there are: " .. table.concat(labels, ", ")
    or "the account has no PostgreSQL database"
  if #matches > 1 then
    fail.raise("PGO-PROVIDER-INSTANCE", ("%d Vultr databases are labelled %s: name one by its id"):format(#matches,
      label_or_id))
  end
  if not matches[1] then
    fail.raise("PGO-PROVIDER-INSTANCE", label_or_id
      and ("there is no Vultr PostgreSQL database %s"):format(label_or_id)
      or "no Vultr database was named (--instance)", { detail = existing })
  end
  return matches[1]
end

---The instance of that label or id, and one database inside it (optional when it has only one).
---@param label_or_id string
---@param dbname? string
---@return pgorch.Source
function Client:database(label_or_id, dbname)
  local raw = find(self, label_or_id)
  if raw.database_engine ~= "pg" then
    fail.raise("PGO-PROVIDER-INSTANCE", ("%s is a %s database, not PostgreSQL"):format(label_or_id,
      raw.database_engine))
  end
  local instance = to_source(self, raw, dbname)
  local names = instance.databases()
  if not dbname then
    if #names > 1 then
      fail.raise("PGO-PROVIDER-INSTANCE", ("%s holds several databases: choose one with --dbname"):format(raw.label),
        { detail = "there are: " .. table.concat(names, ", ") })
    end
    instance.dbname = names[1] or raw.dbname
    return instance
  end
  for _, name in ipairs(names) do
    if name == dbname then return instance end
  end
  if #names > 0 then
    fail.raise("PGO-PROVIDER-INSTANCE", ("%s holds no database %s"):format(raw.label, dbname),
      { detail = "there are: " .. table.concat(names, ", ") })
  end
  return instance
end

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

---The object storage subscription of that label or id, with its S3 keys.
---@param label string
---@return pgorch.vultr.Storage
function Client:object_storage(label)
  local found, labels = nil, {}
  for _, raw in ipairs(self:pages("/object-storage", "object_storages")) do
    labels[#labels + 1] = raw.label
    if raw.label == label or raw.id == label then found = raw end
  end
  if not found then
    table.sort(labels)
    fail.raise("PGO-PROVIDER-STORAGE", ("there is no Vultr Object Storage labelled %s"):format(label), {
      detail = #labels > 0 and "there are: " .. table.concat(labels, ", ")
        or "the account has none: create one in Vultr's console, labelled " .. label })
  end
  if found.status ~= "active" then
    fail.raise("PGO-PROVIDER-STORAGE", ("the Vultr Object Storage %s is %s"):format(label, found.status), {
      retryable = true })
  end
  local host = found.s3_hostname
  local endpoint = host:match("^https?://") and host
    or (poll.is_loopback(host) and "http://" or "https://") .. host
  local client = s3.client { endpoint = endpoint, region = "us-east-1", access_key = found.s3_access_key,
                             secret_key = found.s3_secret_key }
  return setmetatable({ id = found.id, label = found.label, region = found.region, endpoint = endpoint, s3 = client },
    Storage)
end

return vultr
