-- What a step's context can do with names that several runs hold, over names in memory: for tests that call a step
-- without a run. The rules are those of runner/shared.lua.

local memory = require "pgorch.store.memory"
local shared = require "pgorch.runner.shared"

local holding = {}

local Session = {}
Session.__index = Session
function Session.durably(_, fn, ...) return fn(...) end
function Session.is_at_work() return true end

---Gives a context the means of one run. Returns the names, for another one's.
---@param ctx table
---@param o? {names?: table, run?: string}
---@return table names
function holding.give(ctx, o)
  local names = o and o.names or memory.new()
  local session = setmetatable({ store = names, run = { id = o and o.run or "r1" } }, Session)
  function ctx.join(_, name, how) return shared.join(session, name, how) end
  function ctx.leave(_, name, put_back, how) return shared.leave(session, name, put_back, how) end
  function ctx.leave_for_good(_, name, how) return shared.leave_for_good(session, name, how) end
  function ctx.in_turn(_, name, fn) return shared.in_turn(session, name, fn) end
  function ctx.take_over_from_rehearsals() end
  function ctx.hold(_, name) return names:hold(name, session.run.id) end
  return names
end

---@param names table
---@param name string
---@return string[] runs that hold it
function holding.runs(names, name)
  local list = {}
  for i, row in ipairs(names:holders(name)) do list[i] = row.run end
  return list
end

return holding
