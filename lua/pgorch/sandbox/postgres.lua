-- Throwaway PostgreSQL clusters on loopback: TLS, scram passwords, a superuser that only the socket's folder lets in.
-- Owns the server processes; each ends with the cluster, and by its death signal when pgorch is killed.
-- Durability is off: nothing here is meant to outlive its pgorch.

local fail     = require "pgorch.error"
local fs       = require "pgorch.fs"
local http     = require "pgorch.http"
local loopback = require "pgorch.sandbox.loopback"
local pg       = require "pgorch.pg"
local process  = require "pgorch.process"
local task     = require "pgorch.task"

local postgres = {}

local SUPERUSER  = "postgres"
local START_TIME = 60

-- The superuser comes by the socket, whose folder only root and the server's user may enter; all others by TLS.
local HBA = [[
local   all all               trust
hostssl all all 127.0.0.1/32  scram-sha-256
hostssl all all ::1/128       scram-sha-256
]]

local SETTINGS = {
  unix_socket_permissions = "0700", password_encryption = "scram-sha-256",
  fsync = "off", full_page_writes = "off", synchronous_commit = "off", shared_buffers = "64MB", max_connections = "100",
  min_wal_size = "32MB", max_wal_size = "256MB", jit = "off", timezone = "UTC", log_timezone = "UTC", lc_messages = "C",
  logging_collector = "on", log_filename = "postgresql.log", log_file_mode = "0600",
}

--- Environment of the server's own programs: nothing of ours that libpq or initdb would read.
local CLEAN = { PATH = "/usr/local/bin:/usr/bin:/bin", LANG = "C", LC_ALL = "C" }

---@class pgorch.sandbox.Cluster
---@field server pgorch.sandbox.Server
---@field dir string
---@field host string       where its URLs lead: "127.0.0.1", or "::1"
---@field port integer
---@field socket string     folder of the Unix socket
---@field settings table|nil
local Cluster = {}
Cluster.__index = Cluster

--- A connection of the superuser. Close it: one that is left open keeps its database from being dropped.
---@param dbname? string
function Cluster:connect(dbname)
  return pg.connect { host = self.socket, port = self.port, user = SUPERUSER, dbname = dbname or "postgres",
    application_name = "pgorch sandbox" }
end

--- Runs a script with the real psql, through the socket.
---@param script string
---@param o { user: string?, dbname: string?, variables: table<string, any>? }
function Cluster:psql(script, o)
  local arguments = { self.server.client .. "/psql", "-qX", "-v", "ON_ERROR_STOP=1", "-h", self.socket, "-p",
    tostring(self.port),
    "-U", o.user or SUPERUSER, "-d", o.dbname or "postgres" }
  for name, value in pairs(o.variables or {}) do
    arguments[#arguments + 1] = "-v"
    arguments[#arguments + 1] = ("%s=%s"):format(name, value)
  end
  arguments.stdin, arguments.stdout, arguments.env, arguments.env_clear = script, "null", CLEAN, true
  process.run(arguments)
end

--- The URL of a database in it, for a client that comes by TCP.
---@param user string
---@param password string
---@param dbname string
---@return string
function Cluster:url(user, password, dbname)
  return ("postgres://%s:%s@%s:%d/%s"):format(http.escape(user), http.escape(password), loopback.in_url(self.host),
    self.port, http.escape(dbname))
end

--- Ends the server and waits for it. "INT" ends sessions and writes a checkpoint; "QUIT" (the default) just ends.
---@param signal? "INT"|"QUIT"
function Cluster:close(signal)
  local proc = self.proc
  if not proc then return end
  self.proc = nil
  task.shield(30, function()
    if proc:alive() then proc:kill(signal or "QUIT") end
    pcall(proc.wait, proc)
    proc:close()
  end)
end

Cluster.__close = function(self) self:close() end

local function give(server, path)
  if server.user then fs.chown(path, server.user) end
end

local function put(server, path, text)
  fs.write(path, text)
  give(server, path)
end

--- Makes an empty data directory.
---@param server pgorch.sandbox.Server
---@param data string
function postgres.initdb(server, data)
  process.run { server.bin .. "/initdb", "-D", data, "-U", SUPERUSER, "-E", "UTF8", "--locale=C.UTF-8",
    "--no-sync", "--wal-segsize=4", "-A", "trust", user = server.user, env = CLEAN, env_clear = true, cwd = "/" }
end

--- Makes the folder of a cluster, ready for a data directory in it.
---@param server pgorch.sandbox.Server
---@param dir string
---@param tls table from certificate.make
function postgres.prepare(server, dir, tls)
  fs.mkdir(dir)
  give(server, dir)
  for _, name in ipairs { "run", "log" } do
    fs.mkdir(dir .. "/" .. name)
    give(server, dir .. "/" .. name)
  end
  put(server, dir .. "/pg_hba.conf", HBA)
  put(server, dir .. "/server.crt", fs.read(tls.certificate))
  put(server, dir .. "/server.key", fs.read(tls.key))
end

local function spawn(self, settings)
  local arguments = { self.server.bin .. "/postgres", "-D", self.dir .. "/data", "-p", tostring(self.port), "-k",
    self.socket }
  local all = { hba_file = self.dir .. "/pg_hba.conf", log_directory = self.dir .. "/log", ssl = "on",
    ssl_cert_file = self.dir .. "/server.crt", ssl_key_file = self.dir .. "/server.key",
    listen_addresses = table.concat(loopback.addresses(), ",") }
  for name, value in pairs(SETTINGS) do all[name] = value end
  for name, value in pairs(settings or {}) do all[name] = value end
  for name, value in pairs(all) do
    arguments[#arguments + 1] = "-c"
    arguments[#arguments + 1] = ("%s=%s"):format(name, value)
  end
  arguments.user, arguments.env, arguments.env_clear, arguments.cwd = self.server.user, CLEAN, true, "/"
  arguments.stdout, arguments.stderr, arguments.check, arguments.death_signal = "null", "stream", false, "QUIT"
  return process.spawn(arguments)
end

--- What is in the server's log file, from `position` on.
local function logged(self, position)
  local ok, text = pcall(fs.read, self.dir .. "/log/postgresql.log")
  return ok and text:sub(position + 1) or ""
end

--- What the server said before it ended: on stderr until its log file is open, then there.
local function last_words(self)
  local ok, text = pcall(function() return self.proc.stderr:read_all(1 << 16) end)
  return (ok and text or "") .. logged(self, self.log_begin)
end

--- True when another program has its port. On one address of two that is no reason for a server to end.
local function lacks_its_port(said)
  return said:find("could not bind", 1, true) ~= nil
end

--- True once it answers, false when it ended instead.
local function answers(self)
  local deadline = task.now() + START_TIME
  while task.now() < deadline do
    local ok, conn = pcall(self.connect, self)
    if ok then
      conn:close()
      return true
    end
    if task.cancelled(conn) then error(conn, 0) end
    if not self.proc:alive() then return false end
    task.sleep(0.03)
  end
  return false
end

--- Ends the server at once, as a crash does, and starts it again at the same address: every session is lost. What
--- was committed stays.
---@param pause? number seconds for which nobody answers there
function Cluster:restart(pause)
  self:psql("checkpoint", {}) -- commits are not waited for here, and a crash would lose the last ones
  self:close "QUIT"
  task.sleep(pause or 0)
  self.log_begin = #logged(self, 0)
  self.proc = spawn(self, self.settings)
  if not answers(self) then
    fail.raise("PGO-SANDBOX", "a PostgreSQL server of the sandbox does not start again", { detail = last_words(self) })
  end
end

--- One attempt. A server that cannot be used is ended, and what it said is returned in its place.
---@return pgorch.sandbox.Cluster|nil
---@return string said
local function attempt(server, dir, settings, host)
  local cluster = setmetatable({ server = server, dir = dir, host = host, port = loopback.free_port(),
    socket = dir .. "/run", settings = settings }, Cluster)
  cluster.log_begin = #logged(cluster, 0)
  cluster.proc = spawn(cluster, settings)
  local ok, ready = pcall(answers, cluster)
  local said = ok and (ready and logged or last_words)(cluster, cluster.log_begin) or ""
  if ok and ready and not lacks_its_port(said) then return cluster, said end
  cluster:close()
  if not ok then error(ready, 0) end
  return nil, said
end

--- Starts the server on a data directory that is in `dir` as "data".
---@param server pgorch.sandbox.Server
---@param dir string as prepared
---@param o? { settings: table<string, string>?, host: string? } host: where its URLs lead, "127.0.0.1" by default
---@return pgorch.sandbox.Cluster cluster <close>
function postgres.start(server, dir, o)
  o = o or {}
  local cluster, said
  for _ = 1, 3 do
    cluster, said = attempt(server, dir, o.settings, o.host or "127.0.0.1")
    if cluster then return cluster end
    if not lacks_its_port(said) then break end
  end
  fail.raise("PGO-SANDBOX", "a PostgreSQL server of the sandbox does not start", { detail = said })
end

return postgres
