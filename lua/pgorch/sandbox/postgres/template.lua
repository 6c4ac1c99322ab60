-- Data directories that were made before: initdb and the sample data take seconds, a copy takes a tenth of one.
-- Owns $XDG_CACHE_HOME/pgorch/sandbox. An entry appears by one rename when it is complete, and carries the list of its
-- files with their sizes: one that does not match (power loss, a full disk, a meddler) is removed, never used.

local clock   = require "pgorch.clock"
local crypto  = require "pgorch.crypto"
local env     = require "pgorch.env"
local fs      = require "pgorch.fs"
local log     = require "pgorch.log"
local process = require "pgorch.process"
local task    = require "pgorch.task"

local template = {}

local ABANDONED = 3600                               -- seconds; nobody takes that long to fill an entry

local function cache_folder()
  local base = env.get "XDG_CACHE_HOME"
  if not base or base == "" then base = (env.get "HOME" or "/tmp") .. "/.cache" end
  return base .. "/pgorch/sandbox"
end

local function copy(from, to)
  process.run { "cp", "-a", "--reflink=auto", from, to }
end

local function manifest(data)
  local files = process.run { "sh", "-c", [[cd "$1" && find . -type f -printf '%s %P\n' | LC_ALL=C sort]], "sh", data,
    limit = 16 << 20 }
  return crypto.sha256(files.stdout)
end

local function discard(entry)
  local trash = ("%s.%s"):format(entry, crypto.hex(crypto.random(4)))
  if pcall(fs.rename, entry, trash) then fs.remove_tree(trash) end
end

--- Copies a cached data directory to `data`. False when there is none that can be used.
local function take(entry, data)
  if not fs.exists(entry) then return false end
  local ok, why = pcall(function()
    if manifest(entry .. "/data") ~= fs.read(entry .. "/manifest") then error("its files are not what they were", 0) end
    copy(entry .. "/data", data)
  end)
  if ok then return true end
  if task.cancelled(why) then error(why, 0) end        -- the entry is as good as it was
  if fs.exists(data) then fs.remove_tree(data) end
  if not fs.exists(entry) then return false end        -- another pgorch has dropped it meanwhile
  log.warn("a cached sandbox database cannot be used and is made again", { path = entry, why = tostring(why) })
  discard(entry)
  return false
end

--- Entries of the same kind that other versions of pgorch or of the sample left behind, and unfinished ones. What was
--- made within the hour may be in use: tests side by side have samples of their own.
local function drop_older(cache, kind, key)
  for _, name in ipairs(fs.list(cache)) do
    local path = cache .. "/" .. name
    local about = fs.stat(path)
    local old = about ~= nil and clock.time() - about.mtime > ABANDONED
    if old and (name:match "^new%-" or name ~= key and name:sub(1, #kind + 1) == kind .. ".") then discard(path) end
  end
end

local function keep(cache, kind, key, data)
  local entry = cache .. "/" .. key
  local fresh = ("%s/new-%s"):format(cache, crypto.hex(crypto.random(8)))
  local ok, why = pcall(function()
    fs.mkdir(fresh)
    copy(data, fresh .. "/data")
    fs.write(fresh .. "/manifest", manifest(fresh .. "/data"))
    drop_older(cache, kind, key)
    fs.rename(fresh, entry)
  end)
  if ok then return end
  pcall(task.shield, 60, fs.remove_tree, fresh)
  if task.cancelled(why) then error(why, 0) end
  -- Another pgorch was first, the disk is full, or there is no such home: we go on without.
  log.debug("the sandbox's database is not cached", { why = tostring(why) })
end

--- Puts a data directory at `data`: a copy of the cached one, or one that `build` makes there and leaves stopped.
---@param wanted { kind: string, identity: string[] } the kind (letters, digits, hyphens), and all that decides the
---content
---@param data string a path that does not exist
---@param build fun()
function template.provide(wanted, data, build)
  local cache = cache_folder()
  local key = ("%s.%s"):format(wanted.kind, crypto.sha256(table.concat(wanted.identity, "\n")):sub(1, 24))
  if take(cache .. "/" .. key, data) then return end
  build()
  keep(cache, wanted.kind, key, data)
end

return template
