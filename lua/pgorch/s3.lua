-- Object storage with the S3 protocol: buckets, objects, signed URLs. Made for Ceph RGW (Vultr, Linode and
-- others), OpenStack Swift and AWS, and for where they differ. Path-style addresses only.
--
--   local client = s3.client { endpoint = "https://ewr1.vultrobjects.com", access_key = a, secret_key = b }
--   local bucket = client:bucket "dumps"
--   bucket:upload("pgorch/run/1.dump", stream)
--   local url = bucket:presign("GET", "pgorch/run/1.dump", 3600)

local bytes = require "pgorch.bytes"
local clock = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local environment = require "pgorch.s3.environment"
local errors = require "pgorch.s3.errors"
local fail = require "pgorch.error"
local http = require "pgorch.http"
local parts = require "pgorch.s3.parts"
local stream = require "pgorch.stream"
local task = require "pgorch.task"
local transport = require "pgorch.s3.transport"
local upload = require "pgorch.s3.upload"

local s3 = { part_size = parts.size, composite_etag = parts.composite_etag }

local READ_AT_ONCE = 4 << 20

---@class pgorch.s3.Bucket
---@field name string
---@field transport pgorch.s3.Transport
local Bucket = {}
Bucket.__index = Bucket
s3.Bucket = Bucket    -- for buckets of providers that do some of it in their own way

---One request to this bucket, or with `key` to an object of it. See pgorch.s3.Request.
---@param request pgorch.s3.Request
function Bucket:request(request)
  request.bucket = self.name
  return self.transport:send(request)
end

-- --- the bucket ---

-- HEAD says 403 for a foreign bucket and for keys that are not good at all: the list of buckets tells which.
local function check_credentials(self)
  local ok, err = pcall(self.transport.send, self.transport, { method = "GET", expect = "ListAllMyBucketsResult" })
  if not ok and not errors.is(err, "AccessDenied") and not errors.is(err, "Unexpected") then error(err, 0) end
end

---@return string  "https://host[:port]"
function Bucket:endpoint() return self.transport.base end

---@return "mine"|"foreign"|"free"  raises PGO-S3-CREDENTIALS for keys that are not accepted
function Bucket:head()
  local ok, err = pcall(self.request, self, { method = "HEAD" })
  if ok then return "mine" end
  if not fail.is(err) or not err.status then error(err, 0) end
  if err.status == 404 then return "free" end
  if err.status ~= 403 then error(err, 0) end
  check_credentials(self)
  return "foreign"
end

local function taken(self)
  fail.raise("PGO-S3-BUCKET-TAKEN", ("the bucket name %q belongs to somebody else"):format(self.name))
end

---Makes the bucket unless it is ours already.
---@return boolean made  false when it was there
function Bucket:create()
  local state = self:head()
  if state == "mine" then return false end
  if state == "foreign" then taken(self) end
  local body
  if self.transport.host:find("amazonaws%.com") and self.transport.region ~= "us-east-1" then
    body = ("<CreateBucketConfiguration><LocationConstraint>%s</LocationConstraint></CreateBucketConfiguration>")
      :format(self.transport.region)
  end
  local ok, err = pcall(self.request, self, { method = "PUT", body = body })
  if ok then return true end
  if errors.is(err, "BucketAlreadyOwnedByYou") then return false end
  if errors.is(err, "BucketAlreadyExists") then
    if self:head() == "mine" then return false end
    taken(self)
  end
  error(err, 0)
end

---Removes the bucket, which must be empty. Fine if there is none.
---@return boolean removed
function Bucket:remove()
  local ok, err = pcall(self.request, self, { method = "DELETE" })
  if not ok and not errors.is(err, "NoSuchBucket") then error(err, 0) end
  return ok
end

-- One grant, and that the owner's. Returns why not.
local function shared_by_acl(self, key)
  local acl = self:request({ method = "GET", key = key, query = { acl = "" }, expect = "AccessControlPolicy" }).xml
  local owner = acl:find("Owner") and acl:find("Owner"):text_of "ID"
  local grants = acl:find("AccessControlList"):all "Grant"
  for _, grant in ipairs(grants) do
    local group = grant:text_of "URI"
    if group then return ("its access list grants %s to the group %s"):format(grant:text_of "Permission", group) end
    local grantee = grant:find "Grantee"
    if grantee and grantee:text_of "ID" ~= owner then
      return ("its access list grants %s to another account"):format(grant:text_of "Permission")
    end
  end
  if #grants ~= 1 then return ("its access list has %d grants where one is expected"):format(#grants) end
end

-- Servers without bucket policies answer with an error, or with a listing.
local function public_by_policy(self)
  local ok, reply = pcall(self.request, self,
    { method = "GET", query = { policyStatus = "" }, expect = "PolicyStatus", tries = 2 })
  if not ok then
    if fail.is(reply) and reply.status and reply.status < 500 or errors.is(reply, "NotImplemented") then return nil end
    error(reply, 0)
  end
  local public = (reply.xml:text_of "IsPublic" or ""):lower() == "true"
  return public and "its policy makes it public" or nil
end

local function readable_unsigned(self, key)
  local reply = self.transport:send { method = "GET", bucket = self.name, key = key, anonymous = true,
    headers = key and { range = "bytes=0-0" } or nil }
  if reply.status < 400 then return "it answers a request without a signature" end
  if reply.status >= 500 then
    fail.raise("PGO-S3", ("whether s3://%s is private cannot be told: a request without a signature is answered "
      .. "with HTTP %d"):format(self.name, reply.status), { status = reply.status, retryable = true })
  end
end

---Whether nobody but the owner can read the bucket, and if a key is given, that object.
---@param key? string
---@return boolean private
---@return string? why_not
function Bucket:is_private(key)
  local why = shared_by_acl(self) or public_by_policy(self) or readable_unsigned(self)
  if not why and key then why = shared_by_acl(self, key) or readable_unsigned(self, key) end
  return why == nil, why
end

-- --- objects ---

---@param key string
---@param data string|userdata  text or block; kept in memory, for streams see upload
---@param options? {headers?: table<string, string>, meta?: table<string, string>}
---@return {etag: string, md5: string}
function Bucket:put(key, data, options)
  options = options or {}
  local headers = {}
  for name, value in pairs(options.headers or {}) do headers[name] = value end
  for name, value in pairs(options.meta or {}) do headers["x-amz-meta-" .. name] = value end
  local block = type(data) == "string" and bytes.new(data) or data
  local digests = block:digests { "md5" }
  local reply = self:request { method = "PUT", key = key, headers = headers, body = block, digests = digests }
  if block ~= data then block:free() end
  return { etag = (reply.headers.etag or ""):gsub('"', ""), md5 = digests.md5 }
end

---Uploads a stream of unknown length, and verifies what arrived. See pgorch.s3.UploadOptions.
---@param key string
---@param from pgorch.Stream
---@param options? pgorch.s3.UploadOptions
---@return {bytes: integer, parts: integer, etag: string, sha256?: string}
function Bucket:upload(key, from, options)
  return upload.run(self, key, from, options)
end

---@param key string
---@param options? {range?: string, into?: userdata, limit?: integer}  range "0-4"; into a stream; limit in bytes
---@return string body  "" when it went into a stream
---@return table reply  {status, headers}
function Bucket:get(key, options)
  options = options or {}
  local reply = self:request { method = "GET", key = key, into = options.into, limit = options.limit,
    headers = options.range and { range = "bytes=" .. options.range } or nil, tries = options.into and 1 or nil,
    timeout = options.into and 86400 or nil }
  return reply.body or "", reply
end

---Reads the whole object again and gives the SHA-256 of what came.
---@param key string
---@return string hex
function Bucket:sha256(key)
  local hasher, body = crypto.hasher "sha256", stream.new()
  task.group(function(group)
    group:spawn(function() self:get(key, { into = body }) end)
    for block in function() return body:take(READ_AT_ONCE) end do
      hasher:update(block)
      block:free()
    end
  end)
  return hasher:finish()
end

---@param key string
---@return {size: integer, etag: string, modified: string?, meta: table<string, string>}|nil  nil when there is none
function Bucket:head_object(key)
  local ok, reply = pcall(self.request, self, { method = "HEAD", key = key })
  if not ok then
    if fail.is(reply) and reply.status == 404 then return nil end
    error(reply, 0)
  end
  local meta = {}
  for name, value in pairs(reply.headers) do
    local short = name:match "^x%-amz%-meta%-(.+)$"
    if short then meta[short] = value end
  end
  return { size = tonumber(reply.headers["content-length"]), etag = (reply.headers.etag or ""):gsub('"', ""),
    modified = reply.headers["last-modified"], meta = meta }
end

-- Reads a listing page by page: `more` takes from a page what the next request needs, nil at the end.
local function pages(self, query, root, visit, more)
  repeat
    local page = self:request({ method = "GET", query = query, expect = root }).xml
    local encoded = page:text_of "EncodingType" == "url"
    local function decode(text)
      if not encoded or not text then return text end
      return (text:gsub("%+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
    end
    visit(page, decode)
    local truncated = page:text_of "IsTruncated" == "true"
    local following = truncated and more(page, decode) or {}
    for name, value in pairs(following) do query[name] = value end
  until not next(following)
end

---@param prefix? string
---@return {key: string, size: integer, etag: string, modified: number}[]
function Bucket:list(prefix)
  local found = {}
  pages(self, { ["list-type"] = "2", prefix = prefix or "", ["encoding-type"] = "url" }, "ListBucketResult",
    function(page, decode)
      for _, entry in ipairs(page:all "Contents") do
        found[#found + 1] = { key = decode(entry:text_of "Key"), size = tonumber(entry:text_of "Size"),
          etag = (entry:text_of "ETag" or ""):gsub('"', ""), modified = clock.parse_iso(entry:text_of "LastModified") }
      end
    end,
    function(page) return { ["continuation-token"] = page:text_of "NextContinuationToken" } end)
  return found
end

-- Where versions are kept, a plain DELETE only hides the object.
local function is_versioned(self)
  if self.versioned == nil then
    local ok, reply = pcall(self.request, self,
      { method = "GET", query = { versioning = "" }, expect = "VersioningConfiguration" })
    if not ok and not (fail.is(reply) and (reply.status or 500) < 500) and not errors.is(reply, "NotImplemented") then
      error(reply, 0)
    end
    self.versioned = ok and (reply.xml:text_of "Status" or "") ~= ""
  end
  return self.versioned
end

-- Without a Content-Length Swift 2.30 waits a minute for the body of such a DELETE, and then our time is over too.
local function delete_versions(self, key)
  local doomed = {}
  pages(self, { versions = "", prefix = key, ["encoding-type"] = "url" }, "ListVersionsResult",
    function(page, decode)
      for _, entry in ipairs(page) do
        local kind = entry.name == "Version" or entry.name == "DeleteMarker"
        if kind and decode(entry:text_of "Key") == key then doomed[#doomed + 1] = entry:text_of "VersionId" end
      end
    end,
    function(page, decode)
      return { ["key-marker"] = decode(page:text_of "NextKeyMarker"),
        ["version-id-marker"] = page:text_of "NextVersionIdMarker" }
    end)
  for _, version in ipairs(doomed) do
    self:request { method = "DELETE", key = key, query = { versionId = version },
      headers = { ["content-length"] = "0" } }
  end
end

---Deletes the object, all its versions too. Fine if there is none.
---@param key string
function Bucket:delete(key)
  local ok, err = pcall(self.request, self, { method = "DELETE", key = key })
  if not ok and not (fail.is(err) and err.status == 404) then error(err, 0) end
  if is_versioned(self) then delete_versions(self, key) end
end

---A URL that anybody may use for so long: a secret. It is signed here, without asking the server; try it with
---a ranged GET (a HEAD is another method, and refused).
---@param method "GET"|"PUT"|"DELETE"|"HEAD"
---@param key string
---@param seconds integer  1 to 604800
---@return userdata url
function Bucket:presign(method, key, seconds)
  return self.transport:presign(method, self.name, key, seconds)
end

---What a signed URL of this bucket delivers to anybody: no header but the range. Heroku trusts the system's authorities
---alone; a storage that only AWS_CA_BUNDLE makes trusted works here, and there only if it can.
---@param url any secret
---@param range string "0-4"
---@return pgorch.http.Reply
function Bucket:try(url, range)
  return http.request { method = "GET", url = url, headers = { Range = "bytes=" .. range }, check = false, timeout = 30,
    ca_pem = self.transport.ca_pem, retry = "polite" }
end

-- --- uploads that were not finished ---

-- Asked for encoded keys, Ceph RGW 16 gives them here without saying so; so they are read as they are.
---@param prefix? string
---@return {key: string, id: string, initiated: number}[]
function Bucket:uploads(prefix)
  local found = {}
  pages(self, { uploads = "", prefix = prefix or "" }, "ListMultipartUploadsResult",
    function(page)
      for _, entry in ipairs(page:all "Upload") do
        found[#found + 1] = { key = entry:text_of "Key", id = entry:text_of "UploadId",
          initiated = clock.parse_iso(entry:text_of "Initiated") }
      end
    end,
    function(page)
      return { ["key-marker"] = page:text_of "NextKeyMarker",
        ["upload-id-marker"] = page:text_of "NextUploadIdMarker" }
    end)
  return found
end

---Gives up an upload and its parts. Fine if it is gone.
---@param unfinished {key: string, id: string}
function Bucket:abort(unfinished)
  local ok, err = pcall(self.request, self,
    { method = "DELETE", key = unfinished.key, query = { uploadId = unfinished.id } })
  if not ok and not errors.is(err, "NoSuchUpload") then error(err, 0) end
end

---Aborts every unfinished upload below the prefix, and looks whether they are gone.
---@param prefix string
---@return integer aborted
function Bucket:abort_stale_uploads(prefix)
  local unfinished = self:uploads(prefix)
  local ours = {}
  for _, each in ipairs(unfinished) do
    self:abort(each)
    ours[each.id] = true
  end
  for _, each in ipairs(#unfinished > 0 and self:uploads(prefix) or {}) do
    if ours[each.id] then
      fail.raise("PGO-S3", ("the upload of %s was aborted and is still listed"):format(each.key))
    end
  end
  return #unfinished
end

-- --- the client ---

---@class pgorch.s3.Client
local Client = {}
Client.__index = Client

---@param name string
---@return pgorch.s3.Bucket
function Client:bucket(name)
  if not name:match "^[%w][%w._-]+$" or #name < 3 or #name > 63 then
    fail.raise("PGO-INVALID", ("not a bucket name: %q (3 to 63 letters, digits, dots and dashes)"):format(name))
  end
  return setmetatable({ name = name, transport = self.transport }, Bucket)
end

---The buckets of these keys' account.
---@return string[]
function Client:buckets()
  local names = {}
  local root = self.transport:send({ method = "GET", expect = "ListAllMyBucketsResult" }).xml
  local list = root:find "Buckets"
  for _, each in ipairs(list and list:all "Bucket" or {}) do names[#names + 1] = each:text_of "Name" end
  return names
end

---@param options pgorch.s3.Options
---@return pgorch.s3.Client
function s3.client(options)
  return setmetatable({ transport = transport.new(options) }, Client)
end

---A client from the variables that every S3 tool reads (AWS_ACCESS_KEY_ID and so on). PGO-PARAM when one is missing.
---@param o? {endpoint?: string, region?: string}
---@return pgorch.s3.Client
function s3.from_environment(o)
  return s3.client(environment(o))
end

return s3
