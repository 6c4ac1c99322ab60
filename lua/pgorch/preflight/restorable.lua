-- What Heroku's database owner may not create: roles in policies, objects of a superuser, foreign servers.

local preflight = require "pgorch.preflight"
local source    = require "pgorch.source"

local M = {}

local function target_roles(ctx)
  local there = {}
  if not ctx.params.database or not ctx.target then return there end
  local conn <close> = ctx.target:connect()
  for _, row in ipairs(conn:query "select rolname::text as name from pg_roles") do there[row.name] = true end
  return there
end

-- As a shell takes it.
local function word(name)
  return name:find "[^%w_.-]" and "'" .. name:gsub("'", "'\\''") .. "'" or name
end

---Policies for roles. A target that exists may have them already, as credentials.
function M.policies(ctx, found, _, conn)
  local rows = conn:query(source.sql "policy_roles")
  local there, lost = #rows > 0 and target_roles(ctx) or {}, 0
  for _, row in ipairs(rows) do
    if not there[row.role] then
      lost = lost + 1
      found:fail("PGO-POLICY-ROLE", ("policy %s of %s names role %s, which will not exist: it would be lost")
        :format(row.policy, row.table, row.role), {
        fate = "the restore drops the policy: who may see which rows would change silently",
        cure = ("make the role in an add-on that is there, `heroku pg:credentials:create --name %s` (not on Essential "
          .. "plans), and name that add-on with --database; or drop the policy before the move and make it again "
          .. "afterwards"):format(word(row.role)) })
    end
  end
  if lost == 0 then found:pass "no policy names a role that will not exist" end
end

---Objects that only a superuser may make.
function M.of_superusers(_, found, _, conn)
  local rows = conn:query(source.sql "preflight/not_restorable")
  if #rows == 0 then return found:pass "nothing that only a superuser may create" end
  found:fail("PGO-NOT-RESTORABLE", ("%s can only be made by a superuser"):format(preflight.number(#rows, "object")),
    { detail = preflight.names(rows, function(r) return r.kind .. " " .. r.name end),
      fate = "refused by the restore, with whatever needs them" })
end

---Foreign servers and their mappings: they need the wrapper's extension, its USAGE, and a way from Heroku to the host.
function M.foreign(_, found, _, conn)
  local rows, mapped = conn:query(source.sql "preflight/foreign"), {}
  if #rows == 0 then return found:pass "no foreign servers" end
  for _, row in ipairs(rows) do
    if row.kind == "user mapping" and row.name ~= "public" then mapped[#mapped + 1] = row end
  end
  found:warn(("%s of foreign data wrappers"):format(preflight.number(#rows, "object")), {
    detail = preflight.names(rows, function(r) return ("%s %s %s"):format(r.kind, r.name, r.detail) end),
    fate = "restored only where the target offers the wrapper's extension and lets its owner use it; "
      .. "the rows behind foreign tables are not part of a dump",
    cure = "make sure that Heroku can reach the servers, or drop them on the source" })
  if #mapped > 0 then
    found:fail("PGO-NOT-RESTORABLE", ("%s for roles that will not exist"):format(preflight.number(#mapped,
      "user mapping")), {
      detail = preflight.names(mapped, function(r) return ("%s %s"):format(r.name, r.detail) end),
      fate = "refused by the restore",
      cure = "drop them before the move; `pgorch check RECIPE --sql not-carried` prints how to make them again" })
  end
end

return M
