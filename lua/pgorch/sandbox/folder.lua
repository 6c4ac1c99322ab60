-- The world's folder: made under /tmp, or where it is wanted, with a name short enough for Unix sockets, and removed
-- with the world. Folders whose pgorch is dead (kill -9, power) are removed by the next one that starts. Never touches
-- a folder of another user, nor one whose process still lives.

local clock = require "pgorch.clock"
local fs    = require "pgorch.fs"
local host  = require "pgorch.native.host"
local log   = require "pgorch.log"

local folder = {}

local BASE, PREFIX = "/tmp", "pgorch-world-"
local OWNER  = "/owner"                 -- "PID STARTED" of the pgorch that owns the folder
local GRACE  = 600                      -- a folder without an owner file may be one that is being made

--- When a process started, in clock ticks since boot; nil when there is none. A number alone proves nothing: it may
--- have been given to another process since.
---@param pid integer|string
---@return string|nil
local function started(pid)
  local ok, stat = pcall(fs.read, ("/proc/%s/stat"):format(pid))
  if not ok then return nil end
  local position = 2
  for field in stat:match("^%d+ %(.*%) (.*)$"):gmatch "%S+" do
    position = position + 1
    if position == 22 then return field end
  end
end

local function is_dead(path)
  local ok, text = pcall(fs.read, path .. OWNER)
  local pid, since = (ok and text or ""):match("^(%d+) (%d+)$")
  if not pid then return clock.time() - fs.stat(path).mtime > GRACE end
  return started(pid) ~= since
end

--- Removes what dead worlds left behind. What cannot be removed is left for the next time.
---@param base? string
function folder.sweep(base)
  local uid = host.user().uid
  for _, name in ipairs(fs.list(base or BASE)) do
    local path = ("%s/%s"):format(base or BASE, name)
    if name:sub(1, #PREFIX) == PREFIX then
      local ok, why = pcall(function()
        local about = fs.stat(path)
        if about.uid == uid and about.type == "directory" and is_dead(path) then fs.remove_tree(path) end
      end)
      if not ok then log.debug("a stale sandbox folder stays", { path = path, why = tostring(why) }) end
    end
  end
end

--- Makes the folder of a new world.
---@param base? string
---@return string path
function folder.make(base)
  local path = fs.mkdtemp(("%s/%s"):format(base or BASE, PREFIX))
  fs.write(path .. OWNER, ("%d %s"):format(host.pid(), started "self"))
  -- The servers run as another user when pgorch is root: they must be able to walk through, not to list.
  fs.chmod(path, 711)
  return path
end

return folder
