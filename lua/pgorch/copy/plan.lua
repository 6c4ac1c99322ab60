-- What there is to copy, as one order of work: pieces of tables and lots of large objects, and what comes after them.
-- Reads the source's catalogue in the snapshot; copies nothing.

local data          = require "pgorch.copy.data"
local large_objects = require "pgorch.copy.large_objects"
local objects       = require "pgorch.copy.objects"
local order         = require "pgorch.copy.order"
local pg            = require "pgorch.pg"
local tables        = require "pgorch.copy.tables"

local plan = {}

---@class pgorch.copy.Plan
---@field order pgorch.copy.Order
---@field tables pgorch.copy.Table[]
---@field large_objects integer
---@field sequences pgorch.archive.Entry[]
---@field statements integer     after the rows
---@field total integer          bytes of all tables and large objects, as the source has them

local function select_entries(entries, desc)
  local list = {}
  for _, entry in ipairs(entries) do
    if entry.desc == desc then list[#list + 1] = entry end
  end
  return list
end

-- A table that an extension has made is none of the archive's: nothing of the archive waits for it but the views.
local function add_rows(todo, places, rows_end, o)
  local by_key = {}
  for _, one in ipairs(todo.tables) do by_key[one.key] = one end
  for _, piece in ipairs(data.pieces(todo.tables, o.jobs, o.version)) do
    local one = by_key[pg.ident(piece.schema, piece.name)]
    local work = todo.order:add({ queue = "rows", weight = piece.bytes, piece = piece, name = one.key }, {})
    todo.order:follow(rows_end, work)
    local place = places[one.root or one.oid]
    if place then todo.order:follow(place.rows, work) end
  end
  -- What goes in by the whole may end in each of these partitions.
  for _, one in ipairs(todo.tables) do
    if one.root then todo.order:follow(places[one.oid].rows, places[one.root].rows) end
  end
end

local function add_large_objects(todo, lots, rows_end)
  for _, lot in ipairs(lots) do
    local work = { queue = "rows", weight = lot.bytes, lot = lot, name = "large objects" }
    todo.order:follow(rows_end, todo.order:add(work, {}))
  end
end

local function sizes_of(list)
  local sizes, total = {}, 0
  for _, one in ipairs(list) do
    sizes[one.oid], total = one.bytes, total + one.bytes
  end
  return sizes, total
end

---@param at pgorch.Snapshot
---@param entries pgorch.archive.Entry[]
---@param o {jobs: integer}
---@return pgorch.copy.Plan
function plan.make(at, entries, o)
  local list = tables.read(at.conn, entries)
  local sizes, bytes = sizes_of(list)
  local lots, count, lot_bytes = large_objects.lots(at.conn)
  local todo = { order = order.new(), tables = list, large_objects = count, total = bytes + lot_bytes,
                 sequences = select_entries(entries, "SEQUENCE SET") }
  local places, rows_end
  places, rows_end, todo.statements = objects.plan(todo.order, entries,
    { parents = tables.parents(at.conn), bytes = sizes })
  add_rows(todo, places, rows_end, { version = at.conn.server_version, jobs = o.jobs })
  add_large_objects(todo, lots, rows_end)
  return todo
end

return plan
