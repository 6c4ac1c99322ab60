-- A managed PostgreSQL database as a provider's API sees it: a part of the world's source cluster behind a gate of its
-- own. What the API changes is changed in the server: roles, passwords, databases, settings. Changes take some looks
-- or some time, whichever ends first. Owns its gate, unless it is the source's; knows no provider's words.

local crypto = require "pgorch.crypto"
local gate   = require "pgorch.sandbox.gate"
local pg     = require "pgorch.pg"
local task   = require "pgorch.task"

local managed = {}

local LOOKS, SECONDS = 2, 0.3

---@class pgorch.sandbox.Managed
---@field host string|nil
---@field port integer|nil      of its gate
---@field user string           the admin role
---@field dbs string[]          its databases in the cluster
---@field users table[]         {name, password}; the admin first
local Managed = {}
Managed.__index = Managed

--- An admin role of its own, as a provider has one, which may do all that the source's owner may. A real source has
--- its own.
---@param source table the world's
---@param name string
---@return { name: string, password: string }
function managed.admin(source, name)
  if not source.cluster then return { name = source.user, password = source.password } end
  local admin = { name = name, password = "AVNS_" .. crypto.hex(crypto.random(12)) }
  local conn <close> = source.cluster:connect()
  conn:exec(("create role %s login createdb createrole replication in role %s, pg_monitor, pg_signal_backend"
    .. " password %s"):format(name, pg.ident(source.user), pg.literal(admin.password)))
  return admin
end

--- Without a cluster (a real source in its place) nothing behind it can be changed, and there is no gate.
---@param source table the world's
---@param o { dbs: string[]?, looks: integer?, seconds: number?, gate: table?, admin: table? } looks, seconds: how
---  long a change takes; admin: {name, password} of another role than the source's
---@return pgorch.sandbox.Managed managed <close>
function managed.new(source, o)
  local admin = o.admin or { name = source.user, password = source.password }
  local made = setmetatable({ cluster = source.cluster, host = source.host, port = source.port, user = admin.name,
    dbs = o.dbs or { source.dbname }, users = { admin }, looks = o.looks or LOOKS,
    seconds = o.seconds or SECONDS }, Managed)
  if o.gate then
    made.gate = o.gate
  elseif source.cluster then
    made.gate = gate.open(source.cluster)
    made.own_gate, made.port = made.gate, made.gate.port
  end
  return made
end

function Managed:close()
  if self.own_gate then self.own_gate:close() end
end

Managed.__close = Managed.close

-- Changes --------------------------------------------------------------------------------------------------------

--- Something changes now: see looking and changing.
function Managed:begin_change() self.left, self.due = self.looks, task.now() + self.seconds end

local function end_change(self)
  self.left, self.due = nil, nil
  if self.gate then self.gate:settle() end
end

--- What was changed is in force at once.
function Managed:settle()
  if self.due then end_change(self) end
end

--- Is a change still under way?
---@return boolean
function Managed:changing()
  if self.due and (task.now() >= self.due or self.left < 0) then end_change(self) end
  return self.due ~= nil
end

--- The same, as a look of the API's client, which is what changes are counted by.
---@return boolean
function Managed:looked_at()
  if self.left then self.left = self.left - 1 end
  return self:changing()
end

--- Puts the allow list into force, as a change.
---@param networks string[]
---@param empty "open"|"closed" what a list without entries means
function Managed:allow(networks, empty)
  self:begin_change()
  if not self.gate then return end
  if #networks == 0 and empty == "open" then
    self.gate:allow_everybody(self.seconds)
  else
    self.gate:allow({ table.unpack(networks) }, self.seconds)
  end
end

-- What is in the server ------------------------------------------------------------------------------------------

--- Runs SQL as the superuser: rows, or nil and the server's message.
---@return table[]|nil rows
---@return string|nil why
function Managed:sql(text, dbname)
  local ok, rows = pcall(function()
    local conn <close> = self.cluster:connect(dbname)
    return conn:query(text)
  end)
  if ok then return rows end
  if type(rows) ~= "table" or not rows.sqlstate then error(rows, 0) end
  return nil, rows.message
end

---@return table|nil user
---@return integer|nil index
function Managed:find_user(name)
  for i, user in ipairs(self.users) do
    if user.name == name then return user, i end
  end
end

---@return boolean|nil done
---@return string|nil why
function Managed:create_user(name, password)
  local done, why = self:sql(("create role %s login password %s"):format(pg.ident(name), pg.literal(password)))
  if not done then return nil, why end
  table.insert(self.users, { name = name, password = password })
  return true
end

---@param user table one of `users`
function Managed:set_password(user, password)
  local done, why = self:sql(("alter role %s password %s"):format(pg.ident(user.name), pg.literal(password)))
  if not done then return nil, why end
  user.password = password
  return true
end

function Managed:drop_user(index)
  local done, why = self:sql("drop role " .. pg.ident(self.users[index].name))
  if not done then return nil, why end
  table.remove(self.users, index)
  return true
end

---@return integer|nil index
function Managed:find_database(name)
  for i, each in ipairs(self.dbs) do
    if each == name then return i end
  end
end

function Managed:create_database(name)
  local done, why = self:sql(("create database %s owner %s"):format(pg.ident(name), pg.ident(self.user)))
  if not done then return nil, why end
  table.insert(self.dbs, name)
  return true
end

function Managed:drop_database(index)
  local done, why = self:sql(("drop database %s with (force)"):format(pg.ident(self.dbs[index])))
  if not done then return nil, why end
  table.remove(self.dbs, index)
  return true
end

--- "15.14"; nil without a cluster.
---@return string|nil
function Managed:version()
  return self.cluster and self:sql("select split_part(current_setting('server_version'), ' ', 1) as v")[1].v or nil
end

--- Bytes of its databases.
---@return integer
function Managed:bytes()
  local total = 0
  for _, name in ipairs(self.dbs) do
    total = total + self:sql(("select pg_database_size(%s) as bytes"):format(pg.literal(name)))[1].bytes
  end
  return total
end

local EXTENSIONS = "select name, string_agg(version, ' ' order by version) as versions"
  .. " from pg_available_extension_versions group by name order by name"

--- What can be created in it: versions separated by blanks.
---@return { name: string, versions: string }[]
function Managed:extensions()
  self.known_extensions = self.known_extensions or self:sql(EXTENSIONS)
  return self.known_extensions
end

--- Sessions in its databases now, and how many there may be.
---@return integer used
---@return integer most
function Managed:connections()
  local names = {}
  for i, name in ipairs(self.dbs) do names[i] = pg.literal(name) end
  local row = self:sql(("select count(*) filter (where datname in (%s)) as used, "
    .. "current_setting('max_connections')::int as most from pg_stat_activity"):format(table.concat(names, ",")))[1]
  return row.used, row.most
end

--- Sets a parameter for new sessions in its databases; nil puts the server's own back.
function Managed:set_parameter(name, value)
  for _, dbname in ipairs(self.dbs) do
    local what = value == nil and ("reset %s"):format(name) or ("set %s = %s"):format(name, pg.literal(tostring(value)))
    local done, why = self:sql(("alter database %s %s"):format(pg.ident(dbname), what))
    if not done then return nil, why end
  end
  return true
end

---Nobody is let in any more, and who is in is cut off: the instance is suspended, or gone.
function Managed:shut()
  if not self.gate then return end
  self.gate:allow {}
  self.gate:cut()
end

return managed
