-- Who may ask the Linode stand-in, and how often: tokens with their scopes, and the budget of requests in a minute,
-- which the headers of every answer tell.

local answer = require "pgorch.sandbox.linode.answer"
local clock = require "pgorch.clock"

local limits = {}

local GENERAL, COLLECTIONS, WINDOW = 1600, 200, 60

--- The budgets of one token. `rates` replaces the figures: {general =, collections =} requests a minute.
---@param scopes string "databases:read_write object_storage:read_only"; "*" is everything
---@param rates? table
---@return table
function limits.token(scopes, rates)
  local list = {}
  for kind, right in scopes:gmatch "([%a_]+):([%a_]+)" do list[kind] = right end
  return { scopes = scopes, list = list, windows = {},
    rates = { general = rates and rates.general or GENERAL, collections = rates and rates.collections or COLLECTIONS } }
end

--- The refusal of a request for which the token is not good enough.
---@param token table
---@param kind string|nil "databases"; nil: any token will do
---@param method string
---@return table|nil answer
function limits.refusal(token, kind, method)
  local right = token.scopes == "*" and "read_write" or kind and token.list[kind]
  if not kind or right == "read_write" or right and method == "GET" then return nil end
  local refused = answer.error(401, "Your OAuth token is not authorized to use this endpoint.")
  refused.headers["x-oauth-scopes"] = token.scopes
  refused.headers["x-accepted-oauth-scopes"] = kind .. (method == "GET" and ":read_only" or ":read_write")
  return refused
end

--- Counts a request: the headers that go with its answer, and the refusal when the budget is spent.
---@param token table
---@param collection boolean it is a GET of a list
---@return table<string, string> headers
---@return table|nil refusal
function limits.count(token, collection)
  local name = collection and "collections" or "general"
  local window, now, most = token.windows[name], clock.time(), token.rates[name]
  if not window or now >= window.reset then
    window = { reset = math.floor(now) + WINDOW, used = 0 }
    token.windows[name] = window
  end
  window.used = window.used + 1
  local headers = { ["x-ratelimit-limit"] = tostring(most), ["x-ratelimit-reset"] = tostring(window.reset),
    ["x-ratelimit-remaining"] = tostring(math.max(0, most - window.used)) }
  if window.used <= most then return headers end
  headers["retry-after"] = tostring(math.max(1, math.ceil(window.reset - now)))
  return headers, answer.error(429, "Too many requests")
end

return limits
