-- What the server runs when an index is built or a constraint is checked: functions of the user's, directly or below an
-- operator, a cast or a type; and what extensions bring. Only reads a table of contents, and goes by its dependencies.

local calls = {}

-- What a table needs for itself (defaults, checks) was run when its rows came.
local ENDS = { ["TABLE"] = true, ["FOREIGN TABLE"] = true, ["VIEW"] = true, ["MATERIALIZED VIEW"] = true,
               ["SEQUENCE"] = true }
local FOUND = { ["FUNCTION"] = "functions", ["PROCEDURE"] = "functions", ["AGGREGATE"] = "functions",
                ["EXTENSION"] = "extensions" }

---@class pgorch.copy.Calls
local Calls = {}
Calls.__index = Calls

---@param entries pgorch.archive.Entry[]
---@return pgorch.copy.Calls
function calls.new(entries)
  local self = setmetatable({ kinds = {}, below = {} }, Calls)
  for _, entry in ipairs(entries) do
    self.kinds[entry.id], self.below[entry.id] = entry.desc, entry.dependencies
  end
  return self
end

---What an entry may call. Types and functions name each other: each is looked at once.
---@param entry pgorch.archive.Entry
---@return {functions: boolean|nil, extensions: boolean|nil}
function Calls:of(entry)
  local found, seen, list = {}, {}, { entry.dependencies }
  while #list > 0 do
    for _, id in ipairs(table.remove(list)) do
      local kind = self.kinds[id]
      if kind and not seen[id] and not ENDS[kind] then
        seen[id] = true
        if FOUND[kind] then found[FOUND[kind]] = true else list[#list + 1] = self.below[id] end
      end
    end
  end
  return found
end

return calls
