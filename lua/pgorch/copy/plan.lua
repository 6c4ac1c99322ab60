-- What there is to copy, as one order of work: pieces of tables and lots of large objects, and what comes after them.
-- Reads the source's catalogue in the snapshot; copies nothing.

local large_objects = require "pgorch.copy.large_objects"
local objects       = require "pgorch.copy.objects"
local order         = require "pgorch.copy.order"
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

local function add_rows(todo, places, rows_end, among)
  for _, one in ipairs(todo.tables) do
    local place = places[one.oid]
    for _, piece in ipairs(tables.pieces(one, among)) do
      local work = todo.order:add({ queue = "rows", weight = piece.bytes, piece = piece }, {})
      todo.order:follow(rows_end, work)
      if place then todo.order:follow(place.rows, work) end      -- an extension's table is none of the archive's
    end
  end
end

local function add_large_objects(todo, lots, rows_end)
  for _, lot in ipairs(lots) do
    todo.order:follow(rows_end, todo.order:add({ queue = "rows", weight = lot.bytes, lot = lot }, {}))
  end
end

local function sizes_of(list)
  local sizes = {}
  for _, one in ipairs(list) do sizes[one.oid] = one.bytes end
  return sizes
end

---@param at pgorch.Snapshot
---@param entries pgorch.archive.Entry[]
---@param o {jobs: integer}
---@return pgorch.copy.Plan
function plan.make(at, entries, o)
  local list, bytes = tables.read(at.conn, entries)
  local lots, count, lot_bytes = large_objects.lots(at.conn)
  local todo = { order = order.new(), tables = list, large_objects = count, total = bytes + lot_bytes,
                 sequences = select_entries(entries, "SEQUENCE SET") }
  local places, rows_end
  places, rows_end, todo.statements = objects.plan(todo.order, entries,
    { parents = tables.parents(at.conn), bytes = sizes_of(list) })
  add_rows(todo, places, rows_end, { version = at.conn.server_version, total = todo.total, jobs = o.jobs })
  add_large_objects(todo, lots, rows_end)
  return todo
end

return plan
