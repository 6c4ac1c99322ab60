-- Files and folders. Every call waits without holding anything else up; failures raise PGO-IO with the path and
-- the reason, err.detail is the errno's name ("ENOSPC"). Modes are written as in a shell: 0600.

local native = require "pgorch.native.fs"

local fs = {}
for name, fn in pairs(native) do fs[name] = fn end

---Makes a folder (0700) with a name nobody else has. A prefix without a slash is put below $TMPDIR.
---@param prefix string
---@return string path
function fs.mkdtemp(prefix)
  if not prefix:find("/", 1, true) then
    prefix = (require("pgorch.env").get("TMPDIR") or "/tmp") .. "/" .. prefix
  end
  return native.mkdtemp(prefix)
end

---Runs fn(path) with a temporary folder that is removed afterwards, whatever happens.
---@param prefix string
---@param fn fun(path: string): ...
function fs.with_temporary(prefix, fn)
  local task = require "pgorch.task"
  local path = fs.mkdtemp(prefix)
  local _ <close> = setmetatable({}, { __close = function() task.shield(60, native.remove_tree, path) end })
  return fn(path)
end

---Replaces what a file holds from `offset` on, as far as the block reaches. With `sync` all of the file is on the disk
---afterwards.
---@param path string
---@param offset integer
---@param block pgorch.Bytes|string
---@param o? {sync?: boolean}
function fs.write_at(path, offset, block, o)
  local task, stream = require "pgorch.task", require "pgorch.stream"
  local from = stream.new()
  task.group(function(group)
    group:spawn(function()
      from:write(block)
      from:finish()
    end)
    native.sink(path, from, { offset = offset, create = false, sync = o and o.sync })
  end)
end

---The SHA-256 of a file's bytes, read a piece at a time.
---@param path string
---@return string hex
function fs.sha256(path)
  local crypto = require "pgorch.crypto"
  local hasher, body = crypto.hasher "sha256", (native.source(path))
  for block in function() return body:take(4 << 20) end do
    hasher:update(block)
    block:free()
  end
  return hasher:finish()
end

return fs
