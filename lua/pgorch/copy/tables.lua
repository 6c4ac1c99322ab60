-- The tables whose rows are to be copied, by what the archive says of them and what the source's catalogue does: their
-- sizes, their columns, and whose children they are. Only reads; the pieces, and the copying, are copy/data.lua's.

local data   = require "pgorch.copy.data"
local pg     = require "pgorch.pg"
local source = require "pgorch.source"

local tables = {}

---@class pgorch.copy.Table: pgorch.CopyTable
---@field oid integer
---@field key string      its quoted name

local function by_oid(conn, name)
  local found = {}
  for row in conn:rows(source.sql("copy/" .. name)) do found[row.oid] = row end
  return found
end

---Every table with rows to copy.
---@param conn pgorch.Connection   in the snapshot
---@param entries pgorch.archive.Entry[]
---@return pgorch.copy.Table[]
function tables.read(conn, entries)
  local sizes, extensions, columns = by_oid(conn, "tables"), by_oid(conn, "extension_tables"), data.describe(conn)
  local list = {}
  for _, entry in ipairs(entries) do
    if entry.desc == "TABLE DATA" then
      local oid, key = math.tointeger(tonumber(entry.oid)), pg.ident(entry.namespace, entry.tag)
      local described = columns[key] or {}       -- of what an extension has in pg_catalog nothing is
      list[#list + 1] = { oid = oid, key = key, schema = entry.namespace, name = entry.tag, bytes = sizes[oid].bytes,
                          pages = sizes[oid].pages, columns = described.columns, binary = described.binary,
                          filter = extensions[oid] and extensions[oid].condition }
    end
  end
  return list
end

---Which tables are children of which: partitions, and those that inherit.
---@param conn pgorch.Connection
---@return table<integer, integer[]> parents   of each child
function tables.parents(conn)
  local parents = {}
  for row in conn:rows(source.sql "copy/inheritance") do
    local of = parents[row.child] or {}
    of[#of + 1], parents[row.child] = row.parent, of
  end
  return parents
end

return tables
