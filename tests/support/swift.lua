-- A real object store of another make: OpenStack Swift with its s3api, on loopback, in a folder of its own.
--   local swift <close> = swift.start { }
-- Owns the four servers, their memcached, stunnel in front (Swift has no TLS) and the folder. All die with the test.

local certificate = require "pgorch.sandbox.certificate"
local crypto      = require "pgorch.crypto"
local folder      = require "pgorch.sandbox.folder"
local fs          = require "pgorch.fs"
local task        = require "pgorch.task"
local unpacked    = require "support.unpacked"

local swift = {}

local PYTHON = "/usr/bin/python3"

---@class support.Swift
---@field url string          "http://127.0.0.1:PORT"
---@field tls_url string      "https://127.0.0.1:PORT", by a certificate of the CA in ca_file
---@field ca_file string
---@field ca_pem string
---@field access_key string   of the account `pgorch`
---@field secret_key string
---@field other table         {access_key, secret_key} of another account
---@field region string       which is checked, unlike Ceph's
---@field dir string
---@field seconds number      what the start took
local Swift = {}
Swift.__index = Swift

local HASH = [[
[swift-hash]
swift_hash_path_suffix = pgorch
swift_hash_path_prefix = pgorch
[storage-policy:0]
name = only
default = yes
]]

-- workers = 0: one process a server. A worker that was forked would not die with the test.
local SERVER = [[
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = %(port)
workers = 0
user = %(user)
swift_dir = %(dir)/etc
log_level = ERROR
]]

-- The least part is S3's, not Swift's one byte.
local PROXY = SERVER .. [[
[pipeline:main]
pipeline = catch_errors cache listing_formats s3api tempauth bulk slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:%(cache_port)
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
dns_compliant_bucket_names = true
max_upload_part_num = 10000
min_segment_size = 5242880
[filter:tempauth]
use = egg:swift#tempauth
user_pgorch_main = %(secret_key) .admin
user_other_main = %(other_secret) .admin
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
max_manifest_segments = 10000
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
]]

local STORAGE = SERVER .. [[
devices = %(dir)/srv
mount_check = false
disable_fallocate = true
recon_cache_path = %(dir)/cache
[pipeline:main]
pipeline = %(kind)-server
[app:%(kind)-server]
use = egg:swift#%(kind)
]]

local TLS = [[
foreground = yes
pid =
[s3]
accept = 127.0.0.1:%(tls_port)
connect = 127.0.0.1:%(port)
cert = %(dir)/server.crt
key = %(dir)/server.key
]]

local function put(self, name, text, more)
  return unpacked.file(self.place, self.dir .. "/" .. name, (text:gsub("%%%((.-)%)", function(field)
    return tostring(more and more[field] or self[field])
  end)))
end

local function spawn(self, ...)
  local daemon = unpacked.spawn(self.place, { ... })
  table.insert(self.daemons, 1, daemon)
  return daemon
end

-- One device, one copy: what says where everything is. All in one go: Python takes a second to begin.
local RINGS = [[
import sys
from swift.common.ring import RingBuilder
for kind, port in zip(sys.argv[2::2], sys.argv[3::2]):
    builder = RingBuilder(2, 1, 1)
    builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port), "device": "d1", "weight": 1})
    builder.rebalance()
    builder.get_ring().save("%s/%s.ring.gz" % (sys.argv[1], kind))
]]

local KINDS = { "account", "container", "object" }

local function make_rings(self)
  local arguments = { PYTHON, "-c", RINGS, self.dir .. "/etc" }
  for _, kind in ipairs(KINDS) do
    self.ports[kind] = unpacked.free_port()
    arguments[#arguments + 1] = kind
    arguments[#arguments + 1] = tostring(self.ports[kind])
  end
  unpacked.run(self.place, arguments)
end

-- What the package's scripts do, but for one line: they look for /etc/swift/swift.conf before they read swift_dir.
local RUN = [[
import sys
from swift.common.utils import set_swift_dir
set_swift_dir(sys.argv[1])
from swift.common.wsgi import run_wsgi
sys.exit(run_wsgi(sys.argv[2], sys.argv[3], verbose=True))
]]

local function run_server(self, name, config)
  return spawn(self, PYTHON, "-c", RUN, self.dir .. "/etc", config, name)
end

local function start_storage(self, kind)
  local port = self.ports[kind]
  local config = put(self, ("etc/%s.conf"):format(kind), STORAGE, { kind = kind, port = port })
  local name = kind .. "-server"
  unpacked.wait_for(run_server(self, name, config), "Swift's " .. name, 30, function()
    return unpacked.answers(("http://127.0.0.1:%d/healthcheck"):format(port))
  end)
end

-- It speaks no HTTP.
local ASK_VERSION = [[
exec 3<>"/dev/tcp/127.0.0.1/$1"
printf 'version\r\nquit\r\n' >&3
cat <&3
]]

-- s3api wants it. What would be kept beyond its memory is thrown away.
local function start_cache(self)
  local cache = spawn(self, "memcached", "-l", "127.0.0.1", "-p", tostring(self.cache_port), "-m", "64")
  unpacked.wait_for(cache, "memcached", 10, function()
    local done = unpacked.run(self.place, { "/bin/bash", "-c", ASK_VERSION, "bash", tostring(self.cache_port) })
    return done.stdout:find "^VERSION "
  end)
end

local function start_proxy(self)
  local proxy = run_server(self, "proxy-server", put(self, "etc/proxy-server.conf", PROXY))
  unpacked.wait_for(proxy, "Swift's proxy-server", 30, function() return unpacked.answers(self.url) end)
  local tls = certificate.make(self.dir .. "/tls")
  self.ca_file, self.ca_pem = tls.ca_file, tls.ca_pem
  put(self, "server.crt", fs.read(tls.certificate))
  put(self, "server.key", fs.read(tls.key))
  local stunnel = spawn(self, "stunnel4", put(self, "stunnel.conf", TLS))
  unpacked.wait_for(stunnel, "stunnel4", 10, function()
    return unpacked.answers(self.tls_url, self.ca_pem)
  end)
end

---Ends all servers and removes the folder.
function Swift:close()
  if self.closed then return end
  self.closed = true
  for _, daemon in ipairs(self.daemons) do unpacked.stop(daemon) end
  task.shield(60, fs.remove_tree, self.dir)
end

Swift.__close = Swift.close

local function new()
  local self = setmetatable({ place = unpacked.find(), dir = folder.make(), daemons = {}, ports = {},
    region = "us-east-1", access_key = "pgorch:main", secret_key = crypto.hex(crypto.random(20)),
    other_secret = crypto.hex(crypto.random(20)), port = unpacked.free_port(), tls_port = unpacked.free_port(),
    cache_port = unpacked.free_port() }, Swift)
  self.user = self.place.user or unpacked.own_name()
  self.other = { access_key = "other:main", secret_key = self.other_secret }
  self.url = ("http://127.0.0.1:%d"):format(self.port)
  self.tls_url = ("https://127.0.0.1:%d"):format(self.tls_port)
  return self
end

local function start_all(self)
  for _, name in ipairs { "etc", "srv", "srv/d1", "cache" } do
    unpacked.folder(self.place, self.dir .. "/" .. name)
  end
  fs.mkdir(self.dir .. "/tls")
  put(self, "etc/swift.conf", HASH)
  start_cache(self)
  make_rings(self)
  task.group(function(group)
    for _, kind in ipairs(KINDS) do group:spawn(start_storage, self, kind) end
    group:spawn(start_proxy, self)
  end)
end

local function start()
  local began, self = task.now(), new()
  local ok, why = pcall(start_all, self)
  self.seconds = task.now() - began
  if ok then return self end
  self:close()
  error(why, 0)
end

---Starts a store with nothing in it.
---@return support.Swift swift <close>
function swift.start()
  pcall(folder.sweep)
  return unpacked.tried(start)
end

return swift
