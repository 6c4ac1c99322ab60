-- What the role that dumps could not read: pg_dump would stop at the first, a count would lie.

local preflight = require "pgorch.preflight"
local source    = require "pgorch.source"

local M = {}

---Tables whose rows row security hides from this role.
function M.row_security(_, found, _, conn)
  local rows = conn:query(source.sql "row_security")
  if #rows == 0 then return found:pass "row security hides nothing" end
  found:fail("PGO-ROW-SECURITY", ("row security hides rows from this role, in tables: %d"):format(#rows),
    { detail = preflight.names(rows, function(r) return r.table end), fate = "pg_dump refuses to dump them" })
end

---Tables and sequences without the privilege to read them.
function M.relations(_, found, _, conn)
  local rows = conn:query(source.sql "unreadable")
  if #rows == 0 then return found:pass "all tables and sequences can be read" end
  found:fail("PGO-UNREADABLE", ("tables or sequences that cannot be read: %d"):format(#rows),
    { detail = preflight.names(rows, function(r) return r.name end), fate = "pg_dump stops at the first" })
end

---Large objects.
function M.large_objects(_, found, _, conn)
  local rows = conn:query(source.sql "preflight/unreadable_large_objects")
  if #rows == 0 then return found:pass "all large objects can be read" end
  found:fail("PGO-UNREADABLE", ("%s cannot be read"):format(preflight.number(#rows, "large object")),
    { detail = preflight.names(rows, function(r) return ("%d of %s"):format(r.oid, r.owner) end),
      fate = "pg_dump stops at the first",
      cure = "as its owner: grant select on large object OID to the role that dumps" })
end

return M
