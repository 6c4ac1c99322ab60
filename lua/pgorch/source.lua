-- The database to be moved, wherever it is: how to connect to it, dump it, close it for writing and open it again.
-- Owns no connection: each call makes its own and closes it. Every connection verifies TLS with the provider's CA.
-- Never drops or changes data; the only thing it writes is the database's default_transaction_read_only.

local authority = require "pgorch.authority"
local choice    = require "pgorch.provider.choice"
local claim     = require "pgorch.claim"
local clock     = require "pgorch.clock"
local env       = require "pgorch.env"
local fail      = require "pgorch.error"
local http      = require "pgorch.http"
local pg        = require "pgorch.pg"
local resource  = require "pgorch.resource"
local secret    = require "pgorch.secret"
local poll      = require "pgorch.poll"
local task      = require "pgorch.task"

local M = {}

---@class pgorch.Source
---@field provider string
---@field id string|nil
---@field label string
---@field host string
---@field port integer
---@field user string
---@field password any          secret
---@field dbname string|nil       where nobody said which: the only one that the server has, asked when first read
---@field default_dbname string|nil   the one that a new instance of the provider has
---@field ca_pem string|nil
---@field connect_timeout number|nil   seconds, from a URL that has it; else 10
---@field server_version integer|nil   150018 is 15.18; known once it was connected to
---@field major integer|nil     what the provider says; the server is asked as well
---@field allow_list {get: fun():string[], add: fun(cidr:string), remove: fun(cidr:string):string|nil}|nil
---@field empty_allow_list "open"|"closed"
---@field latest_backup (fun(): number|nil)|nil   epoch of the provider's newest backup
---@field console_bytes (fun(): number|nil)|nil   the provider console's figure
---@field databases (fun(): string[])|nil         what the provider's API lists
---@field pools (fun(): table[])|nil              connection pools: {name, database}
---@field destroy fun()|nil                       deletes the instance for good; nil where the API cannot
local Source = {}

local only_database

function Source.__index(self, name)
  if name == "dbname" then
    self.dbname = only_database(self)
    return self.dbname
  end
  return Source[name]
end

---@return pgorch.Source
function M.new(shape)
  shape.label = shape.label or rawget(shape, "dbname") or shape.host
  if shape.password and not secret.is(shape.password) then shape.password = secret.new(shape.password) end
  if shape.ready == nil then shape.ready = true end
  return setmetatable(shape, Source)
end

-- libpq verifies the chain in each of these too, once it has an authority.
local ENCRYPTED_ONLY = { allow = true, prefer = true, require = true }

-- The CA of a URL, and the sslmode that goes with it. PGSSLROOTCERT may be set for another server: it counts where the
-- URL asks for verification, or says nothing. Read here, because pg_dump gets another environment than this process
-- has: both verify with the same CA.
local function trusted(parts)
  local mode = parts.sslmode
  if mode == "disable" then return nil, mode end
  if parts.sslrootcert then
    local pem = authority.read("the source's sslrootcert", parts.sslrootcert)
    return pem, ENCRYPTED_ONLY[mode] and "verify-ca" or mode
  end
  local path = not ENCRYPTED_ONLY[mode] and env.get "PGSSLROOTCERT"
  return path and authority.read("PGSSLROOTCERT", path) or nil, mode
end

---A source given as postgres://user:password@host:port/dbname (a secret, from SOURCE_DATABASE_URL). Its certificate is
---verified with `ca_pem` or what `ca_file` holds (--source-ca), or with the file that the URL's sslrootcert or
---PGSSLROOTCERT names, if its sslmode is not against it.
---@param url any
---@param o? {ca_pem?: string, ca_file?: string}
---@return pgorch.Source
function M.from_url(url, o)
  if not url then fail.raise("PGO-PARAM", "the source is not given: SOURCE_DATABASE_URL is not set") end
  local parts = pg.dsn(url)
  local ca_pem, mode = o and (o.ca_pem or o.ca_file and authority.read("--source-ca", o.ca_file)), parts.sslmode
  if not ca_pem then ca_pem, mode = trusted(parts) end
  return M.new { provider = "postgres", label = parts.dbname, connect_timeout = tonumber(parts.connect_timeout),
                 host = parts.host, port = parts.port or 5432,
                 user = parts.user, password = parts.password, dbname = parts.dbname, sslmode = mode,
                 ca_pem = ca_pem }
end

---Epoch from an epoch or an ISO 8601 text; nil stays nil.
---@return number|nil
function M.epoch(value)
  if type(value) == "string" then return clock.parse_iso(value) end
  return value
end

-- With the provider's CA both the chain and the name are checked. Without one, a name that libpq cannot check is still
-- encrypted; only this machine is spoken to in the clear.
local function sslmode(self)
  if self.ca_pem then return self.sslmode == "verify-ca" and "verify-ca" or "verify-full" end
  if self.sslmode and self.sslmode ~= "prefer" and self.sslmode ~= "allow" then return self.sslmode end
  return poll.is_loopback(self.host) and "prefer" or "require"
end

-- Where nothing is to be verified, libpq is told of a file that cannot be: it would verify with PGSSLROOTCERT's.
local function no_authority(mode)
  return not mode:find "^verify" and env.get "PGSSLROOTCERT" and "/dev/null/none" or nil
end

---Parts for pg.connect and pg.env.
---@param dbname? string
---@return table
function Source:dsn(dbname)
  local mode = sslmode(self)
  return { host = self.host, port = self.port, user = self.user, password = self.password,
           dbname = dbname or self.dbname, sslmode = mode, ca_pem = self.ca_pem,
           sslrootcert = no_authority(mode) }
end

-- What any session of ours needs: no time limit of the server's may cut a dump or a count short.
local SETTINGS = { lock_timeout = "60s" }
for name, value in pairs(pg.UNLIMITED) do SETTINGS[name] = value end

-- The session that holds the snapshot is silent for hours: what stands between must not forget it, and what has gone is
-- noticed within a minute.
local KEEPALIVES = { keepalives_idle = "30", keepalives_interval = "10", keepalives_count = "3" }

---@param o? {dbname?: string, settings?: table, writable?: boolean, timeout?: number}
---@return table conn
function Source:connect(o)
  o = o or {}
  local dsn = self:dsn(o.dbname)
  dsn.connect_timeout, dsn.application_name = o.timeout or self.connect_timeout or 10, "pgorch"
  for name, value in pairs(KEEPALIVES) do dsn[name] = value end
  dsn.settings = {}
  for name, value in pairs(SETTINGS) do dsn.settings[name] = value end
  for name, value in pairs(o.settings or {}) do dsn.settings[name] = value end
  dsn.settings.default_transaction_read_only = o.writable and "off" or "on"
  local conn = pg.connect(dsn)
  self.server_version = conn.server_version
  return conn
end

---One value of one of the .sql files.
---@param conn table
---@param name string "size" for sql/size.sql
function M.sql(name)
  return (assert(resource.read("pgorch/sql/" .. name .. ".sql"), "no such query: " .. name):gsub(";%s*$", ""))
end

-- The only database that the role may connect to, where none was named and the provider's API lists none. The one that
-- the server needs for itself (postgres) counts where there is no other.
function only_database(self)
  local conn <close> = self:connect { dbname = self.default_dbname or "postgres" }
  local names = {}
  for i, row in ipairs(conn:query(M.sql "databases")) do names[i] = row.name end
  return choice.database(self.label, names) or self.default_dbname or "postgres"
end

local function with_sizes(self)
  local conn <close> = self:connect { dbname = rawget(self, "dbname") or self.default_dbname or "postgres" }
  local list = {}
  for i, row in ipairs(conn:query(M.sql "database_sizes")) do list[i] = { name = row.name, size = row.size } end
  return list
end

-- One that the provider's API does not list is not the user's.
local function listed(list, names)
  local known, kept = {}, {}
  for _, name in ipairs(names) do known[name] = true end
  for _, each in ipairs(list) do
    if known[each.name] then kept[#kept + 1] = each end
  end
  return kept
end

---The databases that this user can move, by name, each with its size in bytes. Where an allow list does not let this
---machine in, those that the provider's API lists; their sizes are not known then.
---@return {name: string, size: integer|nil}[]
function Source:dbnames()
  local names = self.databases and self.databases()
  local ok, list = pcall(with_sizes, self)
  if ok then return names and listed(list, names) or list end
  if not names or not fail.is(list, "PGO-PG-CONNECT") then error(list, 0) end
  list = {}
  for i, name in ipairs(names) do list[i] = { name = name } end
  return list
end

---Environment of a child such as pg_dump; files that it needs (the CA) are put into `dir`.
---@param dir string
---@return table<string, any>
function Source:env(dir)
  local vars = pg.env(self:dsn(), dir)
  vars.PGAPPNAME = "pgorch"
  vars.PGOPTIONS = "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0"
  if self.server_version and self.server_version >= 170000 then     -- an older server refuses the unknown name
    vars.PGOPTIONS = vars.PGOPTIONS .. " -c transaction_timeout=0"
  end
  return vars
end

---Whether the server speaks TLS. Asked only where our own connections do not insist on it anyway.
---@return boolean
---@return string|nil why   not
function Source:speaks_tls()
  local mode = sslmode(self)
  if mode == "require" or mode:find "^verify" then return true end
  local dsn = self:dsn()
  dsn.sslmode, dsn.sslrootcert = "require", no_authority "require"
  dsn.connect_timeout, dsn.application_name = self.connect_timeout or 10, "pgorch"
  local ok, conn = pcall(pg.connect, dsn)
  if not ok and task.cancelled(conn) then error(conn, 0) end
  if not ok then return false, tostring(conn.message or conn) end
  conn:close()
  return true
end

---The address with the password, for Heroku, which is to connect by itself. It has no file of ours: it cannot verify
---with our CA, but encrypts, whatever the source's own URL says. The sandbox's Heroku, on this machine, goes to
---databases without TLS too.
---@return any url secret
function Source:url()
  local host = self.host:find(":", 1, true) and "[" .. self.host .. "]" or http.escape(self.host)
  local mode = sslmode(self)
  if mode:find "^verify" or not poll.is_loopback(env.get "HEROKU_HOST") then mode = "require" end
  return secret.new(("postgres://%s:"):format(http.escape(self.user))) .. http.escape(self.password)
    .. ("@%s:%d/%s?sslmode=%s"):format(host, self.port, http.escape(self.dbname), mode)
end

---"shop-db/defaultdb"; the label alone while it is not known which database is meant.
---@return string
function Source:name()
  local dbname = rawget(self, "dbname")
  return dbname and self.label .. "/" .. dbname or self.label
end

---The same database under whatever label: what the record of runs knows it by.
---@return string
function Source:identity()
  return ("%s:%s:%s"):format(self.provider, self.id or ("%s:%d"):format(self.host, self.port), self.dbname)
end

local READ_ONLY = "default_transaction_read_only"

local function previous_setting(conn)
  for _, row in ipairs(conn:query(M.sql "db_settings")) do
    if row.role == nil and row.setting:match("^([^=]+)=") == READ_ONLY then return row.setting:match("=(.*)$") end
  end
end

---What the database's own default_transaction_read_only is now: "on", "off", or nil when it has none.
---@return string|nil
function Source:read_only_setting()
  local conn <close> = self:connect()
  return previous_setting(conn)
end

---Roles whose own setting beats the database's: "off" keeps their sessions writable.
---@return string[]
function Source:roles_that_stay_writable()
  local conn <close> = self:connect()
  local names = {}
  for i, row in ipairs(conn:query(M.sql "writable_roles")) do names[i] = row.role end
  return names
end

-- Returns when it was done, by the server's clock: a session that began later has the new setting.
local function set_read_only(self, value)
  local conn <close> = self:connect { writable = true }
  local target = "alter database " .. pg.ident(self.dbname)
  if value then
    conn:exec(("%s set %s = %s"):format(target, READ_ONLY, pg.literal(value)))
  else
    conn:exec(("%s reset %s"):format(target, READ_ONLY))
  end
  return conn:value "select clock_timestamp()::text"
end

---Closes the database for writing: new sessions are read-only. One that is closed is not written to: a run that shares
---it would have to look what that was.
---@return string since  the server's time
function Source:make_read_only()
  if self:read_only_setting() ~= "on" then return set_read_only(self, "on") end
  local conn <close> = self:connect()
  return conn:value "select clock_timestamp()::text"
end

---Puts the previous setting back; nil removes it.
---@param previous string|nil
function Source:restore_setting(previous)
  set_read_only(self, previous)
end

---Ends the other sessions in this database that began before `since` (all, without): they may go on writing.
---@param since? string  as make_read_only gives it
---@return {ended: integer, told: table[], refused: table[]}  told: those that were told to end
function Source:end_other_sessions(since)
  local conn <close> = self:connect()
  local told, refused = {}, {}
  for _, row in ipairs(conn:query(M.sql "end_sessions", since)) do
    local list = row.ended and told or refused
    list[#list + 1] = row
  end
  return { ended = #told, told = told, refused = refused }
end

---Who uses this database now, as a person would name them.
---@return {application: string|nil, user: string|nil, address: string|nil, sessions: integer, active: integer,
---  since: string}[]
function Source:clients()
  local conn <close> = self:connect()
  return conn:query(M.sql "clients")
end

---Takes the database for the runs of this record by a lock in the database itself: another machine's run must not take
---this one's freeze for what was there before, nor open the source under it.
---@param ctx pgorch.Context
---@param o? {if_reachable?: boolean}
function Source:claim(ctx, o)
  claim.take(ctx, "source_claim", self, { if_reachable = o and o.if_reachable, together = true })
end

---Sessions in this database that are not ours.
---@return table[]
function Source:sessions()
  local conn <close> = self:connect()
  return conn:query(M.sql "sessions")
end

return M
