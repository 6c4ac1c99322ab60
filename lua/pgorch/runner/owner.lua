-- Which process works on a run: its name for good, and whether the one that a record names still does. Looks at /proc
-- and at the record; asks nobody.

local clock = require "pgorch.clock"
local fs    = require "pgorch.fs"
local host  = require "pgorch.native.host"

local owner = {}

local function read_first(path)
  local ok, text = pcall(fs.read, path, 4096)
  return ok and text or ""
end

-- Start time of a process: field 22 of its stat line, counted after the name, which may hold anything. One that has
-- ended, and that nobody has waited for yet (field 3), has none.
local function started(pid)
  local rest, at = read_first(("/proc/%d/stat"):format(pid)):match("^.*%)%s+(.*)$") or "", 2
  for word in rest:gmatch("%S+") do
    at = at + 1
    if at == 3 and word == "Z" then return "0" end
    if at == 22 then return word end
  end
  return "0"
end

-- This machine as long as it runs, by the name that a container has too: containers of one machine do not see each
-- other's processes.
local function here()
  local boot, name = read_first "/proc/sys/kernel/random/boot_id", read_first "/proc/sys/kernel/hostname"
  return ("%s/%s"):format(boot:match "%S*", name:match "%S*")
end

---Names this process for good: boot, machine, number, start time.
---@return string
function owner.this()
  return ("%s:%d:%s"):format(here(), host.pid(), started(host.pid()))
end

---Whether the process that the text names lives; nil: it is on another machine, or in another container of this one,
---and cannot be seen.
---@param text string   as this() gives it
---@return boolean|nil
function owner.seen_alive(text)
  local where, pid, start = text:match("^(.*):(%d+):(%d+)$")
  if where ~= here() then return nil end
  return host.is_alive(tonumber(pid)) and started(tonumber(pid)) == start
end

---Whether a process works on the run: one that has its lock, one that is seen here, or one of another machine whose
---lease is good.
---@param run pgorch.Run
---@return boolean
function owner.is_at_work(run)
  if not run.owner then return false end
  if run.locked then return true end
  local alive = owner.seen_alive(run.owner)
  if alive == nil then return run.leased end
  return alive
end

---A process, in words.
---@param text string   an owner, as this() gives it
---@return string
function owner.words(text)
  local machine, pid = text:match("/(.-):(%d+):%d+$")
  return machine and ("process %s on %s"):format(pid, machine) or "process " .. text
end

---The store as the process that works on a run uses it, for work without a recipe; nil when another one has the run.
---@param st pgorch.Store
---@param run pgorch.Run
---@return pgorch.Store|nil
function owner.take(st, run)
  local asked = clock.uptime()
  local taken, fence = st:claim(run, owner.this(), owner.seen_alive)
  return taken == true and st:as_writer(run.id, fence, asked) or nil
end

return owner
