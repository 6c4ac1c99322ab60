-- The tables whose rows are to be copied, by what the archive says of them and what the source's catalogue does: their
-- sizes, their columns, and whose children they are. Only reads; the pieces, and the copying, are copy/data.lua's.

local data   = require "pgorch.copy.data"
local pg     = require "pgorch.pg"
local source = require "pgorch.source"

local tables = {}

---@class pgorch.copy.Table: pgorch.CopyTable
---@field oid integer
---@field key string      its quoted name
---@field root integer|nil    oid of the table that its rows go into, where that is another one

local function by_oid(conn, name, ...)
  local found = {}
  for row in conn:rows(source.sql("copy/" .. name), ...) do found[row.oid] = row end
  return found
end

local function oid_of(entry) return math.tointeger(tonumber(entry.oid)) end

local function key_of(entry) return pg.ident(entry.namespace, entry.tag) end

local function select_entries(entries, desc)
  local list, oids = {}, {}
  for _, entry in ipairs(entries) do
    if entry.desc == desc then list[#list + 1], oids[#oids + 1] = entry, entry.oid end
  end
  return list, "{" .. table.concat(oids, ",") .. "}"
end

-- --- where rows go in ---

local function goes_into(entry, key)
  local copy = "COPY " .. key .. " "
  return entry.copy:sub(1, #copy) == copy
end

-- Which of several partitions a row belongs to may be another one in the target: hashes of an enum are made of oids. Of
-- such a partition pg_dump's statement fills the whole. One that names none of its parents counts as its own.
local function root_of(entry, parents, keys)
  local oid = oid_of(entry)
  repeat
    oid = parents[oid] and parents[oid][1]
  until not oid or keys[oid] and goes_into(entry, keys[oid])
  return oid
end

local function find_roots(conn, entries, with_rows, list)
  local parents, keys = nil, {}
  for _, entry in ipairs(select_entries(entries, "TABLE")) do keys[oid_of(entry)] = key_of(entry) end
  for i, entry in ipairs(with_rows) do
    if entry.copy and not goes_into(entry, list[i].key) then
      parents = parents or tables.parents(conn)
      list[i].root = root_of(entry, parents, keys)
      list[i].into = keys[list[i].root]
    end
  end
end

-- --- the tables ---

---Every table with rows to copy.
---@param conn pgorch.Connection   in the snapshot
---@param entries pgorch.archive.Entry[]
---@return pgorch.copy.Table[]
function tables.read(conn, entries)
  local with_rows, oids = select_entries(entries, "TABLE DATA")
  local sizes, extensions = by_oid(conn, "tables", oids), by_oid(conn, "extension_tables")
  local columns, list = data.describe(conn), {}
  for i, entry in ipairs(with_rows) do
    local oid, key = oid_of(entry), key_of(entry)
    local described = columns[key] or {}       -- of what an extension has in pg_catalog nothing is
    list[i] = { oid = oid, key = key, schema = entry.namespace, name = entry.tag, bytes = sizes[oid].bytes,
                pages = sizes[oid].pages, columns = described.columns, binary = described.binary,
                filter = extensions[oid] and extensions[oid].condition }
  end
  find_roots(conn, entries, with_rows, list)
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
