-- What a provider module is: a client, and a way to turn one of its databases into a source. The rest has defaults.
-- Checks what the module returns, so that a mistake in it is named at once instead of failing inside a migration.

local fail   = require "pgorch.error"
local secret = require "pgorch.secret"
local source = require "pgorch.source"

local M = {}

local SHAPE = { host = "string", port = "number", user = "string" }

local function check(name, shape)
  for field, wanted in pairs(SHAPE) do
    if type(shape[field]) ~= wanted then
      fail.raise("PGO-RECIPE", ("provider %s: database.%s is a %s, a %s is needed"):format(name, field,
        type(shape[field]), wanted))
    end
  end
  if shape.port < 1 or shape.port > 65535 then
    fail.raise("PGO-RECIPE", ("provider %s: port %s"):format(name, shape.port))
  end
  if shape.ca_pem and not shape.ca_pem:find("-----BEGIN CERTIFICATE-----", 1, true) then
    fail.raise("PGO-RECIPE", ("provider %s: ca_pem is not a PEM certificate"):format(name))
  end
end

local function bound(list, api, id)
  if not list then return nil end
  local one = {}
  for verb, fn in pairs(list) do one[verb] = function(...) return fn(api, id, ...) end end
  return one
end

local function to_source(spec, api, shape, dbname)
  check(spec.name, shape)
  local backup = shape.backup
  return source.new {
    provider = spec.name, id = shape.id, label = shape.label, host = shape.host, port = math.tointeger(shape.port),
    user = shape.user, password = shape.password, dbname = dbname or shape.dbname, ca_pem = shape.ca_pem,
    major = shape.major, status = shape.status, ready = shape.ready ~= false, region = shape.region,
    databases = shape.dbnames and function() return shape.dbnames end or nil,
    latest_backup = backup and function() return source.epoch(backup.latest) end or nil,
    allow_list = bound(spec.allow_list, api, shape.id), empty_allow_list = shape.empty_allow_list or "closed",
  }
end

---@class pgorch.ProviderSpec
---@field name string
---@field client fun(o: table): table
---@field database fun(api: table, id: any): table
---@field list? function
---@field allow_list? table
---@field hosts? string[]

---@param spec pgorch.ProviderSpec
local function make(_, spec)
  for _, needed in ipairs { "name", "client", "database" } do
    if not spec[needed] then fail.raise("PGO-RECIPE", "a provider needs `" .. needed .. "`") end
  end
  return {
    name = spec.name, hosts = spec.hosts, client = spec.client, list = spec.list,
    database = function(api, id, dbname) return to_source(spec, api, spec.database(api, id), dbname) end,
  }
end

---Makes a secret of a value that an API has sent.
M.secret = function(value) return secret.is(value) and value or secret.new(value) end

return setmetatable(M, { __call = make })
