-- Sends one signed request to an S3 endpoint: path style, Content-MD5, a short body's real SHA-256, never a checksum
-- trailer (Ceph RGW 16 refuses them, others store them as data). Repeats what may be repeated, and mends the two things
-- that only the server can tell: its clock and its region.

local clock = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local errors = require "pgorch.s3.errors"
local fail = require "pgorch.error"
local http = require "pgorch.http"
local log = require "pgorch.log"
local native = require "pgorch.native.s3"
local task = require "pgorch.task"
local trust = require "pgorch.s3.trust"

local transport = {}

local TRIES, BASE, CAP = 6, 0.5, 20
local DAMAGE_TRIES = 3         -- the first and two more
local SKEW_ALLOWED = 14 * 60   -- servers refuse from 15 minutes on
local SLOWEST = 64 * 1024      -- bytes a second that a body is given time for
local EMPTY = crypto.sha256 ""
local UNSIGNED = "UNSIGNED-PAYLOAD"

local DEFAULT_PORT = { http = "80", https = "443" }

---@param endpoint string  "https://host[:port]"; without a scheme, https
---@return string base  as it stands before the path
---@return string host  as it is signed: with the port, unless it is the scheme's own
local function split_endpoint(endpoint)
  local scheme, rest = endpoint:match "^(%a+)://(.*)$"
  scheme, rest = (scheme or "https"):lower(), rest or endpoint
  local authority = rest:match "^([^/?#@]+)/?$"
  if not authority or not DEFAULT_PORT[scheme] then
    fail.raise("PGO-INVALID", ("not an S3 endpoint: %q (https://HOST[:PORT] is needed)"):format(endpoint))
  end
  local name, port = authority:match "^(.-):(%d+)$"
  local host = (name or authority):lower()
  if port and port ~= DEFAULT_PORT[scheme] then host = host .. ":" .. port end
  return scheme .. "://" .. host, host
end

---@class pgorch.s3.Transport
---@field offset number       seconds to add to this machine's clock
---@field observed number     the last difference seen; URLs are signed with it too
local Transport = {}
Transport.__index = Transport

---@class pgorch.s3.Options
---@field endpoint string            "https://host[:port]"; without a scheme, https
---@field region? string             "us-east-1"; Ceph does not look at it
---@field access_key string|userdata
---@field secret_key userdata
---@field ca_pem? string             the only authorities to trust; those of AWS_CA_BUNDLE when nil

---@param options pgorch.s3.Options
---@return pgorch.s3.Transport
function transport.new(options)
  for _, name in ipairs { "endpoint", "access_key", "secret_key" } do
    if not options[name] then fail.raise("PGO-INVALID", ("s3.client needs `%s`"):format(name)) end
  end
  local base, host = split_endpoint(options.endpoint)
  local ca_pem = options.ca_pem
  if not ca_pem and base:find("^https:") then ca_pem = trust.bundle() end
  return setmetatable({
    base = base, host = host, region = options.region or "us-east-1", access_key = options.access_key,
    secret_key = options.secret_key, ca_pem = ca_pem, offset = 0, observed = 0,
    warned = false,
  }, Transport)
end

local function path_of(request)
  if not request.bucket then return "/" end
  return "/" .. request.bucket .. (request.key and "/" .. request.key or "")
end

local function label(request)
  if not request.bucket then return "listing the buckets" end
  return ("%s s3:/%s"):format(request.method, path_of(request))
end

-- The payload hash, and the headers that go with a body. A block has its Content-MD5 alone, which is signed: a SHA-256
-- of it costs both sides as much as all the rest of sending it. Who sits in between is kept off by TLS: the HTTP client
-- sends no credentials without it, except to loopback.
local function describe_body(request)
  local headers = { host = request.host }
  for name, value in pairs(request.headers or {}) do headers[name:lower()] = value end
  if not request.body then return EMPTY, headers end
  if request.length then return UNSIGNED, headers end
  local short = type(request.body) == "string"
  local md5 = short and crypto.md5(request.body) or request.digests.md5
  headers["content-md5"] = crypto.base64(crypto.unhex(md5))
  return short and crypto.sha256(request.body) or UNSIGNED, headers
end

function Transport:signed(request)
  local hash, headers = describe_body(request)
  if request.anonymous then
    return native.encode(path_of(request), true), request.headers or {}
  end
  local target, signed = native.sign {
    access_key = self.access_key, secret_key = self.secret_key, region = self.region,
    time = clock.time() + self.offset, method = request.method, path = path_of(request),
    query = request.query, headers = headers, payload_hash = hash,
  }
  signed.host = nil -- the HTTP client writes the same one
  return target, signed
end

---A URL that carries its own permission: a secret.
---@param method string
---@param seconds integer  1 to 604800
function Transport:presign(method, bucket, key, seconds, query)
  local offset = self.offset ~= 0 and self.offset or self.observed
  return native.presign {
    access_key = self.access_key, secret_key = self.secret_key, region = self.region,
    time = clock.time() + offset, method = method, path = path_of { bucket = bucket, key = key },
    query = query, headers = { host = self.host }, base = self.base, seconds = seconds,
  }
end

function Transport:observe(reply)
  local date = clock.parse_http(reply.headers.date)
  if not date then return nil end
  local difference = date - clock.time()
  -- A quick reply tells the server's time well enough to sign URLs with, which a late clock would shorten.
  if (reply.seconds or 0) < 5 then self.observed = math.abs(difference) > 30 and difference or 0 end
  return difference
end

-- True when the clock was the reason and has been accounted for. A HEAD reply has no body to say so.
function Transport:mend_clock(err, difference)
  local skewed = err.code == "RequestTimeTooSkewed" or (err.status == 403 and err.no_body)
  if not skewed or not difference or math.abs(difference - self.offset) < SKEW_ALLOWED then return false end
  self.offset = difference
  if not self.warned then
    self.warned = true
    log.warn(("this machine's clock is %d minutes %s the object storage's; requests are signed with its time"):format(
      math.floor(math.abs(difference) / 60 + 0.5), difference > 0 and "behind" or "ahead of"))
  end
  return true
end

function Transport:mend_region(err)
  if not err.region or err.region == "" or err.region == self.region then return false end
  self.region = err.region
  return true
end

function Transport:attempt(request)
  request.host = self.host
  local target, headers = self:signed(request)
  local size = request.length or request.body and #request.body or 0
  local reply = http.request {
    method = request.method, url = self.base .. target, headers = headers, body = request.body,
    length = request.length, into = request.into, limit = request.limit,
    timeout = request.timeout or (60 + size / SLOWEST), ca_pem = self.ca_pem, follow = 0, check = false,
  }
  local difference = self:observe(reply)
  if request.anonymous then return reply end
  if reply.status >= 300 then return nil, errors.from_reply(label(request), reply), difference, reply end
  if errors.is_page(reply.body) then return nil, errors.page(label(request), reply), difference, reply end
  if request.expect then
    reply.xml = errors.parse(reply.body)
    local name = reply.xml and reply.xml.name
    if name == "Error" then return nil, errors.from_reply(label(request), reply), difference, reply end
    -- A subresource that the server does not know is answered as if it had not been asked for.
    if name ~= request.expect then
      fail.raise("PGO-S3", ("%s: the server answered with %s where <%s> was expected"):format(label(request),
        name and "<" .. name .. ">" or "no XML", request.expect), { code = "Unexpected", status = reply.status })
    end
  end
  return reply
end

local function pause(try, reply)
  local asked = reply and tonumber(reply.headers["retry-after"])
  return asked and math.min(asked, 60) or math.random() * math.min(CAP, BASE * 2 ^ (try - 1))
end

---@class pgorch.s3.Request
---@field method string
---@field bucket? string
---@field key? string
---@field query? table<string, string|number>
---@field headers? table<string, string>
---@field body? string|userdata           text or block; a block comes with its `digests`. Or a stream, which goes once
---@field length? integer                  of a stream
---@field digests? {md5: string}           hex
---@field expect? string                  name of the XML reply's root; the reply then has `xml`
---@field into? userdata                  stream for the body
---@field tries? integer                  6
---@field anonymous? boolean              unsigned, tried once, never an error
---@field on_error? fun(err: pgorch.Error) told of each failed try

---Sends it until it succeeds or cannot. Raises PGO-S3..., PGO-NET and its kin.
---@param request pgorch.s3.Request
---@return table reply  {status, headers, body, xml?}
function Transport:send(request)
  local mended_clock, mended_region, damaged = false, false, 0
  local try = 0
  while true do
    try = try + 1
    local ok, reply, err, difference, refusal = pcall(self.attempt, self, request)
    if ok and reply then return reply end
    if not ok then err = trust.explained(fail.wrap(reply)) end
    if request.on_error then request.on_error(err) end
    if ok and not mended_clock and self:mend_clock(err, difference) then
      mended_clock, try = true, try - 1
    elseif ok and not mended_region and self:mend_region(err) then
      mended_region, try = true, try - 1
    else
      if err.resend == "damage" then damaged = damaged + 1 end
      if not err.retryable or try >= (request.tries or TRIES) or damaged >= DAMAGE_TRIES then error(err, 0) end
      local seconds = pause(try, refusal)
      log.debug(("%s; again in %.1f s"):format(err.message, seconds))
      task.sleep(seconds)
    end
  end
end

return transport
