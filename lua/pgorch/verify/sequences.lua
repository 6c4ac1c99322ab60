-- Where every sequence stands, and which of them are behind the column that they feed: the next row would fail there
-- with a duplicate key. Reads only.

local pg       = require "pgorch.pg"
local snapshot = require "pgorch.verify.snapshot"
local source   = require "pgorch.source"

local M = {}

local ONE = "select %s as key, last_value, is_called from %s"
local AT_ONCE = 100      -- sequences or columns, whose locks are then given back

local function read(conn, keys, first, values)
  local parts = {}
  for i = first, math.min(first + AT_ONCE - 1, #keys) do
    parts[#parts + 1] = ONE:format(pg.literal(keys[i]), keys[i])
  end
  for _, row in ipairs(conn:query(table.concat(parts, " union all "))) do
    values[row.key] = ("%d|%s"):format(row.last_value, row.is_called)
  end
end

local function keys_of(conn)
  local keys = {}
  for i, seq in ipairs(conn:query(source.sql "sequences")) do keys[i] = pg.ident(seq.schema, seq.name) end
  return keys
end

---Values of all sequences: key -> "last_value|is_called". In a transaction no lock on them is kept.
---@param conn pgorch.Connection
---@return table<string, string>
function M.values(conn)
  local keys, values = keys_of(conn), {}
  local is_open = conn:state() ~= "idle"
  for first = 1, #keys, AT_ONCE do
    if is_open then conn:exec "savepoint pgorch_sequences" end
    read(conn, keys, first, values)
    if is_open then conn:exec "rollback to savepoint pgorch_sequences; release savepoint pgorch_sequences" end
  end
  return values
end

---The same, where one that cannot be read is among the errors and does not hinder the others.
---@param conn pgorch.Connection
---@return table<string, string> values
---@return table<string, string> errors
function M.readable(conn)
  local keys, values, errors = keys_of(conn), {}, {}
  for first = 1, #keys, AT_ONCE do
    if not snapshot.attempt(conn, function() read(conn, keys, first, values) return true end) then
      for i = first, math.min(first + AT_ONCE - 1, #keys) do
        local key = keys[i]
        local _, why = snapshot.attempt(conn, function() read(conn, { key }, 1, values) end)
        errors[key] = why
      end
    end
    snapshot.release_locks(conn)
  end
  return values, errors
end

local function is_further(edge, than, upwards)
  if upwards then return edge > than end
  return edge < than
end

-- numeric columns may hold more than a sequence can. (least() would take its other argument for a NULL.)
local EDGE = {
  [true] = "select least(edge, 9223372036854775807)::bigint from (select max(%s) as edge from %s) as it "
    .. "where edge is not null",
  [false] = "select greatest(edge, -9223372036854775808)::bigint from (select min(%s) as edge from %s) as it "
    .. "where edge is not null",
}

local function next_value(text, increment)
  local last, called = text:match "^(%-?%d+)|(%a+)$"
  return called == "true" and math.tointeger(last) + increment or math.tointeger(last)
end

---@class pgorch.BehindSequence
---@field sequence string
---@field column string
---@field edge integer       the column's greatest value, or its least where the sequence counts down
---@field next integer       what the sequence would give next
---@field mend string        the statement that mends it

---Sequences that would give a value which their column has passed.
---@param conn pgorch.Connection
---@param values table<string, string>
---@return table<string, pgorch.BehindSequence> behind    by sequence
---@return table<string, string> errors                   columns that could not be read
function M.behind(conn, values)
  local behind, errors = {}, {}
  for i, fed in ipairs(conn:query(source.sql "sequence_columns")) do
    if i % AT_ONCE == 0 then snapshot.release_locks(conn) end
    local key, relation = pg.ident(fed.schema, fed.name), pg.ident(fed.table_schema, fed.table_name)
    local column = relation .. "." .. pg.ident(fed.column)
    local edge, why = snapshot.attempt(conn, conn.value, conn, EDGE[fed.upwards]:format(pg.ident(fed.column), relation))
    errors[column] = why
    local coming = values[key] and next_value(values[key], fed.increment)
    local passed = edge and coming and (edge == coming or is_further(edge, coming, fed.upwards))
    if passed and not (behind[key] and not is_further(edge, behind[key].edge, fed.upwards)) then
      behind[key] = { sequence = key, column = column, edge = edge, next = coming,
                      mend = ("select setval(%s, %d)"):format(pg.literal(key), edge) }
    end
  end
  return behind, errors
end

return M
