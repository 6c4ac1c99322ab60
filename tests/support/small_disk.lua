-- A disk of so many bytes for tests: a file system of its own, which can be filled. Skips the test where none can be
-- mounted.

local fs      = require "pgorch.fs"
local process = require "pgorch.process"
local test    = require "pgorch.test"

local small_disk = {}

---Mounts it at `dir`, which is made; gone when what is returned is closed.
---@param dir string
---@param bytes integer
function small_disk.at(dir, bytes)
  fs.mkdir(dir)
  local done = process.run { "mount", "-t", "tmpfs", "-o", ("size=%d,mode=0700"):format(bytes), "tmpfs", dir,
    check = false }
  if done.code ~= 0 then test.skip("no small file system can be mounted here: " .. done.stderr:match "[^\n]*") end
  return setmetatable({}, { __close = function() process.run { "umount", "-l", dir, check = false } end })
end

---Fills the disk with a file, to its last byte or as much before; removing the file makes room again.
---@param path string
---@param free? integer  bytes that stay
function small_disk.fill(path, free)
  process.run { "dd", "if=/dev/zero", "of=" .. path, "bs=4096", check = false }
  if free then process.run { "truncate", "-s", ("-%d"):format(free), path } end
end

return small_disk
