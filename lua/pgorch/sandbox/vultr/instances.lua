-- The database instances of the Vultr stand-in: their objects with Vultr's types (the port is text), and the real
-- database that each stands for. Which spelling of region and status, and which extras an object has, is the test's
-- choice.

local answer = require "pgorch.sandbox.vultr.answer"
local clock = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local json = require "pgorch.json"
local managed = require "pgorch.sandbox.managed"

local instances = {}

-- For an instance that is only listed.
local SOME_EXTENSIONS = { { name = "hstore", versions = "1.8" }, { name = "pg_trgm", versions = "1.6" } }

local function extensions(server)
  local found = json.array {}
  for i, each in ipairs(server and server.cluster and server:extensions() or SOME_EXTENSIONS) do
    local versions = json.array {}
    for version in each.versions:gmatch "%S+" do versions[#versions + 1] = version end
    found[i] = { name = each.name, versions = versions }
  end
  return found
end

local function object_of(o, id)
  local backup = clock.time() - (o.backup_age or 3 * 3600)
  return {
    id = id, date_created = "2026-05-01 10:00:00", plan = "vultr-dbaas-startup-cc-1-55-2", plan_disk = 55,
    plan_ram = 2048, plan_vcpus = 1, plan_replicas = 0, region = o.region or "EWR", database_engine = o.engine or "pg",
    database_engine_version = tostring(o.version or 15), vpc_id = "", status = o.status or "Running", label = o.label,
    tag = o.tag or "", pending_charges = 4.2, dbname = o.dbname or "defaultdb", host = o.host, port = tostring(o.port),
    user = o.user, password = o.password, maintenance_dow = "sunday", maintenance_time = "02:00:00",
    backup_hour = os.date("!%H", math.floor(backup)), backup_minute = os.date("!%M", math.floor(backup)),
    latest_backup = answer.time(backup), trusted_ips = json.array(o.trusted_ips or {}),
    ca_certificate = o.ca_pem or "", cluster_time_zone = "UTC", read_replicas = json.array(o.read_replicas or {}),
  }
end

-- In a VPC `host` is a private name: nothing listens at this machine's 127.0.0.2.
local function move_into_vpc(object)
  object.vpc_id, object.public_host, object.host = crypto.uuid(), object.host, "127.0.0.2"
end

--- One that is only listed: nothing listens at its address.
---@param o table what differs from the usual
---@return table entry {object}
function instances.listed(o)
  local object = object_of(o, crypto.uuid())
  object.host, object.user, object.password = "127.0.0.2", "vultradmin", "AVNS_" .. crypto.hex(crypto.random(9))
  object.port = "16751"
  if object.database_engine == "pg" then object.pg_available_extensions = extensions() end
  return { object = object }
end

--- One that stands for databases of the world's source cluster, behind a gate of its own or, for the first, behind
--- the source's.
---@param world table
---@param o { label: string, tag: string?, dbname: string?, dbs: string[]?, trusted_ips: string[]?, vpc: boolean?,
---  configuring_polls: integer?, configuring_seconds: number?, backup_age: number? } and any field that differs
---@return table entry {object, server}
function instances.real(world, o)
  local source = world.source
  local dbname = o.dbname or source.dbname
  local server = managed.new(source, { gate = o.gate, dbs = o.dbs or { dbname }, looks = o.configuring_polls,
    seconds = o.configuring_seconds })
  local about = { host = server.host, port = server.port, user = source.user, password = source.password,
    dbname = dbname, version = source.version, ca_pem = source.ca_pem }
  for name, value in pairs(o) do about[name] = value end
  local entry = { object = object_of(about, crypto.uuid()), server = server, disk_gb = source.disk_gb }
  entry.object.pg_available_extensions = extensions(server)
  if o.vpc then move_into_vpc(entry.object) end
  instances.trust(entry, entry.object.trusted_ips)
  server:settle() -- it has been so for long
  return entry
end

--- Replaces the allow list, as a change that takes a while. An empty list lets everybody in.
---@param entry table
---@param list string[]
function instances.trust(entry, list)
  entry.object.trusted_ips = json.array { table.unpack(list) }
  if not entry.server then return end
  entry.server:allow(list, "open")
end

--- The object as the API shows it now.
---@param state table
---@param entry table
---@param look? boolean it is a client's look, by which changes are counted
---@return table
function instances.shown(state, entry, look)
  local shown = {}
  for name, value in pairs(entry.object) do shown[name] = value end
  local server = entry.server
  if server and (look and server:looked_at() or not look and server:changing()) then shown.status = "Configuring" end
  if state.spelling then
    shown.status, shown.region = state.spelling(shown.status), state.spelling(shown.region)
  end
  return shown
end

return instances
