-- A client of a provider's JSON API: the token, errors in the provider's own words, lists page after page. What differs
-- between providers is given to it. Waits out throttling; never repeats what may have been done already.

local env    = require "pgorch.env"
local fail   = require "pgorch.error"
local http   = require "pgorch.http"
local retry  = require "pgorch.http.retry"
local secret = require "pgorch.secret"

local api = {}

---@class pgorch.provider.Api
---@field title string
---@field provider table      the module that it is a client of: set by provider.lua
local Api = {}

local function index(self, name)
  return Api[name] or rawget(self, "methods")[name]
end

---@class pgorch.provider.ApiOptions
---@field title string                 "Vultr", for messages
---@field token any                    text or secret; nil: from `env`
---@field env string|string[]          the variables that may hold it
---@field base string                  "https://api.vultr.com/v2"
---@field secrets string[]             fields of replies that are secrets
---@field reason fun(body: any): string|nil        what a refusal says
---@field next fun(body: table): string|table|nil  where the next page is: a URL, or parameters of the query
---@field page? table                  parameters of the first page
---@field judge? fun(reply: table): boolean|"untouched"|nil   see http/retry.lua
---@field limits? {rate: number, burst: number}    requests that one token may send: a second, and at once
---@field methods? table<string, function>         what this provider's client can do besides

local function token_of(o)
  local names = type(o.env) == "table" and o.env or { o.env }
  local token = o.token
  for _, name in ipairs(names) do token = token or env.secret(name) end
  if not token then
    fail.raise("PGO-PROVIDER-TOKEN", ("there is no API token of %s: %s is not set"):format(o.title,
      table.concat(names, " or ")))
  end
  return secret.is(token) and token or secret.new(token)
end

---@param o pgorch.provider.ApiOptions
---@return pgorch.provider.Api
function api.new(o)
  local limits = o.limits and { name = o.title, rate = o.limits.rate, burst = o.limits.burst }
  local client = http.client { base = o.base, bearer = token_of(o), secrets = o.secrets, retry = { judge = o.judge },
                               limits = limits }
  return setmetatable({ title = o.title, http = client, judge = o.judge, reason = o.reason, next_page = o.next,
                        page = o.page or {}, methods = o.methods or {} }, { __index = index })
end

-- A proxy in front of the API answers in HTML: of that the status is all there is to say.
local function refuse(self, method, path, reply)
  local said = type(reply.body) == "table" and self.reason(reply.body)
  local verdict = self.judge and self.judge(reply)
  local retryable = retry.status(reply.status)
  if verdict ~= nil then retryable = verdict ~= false end
  local id = (reply.status == 401 or reply.status == 403) and "PGO-PROVIDER-TOKEN" or "PGO-PROVIDER"
  local scopes = reply.headers["x-accepted-oauth-scopes"]
  fail.raise(id, ("%s: %s"):format(self.title, said or ("HTTP status %d"):format(reply.status)), {
    status = reply.status, retryable = retryable, cure = scopes and "The token needs the scope " .. scopes .. ".",
    detail = ("%s %s: %d"):format(method, path, reply.status),
  })
end

-- Text where JSON is due is a page of a proxy on the way: the provider has not answered, whatever the status says.
local function refuse_page(self, method, path, reply)
  fail.raise("PGO-PROVIDER", self.title .. ": a web page came in the place of an answer", {
    status = reply.status, detail = ("%s %s: %d"):format(method, path, reply.status), retryable = true,
    cure = ("Something between this machine and %s answers for it, such as a proxy: mend that, then resume.")
      :format(self.title) })
end

---One request, and what it answers. With `missing`, a 404 is nil.
---@param method string
---@param path string   below the base, or a URL of its origin
---@param body? table
---@param o? {missing?: boolean, query?: table, headers?: table, secrets?: string[]}
---@return table|nil
function Api:request(method, path, body, o)
  o = o or {}
  local reply = self.http:request(method, path, body, { check = false, query = o.query, headers = o.headers,
                                                        secrets = o.secrets })
  if reply.status == 404 and o.missing then return nil end
  if reply.status < 200 or reply.status > 299 then refuse(self, method, path, reply) end
  if type(reply.body) == "string" then refuse_page(self, method, path, reply) end
  return reply.body or {}
end

function Api:get(path, o) return self:request("GET", path, nil, o) end

function Api:put(path, body, o) return self:request("PUT", path, body, o) end

function Api:post(path, body, o) return self:request("POST", path, body, o) end

function Api:delete(path, o) return self:request("DELETE", path, nil, o) end

---All items under `key`, page after page.
---@param path string
---@param key string
---@param o? {headers?: table, query?: table, missing?: boolean}
---@return table[]
function Api:pages(path, key, o)
  local all, at, query = {}, path, {}
  for _, from in ipairs { self.page, o and o.query or {} } do
    for name, value in pairs(from) do query[name] = value end
  end
  repeat
    local page = self:get(at, { query = query, headers = o and o.headers, missing = o and o.missing }) or {}
    for _, item in ipairs(page[key] or {}) do all[#all + 1] = item end
    local where = self.next_page(page)
    if type(where) == "string" then
      at, query = where, nil
    elseif where then
      for name, value in pairs(where) do query[name] = value end
    end
  until not where
  return all
end

---Every PostgreSQL instance of the account, and why some are not among them: being made, out of reach.
---@param filter? {engine?: string, tag?: string, region?: string, label?: string}   label: a Lua pattern
---@return pgorch.Source[] found
---@return pgorch.Error[] left_out
function Api:databases(filter) return self.provider.databases(self, filter) end

---The instance of that label or id, and one database inside it (optional when it has only one).
---@param label_or_id string
---@param dbname? string
---@return pgorch.Source
function Api:database(label_or_id, dbname) return self.provider.database(self, label_or_id, dbname) end

return api
