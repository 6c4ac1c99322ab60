-- Plans, versions, advanced options and alerts of the Vultr stand-in. Options are parameters of the databases in the
-- cluster: new sessions have them. There is none that makes a database read-only, and no call that makes a backup.

local answer = require "pgorch.sandbox.vultr.answer"
local clock = require "pgorch.clock"
local databases = require "pgorch.sandbox.vultr.databases"
local json = require "pgorch.json"

local settings = {}

local VERSIONS = { "13", "14", "15", "16", "17" }

local PLANS = {
  { "vultr-dbaas-hobbyist-cc-1-25-1", 1, 1, 1024, 25, 15 },
  { "vultr-dbaas-startup-cc-1-55-2", 1, 1, 2048, 55, 30 },
  { "vultr-dbaas-business-cc-2-80-4", 2, 2, 4096, 80, 120 },
}

local function plan_object(plan)
  local name, nodes, cpus, ram, disk, cost = table.unpack(plan)
  return { id = name, number_of_nodes = nodes, type = "cloud_compute", vcpu_count = cpus, ram = ram, disk = disk,
    monthly_cost = cost, supported_engines = { mysql = true, pg = true, valkey = false, kafka = false },
    max_connections = { mysql = 75, pg = 97 }, locations = json.array { "AMS", "EWR", "SGP" } }
end

local function offered(plan, given)
  local engine, region = given.engine, given.region and given.region:upper()
  if engine and not plan.supported_engines[engine] then return false end
  if given.nodes and tonumber(given.nodes) ~= plan.number_of_nodes then return false end
  for _, place in ipairs(plan.locations) do
    if not region or region == place then return true end
  end
  return false
end

function settings.plans(_, request)
  local found = {}
  for _, plan in ipairs(PLANS) do
    local object = plan_object(plan)
    if offered(object, request.arguments) then found[#found + 1] = object end
  end
  return answer.page("plans", found, request.arguments)
end

settings.versions = databases.with(function(_, _, entry)
  local newer = json.array {}
  for _, version in ipairs(VERSIONS) do
    if tonumber(version) > tonumber(entry.object.database_engine_version) then newer[#newer + 1] = version end
  end
  return answer.json(200, { available_versions = newer })
end)

--- Options that can be set for a database alone, with their bounds.
local OPTIONS = {
  { name = "idle_in_transaction_session_timeout", type = "int", min_value = 0, max_value = 604800000, units = "ms" },
  { name = "jit", type = "bool" },
  { name = "log_min_duration_statement", type = "int", min_value = -1, max_value = 86400000, units = "ms" },
  { name = "log_error_verbosity", type = "enum", enumerals = json.array { "TERSE", "DEFAULT", "VERBOSE" } },
}

local function options_answer(entry)
  return answer.json(200, { configured_options = entry.options or {}, available_options = json.array(OPTIONS) })
end

local function fits(option, value)
  if option.type == "bool" then return type(value) == "boolean" end
  if option.type == "int" then
    return math.type(value) == "integer" and value >= option.min_value and value <= option.max_value
  end
  for _, each in ipairs(option.enumerals) do
    if each == value then return true end
  end
  return false
end

local function option_named(name)
  for _, option in ipairs(OPTIONS) do
    if option.name == name then return option end
  end
end

settings.options = databases.with(function(_, _, entry) return options_answer(entry) end)

settings.set_options = databases.with(function(_, request, entry)
  local given = request.json
  if type(given) ~= "table" then return answer.error(400, "Invalid JSON body.") end
  for name, value in pairs(given) do
    local option = option_named(name)
    if not option then return answer.error(400, ("Invalid option: %s."):format(name)) end
    if not fits(option, value) then return answer.error(422, ("Invalid value for %s."):format(name)) end
  end
  if not entry.server or not entry.server.cluster then
    return answer.error(400, "The database is not the sandbox's own.")
  end
  entry.options = entry.options or {}
  for name, value in pairs(given) do
    local done, why = entry.server:set_parameter(name, value)
    if not done then return answer.error(422, why) end
    entry.options[name] = value
  end
  return options_answer(entry)
end)

local PERIODS = { day = true, week = true, month = true, year = true }

settings.alerts = databases.with(function(_, request, entry)
  if type(request.json) ~= "table" or not PERIODS[request.json.period] then
    return answer.error(400, "Invalid period.")
  end
  return answer.json(200, { alerts = json.array { {
    timestamp = answer.time(clock.time() - 3600), message_type = "SERVICE_BACKUP",
    description = ("A backup of %s has been taken."):format(entry.object.label), resource_type = "service",
  } } })
end)

--- No instance is being migrated from elsewhere.
settings.migration = databases.with(function()
  return answer.error(404, "No migration is attached to this database.")
end)

return settings
