-- Which way the data takes: as --via says, or the fastest of those that are possible, by what was measured of this
-- source where anything was. Decided once; a run keeps its way (runner/changes.lua).

local recipe = require "pgorch.recipe"
local fail   = require "pgorch.error"
local rates  = require "pgorch.plan.rates"
local times  = require "pgorch.plan.times"
local values = require "pgorch.recipe.values"
local way    = require "pgorch.way"
local ways   = require "pgorch.preflight.ways"

-- To give the source's password away is nothing to be chosen by a figure.
local NOT_BY_ITSELF = "Heroku would get the source's password: only where --via heroku asks for it"

-- Every way with about how long the data takes on it, and what is against it.
local function look(ctx, asked, measured)
  local obstacles, list = ways.obstacles(ctx), {}
  if asked == "auto" then
    obstacles.archive = obstacles.archive or ways.archive_obstacle(ctx)
    obstacles.heroku = obstacles.heroku or { what = NOT_BY_ITSELF }
  end
  for i, name in ipairs(way.ALL) do
    list[i] = { way = name, seconds = times.of_way(name, ctx.result.size, measured),
                by = measured.by[name], why_not = obstacles[name] and obstacles[name].what }
  end
  return list
end

local function fastest(list)
  local best
  for _, each in ipairs(list) do
    if not each.why_not and (not best or each.seconds < best.seconds) then best = each end
  end
  if best then return best.way end
  local reasons = {}
  for i, each in ipairs(list) do reasons[i] = ("%s: %s"):format(each.way, each.why_not) end
  fail.raise("PGO-PARAM", "--via auto: no way is possible", { detail = table.concat(reasons, "\n") })
end

local function tell(ctx, list)
  for _, each in ipairs(list) do
    ctx:note(each.why_not and ("%s: not possible, %s"):format(each.way, each.why_not)
      or ("%s: ~%s for the data%s"):format(each.way, values.show_duration(math.ceil(each.seconds)),
        each.by and ", by " .. each.by or ""))
  end
end

local function run(ctx)
  local asked = ctx.params.via or "archive"
  local measured = rates.of(ctx)
  local list = look(ctx, asked, measured)
  local chosen = asked == "auto" and fastest(list) or asked
  if asked == "auto" then
    tell(ctx, list)
    ctx:note("the way is " .. chosen)
  end
  return { way = chosen, asked = asked, ways = list, rates = measured }
end

local function check(ctx, result) return result.asked == (ctx.params.via or "archive") end

return recipe.step { id = "choose_way", title = "Choose the way of the data", effect = "read", run = run, check = check,
                     needs = { "size" } }
