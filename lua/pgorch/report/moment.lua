-- Times and numbers as the report and `status` write them. One rule: times are UTC, and say so. Pure.

local clock = require "pgorch.clock"

local moment = {}

---@param at integer|nil  microseconds since 1970
---@return string|nil     "2026-11-26T10:20:01.123Z"
function moment.iso(at)
  if not at then return nil end
  return (clock.iso(at // 1000000):gsub("Z$", (".%03dZ"):format(at // 1000 % 1000)))
end

---@param text string  as moment.iso or clock.iso write it
---@return integer     microseconds
function moment.parse(text)
  return math.floor(clock.parse_iso(text) * 1e6 + 0.5)
end

---@param iso string
---@return string  "10:20:01"
function moment.time(iso) return iso:sub(12, 19) end

local MONTHS = { "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
  "November", "December" }

---@param iso string
---@return string  "26 November 2026"
function moment.day(iso)
  return ("%d %s %s"):format(tonumber(iso:sub(9, 10)), MONTHS[tonumber(iso:sub(6, 7))], iso:sub(1, 4))
end

---The time, with its day where that is not the day of `from`.
---@param iso string
---@param from string
---@return string  "10:20:01", "4 Mar 10:20:01"
function moment.since(iso, from)
  if iso:sub(1, 10) == from:sub(1, 10) then return moment.time(iso) end
  return ("%d %s %s"):format(tonumber(iso:sub(9, 10)), MONTHS[tonumber(iso:sub(6, 7))]:sub(1, 3), moment.time(iso))
end

---@param from integer|nil
---@param to integer|nil
---@return number|nil  seconds
function moment.between(from, to)
  if not from or not to then return nil end
  return math.max(0, to - from) / 1e6
end

---Digits in groups of three, which no line break takes apart.
---@param n integer
---@return string  "8 412 331"
function moment.count(n)
  local text = ("%d"):format(n):reverse():gsub("(%d%d%d)", "%1 "):reverse()
  return (text:gsub("^(%-?) ", "%1"):gsub(" ", "\u{202F}"))
end

---"1 table", "2 tables".
---@param n integer
---@param word string
---@param plural? string
---@return string
function moment.number(n, word, plural)
  return ("%s %s"):format(moment.count(n), n == 1 and word or plural or word .. "s")
end

return moment
