-- A dump that goes into a file before it is uploaded (--spool), so that a run that was killed in the upload, or that
-- the storage failed, uploads it without dumping again. The file has a name of its own for each dump of a run; it is
-- used again only while it is, byte for byte, what was written, and while nothing was written to the source since.

local detector = require "pgorch.detector"
local dump     = require "pgorch.dump"
local fail     = require "pgorch.error"
local file     = require "pgorch.dump.file"
local fs       = require "pgorch.fs"
local host     = require "pgorch.native.host"
local task     = require "pgorch.task"

local spool = {}

---@class pgorch.Spooled
---@field path string         absolute: whoever removes it may be in another folder
---@field machine? string     that it was written on
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

---A file that is about to be written.
---@param path string
---@return pgorch.Spooled
function spool.at(path) return { path = path, machine = host.hostname() } end

local FULL = { ENOSPC = true, EDQUOT = true }

-- Another full disk, that of pg_dump's log for one, is not the dump's: there is nothing here to say about it.
local function explained(err, path)
  if fail.is(err, "PGO-IO") and FULL[err.detail] and err.message:find(path, 1, true) then
    err.put_back = true
    err.cure = "Make room in the folder of --spool and `pgorch resume RUN`, or begin another run without --spool: then "
      .. "no file is needed."
  end
  return err
end

---Dumps into a file. PGO-IO when there is no room; then, and whenever the dump fails, the file is gone.
---@async
---@param o pgorch.DumpOptions
---@param path string
---@return pgorch.Spooled
function spool.write(o, path)
  local made, whole = spool.at(path), false
  local _ <close> = setmetatable({}, { __close = function()
    if not whole then task.shield(30, fs.remove, path) end
  end })
  local ok, bytes = pcall(dump.run, o, function(archive, state) return file.write(path, archive, state.archive) end)
  if not ok then error(explained(bytes, path), 0) end
  made.bytes, made.sha256 = bytes, fs.sha256(path)
  whole = true
  return made
end

local NAMED = 3      -- tables that were written to

local function written(names)
  local more = #names > NAMED and (" and %d more"):format(#names - NAMED) or ""
  return "was written to since: " .. table.concat(names, ", ", 1, math.min(#names, NAMED)) .. more
end

local function why_not_quiet(from, mark)
  local judged = detector.ask(from, mark)
  if judged.answer == "quiet" then return nil end
  return "the source " .. (judged.answer == "written" and written(judged.names)
    or "may have been written to since: " .. judged.why)
end

local function why_not_it(kept)
  local there = fs.stat(kept.path)
  if not there then return ("there is no %s on %s"):format(kept.path, host.hostname()) end
  if not kept.sha256 then return kept.path .. " is not all of a dump" end
  if there.size ~= kept.bytes or fs.sha256(kept.path) ~= kept.sha256 then
    return kept.path .. " is not what was written"
  end
end

---Whether a file that an interrupted attempt has left is still the dump of what the source holds now.
---@async
---@param kept pgorch.Spooled|nil
---@param from pgorch.Source
---@return boolean
---@return string|nil why   it is not
function spool.stands(kept, from)
  if not kept then return false end
  local why = why_not_it(kept) or why_not_quiet(from, kept.mark)
  return why == nil, why
end

---Removes the file. One that is not here may be on another machine, or on a disk that is not mounted.
---@async
---@param kept pgorch.Spooled
---@return string|nil left   what is to be said then
function spool.remove(kept)
  if fs.remove(kept.path) then return nil end
  local here = host.hostname()
  if not kept.sha256 and kept.machine == here then return nil end          -- it did not come about
  return ("%s was written on %s and is not on %s now: it holds the database, remove it where it is"):format(kept.path,
    kept.machine, here)
end

return spool
