-- Large objects: made in the target where the schema has not made them, and copied in lots through a temporary table,
-- so that thousands of small ones take a few round trips and one of any size no memory. Bytes never pass through Lua.

local fail   = require "pgorch.error"
local pg     = require "pgorch.pg"
local schema = require "pgorch.copy.schema"
local source = require "pgorch.source"

local large_objects = {}

local LOT = 64 << 20           -- bytes of one lot
local OBJECTS = 20000          -- of one lot
local PIECE = 1 << 20          -- bytes of one row on the way
local MADE_AT_ONCE = 500

---@class pgorch.copy.Lot
---@field first integer   number of the first object
---@field last integer
---@field at integer      of a large one: the bytes from here
---@field upto integer|nil   to here; nil: to the end
---@field bytes integer

local function cut(lots, oid, size, most)
  for at = 0, size - 1, most do
    local upto = at + most < size and at + most or nil
    lots[#lots + 1] = { first = oid, last = oid, at = at, upto = upto, bytes = math.min(most, size - at) }
  end
end

---What there is to copy.
---@param conn pgorch.Connection   in the snapshot
---@param most? integer            bytes of one lot, 64 MB
---@return pgorch.copy.Lot[] lots
---@return integer count    of large objects
---@return integer bytes
function large_objects.lots(conn, most)
  most = most or LOT
  local lots, open, count, bytes = {}, nil, 0, 0
  for row in conn:rows(source.sql "copy/large_objects") do
    count, bytes = count + 1, bytes + row.size
    if row.size > most then
      cut(lots, row.oid, row.size, most)
    elseif row.size > 0 then
      if not open or open.bytes + row.size > most or open.count == OBJECTS then
        open = { first = row.oid, at = 0, bytes = 0, count = 0 }
        lots[#lots + 1] = open
      end
      open.last, open.bytes, open.count = row.oid, open.bytes + row.size, open.count + 1
    end
  end
  return lots, count, bytes
end

---Those of an archive's entries that are for `make`. Archives of 17 and later name large objects among the data, one
---number in a line, and make none: "BLOB METADATA" is no SQL. What is said of one comes behind it.
---@param entries pgorch.archive.Entry[]
---@return pgorch.archive.Entry[]
function large_objects.entries(entries)
  local sections, list = schema.sections(entries), {}
  for _, entry in ipairs(entries) do
    if sections[entry] == "data" and (entry.desc == "BLOB METADATA" or entry.desc == "COMMENT") then
      list[#list + 1] = entry
    end
  end
  return list
end

local function create(conn, list)
  conn:exec("select lo_create(o) from unnest('{" .. table.concat(list, ",") .. "}'::oid[]) as o")
end

---@param conn pgorch.Connection   of the target
---@param entries pgorch.archive.Entry[]   of large_objects.entries
function large_objects.make(conn, entries)
  local list = {}
  for _, entry in ipairs(entries) do
    for oid in (entry.desc == "BLOB METADATA" and entry.defn or ""):gmatch "%d+" do
      list[#list + 1] = oid
      if #list == MADE_AT_ONCE then
        create(conn, list)
        list = {}
      end
    end
  end
  if #list > 0 then create(conn, list) end
  for _, entry in ipairs(entries) do
    if entry.desc == "COMMENT" then conn:exec(entry.defn) end
  end
end

-- As sql/copy/large_objects.sql has it, of some objects, with their bytes.
local BYTES = "copy (select o.oid, s.at, lo_get(o.oid, s.at, %d) from "
  .. "(select s.oid, s.size, lo_close(s.fd) as closed from "
  .. "(select o.oid, o.fd, lo_lseek64(o.fd, 0, 2) as size from "
  .. "(select m.oid, lo_open(m.oid, 262144) as fd from pg_largeobject_metadata m "
  .. "where m.oid between '%d'::oid and '%d'::oid order by m.oid offset 0) as o offset 0) as s offset 0) as o "
  .. "cross join lateral generate_series(%d::bigint, %s - 1, %d) as s(at)) to stdout (format binary)"

local function query_of(lot)
  local upto = lot.upto and ("least(o.size, %d)"):format(lot.upto) or "o.size"
  return BYTES:format(PIECE, lot.first, lot.last, lot.at, upto, PIECE)
end

local ON_THE_WAY = "pg_temp.pgorch_large_object"

local function copy(from, to, lot, o)
  to:exec("create temp table if not exists " .. ON_THE_WAY
    .. " (loid oid, at bigint, bytes bytea) on commit delete rows")
  return to:transaction(function()
    local done = pg.copy { from = from, query = query_of(lot), to = to, progress = o and o.progress,
                           into = "copy " .. ON_THE_WAY .. " from stdin (format binary)" }
    to:exec("select lo_put(loid, at, bytes) from " .. ON_THE_WAY)
    return done
  end)
end

---Copies one lot. Errors name its large objects.
---@param from pgorch.Connection   in the snapshot
---@param to pgorch.Connection
---@param lot pgorch.copy.Lot
---@param o? {progress?: fun(bytes: integer)}
---@return {rows: integer, bytes: integer}   rows: pieces
function large_objects.copy(from, to, lot, o)
  local ok, done = pcall(copy, from, to, lot, o)
  if ok then return done end
  if fail.is(done, "PGO-PG-QUERY") then
    done.message = ("copying large objects %d to %d: %s"):format(lot.first, lot.last, done.message)
  end
  error(done, 0)
end

return large_objects
