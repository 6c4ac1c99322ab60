---@meta pgorch.stream
-- A bounded queue of bytes between one producer and one consumer. The bytes stay outside Lua.

---@class pgorch.Stream
local stream = {}

---@param capacity? integer bytes, 256 KiB
---@return pgorch.Stream
function stream.new(capacity) end

---Some bytes as soon as there are any; nil at the end. Raises the producer's error.
---@async
---@param max? integer 64 KiB
---@return string|nil
function stream:read(max) end

---Everything up to the end; PGO-LIMIT when there is more than `limit` (16 MiB).
---@async
---@param limit? integer
---@return string
function stream:read_all(limit) end

---A block of exactly `size` bytes, or what is left at the end; nil when nothing is.
---@async
---@param size integer
---@param also? pgorch.Stream   gets the same bytes, as they come; it must have room for all of them
---@param used? pgorch.Bytes    of that size, and nobody's any more: it is filled again, and returned
---@return pgorch.Bytes|nil
function stream:take(size, also, used) end

---Waits for room. PGO-CLOSED when the consumer has closed.
---@async
---@param data string|pgorch.Bytes
---@return integer count
function stream:write(data) end

---Moves everything to another stream. The end is passed on, unless `keep_open`: then the caller finishes it.
---@async
---@param to pgorch.Stream
---@param options? {keep_open?: boolean}
---@return integer count
function stream:pipe(to, options) end

---Reads to the end and drops it.
---@async
---@return integer count
function stream:drain() end

---The producer's good end.
function stream:finish() end

---The producer's bad end: the consumer raises the error after the last byte.
---@param err pgorch.Error|string
function stream:fail(err) end

---The consumer gives up: the producer is told.
function stream:close() end

---Bytes produced so far.
---@return integer
function stream:total() end

return stream
