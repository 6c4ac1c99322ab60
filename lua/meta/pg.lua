---@meta pgorch.native.pg
-- What native.pg provides to lua/pgorch/pg.lua, which is what recipes use: see the annotations there.
-- Every call marked @async waits; failures raise PGO-PG-QUERY, PGO-PG-LOST, PGO-CLOSED, PGO-INVALID, PGO-CANCELED.

local pg = {}

---SQL NULL where nil cannot stand: a parameter in a list. The same value as json.null.
pg.null = nil

---@class pgorch.native.pg.Options
---@field host? string|pgorch.Secret            a name, an address, a socket's folder, or a comma list of them
---@field port? string|integer|pgorch.Secret    one, or as many as hosts (5432)
---@field user? string|pgorch.Secret
---@field password? string|pgorch.Secret
---@field dbname? string|pgorch.Secret
---@field sslmode? string|pgorch.Secret         verify-full when there is a ca_pem, else prefer
---@field ca_pem? string|pgorch.Secret          certificates in PEM form
---@field connect_timeout? number               seconds, name lookup included (10)
---@field extra? table<string, string|pgorch.Secret>  whatever else libpq knows

---Raises PGO-DNS, PGO-PG-CONNECT (retryable where waiting may help), PGO-PG-AUTH, PGO-TLS, PGO-INVALID.
---@async
---@param options pgorch.native.pg.Options
---@return pgorch.native.pg.Connection
function pg.connect(options) end

---The version of libpq, as PostgreSQL counts: 150013 is 15.13.
---@return integer
function pg.library_version() end

---The parts that are given in a URI or in "name=value ..."; passwords are secrets. PGO-INVALID shows none of it.
---@param conninfo string|pgorch.Secret
---@return table<string, string|pgorch.Secret>
function pg.dsn(conninfo) end

---@generic T: string|pgorch.Secret
---@param text T
---@return T literal quoted for SQL
function pg.literal(text) end

---The variable that libpq reads for a keyword: "PGHOST" for "host".
---@param keyword string
---@return string?
function pg.env_name(keyword) end

---Writes a CA to a new 0600 file.
---@param dir string
---@param pem string
---@return string path
function pg.ca_file(dir, pem) end

---@class pgorch.native.pg.Connection
local connection = {}

---@alias pgorch.native.pg.Shape
---| "rows" # an array of rows keyed by column name: one batch
---| "cell" # the first column of the first row
---| "none" # rows are thrown away; the call lasts until the end

---Begins a statement, and returns its first batch. What an earlier statement left unread is thrown away first.
---@async
---@param shape pgorch.native.pg.Shape
---@param sql string|pgorch.Secret
---@param ... string|number|boolean|pgorch.Secret|nil
---@return any result, boolean finished, integer serial, integer affected
function connection:start(shape, sql, ...) end

---The next batch of that statement. PGO-INVALID when another was begun since.
---@async
---@param shape pgorch.native.pg.Shape
---@param serial integer
---@return any result, boolean finished, integer serial, integer affected
function connection:next(shape, serial) end

---COPY ... TO STDOUT into a stream.
---@async
---@param sql string|pgorch.Secret
---@param stream pgorch.Stream
---@return integer bytes, integer rows
function connection:copy(sql, stream) end

---COPY ... FROM STDIN out of a stream, until its end.
---@async
---@param sql string|pgorch.Secret
---@param stream pgorch.Stream
---@return integer rows
function connection:copy_in(sql, stream) end

---Cancels what another task runs here.
---@async
---@return boolean running
function connection:cancel() end

---At once, whatever runs; idempotent.
function connection:close() end

---@return "idle"|"transaction"|"failed"|"busy"|"broken"|"closed"
function connection:state() end

---@return {server_version: integer, pid: integer, user: string, dbname: string, host: string, tls: string?}
function connection:facts() end

---@return string[] the last 100, oldest first
function connection:notices() end

return pg
