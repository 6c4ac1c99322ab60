---@meta pgorch.bytes
-- Blocks of memory outside Lua, and digests of several of them.

---@class pgorch.Bytes   a block of memory outside Lua; #block is its size
local bytes = {}

---@param text string|pgorch.Secret
---@return pgorch.Bytes
function bytes.new(text) end

---The MD5 of each, computed side by side in hardly more time than one takes.
---@async
---@param blocks pgorch.Bytes[]  one to eight, of one length
---@return string[] hex
function bytes.md5(blocks) end

---Digests of the whole block, computed by the crew.
---@async
---@param names ("md5"|"sha1"|"sha256")[]  one to three
---@return table<string, string>  hex, by name
function bytes:digests(names) end

---For small ones: the bytes become a Lua string.
---@return string
function bytes:string() end

---What `from` holds replaces the beginning of this block, as far as both reach.
---@param from pgorch.Bytes
function bytes:overwrite(from) end

---Gives the memory back now. Raises while the block is being hashed.
function bytes:free() end

---@class pgorch.Hasher
local hasher = {}

---@async
---@param block pgorch.Bytes
function hasher:update(block) end

---Once.
---@return string hex
function hasher:finish() end

return bytes
