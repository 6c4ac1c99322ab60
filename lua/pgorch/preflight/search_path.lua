-- A restore runs with an empty search_path. What it evaluates there (expressions of indexes, generated columns and
-- checks, the queries of materialized views) is tried here the same way: planned by EXPLAIN, not run.
-- Bodies of functions are text until they run: of those, only a guess.

local fail      = require "pgorch.error"
local preflight = require "pgorch.preflight"
local source    = require "pgorch.source"

local M = {}

-- What does not exist: table, function, type or operator, column, schema.
local MISSING = { ["42P01"] = true, ["42883"] = true, ["42704"] = true, ["42703"] = true, ["3F000"] = true }

local MOST = 500

---@param found pgorch.Findings
function M.expressions(_, found, _, conn)
  local rows, broken, untold = conn:query(source.sql "preflight/expressions"), {}, {}
  for i = 1, math.min(#rows, MOST) do
    local row = rows[i]
    local ok, why = pcall(conn.query, conn, "explain (costs off) " .. row.query)
    if not ok then
      if not fail.is(why, "PGO-PG-QUERY") then error(why, 0) end
      row.why = why.message
      table.insert(MISSING[why.sqlstate] and broken or untold, row)
    end
  end
  for i = MOST + 1, #rows do untold[#untold + 1] = { kind = rows[i].kind, name = rows[i].name, why = "not tried" } end
  local function each(r) return ("%s %s: %s"):format(r.kind, r.name, r.why) end
  if #broken > 0 then
    found:fail("PGO-SEARCH-PATH", "cannot be made with an empty search_path: " .. preflight.number(#broken, "object"),
      { detail = preflight.names(broken, each),
      fate = "refused by the restore" })
  end
  if #untold > 0 then
    found:warn(("%s could not be tried with an empty search_path"):format(preflight.number(#untold, "expression")),
      { detail = preflight.names(untold, each), fate = "not checked: only the restore will tell" })
  end
  if #broken + #untold == 0 then found:pass "expressions and materialized views need no search_path" end
end

---@param found pgorch.Findings
function M.bodies(_, found, _, conn)
  local rows = conn:query(source.sql "preflight/bodies")
  if #rows == 0 then return found:pass "no function that a restore calls seems to need a search_path" end
  found:warn(("%s that the restore calls may need a search_path"):format(preflight.number(#rows, "function")), {
    id = "PGO-SEARCH-PATH",
    detail = preflight.names(rows, function(r)
      return ("%s names %s without a schema; used by %s"):format(r.name, r.words, r.used_by)
    end),
    fate = "a guess from their text: if it is right, the restore refuses what uses them",
    cure = "alter function NAME set search_path = SCHEMA, ...; or write the schemas in the body" })
end

return M
