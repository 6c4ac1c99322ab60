-- Counts deaths: by recipe and scenario, by step, and which writes of an undisturbed run somebody has died of.

local tally = {}

---@class pgorch.tests.Count
---@field writes integer              of an undisturbed run
---@field names string[]              of those writes
---@field hit table<string, integer>  deaths by write
---@field steps table<string, integer>
---@field seconds number
local Count = {}
Count.__index = Count

local function new_count(recipe, scenario)
  return setmetatable({ recipe = recipe, scenario = scenario, writes = 0, names = {}, hit = {}, steps = {},
    deaths = 0, counted = 0, at_writes = 0, seconds = 0 }, Count)
end

---A write that an undisturbed run has.
function Count:known(write)
  self.writes = self.writes + 1
  self.names[self.writes] = write
end

---@param death pgorch.tests.Death
function Count:died(death)
  self.deaths = self.deaths + 1
  if death.write then
    self.at_writes = self.at_writes + 1
    self.hit[death.write] = (self.hit[death.write] or 0) + 1
  end
  if not death.counted then return end
  self.counted = self.counted + 1
  self.steps[death.step] = (self.steps[death.step] or 0) + 1
end

function Count:missed()
  local list = {}
  for _, write in ipairs(self.names) do
    if not self.hit[write] then list[#list + 1] = write end
  end
  return list
end

---Raises when there is a write that no process has died of.
function Count:expect_all()
  local missed = self:missed()
  if #missed > 0 then
    error(("%s, %s: nobody died after: %s"):format(self.recipe, self.scenario, table.concat(missed, "; ")), 0)
  end
end

local Tally = {}
Tally.__index = Tally

function tally.new() return setmetatable({ list = {} }, Tally) end

---@return pgorch.tests.Count
function Tally:of(recipe, scenario)
  for _, count in ipairs(self.list) do
    if count.recipe == recipe and count.scenario == scenario then return count end
  end
  self.list[#self.list + 1] = new_count(recipe, scenario)
  return self.list[#self.list]
end

local function histogram(list)
  local steps, names = {}, {}
  for _, count in ipairs(list) do
    for step, deaths in pairs(count.steps) do
      if not steps[step] then names[#names + 1] = step end
      steps[step] = (steps[step] or 0) + deaths
    end
  end
  table.sort(names, function(a, b) return steps[a] > steps[b] or steps[a] == steps[b] and a < b end)
  return names, steps
end

local LINE = "# %-13s %-9s %6s %8s %10s  %s\n"

---The table and the histogram, as comments of TAP.
---@return string
function Tally:text()
  table.sort(self.list, function(a, b)
    return a.recipe < b.recipe or a.recipe == b.recipe and a.scenario < b.scenario
  end)
  local lines = { LINE:format("recipe", "scenario", "kills", "counted", "at writes", "of the writes of one run") }
  for _, count in ipairs(self.list) do
    local of = count.writes > 0 and ("%d of %d"):format(count.writes - #count:missed(), count.writes) or "not measured"
    lines[#lines + 1] = LINE:format(count.recipe, count.scenario, count.deaths, count.counted, count.at_writes, of)
  end
  lines[#lines + 1] = ("# %d kills counted, by the step that they fell in:\n"):format(self:counted())
  local names, steps = histogram(self.list)
  for _, name in ipairs(names) do
    lines[#lines + 1] = ("# %5d  %-30s %s\n"):format(steps[name], name, ("#"):rep(math.min(steps[name], 60)))
  end
  return table.concat(lines)
end

---Kills of processes that were alive between two writes.
---@return integer
function Tally:counted()
  local sum = 0
  for _, count in ipairs(self.list) do sum = sum + count.counted end
  return sum
end

---@param least integer
function Tally:expect(least)
  if self:counted() < least then error(("%d kills count, not %d"):format(self:counted(), least), 0) end
end

return tally
