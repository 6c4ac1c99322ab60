-- What Heroku Postgres plans hold, kept as data: the Platform API gives prices but neither storage nor connections.
-- Used to choose a plan before there is a database; the limits of a database that exists are read from it.
-- Never decides about money: prices are read live, the ones here only serve when the API does not answer.

local fail = require "pgorch.error"

local plans = {}

local GB, TB = 2 ^ 30, 2 ^ 40

---@class pgorch.heroku.Plan
---@field slug string          without the "heroku-postgresql:" in front
---@field bytes number         storage
---@field connections integer
---@field tables integer|nil   nil: no limit
---@field month integer        US dollars
---@field tier "essential"|"standard"|"premium"

---@param tier string
---@param slug string
---@param bytes number
---@param connections integer
---@param month integer
---@param tables integer|nil
local function plan(tier, slug, bytes, connections, month, tables)
  return { tier = tier, slug = slug, bytes = math.tointeger(bytes), connections = connections, month = month,
           tables = tables }
end

---@type pgorch.heroku.Plan[] smallest first within a tier; there is no standard-1
plans.list = {
  plan("essential", "essential-0", 1 * GB, 20, 5, 4000),
  plan("essential", "essential-1", 10 * GB, 20, 9, 4000),
  plan("essential", "essential-2", 32 * GB, 40, 20, 4000),
  plan("standard", "standard-0", 64 * GB, 200, 50),
  plan("standard", "standard-2", 256 * GB, 400, 200),
  plan("standard", "standard-3", 512 * GB, 500, 400),
  plan("standard", "standard-4", 768 * GB, 500, 750),
  plan("standard", "standard-5", 1 * TB, 500, 1400),
  plan("standard", "standard-6", 1.5 * TB, 500, 2000),
  plan("standard", "standard-7", 2 * TB, 500, 3500),
  plan("premium", "premium-0", 64 * GB, 200, 200),
  plan("premium", "premium-2", 256 * GB, 400, 350),
  plan("premium", "premium-3", 512 * GB, 500, 750),
  plan("premium", "premium-4", 768 * GB, 500, 1200),
  plan("premium", "premium-5", 1 * TB, 500, 2500),
}

local SERVICE = "heroku-postgresql:"

---The slug without the service in front: "heroku-postgresql:essential-1" -> "essential-1".
---@param name string
---@return string
function plans.slug(name)
  if name:sub(1, #SERVICE) == SERVICE then name = name:sub(#SERVICE + 1) end
  return name
end

---The name that the API wants.
---@param slug string
---@return string
function plans.full_name(slug)
  return SERVICE .. plans.slug(slug)
end

---What the table knows of a plan; nil for one that it does not have (private-*, shield-*, newer ones).
---@param slug string
---@return pgorch.heroku.Plan|nil
function plans.find(slug)
  slug = plans.slug(slug)
  for _, known in ipairs(plans.list) do
    if known.slug == slug then return known end
  end
end

---Advanced databases have another API, and the articles exclude them.
---@param slug string
---@return boolean
function plans.is_advanced(slug)
  slug = plans.slug(slug)
  return slug:match("^advanced") ~= nil or slug:match("^performance") ~= nil
end

---Raises PGO-HEROKU-PLAN for a plan that this flow cannot serve.
---@param slug string
function plans.refuse_advanced(slug)
  if plans.is_advanced(slug) then
    fail.raise("PGO-HEROKU-PLAN", ("%s is a Heroku Postgres Advanced plan: restoring a dump from a URL does not apply")
      :format(plans.slug(slug)))
  end
end

---The smallest plan that holds `bytes` (already with headroom) and `tables`: Essential first, then Standard.
---@param bytes number
---@param need? {tables?: integer, connections?: integer}
---@return string slug
function plans.plan_for(bytes, need)
  need = need or {}
  for _, known in ipairs(plans.list) do
    local fits = known.tier ~= "premium" and known.bytes >= bytes
      and (not known.tables or known.tables >= (need.tables or 0))
      and known.connections >= (need.connections or 0)
    if fits then return known.slug end
  end
  fail.raise("PGO-HEROKU-PLAN", ("no plan holds %.0f GB"):format(bytes / GB))
end

return plans
