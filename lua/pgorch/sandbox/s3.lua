-- The sandbox's S3 endpoint: what Ceph RGW 16.2 does, path style, on loopback. Routes a request to its handler
-- after the signature has been checked. Owns the accounts, keys, buckets and the folder with their bytes; shares
-- no signing, ETag or listing code with the product, and knows nothing of runs.

local clock = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local acl = require "pgorch.sandbox.s3.acl"
local buckets = require "pgorch.sandbox.s3.buckets"
local errors = require "pgorch.sandbox.s3.errors"
local faults = require "pgorch.sandbox.faults"
local fs = require "pgorch.fs"
local http_server = require "pgorch.http_server"
local log = require "pgorch.log"
local multipart = require "pgorch.sandbox.s3.multipart"
local objects = require "pgorch.sandbox.s3.objects"
local request_log = require "pgorch.sandbox.request_log"
local sigv2 = require "pgorch.sandbox.s3.sigv2"
local sigv4 = require "pgorch.sandbox.s3.sigv4"
local url = require "pgorch.sandbox.s3.url"

local s3 = {}

--- The subresource that selects an operation, by what is addressed and the method. Looked up in this order; what
--- is not listed falls through to the plain operation of the method, as RGW does it.
local SUBRESOURCES = {
  bucket = {
    { "delete", { POST = "delete_objects" } },
    { "uploads", { GET = "list_uploads" } },
    { "acl", { GET = "get_bucket_acl", PUT = "put_bucket_acl" } },
    { "policyStatus", { GET = "policy_status" } },
    { "location", { GET = "location" } },
    { "versioning", { GET = "versioning" } },
    { "lifecycle", { GET = "get_lifecycle", PUT = "put_lifecycle", DELETE = "delete_lifecycle" } },
    { "policy", { GET = "get_policy" } },
    { "cors", { GET = "get_cors" } },
  },
  object = {
    { "uploads", { POST = "create_upload" } },
    { "uploadId", { PUT = "put_part", GET = "list_parts", POST = "complete_upload", DELETE = "abort_upload" } },
    { "acl", { GET = "get_object_acl", PUT = "put_object_acl" } },
  },
}

local PLAIN = {
  service = { GET = "list_buckets" },
  bucket = { GET = "list_objects", HEAD = "head_bucket", PUT = "create_bucket", DELETE = "delete_bucket" },
  object = { GET = "get_object", HEAD = "head_object", PUT = "put_object", DELETE = "delete_object" },
}

--- Operations that strangers may do if the ACL lets them; all others are the owner's.
local READS = { list_objects = "bucket", head_bucket = "bucket", get_object = "object", head_object = "object" }

local HANDLERS = {
  get_policy = function() errors.raise "NoSuchBucketPolicy" end,
  get_cors = function() errors.raise "NoSuchCORSConfiguration" end,
}
for _, module in ipairs { buckets, objects, multipart } do
  for name, handler in pairs(module) do HANDLERS[name] = handler end
end

--- The names of all operations.
---@return string[]
function s3.operations()
  local found = {}
  for _, entries in pairs(SUBRESOURCES) do
    for _, entry in ipairs(entries) do
      for _, name in pairs(entry[2]) do found[#found + 1] = "s3." .. name end
    end
  end
  for _, methods in pairs(PLAIN) do
    for _, name in pairs(methods) do found[#found + 1] = "s3." .. name end
  end
  return found
end

--- What a request addresses: bucket and key (decoded), parameters, operation.
---@return table
local function parse(req)
  local path = url.decode(req.path)
  local bucket_name, key = path:match("^/([^/]+)/?(.*)$")
  local parameters, arguments = url.parameters(req.query)
  local kind = not bucket_name and "service" or key == "" and "bucket" or "object"
  local request = { method = req.method, path = path, bucket_name = bucket_name, key = key, headers = req.headers,
    parameters = parameters, arguments = arguments, body = req.body, kind = kind }
  for _, entry in ipairs(SUBRESOURCES[kind] or {}) do
    if arguments[entry[1]] then
      request.operation = entry[2][req.method]
      if request.operation then return request end
    end
  end
  request.operation = PLAIN[kind][req.method]
  return request
end

local function authenticate(server, request)
  local given, header = request.arguments, request.headers.authorization
  local function lookup(access) return server.keys[access] end
  local v4, v2 = given["X-Amz-Signature"] or given["X-Amz-Algorithm"], given.Signature or given.AWSAccessKeyId
  if header and (v4 or v2) then errors.raise "InvalidArgument" end
  if header then
    request.account, request.sha256 = sigv4.check_header(request, lookup)
  elseif v4 then
    request.account = sigv4.check_query(request, lookup)
  elseif v2 then
    request.account = sigv2.check_query(request, lookup)
  end
end

--- May the account do this? A stranger may read what an ACL shows to him, nothing else.
local function authorize(server, request)
  if request.kind == "service" or request.operation == "create_bucket" then return end
  local bucket = server.buckets[request.bucket_name]
  if not bucket then errors.raise "NoSuchBucket" end
  request.bucket = bucket
  if request.account == bucket.owner then return end
  local shown = bucket.acl
  if READS[request.operation] == "object" then
    local object = bucket.objects[request.key]
    shown = object and object.acl or "private"
    if not object and acl.readable(bucket.owner, bucket.acl, request.account) then errors.raise "NoSuchKey" end
  elseif not READS[request.operation] then
    shown = "private"
  end
  if not acl.readable(bucket.owner, shown, request.account) then errors.raise "AccessDenied" end
end

local function perform(server, req)
  local request = parse(req)
  request.now = clock.time() + (req.skew or 0)
  if not request.operation then errors.raise "MethodNotAllowed" end
  authenticate(server, request)
  authorize(server, request)
  return HANDLERS[request.operation](server, request)
end

local function handle(server, req)
  local ok, answer = pcall(perform, server, req)
  if not ok then
    if type(answer) ~= "table" or not answer.s3 then error(answer, 0) end
    answer = errors.answer(answer.s3, answer.status)
    if req.method == "HEAD" then answer.body = nil end
  end
  answer.headers = answer.headers or {}
  answer.headers.date = objects.http_date(clock.time() + (req.skew or 0))
  answer.headers["x-amz-request-id"] = ("tx%032x"):format(math.random(0))
  return answer
end

--- What a fault answers with: an error document of its code, or of the status.
local function fault_answer(fault)
  local answer = errors.answer(fault.code or errors.code_of(fault.answer), fault.answer)
  answer.headers.date = objects.http_date(clock.time() + (fault.skew or 0))
  return answer
end

--- The name under which a request's faults are asked for.
---@param req table
---@return string
function s3.operation(req)
  local operation = parse(req).operation
  return "s3." .. (operation or "unknown")
end

local function add_account(server, name, access, secret)
  local account = { id = name, name = name }
  server.accounts[name] = account
  server.keys[access] = { account = account, secret = secret }
  return account
end

local function new_keys()
  local access = crypto.hex(crypto.random(10)):upper()
  return access, (crypto.base64(crypto.random(30)):gsub("[+/]", "x"))
end

local Endpoint = {}
Endpoint.__index = Endpoint

--- Another account with a key pair of its own.
---@param name string
---@return { access_key: string, secret_key: string, account: table }
function Endpoint:add_account(name)
  local access, secret = new_keys()
  return { access_key = access, secret_key = secret, account = add_account(self.server, name, access, secret) }
end

--- New keys for an account. Its old ones stop working at once, and the URLs signed with them.
---@param account? table the first account when nil
---@return string access_key
---@return string secret_key
function Endpoint:regenerate_keys(account)
  account = account or self.account
  for access, key in pairs(self.server.keys) do
    if key.account == account then self.server.keys[access] = nil end
  end
  local access, secret = new_keys()
  self.server.keys[access] = { account = account, secret = secret }
  if account == self.account then self.access_key, self.secret_key = access, secret end
  return access, secret
end

--- The buckets of an account, by name.
---@param account? table
---@return { name: string, created: number }[]
function Endpoint:buckets(account)
  local found = {}
  for name, bucket in pairs(self.server.buckets) do
    if bucket.owner == (account or self.account) then found[#found + 1] = { name = name, created = bucket.created } end
  end
  table.sort(found, function(a, b) return a.name < b.name end)
  return found
end

--- Makes a bucket as the provider's own API does.
---@return table|nil bucket
---@return string|nil code the S3 code of the refusal
function Endpoint:create_bucket(name, account)
  local ok, result = pcall(buckets.make, self.server, account or self.account, name, clock.time())
  if ok then return result end
  if type(result) ~= "table" or not result.s3 then error(result, 0) end
  return nil, result.s3
end

---@return boolean|nil done
---@return string|nil code
function Endpoint:delete_bucket(name, account)
  local bucket = self.server.buckets[name]
  if not bucket or bucket.owner ~= (account or self.account) then return nil, "NoSuchBucket" end
  if next(bucket.objects) then return nil, "BucketNotEmpty" end
  buckets.remove(self.server, bucket)
  return true
end

function Endpoint:close() self.listener:close() end
Endpoint.__close = Endpoint.close

--- Starts the endpoint. It has two accounts: the one whose keys it returns, and `other`, which owns the bucket
--- "taken-by-somebody-else".
---@param world { dir: string }
---@param opts? { port: integer?, access_key: string?, secret_key: string?, region: string? }
---@return table endpoint {url, host, port, access_key, secret_key, region, other = {access_key, secret_key}, close}
function s3.start(world, opts)
  opts = opts or {}
  local dir, serial = world.dir .. "/s3", 0
  local server = { accounts = {}, keys = {}, buckets = {}, region = opts.region or "us-east-1" }
  function server.new_file()
    serial = serial + 1
    return ("%s/%08d"):format(dir, serial)
  end
  fs.mkdir(dir)
  local access, secret = new_keys()
  local endpoint = setmetatable({ server = server, region = server.region, host = "127.0.0.1",
    access_key = opts.access_key or access, secret_key = opts.secret_key or secret }, Endpoint)
  endpoint.account = add_account(server, "pgorch", endpoint.access_key, endpoint.secret_key)
  endpoint.other = endpoint:add_account "other"
  endpoint:create_bucket("taken-by-somebody-else", endpoint.other.account)
  local handler = faults.wrap(world, s3.operation, function(req) return handle(server, req) end, fault_answer)
  endpoint.listener = http_server.serve({ host = endpoint.host, port = opts.port or 0 },
    request_log.wrap("s3", handler, world))
  endpoint.port = endpoint.listener.port
  endpoint.url = ("http://%s:%d"):format(endpoint.host, endpoint.port)
  log.debug("S3 stand-in listens", { url = endpoint.url })
  return endpoint
end

return s3
