-- The PostgreSQL servers, and the second pg_dump, that vendor/postgres-majors.sh has installed. A test that needs one
-- that is not there is skipped, with the script's name.

local fs   = require "pgorch.fs"
local host = require "pgorch.native.host"

local majors = { ALL = { 13, 14, 15, 16, 17, 18 } }

local function folder()
  if host.user().uid == 0 then return "/var/cache/pgorch/postgres" end
  return host.executable():gsub("/[^/]+$", "") .. "/../deps/postgres"
end

---The bin folder of the server of that major; nil when it was not installed.
---@param major integer
---@return string|nil
function majors.bin(major)
  local bin = ("%s/%d/bin"):format(folder(), major)
  return fs.exists(bin .. "/postgres") and bin or nil
end

---The folder of pg_dump 14; nil when it was not installed, as on arm64.
---@return string|nil
function majors.client_14()
  local bin = folder() .. "/client-14/bin"
  return fs.exists(bin .. "/pg_dump") and bin or nil
end

---A reason to skip when a server of these is missing.
---@param ... integer
---@return string|nil
function majors.missing(...)
  for _, major in ipairs { ... } do
    if not majors.bin(major) then return ("vendor/postgres-majors.sh has not installed PostgreSQL %d"):format(major) end
  end
end

return majors
