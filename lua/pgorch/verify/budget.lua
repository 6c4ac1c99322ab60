-- How many connections may read one database at once: few, and never the last ones of a server that others use.

local source = require "pgorch.source"

local M = {}

M.MOST = 4           -- more read no faster from the small servers that are moved
local SPARE = 5      -- left for the application, and for the other steps of a run

---@param free integer            connections that the server has left
---@param limit? integer|nil      connections that the plan allows
---@return integer
function M.choose(free, limit)
  if limit then free = math.min(free, limit) end
  return math.max(1, math.min(M.MOST, (free - SPARE) // 2 + 1))
end

---Connections to use, the one that asks among them.
---@param conn pgorch.Connection
---@param limit? integer
---@return integer
function M.jobs(conn, limit)
  return M.choose(conn:value(source.sql "connections"), limit)
end

return M
