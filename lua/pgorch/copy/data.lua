-- The rows of one table, or of a range of its pages, from one server to another: COPY to COPY. Which columns, in which
-- format, in which pieces. Knows nothing of schemas, indexes, or of who copies what when.

local fail     = require "pgorch.error"
local json     = require "pgorch.json"
local pg       = require "pgorch.pg"
local pieces   = require "pgorch.pieces"
local snapshot = require "pgorch.verify.snapshot"
local source   = require "pgorch.source"

local M = {}

---@class pgorch.CopyPiece: pgorch.Piece
---@field columns string[]|nil   nil: all that can be filled, in the order in which both sides have them
---@field filter string|nil      of a table of an extension's: which rows are the user's, as pg_extension.extcondition
---                              has it ("WHERE ...", or an empty text for all); nil for the user's own tables
---@field into string|nil        quoted name of the table that the rows go into; default the same one
---@field binary boolean|nil     in the binary format; only where M.is_binary_safe says so
---@field freeze boolean|nil     the table is emptied and filled in one transaction, its rows frozen: nobody has to do
---                              that to them later. Only for a whole table that nobody else fills.

local function both(settings)
  for name, value in pairs(snapshot.SETTINGS) do settings[name] = value end
  for name, value in pairs(pg.UNLIMITED) do settings[name] = value end
  return settings
end

-- For pg.connect. Text that one side writes must be what the other reads, whatever the database's or role's settings.
-- Who waits to have a table of the source for himself lets nobody read it meanwhile: he often gives up after a few
-- seconds, and is not waited for longer. Rows stay in the order in which they lie.
M.SOURCE_SETTINGS = both { lock_timeout = "10s", synchronize_seqscans = "off" }
-- A commit need not wait for the disk while more is to come. Whoever ends the copy commits once more, waiting.
M.TARGET_SETTINGS = both { array_nulls = "on", default_transaction_read_only = "off", lock_timeout = "0",
                          synchronous_commit = "off" }

-- Types whose binary form is the same on PostgreSQL 13 to 18, holds no oid of the database's own, and needs no function
-- of an extension's (tests/integration/test_copy_types.lua). The rest goes as text.
M.BINARY = "bit bool bpchar bytea char cidr date float4 float8 inet int2 int4 int8 interval json jsonb macaddr "
  .. "macaddr8 name numeric oid point text time timestamp timestamptz timetz tsvector uuid varbit varchar "
  .. "daterange int4range int8range numrange tsrange tstzrange"
local safe = { enum = true }
for name in M.BINARY:gmatch "%S+" do
  safe[name], safe["_" .. name] = true, true
end

---Whether columns of these types can be copied in the binary format.
---@param types string[]   as sql/copy_columns.sql names them
---@return boolean
function M.is_binary_safe(types)
  for _, name in ipairs(types) do
    if not safe[name] then return false end
  end
  return true
end

---Columns and format of every table, by its quoted name. One query, however many tables.
---@param conn pgorch.Connection   to the source
---@return table<string, {columns: string[], binary: boolean}>
function M.describe(conn)
  local found = {}
  for row in conn:rows(source.sql "copy_columns") do
    found[pg.ident(row.schema, row.name)] = { columns = json.decode(row.columns),
                                              binary = M.is_binary_safe(json.decode(row.types)) }
  end
  return found
end

local FREEZE_BYTES = 1 << 20      -- TRUNCATE makes a new file: too much for thousands of tables of a few rows

local function is_extensions(t) return t.filter end

---@class pgorch.CopyTable   a row of sql/tables.sql, with what M.describe says of it
---@field schema string
---@field name string
---@field bytes integer
---@field pages integer|nil
---@field columns string[]|nil
---@field binary boolean|nil
---@field filter string|nil    as in pgorch.CopyPiece
---@field into string|nil      likewise

---What is to be copied, the largest first. Tables without a page are left out: no row of a snapshot can be in them,
---if their pages were counted after it was taken.
---@param tables pgorch.CopyTable[]
---@param jobs integer
---@param version integer              of the source's server
---@param o? {piece_bytes?: integer}
---@return pgorch.CopyPiece[]
function M.pieces(tables, jobs, version, o)
  local filled, by_name = {}, {}
  for _, t in ipairs(tables) do
    if t.pages ~= 0 then filled[#filled + 1] = t end
    by_name[pg.ident(t.schema, t.name)] = t
  end
  local size = jobs > 1 and (o and o.piece_bytes or pieces.size(filled, jobs)) or math.maxinteger
  local list = {}
  for i, piece in ipairs(pieces.queue(filled, version, size, is_extensions)) do
    local t = by_name[pg.ident(piece.schema, piece.name)]
    list[i] = { schema = t.schema, name = t.name, bytes = piece.bytes, columns = t.columns, binary = t.binary }
    if piece.last then list[i].first, list[i].last = piece.first, piece.last end      -- most have none of these
    if t.filter or t.into then list[i].filter, list[i].into = t.filter, t.into end
    if not (piece.last or t.filter or t.into) and piece.bytes >= FREEZE_BYTES then list[i].freeze = true end
  end
  return list
end

local function column_list(names)
  local list = {}
  for i, name in ipairs(names) do list[i] = pg.ident(name) end
  return table.concat(list, ", ")
end

-- The rows of a piece as a query. Its table has no other name there: an extension's condition may use it.
local function selection(piece, key, columns)
  if not columns then fail.raise("PGO-INVALID", "a part of a table is copied by its columns' names") end
  local condition = pieces.condition(piece, key)
  return ("(select %s from only %s %s)"):format(columns, key, condition and "where " .. condition or piece.filter or "")
end

---The two COPY statements of a piece.
---@param piece pgorch.CopyPiece
---@return string query, string into
function M.statements(piece)
  local key = pg.ident(piece.schema, piece.name)
  local columns = piece.columns and column_list(piece.columns)
  local list = columns and columns ~= "" and " (" .. columns .. ")" or ""
  local what = (piece.last or piece.filter) and selection(piece, key, columns) or key .. list
  local format = piece.binary and "binary" or "text"
  return ("copy %s to stdout (format %s)"):format(what, format),
    ("copy %s%s from stdin (format %s%s)"):format(piece.into or key, list, format, piece.freeze and ", freeze" or "")
end

local function copy(from, to, piece, o)
  local query, into = M.statements(piece)
  return pg.copy { from = from, query = query, to = to, into = into, progress = o and o.progress }
end

local function refill(from, to, piece, o)
  return to:transaction(function()
    to:exec("truncate only " .. pg.ident(piece.schema, piece.name))
    return copy(from, to, piece, o)
  end)
end

---Copies a piece. Errors are those of pg.copy, and name the table.
---@param from pgorch.Connection   opened with M.SOURCE_SETTINGS, in a transaction on the snapshot
---@param to pgorch.Connection     opened with M.TARGET_SETTINGS, in no transaction
---@param piece pgorch.CopyPiece
---@param o? {progress?: fun(bytes: integer)}
---@return {rows: integer, bytes: integer}
function M.copy_piece(from, to, piece, o)
  local ok, done = pcall(piece.freeze and refill or copy, from, to, piece, o)
  if ok then return done end
  if fail.is(done, "PGO-PG-QUERY") then
    done.message = ("copying %s: %s"):format(pg.ident(piece.schema, piece.name), done.message)
  end
  error(done, 0)
end

return M
