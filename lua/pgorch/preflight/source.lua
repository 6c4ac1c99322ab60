-- Checks of the source database: what of it pg_dump could not read, Heroku could not take, or the dump leaves behind.
-- Every query is a file of sql/; each finding names the objects it is about.

local freeze    = require "pgorch.freeze"
local pg_client = require "pgorch.pg_client"
local plans     = require "pgorch.heroku.plans"
local source    = require "pgorch.source"

local M = {}

local GB = 2 ^ 30

local function names_of(rows, format)
  local names = {}
  for i, row in ipairs(rows) do
    if i > 12 then
      names[#names + 1] = ("... and %d more"):format(#rows - 12)
      break
    end
    names[#names + 1] = format(row)
  end
  return table.concat(names, "\n")
end

-- The comparison after the restore reads pg_trigger.tgparentid, which came with 13.
local OLDEST = 13

---Whether the server is too old for the other checks, which is then a finding.
---@param found pgorch.Findings
---@param version_num integer   120022 is 12.22, 90624 is 9.6.24
---@return boolean
function M.is_too_old(found, version_num)
  local major, rest = version_num // 10000, version_num % 10000
  if major >= OLDEST then return false end
  local version = major >= 10 and ("%d.%d"):format(major, rest) or ("%d.%d.%d"):format(major, rest // 100, rest % 100)
  found:fail("PGO-PG-VERSION", ("the source is PostgreSQL %s; %d is the oldest that can be moved"):format(version,
    OLDEST), { cure = ("Upgrade the source to PostgreSQL %d or newer first, at its provider."):format(OLDEST) })
  return true
end

local function check_versions(ctx, found, facts)
  local wanted = tonumber(ctx.params.version)
  facts.client = found:try(pg_client.choose, facts.major, wanted)
  if facts.client then found:pass(("pg_dump %s for PostgreSQL %s"):format(facts.client.version, facts.version)) end
  if wanted and wanted < facts.major then
    found:fail("PGO-PG-VERSION", ("the target would be PostgreSQL %d, older than the source (%d)"):format(wanted,
      facts.major))
  end
end

local function check_gone(ctx, found, facts, conn)
  local rows = conn:query(source.sql "gone")
  if #rows == 0 or tonumber(ctx.params.version) == facts.major then return end
  found:fail("PGO-PG-VERSION", ("%d objects that newer majors than %d cannot have"):format(#rows, facts.major),
    { detail = names_of(rows, function(r) return r.kind .. " " .. r.name end),
      cure = "drop or rewrite them on the source" })
end

local function check_size(ctx, found, facts)
  if facts.tables == 0 and not ctx.params.allow_empty then
    found:fail("PGO-EMPTY-SOURCE", ("%s has no tables"):format(facts.name))
  end
  local plan = plans.find(ctx.params.plan or "")
  local gb = facts.bytes / GB
  if plan and facts.bytes > plan.bytes * 0.9 then
    found:fail("PGO-TARGET-SIZE", ("%.1f GB do not fit %s, which holds %.0f GB"):format(gb, plan.slug, plan.bytes / GB))
  end
  if plan and plan.tables and facts.tables > plan.tables then
    found:fail("PGO-TARGET-SIZE", ("%d tables do not fit %s, which holds %d"):format(facts.tables, plan.slug,
      plan.tables))
  end
  if gb > 100 and not ctx.params.allow_large then
    found:fail("PGO-TARGET-SIZE", ("%.0f GB: dump and restore is meant for less than 100 GB"):format(gb),
      { cure = "pass --allow-large to move it all the same" })
  elseif gb > 20 then
    found:warn(("%.0f GB: the restore will take hours"):format(gb))
  end
end

local function check_server(ctx, found, facts, conn)
  if facts.encoding ~= "UTF8" then
    found:warn(("the encoding is %s; Heroku's is UTF8: text is converted while it is restored"):format(facts.encoding))
  end
  if facts.standby then
    found:fail("PGO-FREEZE", "the source is a standby: it cannot be closed for writing", { cure = "name the primary" })
  end
  local problem, cure = freeze.problem(ctx)
  if problem then found:fail("PGO-FREEZE", problem, { cure = cure }) end
  local prepared = conn:query(source.sql "prepared")
  if #prepared > 0 then
    found:fail("PGO-PREPARED", ("%d prepared transactions could still commit"):format(#prepared),
      { detail = names_of(prepared, function(r) return ("%s of %s, since %s"):format(r.gid, r.user, r.since) end) })
  end
  if facts.other_databases > 0 then
    found:warn(("%d other databases in the same cluster are not moved"):format(facts.other_databases))
  end
end

local function check_readable(found, conn)
  local rows = conn:query(source.sql "row_security")
  if #rows > 0 then
    found:fail("PGO-ROW-SECURITY", ("row security hides rows from this role, in tables: %d"):format(#rows),
      { detail = names_of(rows, function(r) return r.table end) })
  end
  rows = conn:query(source.sql "unreadable")
  if #rows > 0 then
    found:fail("PGO-UNREADABLE", ("tables or sequences that cannot be read: %d"):format(#rows),
      { detail = names_of(rows, function(r) return r.name end) })
  end
  local large = conn:row(source.sql "large_object_count")
  if large.unreadable > 0 then
    found:fail("PGO-UNREADABLE", ("%d large objects cannot be read"):format(large.unreadable))
  end
  if large.count > 10000 then found:warn(("%d large objects: the restore may be slow"):format(large.count)) end
end

local function check_restorable(found, conn)
  local rows = conn:query(source.sql "policy_roles")
  for _, row in ipairs(rows) do
    found:fail("PGO-POLICY-ROLE", ("policy %s of %s names role %s, which will not exist: it would be lost")
      :format(row.policy, row.table, row.role))
  end
  rows = conn:query(source.sql "not_restorable")
  if #rows > 0 then
    found:fail("PGO-NOT-RESTORABLE", ("%d objects can only be made by a superuser"):format(#rows),
      { detail = names_of(rows, function(r) return r.kind .. " " .. r.name end) })
  end
  rows = conn:query(source.sql "not_carried")
  if #rows > 0 then
    found:warn(("%d roles, grants or settings are not carried"):format(#rows),
      { detail = names_of(rows, function(r) return r.kind .. " " .. r.name end) })
  end
end

local function check_clients(found, conn, facts)
  facts.clients = conn:query(source.sql "clients")
  if #facts.clients > 0 then
    found:warn(("%d clients are connected to the source; they will be read-only after the window opens"):format(
      #facts.clients), { detail = names_of(facts.clients, function(r)
        return ("%s (%s at %s), %d sessions"):format(r.application or "?", r.user or "?", r.address or "local",
          r.sessions)
      end) })
  end
end

---What the other checks and steps need to know.
---@return table
function M.facts(conn)
  local facts = conn:row(source.sql "database")
  facts.tables = #conn:query(source.sql "tables")
  facts.extensions = conn:query(source.sql "extensions")
  facts.tls = conn.tls
  return facts
end

---@param ctx table
---@param found pgorch.Findings
---@return table facts
function M.check(ctx, found)
  local conn <close> = ctx.source:connect()
  if M.is_too_old(found, conn.server_version) then return {} end
  local facts = M.facts(conn)
  check_versions(ctx, found, facts)
  check_gone(ctx, found, facts, conn)
  check_size(ctx, found, facts)
  check_server(ctx, found, facts, conn)
  check_readable(found, conn)
  check_restorable(found, conn)
  check_clients(found, conn, facts)
  return facts
end

return M
