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

return fs
