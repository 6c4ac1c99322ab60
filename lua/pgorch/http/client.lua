-- A client of one JSON API: a base URL, a token, and what all requests share. The token goes to the base's origin
-- and nowhere else.

local budget = require "pgorch.http.budget"
local env = require "pgorch.env"
local fail = require "pgorch.error"
local json = require "pgorch.json"
local native = require "pgorch.native.http"
local secret = require "pgorch.secret"

---@class pgorch.http.ClientOptions
---@field base string                   "https://api.acme.example/v1"
---@field bearer? string|userdata       sent as Authorization: Bearer
---@field headers? table<string, string|userdata>
---@field retry? "polite"|pgorch.http.Policy
---@field on_retry? fun(err: pgorch.Error, wait: number)
---@field decode? boolean               false: bodies stay text
---@field secrets? string[]             names of fields, at any depth, that become secrets when a reply is read
---@field timeout? number               seconds (60)
---@field ca_pem? string
---@field follow? integer               redirects (0)
---@field limits? pgorch.http.Limits    what the API lets one token send

---@class pgorch.http.Client
local Client = {}
Client.__index = Client
Client.__name = "pgorch.http.Client"

-- In a sandbox, hosts.json says which stand-in answers for which host: {"api.acme.example": "http://127.0.0.1:4321"}.
local function stand_in(base)
  local dir = env.get "PGORCH_SANDBOX"
  local path = dir and dir .. "/hosts.json"
  local fs = path and require "pgorch.fs"
  if not fs or not fs.exists(path) then return base end
  local scheme_and_host, rest = base:match "^(%a+://[^/?#]+)(.*)$"
  local host = scheme_and_host and scheme_and_host:match "^%a+://(.+)$"
  local there = host and json.decode(fs.read(path))[host]
  return there and there .. rest or base
end

local function with_query(path, query)
  local text = require("pgorch.http").query(query)
  if #text == 0 then return path end
  return path .. (path:find("?", 1, true) and "&" or "?") .. text
end

function Client:url(path, query)
  local url = path
  if not path:match "^%a+://" then
    url = self.base .. (path:sub(1, 1) == "/" and path or "/" .. path)
  elseif native.origin(path) ~= native.origin(self.base) then
    fail.raise("PGO-INVALID", ("a client of %s is not to be used for %s"):format(native.origin(self.base),
      native.origin(path)))
  end
  return query and with_query(url, query) or url
end

local function encode(body, headers)
  if type(body) ~= "table" then return body end
  headers["Content-Type"] = headers["Content-Type"] or "application/json"
  return json.encode_secret(body)
end

local function decode(reply, secrets)
  local text = reply.body
  if text == "" then
    reply.body = nil
    return
  end
  if not (reply.headers["content-type"] or ""):find "json" and not text:find "^%s*[%[{]" then return end
  local ok, value = pcall(json.decode, text, { secrets = secrets })
  if ok then
    reply.body = value
  elseif reply.status < 300 then
    fail.raise("PGO-HTTP-BODY", "a reply that calls itself JSON is none", { cause = value })
  end
end

---@class pgorch.http.CallOptions : pgorch.http.Options
---@field query? table<string, string|number|boolean>
---@field secrets? string[]

---One request. A table as body is sent as JSON (secrets in it are written); a JSON reply is decoded.
---@param method string
---@param path string              below the base, or a URL of the same origin
---@param body? table|string|userdata
---@param options? pgorch.http.CallOptions
---@return pgorch.http.Reply
function Client:request(method, path, body, options)
  options = options or {}
  local request = {}
  for name, value in pairs(self.shared) do request[name] = value end
  for name, value in pairs(options) do request[name] = value end
  request.headers = { Accept = "application/json" }
  for _, headers in ipairs { self.headers, options.headers or {} } do
    for name, value in pairs(headers) do request.headers[name] = value end
  end
  if self.bearer then request.headers.Authorization = "Bearer " .. self.bearer end
  request.method, request.url = method, self:url(path, options.query)
  if body ~= nil then request.body = encode(body, request.headers) end
  local reply = require("pgorch.http").request(request)
  local wants = options.decode
  if wants == nil then wants = self.decode end
  if wants and not options.into then decode(reply, options.secrets or self.secrets) end
  return reply
end

---@param path string
---@param options? pgorch.http.CallOptions
---@return pgorch.http.Reply
function Client:get(path, options)
  return self:request("GET", path, nil, options)
end

function Client:head(path, options)
  return self:request("HEAD", path, nil, options)
end

---@param path string
---@param body? table|string|userdata
---@param options? pgorch.http.CallOptions
---@return pgorch.http.Reply
function Client:post(path, body, options)
  return self:request("POST", path, body, options)
end

function Client:put(path, body, options)
  return self:request("PUT", path, body, options)
end

function Client:patch(path, body, options)
  return self:request("PATCH", path, body, options)
end

function Client:delete(path, body, options)
  return self:request("DELETE", path, body, options)
end

-- The usual ways to say where the next page is. Returns a path, a URL, or a table of query parameters to change.
local function next_page(reply)
  local link = (reply.headers.link or ""):match "<([^>]*)>%s*;[^,]*rel=\"?next"
  if link then return link end
  local body = type(reply.body) == "table" and reply.body or {}
  local links = type(body.links) == "table" and body.links or {}
  local pages = type(links.pages) == "table" and links.pages or links
  if type(pages.next) == "string" and pages.next ~= "" then return pages.next end
  if type(body.page) == "number" and type(body.pages) == "number" and body.page < body.pages then
    return { page = body.page + 1 }
  end
  local meta = type(body.meta) == "table" and type(body.meta.links) == "table" and body.meta.links or {}
  local cursor = meta.next or body.next_cursor
  if type(cursor) == "string" and cursor ~= "" then return { cursor = cursor } end
end

---All items of a paged list.
---@param path string
---@param key? string       the field of the body that holds the items; nil: the body is the list
---@param options? pgorch.http.CallOptions
---@param next? fun(reply: pgorch.http.Reply): string|table|nil   where the next page is: a path or URL, or query
---parameters; the default knows Link headers, links.next, page/pages and cursors
---@return table[]
function Client:pages(path, key, options, next)
  local all, at, query = {}, path, {}
  for name, value in pairs(options and options.query or {}) do query[name] = value end
  repeat
    local call = {}
    for name, value in pairs(options or {}) do call[name] = value end
    call.query = query
    local reply = self:get(at, call)
    local items = reply.body or {}
    if key then items = items[key] or {} end
    for _, item in ipairs(items) do all[#all + 1] = item end
    local where = (next or next_page)(reply)
    if type(where) == "string" then
      at, query = native.join(self:url(at), where), {}
    elseif where then
      for name, value in pairs(where) do query[name] = value end
    end
  until not where
  return all
end

---@param options pgorch.http.ClientOptions
---@return pgorch.http.Client
return function(options)
  if type(options.base) ~= "string" then fail.raise("PGO-INVALID", "http.client needs a base URL") end
  local base = stand_in(options.base:gsub("/+$", ""))
  native.origin(base)
  local bearer = options.bearer
  if bearer and not secret.is(bearer) then bearer = secret.new(bearer) end
  return setmetatable({
    base = base, bearer = bearer, headers = options.headers or {}, secrets = options.secrets,
    decode = options.decode ~= false,
    shared = { retry = options.retry, on_retry = options.on_retry, timeout = options.timeout,
               ca_pem = options.ca_pem, follow = options.follow,
               budget = options.limits and bearer and budget.of(bearer, options.limits, base) or nil },
  }, Client)
end
