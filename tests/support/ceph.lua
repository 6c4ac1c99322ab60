-- A real object store: Ceph RGW with one monitor and one OSD, on loopback, in a folder of its own.
--   local rgw <close> = ceph.start { }
-- Owns the three daemons and the folder. They are the test's children, and die with it.

local certificate = require "pgorch.sandbox.certificate"
local crypto      = require "pgorch.crypto"
local folder      = require "pgorch.sandbox.folder"
local fs          = require "pgorch.fs"
local json        = require "pgorch.json"
local task        = require "pgorch.task"
local unpacked    = require "support.unpacked"

local ceph = {}

---@class support.Rgw
---@field url string          "http://127.0.0.1:PORT"
---@field tls_url string      "https://127.0.0.1:PORT", by a certificate of the CA in ca_file
---@field ca_file string
---@field ca_pem string
---@field access_key string   of the user `pgorch`
---@field secret_key string
---@field region string
---@field dir string
---@field seconds number      what the start took
local Rgw = {}
Rgw.__index = Rgw

-- One copy of everything, in memory: a test needs neither safety nor more than some hundred megabytes. Deleted bytes
-- are given back at once (`rgw gc`). Paxos waits a second before each commit by default, which made a start take 13 s.
local CONFIG = [[
[global]
fsid = %(fsid)
mon host = v1:127.0.0.1:%(mon_port)
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = true
paxos propose interval = 0.05
paxos min wait = 0.02
mon allow pool size one = true
mon data avail crit = 1
mon data avail warn = 1
mon max pg per osd = 1000
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = %(memory)
mon data = %(dir)/mon
osd data = %(dir)/osd
rgw data = %(dir)/rgw
keyring = %(dir)/keyring
admin socket = %(dir)/run/$name.asok
run dir = %(dir)/run
crash dir = %(dir)/log
log file = %(dir)/log/$name.log
plugin dir = %(lib)/ceph
erasure code dir = %(lib)/ceph/erasure-code
osd class dir = %(lib)/rados-classes
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:%(port) ssl_endpoint=127.0.0.1:%(tls_port) \
    ssl_certificate=%(dir)/server.crt ssl_private_key=%(dir)/server.key
rgw dns name = localhost
rgw thread pool size = 32
rgw gc obj min wait = 1
rgw gc processor period = 5
]]

local function put(self, name, text) return unpacked.file(self.place, self.dir .. "/" .. name, text) end

-- Arguments that each program gets. Without --no-mon-config a daemon asks the monitor for its configuration first,
-- and keeps from that only the monitor's address: its own session then begins with an empty monitor map, whose fsid
-- is zero. Without authentication the session is open before the map has come, and a command sent in between is
-- refused (`handle_command on fsid 00000000-... != ...`): one OSD in two ended with "wrong fsid". With the option,
-- the session's first map is made from the configuration file, which has the fsid.
local function with_config(self, arguments)
  for _, each in ipairs { "-c", self.dir .. "/ceph.conf", "--no-mon-config" } do table.insert(arguments, each) end
  return arguments
end

local function spawn(self, ...)
  local daemon = unpacked.spawn(self.place, with_config(self, { ... }))
  table.insert(self.daemons, 1, daemon) -- the last one is ended first
  return daemon
end

---Runs one of Ceph's tools: rgw:tool("radosgw-admin", "bucket", "stats").
---@return string stdout
function Rgw:tool(...)
  return unpacked.run(self.place, with_config(self, { ... })).stdout
end

---A user of its own.
---@param name string
---@return { access_key: string, secret_key: string }
function Rgw:add_user(name)
  local made = self:tool("radosgw-admin", "user", "create", "--uid", name, "--display-name", name)
  local key = json.decode(made).keys[1]
  return { access_key = key.access_key, secret_key = key.secret_key }
end

---The users' quota of `name`, in bytes.
function Rgw:set_quota(name, bytes)
  self:tool("radosgw-admin", "quota", "set", "--quota-scope", "user", "--uid", name, "--max-size", tostring(bytes))
  self:tool("radosgw-admin", "quota", "enable", "--quota-scope", "user", "--uid", name)
end

---Its requests are refused with UserSuspended from now on.
function Rgw:suspend(name) self:tool("radosgw-admin", "user", "suspend", "--uid", name) end

---Ends it: RGW, OSD, monitor. In another order each would wait for the one that is gone.
function Rgw:close()
  if self.closed then return end
  self.closed = true
  for _, daemon in ipairs(self.daemons) do unpacked.stop(daemon) end
  task.shield(60, fs.remove_tree, self.dir)
end

Rgw.__close = Rgw.close

local function prepare(self)
  for _, name in ipairs { "mon", "osd", "rgw", "run", "log" } do
    unpacked.folder(self.place, self.dir .. "/" .. name)
  end
  fs.mkdir(self.dir .. "/tls")
  local tls = certificate.make(self.dir .. "/tls")
  self.ca_file, self.ca_pem = tls.ca_file, tls.ca_pem
  put(self, "server.crt", fs.read(tls.certificate))
  put(self, "server.key", fs.read(tls.key))
  put(self, "keyring", "[mon.]\n\tkey = AQAAAAAAAAAAABAAMDEyMzQ1Njc4OWFiY2RlZg==\n\tcaps mon = \"allow *\"\n")
  put(self, "ceph.conf", (CONFIG:gsub("%%%((.-)%)", function(name)
    return tostring(self[name] or name == "lib" and self.place.lib)
  end)))
end

local function start_monitor(self)
  local map = self.dir .. "/run/monmap"
  unpacked.run(self.place, { "monmaptool", "--create", "--fsid", self.fsid, "--addv", "a",
    ("[v1:127.0.0.1:%d]"):format(self.mon_port), map })
  self:tool("ceph-mon", "--mkfs", "-i", "a", "--monmap", map)
  local monitor = spawn(self, "ceph-mon", "-f", "-i", "a")
  local uuid = crypto.uuid()
  unpacked.wait_for(monitor, "the monitor", 30, function()
    return self:tool("ceph", "--connect-timeout", "5", "osd", "new", uuid):match "%d+" == "0"
  end)
  return uuid
end

local function start_osd(self, uuid)
  self:tool("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", uuid)
  local osd = spawn(self, "ceph-osd", "-f", "-i", "0")
  unpacked.wait_for(osd, "the OSD", 30, function()
    return json.decode(self:tool("ceph", "--connect-timeout", "5", "osd", "stat", "-f", "json")).num_up_osds == 1
  end)
end

local function start_gateway(self)
  local gateway = spawn(self, "radosgw", "-f", "-n", "client.rgw")
  unpacked.wait_for(gateway, "the object gateway", 60, function() return unpacked.answers(self.url) end)
  local keys = self:add_user "pgorch"
  self.access_key, self.secret_key = keys.access_key, keys.secret_key
end

local function start(o)
  local began = task.now()
  local self = setmetatable({ place = unpacked.find(), dir = folder.make(), daemons = {}, fsid = crypto.uuid(),
    region = "us-east-1", mon_port = unpacked.free_port(), port = unpacked.free_port(),
    tls_port = unpacked.free_port(), memory = o.memory or "2G" }, Rgw)
  self.url = ("http://127.0.0.1:%d"):format(self.port)
  self.tls_url = ("https://127.0.0.1:%d"):format(self.tls_port)
  local ok, why = pcall(function()
    prepare(self)
    start_osd(self, start_monitor(self))
    start_gateway(self)
  end)
  self.seconds = task.now() - began
  if ok then return self end
  self:close()
  error(why, 0)
end

---Starts a cluster with nothing in it.
---@param o? { memory: string? } how much it can hold, "2G" by default; it takes no more than what is in it
---@return support.Rgw rgw <close>
function ceph.start(o)
  pcall(folder.sweep)
  return unpacked.tried(function() return start(o or {}) end)
end

return ceph
