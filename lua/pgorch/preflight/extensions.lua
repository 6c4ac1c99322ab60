-- Extensions of the source: those that Heroku is known to offer, and against the live list of a target that is there.
-- An extension that is missing takes with it what uses it: that is named.

local preflight = require "pgorch.preflight"
local source    = require "pgorch.source"

local M = {}

-- For planning only: the list of the target itself decides, once there is one.
local KNOWN = {}
for name in ([[address_standardizer bloom btree_gin btree_gist citext cube dblink dict_int dict_xsyn earthdistance
  fuzzystrmatch hstore intarray isn lo ltree pg_stat_statements pg_trgm pgcrypto pgrowlocks pgstattuple postgis
  postgis_tiger_geocoder postgis_topology postgres_fdw tablefunc unaccent uuid-ossp vector]]):gmatch "%S+" do
  KNOWN[name] = true
end

local function needs_of(conn, names)
  local wanted, list = {}, {}
  for _, name in ipairs(names) do wanted[name] = true end
  for _, row in ipairs(conn:query(source.sql "preflight/extension_objects")) do
    if wanted[row.extension] then list[#list + 1] = row end
  end
  if #list == 0 then return "nothing uses it" end
  return preflight.names(list, function(r) return ("%s is used by %s"):format(r.extension, r.name) end)
end

---Before there is a target.
---@param found pgorch.Findings
---@param facts table
---@param conn table
function M.check(_, found, facts, conn)
  local unknown = {}
  for _, each in ipairs(facts.extensions) do
    if not KNOWN[each.name] then unknown[#unknown + 1] = each.name end
  end
  if #unknown == 0 then return found:pass(("%d extensions, all known to Heroku"):format(#facts.extensions)) end
  found:warn("not known to be offered by Heroku: " .. table.concat(unknown, ", "), { detail = needs_of(conn, unknown),
    fate = "asked from the target itself once it exists, before the window opens; what is missing there stops the move",
    cure = "drop the extension on the source if nothing needs it" })
end

local function versions(found, facts, offered)
  for _, each in ipairs(facts.extensions) do
    local there = offered[each.name]
    if there and there ~= each.version then
      found:warn(("extension %s is %s on the source, %s on the target"):format(each.name, each.version, there),
        { fate = "the target's version is used", cure = "look into its release notes if it is a big step" })
    end
  end
end

---@param found pgorch.Findings
---@param facts table    of the source
---@param conn table     in the target
---@param ask fun(fn: fun(conn: table): any): any   runs fn with a connection to the source
function M.compare(found, facts, conn, ask)
  local offered, missing = {}, {}
  for _, row in ipairs(conn:query(source.sql "extensions_allowed")) do offered[row.name] = row.version end
  for _, row in ipairs(conn:query(source.sql "extensions")) do offered[row.name] = row.version end
  for _, each in ipairs(facts.extensions) do
    if not offered[each.name] then missing[#missing + 1] = each.name end
  end
  versions(found, facts, offered)
  if #missing == 0 then return found:pass(("%d extensions are offered"):format(#facts.extensions)) end
  found:fail("PGO-EXTENSION", "the target does not offer: " .. table.concat(missing, ", "),
    { detail = ask(function(c) return needs_of(c, missing) end), fate = "refused by the restore, with what uses it" })
end

return M
