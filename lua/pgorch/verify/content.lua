-- How many rows every table has, and a checksum of all of them, read by several connections in one snapshot.
-- A table that cannot be read is kept with the reason: it is a difference, never a pass. Partitions between which rows
-- may move from one server to another count as the table that they are of.

local json     = require "pgorch.json"
local log      = require "pgorch.log"
local pg       = require "pgorch.pg"
local pieces   = require "pgorch.pieces"
local row_hash = require "pgorch.verify.row_hash"
local snapshot = require "pgorch.verify.snapshot"
local source   = require "pgorch.source"
local task     = require "pgorch.task"

local M = {}

---@class pgorch.TableSum
---@field rows integer|nil       nil when it could not be read, or is a materialized view without data
---@field sum string|nil         of all rows whatever their order; nil when only counted
---@field error string|nil       why it could not be read
---@field matview boolean|nil
---@field whole boolean|nil      a partitioned table with the rows of all its partitions
---@field not_comparable string[]|nil   columns that are not in the sum, with their types

-- A sum of the rows' hashes has no order and counts rows that are there twice; two tables that differ have the same one
-- by a chance of 1 in 10^18. The alias is one that no column has: `t` would be taken for a column.
local CHECKSUM = "select count(*) as rows, coalesce(sum(%s), 0)::text as sum from only %s as pgorch_row"
local COUNT = "select count(*) as rows from only %s as pgorch_row"

local LOCKED_TABLES = 100

---The columns as an SQL list.
---@param columns string[]
---@return string
function M.list(columns)
  local names = {}
  for i, name in ipairs(columns) do names[i] = "pgorch_row." .. pg.ident(name) end
  return table.concat(names, ", ")
end

---Columns and key of every table, by its quoted name.
---@param conn pgorch.Connection
---@return table<string, {columns: string[], not_comparable: string[], key: string[]}>
function M.columns(conn)
  local found = {}
  for row in conn:rows(source.sql "columns") do
    found[pg.ident(row.schema, row.name)] = { columns = json.decode(row.columns), key = json.decode(row.key),
                                              not_comparable = json.decode(row.not_comparable) }
  end
  return found
end

---Tables and materialized views, the largest first: everything that has rows of its own.
---@param conn pgorch.Connection
---@return {schema: string, name: string, bytes: integer, matview: boolean|nil, populated: boolean|nil}[]
function M.tables(conn)
  local list = conn:query(source.sql "tables")
  for _, view in ipairs(conn:query(source.sql "matviews")) do
    view.matview = true
    list[#list + 1] = view
  end
  for _, t in ipairs(list) do t.bytes = t.bytes or 0 end     -- unknown of one that was dropped since
  table.sort(list, function(a, b) return a.bytes > b.bytes end)
  return list
end

-- The tables that partitions count as, by the partition's name.
local function wholes_of(conn)
  local wholes = {}
  for row in conn:rows(source.sql "spread_partitions") do
    wholes[pg.ident(row.schema, row.name)] = pg.ident(row.whole_schema, row.whole_name)
  end
  return wholes
end

---Where the rows that a sum is of are read from.
---@param key string   the table, quoted
---@param sum pgorch.TableSum
---@return string
function M.from(key, sum) return sum.whole and key or "only " .. key end

local function read(conn, key, t, columns, hash)
  local sql = columns and CHECKSUM:format(row_hash.sql(hash, M.list(columns.columns)), key) or COUNT:format(key)
  local range = pieces.condition(t, "pgorch_row")
  return conn:row(range and sql .. " where " .. range or sql)
end

local function sum_of(conn, t, key, work)
  if t.matview and not t.populated then return { matview = true } end
  local columns = work.columns and work.columns[key]
  if work.columns and not columns then return { error = "its columns could not be listed", matview = t.matview } end
  local row, why = snapshot.attempt(conn, read, conn, key, t, columns, work.hash)
  local one = { matview = t.matview, error = why }
  if row then one.rows, one.sum = row.rows, row.sum end
  if columns and #columns.not_comparable > 0 then one.not_comparable = columns.not_comparable end
  return one
end

-- A sum has more than 64 bits: the server adds.
local ADD = "select ($1::numeric + $2::numeric)::text"

local function join(conn, whole, piece)
  if whole.error or piece.error then return { error = whole.error or piece.error, whole = whole.whole } end
  whole.rows = whole.rows + piece.rows
  whole.sum = whole.sum and conn:value(ADD, whole.sum, piece.sum)
  return whole
end

local function worker(conn, work)
  local since = 0
  while work.queue[work.at + 1] do
    work.at = work.at + 1
    local t = work.queue[work.at]
    local key = pg.ident(t.schema, t.name)
    local one = sum_of(conn, t, key, work)
    local whole = work.wholes[key]
    if whole then one.whole, key = true, whole end
    local read_so_far = work.pieces[key] or {}
    read_so_far[#read_so_far + 1], work.pieces[key] = one, read_so_far
    work.done(t)
    since = since + 1
    if since % LOCKED_TABLES == 0 then snapshot.release_locks(conn) end
  end
end

-- A connection more is a help, not a need: a server that has none left is read with those that there are.
local function helper(at, work)
  local ok, conn = pcall(at.another, at)
  if not ok then
    if task.cancelled(conn) then error(conn, 0) end
    return log.debug("no further connection to read tables with: " .. tostring(conn))
  end
  local _ <close> = conn
  worker(conn, work)
end

local function counter(queue, tables, progress)
  local left, finished, bytes, total = {}, 0, 0, 0
  for _, t in ipairs(queue) do
    local key = pg.ident(t.schema, t.name)
    left[key], total = (left[key] or 0) + 1, total + t.bytes
  end
  return function(t)
    local key = pg.ident(t.schema, t.name)
    left[key], bytes = left[key] - 1, bytes + t.bytes
    if left[key] == 0 then finished = finished + 1 end
    if progress then progress(finished, tables, bytes, total) end
  end
end

local function is_view(t) return t.matview end

local function joined(conn, read_pieces)
  local sums = {}
  for key, list in pairs(read_pieces) do
    sums[key] = list[1]
    for i = 2, #list do sums[key] = join(conn, sums[key], list[i]) end
  end
  return sums
end

---@class pgorch.SumOptions
---@field content boolean|nil      checksums, not only counts
---@field hash? pgorch.RowHash      what they are sums of, default SHA-256
---@field jobs? integer            connections at once, default 2
---@field piece_bytes? integer     tables larger than this are shared by the connections, default 64 MB to 1 GB, as
---  there are some pieces for each connection
---@field progress? fun(done: integer, total: integer, bytes: integer, total_bytes: integer)

---Sums of every table, by its quoted name.
---@param at pgorch.Snapshot
---@param o pgorch.SumOptions
---@return table<string, pgorch.TableSum>
function M.sums(at, o)
  local tables, wholes, jobs = M.tables(at.conn), wholes_of(at.conn), o.jobs or 2
  local piece_bytes = o.piece_bytes or pieces.size(tables, jobs)
  local queue = pieces.queue(tables, at.conn.server_version, piece_bytes, is_view)
  local work = { at = 0, pieces = {}, wholes = wholes, queue = queue, hash = o.hash or row_hash.SHA256,
                 columns = o.content and M.columns(at.conn) or nil }
  work.done = counter(work.queue, #tables, o.progress)
  task.group(function(g)
    local helpers = at.id and math.min(jobs, #work.queue) - 1 or 0
    for _ = 1, helpers do g:spawn(helper, at, work) end
    worker(at.conn, work)
  end)
  return joined(at.conn, work.pieces)
end

return M
