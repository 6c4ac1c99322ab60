-- Differences that a dump makes by itself, for it does not carry what the source has: worth a warning, for nothing is
-- lost, and each with what mends it where something can. Pure: asks no server.

local difference = require "pgorch.verify.difference"

local M = {}

---Of an object that both have, not alike. A dump adds a check to the parent as it is there, NOT VALID, and so to the
---child, where it had been made valid.
---@param kind string
---@param mine string|pgorch.LongText     its definition on the source
---@param theirs string|pgorch.LongText   on the target
---@return "warn"|nil level
---@return string|nil cure   what ALTER TABLE on the target must do with it
function M.judge(kind, mine, theirs)
  local valid = kind == "check" and type(theirs) == "string" and theirs:match "^(.*) NOT VALID$"
  if valid and difference.same(mine, valid .. "\nvalidated here alone") then return "warn", "VALIDATE CONSTRAINT" end
end

---Of an object that the source alone has: the triggers that keep a foreign key are disabled there, and on the target
---they fire.
---@param kind string
---@return "warn"|nil level
function M.on_the_source_alone(kind)
  return kind == "triggers of a key" and "warn" or nil
end

return M
