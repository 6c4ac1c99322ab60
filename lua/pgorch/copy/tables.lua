-- The rows: which tables there are to copy, how large they are, and in which pieces they go. A table that would keep
-- one connection busy when all others have ended is cut by its pages. Reads the catalogue; copies nothing itself.

local data   = require "pgorch.copy.data"
local fail   = require "pgorch.error"
local json   = require "pgorch.json"
local pg     = require "pgorch.pg"
local source = require "pgorch.source"

local tables = {}

-- A server older than this reads the whole table for every range of pages.
local RANGES_SINCE = 140000
local LEAST_PIECE = 64 << 20

---@class pgorch.copy.Table
---@field entry pgorch.archive.Entry    its TABLE DATA
---@field name string                   quoted
---@field bytes integer                 without indexes
---@field columns string[]|nil          nil: all that can be inserted
---@field filter string|nil             of an extension's table: which rows are the user's
---@field binary boolean
---@field extension boolean             the extension of the target has put rows into it, which stay

local function by_oid(conn, name)
  local found = {}
  for row in conn:rows(source.sql("copy/" .. name)) do found[row.oid] = row end
  return found
end

-- COPY "s"."t" ("a", "b") FROM stdin; quoted throughout, since pg_dump was told so. No list: no column, or none that
-- can be inserted into.
local function columns_of(entry, name)
  local list = entry.copy:sub(#"COPY " + #name + 1):match "^%s*(.-)%s*FROM stdin;%s*$"
  if entry.copy:sub(1, 5 + #name) ~= "COPY " .. name or not list then
    fail.raise("PGO-ARCHIVE", "a COPY that is not understood: " .. entry.copy)
  end
  if list == "" or list == "()" then return nil end
  local columns = {}
  for quoted in list:gsub('""', "\0"):gmatch '"([^"]+)"' do columns[#columns + 1] = quoted:gsub("%z", '"') end
  return columns
end

local function table_of(entry, sizes, conditions)
  local oid = math.tointeger(tonumber(entry.oid))
  local name = pg.ident(entry.namespace, entry.tag)
  local size = sizes[oid]
  local condition = conditions[oid] and conditions[oid].condition
  return { entry = entry, name = name, oid = oid, columns = columns_of(entry, name),
           bytes = size and size.bytes or 0, pages = size and size.pages or 0,
           filter = condition ~= "" and condition or nil, extension = conditions[oid] ~= nil,
           binary = size ~= nil and data.is_binary_safe(json.decode(size.types)) }
end

---Every table with rows to copy.
---@param conn pgorch.Connection   in the snapshot
---@param entries pgorch.archive.Entry[]
---@return pgorch.copy.Table[]
---@return integer bytes
function tables.read(conn, entries)
  local sizes, conditions = by_oid(conn, "tables"), by_oid(conn, "extension_tables")
  local list, total = {}, 0
  for _, entry in ipairs(entries) do
    if entry.desc == "TABLE DATA" then
      local one = table_of(entry, sizes, conditions)
      list[#list + 1], total = one, total + one.bytes
    end
  end
  return list, total
end

local function piece(one, first, last, bytes)
  return { schema = one.entry.namespace, name = one.entry.tag, columns = one.columns, filter = one.filter,
           binary = one.binary, first = first, last = last, freeze = first == nil and not one.extension,
           bytes = bytes, of = one.name }
end

---The pieces of a table. Only one that is larger than its share is cut: a whole table can be emptied and loaded
---frozen, which spares its pages a second writing.
---@param one pgorch.copy.Table
---@param o {version: integer, total: integer, jobs: integer}   the server's; bytes of all that is copied; how many go
---  at once
---@return table[]
function tables.pieces(one, o)
  local share = math.max(LEAST_PIECE, o.total // o.jobs)
  if o.version < RANGES_SINCE or o.jobs == 1 or one.bytes <= share or one.pages < o.jobs then
    return { piece(one, nil, nil, one.bytes) }
  end
  local count = math.min(one.pages, math.ceil(one.bytes / math.max(LEAST_PIECE, share // 4)))
  local list, step = {}, math.ceil(one.pages / count)
  for first = 0, one.pages - 1, step do
    -- The last range has no end: rows may stand behind the page that was the last when the size was asked.
    local last = first + step < one.pages and first + step - 1 or nil
    list[#list + 1] = piece(one, first, last, one.bytes * step // one.pages)
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
