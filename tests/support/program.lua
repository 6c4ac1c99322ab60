-- The program that is tested, where every user of the machine may run it: a clone in /root is closed to others.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local process = require "pgorch.process"

local program = {}

---Copies pgorch, and what it finds beside itself, into a folder, which is opened for all.
---@param folder string
---@return string path of the program there
function program.for_all(folder)
  fs.mkdir(folder)
  fs.chmod(folder, 755)
  local path, name = host.executable():match "^(.*/)([^/]+)$"
  for _, each in ipairs { name, "libpgorch.so.0", "pgorch-exec" } do
    process.run { "install", "-m", "755", "-t", folder, path .. each }
  end
  return folder .. "/" .. name
end

return program
