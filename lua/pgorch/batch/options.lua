-- The options of a batch: which there are, their defaults, and what is wrong with those that are given. Pure.

local values = require "pgorch.recipe.values"
local window = require "pgorch.batch.window"

local options = {}

---@class pgorch.BatchOptions
---@field window {opens?: string, closes?: string, opens_at?: integer, closes_at?: integer}|nil
---@field limits {jobs: integer, per_instance?: integer, per_provider?: integer, per_storage?: integer, per_account?:
---integer|table<string, integer>}
---@field canary {first: integer, then_wait: "approve"|number, waves?: integer}|nil
---@field stop_after {failures?: integer, rate?: number}|nil
---@field attempts integer      how often a row is started, before it is left as it is
---@field yes_cut_over boolean|nil
---@field gates "ask"|nil       rows wait at their gates for `pgorch batch approve`
---@field on_refused "stop"|"skip"   what becomes of the others where a row cannot be moved as it is
---@field open_allow_list boolean|nil

local JOBS, ATTEMPTS = 4, 3

local function count(value, place, problems)
  if math.type(value) == "integer" and value > 0 then return value end
  problems[#problems + 1] = ("%s: a whole number above 0 is needed"):format(place)
end

local function text_or_table(value, place, problems)
  if type(value) == "table" then return value end
  problems[#problems + 1] = place .. ": a table is needed"
  return nil
end

local function unknown(given, known, place, problems)
  local names = {}
  for name in pairs(known) do names[#names + 1] = name end
  table.sort(names)
  local wrong = {}
  for name in pairs(given) do
    if not known[name] then wrong[#wrong + 1] = tostring(name) end
  end
  table.sort(wrong)
  for _, name in ipairs(wrong) do
    local meant = values.closest(name, names)
    problems[#problems + 1] = ("%s: there is no %s, %s"):format(place, name,
      meant and ("did you mean %s?"):format(meant) or "but " .. table.concat(names, ", "))
  end
end

local function accounts(given, problems)
  if type(given) ~= "table" then return count(given, "limits.per_account", problems) end
  for service, n in pairs(given) do count(n, "limits.per_account." .. tostring(service), problems) end
  return given
end

local LIMITS = { jobs = true, per_instance = true, per_provider = true, per_storage = true, per_account = true }

local function limits(given, problems)
  if given == nil then return { jobs = JOBS } end
  if not text_or_table(given, "limits", problems) then return { jobs = JOBS } end
  unknown(given, LIMITS, "limits", problems)
  local made = { jobs = JOBS, per_account = given.per_account and accounts(given.per_account, problems) }
  for _, name in ipairs { "jobs", "per_instance", "per_provider", "per_storage" } do
    if given[name] ~= nil then made[name] = count(given[name], "limits." .. name, problems) or made[name] end
  end
  return made
end

local function times(given, problems)
  if not given or not text_or_table(given, "window", problems) then return nil end
  unknown(given, { opens = true, closes = true }, "window", problems)
  for _, name in ipairs { "opens", "closes" } do
    local moment, why = given[name] == nil, nil
    if given[name] ~= nil then moment, why = window.parse(given[name]) end
    if not moment then problems[#problems + 1] = ("window.%s: %s"):format(name, why) end
  end
  return { opens = given.opens, closes = given.closes }
end

local function seconds(value) return type(value) == "number" and value or type(value) == "string" and
  values.duration(value) or nil end

local function canary(given, problems)
  if not given or not text_or_table(given, "canary", problems) then return nil end
  unknown(given, { first = true, then_wait = true, waves = true }, "canary", problems)
  local wait = given.then_wait == nil and "approve" or given.then_wait
  if wait ~= "approve" then
    wait = seconds(wait)
    if not wait then problems[#problems + 1] = "canary.then_wait: \"approve\", or a time such as \"30min\"" end
  end
  return { first = count(given.first, "canary.first", problems), then_wait = wait,
           waves = given.waves and count(given.waves, "canary.waves", problems) }
end

local function stop_after(given, problems)
  if not given or not text_or_table(given, "stop_after", problems) then return nil end
  unknown(given, { failures = true, rate = true }, "stop_after", problems)
  local rate = given.rate
  if rate ~= nil and (type(rate) ~= "number" or rate <= 0 or rate > 1) then
    problems[#problems + 1] = "stop_after.rate: a part of 1 is needed, such as 0.2"
    rate = nil
  end
  return { failures = given.failures and count(given.failures, "stop_after.failures", problems), rate = rate }
end

local function choice(value, name, list, problems)
  for _, each in ipairs(list) do
    if value == nil or value == each then return value end
  end
  problems[#problems + 1] = ("%s: %s"):format(name, table.concat(list, " or "))
end

---Options as they are put on record, defaults filled in. What is wrong is added to `problems`.
---@param given table
---@param problems string[]
---@return pgorch.BatchOptions
function options.read(given, problems)
  local yes = given.yes_cut_over
  if yes ~= nil and type(yes) ~= "boolean" then problems[#problems + 1] = "yes_cut_over: true or false is needed" end
  return {
    window = times(given.window, problems), limits = limits(given.limits, problems),
    canary = canary(given.canary, problems), stop_after = stop_after(given.stop_after, problems),
    attempts = given.attempts and count(given.attempts, "attempts", problems) or ATTEMPTS, yes_cut_over = yes or nil,
    gates = choice(given.gates, "gates", { "ask" }, problems), open_allow_list = given.open_allow_list,
    on_refused = choice(given.on_refused, "on_refused", { "stop", "skip" }, problems) or "stop",
  }
end

return options
