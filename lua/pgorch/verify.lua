-- What a database holds, in a form that two servers can be compared by: objects, exact counts, content checksums,
-- sequences, materialized views, large objects. Reads only; each table is read in one pass on one connection.
-- A table that could not be read is a difference, never a pass.

local fail    = require "pgorch.error"
local objects = require "pgorch.verify.objects"
local pg      = require "pgorch.pg"
local task    = require "pgorch.task"
local source  = require "pgorch.source"

local M = {}

-- Row text must come out the same on both sides whatever the server's, database's or role's settings are.
M.SETTINGS = {
  TimeZone = "UTC", DateStyle = "ISO, YMD", IntervalStyle = "postgres", extra_float_digits = "3", bytea_output = "hex",
  search_path = "", lc_monetary = "C", row_security = "off", xmloption = "content", statement_timeout = "0",
}

---@class pgorch.TableSum
---@field key string        schema.name, quoted
---@field rows integer
---@field sum string|nil    order-free checksum of all rows; nil when only counted

-- The alias is one that no column has: `t` would be taken for a column of that name.
local COUNT = "select count(*) as rows, null::text as sum from only %s as pgorch_row"
local CHECKSUM = "select count(*) as rows, coalesce(sum(hashtextextended(pgorch_row::text, 0)), 0)::text as sum "
  .. "from only %s as pgorch_row"

---@param t {schema: string, name: string}
---@return string
function M.key(t)
  return pg.ident(t.schema, t.name)
end

---Counts, or counts and sums, one table.
---@param conn table
---@param t {schema: string, name: string}
---@param content boolean
---@return pgorch.TableSum
function M.table_sum(conn, t, content)
  local row = conn:row((content and CHECKSUM or COUNT):format(M.key(t)))
  return { key = M.key(t), rows = row.rows, sum = row.sum }
end

---Tables and populated materialized views: everything that has rows of its own.
---@return {schema: string, name: string, bytes: integer}[]
function M.tables(conn)
  local list = conn:query(source.sql "tables")
  for _, view in ipairs(conn:query(source.sql "matviews")) do
    if view.populated then
      view.matview = true
      list[#list + 1] = view
    end
  end
  return list
end

local function begin(conn, snapshot)
  conn:exec("begin isolation level repeatable read read only")
  if snapshot then conn:exec("set transaction snapshot " .. pg.literal(snapshot)) end
end

---@class pgorch.SumOptions
---@field content boolean          checksums, not only counts
---@field snapshot? string         exported snapshot to read in
---@field jobs? integer            connections at once, default 2
---@field progress? fun(done: integer, total: integer, bytes: integer)

-- Largest first, and each worker takes the next one: the last to end is then a small one.
local function worker(connect, queue, o, sums, done)
  local conn <close> = connect { settings = M.SETTINGS }
  begin(conn, o.snapshot)
  while true do
    queue.at = queue.at + 1
    local t = queue[queue.at]
    if not t then break end
    local one = M.table_sum(conn, t, o.content)
    sums[one.key] = { rows = one.rows, sum = one.sum, matview = t.matview }
    done(t)
  end
  conn:exec("commit")
end

---Sums of every table: key -> {rows, sum}.
---@param connect fun(o: table): table   opens a connection to the database
---@param o pgorch.SumOptions
---@return table<string, {rows: integer, sum: string|nil}>
function M.sums(connect, o)
  local queue = { at = 0 }
  do
    local conn <close> = connect { settings = M.SETTINGS }
    begin(conn, o.snapshot)
    for i, t in ipairs(M.tables(conn)) do queue[i] = t end
  end
  local sums, finished, bytes = {}, 0, 0
  local function done(t)
    finished, bytes = finished + 1, bytes + (t.bytes or 0)
    if o.progress then o.progress(finished, #queue, bytes) end
  end
  task.group(function(g)
    for _ = 1, math.max(1, math.min(o.jobs or 2, #queue)) do g:spawn(worker, connect, queue, o, sums, done) end
  end)
  return sums
end

---Values of all sequences: key -> "last_value|is_called".
function M.sequences(conn)
  local values = {}
  for _, seq in ipairs(conn:query(source.sql "sequences")) do
    local key = pg.ident(seq.schema, seq.name)
    local row = conn:row("select last_value, is_called from " .. key)
    values[key] = ("%d|%s"):format(row.last_value, row.is_called)
  end
  return values
end

---All but the rows: objects, sequences, large objects. Settings are pinned on `conn` by the caller.
---@return {objects: table, sequences: table, large: {count: integer, digest: string}}
function M.catalog(conn)
  return { objects = objects.read(conn), sequences = M.sequences(conn), large = conn:row(source.sql "large_objects") }
end

---@class pgorch.Difference
---@field kind string
---@field name string
---@field source string
---@field target string
---@field level "warn"|nil      only worth a warning

local function add(list, kind, name, a, b)
  list[#list + 1] = { kind = kind, name = name, source = tostring(a), target = tostring(b) }
end

local function compare_sums(a, b, list)
  for key, mine in pairs(a) do
    local theirs = b[key]
    if not theirs then add(list, "rows", key, mine.rows .. " rows", "missing")
    elseif theirs.rows ~= mine.rows then add(list, "rows", key, mine.rows .. " rows", theirs.rows .. " rows")
    elseif mine.sum and theirs.sum ~= mine.sum then add(list, "content", key, mine.sum, theirs.sum) end
    -- A restore refreshes materialized views: where they differ, the source's was stale.
    local last = list[#list]
    if theirs and mine.matview and last and last.name == key then last.level = "warn" end
  end
  for key, theirs in pairs(b) do
    if not a[key] then add(list, "rows", key, "missing", theirs.rows .. " rows") end
  end
end

---Everything in which two databases differ, in a stable order; and what of it means nothing.
---@param a {objects: table, sequences: table, large: table, sums: table}
---@param b {objects: table, sequences: table, large: table, sums: table}
---@return pgorch.Difference[]
---@return {kind: string, name: string, why: string}[] ignored
function M.compare(a, b)
  local list = {}
  local ignored = objects.compare(a.objects, b.objects, list)
  compare_sums(a.sums, b.sums, list)
  for key, value in pairs(a.sequences) do
    if b.sequences[key] ~= value then add(list, "sequence", key, value, b.sequences[key] or "missing") end
  end
  if a.large.count ~= b.large.count then
    add(list, "large objects", "count", a.large.count, b.large.count)
  elseif a.large.digest ~= b.large.digest then
    add(list, "large objects", "content", a.large.digest, b.large.digest)
  end
  table.sort(list, function(x, y)
    if x.kind ~= y.kind then return x.kind < y.kind end
    return x.name < y.name
  end)
  return list, ignored
end

---Raises PGO-VERIFY with the first differences in its detail, unless there are none but warnings.
---@param list pgorch.Difference[]
function M.refuse_differences(list)
  local lines, count = {}, 0
  for _, d in ipairs(list) do
    if d.level ~= "warn" then
      count = count + 1
      if count <= 20 then
        lines[count] = ("%s %s: source %s, target %s"):format(d.kind, d.name, d.source, d.target)
      end
    end
  end
  if count == 0 then return end
  if count > 20 then lines[#lines + 1] = ("... and %d more"):format(count - 20) end
  fail.raise("PGO-VERIFY", ("the databases differ in %d places"):format(count), { detail = table.concat(lines, "\n") })
end

---Rows of all tables together, and how many tables.
---@return integer tables, integer rows
function M.totals(sums)
  local tables, rows = 0, 0
  for _, one in pairs(sums) do tables, rows = tables + 1, rows + one.rows end
  return tables, rows
end

return M
