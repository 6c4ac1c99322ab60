-- How much of the disk a rehearsal takes, and whether there is as much. Reads only.

local fail   = require "pgorch.error"
local fs     = require "pgorch.fs"
local values = require "pgorch.recipe.values"

local M = {}

-- A small cluster with its log of writes.
local CLUSTER = 512 * 1000 * 1000

---A copy of the database, and the dump twice: in the storage, and where it is restored from. A dump is compressed; with
---half the size of the tables most are counted too large.
---@param size {bytes: integer, tables: table[], large_object_bytes: integer|nil}
---@return integer bytes
---@return integer dump
function M.need(size)
  local data = size.large_object_bytes or 0
  for _, each in ipairs(size.tables) do data = data + each.bytes end
  local dump = math.ceil(math.min(data, size.bytes) / 2)
  return size.bytes + 2 * dump + CLUSTER, dump
end

---Raises PGO-REHEARSAL-SPACE where there is not enough.
---@param folder string
---@param size table
---@return string how much, in words
function M.refuse_without(folder, size)
  local need, dump = M.need(size)
  local have = fs.free_space(folder)
  if have >= need then
    return ("up to %s in %s, where %s are free"):format(values.show_size(need), folder, values.show_size(have))
  end
  fail.raise("PGO-REHEARSAL-SPACE", ("a rehearsal needs about %s in %s, and %s are free"):format(
    values.show_size(need), folder, values.show_size(have)), {
    detail = ("a copy of the database: %s; its dump twice, about %s each; the server's own files: %s"):format(
      values.show_size(size.bytes), values.show_size(dump), values.show_size(CLUSTER)),
    cure = "Name a folder on a larger disk with --folder, or make room." })
end

return M
