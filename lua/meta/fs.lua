---@meta pgorch.fs
-- What native.fs provides; lua/pgorch/fs.lua adds mkdtemp's default place and with_temporary.

---@class pgorch.fs
local fs = {}

---@class pgorch.Stat
---@field size integer bytes
---@field mode integer as written in a shell: 0600
---@field mtime number seconds since the epoch
---@field uid integer
---@field type "file"|"directory"|"link"|"socket"|"fifo"|"device"

---The whole file. Raises PGO-LIMIT when it is larger than the limit (16 MiB).
---@param path string
---@param limit? integer bytes
---@return string
function fs.read(path, limit) end

---All or nothing: a temporary file beside it, then a rename; with sync (the default) it is on the disk afterwards.
---@param path string
---@param data string|pgorch.Secret
---@param options? {mode?: integer, sync?: boolean} mode 0600, sync true
function fs.write(path, data, options) end

---@param path string
---@param data string|pgorch.Secret
---@param options? {mode?: integer, sync?: boolean} mode 0600 (of a file that is made), sync false
function fs.append(path, data, options) end

---@param path string
---@return boolean
function fs.exists(path) end

---nil when there is nothing.
---@param path string
---@param options? {follow?: boolean} follow symbolic links (true)
---@return pgorch.Stat?
function fs.stat(path, options) end

---The names in a folder, sorted.
---@param path string
---@return string[]
function fs.list(path) end

---@param path string
---@param options? {mode?: integer, parents?: boolean} mode 0700; parents true: those above too, existing is fine
function fs.mkdir(path, options) end

---A file or an empty folder.
---@param path string
---@return boolean whether there was something
function fs.remove(path) end

---The folder and all below; symbolic links are removed, never followed. Missing is fine.
---@param path string
function fs.remove_tree(path) end

---@param from string
---@param to string replaced if it exists
function fs.rename(from, to) end

---@param path string
---@param mode integer
function fs.chmod(path, mode) end

---@param path string
---@param user string by name; the group becomes the user's own
function fs.chown(path, user) end

---What may still be written on the path's file system.
---@param path string
---@return integer bytes
function fs.free_space(path) end

---@class pgorch.FileLock
local FileLock = {}

---Idempotent.
function FileLock:close() end

---Locks a file, which is made where there is none, for as long as the lock is open and the process lives.
---@param path string
---@return pgorch.FileLock|nil  nil: it is locked already
function fs.lock(path) end

---Whether any process has the lock, this one too. Changes nothing.
---@param path string
---@return boolean
function fs.is_locked(path) end

---A file as a stream, and how many bytes it will give. With a length, a file that ends early fails the stream.
---@param path string
---@param options? {offset?: integer, length?: integer}
---@return pgorch.Stream stream, integer bytes
function fs.source(path, options) end

---Writes all of the stream to a file. Without an offset, what the file held before is dropped; with one, only the
---bytes from there on are replaced. Raises the stream's own error, or PGO-IO with the path and the bytes written.
---@param path string
---@param stream pgorch.Stream
---@param options? {offset?: integer, create?: boolean, mode?: integer, sync?: boolean, digests?: ("md5"|"sha256")[]}
---@return {bytes: integer, md5: string?, sha256: string?}
function fs.sink(path, stream, options) end

return fs
