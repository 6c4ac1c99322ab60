-- "Testing and Verifying": objects, exact counts and checksums of every table, sequences, large objects, own queries.
-- The target is read now and compared with what was read in the dump's snapshot.

local recipe        = require "pgorch.recipe"
local named_queries = require "pgorch.named_queries"
local verify        = require "pgorch.verify"
local values        = require "pgorch.recipe.values"

local function read_target(ctx)
  local function connect(o) return ctx.target:connect(o) end
  local sums = verify.sums(connect, { content = ctx.options.content == "checksum",
    progress = function(done, total) ctx:progress { text = ("%d of %d tables compared"):format(done, total) } end })
  local conn <close> = connect { settings = verify.SETTINGS }
  local catalog = verify.catalog(conn)
  catalog.sums = sums
  return catalog
end

local function compare_queries(ctx, list)
  local queries = named_queries.find(ctx.options.queries, ctx.recipe and ctx.recipe.folder)
  if #queries == 0 then return 0 end
  local a <close> = ctx.source:connect { settings = verify.SETTINGS }
  local b <close> = ctx.target:connect { settings = verify.SETTINGS }
  for _, difference in ipairs(named_queries.compare(queries, a, b)) do list[#list + 1] = difference end
  return #queries
end

-- The tables with the most rows are named, the others are summed up: the report has them all.
local SHOWN = 40

local function show_equal(ctx, from, to)
  local keys = {}
  for key in pairs(to.sums) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    local x, y = to.sums[a].rows, to.sums[b].rows
    if x ~= y then return x > y end
    return a < b
  end)
  local rows = {}
  for i = 1, math.min(SHOWN, #keys) do
    local sum = to.sums[keys[i]]
    local same = from.sums[keys[i]].sum == sum.sum and from.sums[keys[i]].rows == sum.rows
    rows[i] = { keys[i], sum.rows, sum.sum or "", same and "equal" or "differs" }
  end
  if #keys > SHOWN then rows[#rows + 1] = { ("%d smaller tables"):format(#keys - SHOWN), "", "", "equal" } end
  ctx:table { title = "Verified, source = target", columns = { "table", "rows", "checksum", "" }, rows = rows,
              summary = true }
end

local function count(map)
  local n = 0
  for _ in pairs(map) do n = n + 1 end
  return n
end

local function show(ctx, list)
  if #list == 0 then return end
  local rows = {}
  for i, d in ipairs(list) do rows[i] = { d.level or "FAIL", d.kind, d.name, d.source, d.target } end
  ctx:table { title = "Differences", columns = { "", "kind", "name", "source", "target" }, rows = rows,
              summary = true }
end

local function run(ctx)
  local from, to = ctx.result.checksum_source, read_target(ctx)
  local list = verify.compare(from, to)
  local queries = compare_queries(ctx, list)
  show(ctx, list)
  verify.refuse_differences(list)
  for _, d in ipairs(list) do ctx:warn(("%s %s: source %s, target %s"):format(d.kind, d.name, d.source, d.target)) end
  show_equal(ctx, from, to)
  local tables, rows = verify.totals(to.sums)
  local objects = 0
  for _, names in pairs(from.objects) do objects = objects + count(names) end
  ctx:note(("%d tables, %d rows, %d sequences, %d large objects, %d schema objects EQUAL"):format(tables, rows,
    count(to.sequences), to.large.count, objects))
  return { tables = tables, rows = rows, queries = queries, large_objects = to.large.count,
           bytes = values.show_size(ctx.result.size.bytes) }
end

return recipe.step {
  id = "verify", title = "Compare both databases", effect = "read", run = run,
  options = { counts = "exact", content = "checksum", queries = "queries/*.sql" },
  plan = function() return "every table counted and summed on both sides" end,
}
