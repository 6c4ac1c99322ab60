-- HTTP for scripts: requests that raise when they fail, with polite retries and redirects that never take a
-- credential to another origin. TLS is always verified. Bodies may be streams: their bytes stay outside Lua.

local fail = require "pgorch.error"
local json = require "pgorch.json"
local native = require "pgorch.native.http"
local retry = require "pgorch.http.retry"
local secret = require "pgorch.secret"
local task = require "pgorch.task"

local http = {}

---@class pgorch.http.Options
---@field method? string              "GET"
---@field url string|userdata         a presigned URL is a secret
---@field headers? table<string, string|number|userdata>  a secret is never sent over http except to loopback
---@field body? string|userdata       text, secret, bytes or a stream
---@field length? integer             of a stream; nil: sent in chunks
---@field into? pgorch.Stream         where the body of a 2xx goes; it is ended in any case
---@field limit? integer              bytes of a body in memory (16 MiB), else PGO-LIMIT
---@field timeout? number             seconds for all of it (60; none where a stream is involved)
---@field connect_timeout? number     10
---@field stall_timeout? number       60 without a byte while the other side is to send or take some
---@field ca_pem? string              the only authorities to trust
---@field follow? integer             redirects to follow (0)
---@field retry? "polite"|pgorch.http.Policy
---@field idempotent? boolean         may be sent twice (GET, HEAD, PUT, DELETE are)
---@field on_retry? fun(err: pgorch.Error, wait: number)
---@field check? boolean              true: a status other than 2xx raises PGO-HTTP
---@field progress? userdata          of http.progress()
---@field http1? boolean              no HTTP/2 (true where a stream is involved)
---@field budget? pgorch.http.Budget  what may still be sent with the token: http/budget.lua
---@field compressed? boolean         ask for a compressed answer

---@class pgorch.http.Reply
---@field status integer
---@field headers table<string, string>  names in lower case; repeated ones joined with ", "
---@field body any                    text; decoded JSON from a client; nil or "" when there is none
---@field seconds number
---@field bytes integer               of the body
---@field sent integer

-- What the server says about its refusal: the message of a JSON error, else the beginning of the body.
local function refusal(reply)
  local ok, body = pcall(json.decode, reply.body or "")
  if ok and type(body) == "table" then
    local about = body.message or body.error or body.error_description or body.errors
    if type(about) == "table" then about = about.message or (about[1] or {}).reason or json.encode(about) end
    if about then return tostring(about) end
  end
end

local function status_error(options, reply)
  local said = refusal(reply)
  local text = ("%s answered %d%s"):format(native.origin(options.url), reply.status, said and ": " .. said or "")
  local body = not said and reply.body ~= "" and reply.body:sub(1, 500) or said
  return fail.new("PGO-HTTP", secret.redact(text), {
    status = reply.status, retryable = retry.status(reply.status), detail = body and secret.redact(body) or nil,
    reply = reply,
  })
end

local function good(reply)
  return reply.status >= 200 and reply.status < 300
end

-- One try: the reply, and the error that it stands for, if it does.
local function try_once(options)
  if options.budget then options.budget:take() end
  local ok, reply = pcall(native.request, options)
  if not ok then return nil, fail.wrap(reply) end
  if options.budget then options.budget:heard(reply) end
  if good(reply) then return reply end
  return reply, status_error(options, reply)
end

local function with_retries(options)
  local policy = retry.policy(options.retry)
  local try = 0
  while true do
    try = try + 1
    local reply, err = try_once(options)
    if not err or task.cancelled(err) then return reply, err end
    local untouched = retry.judged(policy, err, reply)
    local wait = (untouched or retry.repeatable(options)) and retry.wait(policy, try, err, reply and reply.headers)
    if not wait then return reply, err end
    if options.on_retry then options.on_retry(err, wait) end
    task.sleep(wait)
  end
end

local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

local function without_credentials(headers)
  local kept = {}
  for name, value in pairs(headers or {}) do
    local lower = name:lower()
    if lower ~= "authorization" and lower ~= "cookie" and not secret.is(value) then kept[name] = value end
  end
  return kept
end

-- The options of the request that a reply redirects to; nil when it is not to be followed.
local function redirected(options, reply)
  local location = REDIRECTS[reply.status] and reply.headers.location
  local url = location and native.join(options.url, location)
  if not url then return nil end
  local from, to = native.origin(options.url), native.origin(url)
  if from:find "^https:" and not to:find "^https:" then return nil end
  local next_options = {}
  for name, value in pairs(options) do next_options[name] = value end
  next_options.url = url
  if from ~= to then next_options.headers = without_credentials(options.headers) end
  local method = options.method or "GET"
  local keeps_body = reply.status == 307 or reply.status == 308 or method == "GET" or method == "HEAD"
  if not keeps_body then
    next_options.method, next_options.body, next_options.length = "GET", nil, nil
  elseif type(options.body) == "userdata" and options.body.read then
    return nil -- the stream has been read
  end
  return next_options
end

local function with_redirects(options)
  local reply, err = with_retries(options)
  for _ = 1, options.follow or 0 do
    local next_options = reply and redirected(options, reply)
    if not next_options then break end
    options = next_options
    reply, err = with_retries(options)
  end
  return reply, err
end

---Sends a request and waits for its answer.
---Raises PGO-HTTP (unless check = false), PGO-DNS, PGO-NET, PGO-TLS, PGO-TIMEOUT, PGO-LIMIT, PGO-INVALID.
---@param options pgorch.http.Options
---@return pgorch.http.Reply
function http.request(options)
  local ok, reply, err = pcall(with_redirects, options)
  if not ok then reply, err = nil, reply end
  if err and options.into then options.into:fail(err) end
  if not reply or (err and options.check ~= false) then error(err, 0) end
  return reply
end

---A client of a JSON API: get, post, put, patch, delete, pages.
---@param options pgorch.http.ClientOptions
---@return pgorch.http.Client
function http.client(options)
  return require "pgorch.http.client"(options)
end

---Serves requests on loopback: see pgorch.http_server.
function http.serve(...)
  return require("pgorch.http_server").serve(...)
end

---Percent-encodes all but A-Z a-z 0-9 - . _ ~. Of a secret: a secret.
---@type fun(text: string|number|userdata): string|userdata
http.escape = native.escape

---Counts that can be read while a request runs: progress:sent(), progress:received().
---@type fun(): userdata
http.progress = native.progress

---Decodes %XX.
---@param text string
---@return string
function http.unescape(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

---"a=1&b=x%20y" of a table, in the order of the names; a list gives its name several times. With a secret in it, a
---secret.
---@param query table<string, string|number|boolean|userdata|table>
---@return string|userdata
function http.query(query)
  local names = {}
  for name in pairs(query) do names[#names + 1] = name end
  table.sort(names)
  local text = ""
  for _, name in ipairs(names) do
    local values = query[name]
    for _, value in ipairs(type(values) == "table" and values or { values }) do
      if type(value) == "boolean" then value = tostring(value) end
      text = text .. (#text > 0 and "&" or "") .. http.escape(name) .. "=" .. http.escape(value)
    end
  end
  return text
end

return http
