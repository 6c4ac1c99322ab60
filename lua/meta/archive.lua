---@meta pgorch.native.archive
-- What host/lua/archive.c, archive_head.c and archive_rows.c provide. Scripts use pgorch.archive.

local archive = {}

---@async
---@param stream pgorch.Stream
---@return pgorch.native.ArchiveHead
function archive.read_head(stream) end

---@class pgorch.native.ArchiveHead
local Head = {}

---Everything of pgorch.archive.Contents but its entries, and their number as `count`.
---@return table
function Head:facts() end

---@param first integer   from 1
---@param last integer
---@return pgorch.archive.Entry[]
function Head:entries(first, last) end

---The head as the file has it, which is not copied: what stays has no entries any more.
---@return pgorch.Bytes
function Head:take() end

---@param o pgorch.archive.RecompressOptions
---@return pgorch.archive.Press
function archive.recompress(o) end

---@class pgorch.archive.Press   makes one archive
local Press = {}

---@class pgorch.archive.Counts
---@field bytes integer    of the archive that was written
---@field raw integer      of the one that was read
---@field blocks integer   tables, and groups of large objects
---@field engines table<"isal"|"deflate"|"zlib", integer>   pieces that each has pressed

---Reads an uncompressed archive to its end and writes the compressed one, which every pg_restore of that version reads.
---Ends `to`, well or with the error that it raises; with keep_end either end is the caller's. PGO-ARCHIVE, with the
---place, when what comes is no whole archive.
---@async
---@param from pgorch.Stream
---@param to pgorch.Stream
---@param options? {keep_end?: boolean}
---@return pgorch.archive.Counts
function Press:run(from, to, options) end

---The size of header and table of contents, which is the same before and after; nil until they have been read. It is
---known before the first byte is written.
---@return integer|nil
function Press:head_size() end

---Whether who reads the archive has enough of it for a while: engine "auto" then makes smaller pieces, which take longer.
---At any time, before run too.
---@param enough boolean
function Press:ahead(enough) end

---After run: header and table of contents once more, now with the places of the data, by which pg_restore -j finds them
---in a file. All of it, or `most` bytes from byte `at` on: a large one is had in parts, so that no second one is in
---memory.
---@param at? integer     0
---@param most? integer
---@return pgorch.Bytes
function Press:head(at, most) end

---The rows of a table, from several streams into one: as chunks of an uncompressed archive. What stands before and
---after them is the caller's to write, while nobody takes.
---@param to pgorch.Stream   of 64 KiB or more
---@return pgorch.archive.Rows
function archive.rows(to) end

---@class pgorch.archive.Rows
local Rows = {}

---The rows of a COPY in text format, to its end. Several tasks may do so at once: each row comes out whole, in no order.
---A stream whose rows are not taken to the end, for whatever reason, is closed.
---@async
---@param from pgorch.Stream
---@return integer bytes
function Rows:take(from) end

---Large objects, of a COPY in binary format with the columns oid, at and bytes; each object from 0 on without a gap.
---@async
---@param from pgorch.Stream
---@param to pgorch.Stream
---@return integer bytes
function archive.objects(from, to) end

return archive
