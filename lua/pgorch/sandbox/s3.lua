-- The sandbox's S3 endpoint: what Ceph RGW 16.2 does, on loopback. Gives a request to its handler after it has been
-- found out whose it is and whether he may. Owns the accounts, keys, buckets and the folder with their bytes; shares
-- no signing, ETag or listing code with the product, and knows nothing of runs.

local access = require "pgorch.sandbox.s3.access"
local administration = require "pgorch.sandbox.s3.administration"
local buckets = require "pgorch.sandbox.s3.buckets"
local clock = require "pgorch.clock"
local contents = require "pgorch.sandbox.s3.contents"
local crypto = require "pgorch.crypto"
local errors = require "pgorch.sandbox.s3.errors"
local faults = require "pgorch.sandbox.faults"
local fs = require "pgorch.fs"
local http_server = require "pgorch.http_server"
local log = require "pgorch.log"
local multipart = require "pgorch.sandbox.s3.multipart"
local objects = require "pgorch.sandbox.s3.objects"
local policy = require "pgorch.sandbox.s3.policy"
local request_log = require "pgorch.sandbox.request_log"
local route = require "pgorch.sandbox.s3.route"
local settings = require "pgorch.sandbox.s3.settings"
local versions = require "pgorch.sandbox.s3.versions"

local s3 = {}

local HANDLERS = {}
for _, module in ipairs { buckets, contents, objects, multipart, policy.handlers, settings } do
  for name, handler in pairs(module) do HANDLERS[name] = handler end
end

--- All operations, by the names of their faults.
---@return table<string, string>
function s3.operations() return faults.operations("s3", route.calls()) end

local function perform(server, request)
  access.authenticate(server, request)
  request.known = true
  if not request.operation then errors.raise "MethodNotAllowed" end
  administration.check(request.key_used, request)
  access.authorize(server, request)
  return HANDLERS[request.operation](server, request)
end

--- Errors that come before it is known who asks do not name the bucket.
local function refusal(request, err)
  if type(err) ~= "table" or not err.s3 then error(err, 0) end
  local named = request.known and not err.bare
  local answer = errors.answer(err.s3, { status = err.status, message = err.message,
    bucket = named and request.bucket_name or nil })
  if request.method == "HEAD" then answer.length, answer.body = #answer.body, nil end
  return answer
end

local function handle(server, req)
  local request = route.parse(req)
  request.now, request.fault, request.group = clock.time() + (req.skew or 0), req.fault, server.listener.group
  local ok, answer = pcall(perform, server, request)
  if not ok then answer = refusal(request, answer) end
  answer.headers = answer.headers or {}
  answer.headers.date = objects.http_date(request.now)
  answer.headers["x-amz-request-id"] = ("tx%032x"):format(math.random(0))
  return answer
end

--- What a fault answers with: an error document of its code, or of the status.
local function fault_answer(fault)
  local answer = errors.answer(fault.code or errors.code_of(fault.answer), { status = fault.answer })
  answer.headers.date = objects.http_date(clock.time() + (fault.skew or 0))
  return answer
end

--- The name under which a request's faults are asked for.
---@param req table
---@return string
function s3.operation(req) return "s3." .. (route.parse(req).operation or "unknown") end

local function add_account(server, name, access_key, secret)
  local account = { id = name, name = name }
  server.accounts[name] = account
  server.keys[access_key] = { account = account, secret = secret }
  return account
end

local function new_keys()
  local access_key = crypto.hex(crypto.random(10)):upper()
  return access_key, (crypto.base64(crypto.random(30)):gsub("[+/]", "x"))
end

local Endpoint = {}
Endpoint.__index = Endpoint
for name, method in pairs(administration.methods) do Endpoint[name] = method end

--- Another account with a key pair of its own.
---@param name string
---@return { access_key: string, secret_key: string, account: table }
function Endpoint:add_account(name)
  local access_key, secret = new_keys()
  return { access_key = access_key, secret_key = secret, account = add_account(self.server, name, access_key, secret) }
end

--- New keys for an account. Its old ones stop working at once, and the URLs signed with them.
---@param account? table the first account when nil
---@return string access_key
---@return string secret_key
function Endpoint:regenerate_keys(account)
  account = account or self.account
  for access_key, key in pairs(self.server.keys) do
    if key.account == account then self.server.keys[access_key] = nil end
  end
  local access_key, secret = new_keys()
  self.server.keys[access_key] = { account = account, secret = secret }
  if account == self.account then self.access_key, self.secret_key = access_key, secret end
  return access_key, secret
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
  if not versions.is_empty(bucket) then return nil, "BucketNotEmpty" end
  buckets.remove(self.server, bucket)
  return true
end

function Endpoint:close() self.listener:close() end
Endpoint.__close = Endpoint.close

--- Starts the endpoint. It has two accounts: the one whose keys it returns, and `other`, which owns the bucket
--- "taken-by-somebody-else".
---@param world { dir: string }
---@param opts? { host: string?, port: integer?, access_key: string?, secret_key: string?, region: string? }
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
  local access_key, secret = new_keys()
  local endpoint = setmetatable({ server = server, region = server.region, host = opts.host or "127.0.0.1",
    access_key = opts.access_key or access_key, secret_key = opts.secret_key or secret }, Endpoint)
  endpoint.account = add_account(server, "pgorch", endpoint.access_key, endpoint.secret_key)
  endpoint.other = endpoint:add_account "other"
  endpoint:create_bucket("taken-by-somebody-else", endpoint.other.account)
  local handler = faults.wrap(world, s3.operation, function(req) return handle(server, req) end, fault_answer)
  endpoint.listener = http_server.serve({ host = endpoint.host, port = opts.port or 0 },
    request_log.wrap("s3", handler, world))
  endpoint.port, server.listener = endpoint.listener.port, endpoint.listener
  endpoint.url = endpoint.listener.url
  log.debug("S3 stand-in listens", { url = endpoint.url })
  return endpoint
end

return s3
