-- A restore runs with an empty search_path. What it evaluates there (expressions of indexes, generated columns and
-- checks, the queries of materialized views) is tried here the same way: planned by EXPLAIN, not run. A view that only
-- its refresh needs one for is no loss in a recipe that refreshes it afterwards.
-- Bodies of functions are text until they run: of those, only a guess.

local fail      = require "pgorch.error"
local preflight = require "pgorch.preflight"
local source    = require "pgorch.source"

local M = {}

-- What does not exist: table, function, type or operator, column, schema.
local MISSING = { ["42P01"] = true, ["42883"] = true, ["42704"] = true, ["42703"] = true, ["3F000"] = true }

local MOST = 500

-- The step that gives data to views that the restore could not refresh.
local MENDER = "refresh_matviews"
local MENDED = "the restore leaves their data out; refreshed after the restore, with the source's search_path"
local SAFE_PATH = "PostgreSQL 17 and newer refresh with no search_path but their own: give the functions one before "
  .. "the app refreshes them there: alter function NAME set search_path = SCHEMA, ..."

local function each(r) return ("%s %s: %s"):format(r.kind, r.name, r.why) end

local function tell_broken(found, broken, mended)
  if #broken > 0 then
    found:fail("PGO-SEARCH-PATH", "cannot be made with an empty search_path: " .. preflight.number(#broken, "object"),
      { detail = preflight.names(broken, each), fate = "refused by the restore" })
  end
  if #mended > 0 then
    found:warn(("%s cannot be refreshed with an empty search_path"):format(preflight.number(#mended,
      "materialized view")), { id = "PGO-SEARCH-PATH", detail = preflight.names(mended, each), fate = MENDED,
      cure = SAFE_PATH })
  end
end

-- A view is made by parsing its query, which names what it can with schemas; only then its refresh plans and runs it.
local function can_be_made(conn, row)
  local ok, why = pcall(conn.exec, conn, "prepare pgorch_view as " .. row.query)
  if not ok and not fail.is(why, "PGO-PG-QUERY") then error(why, 0) end
  if ok then conn:exec "deallocate pgorch_view" end
  return ok
end

---@param found pgorch.Findings
function M.expressions(ctx, found, _, conn)
  local rows, broken, mended, untold = conn:query(source.sql "preflight/expressions"), {}, {}, {}
  local mends = preflight.has_step(ctx, MENDER)
  for i = 1, math.min(#rows, MOST) do
    local row = rows[i]
    local ok, why = pcall(conn.query, conn, "explain (costs off) " .. row.query)
    if not ok then
      if not fail.is(why, "PGO-PG-QUERY") then error(why, 0) end
      row.why = why.message
      local is_mended = mends and row.kind == "materialized view" and can_be_made(conn, row)
      table.insert(MISSING[why.sqlstate] and (is_mended and mended or broken) or untold, row)
    end
  end
  for i = MOST + 1, #rows do untold[#untold + 1] = { kind = rows[i].kind, name = rows[i].name, why = "not tried" } end
  tell_broken(found, broken, mended)
  if #untold > 0 then
    found:warn(("%s could not be tried with an empty search_path"):format(preflight.number(#untold, "expression")),
      { detail = preflight.names(untold, each), fate = "not checked: only the restore will tell" })
  end
  if #broken + #mended + #untold == 0 then found:pass "expressions and materialized views need no search_path" end
end

local function tell_guessed(found, rows, fate)
  if #rows == 0 then return end
  found:warn(("%s that the restore calls may need a search_path"):format(preflight.number(#rows, "function")), {
    id = "PGO-SEARCH-PATH",
    detail = preflight.names(rows, function(r)
      return ("%s names %s without a schema; used by %s"):format(r.name, r.words, r.used_by)
    end),
    fate = "a guess from their text: if it is right, " .. fate,
    cure = "alter function NAME set search_path = SCHEMA, ...; or write the schemas in the body" })
end

---@param found pgorch.Findings
function M.bodies(ctx, found, _, conn)
  local rows, of_views, others = conn:query(source.sql "preflight/bodies"), {}, {}
  local mends = preflight.has_step(ctx, MENDER)
  if #rows == 0 then return found:pass "no function that a restore calls seems to need a search_path" end
  for _, row in ipairs(rows) do table.insert(mends and row.views_only and of_views or others, row) end
  tell_guessed(found, others, "the restore refuses what uses them")
  tell_guessed(found, of_views, MENDED)
end

return M
