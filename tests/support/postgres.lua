-- A throwaway PostgreSQL server for tests: `local server <close> = postgres.start { tls = true }`. It listens on
-- 127.0.0.1 and ::1 at a free port and on a socket in its own folder, and takes its data with it when it goes.
-- The programs, and the user to run as, are those that the sandbox finds.

local binaries = require "pgorch.sandbox.postgres.binaries"
local fail = require "pgorch.error"
local fs = require "pgorch.fs"
local loopback = require "pgorch.sandbox.loopback"
local pg = require "pgorch.pg"
local process = require "pgorch.process"
local task = require "pgorch.task"

local postgres = {}

---@class support.postgres.Server
---@field uri string        of the superuser `postgres`, database `postgres`, over TCP
---@field host string       "127.0.0.1"
---@field port integer
---@field dir string        data, socket, and with tls ca.pem (also for `localhost`)
---@field user string
---@field password string
---@field bin string        the folder of initdb and postgres
---@field client string     the folder of psql and pg_dump
---@field ca_pem? string    with tls
local Server = {}
Server.__index = Server

local function put(server, name, text)
  local path = server.dir .. "/" .. name
  fs.write(path, text, { sync = false })
  if server.owner then fs.chown(path, server.owner) end
  return path
end

local function tool(server, ...)
  process.run { user = server.owner, cwd = server.dir, timeout = 60, ... }
end

-- A CA of its own, and a certificate of it for localhost, 127.0.0.1 and ::1.
local function make_certificates(server)
  local dir = server.dir
  local function openssl(...)
    local argv = { "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
      "-days", "2", ... }
    argv.user, argv.cwd, argv.timeout = server.owner, dir, 60
    process.run(argv)
  end
  openssl("-subj", "/CN=test CA", "-keyout", "ca.key", "-out", "ca.pem")
  openssl("-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.crt", "-CA", "ca.pem",
    "-CAkey", "ca.key", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1",
    "-addext", "basicConstraints=CA:FALSE")
  server.ca_pem = fs.read(dir .. "/ca.pem")
end

local function configure(server, options)
  local lines = { "fsync = off", "max_connections = 50", "unix_socket_directories = '" .. server.dir .. "'" }
  if options.tls then
    for _, line in ipairs { "ssl = on", "ssl_cert_file = '%s/server.crt'", "ssl_key_file = '%s/server.key'" } do
      lines[#lines + 1] = line:format(server.dir)
    end
  end
  for name, value in pairs(options.settings or {}) do
    local text = type(value) == "boolean" and (value and "on" or "off") or tostring(value)
    lines[#lines + 1] = ("%s = '%s'"):format(name, (text:gsub("'", "''")))
  end
  local path = server.data .. "/postgresql.auto.conf"
  fs.write(path, table.concat(lines, "\n") .. "\n", { sync = false })
  if server.owner then fs.chown(path, server.owner) end
end

local function escape(text)
  return (text:gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end))
end

-- Another program may have the port: then the next one is tried.
local function launch(server)
  server.port = loopback.free_port()
  server.process = process.spawn {
    server.bin .. "/postgres", "-D", server.data, "-p", server.port, "-c",
    "listen_addresses=" .. table.concat(loopback.addresses(), ","),
    user = server.owner, cwd = server.dir, stdout = "null", death_signal = "QUIT",
  }
  for _ = 1, 600 do
    if not server.process:alive() then return false end
    local ok, conn = pcall(pg.connect, server:table(), { host = server.dir, connect_timeout = 5 })
    if ok then
      conn:close()
      return true
    end
    task.sleep(0.05)
  end
  return false
end

---@param options? {tls?: boolean, password?: string, settings?: table<string, any>}
---@return support.postgres.Server
function postgres.start(options)
  options = options or {}
  local found = binaries.find()
  local server = setmetatable({
    host = "127.0.0.1", user = "postgres", password = options.password or "correct horse", bin = found.bin,
    client = found.client,
    dir = fs.mkdtemp "pgorch-pg-", owner = found.user,
  }, Server)
  server.data = server.dir .. "/data"
  if server.owner then fs.chown(server.dir, server.owner) end
  local password_file = put(server, "password", server.password)
  tool(server, server.bin .. "/initdb", "-D", server.data, "-U", server.user, "--pwfile", password_file,
    "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "-N")
  fs.remove(password_file)
  if options.tls then make_certificates(server) end
  configure(server, options)
  for _ = 1, 5 do
    if launch(server) then
      server.uri = ("postgres://postgres:%s@127.0.0.1:%d/postgres"):format(escape(server.password), server.port)
      return server
    end
    server.log = server.process:wait().stderr
  end
  server:close()
  fail.raise("PGO-SANDBOX", "the test server does not start", { detail = server.log })
end

---Parts for pg.connect and pg.env, `changes` applied.
---@param changes? table
function Server:table(changes)
  local parts = { host = self.host, port = self.port, user = self.user, password = self.password,
    dbname = "postgres" }
  for name, value in pairs(changes or {}) do parts[name] = value end
  return parts
end

---@return pgorch.Connection
function Server:connect(opts) return pg.connect(self.uri, opts) end

local function by_socket(server) return pg.connect(server:table { host = server.dir }) end

---Changes server settings, and shows what is in server.crt and server.key from now on.
---@param settings? table<string, string>
function Server:reload(settings)
  local before
  do
    local conn <close> = by_socket(self)
    for name, value in pairs(settings or {}) do
      conn:exec(("alter system set %s = %s"):format(pg.ident(name), pg.literal(value)))
    end
    before = conn:value "select pg_conf_load_time()::text"
    conn:exec "select pg_reload_conf()"
  end
  for _ = 1, 500 do -- the postmaster answers a signal in its own time
    local conn <close> = by_socket(self)
    if conn:value "select pg_conf_load_time()::text" ~= before then return end
    task.sleep(0.01)
  end
  fail.raise("PGO-SANDBOX", "the test server does not reload its settings")
end

---Shows another certificate from now on.
---@param certificate string PEM
---@param key string PEM
function Server:present(certificate, key)
  put(self, "server.crt", certificate)
  fs.chmod(put(self, "server.key", key), 0600) -- it refuses others
  self:reload()
end

---Stops the server at once and removes its folder.
function Server:close()
  if self.closed then return end
  self.closed = true
  task.shield(30, function()
    if self.process then
      self.process:kill "INT" -- fast: sessions are ended
      self.process:wait()
    end
    fs.remove_tree(self.dir)
  end)
end

Server.__close = Server.close

return postgres
