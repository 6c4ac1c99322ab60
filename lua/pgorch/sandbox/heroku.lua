-- The Heroku stand-in: Platform API and Data API on one port, told apart by path, as the real CLI asks them when both
-- hosts are loopback. Data really moves: add-ons are databases in the world's target cluster, restores run pg_restore.
-- Strict by default: wrong token, missing version, taken names, other people's apps and busy databases are refused.

local access      = require "pgorch.sandbox.heroku.access"
local crypto      = require "pgorch.crypto"
local data        = require "pgorch.sandbox.heroku.data"
local faults      = require "pgorch.sandbox.faults"
local fs          = require "pgorch.fs"
local http        = require "pgorch.http"
local json        = require "pgorch.json"
local reply       = require "pgorch.sandbox.heroku.reply"
local request_log = require "pgorch.sandbox.request_log"
local state       = require "pgorch.sandbox.heroku.state"
local url         = require "pgorch.sandbox.url"

local heroku = {}

local BODY_LIMIT = 1 << 20

local MODULES = { "account", "apps", "formation", "plans", "addons", "attachments", "data", "credentials", "settings",
  "upgrade", "schedules", "transfers", "files" }

-- Routing ------------------------------------------------------------------------------------------------------

local function split(path)
  local parts = {}
  for part in path:gmatch "[^/]+" do parts[#parts + 1] = part end
  return parts
end

local CALLS, ROUTES = {}, {}
for _, module in ipairs(MODULES) do
  for _, row in ipairs(require("pgorch.sandbox.heroku." .. module).routes) do
    CALLS[#CALLS + 1] = row
    ROUTES[#ROUTES + 1] = { method = row[1], parts = split(row[2]), name = row[3], handler = row[4], open = row.open,
      free = row.free, raw = row.raw }
  end
end

--- The named parts of the path when it is this route's.
local function match(route, method, parts)
  if route.method ~= method or #route.parts ~= #parts then return nil end
  local at = {}
  for i, expected in ipairs(route.parts) do
    local name = expected:match "^:(.+)$"
    if name then at[name] = url.decode(parts[i]) elseif expected ~= parts[i] then return nil end
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

--- All operations, by the names of their faults.
---@return table<string, string>
function heroku.operations() return faults.operations("heroku", CALLS) end

--- The name under which a request's faults are asked for.
---@param req table
---@return string
function heroku.operation(req)
  local route = find_route(req)
  return "heroku." .. (route and route.name or "unknown")
end

-- Answering ----------------------------------------------------------------------------------------------------

--- The JSON of a request; an empty body counts as an empty object.
local function read_body(req)
  local text = req.body and req.body:read_all(BODY_LIMIT) or ""
  if text == "" then return {} end
  local ok, value = pcall(json.decode, text, { nulls = true })
  if not ok or type(value) ~= "table" then reply.refuse(400, "bad_request", "The request body is not valid JSON.") end
  return value
end

local function perform(server, req)
  local route, at = find_route(req)
  local _, query = url.parameters(req.query)
  local request = { method = req.method, path = req.path, headers = req.headers, query = query, at = at,
    body = req.body }
  if not (route and route.raw) then request.json = read_body(req) end
  if route and route.open then return route.handler(server, request) end
  access.authenticate(server, req.headers)
  if not is_data(req.path) then
    access.check_version(server, req.headers)
    access.spend(server, route and route.free)
  end
  if route then return route.handler(server, request) end
  if req.path:match "^/data/postgres/v1/" then data.refuse_advanced() end
  reply.refuse(404, "not_found", access.NO_VERSION)
end

--- An answer that the client has already is not sent again.
local function mark(req, answer)
  if req.method ~= "GET" or answer.status ~= 200 or type(answer.body) ~= "string" then return end
  local tag = ('"%s"'):format(crypto.md5(answer.body))
  answer.headers.ETag = tag
  if req.headers["if-none-match"] == tag then answer.status, answer.body = 304, "" end
end

--- Adds what every answer carries. The client's own request ids come back in front of ours. Files are the object
--- store's: it knows neither.
local function complete(server, req, answer)
  if req.path:find "^/files/" then return answer end
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
  complete(server, req, answer)
  if not is_data(req.path) then mark(req, answer) end
  return answer
end

local IDS = { [401] = "unauthorized", [403] = "forbidden", [404] = "not_found", [409] = "conflict",
  [422] = "invalid_params", [423] = "confirmation_required", [429] = "rate_limit" }

local function fault_answer(server, fault, req)
  local answer = complete(server, req, reply.json(fault.answer, {
    id = fault.code or IDS[fault.answer] or "internal_server_error",
    message = fault.message or "A fault that was asked for." }))
  if fault.answer == 429 and answer.headers["RateLimit-Remaining"] then answer.headers["RateLimit-Remaining"] = "0" end
  return answer
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

--- What a stand-in is asked to be, with everything that was not said.
local function with_defaults(world, opts)
  return { world = world, target = world.target, state = state.new(opts.email or "you@example.test"), links = {},
    token = opts.token or "HRKU-" .. crypto.uuid(), dir = world.dir .. "/heroku",
    provision_polls = opts.provision_polls or 2, missing_polls = opts.missing_polls or 1,
    wait_polls = opts.wait_polls or 1, page = opts.page or 200, parallel = opts.parallel or 4,
    restore_mode = opts.restore_mode or "reset", html_404 = opts.html_404 == true, no_version = opts.no_version or 404,
    suspended = opts.suspended, two_factor = opts.two_factor, rate = access.budget(opts.budget) }
end

local function add_apps(server, list)
  local somebody = { id = crypto.uuid(), email = "somebody-else@example.test" }
  for _, app in ipairs(list) do
    server.state:add_app { name = app.name, dynos = app.dynos, config = app.config, two_factor = app.two_factor,
      owner = (app.foreign or app.shared) and somebody or nil, shared = app.shared }
  end
end

--- Starts the stand-in.
---@param world table {dir, target, group}
---@param opts? { host: string?, port: integer?, token: string?, email: string?, apps: table[]?, teams: string[]?,
---  provision_polls: integer?, missing_polls: integer?, wait_polls: integer?, page: integer?, parallel: integer?,
---  budget: integer?, html_404: boolean?, no_version: 404|406?, suspended: boolean?, restore_mode: "reset"|"clean"?,
---  two_factor: { code: string, account: boolean? }? }
---  apps: {name, dynos, config, foreign, shared, two_factor}; `foreign` makes it somebody else's, `shared` too, but the
---  account may use it; two_factor asks for the code before each request, or only for the apps that say so
---@return pgorch.sandbox.Heroku heroku <close>
function heroku.start(world, opts)
  opts = opts or {}
  local server = with_defaults(world, opts)
  fs.mkdir(server.dir)
  for _, name in ipairs(opts.teams or { "demo-team" }) do server.state:add_team(name) end
  add_apps(server, opts.apps or {})
  local handler = faults.wrap(world, heroku.operation, function(req) return handle(server, req) end,
    function(fault, req) return fault_answer(server, fault, req) end)
  local listener = http.serve({ host = opts.host, port = opts.port or 0 }, request_log.wrap("heroku", handler, world))
  server.url = listener.url
  return setmetatable({ url = server.url, host = "127.0.0.1", port = listener.port, token = server.token,
    state = server.state, listener = listener, server = server }, Heroku)
end

return heroku
