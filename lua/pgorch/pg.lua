-- PostgreSQL: connections that look blocking and are not. One connection serves one task; statements take $1
-- parameters; failures raise (PGO-PG-QUERY with sqlstate and detail, PGO-PG-LOST, PGO-PG-CONNECT, ...).
-- Passwords may be secrets in any place; they are unwrapped in C and never shown.

local native = require "pgorch.native.pg"
local fail = require "pgorch.error"
local secret = require "pgorch.secret"
local stream = require "pgorch.stream"
local task = require "pgorch.task"

local pg = { null = native.null }

local ROLLBACK_SECONDS = 30

-- What pg.connect takes by name; any other field goes to libpq as it is.
local known = {
  host = true, port = true, user = true, password = true, dbname = true, sslmode = true, ca_pem = true,
  connect_timeout = true, settings = true, extra = true,
}

---The parts of a database URI (or libpq's "host=... dbname=..."), percent-decoded; the password is a secret.
---A table is taken as parts already and completed. Errors (PGO-INVALID) never show any part of the URI.
---@param conninfo string|pgorch.Secret|table
---@return table parts {host, port = 5432, user, password, dbname, sslmode, ...}
function pg.dsn(conninfo)
  local parts = {}
  if type(conninfo) == "table" then
    for name, value in pairs(conninfo) do parts[name] = value end
  else
    parts = native.dsn(conninfo)
  end
  if type(parts.password) == "string" then parts.password = secret.new(parts.password) end
  parts.port = parts.port or 5432
  parts.port = math.tointeger(tonumber(parts.port)) or parts.port
  parts.connect_timeout = tonumber(parts.connect_timeout) or parts.connect_timeout
  return parts
end

---An SQL identifier, quoted: pg.ident("public", "user") is "public"."user".
---@param ... string
---@return string
function pg.ident(...)
  local names = table.pack(...)
  for i = 1, names.n do
    local name = names[i]
    if type(name) ~= "string" or name == "" or name:find("\0", 1, true) then
      fail.raise("PGO-INVALID", "an SQL identifier must be text, not empty, without a zero byte")
    end
    names[i] = '"' .. name:gsub('"', '""') .. '"'
  end
  return table.concat(names, ".")
end

---A value as SQL text, for statements that take no parameters. Of a secret: a secret.
---@param value string|number|boolean|pgorch.Secret|nil
---@return string|pgorch.Secret
function pg.literal(value)
  if value == nil or value == pg.null then return "NULL" end
  if type(value) == "boolean" then return value and "TRUE" or "FALSE" end
  if math.type(value) == "integer" then return tostring(value) end
  if type(value) == "number" then return native.literal(("%.17g"):format(value)) end
  return native.literal(value)
end

---The environment that gives pg_dump, pg_restore and psql this database. The password is a secret; a CA is
---written to a 0600 file in `dir`.
---@param conninfo string|pgorch.Secret|table
---@param dir string
---@return table<string, string|pgorch.Secret>
function pg.env(conninfo, dir)
  local parts = pg.dsn(conninfo)
  local env = { PGAPPNAME = "pgorch", PGGSSENCMODE = "disable", PGCONNECT_TIMEOUT = "10" }
  for name, value in pairs(parts) do
    local variable = native.env_name(name)
    if variable then env[variable] = secret.is(value) and value or tostring(value) end
  end
  if parts.connect_timeout then env.PGCONNECT_TIMEOUT = ("%d"):format(math.ceil(parts.connect_timeout)) end
  if parts.ca_pem then
    env.PGSSLROOTCERT = native.ca_file(dir, parts.ca_pem)
    env.PGSSLMODE = env.PGSSLMODE or "verify-full"
  end
  return env
end

---@class pgorch.Connection
---@field server_version integer 150018 is 15.18
---@field pid integer of the server process
---@field user string
---@field dbname string
---@field host string
---@field tls string|nil "TLSv1.3"; nil without TLS
---@field notices string[] the last 100 notices, oldest first
local Connection = {}

local connection_type = { __name = "pgorch.Connection" }

function connection_type.__index(self, name)
  if name == "notices" then return rawget(self, "native"):notices() end
  return Connection[name]
end

function connection_type.__close(self) self:close() end

local function options(conninfo, opts)
  local parts = pg.dsn(conninfo)
  for name, value in pairs(opts or {}) do parts[name] = value end
  local extra = {}
  for name, value in pairs(parts) do
    if not known[name] then
      extra[name] = value
      parts[name] = nil
    end
  end
  parts.extra = extra
  return parts
end

-- No time limit of the server's, the database's or the role's cuts a session short that has these.
pg.UNLIMITED = {
  statement_timeout = "0", idle_in_transaction_session_timeout = "0",
  idle_session_timeout = { "0", since = 140000 }, transaction_timeout = { "0", since = 170000 },
}

local function known_to(conn, settings)
  local values = {}
  for name, value in pairs(settings) do
    if type(value) ~= "table" then values[name] = value
    elseif conn.server_version >= value.since then values[name] = value[1] end
  end
  return values
end

local function apply_settings(conn, settings)
  local calls, values = {}, {}
  for name, value in pairs(known_to(conn, settings)) do
    calls[#calls + 1] = ("set_config($%d, $%d, false)"):format(#values + 1, #values + 2)
    values[#values + 1] = name
    values[#values + 1] = value
  end
  if #calls > 0 then conn:exec("select " .. table.concat(calls, ", "), table.unpack(values)) end
end

---Connects. `conninfo` is a URI (a secret, usually) or a table {host, port, user, password, dbname, sslmode, ca_pem};
---`opts` adds to it or replaces parts: connect_timeout (seconds, 10), application_name ("pgorch"), options,
---settings = {name = value} (SET after connecting; { value, since = 170000 } where older servers do not know the name),
---and whatever else libpq knows. With ca_pem the default
---sslmode is verify-full.
---@param conninfo string|pgorch.Secret|table
---@param opts? table
---@return pgorch.Connection
function pg.connect(conninfo, opts)
  local parts = options(conninfo, opts)
  local handle = native.connect(parts)
  local conn = setmetatable(handle:facts(), connection_type)
  conn.native = handle
  local ok, err = pcall(apply_settings, conn, parts.settings or {})
  if not ok then
    conn:close()
    error(err, 0)
  end
  return conn
end

---Runs one statement, or several separated by semicolons (then without parameters). Rows are thrown away.
---@param sql string|pgorch.Secret
---@return integer affected rows that the last statement inserted, changed or would have returned
function Connection:exec(sql, ...)
  local _, _, _, affected = self.native:start("none", sql, ...)
  return affected
end

---The first column of the first row; nil for NULL, and where there is no row.
---@param sql string|pgorch.Secret
---@return boolean|integer|number|string|nil
function Connection:value(sql, ...)
  local value, finished, serial = self.native:start("cell", sql, ...)
  if not finished then self.native:next("none", serial) end
  return value
end

---The first row, keyed by column name; nil where there is none.
---@param sql string|pgorch.Secret
---@return table|nil
function Connection:row(sql, ...)
  local rows, finished, serial = self.native:start("rows", sql, ...)
  if not finished then self.native:next("none", serial) end
  return rows[1]
end

---An iterator over the rows, keyed by column name. They come in batches: a result of any size takes little
---memory. The connection is taken until the end; after a `break` the next statement throws the rest away.
---@param sql string|pgorch.Secret
---@return fun(): table|nil
function Connection:rows(sql, ...)
  local handle = self.native
  local batch, finished, serial = handle:start("rows", sql, ...)
  local at = 0
  return function()
    at = at + 1
    while at > #batch do
      if finished then return nil end
      batch, finished = handle:next("rows", serial)
      at = 1
    end
    return batch[at]
  end
end

---All rows, keyed by column name.
---@param sql string|pgorch.Secret
---@return table[]
function Connection:query(sql, ...)
  local all = {}
  for row in self:rows(sql, ...) do all[#all + 1] = row end
  return all
end

local isolations = {
  ["read committed"] = true, ["repeatable read"] = true, serializable = true,
}

local function begin(opts)
  local sql = { "begin" }
  local isolation = opts.isolation or (opts.snapshot and "repeatable read")
  if isolation then
    local name = isolation:lower():gsub("_", " ")
    if not isolations[name] then fail.raise("PGO-INVALID", ("there is no isolation level `%s`"):format(isolation)) end
    sql[#sql + 1] = "isolation level " .. name
  end
  if opts.readonly ~= nil then sql[#sql + 1] = opts.readonly and "read only" or "read write" end
  return table.concat(sql, " ")
end

-- Ends what is open, where no cancellation reaches. A connection that cannot roll back is closed: the server does it.
local function roll_back(conn)
  local state = conn:state()
  if state == "closed" or state == "broken" or state == "idle" then return end
  local ok = pcall(task.shield, ROLLBACK_SECONDS, conn.exec, conn, "rollback")
  if not ok then conn:close() end
end

---Runs fn(conn) inside a transaction and commits; rolls back when fn raises or the task is cancelled.
---opts: isolation ("repeatable read"), readonly, snapshot (an exported snapshot's id).
---@param opts? table
---@param fn fun(conn: pgorch.Connection): ...
---@return any ... what fn returned
function Connection:transaction(opts, fn)
  if type(opts) == "function" then opts, fn = {}, opts end
  local state = self:state()
  if state == "transaction" or state == "failed" then
    fail.raise("PGO-INVALID", "the connection is in a transaction already")
  end
  local open = true
  local _ <close> = setmetatable({}, { __close = function() if open then roll_back(self) end end })
  self:exec(begin(opts or {}))
  if opts and opts.snapshot then self:exec("set transaction snapshot " .. pg.literal(opts.snapshot)) end
  local results = table.pack(fn(self))
  if self:state() == "busy" then self:exec("") end -- rows that fn left unread may end in an error yet
  if self:state() == "failed" then
    -- COMMIT would answer "ROLLBACK" and not fail.
    fail.raise("PGO-PG-QUERY", "the transaction cannot be committed: a statement in it had failed",
      { sqlstate = "25P02" })
  end
  self:exec("commit")
  open = false
  return table.unpack(results, 1, results.n)
end

---Runs COPY ... TO STDOUT into a stream. Another task must read it; if that one closes it, the COPY is cancelled
---and PGO-CLOSED is raised. The stream ends with the COPY, with its error if it fails.
---@param sql string
---@param to pgorch.Stream
---@return {bytes: integer, rows: integer}
function Connection:copy_out(sql, to)
  local bytes, rows = self.native:copy(sql, to)
  return { bytes = bytes, rows = rows }
end

---Runs COPY ... FROM STDIN with what comes out of a stream, until its end. A stream that ends with an error aborts the
---COPY, and that error is raised. A COPY that fails closes the stream, which tells its producer; the `detail` of the
---error names the row ("CONTEXT: COPY t, line 5, column x").
---@param sql string
---@param from pgorch.Stream
---@return integer rows
function Connection:copy_in(sql, from) return self.native:copy_in(sql, from) end

---Cancels what another task runs on this connection: that statement raises with sqlstate 57014.
---@return boolean running false when there was nothing to cancel
function Connection:cancel() return self.native:cancel() end

---"idle", "transaction", "failed" (a transaction that can only be rolled back), "busy", "broken" or "closed".
---@return string
function Connection:state() return self.native:state() end

---Closes at once, whatever runs; idempotent. Done by `<close>` too.
function Connection:close() self.native:close() end

local TELL_SECONDS = 0.5

local function tell(through, progress)
  local told
  while true do
    task.sleep(TELL_SECONDS)
    local bytes = through:total()
    if bytes ~= told then
      progress(bytes)
      told = bytes
    end
  end
end

---@class pgorch.CopyOptions
---@field from pgorch.Connection
---@field query string                    COPY ... TO STDOUT
---@field to pgorch.Connection
---@field into string                     COPY ... FROM STDIN, in the same format
---@field progress? fun(bytes: integer)   now and then, with the bytes that have left the source so far; and at the end

---Copies rows from one connection to another. The bytes stay in C, at the pace of the slower side. When one side fails
---the other is stopped, and the failure that came first is raised; both connections can be used after it, unless it
---was one of them that was lost.
---@param o pgorch.CopyOptions
---@return {rows: integer, bytes: integer}
function pg.copy(o)
  local through = stream.new()
  local done = task.group(function(group)
    local reader = group:spawn(o.from.copy_out, o.from, o.query, through)
    local teller = o.progress and group:spawn(tell, through, o.progress)
    local rows = o.to:copy_in(o.into, through)
    local read = reader:join()
    if teller then group:cancel() end
    return { rows = rows, bytes = read.bytes }
  end)
  if o.progress then o.progress(done.bytes) end
  return done
end

return pg
