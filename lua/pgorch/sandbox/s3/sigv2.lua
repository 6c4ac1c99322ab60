-- Checks AWS Signature Version 2: in a query, which Linode's object-url call and its command line tool hand out, and in
-- the header, as old clients send it. Ceph RGW accepts both. Expires is an absolute time without an upper bound.

local clock = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local errors = require "pgorch.sandbox.s3.errors"
local url = require "pgorch.sandbox.url"

local sigv2 = {}

local MAX_SKEW = 15 * 60

--- Parameters which are part of the resource that is signed. All others are not covered by a V2 signature.
local SUBRESOURCES = {}
for name in ([[acl cors delete lifecycle location logging notification partNumber policy policyStatus tagging
  requestPayment response-cache-control response-content-disposition response-content-encoding
  response-content-language response-content-type response-expires torrent uploadId uploads versionId
  versioning versions website]]):gmatch("%S+") do
  SUBRESOURCES[name] = true
end

local function resource(request)
  local found = {}
  for _, p in ipairs(request.parameters) do
    if SUBRESOURCES[p.name] then
      found[#found + 1] = p.value == "" and p.name or p.name .. "=" .. p.value
    end
  end
  table.sort(found)
  local path = url.encode(request.resource, true)
  return #found == 0 and path or path .. "?" .. table.concat(found, "&")
end

local function amz_headers(request)
  local lines = {}
  for name, value in pairs(request.headers) do
    if name:find("^x%-amz%-") then lines[#lines + 1] = name .. ":" .. value .. "\n" end
  end
  table.sort(lines)
  return table.concat(lines)
end

---@param request table {method, resource, parameters, headers}
---@param date string the header's Date, or Expires as it stands in the query
---@return string
function sigv2.string_to_sign(request, date)
  local headers = request.headers
  return table.concat({ request.method, headers["content-md5"] or "", headers["content-type"] or "", date,
    amz_headers(request) .. resource(request) }, "\n")
end

---@param request table
---@param date string
---@param secret string
---@return string base64
function sigv2.signature(request, date, secret)
  return crypto.base64(crypto.hmac_sha1(secret, sigv2.string_to_sign(request, date), "raw"))
end

local function check(request, date, access, given, lookup)
  local key = lookup(access)
  if not key then errors.raise "InvalidAccessKeyId" end
  if sigv2.signature(request, date, key.secret) ~= given then errors.raise "SignatureDoesNotMatch" end
  return key.account
end

---@param request table {method, resource, parameters, arguments, headers, now}
---@param lookup fun(access: string): { secret: string, account: table }|nil
---@return table account
function sigv2.check_query(request, lookup)
  local given = request.arguments
  if not given.Signature then errors.raise "InvalidArgument" end
  local expires = tonumber((given.Expires or ""):match("^%d+$"))
  if not expires or request.now >= expires then errors.raise "AccessDenied" end
  return check(request, given.Expires, given.AWSAccessKeyId, given.Signature, lookup)
end

--- With an x-amz-date, that is the time, and it is signed as a header instead of in the place of Date.
---@param request table {method, resource, parameters, headers, now}
---@param lookup fun(access: string): { secret: string, account: table }|nil
---@return table account
function sigv2.check_header(request, lookup)
  local headers = request.headers
  local access, given = headers.authorization:match "^AWS ([^:]+):(%S+)$"
  local date = headers["x-amz-date"] or headers.date or ""
  local time = clock.parse_http((date:gsub("%+0000$", "GMT"))) -- s3cmd writes it so
  if not access or not time then errors.raise "AccessDenied" end
  if math.abs(request.now - time) > MAX_SKEW then errors.raise "RequestTimeTooSkewed" end
  return check(request, headers["x-amz-date"] and "" or date, access, given, lookup)
end

return sigv2
