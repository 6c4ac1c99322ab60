-- How many requests one token may still send. All processes that share a record of runs share the count: what one of
-- them is refused slows all of them down. It is kept by a digest that nobody without both token and record can make
-- again. Without a record, or while that is away, each process counts for itself. Against a stand-in on this machine
-- nothing is counted, unless PGORCH_API_RATE=RATE/BURST asks for it.

local clock  = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local env    = require "pgorch.env"
local log    = require "pgorch.log"
local poll   = require "pgorch.poll"
local retry  = require "pgorch.http.retry"
local task   = require "pgorch.task"

local budget = {}

---@class pgorch.http.Limits
---@field name string      "Heroku", for messages
---@field rate number      requests that come back in a second
---@field burst number     most that are kept

-- Permits are taken several at a time, so that the record is written to once for so many requests; the first ones one
-- by one, as a process that sends few shall not take more.
local MOST_AT_ONCE = 8
local HURRIED_SECONDS = 1        -- what is put back, or opened again, does not wait longer than that
local REFUSED_SECONDS = 10       -- after a refusal that does not say how long
local LONGEST_SECONDS = 3600
local SAID_SECONDS = 15          -- a longer wait is told

-- --- in this process ---

local Own = {}
Own.__index = Own

local function new_own() return setmetatable({ buckets = {} }, Own) end

function Own:take_permits(key, rate, burst, count)
  local now = clock.uptime()
  local at = self.buckets[key] or { tokens = burst, at = now, slow_until = 0 }
  self.buckets[key] = at
  at.tokens, at.at = math.min(burst, at.tokens + (now - at.at) * rate) - count, now
  return math.max(0, -at.tokens / rate, at.slow_until - now), at.tokens
end

function Own:slow_down(key, seconds)
  local at = self.buckets[key] or { tokens = 0, at = clock.uptime(), slow_until = 0 }
  self.buckets[key] = at
  at.slow_until = math.max(at.slow_until, clock.uptime() + seconds)
end

function Own:lower_permits(key, tokens)
  local at = self.buckets[key]
  if at then at.tokens = math.min(at.tokens, tokens) end
end

-- --- where it is counted ---

local own = new_own()
local shared                 -- {store =, hurried =} while this process works on a run

---From now on the record has the count; nil: this process.
---@param store pgorch.Store|nil
---@param hurried? fun(): boolean   whether requests are now for what cannot wait
function budget.share(store, hurried)
  shared = store and { store = store, hurried = hurried or function() return false end } or nil
end

---@class pgorch.http.Budget
local Budget = {}
Budget.__index = Budget

-- Other records cannot tell that it is the same token.
local function key_of(self, store)
  local key = self.keys[store.db]
    or crypto.hmac_sha256(self.token, ("budget %d"):format(store:id())):sub(1, 32)
  self.keys[store.db] = key
  return key
end

-- In the record, or here while that cannot be asked.
local function count(self, verb, ...)
  if shared and self.counts then
    local results = table.pack(pcall(function(...)
      local store = shared.store
      return store[verb](store, key_of(self, store), ...)
    end, ...))
    if results[1] then return table.unpack(results, 2, results.n) end
    task.check()
  end
  return own[verb](own, self.own_key, ...)
end

---Seconds to wait before the next request is sent.
---@return number
function Budget:permit()
  local now = clock.uptime()
  if self.left > 0 and now >= self.slow_until then
    self.left = self.left - 1
    return math.max(0, self.ready_at - now)      -- what was taken together is good from one moment on
  end
  self.block = math.min(MOST_AT_ONCE, math.max(1, self.block * 2))
  local wait, tokens = count(self, "take_permits", self.rate, self.burst, self.block)
  self.left, self.tokens, self.ready_at = self.block - 1, tokens, now + wait
  return wait
end

local function hurried() return shared ~= nil and shared.hurried() end

local function say(self, wait)
  if wait < SAID_SECONDS or self.said and clock.uptime() - self.said < LONGEST_SECONDS then return end
  self.said = clock.uptime()
  log.info(("the requests to %s that this token may send are used up: waiting for %d s"):format(self.name,
    math.ceil(wait)))
end

---Waits until the next request may be sent.
function Budget:take()
  local wait = self:permit()
  if hurried() then wait = math.min(wait, HURRIED_SECONDS) end
  if wait <= 0 then return end
  say(self, wait)
  task.sleep(wait)
end

local function refused(self, headers)
  local seconds = math.min(LONGEST_SECONDS, retry.asked_for(headers) or self.refused_seconds)
  if seconds <= 0 then return end
  self.left, self.slow_until = 0, clock.uptime() + seconds
  count(self, "slow_down", seconds)
end

---Takes what an answer tells: that too many were sent, or how many are left, where that are fewer than were counted.
---@param reply pgorch.http.Reply
function Budget:heard(reply)
  if reply.status == 429 then return refused(self, reply.headers) end
  local remaining = tonumber(reply.headers and reply.headers["ratelimit-remaining"])
  if not self.counts or not remaining or not self.tokens or remaining >= self.tokens - MOST_AT_ONCE then return end
  self.left, self.tokens = 0, remaining
  count(self, "lower_permits", remaining)
end

-- What PGORCH_API_RATE says for stand-ins; nil: nothing is counted there.
local function rate_of_stand_in()
  local rate, burst = (env.get "PGORCH_API_RATE" or ""):match "^([%d.]+)/(%d+)$"
  return tonumber(rate), tonumber(burst)
end

---The budget of a token.
---@param token userdata   a secret
---@param limits pgorch.http.Limits
---@param base string      where it is sent
---@return pgorch.http.Budget
function budget.of(token, limits, base)
  local rate, burst, counts = limits.rate, limits.burst, true
  if poll.is_loopback(base) then
    rate, burst = rate_of_stand_in()
    counts = rate ~= nil
  end
  return setmetatable({ token = token, name = limits.name, rate = rate or math.huge, burst = burst or math.huge,
    counts = counts, keys = setmetatable({}, { __mode = "k" }), own_key = crypto.sha256(token), left = 0, block = 0,
    slow_until = 0, ready_at = 0, refused_seconds = poll.is_loopback(base) and 0 or REFUSED_SECONDS }, Budget)
end

return budget
