-- What a provider module is: a client, and a way to turn one of its databases into a source. The rest has defaults.
-- Checks the module when it is made and what it returns when it is used, so that a mistake in it is named at once
-- instead of failing inside a migration.

local api     = require "pgorch.provider.api"
local choice  = require "pgorch.provider.choice"
local fail    = require "pgorch.error"
local poll    = require "pgorch.poll"
local replaced_list = require "pgorch.provider.replaced_list"
local secret  = require "pgorch.secret"
local source  = require "pgorch.source"
local values  = require "pgorch.recipe.values"

local M = { api = api.new, choose = choice.instance }

---@class pgorch.ProviderSpec
---@field name string          "linode"
---@field title string         "Linode"; the name with a capital
---@field hosts string[]       the hosts of its API
---@field client fun(o: table): table          o: {token, api_url} as the recipe gives them
---@field database fun(api: table, label_or_id: any): pgorch.DatabaseShape
---@field list fun(api: table): any[]          the account's PostgreSQL databases: ids, or tables with an id
---@field allow_list table     {get, add, remove}, or {get, put} where the API replaces the list, called with
---(api, id, ...); busy(err): whether a refusal to put only means that the instance is still changing
---@field empty_allow_list "open"|"closed"     what a list without entries means ("closed")
---@field latest_backup fun(api: table, id: any): any      epoch or ISO 8601 of the newest backup, nil: there is none
---@field console_bytes fun(api: table, id: any): number|nil
---@field pools fun(api: table, id: any): {name: string, database: string}[]
---@field destroy fun(api: table, id: any)     deletes the instance for good

local SPEC = { name = "string", title = "string", hosts = "table", client = "function", database = "function",
               list = "function", allow_list = "table", empty_allow_list = "string", latest_backup = "function",
               console_bytes = "function", pools = "function", destroy = "function" }

---@class pgorch.DatabaseShape
---@field id any
---@field label string
---@field host string
---@field port integer
---@field user string
---@field password any         a secret, or text: provider.secret(text)
---@field hosts string[]|nil   every name that it has, this one and others
---@field dbnames string[]|nil its databases; nil: asked from pg_database
---@field dbname string|nil    the one that a new instance has
---@field ca_pem string|nil    nil: the certificate is not verified
---@field major integer|nil
---@field status string|nil
---@field ready boolean|nil    false: it cannot be used now
---@field region string|nil
---@field tag string|nil
---@field backup {latest: any}|nil    instead of latest_backup above
---@field empty_allow_list "open"|"closed"|nil

local SHAPE = { id = "string|number", label = "string", host = "string", port = "number", user = "string",
                password = "userdata|string", hosts = "table", dbnames = "table", dbname = "string", ca_pem = "string",
                major = "number", status = "string", ready = "boolean", region = "string", tag = "string",
                backup = "table", empty_allow_list = "string" }

local NEEDED = { spec = { "name", "client", "database" }, database = { "host", "port", "user" } }

local function wrong(name, text, ...) fail.raise("PGO-RECIPE", ("provider %s: " .. text):format(name, ...)) end

local function check_fields(name, what, given, types)
  for _, field in ipairs(NEEDED[what]) do
    if given[field] == nil then wrong(name, "%s.%s is missing", what, field) end
  end
  for field, value in pairs(given) do
    local wanted = types[field]
    if not wanted then
      local known = {}
      for each in pairs(types) do known[#known + 1] = each end
      wrong(name, "%s has no field %s%s", what, tostring(field), values.hint(tostring(field), known, "%s"))
    end
    if not ("|" .. wanted .. "|"):find("|" .. type(value) .. "|", 1, true) then
      wrong(name, "%s.%s is a %s, a %s is needed", what, field, type(value), wanted:gsub("|", " or "))
    end
  end
end

local EMPTY = { open = true, closed = true }

local function check_spec(spec)
  check_fields(tostring(spec.name or "?"), "spec", spec, SPEC)
  local list = spec.allow_list
  for verb, fn in pairs(list or {}) do
    if type(fn) ~= "function" then wrong(spec.name, "allow_list.%s is no function", verb) end
  end
  if list and not (list.get and (list.put or list.add and list.remove)) then
    wrong(spec.name, "allow_list needs get, and add and remove, or put")
  end
  if spec.empty_allow_list and not EMPTY[spec.empty_allow_list] then
    wrong(spec.name, "empty_allow_list is \"open\" or \"closed\"")
  end
end

local function check_shape(name, shape)
  if type(shape) ~= "table" then wrong(name, "database gives a %s, a table is needed", type(shape)) end
  check_fields(name, "database", shape, SHAPE)
  if not math.tointeger(shape.port) or shape.port < 1 or shape.port > 65535 then
    wrong(name, "database.port %s is none", shape.port)
  end
  if shape.ca_pem and not shape.ca_pem:find("-----BEGIN CERTIFICATE-----", 1, true) then
    wrong(name, "database.ca_pem is not a PEM certificate")
  end
end

-- Functions of the module for one instance.
local function bound(fn, client, id)
  return fn and function(...) return fn(client, id, ...) end
end

local function allow_list(spec, client, id, empty)
  local one = {}
  for verb, fn in pairs(spec.allow_list or {}) do one[verb] = bound(fn, client, id) end
  if not one.get then return nil end
  if not one.put then return one end
  return replaced_list { get = one.get, put = one.put, busy = spec.allow_list.busy, empty = empty }
end

local function backup_of(spec, client, shape)
  if shape.backup then return function() return source.epoch(shape.backup.latest) end end
  local fn = spec.latest_backup
  return fn and function() return source.epoch(fn(client, shape.id)) end
end

local function to_source(spec, client, shape)
  check_shape(spec.name, shape)
  local empty = shape.empty_allow_list or spec.empty_allow_list or "closed"
  local made = {}
  for field, value in pairs(shape) do made[field] = value end
  made.backup, made.dbnames, made.dbname, made.default_dbname = nil, nil, nil, shape.dbname
  made.provider, made.port, made.ready = spec.name, math.tointeger(shape.port), shape.ready ~= false
  made.databases = shape.dbnames and function() return shape.dbnames end or nil
  made.latest_backup, made.console_bytes = backup_of(spec, client, shape), bound(spec.console_bytes, client, shape.id)
  made.pools, made.destroy = bound(spec.pools, client, shape.id), bound(spec.destroy, client, shape.id)
  made.allow_list, made.empty_allow_list = allow_list(spec, client, shape.id, empty), empty
  return source.new(made)
end

-- One database of the instance. Where the API lists none, the server is asked once it can be reached: source.lua.
local function with_dbname(made, dbname)
  local names = made.databases and made.databases()
  if not names then
    made.dbname = dbname
    return made
  end
  made.dbname = choice.database(made.label, names, dbname, made.pools) or made.default_dbname
  return made
end

-- All of them are PostgreSQL, whatever the provider's API calls it.
local POSTGRESQL = { pg = true, postgres = true, postgresql = true }

local function is_wanted(made, filter)
  if filter.engine and not POSTGRESQL[filter.engine:lower()] then return false end
  if filter.label and not made.label:find(filter.label) then return false end
  return (not filter.tag or made.tag == filter.tag) and (not filter.region or made.region == filter.region:lower())
end

---@param spec pgorch.ProviderSpec
local function make(_, spec)
  check_spec(spec)
  local module = { name = spec.name, title = spec.title or spec.name:gsub("^%l", string.upper), hosts = spec.hosts }

  function module.client(o)
    local client = spec.client(o or {})
    if rawget(client, "methods") then client.provider = module end
    return client
  end

  function module.database(client, label_or_id, dbname)
    return with_dbname(to_source(spec, client, spec.database(client, label_or_id)), dbname)
  end

  function module.databases(client, filter)
    local found, left_out = {}, {}
    for _, each in ipairs(spec.list and spec.list(client) or {}) do
      local ok, made = pcall(function()
        return to_source(spec, client, spec.database(client, type(each) == "table" and each.id or each))
      end)
      if not ok and not fail.is(made, "PGO-PROVIDER-INSTANCE") then error(made, 0) end
      if not ok then
        left_out[#left_out + 1] = made
      elseif is_wanted(made, filter or {}) then
        found[#found + 1] = made
      end
    end
    return found, left_out
  end

  module.list = spec.list
  return module
end

---Makes a secret of a value that an API has sent.
M.secret = function(value) return secret.is(value) and value or secret.new(value) end

---A text of an API, where absent, null and "" are the same thing.
---@return string|nil
M.text = function(value) return type(value) == "string" and value ~= "" and value or nil end

---The URL of a host that an API gives without a scheme: https, and http for what is on this machine.
---@param host string
---@return string
function M.base_url(host)
  if host:match "^https?://" then return host end
  return (poll.is_loopback(host) and "http://" or "https://") .. host
end

return setmetatable(M, { __call = make })
