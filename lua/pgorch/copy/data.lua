-- The rows of a table, or of a range of its pages, from one connection to another. Binary where every column's type is
-- known to be the same on all versions; a table that is empty is loaded frozen.

local pg = require "pgorch.pg"

local data = {}

-- Types whose binary form is the same on PostgreSQL 13 to 18, and their arrays.
local SAFE = {}
for name in ("bool bpchar bytea char date float4 float8 inet int2 int4 int8 interval json jsonb numeric text time "
    .. "timestamp timestamptz timetz uuid varchar"):gmatch "%S+" do
  SAFE[name], SAFE["_" .. name] = true, true
end

---@param types string[]   names of pg_type, with their schema where that is not pg_catalog
---@return boolean
function data.is_binary_safe(types)
  for _, name in ipairs(types) do
    if not SAFE[name] then return false end
  end
  return true
end

-- A table whole, or the query of a part of it.
local function what(piece, name, list)
  local conditions = {}
  if piece.filter then conditions[1] = (piece.filter:gsub("^%s*[Ww][Hh][Ee][Rr][Ee]%s", "")) end
  if piece.first then conditions[#conditions + 1] = ("ctid >= '(%d,0)'"):format(piece.first) end
  if piece.last then conditions[#conditions + 1] = ("ctid < '(%d,0)'"):format(piece.last + 1) end
  if #conditions == 0 then return name .. " (" .. list .. ")" end
  return ("(select %s from only %s where %s)"):format(list, name, table.concat(conditions, " and "))
end

---@param from pgorch.Connection
---@param to pgorch.Connection
---@param piece table    schema, name, columns, filter, first, last, binary, freeze
---@param o? {progress?: fun(bytes: integer)}
---@return {rows: integer, bytes: integer}
function data.copy_piece(from, to, piece, o)
  local name, columns = pg.ident(piece.schema, piece.name), {}
  for i, column in ipairs(piece.columns or {}) do columns[i] = pg.ident(column) end
  local list = table.concat(columns, ", ")
  local into = #columns > 0 and name .. " (" .. list .. ")" or name
  local query = #columns > 0 and what(piece, name, list) or name
  local format = piece.binary and "format binary" or "format text"
  local function go(more)
    return pg.copy { from = from, query = ("copy %s to stdout (%s)"):format(query, format), to = to,
                     into = ("copy %s from stdin (%s%s)"):format(into, format, more), progress = o and o.progress }
  end
  if not piece.freeze then return go "" end
  return to:transaction({}, function()
    to:exec("truncate only " .. name)
    return go ", freeze"
  end)
end

return data
