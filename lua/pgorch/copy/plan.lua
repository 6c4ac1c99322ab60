-- What there is to copy, as one order of work: pieces of tables and lots of large objects, and what comes after them.
-- Reads the source's catalogue in the snapshot; copies nothing. Keeps of the archive's entries only what is still to be
-- run: there are several for each table.

local data          = require "pgorch.copy.data"
local large_objects = require "pgorch.copy.large_objects"
local objects       = require "pgorch.copy.objects"
local order         = require "pgorch.copy.order"
local pg            = require "pgorch.pg"
local sequences     = require "pgorch.copy.sequences"
local source        = require "pgorch.source"
local tables        = require "pgorch.copy.tables"

local plan = {}

---@class pgorch.copy.Plan
---@field order pgorch.copy.Order
---@field tables integer
---@field large_objects integer
---@field made pgorch.archive.Entry[]        what makes large objects, and what is said of them
---@field sequences string[]     statements
---@field statements integer     after the rows
---@field analyzed integer       ANALYZE
---@field total integer          bytes of all tables and large objects, as the source has them

-- A table that an extension has made is none of the archive's and has no place: the few that there are go first.
local function add_rows(todo, list, places, ends, o)
  local by_key = {}
  for _, one in ipairs(list) do by_key[one.key] = one end
  for _, piece in ipairs(data.pieces(list, o.jobs, o.version)) do
    local one = by_key[pg.ident(piece.schema, piece.name)]
    local place = places[one.root or one.oid]
    local work = todo.order:add({ queue = "rows", weight = piece.bytes, piece = piece, name = one.key,
                                  first = not place or nil }, {})
    todo.order:follow(ends.all, work)
    todo.order:follow(place and place.rows or ends.others, work)
  end
  -- What goes in by the whole may end in each of these partitions.
  for _, one in ipairs(list) do
    if one.root then todo.order:follow(places[one.oid].rows, places[one.root].rows) end
  end
end

local function add_large_objects(todo, lots, ends)
  for _, lot in ipairs(lots) do
    local work = { queue = "rows", weight = lot.bytes, lot = lot, name = "large objects" }
    todo.order:follow(ends.all, todo.order:add(work, {}))
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
---@param o {jobs: integer, analyze: integer|nil}   analyze: version of the target, when it is to have statistics
---@return pgorch.copy.Plan
function plan.make(at, entries, o)
  local list = tables.read(at.conn, entries)
  local sizes, bytes = sizes_of(list)
  local lots, count, lot_bytes = large_objects.lots(at.conn)
  local todo = { order = order.new(), tables = #list, large_objects = count, total = bytes + lot_bytes,
                 made = large_objects.entries(entries), sequences = sequences.statements(entries) }
  local analyze = o.analyze and at.conn:query(source.sql "analyzable", o.analyze, false) or {}
  local places, ends
  places, ends, todo.statements, todo.analyzed = objects.plan(todo.order, entries,
    { parents = tables.parents(at.conn), bytes = sizes, analyze = analyze })
  add_rows(todo, list, places, ends, { version = at.conn.server_version, jobs = o.jobs })
  add_large_objects(todo, lots, ends)
  return todo
end

return plan
