-- Large objects: how many, what is in them, and which ones differ. A digest is kept for each of 256 lots, so that one
-- that differs is found among those of its lot, and a million of them need no more room than a few.

local crypto   = require "pgorch.crypto"
local snapshot = require "pgorch.verify.snapshot"
local source   = require "pgorch.source"

local M = {}

---@class pgorch.LargeObjects
---@field count integer
---@field owners integer
---@field digest string|nil              nil when they were only counted
---@field lots table<string, string>|nil  lot -> digest
---@field error string|nil               why they could not be read

local function digest_of(lots)
  local lines = {}
  for lot, digest in pairs(lots) do lines[#lines + 1] = lot .. "=" .. digest end
  table.sort(lines)
  return crypto.sha256(table.concat(lines, "\n")):sub(1, 16)
end

---@param conn pgorch.Connection
---@param content boolean   their contents, not only their number
---@return pgorch.LargeObjects
function M.read(conn, content)
  local large = conn:row(source.sql "large_object_owners")
  if not content then return large end
  local rows, why = snapshot.attempt(conn, conn.query, conn, source.sql "large_objects")
  large.error = why
  if not rows then return large end
  large.lots = {}
  for _, row in ipairs(rows) do large.lots[tostring(row.lot)] = ("%d:%s"):format(row.count, row.sum) end
  large.digest = digest_of(large.lots)
  return large
end

local function differing_lots(a, b)
  local lots = {}
  for lot = 0, 255 do
    if a[tostring(lot)] ~= b[tostring(lot)] then lots[#lots + 1] = tostring(lot) end
  end
  return "{" .. table.concat(lots, ",") .. "}"
end

local function contents(conn, lots)
  local found = {}
  for row in conn:rows(source.sql "large_objects_of", lots) do found[row.oid] = row.content end
  return found
end

local function add(list, oid, mine, theirs)
  list[#list + 1] = { kind = "large object", name = tostring(oid), source = mine, target = theirs }
end

---Each large object that is not the same on both sides, in the order of their numbers.
---@param a {conn: pgorch.Connection, large: pgorch.LargeObjects}
---@param b {conn: pgorch.Connection, large: pgorch.LargeObjects}
---@return pgorch.Difference[]
function M.differences(a, b)
  local lots = differing_lots(a.large.lots, b.large.lots)
  local mine, theirs, list = contents(a.conn, lots), contents(b.conn, lots), {}
  for oid, content in pairs(mine) do
    if not theirs[oid] then add(list, oid, "there", "missing")
    elseif theirs[oid] ~= content then add(list, oid, content:sub(1, 12), theirs[oid]:sub(1, 12)) end
  end
  for oid in pairs(theirs) do
    if not mine[oid] then add(list, oid, "missing", "there") end
  end
  table.sort(list, function(x, y) return tonumber(x.name) < tonumber(y.name) end)
  return list
end

return M
