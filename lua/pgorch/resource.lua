-- Files embedded in the program: SQL, recipes, sample data.

local native = require "pgorch.native.resource"
local fail = require "pgorch.error"

local resource = { list = native.list }

---@param path string  "pgorch/sql/tables.sql"
---@return string
function resource.read(path)
  return native.read(path) or fail.raise("PGO-BUG", "there is no embedded file " .. path)
end

---@return string|nil
function resource.find(path)
  return native.read(path)
end

return resource
