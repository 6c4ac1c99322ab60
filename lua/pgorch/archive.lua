-- Archives in pg_dump's custom format: what is in one (read_head), and making one that is compressed on all cores out
-- of what `pg_dump -Fc -Z0` writes (recompress). The bytes stay outside Lua; docs/archive.md has the format's facts.
-- Restores nothing, and opens no file: streams come in, streams go out.

local native = require "pgorch.native.archive"
local task   = require "pgorch.task"

local archive = {}

-- The majors of pg_dump whose version of the format is known: 13 to 15 write 1.14, 16 1.15, 17 and 18 1.16.
local OLDEST, NEWEST = 13, 18
-- Entries that are made in one go: some 5 ms of the loop.
local AT_ONCE = 1000

---Whether what this pg_dump writes can be read here.
---@param major integer   of pg_dump
---@return boolean
function archive.understands(major) return major >= OLDEST and major <= NEWEST end

---@class pgorch.archive.Entry   of a table of contents; a NULL text is nil
---@field id integer
---@field had_data boolean
---@field tableoid string        the catalogue's oid, "0" if there is none
---@field oid string             the object's
---@field tag? string            its name
---@field desc string            its kind: "TABLE DATA"
---@field section "none"|"pre-data"|"data"|"post-data"
---@field defn? string
---@field drop? string
---@field copy? string           "COPY public.t (a, b) FROM stdin;\n"
---@field namespace? string
---@field tablespace? string
---@field tableam? string
---@field relkind? string        from version 1.16 on, of tables and views
---@field owner? string
---@field dependencies integer[] ids, of which some may be of no entry
---@field data "unset"|"set"|"none"   whether it has data, and whether its place is known
---@field offset? integer        the place of its data in the file

---@class pgorch.archive.Contents
---@field version "1.14"|"1.15"|"1.16"
---@field format "custom"
---@field compression "none"|"gzip"|"lz4"|"zstd"
---@field dbname? string
---@field server_version? string
---@field dump_version? string
---@field entries pgorch.archive.Entry[]

---Reads an archive's header and table of contents from a stream; what follows stays in it. PGO-ARCHIVE, with the place,
---when it is none or of an unknown version.
---@async
---@param stream pgorch.Stream
---@param keep? fun(entry: pgorch.archive.Entry): table   what is kept of an entry, of which there may be many
---@return pgorch.archive.Contents contents
---@return pgorch.Bytes head   the bytes that were read
function archive.read_head(stream, keep)
  local head = native.read_head(stream)
  local contents = head:facts()
  local count, entries = contents.count, {}
  for first = 1, count, AT_ONCE do
    if first > 1 then task.sleep(0) end
    local some = head:entries(first, math.min(first + AT_ONCE - 1, count))
    for i, entry in ipairs(some) do entries[first + i - 1] = keep and keep(entry) or entry end
  end
  contents.count, contents.entries = nil, entries
  return contents, head:take()
end

---@class pgorch.archive.RecompressOptions
---@field engine? "auto"|"isal"|"deflate"|"zlib"   auto: quick while the way out is quick, small when it is slow
---@field level? integer     of an engine that is named: isal 1-3, deflate 1-12, zlib 1-9
---@field threads? integer   one for each core

---@param o? pgorch.archive.RecompressOptions
---@return pgorch.archive.Press
function archive.recompress(o) return native.recompress(o or {}) end

return archive
