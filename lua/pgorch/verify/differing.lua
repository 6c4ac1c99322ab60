-- From "this table differs" to the rows that do, by asking both sides again: first sums by lots of the key, then the
-- keys of the lots that differ. Bounded: a few tables, a few rows of each, so that it ends soon on a table of any size.
-- Values of columns that are no key are never read; only the names of the columns that differ are told.

local content       = require "pgorch.verify.content"
local large_objects = require "pgorch.verify.large_objects"
local row_hash      = require "pgorch.verify.row_hash"
local snapshot      = require "pgorch.verify.snapshot"
local task          = require "pgorch.task"
local verify        = require "pgorch.verify"

local M = {}

M.TABLES, M.ROWS, M.LARGE_OBJECTS = 10, 5, 20

-- About so many rows in a lot. All lots together are one scan, those that differ another one.
local ROWS_IN_LOT, MOST_LOTS, LOTS_READ, ROWS_READ = 500, 65536, 8, 100000
local LONGEST_KEY = 80

-- The lot of a row, by the hash of its key: the same on both sides.
local LOTS = "select lot, count(*) as rows, sum(hash)::text as sum from (select %s %% %d as lot, %s as hash "
  .. "from %s as pgorch_row) as pgorch_rows group by lot"
-- The same rows again and again, in a table without a key, are one line.
local ROWS = "select key, count(*) as count, sum(hash)::text as hash, min(parts) as parts from (select (%s)::text "
  .. "as key, %s as hash, array[%s]::bigint[]::text as parts from %s as pgorch_row where %s %% %d = "
  .. "any ($1::bigint[])) as pgorch_rows group by key"

-- Whatever the tables were summed with: both are asked again, whichever servers they are.
local function hash(columns) return row_hash.sql(row_hash.SHA256, content.list(columns)) end

local function shape(conn, key)
  local columns = content.columns(conn)[key]
  if not columns then return nil end
  -- Without a key a row is its own key: it is there or not, or not as often.
  columns.row_key = #columns.key > 0 and columns.key or columns.columns
  return columns
end

local function lots_of(rows)
  local lots = 1
  while lots < MOST_LOTS and rows / lots > ROWS_IN_LOT do lots = lots * 2 end
  return lots
end

local function lot_sums(conn, from, columns, lots)
  local found = {}
  for row in conn:rows(LOTS:format(hash(columns.row_key), lots, hash(columns.columns), from)) do
    found[row.lot] = { rows = row.rows, sum = row.rows .. ":" .. row.sum }
  end
  return found
end

local function differing_lots(a, b)
  local lots = {}
  for lot, mine in pairs(a) do
    if not b[lot] or b[lot].sum ~= mine.sum then lots[#lots + 1] = lot end
  end
  for lot in pairs(b) do
    if not a[lot] then lots[#lots + 1] = lot end
  end
  table.sort(lots)
  return lots
end

-- As many lots as are read in a moment, one at least.
local function first_lots(differ, a, b)
  local chosen, rows = {}, 0
  for i = 1, math.min(#differ, LOTS_READ) do
    local mine, theirs = a[differ[i]], b[differ[i]]
    rows = rows + math.max(mine and mine.rows or 0, theirs and theirs.rows or 0)
    if i > 1 and rows > ROWS_READ then break end
    chosen[i] = differ[i]
  end
  return chosen
end

-- Rows of some lots, by their keys.
local function rows_of(conn, from, columns, lots, chosen)
  local parts = {}
  for i, name in ipairs(columns.columns) do parts[i] = hash { name } end
  -- Without a key a row is told by its hash: its values may be anything.
  local name = #columns.key > 0 and ("row(%s)"):format(content.list(columns.key)) or hash(columns.columns)
  local sql = ROWS:format(name, hash(columns.columns), table.concat(parts, ", "), from,
    hash(columns.row_key), lots)
  local found = {}
  for row in conn:rows(sql, "{" .. table.concat(chosen, ",") .. "}") do found[row.key] = row end
  return found
end

local function changed_columns(columns, mine, theirs)
  local names, other = {}, theirs.parts:gmatch "%d+"
  local i = 0
  for part in mine.parts:gmatch "%d+" do
    i = i + 1
    if part ~= other() then names[#names + 1] = columns.columns[i] end
  end
  return #names > 0 and table.concat(names, ", ") or "columns"
end

local function compare_rows(a, b, columns)
  local found = { changed = {}, missing = {}, extra = {} }
  for key, mine in pairs(a) do
    local theirs = b[key]
    if not theirs then table.insert(found.missing, { key = key })
    elseif mine.count > theirs.count then table.insert(found.missing, { key = key })
    elseif mine.count < theirs.count then table.insert(found.extra, { key = key })
    elseif mine.hash ~= theirs.hash then
      table.insert(found.changed, { key = key, columns = changed_columns(columns, mine, theirs) })
    end
  end
  for key in pairs(b) do
    if not a[key] then table.insert(found.extra, { key = key }) end
  end
  for _, list in pairs(found) do table.sort(list, function(x, y) return x.key < y.key end) end
  return found
end

-- Both sides work at the same time.
local function on_both(a, b, fn)
  local results = task.map({ a, b }, { limit = 2 }, fn)
  return results[1], results[2]
end

---@class pgorch.DifferingRows
---@field key string[]           the columns that name a row; none when there is no key, then a hash does
---@field changed {key: string, columns: string}[]
---@field missing {key: string}[]   on the target
---@field extra {key: string}[]
---@field more boolean           these are not all

---The rows of a table in which two databases differ.
---@param a pgorch.Connection
---@param b pgorch.Connection
---@param key string   the table, quoted
---@param from? string  where its rows are read, default from it alone, without what inherits from it
---@return pgorch.DifferingRows|nil  nil when the table is not on both sides
function M.rows(a, b, key, from)
  from = from or "only " .. key
  local columns = shape(a, key)
  if not columns or not shape(b, key) or #columns.row_key == 0 then return nil end
  local lots = lots_of(math.max(a:value("select count(*) from " .. from), 1))
  local mine, theirs = on_both(a, b, function(conn) return lot_sums(conn, from, columns, lots) end)
  local differ = differing_lots(mine, theirs)
  local chosen = first_lots(differ, mine, theirs)
  local here, there = on_both(a, b, function(conn) return rows_of(conn, from, columns, lots, chosen) end)
  local found = compare_rows(here, there, columns)
  found.key, found.more = columns.key, #differ > #chosen
  return found
end

local function count_words(found)
  local words, more = {}, found.more and "at least " or ""
  for _, what in ipairs { "changed", "missing", "extra" } do
    if #found[what] > 0 then words[#words + 1] = ("%s%d %s"):format(more, #found[what], what) end
  end
  return table.concat(words, ", ")
end

local SIDES = {
  changed = function(each) return "there", "differs in " .. each.columns end,
  missing = function() return "there", "missing" end,
  extra = function() return "missing", "there" end,
}

-- A key of any length, on a line.
local function name_of(d, key, columns)
  if #columns == 0 then return ("%s: a row with the hash %s"):format(d.name, key) end
  if #key > LONGEST_KEY then key = key:sub(1, utf8.offset(key, 0, LONGEST_KEY) - 1) .. "..." end
  return ("%s (%s)=%s"):format(d.name, table.concat(columns, ", "), key)
end

local function name_rows(list, d, found)
  local left = M.ROWS
  for _, what in ipairs { "changed", "missing", "extra" } do
    for _, each in ipairs(found[what]) do
      if left == 0 then return end
      left = left - 1
      local mine, theirs = SIDES[what](each)
      list[#list + 1] = { kind = "row", name = name_of(d, each.key, found.key),
                          source = mine, target = theirs, level = d.level, of = d.name }
    end
  end
end

local function name_table(list, d, a, b, o)
  local found = snapshot.attempt(a.conn, M.rows, a.conn, b.conn, d.name, content.from(d.name, a.side.sums[d.name]))
  for _, side in ipairs { a, b } do snapshot.release_locks(side.conn) end
  if not found then return end
  local words = count_words(found)
  if words ~= "" then d.target = ("%s (rows: %s)"):format(d.target, words) end
  if o.keys then name_rows(list, d, found) end
end

local function name_large_objects(list, at, a, b)
  local found = snapshot.attempt(a.conn, large_objects.differences, { conn = a.conn, large = a.side.large },
    { conn = b.conn, large = b.side.large })
  snapshot.release_locks(b.conn)                    -- a query that failed there has ended its transaction
  for i, d in ipairs(found or {}) do
    if i > M.LARGE_OBJECTS then
      list[at].target = ("%s (%d differ)"):format(list[at].target, #found)
      break
    end
    list[#list + 1] = d
  end
end

---Adds to the list which rows and which large objects differ, where both sides can still be asked.
---@param list pgorch.Difference[]
---@param a {conn: pgorch.Connection, side: pgorch.Side}
---@param b {conn: pgorch.Connection, side: pgorch.Side}
---@param o {keys: boolean, progress?: fun(name: string)}   keys: name rows by their keys, which may be personal data;
---else they are only counted
function M.name(list, a, b, o)
  local tables = 0
  for i = 1, #list do
    local d = list[i]
    local both = a.side.sums[d.name] and b.side.sums[d.name]
    if (d.kind == "rows" or d.kind == "content") and both and tables < M.TABLES then
      tables = tables + 1
      if o.progress then o.progress(d.name) end
      name_table(list, d, a, b, o)
    elseif d.kind == "large objects" and a.side.large.lots and b.side.large.lots then
      name_large_objects(list, i, a, b)
    end
  end
  verify.sort(list)
end

return M
