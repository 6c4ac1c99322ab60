-- The source's major against the client programs of this machine and the target's major.

local pg_client = require "pgorch.pg_client"
local preflight = require "pgorch.preflight"
local source    = require "pgorch.source"
local way       = require "pgorch.way"

local M = {}

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

---Which pg_dump there is for it: one of this machine, unless Heroku's own fetches the data.
function M.clients(ctx, found, facts)
  local wanted = tonumber(ctx.params.version)
  if way.of(ctx) ~= "heroku" then facts.client = found:try(pg_client.choose, facts.major, wanted) end
  if facts.client then found:pass(("pg_dump %s for PostgreSQL %s"):format(facts.client.version, facts.version)) end
  if wanted and wanted < facts.major then
    found:fail("PGO-PG-VERSION", ("the target would be PostgreSQL %d, older than the source (%d)"):format(wanted,
      facts.major))
  end
end

---What newer majors took away.
function M.gone(ctx, found, facts, conn)
  local rows = conn:query(source.sql "gone")
  if #rows == 0 or tonumber(ctx.params.version) == facts.major then
    return found:pass "nothing that newer majors cannot have"
  end
  found:fail("PGO-PG-VERSION", ("%d objects that newer majors than %d cannot have"):format(#rows, facts.major),
    { detail = preflight.names(rows, function(r) return r.kind .. " " .. r.name end),
      fate = "refused by the restore", cure = "drop or rewrite them on the source" })
end

return M
