-- "Testing and Verifying": objects, exact counts and checksums of every table, sequences, large objects, own queries.
-- The target is read in one snapshot and compared with what was read in the dump's. Keys and values of rows are not
-- recorded, only how many differ: `pgorch verify --deep` names them.

local recipe        = require "pgorch.recipe"
local budget        = require "pgorch.verify.budget"
local content       = require "pgorch.verify.content"
local differing     = require "pgorch.verify.differing"
local dump_snapshot = require "pgorch.dump_snapshot"
local named_queries = require "pgorch.named_queries"
local report        = require "pgorch.verify.report"
local row_hash      = require "pgorch.verify.row_hash"
local snapshot      = require "pgorch.verify.snapshot"
local times         = require "pgorch.plan.times"
local values        = require "pgorch.recipe.values"
local verify        = require "pgorch.verify"

-- The source once more, with the hash that any server has. Without the snapshot: as it is now, if nothing was written.
local function summed_again(ctx, from, why)
  ctx:note("the source is summed again: on the target, " .. why)
  local name = dump_snapshot.id_or_quiet(ctx)
  local at <close> = snapshot.open(function(o) return ctx.source:connect(o) end, name)
  local side = {}
  for field, value in pairs(from) do side[field] = value end
  side.hash = row_hash.SHA256
  side.sums = content.sums(at, { content = true, hash = side.hash,
    jobs = ctx.params.verify_jobs or budget.jobs(at.conn),
    progress = function(...) ctx:progress(report.progress("summed again", ...)) end })
  return side
end

-- The source's side as the target can be compared with it.
local function comparable(ctx, target)
  local from = ctx.result.checksum_source
  if row_hash.of(from) == row_hash.SHA256 then return from end
  local hash, why = row_hash.choose(target.conn)
  if hash == from.hash then return from end
  return summed_again(ctx, from, why or from.hash .. " is not known")
end

local function read(ctx, at, hash)
  return verify.read(at, { content = ctx.options.content == "checksum", hash = hash,
    jobs = ctx.params.verify_jobs or budget.jobs(at.conn, ctx.target:database():limits().connections),
    progress = function(...) ctx:progress(report.progress("compared", ...)) end })
end

-- What asks both sides: which large objects differ, how many rows, and the user's own queries.
local function ask_both(ctx, list, from, to, target)
  local queries = named_queries.find(ctx.options.queries, ctx.recipe and ctx.recipe.folder)
  local names = {}
  for i, query in ipairs(queries) do names[i] = query.name end
  if #queries == 0 and verify.failures(list) == 0 then return names end
  local at <close> = snapshot.open(function(o) return ctx.source:connect(o) end,
    dump_snapshot.id(ctx))
  differing.name(list, { conn = at.conn, side = from }, { conn = target.conn, side = to }, { keys = false,
    progress = function(name) ctx:progress { text = "looking for what differs in " .. name } end })
  for _, d in ipairs(named_queries.compare(queries, at.conn, target.conn)) do list[#list + 1] = d end
  verify.sort(list)
  return names
end

-- The tables with the most rows are named, the others are summed up; of differences the first are enough to see why.
local SHOWN, DIFFERENCES = 40, 200

local function tell(ctx, from, list, ignored)
  local found = report.differences(list, DIFFERENCES)
  if found then
    found.summary = true
    ctx:table(found)
  end
  for _, text in ipairs(report.noise(from, ignored)) do ctx:note(text) end
  verify.refuse_differences(list)
  for _, d in ipairs(list) do ctx:warn(verify.line(d)) end
end

local function run(ctx)
  local target <close> = snapshot.open(function(o) return ctx.target:connect(o) end)
  local from = comparable(ctx, target)
  local to = read(ctx, target, from.hash)
  local list, ignored = verify.compare(from, to)
  local queries = ask_both(ctx, list, from, to, target)
  tell(ctx, from, list, ignored)
  local tables = report.tables(from.sums, to.sums, SHOWN)
  tables.title, tables.summary = "Verified, source = target", true
  ctx:table(tables)
  local text, all = report.totals(to)
  ctx:note(text .. " EQUAL")
  if to.hash then ctx:note(row_hash.words(to.hash)) end
  return { tables = all.tables, rows = all.rows, queries = #queries, query_names = queries,
           sequences = all.sequences, large_objects = all.large_objects, objects = all.objects,
           bytes = values.show_size(ctx.result.size.bytes) }
end

return recipe.step {
  id = "verify", title = "Compare both databases", effect = "read", run = run,
  needs = { "size", "checksum_source" },
  options = { counts = "exact", content = "checksum", queries = "queries/*.sql" },
  plan = function() return "every table counted and summed on both sides" end,
  estimate = function(ctx) return 2 + times.at("read", ctx.result.size.bytes) end,
}
