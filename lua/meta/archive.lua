---@meta pgorch.native.archive
-- What host/lua/archive.c and archive_head.c provide. Scripts use pgorch.archive.

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

---@return pgorch.Bytes   a copy
function Head:bytes() end

return archive
