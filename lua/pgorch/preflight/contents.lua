-- What is carried, and needs a word all the same: materialized views, unlogged tables, invalid indexes, owners,
-- tablespaces.

local preflight = require "pgorch.preflight"
local source    = require "pgorch.source"
local values    = require "pgorch.recipe.values"

local M = {}

local function names(rows) return preflight.names(rows, function(r) return r.name end) end

-- In the order of telling: kind, plural, what happens to it, cure.
local KINDS = {
  { "unlogged table", nil, "carried with its rows, as unlogged: at Heroku a crash or a failover empties it",
    "alter table NAME set logged, where the rows matter" },
  { "invalid index", "invalid indexes", "built anew, as valid: a unique one is refused if there are duplicates by now",
    "reindex index concurrently NAME, or drop it, before the move" },
  { "owner that is another role", "owners that are other roles", "everything belongs to Heroku's credential afterwards",
    "alter table NAME owner to ROLE, once the role exists there" },
}

-- Filling it takes its query's time, in the window: worth a warning from this size on.
local LARGE = 2 ^ 30

local function check_matviews(found, rows, empty)
  if empty then found:pass(preflight.number(#empty, "materialized view") .. " without data: arrives so") end
  local bytes = 0
  for _, row in ipairs(rows) do bytes = bytes + row.bytes end
  local what = ("%s, %s: filled again by the restore"):format(preflight.number(#rows, "materialized view"),
    values.show_size(bytes))
  if bytes < LARGE then return found:pass(what) end
  found:warn(what, { detail = names(rows), fate = "their queries run while the source is closed",
    cure = "drop those that nobody needs, or make them again afterwards" })
end

---@param found pgorch.Findings
function M.check(_, found, _, conn)
  local by_kind = { ["materialized view"] = {} }
  for _, row in ipairs(conn:query(source.sql "preflight/contents")) do
    by_kind[row.kind] = by_kind[row.kind] or {}
    table.insert(by_kind[row.kind], row)
  end
  check_matviews(found, by_kind["materialized view"], by_kind["unpopulated materialized view"])
  for _, kind in ipairs(KINDS) do
    local rows = by_kind[kind[1]]
    if not rows then
      found:pass("no " .. kind[1])
    else
      found:warn(preflight.number(#rows, kind[1], kind[2]), { detail = names(rows), fate = kind[3], cure = kind[4] })
    end
  end
end

---Tables and indexes outside the default tablespace.
function M.tablespaces(_, found, _, conn)
  local rows = conn:query(source.sql "preflight/tablespaces")
  if #rows == 0 then return found:pass "no tablespaces in use" end
  found:warn(("%s in tablespaces"):format(preflight.number(#rows, "object")), {
    detail = preflight.names(rows, function(r) return ("%s in %s"):format(r.name, r.tablespace) end),
    fate = "carried, into the only tablespace that Heroku has" })
end

return M
