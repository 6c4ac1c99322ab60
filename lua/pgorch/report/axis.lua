-- The time axis of the chart: where an instant lies, in percent of the width. Stretches in which nothing was at work
-- are cut out and drawn as a narrow gap, so that a run that rested for days still shows its minutes. Pure.

local moment = require "pgorch.report.moment"

local axis = {}

-- A rest is cut when it is longer than this part of all the work, and than SHORTEST (microseconds); gaps never take
-- more than GAPS of the width.
local LONG, SHORTEST, GAP, GAPS = 0.04, 5000000, 4, 30

---@class pgorch.report.Axis
---@field parts {from: integer, to: integer, x: number, width: number, gap: boolean}[]
local Axis = {}
Axis.__index = Axis

-- The stretches of work, merged, in order.
local function merged(list)
  table.sort(list, function(a, b) return a.from < b.from end)
  local out = {}
  for _, each in ipairs(list) do
    local last = out[#out]
    if last and each.from <= last.to then last.to = math.max(last.to, each.to)
    else out[#out + 1] = { from = each.from, to = each.to } end
  end
  return out
end

local function sum(list)
  local total = 0
  for _, each in ipairs(list) do total = total + each.to - each.from end
  return total
end

-- Work that is closer together than a rest worth cutting becomes one part.
local function joined(work, shortest)
  local out = {}
  for _, each in ipairs(work) do
    local last = out[#out]
    if last and each.from - last.to <= shortest then last.to = each.to
    else out[#out + 1] = { from = each.from, to = each.to } end
  end
  return out
end

local function place(parts)
  local gaps = #parts - 1
  local gap = gaps > 0 and math.min(GAP, GAPS / gaps) or 0
  local left, total = 100 - gap * gaps, math.max(1, sum(parts))
  local out, x = {}, 0
  for i, each in ipairs(parts) do
    if i > 1 then
      out[#out + 1] = { from = parts[i - 1].to, to = each.from, x = x, width = gap, gap = true }
      x = x + gap
    end
    local width = left * (each.to - each.from) / total
    out[#out + 1] = { from = each.from, to = each.to, x = x, width = width, gap = false }
    x = x + width
  end
  return out
end

---@param work {from: integer, to: integer}[]  microseconds
---@return pgorch.report.Axis|nil  nil when nothing was at work
function axis.new(work)
  if #work == 0 then return nil end
  local parts = merged(work)
  return setmetatable({ parts = place(joined(parts, math.max(SHORTEST, LONG * sum(parts)))) }, Axis)
end

---@param at integer
---@return number  0 to 100
function Axis:x(at)
  for _, part in ipairs(self.parts) do
    if at <= part.to then
      local length = math.max(1, part.to - part.from)
      return part.x + part.width * math.max(0, at - part.from) / length
    end
  end
  return 100
end

local STEPS = { 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 604800 }

-- The round distance, in seconds, of at most `most` marks over this time.
local function distance(seconds, most)
  for _, each in ipairs(STEPS) do
    if seconds / each <= most then return each end
  end
  return STEPS[#STEPS] * math.ceil(seconds / STEPS[#STEPS] / most)
end

-- Where a part begins first of all, then round times; the widths are those of their labels, in percent.
local NEAR, END = 9, 90

local function candidates(self)
  local total, starts, round = 0, {}, {}
  for _, part in ipairs(self.parts) do total = total + (part.gap and 0 or part.to - part.from) end
  local every = distance(total / 1e6, 6) * 1000000
  for _, part in ipairs(self.parts) do
    if not part.gap then
      starts[#starts + 1] = part.from
      for at = (part.from // every + 1) * every, part.to, every do round[#round + 1] = at end
    end
  end
  return table.move(round, 1, #round, #starts + 1, starts)
end

---Marks that leave room for their labels: the beginning of each part, and round times.
---@return {at: string, x: number}[]
function Axis:marks()
  local list = {}
  for _, at in ipairs(candidates(self)) do
    local x, free = self:x(at), true
    for _, other in ipairs(list) do
      free = free and math.abs(other.x - x) >= NEAR and other.second ~= at // 1000000
    end
    if free and x <= END then list[#list + 1] = { at = moment.iso(at), x = x, second = at // 1000000 } end
  end
  table.sort(list, function(p, q) return p.x < q.x end)
  return list
end

---@return {x: number, width: number, seconds: number}[]
function Axis:gaps()
  local list = {}
  for _, part in ipairs(self.parts) do
    if part.gap then list[#list + 1] = { x = part.x, width = part.width, seconds = (part.to - part.from) / 1e6 } end
  end
  return list
end

return axis
