-- The source as a server: that it can be closed for writing, and what in it would go on all the same.

local freeze    = require "pgorch.freeze"
local preflight = require "pgorch.preflight"
local source    = require "pgorch.source"

local M = {}

---@param ctx table
---@param found pgorch.Findings
---@param facts table
function M.closing(ctx, found, facts)
  if facts.standby then
    found:fail("PGO-FREEZE", "the source is a standby: it cannot be closed for writing", { cure = "name the primary" })
  end
  local problem, cure = freeze.problem(ctx)
  if problem then
    found:fail("PGO-FREEZE", problem, { fate = "what is written during the dump would be lost", cure = cure })
  end
end

---Transactions that need no session to commit.
function M.prepared(_, found, _, conn)
  local rows = conn:query(source.sql "prepared")
  if #rows == 0 then return found:pass "no prepared transactions" end
  found:fail("PGO-PREPARED", ("%s could still commit"):format(preflight.number(#rows, "prepared transaction")),
    { detail = preflight.names(rows, function(r) return ("%s of %s, since %s"):format(r.gid, r.user, r.since) end),
      fate = "what is committed after the dump is lost" })
end

---Other databases of the cluster, by name.
function M.others(_, found, facts, conn)
  if facts.other_databases == 0 then return end
  local rows = conn:query(source.sql "preflight/databases")
  found:warn("not moved: " .. preflight.number(#rows, "other database") .. " of the same cluster", {
    detail = preflight.names(rows, function(r) return r.name end),
    fate = "stays where it is; only " .. facts.name .. " is moved",
    cure = "move each with a run of its own (--dbname)" })
end

local function age(seconds)
  return seconds and ("%d minutes"):format(seconds // 60) or "an unknown time"
end

---Transactions that are open for long.
function M.transactions(_, found, _, conn)
  local long, hidden = {}, 0
  for _, row in ipairs(conn:query(source.sql "preflight/transactions")) do
    if row.hidden then hidden = hidden + 1 else long[#long + 1] = row end
  end
  if #long > 0 then
    found:warn("open for more than five minutes: " .. preflight.number(#long, "transaction"), {
      detail = preflight.names(long, function(r)
        return ("pid %d, %s, %s: %s for %s"):format(r.pid, r.user or "?", r.application or "", r.state, age(r.age))
      end),
      fate = "ended when the window opens; what they have not committed is rolled back",
      cure = "let them end first, or end them: select pg_terminate_backend(PID)" })
  elseif hidden == 0 then
    found:pass "no long transactions"
  end
  if hidden > 0 then
    found:warn(("%s of other roles cannot be looked into"):format(preflight.number(hidden, "session")),
      { fate = "how long their transactions are open is not known; they are ended when the window opens",
        cure = "grant pg_read_all_stats (or pg_monitor) to the role that asks" })
  end
end

---Locks that pg_dump would wait for.
function M.locks(_, found, _, conn)
  local locks = conn:query(source.sql "preflight/locks")
  if #locks == 0 then return found:pass "no locks that a dump would wait for" end
  found:warn(("%s would keep the dump waiting"):format(preflight.number(#locks, "lock")), {
    detail = preflight.names(locks, function(r)
      return ("%s: ACCESS EXCLUSIVE %s by pid %d, %s, %s, for %s"):format(r.name, r.granted and "held" or "awaited",
        r.pid, r.user, r.application, age(r.age))
    end),
    fate = "its session is ended when the window opens", cure = "let it end first" })
end

---Consumers of logical changes.
function M.slots(_, found, _, conn)
  local rows = conn:query(source.sql "preflight/slots")
  if #rows == 0 then return found:pass "no logical replication slots" end
  found:warn(preflight.number(#rows, "logical replication slot"), {
    detail = preflight.names(rows, function(r) return ("%s (%s)"):format(r.name, r.plugin) end),
    fate = "not carried: whoever reads changes from them gets none of the new database's",
    cure = "point these consumers elsewhere; Heroku Postgres classic plans offer no logical replication" })
end

return M
