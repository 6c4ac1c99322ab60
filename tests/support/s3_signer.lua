-- Signs S3 requests by the letter of the manual, versions 4 and 2, in the header and in the query, right or wrong as
-- told. For tests alone: neither pgorch nor its stand-in uses it, so what all three agree on is not one's own mistake.
-- Paths and queries are signed as they stand: whoever calls has percent-encoded them.

local clock  = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local http   = require "pgorch.http"

local signer = {}

local EMPTY = crypto.sha256 ""

---@class support.SignerRequest
---@field method string
---@field path string                    encoded
---@field query string                   encoded, "" for none
---@field host string
---@field headers table<string, string>  lower-case names; signed ones are added to it
---@field access_key string
---@field secret_key string
---@field region? string                 us-east-1
---@field service? string                s3
---@field time? number                   when it is signed; now
---@field payload? string                what stands for the body's SHA-256
---@field signed? string[]               names to sign, in place of host and every x-amz-*

local function compact(time) return (clock.iso(math.floor(time)):gsub("[-:]", "")) end

--- A time as headers have it.
function signer.http_date(time) return os.date("!%a, %d %b %Y %H:%M:%S GMT", math.floor(time)) end

local function sorted_query(query)
  local pairs_found = {}
  for each in query:gmatch "[^&]+" do
    pairs_found[#pairs_found + 1] = each:find("=", 1, true) and each or each .. "="
  end
  table.sort(pairs_found)
  return table.concat(pairs_found, "&")
end

local function names_to_sign(r)
  if r.signed then return r.signed end
  local names = { "host" }
  for name in pairs(r.headers) do
    if name:find "^x%-amz%-" or name == "content-md5" or name == "range" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function signing_key(r, day)
  local key = "AWS4" .. r.secret_key
  for _, each in ipairs { day, r.region or "us-east-1", r.service or "s3", "aws4_request" } do
    key = crypto.hmac_sha256(key, each, "raw")
  end
  return key
end

local function signature_v4(r, stamp, scope, names, payload, query)
  local lines = { r.method, r.path, sorted_query(query) }
  for _, name in ipairs(names) do
    local value = name == "host" and r.host or r.headers[name] or ""
    lines[#lines + 1] = name .. ":" .. value:gsub("^%s+", ""):gsub("%s+$", ""):gsub("%s+", " ")
  end
  for _, each in ipairs { "", table.concat(names, ";"), payload } do lines[#lines + 1] = each end
  local text = table.concat({ "AWS4-HMAC-SHA256", stamp, scope, crypto.sha256(table.concat(lines, "\n")) }, "\n")
  return crypto.hmac_sha256(signing_key(r, stamp:sub(1, 8)), text)
end

local function scope_of(r, stamp)
  return ("%s/%s/%s/aws4_request"):format(stamp:sub(1, 8), r.region or "us-east-1", r.service or "s3")
end

--- Adds x-amz-date, x-amz-content-sha256 and authorization to the headers.
---@param r support.SignerRequest
---@return string signature the seed of the chunks' signatures
function signer.header_v4(r)
  local stamp, payload = compact(r.time or clock.time()), r.payload or EMPTY
  r.headers["x-amz-date"], r.headers["x-amz-content-sha256"] = stamp, payload
  local names, scope = names_to_sign(r), scope_of(r, stamp)
  local signature = signature_v4(r, stamp, scope, names, payload, r.query)
  r.headers.authorization = ("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s"):format(r.access_key,
    scope, table.concat(names, ";"), signature)
  return signature
end

--- The query of a presigned URL.
---@param r support.SignerRequest
---@param expires string|number
---@return string
function signer.query_v4(r, expires)
  local stamp = compact(r.time or clock.time())
  local scope, names = scope_of(r, stamp), names_to_sign(r)
  local query = ("%sX-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%s&X-Amz-Date=%s&X-Amz-Expires=%s"
    .. "&X-Amz-SignedHeaders=%s"):format(r.query ~= "" and r.query .. "&" or "",
    http.escape(r.access_key .. "/" .. scope), stamp, expires, http.escape(table.concat(names, ";")))
  return query .. "&X-Amz-Signature=" .. signature_v4(r, stamp, scope, names, r.payload or "UNSIGNED-PAYLOAD", query)
end

--- Parameters that version 2 signs with the path.
local SUBRESOURCES = {}
for name in ([[acl lifecycle location logging notification partNumber policy requestPayment torrent uploadId uploads
  versionId versioning versions website delete cors tagging response-content-type response-content-language
  response-expires response-cache-control response-content-disposition response-content-encoding]]):gmatch "%S+" do
  SUBRESOURCES[name] = true
end

local function resource_v2(r)
  local found = {}
  for each in r.query:gmatch "[^&]+" do
    local name, value = each:match "^([^=]*)=?(.*)$"
    -- values of response-* are signed decoded
    value = value:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
    if SUBRESOURCES[name] then found[#found + 1] = value == "" and name or name .. "=" .. value end
  end
  table.sort(found)
  return r.path .. (#found > 0 and "?" .. table.concat(found, "&") or "")
end

local function signature_v2(r, date)
  local amz = {}
  for name, value in pairs(r.headers) do
    if name:find "^x%-amz%-" then amz[#amz + 1] = name .. ":" .. value .. "\n" end
  end
  table.sort(amz)
  local text = table.concat({ r.method, r.headers["content-md5"] or "", r.headers["content-type"] or "", date,
    table.concat(amz) .. resource_v2(r) }, "\n")
  return crypto.base64(crypto.hmac_sha1(r.secret_key, text, "raw"))
end

--- Adds date and authorization to the headers.
---@param r support.SignerRequest
function signer.header_v2(r)
  r.headers.date = signer.http_date(r.time or clock.time())
  r.headers.authorization = ("AWS %s:%s"):format(r.access_key, signature_v2(r, r.headers.date))
end

--- The query of a URL that is good until `expires`, seconds since 1970.
---@param r support.SignerRequest
---@param expires integer
---@return string
function signer.query_v2(r, expires)
  return ("%sAWSAccessKeyId=%s&Expires=%d&Signature=%s"):format(r.query ~= "" and r.query .. "&" or "",
    http.escape(r.access_key), expires, http.escape(signature_v2(r, tostring(expires))))
end

--- A body in chunks that are signed one by one (STREAMING-AWS4-HMAC-SHA256-PAYLOAD), for a request that was signed.
---@param r support.SignerRequest
---@param seed string the request's own signature
---@param pieces string[]
---@return string
function signer.chunks(r, seed, pieces)
  local stamp, out, last = r.headers["x-amz-date"], {}, seed
  local key = signing_key(r, stamp:sub(1, 8))
  for _, piece in ipairs(table.move({ "" }, 1, 1, #pieces + 1, { table.unpack(pieces) })) do
    last = crypto.hmac_sha256(key, table.concat({ "AWS4-HMAC-SHA256-PAYLOAD", stamp, scope_of(r, stamp), last, EMPTY,
      crypto.sha256(piece) }, "\n"))
    out[#out + 1] = ("%x;chunk-signature=%s\r\n%s\r\n"):format(#piece, last, piece)
  end
  return table.concat(out)
end

return signer
