-- Values as people write them on a command line or in a recipe: durations, sizes, numbers, lists; and back into text.
-- No await, no state but one: a relative path begins in the working folder.

local host = require "pgorch.native.host"

local values = {}

local SECONDS = { s = 1, sec = 1, m = 60, min = 60, h = 3600, d = 86400, w = 604800 }

---"26h", "1h30m", "90", 90 -> seconds.
---@param text string|number
---@return number|nil seconds
---@return string|nil why
function values.duration(text)
  if type(text) == "number" then return text >= 0 and text or nil, "is negative" end
  local plain = tonumber(text)
  if plain then return values.duration(plain) end
  local total, rest = 0, text:gsub("%s+", "")
  if rest == "" then return nil, "is empty" end
  while rest ~= "" do
    local number, unit, tail = rest:match("^(%d+%.?%d*)(%a+)(.*)$")
    local factor = unit and SECONDS[unit:lower()]
    if not factor then return nil, "is no duration: write 90s, 15m, 26h, 7d or 1h30m" end
    total, rest = total + tonumber(number) * factor, tail
  end
  return math.tointeger(total) or total
end

local BYTES = { b = 1, k = 1e3, kb = 1e3, m = 1e6, mb = 1e6, g = 1e9, gb = 1e9, t = 1e12, tb = 1e12,
                kib = 1 << 10, mib = 1 << 20, gib = 1 << 30, tib = 1 << 40 }

---"2GB", "64MiB", "1000" -> bytes.
---@param text string|number
---@return integer|nil bytes
---@return string|nil why
function values.size(text)
  if type(text) == "number" then return math.tointeger(text), "is no whole number of bytes" end
  local number, unit = text:match("^%s*(%d+%.?%d*)%s*(%a*)%s*$")
  local factor = number and (unit == "" and 1 or BYTES[unit:lower()])
  if not factor then return nil, "is no size: write 500MB, 2GB or 64MiB" end
  return math.floor(tonumber(number) * factor + 0.5)
end

local TRUE  = { ["true"] = true, yes = true, on = true, ["1"] = true }
local FALSE = { ["false"] = true, no = true, off = true, ["0"] = true }

local function to_list(text)
  local list = {}
  for item in text:gmatch("[^,]+") do
    item = item:match("^%s*(.-)%s*$")
    if item ~= "" then list[#list + 1] = item end
  end
  return list
end

---A path as it has to be kept: whoever reads it later may be in another folder.
---@param path string
---@return string
function values.absolute(path)
  if not path:match "^/" then path = (host.cwd() .. "/" .. path .. "/"):gsub("/%./", "/"):gsub("/%./", "/") end
  return (path:gsub("(.)/+$", "%1"))
end

local PARSERS = {
  string = function(text) return tostring(text) end,
  integer = function(text)
    local number = math.tointeger(tonumber(text))
    if number then return number end
    return nil, "is no whole number"
  end,
  number = function(text)
    local number = tonumber(text)
    if number then return number end
    return nil, "is no number"
  end,
  boolean = function(text)
    if type(text) == "boolean" then return text end
    if TRUE[tostring(text):lower()] then return true end
    if FALSE[tostring(text):lower()] then return false end
    return nil, "is neither yes nor no"
  end,
  path = function(text)
    if text == "" then return nil, "is empty" end
    return values.absolute(tostring(text))
  end,
  duration = values.duration,
  size = values.size,
  list = function(text)
    if type(text) == "table" then return text end
    return to_list(tostring(text))
  end,
}

---@param kind string  one of the types of a parameter
---@return boolean
function values.is_type(kind) return PARSERS[kind] ~= nil end

---The value that `text` stands for; nil and why when it stands for none.
---@param kind "string"|"path"|"integer"|"number"|"boolean"|"duration"|"size"|"list"
---@param text any
---@return any value
---@return string|nil why
function values.parse(kind, text)
  local value, why = PARSERS[kind](text)
  if value == nil then return nil, why or "is no " .. kind end
  return value
end

---"1.9 s", "2 m 41 s", "1 h 05 m".
---@param seconds number
---@return string
function values.show_duration(seconds)
  if seconds < 9.95 then return ("%.1f s"):format(seconds) end
  local whole = math.floor(seconds + 0.5)
  if whole < 60 then return ("%d s"):format(whole) end
  if whole < 3600 then return ("%d m %02d s"):format(whole // 60, whole % 60) end
  if whole < 86400 then return ("%d h %02d m"):format(whole // 3600, whole % 3600 // 60) end
  return ("%d d %02d h"):format(whole // 86400, whole % 86400 // 3600)
end

---"641 MB", "3.1 GB".
---@param bytes number
---@return string
function values.show_size(bytes)
  local units, at = { "B", "kB", "MB", "GB", "TB", "PB" }, 1
  while bytes >= 999.5 and at < #units do bytes, at = bytes / 1000, at + 1 end
  local digits = (at > 1 and bytes < 9.95) and "%.1f %s" or "%.0f %s"
  return digits:format(bytes, units[at])
end

---How alike two words are: the number of letters to add, drop, change or swap.
---@param a string
---@param b string
---@return integer
function values.distance(a, b)
  local before, row = {}, {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local two_before
    two_before, before, row = before, row, { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      row[j] = math.min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (same and 0 or 1))
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], two_before[j - 2] + 1)
      end
    end
  end
  return row[#b]
end

---The word of the list that was probably meant, or nil.
---@param word string
---@param list string[]
---@return string|nil
function values.closest(word, list)
  local best, least = nil, math.max(1, #word // 3) + 1
  for _, each in ipairs(list) do
    local far = values.distance(word, each)
    if each:sub(1, #word) == word and #word >= 3 then far = math.min(far, 1) end
    if far < least then best, least = each, far end
  end
  return best
end

---", did you mean `x`?" for a message about a word that is not of the list, or nothing.
---@param word string
---@param list string[]
---@param shown? string   how the word that was meant is written: "`%s`"
---@return string
function values.hint(word, list, shown)
  local meant = values.closest(word, list)
  return meant and (", did you mean %s?"):format((shown or "`%s`"):format(meant)) or ""
end

return values
