-- Progress for machines: of each step at most one event a second, with the rate and the time left that a person would
-- see. What is passed over is older than the next one.

local lines = require "pgorch.runner.lines"

local EVERY_SECONDS = 1

local Pace = {}
Pace.__index = Pace

---@return table
function Pace.new() return setmetatable({ steps = {} }, Pace) end

local function whole(number) return number and math.floor(number + 0.5) end

local function is_new(step, e)
  return not step.told or e.total ~= nil and e.total == e.bytes and step.told_bytes ~= e.bytes
end

---@param e {id: string, bytes?: integer, total?: integer, text?: string}
---@param now number
---@return table|nil fields  to be told now
function Pace:take(e, now)
  local step = self.steps[e.id] or {}
  self.steps[e.id] = step
  lines.note_progress(step, e, now)
  if not is_new(step, e) and now - step.told < EVERY_SECONDS then return nil end
  step.told, step.told_bytes = now, e.bytes
  return { id = e.id, bytes = e.bytes, total = e.total, text = e.text, rate = whole(e.bytes and step.rate),
           eta = whole(e.bytes and lines.left(step)) }
end

return Pace
