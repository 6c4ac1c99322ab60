-- A stand-in of a JSON API that a recipe's author writes: routes over a table of his, which is what the API knows and
-- what his tests look at. Serves on loopback in the place of the real host, checks the token, logs every request and
-- plays the faults that are asked for. What it answers beyond that is the author's.

local account = require "pgorch.sandbox.account"
local fail    = require "pgorch.error"
local json    = require "pgorch.json"
local url     = require "pgorch.sandbox.url"

local stand_in = {}

local BODY_LIMIT = 1 << 20

---@class pgorch.StandIn
---@field host string                  whose place it takes: "api.acme.example"
---@field prefix string|nil            before the path of every route: "/v1"
---@field token string|nil             what a request has to carry as its bearer
---@field env table<string, string>|nil    variables that pgorch sees in the world: { ACME_TOKEN = "..." }
---@field given_back string[]|nil      fields of the table that have to be after a run as they were before it
---@field database_url (fun(): string)|nil  the address of the source as an app has it; the world's own
---@field close fun()|nil              ends what the stand-in has opened itself
---@field routes table<string, fun(request: pgorch.StandIn.Request): any>  "GET /clusters/:id" -> what is sent as JSON:
---  a table, true for an answer without a body, nil for 404; or status, table

---@class pgorch.StandIn.Request
---@field at table<string, string>     the named parts of the path
---@field query table<string, string>
---@field body table|nil               the JSON that was sent
---@field headers table<string, string>

local function answer(status, value)
  if value == nil then return { status = status, body = "", headers = {} } end
  return { status = status, headers = { ["content-type"] = "application/json" }, body = json.encode(value) }
end

local function message(status, text) return answer(status, { message = text }) end

-- "GET /clusters/:id" -> method, a pattern, the names in it.
local function compiled(routes)
  local list = {}
  for key, handler in pairs(routes) do
    local method, path = key:match "^(%u+) (/%S*)$"
    if not method then fail.raise("PGO-INVALID", ("route %q: write it as \"GET /clusters/:id\""):format(key)) end
    local names = {}
    local pattern = path:gsub("[%-%.%+%%]", "%%%0"):gsub(":([%w_]+)", function(name)
      names[#names + 1] = name
      return "([^/]+)"
    end)
    list[#list + 1] = { method = method, pattern = "^" .. pattern .. "$", names = names, handler = handler, key = key }
  end
  -- A path that is spelt out comes before one with a name in its place.
  table.sort(list, function(a, b)
    if #a.names ~= #b.names then return #a.names < #b.names end
    return a.key < b.key
  end)
  return list
end

local function find(list, method, path)
  local known
  for _, route in ipairs(list) do
    local parts = { path:match(route.pattern) }
    if parts[1] then
      known = true
      if route.method == method then
        local at = {}
        for i, name in ipairs(route.names) do at[name] = url.decode(parts[i]) end
        return route, at
      end
    end
  end
  return nil, known
end

local function read_body(req)
  local text = req.body and req.body:read_all(BODY_LIMIT) or ""
  if text == "" then return true, nil end
  return pcall(json.decode, text)
end

local function handle(o, list, req)
  local known = not o.token or req.headers.authorization == "Bearer " .. o.token
  if not known then return message(401, "the token is not valid") end
  local path = req.path:sub(1, #o.prefix) == o.prefix and req.path:sub(#o.prefix + 1) or nil
  local route, at = find(list, req.method, path or "")
  if not route then return at and message(405, "no such method here") or message(404, "no such thing") end
  local good, body = read_body(req)
  if not good then return message(400, "the body is no JSON") end
  local _, query = url.parameters(req.query)
  local first, second = route.handler { at = at, query = query, body = body, headers = req.headers }
  if math.type(first) == "integer" then return answer(first, second) end
  if first == nil then return message(404, "no such thing") end
  return answer(first == true and 204 or 200, first ~= true and first or nil)
end

---Begins to serve, until the world ends.
---@param world table       the sandbox's
---@param data table        what the API knows; tests see it as `world.NAME`
---@param o pgorch.StandIn
---@return table data
function stand_in.serve(world, data, o)
  if type(o.host) ~= "string" or type(o.routes) ~= "table" then
    fail.raise("PGO-INVALID", "a stand-in needs `host` and `routes`")
  end
  o.prefix = o.prefix or ""
  local name = o.host:match "([%w_-]+)%.[%w-]+$" or o.host
  local list = compiled(o.routes)
  local api = account.serve({ world = world }, { name = name, prefix = o.prefix,
    operation = function() return name .. ".request" end, handle = function(req) return handle(o, list, req) end,
    fault_answer = function(fault) return message(fault.answer, "a fault that was asked for") end })
  world:answer_for(o.host, "http://127.0.0.1:" .. api.port)
  local about = { url = api.url, env = o.env, given_back = o.given_back or {}, database_url = o.database_url }
  function about.close()
    api.listener:close()
    if o.close then o.close() end
  end
  return setmetatable(data, { __index = about })
end

return stand_in
