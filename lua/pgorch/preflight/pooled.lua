-- Whether a connection goes through a pooler: pg_dump needs a session of its own, from its first statement to its last.

local M = {}

local PORTS = { [6432] = "PgBouncer's", [6543] = "Supavisor's" }

local CURE = "Use the host and port of the database itself; the provider's console shows both."

-- A server tells its process when it lets somebody in, for a cancel. A pooler tells a number of its own.
local function is_pooled(conn)
  return conn.pid ~= conn:value "select pg_backend_pid()"
end

local function hint(source)
  if source.host:find("-pooler.", 1, true) or source.host:find("^pooler%.") or source.host:find("%.pooler%.") then
    return ("the host %s is named like a pooler"):format(source.host)
  end
  if PORTS[source.port] then return ("port %d is %s usual one"):format(source.port, PORTS[source.port]) end
end

---@param ctx table
---@param found pgorch.Findings
---@param conn table   to the source
function M.check(ctx, found, _, conn)
  local source = ctx.source
  if is_pooled(conn) then
    return found:fail("PGO-POOLED", ("%s:%d is a connection pooler"):format(source.host, source.port),
      { fate = "pg_dump would fail, or dump a mixture of states", cure = CURE })
  end
  local looks = hint(source)
  if looks then return found:warn(looks, { fate = "pg_dump must not go through a pooler", cure = CURE }) end
  found:pass "the connection goes to the server itself"
end

---What a pooler says when it does not know a session's settings, as a finding; nil for any other error.
---@param why any
---@return boolean
function M.refused(why)
  return type(why) == "table" and why.id == "PGO-PG-CONNECT"
    and (tostring(why.message) .. tostring(why.detail)):find("unsupported startup parameter", 1, true) ~= nil
end

return M
