-- What still stands of a run on which no process works, as its record and its recipe say: for `pgorch cancel` and
-- `pgorch status`. Asks no server, needs no secret, changes nothing.

local undo = require "pgorch.runner.undo"

local standing = {}

---@class pgorch.Standing
---@field list string[]      what is so until it is put back
---@field going_on string[]  what goes on far away
---@field cut_over boolean   the point of no return is passed
---@field failed {id: string, message: string, by_hand: string|nil}[]   what an undo could not put back

---@param seen pgorch.Recorded
---@return pgorch.Standing|nil   nil: the recipe is gone, or does not load any more
function standing.of(seen)
  if not seen.recipe then return nil end
  local failed = {}
  for i, each in ipairs(undo.failures(seen)) do
    failed[i] = { id = each.row.id, message = tostring(each.error), by_hand = each.by_hand }
  end
  return { list = undo.standing(seen), going_on = undo.going_on(seen), cut_over = seen:cut_over(), failed = failed }
end

---The same as lines for a person.
---@param found pgorch.Standing
---@return string[]
function standing.lines(found)
  local lines = {}
  if #found.list > 0 then
    lines[1] = "still so: " .. table.concat(found.list, "; ")
  elseif not found.cut_over then
    lines[1] = "nothing stands that needs putting back"
  end
  if #found.going_on > 0 then lines[#lines + 1] = "goes on: " .. table.concat(found.going_on, "; ") end
  for _, each in ipairs(found.failed) do
    lines[#lines + 1] = ("NOT put back: %s  (%s)"):format(each.id, each.message)
    if each.by_hand then lines[#lines + 1] = "  by hand: " .. each.by_hand:gsub("\n", "\n           ") end
  end
  return lines
end

return standing
