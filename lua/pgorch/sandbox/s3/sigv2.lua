-- Checks AWS Signature Version 2 in a query, which Linode's object-url call and its command line tool hand out
-- and Ceph RGW accepts. Expires is an absolute time without an upper bound.

local crypto = require "pgorch.crypto"
local errors = require "pgorch.sandbox.s3.errors"
local url = require "pgorch.sandbox.s3.url"

local sigv2 = {}

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
  local path = url.encode(request.path, true)
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

---@param request table {method, path, parameters, headers}
---@param expires string as it stands in the query
---@return string
function sigv2.string_to_sign(request, expires)
  local headers = request.headers
  return table.concat({ request.method, headers["content-md5"] or "", headers["content-type"] or "", expires,
    amz_headers(request) .. resource(request) }, "\n")
end

---@param request table
---@param expires string
---@param secret string
---@return string base64
function sigv2.signature(request, expires, secret)
  return crypto.base64(crypto.hmac_sha1(secret, sigv2.string_to_sign(request, expires), "raw"))
end

---@param request table {method, path, parameters, arguments, headers, now}
---@param lookup fun(access: string): { secret: string, account: table }|nil
---@return table account
function sigv2.check_query(request, lookup)
  local given = request.arguments
  local expires = tonumber((given.Expires or ""):match("^%d+$"))
  if not expires or request.now >= expires then errors.raise "AccessDenied" end
  local key = lookup(given.AWSAccessKeyId or "")
  if not key then errors.raise "InvalidAccessKeyId" end
  if sigv2.signature(request, given.Expires, key.secret) ~= given.Signature then
    errors.raise "SignatureDoesNotMatch"
  end
  return key.account
end

return sigv2
