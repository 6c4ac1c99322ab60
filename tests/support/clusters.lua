-- Empty PostgreSQL clusters of any major for tests: `clusters.with({ 13, 18 }, fn)` calls fn with one for each, and
-- removes them. The superuser comes by the socket; databases are made as a test wants them.

local binaries    = require "pgorch.sandbox.postgres.binaries"
local certificate = require "pgorch.sandbox.certificate"
local folder      = require "pgorch.sandbox.folder"
local fs          = require "pgorch.fs"
local majors      = require "support.majors"
local postgres    = require "pgorch.sandbox.postgres"
local template    = require "pgorch.sandbox.postgres.template"

local clusters = {}

---@class support.Cluster
---@field major integer
---@field cluster pgorch.sandbox.Cluster
local Cluster = {}
Cluster.__index = Cluster

---A connection of the superuser.
---@param dbname? string
function Cluster:connect(dbname) return self.cluster:connect(dbname) end

---@param dbname string
---@param options? string   "encoding 'LATIN1' template template0"
function Cluster:create(dbname, options)
  local conn <close> = self:connect()
  conn:exec(("create database %s %s"):format(dbname, options or ""))
end

---@param dbname string
---@param sql string
function Cluster:exec(dbname, sql)
  local conn <close> = self:connect(dbname)
  conn:exec(sql)
end

---@param dbname string
---@param sql string
---@return any   of the first row the first column
function Cluster:value(dbname, sql)
  local conn <close> = self:connect(dbname)
  return conn:value(sql)
end

---Opens connections to a database as verify wants them: `fn { settings = ... }`.
---@param dbname string
---@return fun(o: table): table
function Cluster:opener(dbname)
  return function(o)
    local conn = self:connect(dbname)
    for name, value in pairs(o and o.settings or {}) do conn:exec("select set_config($1, $2, false)", name, value) end
    return conn
  end
end

---A URL that leads to the superuser by the socket.
---@param dbname string
function Cluster:url(dbname)
  return ("postgres://postgres@/%s?host=%s&port=%d"):format(dbname, self.cluster.socket, self.cluster.port)
end

local function start(dir, tls, major, settings)
  local server = binaries.find(majors.bin(major))
  postgres.prepare(server, dir, tls)
  template.provide({ kind = "empty-" .. major, identity = { server.version, server.user or "self" } }, dir .. "/data",
    function() postgres.initdb(server, dir .. "/data") end)
  return setmetatable({ major = major, cluster = postgres.start(server, dir, { settings = settings }) }, Cluster)
end

---@param wanted integer[]    majors
---@param fn fun(...: support.Cluster)
---@param settings? table<string, string>   of the servers
function clusters.with(wanted, fn, settings)
  local dir, started = folder.make(), {}
  local _ <close> = setmetatable({}, { __close = function()
    for _, each in ipairs(started) do each.cluster:close() end
    fs.remove_tree(dir)
  end })
  fs.mkdir(dir .. "/tls")
  local tls = certificate.make(dir .. "/tls")
  for i, major in ipairs(wanted) do started[i] = start(("%s/%d"):format(dir, i), tls, major, settings) end
  fn(table.unpack(started))
end

return clusters
