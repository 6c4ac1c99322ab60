-- Linode's X-Filter: a JSON object of wanted values, comparisons, and/or, and an order. Applied to a list of objects;
-- only their plain fields can be asked for.

local json = require "pgorch.json"

local filter = {}

local function comparable(a, b) return type(a) == type(b) and (type(a) == "number" or type(a) == "string") end

local COMPARE = {
  ["+neq"] = function(value, wanted) return value ~= wanted end,
  ["+gt"] = function(value, wanted) return comparable(value, wanted) and value > wanted end,
  ["+gte"] = function(value, wanted) return comparable(value, wanted) and value >= wanted end,
  ["+lt"] = function(value, wanted) return comparable(value, wanted) and value < wanted end,
  ["+lte"] = function(value, wanted) return comparable(value, wanted) and value <= wanted end,
  ["+contains"] = function(value, wanted)
    return type(value) == "string" and value:lower():find(tostring(wanted):lower(), 1, true) ~= nil
  end,
}

local function refuse(format, ...) error({ refused = format:format(...) }, 0) end

local function fits_field(value, wanted, name)
  if type(value) == "table" and value ~= json.null then refuse("Cannot filter on %s", name) end
  if type(wanted) ~= "table" or wanted == json.null then return value == wanted end
  for operator, operand in pairs(wanted) do
    if not COMPARE[operator] then refuse("Unknown operator %s", tostring(operator)) end
    if not COMPARE[operator](value, operand) then return false end
  end
  return true
end

local fits

local function some(item, list, wanted)
  if type(list) ~= "table" then refuse "+and and +or take a list" end
  for _, each in ipairs(list) do
    if fits(item, each) == wanted then return true end
  end
  return false
end

function fits(item, wanted)
  if type(wanted) ~= "table" then refuse "A filter is an object" end
  for name, value in pairs(wanted) do
    if name == "+and" then
      if some(item, value, false) then return false end
    elseif name == "+or" then
      if not some(item, value, true) then return false end
    elseif name ~= "+order_by" and name ~= "+order" then
      if not fits_field(item[name], value, name) then return false end
    end
  end
  return true
end

-- Values of one kind stand together; those that have no order are last, as they came.
local KINDS = { number = 1, string = 2 }

local function order(list, by, direction)
  if direction ~= nil and direction ~= "asc" and direction ~= "desc" then refuse "+order is asc or desc" end
  local place = {}
  for i, item in ipairs(list) do place[item] = i end
  table.sort(list, function(a, b)
    local x, y = a[by], b[by]
    local kind_x, kind_y = KINDS[type(x)] or 3, KINDS[type(y)] or 3
    if kind_x ~= kind_y then return kind_x < kind_y end
    if kind_x == 3 or x == y then return place[a] < place[b] end
    if direction == "desc" then return x > y end
    return x < y
  end)
end

local function apply(items, wanted)
  local found = {}
  for _, item in ipairs(items) do
    if fits(item, wanted) then found[#found + 1] = item end
  end
  if wanted["+order_by"] then order(found, wanted["+order_by"], wanted["+order"]) end
  return found
end

--- The items that a filter leaves, in its order.
---@param items table[]
---@param text? string the header
---@return table[]|nil found
---@return string|nil why it is no filter
function filter.apply(items, text)
  if not text or text == "" then return items end
  local ok, wanted = pcall(json.decode, text)
  if not ok or type(wanted) ~= "table" then return nil, "Invalid JSON" end
  local done, found = pcall(apply, items, wanted)
  if done then return found end
  if type(found) ~= "table" or not found.refused then error(found, 0) end
  return nil, found.refused
end

return filter
