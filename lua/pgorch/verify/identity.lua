-- Which database it is that was reached, whatever the address says. Reads two things of a snapshot; never writes.

local snapshot = require "pgorch.verify.snapshot"
local source   = require "pgorch.source"

local M = {}

-- A server has begun at a moment of its own; its identifier, which some providers do not let be read, is that of its
-- standbys too.
local DATABASE = "select pg_postmaster_start_time()::text as started, oid::bigint as oid from pg_database "
  .. "where datname = current_database()"

local function system_of(conn)
  local row = snapshot.attempt(conn, conn.row, conn, source.sql "identity")
  return row and row.system
end

---Whether two connections lead to one database of one server.
---@param a pgorch.Connection
---@param b pgorch.Connection
---@return boolean
function M.same(a, b)
  local one, other = a:row(DATABASE), b:row(DATABASE)
  if one.started ~= other.started or one.oid ~= other.oid then return false end
  local system, other_system = system_of(a), system_of(b)
  return not system or not other_system or system == other_system
end

---"USER@HOST:PORT/DATABASE": what a reader knows a database by.
---@param conn pgorch.Connection
---@param port integer|string
---@return string
function M.address(conn, port)
  local host = conn.host:find(":", 1, true) and "[" .. conn.host .. "]" or conn.host
  return ("%s@%s:%s/%s"):format(conn.user, host, port, conn.dbname)
end

return M
