-- The tables of a copy, as what comes after the rows sees them: whose children they are, how large, and what has to be
-- kept from them while a statement about them runs. There may be thousands: what can be shared is.

local places = {}

local HOLDS_ROWS = { ["TABLE"] = true, ["MATERIALIZED VIEW"] = true, ["FOREIGN TABLE"] = true }

-- These are about one table, also where it has children: nothing is done to those.
local ONE_TABLE = { ["INDEX"] = true, ["INDEX ATTACH"] = true, ["CONSTRAINT"] = true, ["ANALYZE ONLY"] = true }

---@class pgorch.copy.Place
---@field oid integer
---@field rows pgorch.copy.Work    its own rows are there
---@field full pgorch.copy.Work    and those of its children
---@field alone integer[]          its oid: the names that keep it to itself
---@field children boolean|nil
---@field family integer|nil       the oldest of its ancestors, where there are any or children
---@field bytes integer
---@field below integer            with those of its children
---@field analyze pgorch.copy.Work|nil   the ANALYZE that gives it statistics

-- The number of the family that a table belongs to, by its parents and theirs; an own one where there are several.
local function family_of(oid, parents)
  local seen = {}
  while parents[oid] and not seen[oid] do
    seen[oid] = true
    oid = parents[oid][1]
  end
  return oid
end

local function add_place(order, oid, bytes)
  local rows = order:add({}, {})
  return { oid = oid, bytes = bytes, below = bytes, rows = rows, full = rows, alone = { oid } }
end

local function with_children(order, place)
  if not place.children then place.full = order:add({}, { place.rows }) end
  place.children = true
end

-- A table's bytes count for all that are above it, too.
local function measure(by_oid, oid, parents)
  local list, seen = { oid }, { [oid] = true }
  for _, one in ipairs(list) do
    for _, parent in ipairs(parents[one] or {}) do
      local above = by_oid[parent]
      if above and not seen[parent] then above.below = above.below + by_oid[oid].bytes end
      if not seen[parent] then list[#list + 1], seen[parent] = parent, true end
    end
  end
end

local function relate(order, by_oid, parents)
  for _, list in pairs(parents) do
    for _, parent in ipairs(list) do
      if by_oid[parent] then with_children(order, by_oid[parent]) end
    end
  end
  for child, list in pairs(parents) do
    for _, parent in ipairs(list) do
      local upper, lower = by_oid[parent], by_oid[child]
      if upper and lower then
        order:follow(upper.full, lower.full)
        upper.family, lower.family = family_of(parent, parents), family_of(child, parents)
      end
    end
    if by_oid[child] then measure(by_oid, child, parents) end
  end
end

---@param order pgorch.copy.Order
---@param entries pgorch.archive.Entry[]
---@param parents table<integer, integer[]>
---@param bytes table<integer, integer>
---@return table<integer, pgorch.copy.Place> by_id    of the entry
---@return table<integer, pgorch.copy.Place> by_oid
function places.read(order, entries, parents, bytes)
  local by_id, by_oid = {}, {}
  for _, entry in ipairs(entries) do
    if HOLDS_ROWS[entry.desc] then
      local oid = math.tointeger(tonumber(entry.oid))
      by_oid[oid] = add_place(order, oid, bytes[oid] or 0)
      by_id[entry.id] = by_oid[oid]
    end
  end
  relate(order, by_oid, parents)
  return by_id, by_oid
end

---The tables that an entry is about; where it names none, those of the indexes and keys that it names (a comment).
---@param entry pgorch.archive.Entry
---@param by_id table<integer, pgorch.copy.Place>
---@param known table<integer, pgorch.copy.Work>   by the entry's id
---@return pgorch.copy.Place[]
function places.of(entry, by_id, known)
  local list, seen = {}, {}
  local function add(place)
    if place and not seen[place] then list[#list + 1], seen[place] = place, true end
  end
  for _, id in ipairs(entry.dependencies) do add(by_id[id]) end
  if #list > 0 then return list end
  for _, id in ipairs(entry.dependencies) do
    for _, place in ipairs(known[id] and known[id].places or {}) do add(place) end
  end
  return list
end

---What an entry has to do with of a table.
---@return integer bytes
function places.bytes(entry, place) return ONE_TABLE[entry.desc] and place.bytes or place.below end

-- --- what keeps a table to itself ---

-- Building an index lets others be built, unless its entry alters the table too (CLUSTER ON, REPLICA IDENTITY).
local function is_shared(entry)
  return entry.desc == "INDEX" and not entry.defn:find("ALTER TABLE", 1, true)
end

-- Indexes of one family are attached one after the other: of two at once, one to the other's parent, neither would see
-- that the parent of both has become whole, and it would stay invalid.
local function locks_of_all(entry, list)
  local exclusive, shared, seen = {}, {}, {}
  local function add(to, name)
    if not seen[name] then to[#to + 1] = name end
    seen[name] = true
  end
  local one, of_its_own = ONE_TABLE[entry.desc], is_shared(entry) and shared or exclusive
  for _, place in ipairs(list) do
    if place.children and not one then add(exclusive, "family " .. place.family) end
  end
  for _, place in ipairs(list) do
    if place.family then add(shared, "family " .. place.family) end
    if place.family and entry.desc == "INDEX ATTACH" then add(exclusive, "attach " .. place.family) end
    add(of_its_own, place.oid)
  end
  return exclusive, shared
end

---What nothing else may hold, and what others may share, while the entry is run. All that alters a table, or two (a
---foreign key), wants it alone, or two statements would wait for each other. What alters a parent alters its children,
---but for ONE_TABLE.
---@param entry {desc: string, defn: string}
---@param list pgorch.copy.Place[]
---@return any[]|nil exclusive
---@return any[]|nil shared
function places.locks(entry, list)
  if #list == 0 then return nil, nil end
  if #list > 1 or list[1].family then return locks_of_all(entry, list) end
  if is_shared(entry) then return nil, list[1].alone end
  return list[1].alone, nil
end

return places
