-- What other runs of the record have measured of the ways that the data can take: how fast the same source went by each
-- of them, how small its dump was, how fast this machine sent it. A run says more than a rehearsal, whose target was
-- here. Only reads the record; the figures are used by plan/times.lua.

local rehearsed = require "pgorch.rehearsal.measured"
local times     = require "pgorch.plan.times"

local rates = {}

---@class pgorch.plan.Rates         what is nil was not measured
---@field copy number|nil           bytes of the database a second, as all of these: the whole of --via direct
---@field pull number|nil           the whole of --via heroku
---@field dump number|nil           a dump, of a run with its upload
---@field restore number|nil
---@field compressed number|nil     bytes of the dump for each byte of the tables
---@field uplink number|nil         bytes a second that this machine can send: --uplink, or what an upload has had
---@field copy_uplink number|nil    the same for --via direct: nil too where a run's copy was measured, which had it
---@field by table<pgorch.Way, string>   "run ID" or "rehearsal ID"

-- Rows of a step in other runs of the same source, those of runs first, each kind newest first.
local function rows_of(ctx, id, sizes)
  local list, tried = {}, {}
  for _, row in ipairs(ctx:in_other_runs(id, true)) do
    local did = row.result
    if sizes[row.run] and type(did) == "table" and (did.seconds or 0) > 0 then
      local into = row.kind == "rehearsal" and tried or list
      into[#into + 1] = row
    end
  end
  return table.move(tried, 1, #tried, #list + 1, list)
end

-- {run = how large the same source was then}
local function sizes_of(ctx)
  local sizes, own = {}, ctx.result.size.source
  for _, row in ipairs(ctx:in_other_runs("size", true)) do
    if own and row.result and row.result.source == own and row.result.bytes then sizes[row.run] = row.result end
  end
  return sizes
end

-- A step that fills the target: on Heroku's hardware it takes longer than it did here.
local function add_filled(found, ctx, id, sizes, taken)
  local row = rows_of(ctx, id, sizes)[1]
  if not row then return nil end
  local rate = sizes[row.run].bytes / row.result.seconds
  found[id] = row.kind == "rehearsal" and rate / rehearsed.SLOWER_THERE or rate
  found.by[taken] = ("%s %s"):format(row.kind, row.run)
  return row
end

-- A rehearsal's dump went nowhere: it tells nothing of the uplink. The dump of a run has gone at least that fast.
local function add_dump(found, ctx, sizes)
  local row = rows_of(ctx, "dump_to_store", sizes)[1]
  if not row then return end
  local did, size = row.result, sizes[row.run]
  local plain = times.plain_bytes(size)
  found.dump = size.bytes / did.seconds
  found.compressed = plain > 0 and did.bytes / plain or nil
  if row.kind == "run" then found.uplink = did.bytes / did.seconds end
end

-- What the user says of it counts for every way.
local function add_uplink(found, given, copy)
  local measured = found.uplink
  found.uplink = given or measured
  found.copy_uplink = given or not (copy and copy.kind == "run") and measured or nil
end

---@param ctx pgorch.Context    whose result has the size of the source
---@return pgorch.plan.Rates
function rates.of(ctx)
  local found, sizes = { by = {} }, sizes_of(ctx)
  add_dump(found, ctx, sizes)
  add_filled(found, ctx, "restore", sizes, "archive")
  add_filled(found, ctx, "pull", sizes, "heroku")
  local copy = add_filled(found, ctx, "copy", sizes, "direct")
  add_uplink(found, ctx.params.uplink, copy)
  return found
end

return rates
