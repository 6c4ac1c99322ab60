-- What is wrong with a manifest, told at once: each mistake with its place, and one that many rows share only once.

local fail = require "pgorch.error"

local problems = {}

local CURE = "Correct what is named; nothing was done."

local SHOWN = 3         -- places of one mistake

---@class pgorch.batch.Problems
local Problems = {}
Problems.__index = Problems

---@return pgorch.batch.Problems
function problems.new() return setmetatable({ texts = {}, places = {} }, Problems) end

---@param place string   "moves.csv, line 3"
---@param text string
function Problems:add(place, text)
  if not self.places[text] then
    self.texts[#self.texts + 1] = text
    self.places[text] = {}
  end
  table.insert(self.places[text], place)
end

-- "moves.csv, lines 3, 4 and 17 more" is how people say it: what the places share is said once.
local function where(places)
  local head, rest = places[1]:match "^(.*, )(.*)$"
  local list = { places[1] }
  for i = 2, math.min(SHOWN, #places) do
    local own = head and places[i]:sub(1, #head) == head and places[i]:sub(#head + 1) or places[i]
    list[i] = rest and own:gsub("^%a+ ", "") or own
  end
  if #places > SHOWN then return ("%s and %d more"):format(table.concat(list, ", "), #places - SHOWN) end
  return table.concat(list, ", ")
end

---@return string[] lines
function Problems:lines()
  local lines = {}
  for i, text in ipairs(self.texts) do lines[i] = ("%s: %s"):format(where(self.places[text]), text) end
  return lines
end

---Raises all of them as one error; none: nothing.
---@param what string   "moves.csv"
function Problems:raise(what)
  local lines = self:lines()
  if #lines == 0 then return end
  if #lines == 1 then fail.raise("PGO-BATCH", lines[1], { cure = CURE }) end
  fail.raise("PGO-BATCH", ("%d things are wrong with %s"):format(#lines, what),
    { detail = table.concat(lines, "\n"), cure = CURE })
end

return problems
