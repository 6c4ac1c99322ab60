-- What the limits of a batch leave room for. Rows at work count, and those whose runs stand while they wait to be tried
-- again: their places are not given away. A group counts once in a scope: a batch of one instance's databases, frozen
-- together, is one load on it, and would never start otherwise. Pure.

local order = require "pgorch.batch.order"

local Room = {}
Room.__index = Room

local KINDS = { "instance", "provider", "storage" }

local function scopes_of(row)
  local keys = {}
  for _, kind in ipairs(KINDS) do
    if row.scopes[kind] then keys[kind .. " " .. row.scopes[kind]] = { kind = kind } end
  end
  for service, place in pairs(row.scopes.account or {}) do
    keys[("%s account %s"):format(service, place)] = { kind = "account", service = service }
  end
  return keys
end

local function scopes_of_all(rows)
  local all = {}
  for _, row in ipairs(rows) do
    for key, scope in pairs(scopes_of(row)) do all[key] = scope end
  end
  return all
end

local function limit_of(self, scope)
  local limit = self.limits["per_" .. scope.kind]
  if scope.kind == "account" and type(limit) == "table" then return limit[scope.service] end
  return limit
end

local function occupy(self, rows)
  for key in pairs(scopes_of_all(rows)) do self.used[key] = (self.used[key] or 0) + 1 end
end

-- Rows of other batches, their groups as units again.
local function occupy_elsewhere(self, rows)
  local units = {}
  for _, row in ipairs(rows) do
    local key = ("%s %s %s"):format(row.batch, row.grp and "group" or "row", row.grp or row.id)
    units[key] = units[key] or {}
    table.insert(units[key], row)
  end
  for _, unit in pairs(units) do occupy(self, unit) end
end

---@param limits table
---@param units pgorch.Unit[]
---@param elsewhere table[]   rows of other batches that are at work
---@return table
function Room.new(limits, units, elsewhere)
  local self = setmetatable({ limits = limits, used = {}, jobs = 0 }, Room)
  for _, unit in ipairs(units) do
    local busy = {}
    for _, row in ipairs(unit.rows) do
      if row.state == "running" or order.is_begun(row) then busy[#busy + 1] = row end
    end
    self.jobs = self.jobs + #busy
    if #busy > 0 then occupy(self, busy) end
  end
  occupy_elsewhere(self, elsewhere or {})
  return self
end

---Whether so many more rows may be at work. Where nothing is, a group larger than the limit may.
---@param count integer
---@return boolean
function Room:has_jobs(count) return self.jobs == 0 or self.jobs + count <= (self.limits.jobs or math.huge) end

---The scope that is full; nil: none.
---@param rows pgorch.BatchRow[]
---@return string|nil scope
function Room:full(rows)
  local keys = {}
  for key, scope in pairs(scopes_of_all(rows)) do
    local limit = limit_of(self, scope)
    if limit and (self.used[key] or 0) >= limit then keys[#keys + 1] = key end
  end
  table.sort(keys)
  return keys[1]
end

---@param rows pgorch.BatchRow[]
function Room:take(rows)
  self.jobs = self.jobs + #rows
  occupy(self, rows)
end

return Room
