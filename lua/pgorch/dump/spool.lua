-- A dump that goes into a file before it is uploaded (--spool), so that a run that was killed in the upload, or that
-- the storage failed, uploads it without dumping again. The file has a name of its own for each dump of a run; it is
-- used again only while it is, byte for byte, what was written, and while nothing was written to the source since.

local detector = require "pgorch.detector"
local dump     = require "pgorch.dump"
local fail     = require "pgorch.error"
local file     = require "pgorch.dump.file"
local fs       = require "pgorch.fs"
local task     = require "pgorch.task"

local spool = {}

---@class pgorch.Spooled
---@field path string
---@field bytes? integer      nil until it is whole
---@field sha256? string
---@field mark? pgorch.Mark   where the source stood

---@param dir string
---@param run string
---@param attempt integer
---@param try integer
---@return string
function spool.path(dir, run, attempt, try)
  return ("%s/%s-%d%s.dump"):format(dir:gsub("/+$", ""), run, attempt, try > 1 and "-" .. try or "")
end

local function explained(err)
  if fail.is(err, "PGO-IO") and err.detail == "ENOSPC" then
    err.cure = "Make room in the folder of --spool, or go without it: then no file is needed."
  end
  return err
end

---Dumps into a file. PGO-IO when there is no room; then, and whenever the dump fails, the file is gone.
---@async
---@param o pgorch.DumpOptions
---@param path string
---@return pgorch.Spooled
function spool.write(o, path)
  local whole = false
  local _ <close> = setmetatable({}, { __close = function()
    if not whole then task.shield(30, fs.remove, path) end
  end })
  local ok, bytes = pcall(dump.run, o, function(archive, state) return file.write(path, archive, state.archive) end)
  if not ok then error(explained(bytes), 0) end
  local sha256 = fs.sha256(path)
  whole = true
  return { path = path, bytes = bytes, sha256 = sha256 }
end

---Whether a file that an interrupted attempt has left is still the dump of what the source holds now.
---@async
---@param kept pgorch.Spooled|nil
---@param from pgorch.Source
---@return boolean
function spool.stands(kept, from)
  if not kept or not kept.sha256 then return false end
  local there = fs.stat(kept.path)
  if not there or there.size ~= kept.bytes or fs.sha256(kept.path) ~= kept.sha256 then return false end
  return detector.ask(from, kept.mark).answer == "quiet"
end

return spool
