-- What a plan cannot know: the result of a step that has not run. It can be put into a text, where it reads "(known
-- after STEP)", and its fields are as unknown; whatever would decide by it raises PGO-PLAN-UNKNOWN. Lua has no way to
-- trap `if value then` and `value == "text"`: to those an unknown is a table like any other.

local fail = require "pgorch.error"

local unknown = {}

-- The step of each: a field of the table itself would be a field of the result.
local steps = setmetatable({}, { __mode = "k" })

local META = { __name = "unknown" }

---@param id string  the step that it will be known after
---@return table
function unknown.new(id)
  local value = setmetatable({}, META)
  steps[value] = id
  return value
end

---@param value any
---@return string|nil step  nil: it is known
function unknown.step(value) return type(value) == "table" and steps[value] or nil end

---@param id string
---@return string
function unknown.text(id) return ("(known after %s)"):format(id) end

---Raises what a condition on a result that is not there yet has to raise.
---@param id string
---@param what? string  what was tried
function unknown.refuse(id, what)
  fail.raise("PGO-PLAN-UNKNOWN", ("the result of %s is known only after it has run%s"):format(id,
    what and ": a plan cannot " .. what .. " it" or ""), { known_after = id })
end

local function refusing(what)
  return function(a, b) unknown.refuse(steps[a] or steps[b], what) end
end

function META.__tostring(self) return unknown.text(steps[self]) end
function META.__concat(a, b) return tostring(a) .. tostring(b) end

-- By a number it would be endless: ipairs stops at the first nil.
function META.__index(self, name)
  if type(name) == "number" then unknown.refuse(steps[self], "walk through") end
  return unknown.new(steps[self])
end

META.__newindex = refusing "change"
META.__call     = refusing "call"
META.__pairs    = refusing "walk through"
META.__len      = refusing "count"
for _, name in ipairs { "eq", "lt", "le" } do META["__" .. name] = refusing "compare" end
for _, name in ipairs { "add", "sub", "mul", "div", "mod", "pow", "unm", "idiv", "band", "bor", "bxor", "bnot", "shl",
                        "shr" } do
  META["__" .. name] = refusing "calculate with"
end

return unknown
