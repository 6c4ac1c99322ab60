-- Refreshes the materialized views that hold data on the source and none on the target: a restore runs with an empty
-- search_path, in which a view's function may not find its tables. Views that were empty on the source stay so.

local recipe   = require "pgorch.recipe"
local snapshot = require "pgorch.verify.snapshot"
local source   = require "pgorch.source"
local verify   = require "pgorch.verify"

local function empty_ones(conn, sums)
  local keys = {}
  for _, view in ipairs(conn:query(source.sql "matviews")) do
    local mine = sums[verify.key(view)]
    if not view.populated and mine and mine.rows then keys[#keys + 1] = verify.key(view) end
  end
  return keys
end

-- One round: those that could not be refreshed, and why.
local function round(ctx, conn, keys, done)
  local left, reasons = {}, {}
  for _, key in ipairs(keys) do
    ctx:progress { text = key }
    local ok, why = snapshot.attempt(conn, conn.exec, conn, "refresh materialized view " .. key)
    if ok then done[#done + 1] = key else left[#left + 1], reasons[key] = key, why end
  end
  return left, reasons
end

-- A view that reads another one fails until that one has data, also where a function hides it from the catalogue: so
-- all are tried until none more can be refreshed.
local function run(ctx)
  local from = ctx.result.checksum_source
  local conn <close> = ctx.target:connect { settings = { search_path = from.search_path } }
  local left, reasons, done = empty_ones(conn, from.sums), {}, {}
  while #left > 0 do
    local before = #left
    left, reasons = round(ctx, conn, left, done)
    if #left == before then break end
  end
  for _, key in ipairs(done) do ctx:note("refreshed " .. key) end
  for _, key in ipairs(left) do ctx:warn(("%s could not be refreshed: %s"):format(key, reasons[key])) end
  return { refreshed = done, failed = left }
end

return recipe.step { id = "refresh_matviews", title = "Refresh materialized views", effect = "write", run = run,
                     undo = false, plan = function() return "~ refresh views that the restore left empty" end }
