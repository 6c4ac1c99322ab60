-- What removes a world's folder when its pgorch cannot any more (kill -9, a second Ctrl-C): a child that holds a pipe
-- to it, and wakes when that is cut. For worlds with somebody's real data in them, which must not lie about.

local process = require "pgorch.process"
local task    = require "pgorch.task"

local reaper = {}

-- The servers end by their death signal at the same time and may still write: tried again until nothing is there.
local SCRIPT = [[
trap '' HUP INT TERM
cat >/dev/null
n=0
while [ -e "$1" ] && [ "$n" -lt 300 ]; do
  rm -rf -- "$1" 2>/dev/null
  n=$((n + 1))
  [ -e "$1" ] && sleep 0.1
done
]]

local ENV = { PATH = "/usr/local/bin:/usr/bin:/bin", LANG = "C" }

---@class pgorch.sandbox.Reaper
local Reaper = {}
Reaper.__index = Reaper

--- The folder has been removed: there is nothing to wait for.
function Reaper:close()
  pcall(self.proc.stdin.finish, self.proc.stdin)
  task.shield(30, pcall, self.proc.wait, self.proc)
  self.proc:close()
end

--- Watches over a folder.
---@param dir string
---@return pgorch.sandbox.Reaper
function reaper.watch(dir)
  return setmetatable({ proc = process.spawn { "/bin/sh", "-c", SCRIPT, "sh", dir, stdin = "stream", stdout = "null",
    stderr = "null", check = false, death_signal = "none", env = ENV, env_clear = true, cwd = "/" } }, Reaper)
end

return reaper
