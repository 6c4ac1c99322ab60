-- What the dump leaves behind on purpose, told by kind, and the SQL that makes it again in the new database.
-- Passwords are not in that SQL: they cannot be read, and a place for each is left.

local preflight = require "pgorch.preflight"
local source    = require "pgorch.source"

local M = {}

local SQL = "`pgorch check RECIPE --sql not-carried` prints the SQL"

-- In the order of telling. Event triggers and user mappings are failures already, told by restorable.lua.
local KINDS = {
  { "role", "roles", "not in the new database", "on Heroku: pg:credentials:create --name ROLE; " .. SQL },
  { "role membership", "role memberships", "not carried", SQL },
  { "setting", "settings of the database or of roles", "not carried: the target's defaults count", SQL },
  { "grant", "grants", "not carried: only the owner may use what is restored", SQL },
  { "privilege taken from PUBLIC", "privileges taken from PUBLIC", "PUBLIC has it again in the new database", SQL },
  { "default privilege", "default privileges", "not carried: what is made later has no such grants", SQL },
  { "publication", "publications", "not carried: its subscribers get nothing from the new database", SQL },
  { "subscription", "subscriptions", "not carried: the new database receives nothing from its publisher",
    SQL .. ", with the connection string filled in" },
  { "security label", "security labels", "not carried", SQL .. ", where the provider of the labels is there" },
  { "comment", "comments on the database, roles or publications", "not carried", SQL },
}

-- All of it, in the order of its parts.
local function left_behind(conn)
  local rows = conn:query(source.sql "preflight/not_carried")
  local others = conn.server_version >= 150000 and "preflight/since_15" or "preflight/publications"
  for _, row in ipairs(conn:query(source.sql(others))) do rows[#rows + 1] = row end
  for i, row in ipairs(rows) do row.place = i end
  table.sort(rows, function(a, b)
    if a.part ~= b.part then return a.part < b.part end
    return a.place < b.place
  end)
  return rows
end

local SET_AGAIN = "not in the dump: after the restore, what the database's owner may set is set again, the rest is told"

-- The step that sets settings again tells of each what became of it.
local function fate_of(ctx, kind)
  local again = kind[1] == "setting" and preflight.has_step(ctx, "reapply_settings") and ctx.params.settings ~= "none"
  return again and SET_AGAIN or kind[3]
end

---@param ctx table
---@param found pgorch.Findings
function M.check(ctx, found, _, conn)
  local by_kind, any = {}, false
  for _, row in ipairs(left_behind(conn)) do
    by_kind[row.kind] = by_kind[row.kind] or {}
    table.insert(by_kind[row.kind], row)
  end
  for _, kind in ipairs(KINDS) do
    local rows = by_kind[kind[1]]
    if rows then
      any = true
      found:warn("left behind: " .. preflight.number(#rows, kind[1], kind[2]), {
        detail = preflight.names(rows, function(r) return r.name end), fate = fate_of(ctx, kind), cure = kind[4] })
    end
  end
  if not any then found:pass "no roles, grants or settings that stay behind" end
end

local HEAD = [[
-- What the move of %s leaves behind, as PostgreSQL %s had it. Read it first: run in the new database, as a
-- role that may (on Heroku a role is a credential: heroku pg:credentials:create --name ROLE).
-- Passwords are not here; where a value is needed it says FILL-IN.
]]

---@param conn table   in the source, with an empty search_path
---@param facts {name: string, version: string}
---@return string
function M.sql(conn, facts)
  local out, part = { (HEAD:format(facts.name:gsub("[\r\n]", " "), facts.version)) }, nil
  for _, row in ipairs(left_behind(conn)) do
    if row.part ~= part then
      part = row.part
      out[#out + 1] = ("\n-- %s\n"):format(row.kind)
    end
    out[#out + 1] = row.statement .. ";\n"
  end
  return table.concat(out)
end

return M
