-- The database instances of the Linode stand-in: their objects with Linode's types (the port is a number, times have no
-- zone, hosts are null until there are any), the real database that each stands for, and their life.

local answer = require "pgorch.sandbox.linode.answer"
local clock = require "pgorch.clock"
local json = require "pgorch.json"
local managed = require "pgorch.sandbox.managed"

local instances = {}

local DAY = 86400

local function object_of(o)
  return {
    id = o.id, label = o.label, status = o.status or "active", engine = o.engine or "postgresql", version = o.version,
    region = o.region or "us-east", type = "g6-dedicated-2", cluster_size = 1,
    platform = o.legacy and "rdbms-legacy" or "rdbms-default", port = o.port or 10033, ssl_connection = true,
    encrypted = true, allow_list = json.array(o.allow_list or {}), members = {}, hosts = json.null,
    used_disk_size_gb = o.used_disk_size_gb or 2, total_disk_size_gb = 15,
    oldest_restore_time = o.backup_age and answer.time(clock.time() - o.backup_age) or json.null,
    created = "2026-01-01T00:01:01", updated = "2026-11-01T00:00:00",
    fork = { source = json.null, restore_time = json.null },
    updates = { frequency = "weekly", duration = 4, day_of_week = 1, hour_of_day = 0, week_of_month = json.null,
      pending = json.array {} },
    engine_config = { pg = {} }, private_network = json.null,
  }
end

local function give_hosts(object, host)
  object.hosts = { primary = host, standby = json.null, endpoints = json.array {
    { role = "primary", address = host, port = object.port, public_access = true } } }
  object.members = { [host] = "primary" }
end

--- One that is only listed, and never gets further than its status.
---@param o table what differs from the usual
---@return table entry {object}
function instances.listed(o)
  local entry = { object = object_of(o), ca_pem = o.ca_pem }
  if o.status ~= "provisioning" then give_hosts(entry.object, "127.0.0.2") end
  return entry
end

--- One that stands for databases of the world's source cluster, behind a gate of its own.
---@param world table
---@param admin { name: string, password: string } the admin role
---@param o { id: integer, label: string, allow_list: string[]?, dbs: string[]?, updating_polls: integer?,
---  updating_seconds: number?, provisioning_polls: integer?, backup_age: number|false|nil, legacy: boolean? } and any
---  field that differs; provisioning_polls: looks until it is there
---@return table entry {object, server}
function instances.real(world, admin, o)
  local source = world.source
  local server = managed.new(source, { dbs = o.dbs or source.dbs, looks = o.updating_polls,
    seconds = o.updating_seconds, admin = admin })
  local about = { port = server.port, version = server:version() or tostring(source.version) }
  for name, value in pairs(o) do about[name] = value end
  local age = about.backup_age
  if age == nil then about.backup_age = 10 * DAY end
  local entry = { object = object_of(about), server = server, ca_pem = source.ca_pem, host = server.host, backups = {} }
  if age ~= false then entry.auto_backup = answer.time(clock.time() - (age or 8 * 3600)) end   -- of the legacy platform
  if o.provisioning_polls then
    entry.object.status, entry.ready_in = "provisioning", o.provisioning_polls
    entry.object.oldest_restore_time = json.null
  else
    give_hosts(entry.object, server.host)
  end
  instances.allow(entry, entry.object.allow_list)
  server:settle()
  return entry
end

--- Replaces the allow list, as a change that takes a while. An empty list lets nobody in.
---@param entry table
---@param list string[]
function instances.allow(entry, list)
  entry.object.allow_list = json.array { table.unpack(list) }
  if entry.server then entry.server:allow(list, "closed") end
end

--- Begins a change of state: `during` now, `after` when it is over.
---@param entry table
---@param during string
---@param after string
function instances.turn(entry, during, after)
  entry.object.status, entry.after = during, after
  if entry.server then entry.server:begin_change() end
end

--- A suspended database is away, list or not.
local function arrive(entry)
  entry.object.status, entry.after = entry.after, nil
  local gate = entry.server and entry.server.gate
  if not gate then return end
  if entry.object.status == "suspended" then
    entry.server:shut()
  else
    gate:allow { table.unpack(entry.object.allow_list) }
  end
end

local function provision(entry)
  entry.ready_in = entry.ready_in - 1
  if entry.ready_in >= 0 then return end
  entry.ready_in, entry.object.status = nil, "active"
  give_hosts(entry.object, entry.host)
end

--- A client looks: what takes some looks goes on.
---@param entry table
---@return table object
function instances.looked_at(entry)
  if entry.ready_in then
    provision(entry)
  elseif entry.after and not (entry.server and entry.server:looked_at()) then
    arrive(entry)
  end
  return entry.object
end

--- What has had its time has happened, without a look.
---@param entry table
---@return string status
function instances.status(entry)
  if entry.after and not (entry.server and entry.server:changing()) then arrive(entry) end
  return entry.object.status
end

return instances
