-- Engines, types and settable parameters of the Linode stand-in. Parameters are set for the databases in the cluster:
-- new sessions have them. There is none that makes a database read-only.

local answer = require "pgorch.sandbox.linode.answer"
local json = require "pgorch.json"

local settings = {}

local VERSIONS = { { "mysql", "8" }, { "postgresql", "14" }, { "postgresql", "15" }, { "postgresql", "16" },
  { "postgresql", "17" } }

local function engine_objects()
  local found = {}
  for i, each in ipairs(VERSIONS) do
    found[i] = { id = each[1] .. "/" .. each[2], engine = each[1], version = each[2] }
  end
  return found
end

--- One of a list, by the id that the path names.
local function one_of(list, request)
  for _, each in ipairs(list) do
    if each.id == request.captures[1] then return answer.json(200, each) end
  end
  return answer.error(404, "Not found")
end

local function price(nodes, monthly)
  return { quantity = nodes, price = { hourly = monthly * nodes / 500, monthly = monthly * nodes } }
end

local function type_object(id, label, cpus, memory, disk, monthly)
  local sizes = json.array { price(1, monthly), price(2, monthly), price(3, monthly) }
  return { id = id, label = label, class = id:match "nanode" and "nanode" or "dedicated", vcpus = cpus, memory = memory,
    disk = disk, deprecated = false, engines = { mysql = sizes, postgresql = sizes } }
end

local function type_objects()
  return { type_object("g6-nanode-1", "DBaaS - Nanode 1GB", 1, 1024, 9216, 15),
    type_object("g6-dedicated-2", "DBaaS - Dedicated 4GB", 2, 4096, 81920, 65) }
end

function settings.engines(_, request) return answer.page(engine_objects(), request) end
function settings.engine(_, request) return one_of(engine_objects(), request) end
function settings.types(_, request) return answer.page(type_objects(), request) end
function settings.type(_, request) return one_of(type_objects(), request) end

--- What can be set, with its bounds.
local PARAMETERS = {
  idle_in_transaction_session_timeout = { type = "integer", minimum = 0, maximum = 604800000, requires_restart = false,
    description = "Time out sessions with open transactions after this number of milliseconds" },
  jit = { type = "boolean", requires_restart = false,
    description = "Controls system-wide use of Just-in-Time compilation" },
  log_min_duration_statement = { type = "integer", minimum = -1, maximum = 86400000, requires_restart = false,
    description = "Log statements that take more than this number of milliseconds to run, -1 disables" },
  timezone = { type = "string", minLength = 1, maxLength = 64, requires_restart = false,
    description = "PostgreSQL service timezone" },
}

function settings.config(_, request)
  if request.captures[1] ~= "postgresql" then return answer.json(200, { mysql = {} }) end
  return answer.json(200, { pg = PARAMETERS })
end

local function fits(parameter, value)
  if parameter.type == "integer" then
    return math.type(value) == "integer" and value >= parameter.minimum and value <= parameter.maximum
  elseif parameter.type == "string" then
    return type(value) == "string" and #value >= parameter.minLength and #value <= parameter.maxLength
  end
  return type(value) == "boolean"
end

--- The refusal of an engine_config, nil when it can be applied.
---@param config any
---@return table|nil answer
function settings.wrong(config)
  if type(config) ~= "table" or type(config.pg) ~= "table" then
    return answer.error(400, "Must be an object with pg", "engine_config")
  end
  for name, value in pairs(config.pg) do
    local parameter = PARAMETERS[name]
    if not parameter or not fits(parameter, value) then
      return answer.error(400, ("Invalid parameter or value: %s"):format(name), "engine_config")
    end
  end
end

---@param entry table
---@param config table that settings.wrong has passed
function settings.apply(entry, config)
  for name, value in pairs(config.pg) do
    entry.object.engine_config.pg[name] = value
    if entry.server and entry.server.cluster then entry.server:set_parameter(name, value) end
  end
end

return settings
