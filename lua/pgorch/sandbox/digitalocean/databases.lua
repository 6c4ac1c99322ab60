-- The managed databases of the DigitalOcean stand-in: list, one, destroy, CA, backups, databases inside, trusted
-- sources (no rule at all lets everybody in; a rule for a droplet lets no address in).

local answer = require "pgorch.sandbox.digitalocean.answer"
local clock = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local json = require "pgorch.json"
local managed = require "pgorch.sandbox.managed"
local networks = require "pgorch.sandbox.networks"

local databases = {}

local MAX_RULES = 100
local TYPES = { ip_addr = true, droplet = true, k8s = true, tag = true, app = true }

local function rule(kind, value, description)
  return { uuid = crypto.uuid(), type = kind, value = value, description = description,
    created_at = answer.time(clock.time()) }
end

--- Puts the rules into force, as a change that takes a while.
local function apply(entry)
  if not entry.server then return end
  local list = {}
  for _, each in ipairs(entry.rules) do
    if each.type == "ip_addr" then list[#list + 1] = networks.normal(each.value) end
  end
  entry.server:allow(list, #entry.rules == 0 and "open" or "closed")
end

--- One that is only listed: nothing listens at its address.
---@param o { name: string, engine: string?, version: string?, status: string?, region: string?, ca_pem: string? }
---@return table entry {object, rules}
function databases.listed(o)
  local object = { id = crypto.uuid(), name = o.name, engine = o.engine or "pg", version = o.version or "16",
    num_nodes = 1, region = o.region or "nyc1", status = o.status or "online", size = "db-s-1vcpu-1gb",
    created_at = "2026-05-01T10:00:00Z", storage_size_mib = 30720, tags = json.array {},
    connection = { protocol = "postgresql", host = "127.0.0.2", port = 25060, user = "doadmin",
      password = "AVNS_" .. crypto.hex(crypto.random(9)), database = "defaultdb", ssl = true } }
  return { object = object, rules = json.array {}, dbs = { "defaultdb" }, backups = {}, ca_pem = o.ca_pem }
end

--- One that stands for databases of the world's source cluster, behind a gate of its own.
---@param world table
---@param admin { name: string, password: string }
---@param o { name: string, trusted: string[]?, dbs: string[]?, backup_age: number|false|nil,
---  changing_seconds: number? }
---@return table entry {object, server, rules}
function databases.real(world, admin, o)
  local source = world.source
  local entry = databases.listed { name = o.name, version = tostring(source.version), region = o.region,
    ca_pem = source.ca_pem }
  entry.server = managed.new(source, { dbs = o.dbs or source.dbs, seconds = o.changing_seconds, admin = admin })
  entry.dbs = entry.server.dbs
  local login = entry.object.connection
  login.host, login.port, login.user, login.password = entry.server.host, entry.server.port, admin.name, admin.password
  login.database = source.dbname
  if o.backup_age ~= false then entry.backups = { clock.time() - (o.backup_age or 3 * 3600) } end
  for i, each in ipairs(o.trusted or {}) do entry.rules[i] = rule(each:match "^(%l+):(.+)$" or "ip_addr",
    each:match "^%l+:(.+)$" or each) end
  apply(entry)
  entry.server:settle()
  return entry
end

--- As the API shows it: who may not see passwords gets none.
local function shown(state, entry)
  local object = {}
  for name, value in pairs(entry.object) do object[name] = value end
  if state.hides_credentials then
    object.connection = {}
    for name, value in pairs(entry.object.connection) do object.connection[name] = value end
    object.connection.password = nil
  end
  return object
end

function databases.list(state, request)
  local found = {}
  for i, entry in ipairs(state.databases) do found[i] = shown(state, entry) end
  return answer.page("databases", found, request)
end

--- Runs a handler with the instance that the path names: handler(entry, request, state, index).
local function with(handler)
  return function(state, request)
    for i, entry in ipairs(state.databases) do
      if entry.object.id == request.captures[1] then return handler(entry, request, state, i) end
    end
    return answer.not_found()
  end
end

databases.get = with(function(entry, _, state) return answer.json(200, { database = shown(state, entry) }) end)

databases.delete = with(function(entry, _, state, index)
  table.remove(state.databases, index)
  if entry.server then entry.server:shut() end
  return answer.empty()
end)

databases.ca = with(function(entry)
  if not entry.ca_pem then return answer.not_found() end
  return answer.json(200, { ca = { certificate = crypto.base64(entry.ca_pem) } })
end)

databases.backups = with(function(entry)
  local found = json.array {}
  for i, time in ipairs(entry.backups) do
    found[i] = { created_at = answer.time(time), size_gigabytes = 0.03 }
  end
  return answer.json(200, { backups = found })
end)

databases.dbs = with(function(entry)
  local found = json.array {}
  for i, name in ipairs(entry.dbs) do found[i] = { name = name } end
  return answer.json(200, { dbs = found })
end)

--- There are those that a test has named: no pooler runs here.
databases.pools = with(function(entry) return answer.json(200, { pools = json.array(entry.pools or {}) }) end)

databases.firewall = with(function(entry)
  local found = json.array {}
  for i, each in ipairs(entry.rules) do
    found[i] = { cluster_uuid = entry.object.id }
    for name, value in pairs(each) do found[i][name] = value end
  end
  return answer.json(200, { rules = found })
end)

--- What is wrong with a rule that a client gives; only IPv4 can be trusted.
local function wrong(given)
  if type(given) ~= "table" or not TYPES[given.type] then return "invalid type" end
  if type(given.value) ~= "string" then return "value is missing" end
  if given.type ~= "ip_addr" then return nil end
  local address = networks.normal(given.value)
  return (not address or address:find ":") and "invalid IPv4 address " .. given.value or nil
end

--- The list replaces the one there is; a rule that is known keeps its uuid and its age.
databases.set_firewall = with(function(entry, request)
  local given = type(request.json) == "table" and request.json.rules
  if type(given) ~= "table" or #given > MAX_RULES then
    return answer.error(422, "unprocessable_entity", "rules must be a list of at most 100 rules")
  end
  local known, rules = {}, json.array {}
  for _, each in ipairs(entry.rules) do known[each.uuid] = each end
  for i, each in ipairs(given) do
    local why = wrong(each)
    if why then return answer.error(422, "unprocessable_entity", why) end
    local old = known[each.uuid or ""]
    rules[i] = old and old.value == each.value and old.type == each.type and old
      or rule(each.type, each.value, each.description)
  end
  entry.rules = rules
  apply(entry)
  return answer.empty()
end)

return databases
