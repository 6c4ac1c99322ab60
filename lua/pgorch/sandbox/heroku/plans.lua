-- The plans of Heroku Postgres that the stand-in sells. Prices and limits are those that pages named in 2024 to 2026.
-- Written apart from the product's own table, so that one can show a mistake in the other.

local crypto = require "pgorch.crypto"
local json   = require "pgorch.json"
local page   = require "pgorch.sandbox.heroku.page"
local reply  = require "pgorch.sandbox.heroku.reply"

local plans = {}

local GB = 1 << 30

local TABLE = {                  -- slug, human name, cents a month, capacity, connections, tables
  { "essential-0", "Essential 0", 500, GB, 20, 4000 },
  { "essential-1", "Essential 1", 900, 10 * GB, 20, 4000 },
  { "essential-2", "Essential 2", 2000, 32 * GB, 40, 4000 },
  { "standard-0", "Standard 0", 5000, 64 * GB, 200 },
  { "standard-2", "Standard 2", 20000, 256 * GB, 400 },
  { "standard-3", "Standard 3", 40000, 512 * GB, 500 },
  { "standard-4", "Standard 4", 75000, 768 * GB, 500 },
  { "standard-5", "Standard 5", 140000, 1024 * GB, 500 },
  { "standard-6", "Standard 6", 200000, 1536 * GB, 500 },
  { "premium-0", "Premium 0", 20000, 64 * GB, 200 },
  { "premium-2", "Premium 2", 35000, 256 * GB, 400 },
  { "advanced-small", "Advanced", 10000, 128 * GB, 400 },
}

plans.SERVICE = { id = crypto.uuid(), name = "heroku-postgresql" }
plans.list = {}

for i, row in ipairs(TABLE) do
  plans.list[i] = { id = crypto.uuid(), slug = row[1], name = "heroku-postgresql:" .. row[1], human_name = row[2],
    cents = row[3], capacity = row[4], connections = row[5], tables = row[6],
    essential = row[1]:match "^essential" ~= nil, advanced = row[1]:match "^advanced" ~= nil }
end

--- A plan by id, "heroku-postgresql:SLUG", or nothing but the service (which means its default plan).
---@return table|nil
function plans.find(wanted)
  if wanted == "heroku-postgresql" then wanted = "heroku-postgresql:essential-0" end
  for _, plan in ipairs(plans.list) do
    if plan.name == wanted or plan.id == wanted then return plan end
  end
end

function plans.price(plan)
  return { cents = plan.cents, unit = "month", contract = false, metered = false }
end

--- As the Platform API shows it.
function plans.shape(plan)
  return { id = plan.id, name = plan.name, human_name = plan.human_name,
    description = "Heroku Postgres " .. plan.human_name, default = plan.slug == "essential-0", state = "ga",
    visible = true, price = plans.price(plan), compliance = json.null, space_default = false,
    installable_inside_private_network = not plan.essential, installable_outside_private_network = true,
    addon_service = plans.SERVICE, created_at = "2024-05-01T00:00:00Z",
    updated_at = "2024-05-01T00:00:00Z" }
end

--- The plan that a request names: as a string, or as {name} or {id}.
---@return table
function plans.wanted(value)
  local name = value
  if type(value) == "table" then name = value.id or value.name end
  local plan = type(name) == "string" and plans.find(name)
  if plan then return plan end
  reply.invalid(("Couldn't find either the add-on service or the add-on plan of \"%s\"."):format(tostring(name)))
end

local function list(server, request)
  return page.of(request, plans.list, { keys = { "name", "id" }, page = server.page, shape = plans.shape })
end

local function one(_, request)
  local plan = plans.find(request.at.plan) or plans.find("heroku-postgresql:" .. request.at.plan)
  if not plan then reply.not_found("plan", "Couldn't find that add-on plan.") end
  return reply.json(200, plans.shape(plan))
end

plans.routes = {
  { "GET", "/addon-services/heroku-postgresql/plans", "plans", list },
  { "GET", "/addon-services/heroku-postgresql/plans/:plan", "plans", one },
  { "GET", "/plans/:plan", "plans", one },
}

return plans
