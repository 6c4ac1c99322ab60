-- What a row's own process does not see of the machine that it runs on: databases that somebody has named there for
-- other uses. Each row names its own.

local M = {}

local REMOVED = { "SOURCE_DATABASE_URL", "TARGET_DATABASE_URL", "DATABASE_URL", "PGHOST", "PGHOSTADDR", "PGPORT",
                  "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSERVICEFILE", "PGOPTIONS",
                  "PGTARGETSESSIONATTRS" }

local removed = {}
for _, name in ipairs(REMOVED) do removed[name] = true end

---@param name string
---@return boolean
function M.is_removed(name) return removed[name] == true end

---For process.spawn: `false` removes a variable.
---@param more? table<string, any>  variables that the process gets besides
---@return table<string, any>
function M.env(more)
  local env = {}
  for name in pairs(removed) do env[name] = false end
  for name, value in pairs(more or {}) do env[name] = value end
  return env
end

return M
