-- What a plan says of the ways that the data could take: which one it would be and why, how long the data takes on
-- each, and what is against one. Out of what the step choose_way has found; decides nothing.

local values = require "pgorch.recipe.values"
local way    = require "pgorch.way"

local M = {}

local WHAT = {
  archive = "a dump in object storage, restored by Heroku, as in the article",
  direct = "from server to server through this machine, without object storage",
  heroku = "fetched by Heroku, which gets the source's password, without object storage",
}

---@class pgorch.planned.Ways
---@field way pgorch.Way
---@field asked string           what --via says
---@field ways {way: pgorch.Way, seconds: number, by: string|nil, why_not: string|nil}[]  by: "run ID", measured it
---@field rates pgorch.plan.Rates

---@param plan pgorch.Plan
---@return pgorch.planned.Ways|nil   nil where the recipe does not choose
function M.of(plan)
  local seen = plan.survey and plan.seen.inspection
  return seen and seen:has_run "choose_way" and seen.results.choose_way or nil
end

local function minutes(seconds)
  if seconds < 90 then return ("~%d s"):format(math.ceil(seconds)) end
  if seconds < 5400 then return ("~%d min"):format(math.ceil(seconds / 60)) end
  return "~" .. values.show_duration(math.ceil(seconds / 60) * 60)
end

local RATE = { archive = "uplink", direct = "copy", heroku = "pull" }

---What sets the pace on the way that is taken, where that was measured or is known.
---@param found pgorch.planned.Ways
---@return string|nil
function M.pace(found)
  local rate, by = found.rates[RATE[found.way]], found.rates.by[found.way]
  if not rate then return nil end
  local text = values.show_size(rate) .. "/s"
  return found.way == "archive" and "upload " .. text or ("copy %s by %s"):format(text, by)
end

local function of_way(found, name)
  for _, each in ipairs(found.ways) do
    if each.way == name then return each end
  end
end

local function line_of(name, each)
  return ("%s %s%s: %s"):format(name, minutes(each.seconds), each.by and " by " .. each.by or "",
    each.why_not and "not possible, " .. each.why_not or WHAT[each.way])
end

---The way, why it is this one, and below it what the others would take.
---@param found pgorch.planned.Ways
---@return string[] lines
function M.lines(found)
  local list = {}
  for _, name in ipairs(way.ALL) do
    local each = of_way(found, name)
    if name == found.way then
      local why = found.asked == "auto" and "the fastest that is possible" or nil
      table.insert(list, 1, ("Way of the data: %s%s"):format(line_of(name, each), why and " (" .. why .. ")" or ""))
    else
      list[#list + 1] = "  instead: --via " .. line_of(name, each)
    end
  end
  return list
end

return M
