-- What the system allows this process: no core dumps, and enough of files and processes.

local fs     = require "pgorch.fs"
local values = require "pgorch.recipe.values"

local FILES, PROCESSES, FILE_SIZE = 256, 128, 1 << 30

-- "Max open files   1024   4096   files" -> the first number; math.huge where there is no limit.
local function soft(text, name)
  local value = text:match("Max " .. name .. "%s+(%S+)")
  return value == "unlimited" and math.huge or tonumber(value)
end

local function check_enough(found, limit, least, what, cure)
  if not limit then return end
  local shown = limit == math.huge and "unlimited" or ("%d"):format(limit)
  if limit >= least then return found:pass(("%s: %s"):format(what, shown)) end
  found:warn(("%s: %s, %d may be needed"):format(what, shown, least), { cure = cure })
end

local function check_core(found, limit)
  if limit == 0 then return found:pass "core dumps are off" end
  found:fail("PGO-IO", "core dumps are on: one would hold every secret",
    { cure = "Turn them off where pgorch is started: ulimit -c 0" })
end

return function(found, o)
  local ok, text = pcall(fs.read, o.limits or "/proc/self/limits")
  if not ok then return found:note "what the system allows this process is not told here" end
  check_core(found, soft(text, "core file size"))
  check_enough(found, soft(text, "open files"), FILES, "open files", "Raise it: ulimit -n 1024")
  check_enough(found, soft(text, "processes"), PROCESSES, "processes of this user", "Raise it: ulimit -u 1024")
  local size = soft(text, "file size")
  if size and size < FILE_SIZE then
    found:warn(("no file may be larger than %s"):format(values.show_size(size)),
      { cure = "Raise it: ulimit -f unlimited" })
  end
end
