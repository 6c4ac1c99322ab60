-- What a step's `plan` said, as lines of one form: a sign (+ ~ - ! ?, or none for what is so already), a text, and
-- what goes with it. Two lines are the same when their texts are; what is only about so (a size, an age) is left out of
-- that.

local fail    = require "pgorch.error"
local unknown = require "pgorch.plan.unknown"

local lines = {}

---What a step's plan gives: a text, or a list of these.
---@class pgorch.PlanLine
---@field [1] string          "+ object dump.sql": + makes, ~ changes, - removes, ! destroys; no sign: it is so already
---@field about string|nil    what may differ when it is done, shown in brackets: "~640 MB"
---@field cents integer|nil   what it costs a month
---@field after string|nil    what undoes it at the end of a good run, as a line of its own

---@class pgorch.planned.Line
---@field sign "+"|"~"|"-"|"!"|"?"|""
---@field text string
---@field about string|nil
---@field cents integer|nil
---@field after string|nil

local function wrong(step, what)
  fail.raise("PGO-RECIPE", ("step %s: `plan` gives %s: a text is needed, or a list of texts"):format(step.id, what))
end

local function split(text)
  local sign, rest = text:match "^([+~!%-?]) +(.+)$"
  return sign or "", (rest or text):gsub("%s*\n%s*", " ")
end

-- What is unknown is a text like any other here.
local function text_of(value) return unknown.step(value) and tostring(value) or value end

local function line_of(step, given)
  local one = type(given) == "table" and given or { given }
  local whole = text_of(one[1])
  if type(whole) ~= "string" then wrong(step, "a " .. type(whole)) end
  local sign, text = split(whole)
  return { sign = sign, text = text, about = one.about and tostring(one.about), cents = math.tointeger(one.cents),
           after = text_of(one.after) }
end

---@param step table
---@param given any   what its `plan` returned
---@return pgorch.planned.Line[]
function lines.of(step, given)
  given = text_of(given)
  if given == nil then return {} end
  if type(given) == "string" then return { line_of(step, given) } end
  if type(given) ~= "table" then wrong(step, "a " .. type(given)) end
  if given.about or given.cents or given.after then return { line_of(step, given) } end
  local list = {}
  for i, each in ipairs(given) do list[i] = line_of(step, text_of(each)) end
  return list
end

-- One who writes a step may leave `plan` out: that it writes is said all the same.
local SIGN = { write = "~", destroy = "!" }

---@param step table
---@param item? table   of an `each` step
---@return pgorch.planned.Line[]
function lines.by_effect(step, item)
  return { { sign = SIGN[step.effect] or "", text = item and ("%s %s"):format(step.title, item.key) or step.title } }
end

---@param line pgorch.planned.Line
---@return string
function lines.show(line)
  local text = line.sign == "" and line.text or line.sign .. " " .. line.text
  return line.about and ("%s (%s)"):format(text, line.about) or text
end

---@param line pgorch.planned.Line
---@return boolean
function lines.is_change(line) return line.sign ~= "" end

local function compared(line) return line.sign .. " " .. line.text end

-- "(known after addon)" in what was planned stands for whatever it is by now.
local function matches(planned, now)
  local escaped = compared(planned):gsub("%p", "%%%0"):gsub("%%%(known after [%w%%_%-]+%%%)", ".*")
  return compared(now):find("^" .. escaped .. "$") ~= nil
end

---Whether what a step would do now is what was planned. A line "? ..." of the plan stands for anything.
---@param planned pgorch.planned.Line[]
---@param now pgorch.planned.Line[]
---@return boolean
function lines.same(planned, now)
  for _, each in ipairs(planned) do
    if each.sign == "?" then return true end
  end
  if #planned ~= #now then return false end
  for i, each in ipairs(planned) do
    if not matches(each, now[i]) then return false end
  end
  return true
end

---@param list pgorch.planned.Line[]
---@return string
function lines.show_all(list)
  local shown = {}
  for i, each in ipairs(list) do shown[i] = lines.show(each) end
  return #shown > 0 and table.concat(shown, "; ") or "nothing"
end

return lines
