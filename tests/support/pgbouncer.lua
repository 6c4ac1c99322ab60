-- A real PgBouncer in front of a test server: `local pooler <close> = pgbouncer.start(server, { mode = "session" })`.
-- Owns the process and its folder. The package is unpacked by `vendor/debian.sh servers`.

local binaries = require "pgorch.sandbox.postgres.binaries"
local fs       = require "pgorch.fs"
local host     = require "pgorch.native.host"
local loopback = require "pgorch.sandbox.loopback"
local pg       = require "pgorch.pg"
local process  = require "pgorch.process"
local task     = require "pgorch.task"

local pgbouncer = {}

local CONFIG = [[
[databases]
* = host=127.0.0.1 port=%d user=%s password=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = %s
]]

local Pooler = {}
Pooler.__index = Pooler

---The program; nil when it was not unpacked.
---@return string|nil
function pgbouncer.program()
  local beside = host.executable():gsub("/[^/]+$", "") .. "/../deps"
  for _, root in ipairs { "/var/cache/pgorch", beside, "build/deps" } do
    local path = root .. "/pooler/usr/sbin/pgbouncer"
    if fs.exists(path) then return path end
  end
end

local function give(path, user)
  if user then fs.chown(path, user) end
end

---@param server support.postgres.Server
---@param o {mode: "session"|"transaction"|"statement"}
function pgbouncer.start(server, o)
  local self = setmetatable({ host = "127.0.0.1", dir = fs.mkdtemp "pgorch-pooler-" }, Pooler)
  local user = binaries.find().user
  give(self.dir, user)
  self.port = loopback.free_port()
  local path = self.dir .. "/pgbouncer.ini"
  fs.write(path, CONFIG:format(server.port, server.user, "'" .. server.password .. "'", self.port, o.mode))
  give(path, user)
  self.process = process.spawn { pgbouncer.program(), path, user = user, cwd = self.dir, check = false,
                                 death_signal = "KILL" }
  for _ = 1, 200 do
    local ok, conn = pcall(pg.connect, self:table())
    if ok then
      conn:close()
      return self
    end
    if not self.process:alive() then break end
    task.sleep(0.05)
  end
  self:close()
  error("PgBouncer does not start", 0)
end

---Parts for pg.connect and source.new.
function Pooler:table()
  return { host = self.host, port = self.port, user = "anybody", password = "any", dbname = "postgres",
           sslmode = "disable" }
end

function Pooler:close()
  task.shield(30, function()
    if self.process:alive() then self.process:kill "TERM" end
    self.process:close()
    fs.remove_tree(self.dir)
  end)
end

Pooler.__close = Pooler.close

return pgbouncer
