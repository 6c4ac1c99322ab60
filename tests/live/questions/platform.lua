-- Questions to the Platform API about requests, refusals, apps and plans. Nothing here makes anything that costs.

local answer = require "answer"
local clock  = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local fail   = require "pgorch.error"
local http   = require "pgorch.http"
local task   = require "pgorch.task"

local NEWER = "application/vnd.heroku+json; version=3.sdk"

local function outcome(live, method, path, o)
  return answer.outcome(live:request(method, path, o), live.names)
end

local function both(live, method, path, o)
  local reply = live:request(method, path, o)
  return { status = reply.status, headers = answer.headers(reply.headers), shape = answer.shape(reply.value) }
end

-- Seconds that a signed URL of the older or the newer kind lives, to the minute.
local function life_of(url)
  local query = tostring(url)
  local seconds = tonumber(query:match "X%-Amz%-Expires=(%d+)")
  local expires = tonumber(query:match "[?&]Expires=(%d+)")
  seconds = seconds or expires and expires - clock.time()
  return seconds and (seconds + 30) // 60 * 60 or "not told"
end

local function sources(live)
  local reply = live:request("POST", "/sources", { visible = true })
  if reply.status >= 300 then return answer.outcome(reply, live.names) end
  local blob = reply.value.source_blob or {}
  return { status = reply.status, shape = answer.shape(reply.value), get_seconds = life_of(blob.get_url),
    put_seconds = life_of(blob.put_url) }
end

local function prices(live)
  local found = {}
  for slug, plan in pairs(live.heroku:plans()) do
    if slug:match "^essential" or slug:match "^standard" or slug:match "^premium" then
      found[slug] = { cents = plan.cents, state = plan.state }
    end
  end
  return found
end

local function plan_shape(live)
  for _, plan in ipairs(live:request("GET", "/addon-services/heroku-postgresql/plans", { accept = NEWER }).value) do
    if plan.name == "heroku-postgresql:essential-0" then return answer.shape(plan) end
  end
  return "there is no essential-0"
end

local function request_ids(live)
  local mine = crypto.uuid()
  local given = live:request("GET", "/account", { headers = { ["Request-Id"] = mine } }).headers["request-id"] or ""
  local _, count = given:gsub("[^,]+", "")
  return { mine_comes_back = given:find(mine, 1, true) ~= nil, count = count }
end

-- Without a token: whether a name still leads to the API is told by any answer at all.
local function older_hosts()
  local found = {}
  for _, host in ipairs { "postgres-api.heroku.com", "postgres-starter-api.heroku.com" } do
    local ok, reply = pcall(http.request, { method = "GET", check = false,
      url = ("https://%s/client/v11/databases/%s"):format(host, crypto.uuid()) })
    if not ok and task.cancelled(reply) then error(reply, 0) end
    found[host] = ok and reply.status or fail.is(reply) and reply.id or "no answer"
  end
  return found
end

return {
  { id = "platform.no_version", about = "An Accept header without a version: which refusal?",
    ask = function(live) return outcome(live, "GET", "/account", { accept = false }) end },
  { id = "platform.wrong_token", about = "A token that is none",
    ask = function(live) return outcome(live, "GET", "/account", { token = "HRKU-" .. crypto.uuid() }) end },
  { id = "platform.headers", about = "Headers of an answer: rate limit, request id, paging",
    ask = function(live) return answer.headers(live:request("GET", "/account").headers) end },
  { id = "platform.request_id", about = "Whether a Request-Id of ours comes back", ask = request_ids },
  { id = "platform.rate_limits", about = "The account's request budget: shape and headers",
    ask = function(live) return both(live, "GET", "/account/rate-limits") end },
  { id = "platform.bad_range", about = "A Range over a key that the list does not have",
    ask = function(live) return outcome(live, "GET", "/apps", { headers = { Range = "no_such_key ..; max=1" } }) end },
  { id = "platform.older_hosts", about = "Whether the Data API's older host names still answer", real_only = true,
    ask = older_hosts },

  { id = "app.shape", about = "Keys and formats of an app",
    ask = function(live) return answer.shape(live:request("GET", "/apps/" .. live.app).value) end },
  { id = "app.name_taken", about = "POST /apps with a name that is taken (409 or 422, which id?)",
    ask = function(live) return outcome(live, "POST", "/apps", { body = { name = live.app } }) end },
  { id = "app.bad_name", about = "POST /apps with a name that cannot be one",
    ask = function(live) return outcome(live, "POST", "/apps", { body = { name = "9-Not_A_Name" } }) end },
  { id = "app.unknown", about = "GET of an app that does not exist",
    ask = function(live) return outcome(live, "GET", "/apps/" .. live.app .. "-x") end },
  { id = "app.formation_without_release", about = "The formation of an app that was never deployed",
    ask = function(live) return both(live, "GET", "/apps/" .. live.app .. "/formation") end },
  { id = "app.formation_unknown_type", about = "Scaling a process type that the app does not have",
    ask = function(live)
      return outcome(live, "PATCH", "/apps/" .. live.app .. "/formation",
        { body = { updates = { { type = "worker", quantity = 0 } } } })
    end },

  { id = "plans.shape", about = "Keys and formats of a plan", ask = plan_shape },
  { id = "plans.prices", about = "Essential, Standard and Premium plans that are offered, and their prices",
    ask = prices },
  { id = "sources.life", about = "How long the signed URLs of POST /sources live", ask = sources },
}
