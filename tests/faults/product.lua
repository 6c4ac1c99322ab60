-- The product place x fault: every operation that an undisturbed move of a recipe asks for, with each kind of HTTP
-- fault that has a meaning there. Which request of several gets it is drawn by the seed. Injects nothing.

local crypto   = require "pgorch.crypto"
local faults   = require "cases"
local requests = require "requests"

local product = {}

---A number from 0 to 1 that is the same for the same seed and name.
---@param seed integer
---@param name string
---@return number
function product.draw(seed, name)
  return tonumber(crypto.sha256(("%d %s"):format(seed, name)):sub(1, 13), 16) / 16 ^ 13
end

local CHANGES = { POST = true, PUT = true, PATCH = true, DELETE = true }

-- What an undisturbed move asked for: place -> {count, method, answers, body}.
---@param entries table[] of requests.since
---@return table<string, table>
function product.places(entries)
  local found = {}
  local counts = requests.count(entries)
  for _, entry in ipairs(entries) do
    local size = tonumber((entry.headers or {})["content-length"]) or 0
    local place = found[entry.place]
      or { count = counts[entry.place], method = entry.method, body = 0, answers = math.huge }
    place.body, place.answers = math.max(place.body, size), math.min(place.answers, entry.bytes or 0)
    found[entry.place] = place
  end
  return found
end

local function has_meaning(kind, place)
  if kind.changes and not CHANGES[place.method] then return false end
  if kind.answers and (place.answers <= kind.fault.cut_after or place.method == "HEAD") then return false end
  return not kind.body or place.body > kind.fault.cut_request
end

local function with(fault, skip)
  local made = { skip = skip > 0 and skip or nil }
  for name, value in pairs(fault) do made[name] = value end
  return made
end

---@param recipe string
---@param places table<string, table>
---@param seed integer
---@return table[] cases
function product.of(recipe, places, seed)
  local cases, names = {}, {}
  for name in pairs(places) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    for _, kind in ipairs(faults.kinds) do
      if has_meaning(kind, places[name]) then
        local title = ("%s: %s"):format(name, kind.name)
        -- Polls come a few times more or less: the last ones might never come.
        local skip = math.floor(product.draw(seed, recipe .. title) * places[name].count * 0.6)
        local ends = kind.once and not CHANGES[places[name].method] and faults.DONE or kind.ends
        cases[#cases + 1] = { name = title, recipe = recipe, inject = "http", place = name, ends = ends,
          fault = with(kind.fault, skip), long = kind.long }
      end
    end
  end
  return cases
end

---So many of a list, spread over it as the seed has it.
function product.some(list, count, seed)
  local drawn = {}
  for i, each in ipairs(list) do drawn[i] = { each = each, at = product.draw(seed, each.recipe .. each.name) } end
  table.sort(drawn, function(a, b) return a.at < b.at end)
  local found = {}
  for i = 1, math.min(count, #drawn) do found[i] = drawn[i].each end
  return found
end

return product
