-- How long things will take: as another run of the same source has measured it, else as the step estimates it. The
-- rates here are assumptions for who has nothing better (plan/rates.lua has what was measured); they are named where
-- they are used.

local rehearsed = require "pgorch.rehearsal.measured"
local way       = require "pgorch.way"

local M = {}

-- Bytes a second: pg_dump whose rows are compressed on all cores, an upload over the internet, Heroku's restore with
-- its indexes, a server that reads its tables from one end to the other; a copy from server to server on several
-- connections (0.43 of the time of dump, upload and restore when tried), Heroku's pg_dump into its restore, one each.
M.RATES = { dump = 110e6, upload = 20e6, restore = 15e6, read = 100e6, copy = 29e6, pull = 14e6 }

-- pg_dump's compression makes about a quarter of what tables take; indexes are not in a dump.
M.COMPRESSED = 0.25

local SPARE = 1024       -- of the archive itself

---What goes over the wire where nothing is compressed: no indexes.
---@param size table  result of the step `size`
---@return integer bytes
function M.plain_bytes(size)
  local bytes = size.large_object_bytes or 0
  for _, each in ipairs(size.tables or {}) do bytes = bytes + each.bytes end
  return bytes
end

---About how large the dump will be.
---@param size table  result of the step `size`
---@param rates? pgorch.plan.Rates
---@return integer bytes
function M.dump_bytes(size, rates)
  return math.floor(M.plain_bytes(size) * (rates and rates.compressed or M.COMPRESSED)) + SPARE
end

---Seconds for so many bytes.
---@param what "dump"|"upload"|"restore"|"read"|"copy"|"pull"
---@param bytes number
---@return number
function M.at(what, bytes) return bytes / M.RATES[what] end

-- Seconds by what was measured, else by what is assumed.
local function known_or_assumed(what, size, rates) return size.bytes / (rates and rates[what] or M.RATES[what]) end

---Seconds of a dump into object storage. One stream: what is slower, pg_dump or the way to the storage, sets the pace.
---@param size table  result of the step `size`
---@param rates? pgorch.plan.Rates
---@return number
function M.dump(size, rates)
  local sent = M.dump_bytes(size, rates) / (rates and rates.uplink or M.RATES.upload)
  return 2 + math.max(known_or_assumed("dump", size, rates), sent)
end

-- What Heroku needs besides: its queue, a database made empty, the looks at how far it is.
local AT_HEROKU = 20

---Seconds of a restore at Heroku.
---@param size table  result of the step `size`
---@param rates? pgorch.plan.Rates
---@return number
function M.restore(size, rates) return AT_HEROKU + known_or_assumed("restore", size, rates) end

-- The rows leave this machine as they are, and not as small as in a dump.
local function copied(size, rates)
  local sent = rates and rates.copy_uplink and M.plain_bytes(size) / rates.copy_uplink or 0
  return 5 + math.max(known_or_assumed("copy", size, rates), sent)
end

local WAYS = {
  archive = function(size, rates) return M.dump(size, rates) + M.restore(size, rates) end,
  direct = copied,
  heroku = function(size, rates) return AT_HEROKU + known_or_assumed("pull", size, rates) end,
}

---About how long the data takes by a way, in seconds.
---@param name pgorch.Way
---@param size table
---@param rates? pgorch.plan.Rates
---@return number
function M.of_way(name, size, rates) return WAYS[name](size, rates) end

---What the step choose_way has found to be measured.
---@param ctx pgorch.Context
---@return pgorch.plan.Rates|nil
function M.rates(ctx) return ctx.result.choose_way and ctx.result.choose_way.rates end

---@param of pgorch.Inspection
---@param step table
---@param history pgorch.plan.History|nil
---@return number|nil seconds   nil: nobody can tell
---@return boolean|nil measured
function M.of_step(of, step, history)
  local known, exact = history and history.seconds[step.id], true
  if known and history.kind == "rehearsal" then
    known, exact = rehearsed.of_a_move(step, known, history.dump_bytes)
  end
  if known then return known, exact end
  if type(step.estimate) == "number" then return step.estimate end
  if not step.estimate then return step.effect == "read" and 1 or nil end
  local ok, seconds = pcall(step.estimate, of:context(step))
  return ok and math.type(seconds) and seconds or nil
end

local function of_list(list, by_id, counts, seen)
  local total = 0
  for _, item in ipairs(list) do
    local entry, longest = item.id and by_id[item.id], 0
    if entry and counts(entry) then
      total = total + (entry.seconds or 0)
      seen.lacking = seen.lacking or not entry.seconds and entry.effect ~= "gate"
    end
    for _, inner in ipairs(item.lists or {}) do longest = math.max(longest, of_list(inner, by_id, counts, seen)) end
    total = total + longest
  end
  return total
end

---How long the steps that count take, one after the other; of those that run side by side, the longest list.
---@param steps table[]      of the recipe
---@param by_id table<string, pgorch.planned.Step>
---@param counts fun(entry: pgorch.planned.Step): boolean
---@return number seconds
---@return boolean at_least   a step that nobody can estimate is among them
function M.sum(steps, by_id, counts)
  local seen = { lacking = false }
  return of_list(steps, by_id, counts, seen), seen.lacking
end

-- What a step of this move takes; nil where it is none of its own, or asks what only a run can tell.
local function entry_of(of, step)
  local ok, entry = pcall(function()
    local ctx = of:context(step)
    if not way.has(ctx, step) or step.only_if and not step.only_if(ctx) then return nil end
    return { seconds = M.of_step(of, step), effect = step.effect }
  end)
  return ok and entry or nil
end

---About how long a whole run takes whose source was looked at. Until a way is chosen it is that by object storage.
---@param of pgorch.Inspection   with the result of the step `size`
---@return number seconds
function M.of_run(of)
  local by_id = {}
  for id, step in pairs(of.steps) do by_id[id] = entry_of(of, step) end
  return (M.sum(of.recipe.steps, by_id, function() return true end))
end

---How long the window will be: no shorter than what a rehearsal has told to announce.
---@param steps table[]      of the recipe
---@param by_id table<string, pgorch.planned.Step>
---@param history pgorch.plan.History|nil
---@return number seconds
---@return boolean at_least
function M.window(steps, by_id, history)
  local seconds, at_least = M.sum(steps, by_id, function(entry) return entry.in_window end)
  return math.max(seconds, history and history.announced or 0), at_least
end

return M
