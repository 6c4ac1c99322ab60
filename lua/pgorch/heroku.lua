-- Heroku's Platform API and Data API: one client for both, with the CLI's meaning of HEROKU_HOST and HEROKU_DATA_HOST.
-- Owns how a request is made and how an answer becomes a value or an error. The nouns are in heroku/*.lua.
-- Only GETs are repeated: neither API knows an idempotency key, so who creates something looks before asking again.

local budget = require "pgorch.http.budget"
local env    = require "pgorch.env"
local fail   = require "pgorch.error"
local http   = require "pgorch.http"
local json   = require "pgorch.json"
local log    = require "pgorch.log"
local secret = require "pgorch.secret"
local poll   = require "pgorch.poll"
local plans  = require "pgorch.heroku.plans"

local heroku = {}

---@class pgorch.heroku.Client
---@field hosts {platform: string, data: string, loopback: boolean}
---@field warned table<string, boolean>     warnings of Heroku's that were passed on
local Client = {}
Client.__index = Client

local ACCEPT = { v3 = "application/vnd.heroku+json; version=3", sdk = "application/vnd.heroku+json; version=3.sdk" }

-- Fields of answers that hold a password or a signed URL; the decoder makes them secrets.
local SECRET_FIELDS = { "resource_url", "to_url", "database_password", "password", "backup_url", "log_input_url" }

local function with_scheme(host, is_loopback)
  if host:match("^https?://") then return (host:gsub("/+$", "")) end
  return (is_loopback and "http://" or "https://") .. host
end

---Base URLs of the two APIs. As in the CLI, HEROKU_DATA_HOST is a bare name; scheme and port are HEROKU_HOST's.
---@param get? fun(name: string): string|nil   reads an environment variable
---@return {platform: string, data: string, loopback: boolean}
function heroku.hosts(get)
  get = get or env.get
  local host = get("HEROKU_HOST")
  local data = get("HEROKU_DATA_HOST") or get("HEROKU_POSTGRESQL_HOST")
  if not host or host == "" then
    return { platform = "https://api.heroku.com", loopback = false,
             data = "https://" .. (data or "api.data.heroku.com") }
  end
  local loopback = poll.is_loopback(host)
  if not loopback and not host:match("^https?://") and not host:match("^api%.") then host = "api." .. host end
  local base = with_scheme(host, loopback)
  if not loopback and base:match("^http://") then
    fail.raise("PGO-HEROKU", "HEROKU_HOST is plain http and not this machine: the token would travel in the clear")
  end
  if loopback and not poll.is_loopback(data) then
    fail.raise("PGO-HEROKU", ("HEROKU_HOST is %s but HEROKU_DATA_HOST is %s: the token would go to the real service")
      :format(host, data or "not set"), { detail = "set HEROKU_DATA_HOST=127.0.0.1 as well" })
  end
  local scheme, port = base:match("^(https?)://"), base:match(":(%d+)$")
  local name = (data or "api.data.heroku.com"):gsub("^https?://", ""):gsub(":%d+$", "")
  return { platform = base, data = ("%s://%s%s"):format(scheme, name, port and ":" .. port or ""), loopback = loopback }
end

-- 4,500 requests an hour of an account, refilled evenly. Some are left to what else uses the account.
local LIMITS = { name = "Heroku", rate = 1.25, burst = 300 }

---@param o? {token?: any}   the token is a secret; default HEROKU_API_KEY
---@return pgorch.heroku.Client
function heroku.client(o)
  local token = o and o.token or env.secret("HEROKU_API_KEY")
  if not token then
    fail.raise("PGO-HEROKU-TOKEN", "there is no Heroku token: HEROKU_API_KEY is not set")
  end
  if not secret.is(token) then token = secret.new(token) end
  local hosts = heroku.hosts()
  return setmetatable({ token = token, hosts = hosts, warned = {},
                        budget = budget.of(token, LIMITS, hosts.platform) }, Client)
end

local function decode(reply)
  -- The Data API answers 404 with HTML labelled JSON; an answer that cannot be read is judged by its status alone.
  if not reply.body or reply.body == "" then return nil end
  local ok, value = pcall(json.decode, reply.body, { secrets = SECRET_FIELDS })
  if ok then return value end
end

local function error_id(status, body)
  if status == 401 then return "PGO-HEROKU-TOKEN" end
  local about = body and body.resource or ""
  if about == "app" or (body and body.id == "forbidden") then return "PGO-HEROKU-APP" end
  return "PGO-HEROKU"
end

local function raise_status(method, path, reply, body)
  body = type(body) == "table" and body or nil
  local message = body and (body.message or body.error) or ("HTTP status %d"):format(reply.status)
  local lines = { ("%s %s: %d %s"):format(method, path, reply.status, body and body.id or "") }
  local request_id = reply.headers and reply.headers["request-id"]
  if request_id then lines[#lines + 1] = "Request-Id: " .. request_id end
  if body and body.url then lines[#lines + 1] = "see " .. tostring(body.url) end
  if body and body.id == "two_factor" then
    lines[#lines + 1] = "this account asks for a second factor: use a token made by `heroku authorizations:create`"
  end
  fail.raise(error_id(reply.status, body), "Heroku: " .. tostring(message), {
    status = reply.status, detail = table.concat(lines, "\n"),
    retryable = reply.status == 429 or reply.status >= 500,
  })
end

-- A page where JSON is due is a proxy's on the way: Heroku has not answered, whatever the status says.
local function refuse_page(method, path, reply)
  if not (reply.body or ""):find "^%s*<" then return end
  fail.raise("PGO-HEROKU", "Heroku: a web page came in the place of an answer", {
    status = reply.status, detail = ("%s %s: %d"):format(method, path, reply.status), retryable = true,
    cure = "Something between this machine and Heroku answers for it, such as a proxy: mend that, then resume." })
end

-- Heroku announces what will end soon in a header; once is enough.
local function surface(self, headers)
  local said = headers and (headers["x-heroku-warning"] or headers["warning-message"])
  if not said or self.warned[said] then return end
  self.warned[said] = true
  log.warn("Heroku: " .. said)
end

---One request. Raises for a status outside 2xx, unless `missing` is true and the status is 404: then nil.
---@param method string
---@param path string
---@param body? table
---@param o? {data?: boolean, sdk?: boolean, headers?: table, missing?: boolean, raw?: boolean}
---@return any body decoded JSON (or text when raw), integer status, table headers
function Client:request(method, path, body, o)
  o = o or {}
  local headers = { Authorization = "Bearer " .. self.token, Accept = o.sdk and ACCEPT.sdk or ACCEPT.v3,
                    ["User-Agent"] = "pgorch" }
  for name, value in pairs(o.headers or {}) do headers[name] = value end
  if body then headers["Content-Type"] = "application/json" end
  local reply = http.request {
    method = method, url = (o.data and self.hosts.data or self.hosts.platform) .. path, headers = headers,
    body = body and json.encode_secret(body) or nil, check = false, follow = 0,
    retry = method == "GET" and "polite" or nil,
    budget = not o.data and self.budget or nil,          -- the Data API tells of no limit
  }
  surface(self, reply.headers)
  local value = not o.raw and decode(reply) or nil
  if reply.status == 404 and o.missing then return nil, 404, reply.headers end
  if reply.status < 200 or reply.status > 299 then raise_status(method, path, reply, value or decode(reply)) end
  refuse_page(method, path, reply)
  return o.raw and reply.body or value, reply.status, reply.headers
end

---A list, all its pages: Heroku answers 206 with Next-Range until the last one.
---@return table[]
function Client:list(path, o)
  local all, range = {}, nil
  repeat
    local options = { data = o and o.data, sdk = o and o.sdk, headers = {} }
    for name, value in pairs(o and o.headers or {}) do options.headers[name] = value end
    options.headers.Range = range
    local page, _, headers = self:request("GET", path, nil, options)
    for _, item in ipairs(page or {}) do all[#all + 1] = item end
    range = headers and headers["next-range"]
  until not range
  return all
end

---Who the token belongs to: {email, id, ...}. The cheap way to test a token.
function Client:account()
  return self:request("GET", "/account")
end

---The plans of Heroku Postgres with live prices: slug -> {slug, cents, state, human_name}.
---@return table<string, {slug: string, cents: integer, state: string, name: string}>
function Client:plans()
  local found = {}
  for _, each in ipairs(self:list("/addon-services/heroku-postgresql/plans", { sdk = true })) do
    local slug = plans.slug(each.name)
    found[slug] = { slug = slug, cents = each.price and each.price.cents or 0, state = each.state,
                    name = each.human_name }
  end
  return found
end

---@param name string
---@return pgorch.heroku.App
function Client:app(name)
  return require("pgorch.heroku.app").new(self, name)
end

heroku.plan_for = plans.plan_for

return heroku
