-- A client of an S3 endpoint for tests of the endpoint: one signed request, one reply, nothing clever.
-- Signs with the tests' own signer.

local crypto = require "pgorch.crypto"
local http   = require "pgorch.http"
local signer = require "support.s3_signer"

local Client = {}
Client.__index = Client

---@param endpoint { url: string, access_key: string, secret_key: string }
function Client.new(endpoint)
  return setmetatable({ endpoint = endpoint, host = endpoint.url:match "//(.+)$" }, Client)
end

---@param method string
---@param target string path and query, encoded
---@param body? string
---@param headers? table<string, string>
---@return pgorch.http.Reply
function Client:call(method, target, body, headers)
  local path, query = target:match "^([^?]*)%??(.*)$"
  local r = { method = method, path = path, query = query, host = self.host, headers = headers or {},
    access_key = self.endpoint.access_key, secret_key = self.endpoint.secret_key,
    payload = body and crypto.sha256(body) or nil }
  signer.header_v4(r)
  return http.request { method = method, url = self.endpoint.url .. target, headers = r.headers, body = body,
    check = false, limit = 1 << 26 }
end

---@return string signed_url
function Client:presign(path, seconds)
  local r = { method = "GET", path = path, query = "", host = self.host, headers = {},
    access_key = self.endpoint.access_key, secret_key = self.endpoint.secret_key }
  return ("%s%s?%s"):format(self.endpoint.url, path, signer.query_v4(r, seconds))
end

return Client
