-- A bucket at Linode for one run. Linode's API makes it, says how it is and signs URLs; the S3 protocol does the rest,
-- with a key that is good for this bucket alone and made when first needed. Its secret is told once and lives in this
-- process only, so each process makes another and deletes the run's last: they are known by their label. A key that is
-- given is used in its place, and left alone: an account has a hundred keys at most, and a batch may have more runs.

local crypto   = require "pgorch.crypto"
local fail     = require "pgorch.error"
local http     = require "pgorch.http"
local json     = require "pgorch.json"
local poll     = require "pgorch.poll"
local provider = require "pgorch.provider"
local s3       = require "pgorch.s3"
local task     = require "pgorch.task"
local trust    = require "pgorch.s3.trust"

---@class pgorch.linode.Bucket: pgorch.s3.Bucket
---@field name string
---@field region string
---@field given {access_key: any, secret_key: any}|nil   a key that is not the run's own
---@field others_revoked integer  keys of the run that other processes had made, and this one has deleted
local Bucket = {}

-- What is not here is the S3 bucket's.
function Bucket.__index(self, name)
  if Bucket[name] then return Bucket[name] end
  local method = s3.Bucket[name]
  return method and function(_, ...) return method(self:s3(), ...) end
end

local function path_of(self) return ("/object-storage/buckets/%s/%s"):format(self.region, self.name) end

-- The place of the bucket; for one that is to be made the first of its region that has an address.
local function endpoint_of(self)
  local existing = self.api:get(path_of(self), { missing = true })
  local host, regions = existing and provider.text(existing.s3_endpoint), {}
  for _, each in ipairs(not host and self.api:pages("/object-storage/endpoints", "data") or {}) do
    local named = provider.text(each.s3_endpoint)
    if named then regions[#regions + 1] = each.region end
    if each.region == self.region then host = host or named end
  end
  if host then return provider.base_url(host) end
  fail.raise("PGO-PROVIDER-STORAGE", ("Linode has no object storage in %s"):format(self.region),
    { detail = "there is some in: " .. table.concat(regions, ", "), cure = "Choose with --storage-region." })
end

function Bucket:endpoint()
  self.base = self.base or endpoint_of(self)
  return self.base
end

-- --- the bucket ---

---@return "mine"|"free"    one that is somebody else's is found out when it is to be made
function Bucket:head()
  if self.api:get(path_of(self), { missing = true }) then return "mine" end
  self:endpoint()    -- where none can be made, say so now
  return "free"
end

---@return boolean made  false when it was there
function Bucket:create()
  if self:head() == "mine" then return false end
  local ok, err = pcall(self.api.post, self.api, "/object-storage/buckets",
    { label = self.name, region = self.region, acl = "private", cors_enabled = false })
  if ok then return true end
  if fail.is(err) and err.status == 400 and err.message:find "already in use" then
    if self:head() == "mine" then return false end        -- another run was faster
    fail.raise("PGO-S3-BUCKET-TAKEN", ("the bucket name %q belongs to somebody else"):format(self.name))
  end
  error(err, 0)
end

local function readable_unsigned(self)
  local reply = http.request { method = "GET", url = ("%s/%s"):format(self:endpoint(), self.name), check = false,
                               retry = "polite", ca_pem = trust.bundle() }
  return reply.status < 400
end

---What Linode says of it, and whether it answers without a signature; with a key, all that S3 knows as well.
---@param key? string
---@return boolean private
---@return string? why_not
function Bucket:is_private(key)
  local acl = self.api:get(path_of(self) .. "/access").acl
  if acl ~= "private" then return false, ("its access is %s"):format(acl) end
  if self.real or key then return s3.Bucket.is_private(self:s3(), key) end
  if readable_unsigned(self) then return false, "it answers a request without a signature" end
  return true
end

---A URL that Linode signs (Signature Version 2), as `linode-cli obj signurl` gives it.
---@param key string
---@param seconds integer  360 to 86400
---@return any url          secret
function Bucket:provider_url(key, seconds)
  return self.api:request("POST", path_of(self) .. "/object-url", { method = "GET", name = key, expires_in = seconds },
    { secrets = { "url" } }).url
end

-- --- the key ---

---Deletes every key that this run has made.
---@return integer deleted
function Bucket:revoke()
  local deleted = 0
  if self.given then return deleted end
  for _, key in ipairs(self.api:pages("/object-storage/keys", "data")) do
    if key.label == self.key_label then
      self.api:request("DELETE", ("/object-storage/keys/%d"):format(key.id), nil, { missing = true })
      deleted = deleted + 1
      if key.id ~= self.key_id then self.others_revoked = self.others_revoked + 1 end
    end
  end
  self.real, self.key_id = nil, nil
  return deleted
end

-- A new key is not known everywhere at once.
local function wait_until_known(bucket)
  local pause = poll.seconds "lookup"
  task.retry({ tries = 20, on = function(e) return (e.retryable or e.id == "PGO-S3-CREDENTIALS") and pause end },
    function()
      local state = s3.Bucket.head(bucket)
      if state ~= "mine" then fail.raise("PGO-S3-CREDENTIALS", "the new storage key does not reach " .. bucket.name) end
    end)
end

local MOST_KEYS = 100            -- of an account

-- Linode's words for it are not documented: the keys are counted.
local function explain_refusal(self, err)
  if not fail.is(err) or err.status ~= 400 or #self.api:pages("/object-storage/keys", "data") < MOST_KEYS then
    error(err, 0)
  end
  fail.raise("PGO-PROVIDER-STORAGE", ("the Linode account has %d storage keys, and gets no more"):format(MOST_KEYS), {
    cause = err, cure = "Delete those that nobody uses, or give all runs one: --storage-access-key-env and "
      .. "--storage-secret-key-env; then `pgorch resume RUN`." })
end

local function new_key(self)
  local ok, key = pcall(self.api.post, self.api, "/object-storage/keys", { label = self.key_label,
    regions = json.array { self.region },
    bucket_access = json.array { { region = self.region, bucket_name = self.name, permissions = "read_write" } } })
  if not ok then explain_refusal(self, key) end
  self.key_id = key.id
  return key
end

local function with_key(self, key)
  return s3.client({ endpoint = self:endpoint(), region = self.region, access_key = key.access_key,
                     secret_key = key.secret_key }):bucket(self.name)
end

local function with_new_key(self)
  self:revoke()
  local bucket = with_key(self, new_key(self))
  wait_until_known(bucket)
  return bucket
end

---The same bucket by the S3 protocol. Makes the key, unless one is given.
---@return pgorch.s3.Bucket
function Bucket:s3()
  return self.turn:with(function()
    self.real = self.real or self.given and with_key(self, self.given) or with_new_key(self)
    return self.real
  end)
end

-- Stable for whoever owns the token, and taken by nobody else; which any token may ask.
local function default_name(api)
  local owner = api:get("/profile").username
  return "postgres-for-migration-" .. crypto.sha256("linode:" .. tostring(owner)):sub(1, 10)
end

local function given_key(o)
  if not o.access_key and not o.secret_key then return nil end
  if o.access_key and o.secret_key then return { access_key = o.access_key, secret_key = o.secret_key } end
  fail.raise("PGO-PARAM", "storage_access_key and storage_secret_key are one key: both are needed, or none")
end

---@param api pgorch.provider.Api
---@param o {region: string, name: string|nil, run: {id: string}|nil, access_key: any, secret_key: any}
---@return pgorch.linode.Bucket
return function(api, o)
  return setmetatable({ api = api, region = o.region, name = o.name or default_name(api), turn = task.semaphore(1),
                        given = given_key(o), others_revoked = 0,
                        key_label = "pgorch-" .. (o.run and o.run.id or "check") }, Bucket)
end
