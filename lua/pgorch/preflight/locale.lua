-- Encoding and collations: bytes that a UTF8 database refuses, orders that differ, collations that are not there.

local preflight = require "pgorch.preflight"
local source    = require "pgorch.source"

local M = {}

local function check_encoding(ctx, found, encoding)
  if encoding == "UTF8" then return found:pass "the encoding is UTF8" end
  if encoding ~= "SQL_ASCII" then
    return found:warn(("the encoding is %s; Heroku's is UTF8"):format(encoding),
      { fate = "text is converted while it is restored; what UTF8 cannot hold is refused" })
  end
  local o = { fate = "nothing says how its text is encoded: a table with bytes that are no UTF-8 is refused as a whole",
    cure = "load it into a UTF8 database at the provider first, and mend what that refuses; or, if all of it is UTF-8, "
      .. "pass --allow-sql-ascii" }
  if ctx.params.allow_sql_ascii then return found:warn("the encoding is SQL_ASCII", o) end
  found:fail("PGO-ENCODING", "the encoding is SQL_ASCII", o)
end

---How a database compares text, in words: "libc en_US.UTF-8".
---@param locale table   a row of sql/preflight/locale.sql
---@return string
function M.name(locale)
  local name = locale.provider == "libc" and locale.collate or locale.locale or locale.collate
  return ("%s %s"):format(locale.provider, name)
end

---@param ctx table
---@param found pgorch.Findings
---@param facts table
function M.check(ctx, found, facts, conn)
  local locale = conn:row(source.sql "preflight/locale")
  facts.locale = locale
  check_encoding(ctx, found, locale.encoding)
  local now = facts.major >= 15 and conn:value(source.sql "preflight/collation_version")
  if locale.collation_version and now and now ~= locale.collation_version then
    found:warn(("the collation %s was version %s, and is %s now"):format(M.name(locale), locale.collation_version, now),
      { fate = "indexes on text may be out of order: rows may be missing in them, and a unique one may have let in "
          .. "duplicates, which the restore refuses",
        cure = "REINDEX the database before the move, then ALTER DATABASE ... REFRESH COLLATION VERSION" })
  end
end

---Collations that columns and indexes use.
function M.collations(_, found, facts, conn)
  facts.collations = conn:query(source.sql "preflight/collations")
  if #facts.collations == 0 then return found:pass "no collations but the database's own" end
  local nondeterministic = 0
  for _, each in ipairs(facts.collations) do
    if not each.deterministic then nondeterministic = nondeterministic + 1 end
  end
  found:warn(("%s beside the database's own%s"):format(preflight.number(#facts.collations, "collation"),
    nondeterministic > 0 and (", %d of them not deterministic"):format(nondeterministic) or ""), {
    detail = preflight.names(facts.collations, function(r)
      return ("%s (%s%s), in %s"):format(r.name, r.provider, r.made and ", made here" or "",
        preflight.number(r.uses, "column or index entry"):gsub("entrys$", "entries"))
    end),
    fate = "a table that uses one which the target has not is lost; the orders may differ where its version differs",
    cure = "the names are compared once the target exists; for libc's, an ICU collation is the portable choice" })
end

---The source's collations against those of a target that is there.
---@param found pgorch.Findings
---@param facts table   of the source
---@param conn table    in the target
function M.compare(found, facts, conn)
  local there, missing = conn:row(source.sql "preflight/locale"), {}
  if facts.locale and M.name(there) ~= M.name(facts.locale) then
    found:warn(("text is compared by %s on the source, by %s on the target"):format(M.name(facts.locale),
      M.name(there)), { fate = "ORDER BY, ranges and unique indexes on text may answer differently",
        cure = "look at queries that depend on the order; write COLLATE where it must be a certain one" })
  end
  for _, each in ipairs(facts.collations or {}) do
    local known = each.made or conn:value("select exists (select from pg_collation where collname = $1 and "
      .. "collnamespace = 'pg_catalog'::regnamespace and collencoding in (-1, 6))", each.plain)
    if not known then missing[#missing + 1] = each end
  end
  if #missing == 0 then return found:pass "the target has the collations" end
  found:fail("PGO-COLLATION", "the target has not: " .. preflight.names(missing, function(r) return r.plain end)
    :gsub("\n", ", "), { fate = "tables and indexes that use them are refused by the restore" })
end

return M
