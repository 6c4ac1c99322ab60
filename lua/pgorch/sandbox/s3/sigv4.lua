-- Checks AWS Signature Version 4, in the Authorization header and in a presigned query. Written apart from the
-- signer that pgorch uses, so that one cannot hide the other's mistake: the only thing they have in common is
-- HMAC-SHA256. The answers to bad requests are those of Ceph RGW 16; where RGW is lax and AWS is not, AWS rules.

local clock = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local errors = require "pgorch.sandbox.s3.errors"
local url = require "pgorch.sandbox.url"

local sigv4 = {}

local ALGORITHM = "AWS4-HMAC-SHA256"
local UNSIGNED = "UNSIGNED-PAYLOAD"
local CHUNKED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
local MAX_SKEW = 15 * 60
local MAX_EXPIRES = 7 * 24 * 3600

local function canonical_query(parameters)
  local lines = {}
  for _, p in ipairs(parameters) do
    if p.name ~= "X-Amz-Signature" then
      lines[#lines + 1] = { url.encode(p.name), url.encode(p.value) }
    end
  end
  table.sort(lines, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[2] < b[2]
  end)
  for i, line in ipairs(lines) do lines[i] = line[1] .. "=" .. line[2] end
  return table.concat(lines, "&")
end

local function trimmed(value) return (value:gsub("^%s+", ""):gsub("%s+$", ""):gsub("%s+", " ")) end

--- The canonical request. The path is decoded and encoded again once, so that a client which encodes too
--- little or too much signs something else than it sends; it is not normalised.
---@param request { method: string, path: string, parameters: table[], headers: table<string, string> } path decoded
---@param signed string[] names of the signed headers, as the client listed them
---@param payload string
---@return string
function sigv4.canonical_request(request, signed, payload)
  local lines = { request.method, url.encode(request.path, true), canonical_query(request.parameters) }
  for _, name in ipairs(signed) do
    lines[#lines + 1] = name .. ":" .. trimmed(request.headers[name] or "")
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = table.concat(signed, ";")
  lines[#lines + 1] = payload
  return table.concat(lines, "\n")
end

---@param timestamp string YYYYMMDDTHHMMSSZ
---@param scope string
---@param canonical string
---@return string
function sigv4.string_to_sign(timestamp, scope, canonical)
  return table.concat({ ALGORITHM, timestamp, scope, crypto.sha256(canonical) }, "\n")
end

---@return string raw
function sigv4.signing_key(secret, day, region, service)
  local key = "AWS4" .. secret
  for _, step in ipairs { day, region, service, "aws4_request" } do key = crypto.hmac_sha256(key, step, "raw") end
  return key
end

--- The signature that a credential gives to a request.
---@param request table see canonical_request
---@param credential { day: string, region: string, service: string, scope: string }
---@param signed string[]
---@param timestamp string
---@param payload string
---@param secret string
---@return string hex
function sigv4.signature(request, credential, signed, timestamp, payload, secret)
  local key = sigv4.signing_key(secret, credential.day, credential.region, credential.service)
  local canonical = sigv4.canonical_request(request, signed, payload)
  return crypto.hmac_sha256(key, sigv4.string_to_sign(timestamp, credential.scope, canonical))
end

local function parse_credential(text)
  local access, scope = (text or ""):match("^(.-)/(%d+/[^/]+/[^/]+/aws4_request)$")
  if not access then errors.raise "InvalidArgument" end
  local day, region, service = scope:match("^(%d+)/([^/]+)/([^/]+)/")
  if service ~= "s3" then errors.raise "InvalidArgument" end
  return { access = access, scope = scope, day = day, region = region, service = service }
end

local function epoch(timestamp)
  local y, mo, d, h, mi, s = (timestamp or ""):match("^(%d%d%d%d)(%d%d)(%d%d)T(%d%d)(%d%d)(%d%d)Z$")
  if not y then errors.raise "AccessDenied" end
  return clock.parse_iso(("%s-%s-%sT%s:%s:%sZ"):format(y, mo, d, h, mi, s))
end

--- Names that were signed; Host must be among them, and so must each x-amz-* header that was sent.
local function signed_headers(request, text)
  local names, known = {}, {}
  for name in (text or ""):gmatch("[^;]+") do
    names[#names + 1] = name
    known[name] = true
    if #names > 1 and names[#names - 1] >= name then errors.raise "SignatureDoesNotMatch" end
  end
  if not known.host then errors.raise "AccessDenied" end
  for name in pairs(request.headers) do
    if name:find("^x%-amz%-") and not known[name] then errors.raise "AccessDenied" end
  end
  return names
end

local function check(request, credential, signed, timestamp, payload, given, lookup)
  local key = lookup(credential.access)
  if not key then errors.raise "InvalidAccessKeyId" end
  local expected = sigv4.signature(request, credential, signed, timestamp, payload, key.secret)
  if expected ~= given or credential.day ~= timestamp:sub(1, 8) then errors.raise "SignatureDoesNotMatch" end
  return key.account
end

--- What a request in signed chunks needs besides: the key and the first signature to check them with.
local function chunks_of(request, credential, timestamp, signature, lookup)
  local length = tonumber(request.headers["x-amz-decoded-content-length"])
  if not length then errors.raise "InvalidArgument" end
  local secret = lookup(credential.access).secret
  return { key = sigv4.signing_key(secret, credential.day, credential.region, credential.service),
    timestamp = timestamp, scope = credential.scope, seed = signature, length = length }
end

--- Checks an Authorization header. The payload hash that it declares is compared with the body later; a word that is
--- no hash (the checksum trailers of newer clients) does not match any body.
---@param request table {method, path, parameters, headers, now}
---@param lookup fun(access: string): { secret: string, account: table }|nil
---@return table account
---@return string|nil sha256 which the body must have
---@return table|nil chunks by which the body comes, see chunked.lua
function sigv4.check_header(request, lookup)
  local text = request.headers.authorization:match("^" .. ALGORITHM:gsub("%-", "%%-") .. "%s+(.*)$")
  if not text then errors.raise "InvalidArgument" end
  local fields = {}
  for name, value in text:gmatch("(%w+)=([^,%s]+)") do fields[name] = value end
  local credential = parse_credential(fields.Credential)
  local timestamp, declared = request.headers["x-amz-date"], request.headers["x-amz-content-sha256"]
  if math.abs(request.now - epoch(timestamp)) > MAX_SKEW then errors.raise "RequestTimeTooSkewed" end
  if not declared then errors.raise "SignatureDoesNotMatch" end
  local signed = signed_headers(request, fields.SignedHeaders)
  local account = check(request, credential, signed, timestamp, declared, fields.Signature, lookup)
  if declared == CHUNKED then
    return account, nil, chunks_of(request, credential, timestamp, fields.Signature, lookup)
  end
  return account, declared ~= UNSIGNED and declared:lower() or nil
end

--- Checks a presigned query. An expired URL is refused before anything else of it is looked at; one signed
--- "in the future" is good, as at RGW.
---@param request table {method, path, parameters, arguments, headers, now}
---@param lookup fun(access: string): { secret: string, account: table }|nil
---@return table account
function sigv4.check_query(request, lookup)
  local given = request.arguments
  if given["X-Amz-Algorithm"] ~= ALGORITHM or not given["X-Amz-Signature"] then errors.raise "AccessDenied" end
  local credential = parse_credential(given["X-Amz-Credential"])
  local timestamp = given["X-Amz-Date"]
  local expires = (given["X-Amz-Expires"] or ""):match("^%d+$")
  expires = expires and tonumber(expires)
  if not expires or expires > MAX_EXPIRES then errors.raise "AccessDenied" end
  if request.now >= epoch(timestamp) + expires then errors.raise "AccessDenied" end
  local signed = signed_headers(request, given["X-Amz-SignedHeaders"])
  return check(request, credential, signed, timestamp, UNSIGNED, given["X-Amz-Signature"], lookup)
end

return sigv4
