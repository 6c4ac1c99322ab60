-- What an archive's data is made of, in the order of its table of contents: for each table and each lot of large
-- objects what has to be read, and the few bytes that stand around it. Only plans; lua/pgorch/dump/readers.lua reads.
-- Plans no more than is asked for: an archive may have 100,000 tables.

local fail   = require "pgorch.error"
local pg     = require "pgorch.pg"
local pieces = require "pgorch.pieces"
local source = require "pgorch.source"
local task   = require "pgorch.task"

local blocks = {}

local TABLE, OBJECTS = "\1", "\3"
local NONE = "\0\0\0\0\0"               -- the number 0: the end of a table's rows, of an object, of all objects
local END_OF_ROWS = "\\.\n\n\n"         -- what pg_dump writes behind the last row

-- Small, so that no connection waits long for the last one; not so small that there were a million of them.
local PIECE_BYTES, PIECES = 16 << 20, 4096
-- While one reads some, the others have theirs at hand: more would not fit into their streams.
local LOT = 50

---@class pgorch.dump.Work     one COPY ... TO STDOUT
---@field query string
---@field name string          of its table, for a person
---@field key string           its quoted name
---@field bytes integer        by the source's sizes
---@field step pgorch.dump.Step
---@field objects boolean|nil  it is in the binary format, and of large objects

---@class pgorch.dump.Step     what stands together in the archive; its works in any order
---@field name string
---@field before string
---@field after string
---@field works pgorch.dump.Work[]
---@field open pgorch.Event    it is its turn
---@field done pgorch.Event    all works are
---@field left integer         works that are not

---@class pgorch.dump.Blocks
---@field total integer        bytes of the tables and large objects, as the source has them
local Blocks = {}
Blocks.__index = Blocks

local function number(value) return "\0" .. ("<I4"):pack(value) end

local function chunk(text) return number(#text) .. text end

-- --- what is kept of the table of contents ---

local OTHER = {}          -- of which nothing is needed

local function keep_data(entry)
  if entry.desc ~= "TABLE DATA" and entry.desc ~= "BLOBS" then
    fail.raise("PGO-DUMP", ("what %s %s has as data is not known here"):format(entry.desc, entry.tag or ""),
      { cure = "Dump without --readers." })
  end
  return { id = entry.id, desc = entry.desc, namespace = entry.namespace, tag = entry.tag, oid = entry.oid,
           copy = entry.copy, dependencies = entry.desc == "BLOBS" and entry.dependencies or nil }
end

---For archive.read_head.
---@param entry pgorch.archive.Entry
---@return table
function blocks.keep(entry)
  if entry.data ~= "none" then return keep_data(entry) end
  if entry.desc == "BLOB METADATA" or entry.desc == "ENCODING" then
    return { id = entry.id, desc = entry.desc, defn = entry.defn }
  end
  return OTHER
end

---The encoding of all that is in the archive.
---@param contents pgorch.archive.Contents
---@return string
function blocks.encoding(contents)
  for _, entry in ipairs(contents.entries) do
    if entry.desc == "ENCODING" then return entry.defn:match "'([^']+)'" end
  end
  return "UTF8"
end

-- --- tables ---

-- Of `COPY "schema"."table" ("column", ...) FROM stdin;` the columns, as they stand there: the rows will be read in
-- this order. The table may be another one, whose partition the rows are of.
local function columns_of(entry)
  local at = #"COPY " + 1
  repeat
    local next_at = entry.copy:match('^[."]?"[^"]*"()', at)
    at = next_at or at
  until not next_at
  local list = entry.copy:match("^ (.*) FROM stdin;\n$", at)
  if not list then
    fail.raise("PGO-DUMP", "a statement of pg_dump is not what it is known to be: " .. entry.copy,
      { cure = "Dump without --readers." })
  end
  return list:match "^%((.+)%)$"
end

-- As pg_dump has it. An extension's condition may name its table: it has no other name there.
local function query_of(key, columns, piece, filter)
  local condition = pieces.condition(piece, key)
  local where = condition and "where " .. condition or filter
  if not where or where == "" then
    return ("copy %s %s to stdout"):format(key, columns and "(" .. columns .. ")" or "")
  end
  return ("copy (select %s from only %s %s) to stdout"):format(columns or "*", key, where)
end

local function pieces_of(self, size, columns, filter)
  if self.jobs == 1 or self.version < pieces.RANGES_SINCE or filter or not columns then return { size } end
  return pieces.of_table(size, PIECE_BYTES, PIECES)
end

local function new_step(name, before, after)
  return { name = name, before = before, after = after, works = {}, open = task.event(), done = task.event() }
end

local function table_step(self, entry)
  local key, oid = pg.ident(entry.namespace, entry.tag), math.tointeger(tonumber(entry.oid))
  local columns, filter, size = columns_of(entry), self.filters[oid], self.sizes[oid]
  local step = new_step(entry.namespace .. "." .. entry.tag, TABLE .. number(entry.id), chunk(END_OF_ROWS) .. NONE)
  for i, piece in ipairs(pieces_of(self, size, columns, filter)) do
    step.works[i] = { query = query_of(key, columns, piece, filter), name = step.name, key = key, bytes = piece.bytes,
                      step = step }
  end
  return step
end

-- --- large objects ---

-- Archives of 17 and later have them in groups, one number in a line; before, all are one.
local function oids_of(self, entry)
  local oids = {}
  for _, id in ipairs(entry.dependencies) do
    for oid in (self.metadata[id] or ""):gmatch "%d+" do oids[#oids + 1] = math.tointeger(tonumber(oid)) end
  end
  if #oids == 0 then return self.oids end
  table.sort(oids)
  return oids
end

-- Its first lot opens the block, its last one ends it.
local function objects_step(self, group)
  local last = math.min(group.at + LOT, #group.oids)
  local lot = table.concat(group.oids, ",", group.at + 1, last)
  local step = new_step("large objects", group.at == 0 and OBJECTS .. number(group.id) or "",
    last == #group.oids and NONE or "")
  step.works[1] = { query = source.sql "dump_large_objects":gsub("%$1", "'{" .. lot .. "}'"), name = step.name,
                    key = '"pg_catalog"."pg_largeobject"', bytes = self.object_bytes * (last - group.at), step = step,
                    objects = true }
  group.at = last
  if last == #group.oids then self.group = nil end
  return step
end

-- --- all of it ---

local function by_oid(conn, name, ...)
  local found = {}
  for row in conn:rows(source.sql("copy/" .. name), ...) do found[row.oid] = row end
  return found
end

local OBJECT_SIZES = "select pg_table_size('pg_catalog.pg_largeobject') as bytes, "
  .. "(select count(*) from pg_largeobject_metadata) as count"

local ALL_OBJECTS = "select oid::bigint as oid from pg_largeobject_metadata order by oid"

local function look_at_objects(self, conn)
  local all = conn:row(OBJECT_SIZES)
  self.object_bytes = all.count > 0 and all.bytes // all.count or 0
  self.total = self.total + self.object_bytes * all.count
  if next(self.metadata) or all.count == 0 then return end
  for row in conn:rows(ALL_OBJECTS) do self.oids[#self.oids + 1] = row.oid end
end

local function look_at_tables(self, conn, oids)
  self.sizes = by_oid(conn, "tables", "{" .. table.concat(oids, ",") .. "}")
  for oid, row in pairs(by_oid(conn, "extension_tables")) do self.filters[oid] = row.condition end
  for _, size in pairs(self.sizes) do self.total = self.total + size.bytes end
end

local function sort_entries(self, entries)
  local oids = {}
  for _, entry in ipairs(entries) do
    if entry.desc == "TABLE DATA" then oids[#oids + 1] = entry.oid end
    if entry.desc == "BLOB METADATA" then self.metadata[entry.id] = entry.defn
    elseif entry.oid or entry.dependencies then self.entries[#self.entries + 1] = entry end
  end
  return oids
end

---@async
---@param conn pgorch.Connection      in the snapshot
---@param contents pgorch.archive.Contents   with what blocks.keep keeps
---@param jobs integer                connections that will read
---@return pgorch.dump.Blocks
function blocks.new(conn, contents, jobs)
  local self = setmetatable({ jobs = jobs, version = conn.server_version, entries = {}, at = 0, total = 0,
                              sizes = {}, filters = {}, metadata = {}, oids = {} }, Blocks)
  look_at_tables(self, conn, sort_entries(self, contents.entries))
  look_at_objects(self, conn)
  return self
end

---What comes next in the archive; nil at the end.
---@return pgorch.dump.Step|nil
function Blocks:next()
  if self.group then return objects_step(self, self.group) end
  self.at = self.at + 1
  local entry = self.entries[self.at]
  if not entry then return nil end
  if entry.desc == "TABLE DATA" then return table_step(self, entry) end
  self.group = { id = entry.id, oids = oids_of(self, entry), at = 0 }
  return objects_step(self, self.group)
end

return blocks
