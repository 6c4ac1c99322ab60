-- Sequences are in no snapshot: on a source that goes on working, one that the dump has read is further on when the
-- comparison reads it. What the target has must then lie between where it stood when the snapshot was taken and where
-- it stands now. Reads only.

local verify = require "pgorch.verify"

local M = {}

local function number(value) return value and math.tointeger(tonumber(value:match "^%-?%d+")) end

---Whether a sequence has passed `value` on its way: "last_value|is_called" of three moments.
---@param value string
---@param before string|nil
---@param after string
---@return boolean
function M.is_between(value, before, after)
  local at, from, to = number(value), number(before), number(after)
  if not (at and from and to) or before == after then return false end
  return math.min(from, to) <= at and at <= math.max(from, to)
end

---Takes the target's value for the source's where a sequence has passed it, so that only what was lost is a difference.
---@param ctx pgorch.Context
function M.settle(ctx)
  local side, before = ctx.result.checksum_source, ctx.result.fingerprint.mark.sequences
  local conn <close> = ctx.target:connect { settings = verify.SETTINGS }
  local passed = 0
  for key, there in pairs(verify.sequences(conn)) do
    local here = side.sequences[key]
    if here and here ~= there and M.is_between(there, before[key], here) then
      side.sequences[key], passed = there, passed + 1
    end
  end
  if passed > 0 then ctx:note(("%d sequences moved on while they were dumped, as expected"):format(passed)) end
end

return M
