---@meta pgorch.native.store
-- The record of runs as rows and transactions. Scripts use pgorch.store, which knows runs and steps.

local store = {}

---An open database. Requests are served in order on one thread; every call awaits.
---@class pgorch.native.Store
local Store = {}

---@async
---A path: opens or makes the SQLite file (0600) and the folders above it (0700). postgres://...: connects; names in
---SQL are then those of the schema pgorch, which need not be there.
---Raises PGO-STORE with the reason: read-only folder, damaged file, full disk; a server that is away or refuses.
---@param place string|pgorch.Secret
---@return pgorch.native.Store
function store.open(place) end

---@async
---All statements in one transaction, on the disk when it returns; or none, and the first error is raised. No two
---batches of one record run at the same time, wherever they come from.
---A statement is { sql, parameter... }: $1 is the first parameter. `n` counts the elements when some are nil. `needs`
---is the id of the error that is raised when the statement touches no row.
---Texts pass the redactor; a secret raises PGO-INVALID.
---@param statements table[]
---@return table[] rows     of the last statement that gives rows, keyed by column
---@return integer changes  rows that the last change touched
function Store:batch(statements) end

---@async
---One statement that reads, without a transaction of its own.
---@param sql string
---@param ... any
---@return table[] rows
---@return integer changes
function Store:query(sql, ...) end

---Idempotent. Later calls raise PGO-CLOSED.
function Store:close() end

return store
