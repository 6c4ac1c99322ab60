-- What a batch has besides its rows: defaults, and what may stand there. Pure.

local values = require "pgorch.recipe.values"

local options = {}

options.DEFAULTS = { attempts = 3, on_refused = "stop", limits = { jobs = 4 } }

---@class pgorch.batch.Options
---@field window {opens?: string, closes?: string}|nil
---@field limits {jobs: integer, per_instance?: integer, per_provider?: integer, per_storage?: integer,
---  per_account?: integer|table<string, integer>}
---@field canary {first: integer, then_wait: "approve"|number, waves: integer|nil}|nil  then_wait: seconds
---@field stop_after {failures?: integer, rate?: number}|nil
---@field attempts integer
---@field yes_cut_over boolean|nil
---@field gates "ask"|nil
---@field on_refused "stop"|"skip"
---@field open_allow_list boolean|nil

local function is_count(value) return math.type(value) == "integer" and value >= 1 end

local function count(problems, name, value)
  if value ~= nil and not is_count(value) then
    problems[#problems + 1] = ("%s: a whole number from 1 on is needed"):format(name)
  end
end

local function only(problems, name, given, known)
  local allowed = {}
  for _, each in ipairs(known) do allowed[each] = true end
  for field in pairs(given) do
    if not allowed[field] then
      local meant = values.closest(tostring(field), known)
      problems[#problems + 1] = ("%s: unknown field `%s`%s"):format(name, tostring(field),
        meant and (", did you mean `%s`?"):format(meant) or "")
    end
  end
end

local LIMITS = { "jobs", "per_instance", "per_provider", "per_storage", "per_account" }

local function check_limits(problems, given)
  only(problems, "limits", given, LIMITS)
  for _, name in ipairs(LIMITS) do
    local value = given[name]
    if name == "per_account" and type(value) == "table" then
      for service, most in pairs(value) do count(problems, "limits.per_account." .. tostring(service), most) end
    else
      count(problems, "limits." .. name, value)
    end
  end
end

local function check_window(problems, given)
  only(problems, "window", given, { "opens", "closes" })
  for _, name in ipairs { "opens", "closes" } do
    if given[name] ~= nil and type(given[name]) ~= "string" then
      problems[#problems + 1] = ("window.%s: write \"Sat 22:00 Europe/Oslo\""):format(name)
    end
  end
end

local function check_canary(problems, given)
  only(problems, "canary", given, { "first", "then_wait", "waves" })
  if given.first == nil then problems[#problems + 1] = "canary.first is missing: how many rows go ahead" end
  count(problems, "canary.first", given.first)
  count(problems, "canary.waves", given.waves)
  local wait = given.then_wait or "approve"
  if wait == "approve" then return { first = given.first, then_wait = wait, waves = given.waves } end
  local seconds, why = values.duration(wait)
  if not seconds then problems[#problems + 1] = ("canary.then_wait: `%s` %s, or \"approve\""):format(wait, why) end
  return { first = given.first, then_wait = seconds, waves = given.waves }
end

local function check_stop(problems, given)
  only(problems, "stop_after", given, { "failures", "rate" })
  count(problems, "stop_after.failures", given.failures)
  local rate = given.rate
  if rate ~= nil and not (type(rate) == "number" and rate > 0 and rate <= 1) then
    problems[#problems + 1] = "stop_after.rate: a share of the rows is needed, as 0.2"
  end
end

local CHOICES = { gates = { "ask" }, on_refused = { "stop", "skip" } }

local function check_choices(problems, given)
  for name, list in pairs(CHOICES) do
    local found = given[name] == nil
    for _, each in ipairs(list) do found = found or given[name] == each end
    if not found then problems[#problems + 1] = ("%s: %s"):format(name, table.concat(list, " or ")) end
  end
end

---The options of a batch, complete. What is wrong is added to `problems`.
---@param given table       as a manifest has them, each of its type
---@param problems string[]
---@return pgorch.batch.Options
function options.read(given, problems)
  local made = {}
  for _, from in ipairs { options.DEFAULTS, given } do
    for name, value in pairs(from) do made[name] = value end
  end
  check_limits(problems, made.limits)
  if made.window then check_window(problems, made.window) end
  if made.canary then made.canary = check_canary(problems, made.canary) end
  if made.stop_after then check_stop(problems, made.stop_after) end
  count(problems, "attempts", made.attempts)
  check_choices(problems, made)
  made.limits.jobs = made.limits.jobs or options.DEFAULTS.limits.jobs
  return made
end

return options
