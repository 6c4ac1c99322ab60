-- What can be counted of a batch that goes on: rows by state, databases an hour, the time that the rest takes. Pure.

local order  = require "pgorch.batch.order"
local values = require "pgorch.recipe.values"

local figures = {}

---A time in few columns: "45 s", "12 m", "2 h 05 m".
---@param seconds number
---@return string
function figures.brief(seconds)
  local whole = math.floor(math.max(0, seconds) + 0.5)
  if whole < 60 then return ("%d s"):format(whole) end
  if whole < 3600 then return ("%d m"):format(whole // 60) end
  return values.show_duration(whole)
end

---@class pgorch.board.Figures
---@field counts table<string, integer>   by state
---@field total integer
---@field left integer                    rows that have not come to their end
---@field per_hour number|nil             databases moved in an hour; nil: none is moved yet
---@field eta number|nil                  seconds that the rest takes, as rows came to their end until now

-- By what the checks have estimated, while no row has come to its end.
local function estimated(batch, running)
  local sum = 0
  for _, row in ipairs(batch.rows) do
    if not order.ENDED[row.state] then
      if not row.estimate then return nil end
      sum = sum + row.estimate
    end
  end
  return running > 0 and sum / running or nil
end

---@param batch pgorch.board.Batch
---@param now number   by the clock of batch.began
---@return pgorch.board.Figures
function figures.of(batch, now)
  local it = { counts = {}, total = #batch.rows, left = 0 }
  for _, row in ipairs(batch.rows) do
    it.counts[row.state] = (it.counts[row.state] or 0) + 1
    it.left = it.left + (order.ENDED[row.state] and 0 or 1)
  end
  local took = math.max(1, now - batch.began)
  if batch.done > 0 then it.per_hour = batch.done / took * 3600 end
  if it.left > 0 then
    it.eta = batch.ended > 0 and it.left * took / batch.ended or estimated(batch, it.counts.running or 0)
  end
  return it
end

local ORDER = { "running", "waiting", "ready", "attention", "stopped", "failed", "refused", "blocked" }

---"12 of 500 done, 4 running, 484 ready"
---@param it pgorch.board.Figures
---@return string
function figures.states(it)
  local parts = { ("%d of %d done"):format(it.counts.done or 0, it.total) }
  for _, state in ipairs(ORDER) do
    if it.counts[state] then parts[#parts + 1] = ("%d %s"):format(it.counts[state], state) end
  end
  return table.concat(parts, ", ")
end

---{"34 an hour", "ETA 14 h 20 m"}, as far as they are known.
---@param it pgorch.board.Figures
---@return string[]
function figures.pace(it)
  local list = {}
  if it.per_hour then list[1] = ("%.0f an hour"):format(it.per_hour) end
  if it.eta then list[#list + 1] = "ETA " .. figures.brief(it.eta) end
  return list
end

return figures
