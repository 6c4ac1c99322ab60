-- The Heroku stand-in: Platform API and Data API on one port, told apart by path, as the real CLI asks them when both
-- hosts are loopback. Data really moves: add-ons are databases in the world's target cluster, restores run pg_restore.
-- Strict by default: wrong token, missing version, taken names, other people's apps and busy databases are refused.

local clock        = require "pgorch.clock"
local crypto       = require "pgorch.crypto"
local addons       = require "pgorch.sandbox.heroku.addons"
local apps         = require "pgorch.sandbox.heroku.apps"
local attachments  = require "pgorch.sandbox.heroku.attachments"
local data         = require "pgorch.sandbox.heroku.data"
local faults       = require "pgorch.sandbox.faults"
local fs           = require "pgorch.fs"
local http         = require "pgorch.http"
local json         = require "pgorch.json"
local reply        = require "pgorch.sandbox.heroku.reply"
local request_log  = require "pgorch.sandbox.request_log"
local state        = require "pgorch.sandbox.heroku.state"
local transfers    = require "pgorch.sandbox.heroku.transfers"

local heroku = {}

local BODY_LIMIT = 1 << 20
local BUDGET, REFILL = 4500, 75 / 60          -- requests, and how many come back each second

-- Routing ------------------------------------------------------------------------------------------------------

local function split(path)
  local parts = {}
  for part in path:gmatch "[^/]+" do parts[#parts + 1] = part end
  return parts
end

local ROUTES = {}
for _, module in ipairs { apps, addons, attachments, data, transfers } do
  for _, row in ipairs(module.routes) do
    ROUTES[#ROUTES + 1] = { method = row[1], parts = split(row[2]), name = row[3], handler = row[4], open = row.open,
      free = row.free }
  end
end

local function decode(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- The named parts of the path when it is this route's.
local function match(route, method, parts)
  if route.method ~= method or #route.parts ~= #parts then return nil end
  local at = {}
  for i, expected in ipairs(route.parts) do
    local name = expected:match "^:(.+)$"
    if name then at[name] = decode(parts[i]) elseif expected ~= parts[i] then return nil end
  end
  return at
end

local function find_route(req)
  local parts = split(req.path)
  for _, route in ipairs(ROUTES) do
    local at = match(route, req.method, parts)
    if at then return route, at end
  end
end

local function is_data(path)
  return path:match "^/client/v11/" ~= nil or path:match "^/postgres/v0/" ~= nil
    or path:match "^/data/postgres/v1/" ~= nil
end

--- The name under which a request's faults are asked for.
---@param req table
---@return string
function heroku.operation(req)
  local route = find_route(req)
  return "heroku." .. (route and route.name or "unknown")
end

-- Gatekeeping --------------------------------------------------------------------------------------------------

local function authenticate(server, headers)
  local given = headers.authorization or ""
  local token = given:match "^[Bb]earer%s+(.+)$"
  local basic = given:match "^[Bb]asic%s+(.+)$"
  if basic then
    local ok, text = pcall(crypto.unbase64, basic)
    token = ok and text:match "^[^:]*:(.*)$" or nil
  end
  if token ~= server.token then reply.refuse(401, "unauthorized", "Invalid credentials provided.") end
end

local NO_VERSION = "The requested API endpoint was not found. Are you using the right HTTP verb "
  .. "(i.e. `GET` vs. `POST`), and did you specify your intended version with the `Accept` header?"

local function check_version(headers)
  if not (headers.accept or ""):find("application/vnd%.heroku%+json; *version=3") then
    reply.refuse(404, "not_found", NO_VERSION)
  end
end

local function spend(server, route)
  local rate, now = server.rate, clock.time()
  rate.left = math.min(rate.budget, rate.left + (now - rate.since) * REFILL)
  rate.since = now
  if route and route.free then return end
  if rate.left < 1 then
    reply.refuse(429, "rate_limit",
      "Your account reached the API rate limit. Please wait a few minutes before making new requests")
  end
  rate.left = rate.left - 1
end

-- Answering ----------------------------------------------------------------------------------------------------

local function read_query(text)
  local query = {}
  for pair in (text or ""):gmatch "[^&]+" do
    local name, value = pair:match "^([^=]*)=?(.*)$"
    query[decode(name)] = decode(value)
  end
  return query
end

local function read_body(req)
  local text = req.body and req.body:read_all(BODY_LIMIT) or ""
  if text == "" then return {} end
  local ok, value = pcall(json.decode, text, { nulls = true })
  if not ok or type(value) ~= "table" then reply.refuse(400, "bad_request", "The request body is not valid JSON.") end
  return value
end

local function perform(server, req)
  local route, at = find_route(req)
  local request = { method = req.method, path = req.path, headers = req.headers, query = read_query(req.query),
    at = at }
  request.json = read_body(req)
  if route and route.open then return route.handler(server, request) end
  authenticate(server, req.headers)
  if not is_data(req.path) then
    check_version(req.headers)
    spend(server, route)
  end
  if not route then reply.refuse(404, "not_found", NO_VERSION) end
  return route.handler(server, request)
end

--- Adds what every answer carries. The client's own request ids come back in front of ours.
local function complete(server, req, answer)
  local headers = answer.headers
  local sent = req.headers["request-id"]
  headers["Request-Id"] = (sent and sent ~= "" and sent .. "," or "") .. crypto.uuid()
  if not is_data(req.path) then
    headers["RateLimit-Remaining"], headers["RateLimit-Multiplier"] = tostring(math.floor(server.rate.left)), "1"
  end
  return answer
end

local function handle(server, req)
  local ok, answer = pcall(perform, server, req)
  if not ok then
    if type(answer) ~= "table" or not answer.refusal then error(answer, 0) end
    answer = answer.refusal
  end
  return complete(server, req, answer)
end

local IDS = { [401] = "unauthorized", [403] = "forbidden", [404] = "not_found", [422] = "invalid_params",
  [429] = "rate_limit" }

local function fault_answer(fault)
  return reply.json(fault.answer, { id = fault.code or IDS[fault.answer] or "internal_server_error",
    message = fault.message or "A fault that was asked for." })
end

-- Starting -----------------------------------------------------------------------------------------------------

---@class pgorch.sandbox.Heroku
---@field url string
---@field host string
---@field port integer
---@field token string
---@field state pgorch.sandbox.heroku.State
local Heroku = {}
Heroku.__index = Heroku

--- An app by name, for tests: {name, maintenance, formation, config, releases, transfers}.
---@return table|nil
function Heroku:app(name)
  for _, app in ipairs(self.state.apps) do
    if app.name == name then return app end
  end
end

--- The dynos of an app: type -> quantity.
---@return table<string, integer>
function Heroku:dynos(name)
  local found = {}
  for _, process in ipairs(self:app(name).formation) do found[process.type] = process.quantity end
  return found
end

function Heroku:close()
  for _, app in ipairs(self.state.apps) do
    for _, transfer in ipairs(app.transfers) do
      if not transfer.finished_at then transfer.stop() end
    end
  end
  self.listener:close()
end

Heroku.__close = Heroku.close

--- Starts the stand-in.
---@param world table {dir, target, group}
---@param opts? { port: integer?, token: string?, email: string?, apps: table[]?, provision_polls: integer?,
---  missing_polls: integer?, wait_polls: integer?, page: integer?, parallel: integer?, budget: integer?,
---  html_404: boolean? }
---  apps: {name, dynos, config, foreign}; `foreign` makes it somebody else's
---@return pgorch.sandbox.Heroku heroku <close>
function heroku.start(world, opts)
  opts = opts or {}
  local server = { world = world, target = world.target, state = state.new(opts.email or "you@example.test"),
    token = opts.token or "HRKU-" .. crypto.uuid(), dir = world.dir .. "/heroku",
    provision_polls = opts.provision_polls or 2, missing_polls = opts.missing_polls or 1,
    wait_polls = opts.wait_polls or 1,
    page = opts.page or 200, parallel = opts.parallel or 4, html_404 = opts.html_404 == true,
    rate = { budget = opts.budget or BUDGET, left = opts.budget or BUDGET, since = clock.time() } }
  fs.mkdir(server.dir)
  local somebody = { id = crypto.uuid(), email = "somebody-else@example.test" }
  for _, app in ipairs(opts.apps or {}) do
    server.state:add_app { name = app.name, dynos = app.dynos, config = app.config,
      owner = app.foreign and somebody or nil }
  end
  local handler = faults.wrap(world, heroku.operation, function(req) return handle(server, req) end, fault_answer)
  local listener = http.serve({ host = "127.0.0.1", port = opts.port or 0 }, request_log.wrap("heroku", handler, world))
  server.url = ("http://127.0.0.1:%d"):format(listener.port)
  return setmetatable({ url = server.url, host = "127.0.0.1", port = listener.port, token = server.token,
    state = server.state,
    listener = listener, server = server }, Heroku)
end

return heroku
