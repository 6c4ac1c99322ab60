-- Sends the requests of tests/support/s3_requests.lua to an S3 server, one behind the other, and tells what it saw:
-- status, error code, root of the document, and the headers and elements that a request wants looked at.
-- Knows no server; what may differ between two is the caller's business.

local clock   = require "pgorch.clock"
local crypto  = require "pgorch.crypto"
local http    = require "pgorch.http"
local signer  = require "support.s3_signer"
local xml     = require "pgorch.xml"

local probe = {}

local SIGNS = {}

--- By the headers, version 4: the usual way.
function SIGNS.header(r, o)
  local seed = signer.header_v4(r)
  if o.chunks then return signer.chunks(r, o.seed or seed, o.chunks) end
end

function SIGNS.query(r, o) r.query = signer.query_v4(r, o.expires or 60) end

function SIGNS.v2(r) signer.header_v2(r) end

function SIGNS.v2_query(r, o) r.query = signer.query_v2(r, math.floor(clock.time()) + (o.expires or 60)) end

function SIGNS.none() end

--- Puts what was remembered of earlier answers in the place of {name}.
---@param coded? boolean for a URL
local function filled(text, seen, coded)
  return (text:gsub("{([%w_]+)}", function(name) return coded and http.escape(seen[name] or "") or seen[name] end))
end

local function headers_of(o, seen)
  local headers = {}
  for name, value in pairs(o.headers or {}) do headers[name] = filled(value, seen) end
  return headers
end

local function payload_of(o, body)
  if o.payload then return o.payload end
  if o.chunks then return "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" end
  return body and crypto.sha256(body) or nil
end

local function request_of(server, entry, seen)
  local o = entry[3] or {}
  local method, target = entry[2]:match "^(%S+) (%S+)$"
  local path, query = filled(target, seen, true):match "^([^?]*)%??(.*)$"
  local keys = o.as and server[o.as] or server
  local body = o.body and filled(o.body, seen)
  return {
    method = method, path = path, query = query, host = filled(o.host or "{host}", seen), body = body,
    headers = headers_of(o, seen), access_key = o.access_key or keys.access_key,
    secret_key = o.secret or keys.secret_key, region = o.region, service = o.service, signed = o.signed,
    time = clock.time() + (o.skew or 0), payload = payload_of(o, body),
  }, o
end

--- Signs and sends one, and gives the reply.
local function send(r, o, seen)
  local sent = { method = r.method, path = r.path }
  r.method, r.path = o.signs or r.method, o.signs_path or r.path
  local chunked = SIGNS[o.sign or "header"](r, o)
  r.method, r.path = sent.method, sent.path
  if chunked then r.body = o.damage and chunked:gsub(o.damage[1], o.damage[2], 1) or chunked end
  for name, value in pairs(o.after or {}) do r.headers[name] = value or nil end
  if o.host then r.headers.host = r.host end
  local query = o.tamper and r.query:gsub(o.tamper[1], o.tamper[2], 1) or r.query
  local url = ("http://%s%s%s"):format(seen.host, r.path, query ~= "" and "?" .. query or "")
  return http.request { method = r.method, url = url, headers = r.headers, body = r.body, check = false, timeout = 30,
    limit = 1 << 26, follow = 0, retry = false }
end

local function texts(node, name, found)
  if node.name == name then found[#found + 1] = node.text end
  for _, child in ipairs(node) do
    texts(child, name, found)
  end
  return found
end

local function in_any_order(found)
  table.sort(found)
  return found
end

--- What a request wants looked at: "etag" is a header, "Key" all elements of that name, "body" the body.
local function look(reply, root, name, entry)
  if name == "body" then return (not root or root.name ~= "Error") and reply.body or nil end
  if name:find "^%l" then return reply.headers[name] end
  local found = root and texts(root, name, {})
  return found and table.concat(entry.unordered and in_any_order(found) or found, " ")
end

--- Ids differ from server to server: only whether there is one can be compared.
local function plain(value, seen)
  for name, known in pairs(seen) do
    if value and #known > 7 then
      value = value:gsub(known:gsub("%p", "%%%0"), "{" .. name .. "}")
    end
  end
  return value
end

local function observe(entry, reply, seen)
  local ok, root = pcall(xml.parse, reply.body or "")
  root = ok and root or nil
  local found = { status = reply.status, root = root and root.name }
  if root and root.name == "Error" then
    found.code = root:text_of "Code"
    found.message, found.bucket = root:text_of "Message" or "", root:text_of "BucketName"
  end
  for name, from in pairs(entry.keep or {}) do seen[name] = look(reply, root, from, entry) or "" end
  for name in (entry.see or ""):gmatch "%S+" do found[name] = plain(look(reply, root, name, entry), seen) end
  return found
end

---@class support.S3Server
---@field url string
---@field access_key string
---@field secret_key string
---@field other { access_key: string, secret_key: string } another account

---Sends all of them; the answers are by the requests' names. A request that was not sent, or got no answer, has the
---status "none" and `said`: why.
---@param server support.S3Server
---@param requests table[]
---@return table<string, table<string, any>>
function probe.run(server, requests)
  local host = server.url:match "^http://(.+)$"
  local seen, found = { host = host, port = host:match ":(%d+)$" }, {}
  for _, entry in ipairs(requests) do
    if found[entry[1]] then error("two requests are called " .. entry[1], 0) end
    local request, o = request_of(server, entry, seen)
    local ok, reply = pcall(send, request, o, seen)
    found[entry[1]] = ok and observe(entry, reply, seen) or { status = "none", said = tostring(reply) }
  end
  return found
end

return probe
