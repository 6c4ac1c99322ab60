-- The environment. Names that hold secrets are read as secrets: their values never become Lua strings, and
-- children do not inherit them.

local native = require "pgorch.native.host"
local process = require "pgorch.native.process"

local env = {}

---@return string|nil  nil when unset or empty
function env.get(name)
  local value = native.getenv(name)
  return value ~= "" and value or nil
end

---@return userdata|nil secret  nil when unset or empty
function env.secret(name)
  local value = native.getenv_secret(name)
  if value then process.hide(name) end
  return value and #value > 0 and value or nil
end

---@return table<string, string>
env.all = native.environ

return env
