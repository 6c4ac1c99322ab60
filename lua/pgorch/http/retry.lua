-- When a request is sent again, and how long to wait before: full jitter, so that clients that failed together do
-- not come back together, or what the server asks for by Retry-After. Sends nothing itself.

local clock = require "pgorch.clock"
local fail = require "pgorch.error"

local retry = {}

---@class pgorch.http.Policy
---@field tries integer             6
---@field base number               seconds, 0.5: the first wait is up to this, each further one up to twice as much
---@field cap number                seconds, 20
---@field retry_after_cap number    seconds, 120: a server that asks for more is asked again then
---@field dns_tries integer         3: a name that is not found seldom appears
---@field judge? fun(reply: pgorch.http.Reply): boolean|"untouched"|nil   whether a refusal may pass by itself, where
---the status does not tell; "untouched": nothing was done either, so that even a POST is sent again

local POLITE = { tries = 6, base = 0.5, cap = 20, retry_after_cap = 120, dns_tries = 3 }
local NONE = { tries = 1, base = 0, cap = 0, retry_after_cap = 0, dns_tries = 1 }

local STATUSES = { [408] = true, [429] = true, [500] = true, [502] = true, [503] = true, [504] = true }
local IDEMPOTENT = { GET = true, HEAD = true, PUT = true, DELETE = true, OPTIONS = true }

---@param given nil|"polite"|pgorch.http.Policy
---@return pgorch.http.Policy
function retry.policy(given)
  if given == nil or given == false then return NONE end
  if given == "polite" then return POLITE end
  if type(given) ~= "table" then fail.raise("PGO-INVALID", "retry is \"polite\" or a table") end
  return setmetatable(given, { __index = POLITE })
end

---Whether the same request may be sent twice: it changes nothing the second time, and its streams are untouched.
---@param options table
function retry.repeatable(options)
  if not (options.idempotent or IDEMPOTENT[options.method or "GET"]) then return false end
  local body = options.body
  if type(body) == "userdata" and body.read then return false end
  return not options.into or options.into:total() == 0
end

---What the policy's own judgement makes of a refusal: the error's `retryable`, and whether nothing was done.
---@param policy pgorch.http.Policy
---@param err pgorch.Error
---@param reply? pgorch.http.Reply
---@return boolean untouched
function retry.judged(policy, err, reply)
  local verdict = reply and policy.judge and policy.judge(reply)
  if verdict ~= nil then err.retryable = verdict ~= false end
  return verdict == "untouched"
end

---@param status integer
function retry.status(status)
  return STATUSES[status] == true
end

---Seconds that a server wants to be left alone; nil: it does not say.
---@param headers? table
---@return number|nil
function retry.asked_for(headers)
  local value = headers and headers["retry-after"]
  if not value then return nil end
  local date = clock.parse_http(value)
  return math.max(tonumber(value) or date and date - clock.time() or 0, 0)
end

---Seconds to wait before the next try, or nil when there is to be none.
---@param policy pgorch.http.Policy
---@param try integer          the one that failed: 1, 2, ...
---@param err pgorch.Error
---@param headers? table       of the answer, if there was one
function retry.wait(policy, try, err, headers)
  local tries = err.id == "PGO-DNS" and math.min(policy.tries, policy.dns_tries) or policy.tries
  if try >= tries or not err.retryable then return nil end
  local asked = retry.asked_for(headers)
  if asked then return math.min(asked, policy.retry_after_cap) end
  return math.random() * math.min(policy.cap, policy.base * 2 ^ (try - 1))
end

return retry
