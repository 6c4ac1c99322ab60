-- How long things will take: as another run of the same source has measured it, else as the step estimates it. The
-- rates are assumptions for who has nothing better; they are named where they are used.

local rehearsed = require "pgorch.rehearsal.measured"

local M = {}

-- Bytes a second: pg_dump whose rows are compressed on all cores, an upload over the internet, Heroku's restore with
-- its indexes, a server that reads its tables from one end to the other; a copy from server to server on several
-- connections (0.43 of the time of dump, upload and restore when tried), Heroku's pg_dump into its restore, one each.
M.RATES = { dump = 110e6, upload = 20e6, restore = 15e6, read = 100e6, copy = 29e6, pull = 14e6 }

-- pg_dump's compression makes about a quarter of what tables take; indexes are not in a dump.
M.COMPRESSED = 0.25

local SPARE = 1024       -- of the archive itself

---About how large the dump will be.
---@param size table  result of the step `size`
---@return integer bytes
function M.dump_bytes(size)
  local bytes = size.large_object_bytes or 0
  for _, each in ipairs(size.tables or {}) do bytes = bytes + each.bytes end
  return math.floor(bytes * M.COMPRESSED) + SPARE
end

---Seconds for so many bytes.
---@param what "dump"|"upload"|"restore"|"read"|"copy"|"pull"
---@param bytes number
---@return number
function M.at(what, bytes) return bytes / M.RATES[what] end

---Seconds of a dump into object storage. One stream: what is slower, pg_dump or the way to the storage, sets the pace.
---@param size table  result of the step `size`
---@return number
function M.dump(size) return 2 + math.max(M.at("dump", size.bytes), M.at("upload", M.dump_bytes(size))) end

-- What Heroku needs besides: its queue, a database made empty, the looks at how far it is.
local AT_HEROKU = 20

local WAYS = {
  archive = function(size) return M.dump(size) + AT_HEROKU + M.at("restore", size.bytes) end,
  direct = function(size) return 5 + M.at("copy", size.bytes) end,
  heroku = function(size) return AT_HEROKU + M.at("pull", size.bytes) end,
}

---About how long the data takes by a way, in seconds.
---@param name pgorch.Way
---@param size table
---@return number
function M.of_way(name, size) return WAYS[name](size) end

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
