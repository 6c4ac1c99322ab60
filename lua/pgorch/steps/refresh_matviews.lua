-- Refreshes the materialized views that hold data on the source and none on the target, in a session with the source's
-- search_path: a restore, like a copy, has an empty one, in which a view's function may not find its tables. What was
-- left to this step must hold data at its end. Views that were empty on the source stay so.

local recipe   = require "pgorch.recipe"
local fail     = require "pgorch.error"
local snapshot = require "pgorch.verify.snapshot"
local source   = require "pgorch.source"
local verify   = require "pgorch.verify"
local way      = require "pgorch.way"

local SAFE_PATH = 170000     -- the first version that refreshes with a search_path of its own: pg_catalog, pg_temp

-- {key of a view = whether it holds data}
local function views_of(conn)
  local populated = {}
  for _, view in ipairs(conn:query(source.sql "matviews")) do populated[verify.key(view)] = view.populated end
  return populated
end

local function empty_ones(conn, sums, mended)
  local keys, wanted = {}, {}
  for _, key in ipairs(mended) do wanted[key] = true end
  for key, populated in pairs(views_of(conn)) do
    if not populated and (wanted[key] or sums[key] and sums[key].rows) then keys[#keys + 1] = key end
  end
  table.sort(keys)
  return keys
end

local function refresh(conn, key) conn:exec("refresh materialized view " .. key) end

-- The session's search_path for the time of one transaction, which leaves the functions as they were.
local function refresh_with_path(conn, key, functions)
  conn:exec "begin"
  local ok, why = pcall(function()
    for _, f in ipairs(functions) do conn:exec(("alter function %s set search_path from current"):format(f.name)) end
    refresh(conn, key)
    for _, f in ipairs(functions) do conn:exec(("alter function %s reset search_path"):format(f.name)) end
    conn:exec "commit"
  end)
  if ok then return end
  if fail.is(why, "PGO-PG-QUERY") then conn:exec "rollback" end
  error(why, 0)
end

-- The app's own REFRESH fails there as the first one here did.
local function tell_of_safe_path(ctx, conn, key, functions)
  local cures = {}
  for i, f in ipairs(functions) do
    cures[i] = ("alter function %s set search_path = %s"):format(f.name, conn:value "show search_path")
  end
  ctx:warn(("%s is refreshed, but PostgreSQL %d ignores the search_path of who refreshes: the app's next refresh "
    .. "fails until you have run: %s"):format(key, conn.server_version // 10000, table.concat(cures, "; ")))
end

local function attempt(ctx, conn, key)
  local _, why = snapshot.attempt(conn, refresh, conn, key)
  if not why or conn.server_version < SAFE_PATH then return why end
  local functions = conn:query(source.sql "matview_functions", key)
  if #functions == 0 then return why end
  _, why = snapshot.attempt(conn, refresh_with_path, conn, key, functions)
  if not why then tell_of_safe_path(ctx, conn, key, functions) end
  return why
end

-- One round: those that could not be refreshed, and why.
local function round(ctx, conn, keys, done)
  local left, reasons = {}, {}
  for _, key in ipairs(keys) do
    ctx:progress { text = key }
    local why = attempt(ctx, conn, key)
    if not why then done[#done + 1] = key else left[#left + 1], reasons[key] = key, why end
  end
  return left, reasons
end

-- A view that reads another one fails until that one has data, also where a function hides it from the catalogue: so
-- all are tried until none more can be refreshed.
local function refresh_all(ctx, conn, keys)
  local left, reasons, done = keys, {}, {}
  while #left > 0 do
    local before = #left
    left, reasons = round(ctx, conn, left, done)
    if #left == before then break end
  end
  return done, left, reasons
end

-- The restore or the copy counted on this step: without data in them something is lost.
local function refuse_empty(conn, mended, reasons)
  local populated, lost = views_of(conn), {}
  for _, key in ipairs(mended) do
    if not populated[key] then lost[#lost + 1] = ("%s: %s"):format(key, reasons[key] or "it is not there") end
  end
  if #lost == 0 then return end
  fail.raise("PGO-RESTORE-LOSSY", ("%d of the materialized views that came without their data could not be refreshed")
    :format(#lost), { detail = table.concat(lost, "\n"), cure = "On the source, write the schemas in the functions "
      .. "that the views call, or ALTER FUNCTION ... SET search_path = ...; then resume." })
end

local function run(ctx)
  local from, brought = ctx.result.checksum_source, way.brought(ctx)
  local mended = brought and brought.mended or {}
  local conn <close> = ctx.target:connect { settings = { search_path = from.search_path } }
  local done, left, reasons = refresh_all(ctx, conn, empty_ones(conn, from.sums, mended))
  for _, key in ipairs(done) do ctx:note("refreshed " .. key) end
  refuse_empty(conn, mended, reasons)
  for _, key in ipairs(left) do ctx:warn(("%s could not be refreshed: %s"):format(key, reasons[key])) end
  return { refreshed = done, failed = left }
end

-- Which of them come without their data shows only afterwards.
local function plan(ctx)
  local conn <close> = ctx.source:connect()
  local count = 0
  for _, populated in pairs(views_of(conn)) do count = count + (populated and 1 or 0) end
  if count == 0 then return "no materialized views" end
  return { "~ refresh the materialized views that come without their data", about = ("%d at most"):format(count) }
end

return recipe.step { id = "refresh_matviews", title = "Refresh materialized views", effect = "write", run = run,
                     undo = false, needs = { "checksum_source" },
                     plan = plan, estimate = 5 }
