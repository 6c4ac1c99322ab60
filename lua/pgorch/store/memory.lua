-- The names that runs hold, in memory: for a recipe that is looked at without a run, and for tests. Answers as
-- store/locks.lua does, with nothing on the disk.

local json = require "pgorch.json"

local Memory = {}
Memory.__index = Memory

---@return table
function Memory.new() return setmetatable({ names = {}, released = {}, clock = 0 }, Memory) end

-- Whoever changes what he was given changes nothing here: as with a store that writes texts.
local function copy(data) return data and json.decode(json.encode(data)) end

local function sorted(rows)
  local list = {}
  for _, row in pairs(rows) do list[#list + 1] = { run = row.run, at = row.at, data = copy(row.data) } end
  table.sort(list, function(a, b) return a.at < b.at end)
  return list
end

local function put(self, name, run, fields)
  self.clock = self.clock + 1
  self.names[name] = self.names[name] or {}
  local row = self.names[name][run] or { run = run, at = self.clock }
  for field, value in pairs(fields) do row[field] = value end
  self.names[name][run] = row
end

function Memory:lock(name, run)
  for other, row in pairs(self.names[name] or {}) do
    if other ~= run then return false, row end
  end
  put(self, name, run, { exclusive = 1 })
  return true
end

function Memory:take_over(name, run, from)
  self:unlock(name, from)
  return (self:lock(name, run))
end

function Memory:unlock(name, run)
  local held = self.names[name]
  if not held or not held[run] then return end
  if held[run].exclusive == 0 then self.released[name .. " " .. run] = true end
  held[run] = nil
end

function Memory:hold(name, run)
  put(self, name, run, { exclusive = 0 })
  return #sorted(self.names[name]) - 1
end

function Memory:holders(name) return sorted(self.names[name] or {}) end

function Memory:was_released(name, run) return self.released[name .. " " .. run] == true end

function Memory:share(name, _, shares)
  for run, data in pairs(shares) do
    put(self, name, run, { exclusive = 0, data = copy(data) })
    self.released[name .. " " .. run] = nil
  end
end

return Memory
