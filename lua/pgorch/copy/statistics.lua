-- ANALYZE of the tables of a copy, which brings no statistics: of each when all else that is about it is done, of many
-- small ones in one statement. Adds work to the order; runs nothing.

local pg     = require "pgorch.pg"
local places = require "pgorch.copy.places"

local statistics = {}

local MOST_BYTES = 32 << 20     -- ANALYZE reads a sample
local SMALL, AT_ONCE = 1 << 20, 50

local function entry_of(row, also)
  return { desc = row.only and "ANALYZE ONLY" or "ANALYZE", namespace = row.schema,
           tag = also and row.name .. " and others" or row.name, defn = "analyze" }
end

local function named(row) return (row.only and " only " or " ") .. pg.ident(row.schema, row.name) end

-- Each is a transaction of its own.
local function add(order, rows, list)
  local names, after, weight, entry = {}, {}, 0, entry_of(rows[1], #rows > 1)
  for i, row in ipairs(rows) do
    names[i], after[i], weight = named(row), list[i].full, weight + places.bytes(entry, list[i])
  end
  entry.defn = entry.defn .. table.concat(names, ",")
  local work = { queue = "statements", entry = entry, weight = math.min(MOST_BYTES, weight) }
  work.exclusive, work.shared = places.locks(entry, list)
  order:add(work, after)
  for _, place in ipairs(list) do place.analyze = work end
end

local function is_small(place) return not place.family and place.bytes < SMALL end

local function add_all(order, rows, by_oid)
  local count, open, list = 0, {}, {}
  local function close()
    if #open == 0 then return end
    add(order, open, list)
    count, open, list = count + 1, {}, {}
  end
  for _, row in ipairs(rows) do
    local place = by_oid[row.oid]
    if place and is_small(place) then
      open[#open + 1], list[#list + 1] = row, place
      if #open == AT_ONCE then close() end
    elseif place then
      add(order, { row }, { place })
      count = count + 1
    end
  end
  close()
  return count
end

-- Of a table that is not asked for a table above it is, whose ANALYZE does it, too.
local function find(oid, by_oid, parents)
  local seen = {}
  while oid and not seen[oid] do
    if by_oid[oid] and by_oid[oid].analyze then return by_oid[oid].analyze end
    seen[oid], oid = true, parents[oid] and parents[oid][1]
  end
end

---Adds them. What is about a table, and was added later, has to be followed by the `analyze` of its place.
---@param order pgorch.copy.Order
---@param rows {oid: integer, schema: string, name: string, only: boolean}[]   of sql/analyzable.sql
---@param by_oid table<integer, pgorch.copy.Place>
---@param parents table<integer, integer[]>
---@return integer count   of statements
function statistics.add(order, rows, by_oid, parents)
  local count = add_all(order, rows, by_oid)
  for child in pairs(count > 0 and parents or {}) do
    if by_oid[child] then by_oid[child].analyze = find(child, by_oid, parents) end
  end
  return count
end

return statistics
