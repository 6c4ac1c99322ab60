-- Definitions that can be long: what of two is shown when they differ, and what of one is stored. A stored one is the
-- text itself, or of a long text its digest, its first line and a few digits for each line: enough to say where another
-- text leaves it. Passwords in a definition (a view over dblink, a function's body) are told apart and not told.

local crypto = require "pgorch.crypto"

local M = {}

local STORED = 500     -- bytes of a text that are stored as they are
local LINES  = 1000    -- lines whose digests are stored
local SHOWN  = 160     -- bytes of a line that are shown, from a little before the place where it differs
local BEFORE = 30

---@class pgorch.LongText
---@field sha256 string
---@field first string    its first line
---@field lines string    four hexadecimal digits of each line's digest

local function digits(text) return crypto.sha256(text):sub(1, 4) end

-- Four digits: enough to see that it is another, not enough to try guesses against.
local function masked(before, password) return ("%s(password %s)"):format(before, digits(password)) end

---The text with no password in it.
---@param text string
---@return string
function M.mask(text)
  if text:find "[Pp][Aa][Ss][Ss][Ww][Oo][Rr][Dd]" then
    text = text:gsub("([Pp][Aa][Ss][Ss][Ww][Oo][Rr][Dd]%s*:?=%s*'*)([^%s']+)", masked)
    text = text:gsub("([Pp][Aa][Ss][Ss][Ww][Oo][Rr][Dd]%s+')([^']+)", masked)
  end
  if text:find("://", 1, true) then text = text:gsub("(://[^%s:/@']*:)([^%s/@']+)%f[@]", masked) end
  return text
end

local function lines_of(text)
  local lines = {}
  for line in (text .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = line end
  return lines
end

---What is kept of a text in a run's record.
---@param text string
---@return string|pgorch.LongText
function M.stored(text)
  if #text <= STORED then return text end
  local lines = lines_of(text)
  local marks = {}
  for i = 1, math.min(#lines, LINES) do marks[i] = digits(lines[i]) end
  return { sha256 = crypto.sha256(text), first = M.excerpt(lines[1], 1), lines = table.concat(marks) }
end

---@param a string|pgorch.LongText
---@param b string|pgorch.LongText
---@return boolean
function M.same(a, b)
  if type(a) == "string" and type(b) == "string" then return a == b end
  local x, y = M.stored(type(a) == "string" and a or ""), M.stored(type(b) == "string" and b or "")
  x, y = type(a) == "table" and a or x, type(b) == "table" and b or y
  return type(x) == "table" and type(y) == "table" and x.sha256 == y.sha256
end

-- The place where a character begins, at `at` or by `step` from it.
local function character(text, at, step)
  while (text:byte(at) or 0) & 0xC0 == 0x80 do at = at + step end
  return at
end

---A part of a line around `at`, with marks where it was cut.
---@param line string
---@param at integer
---@return string
function M.excerpt(line, at)
  if #line <= SHOWN then return line end
  local first = character(line, math.max(1, math.min(at - BEFORE, #line - SHOWN + 1)), 1)
  local stop = character(line, math.min(#line + 1, first + SHOWN), -1) - 1
  return (first > 1 and "..." or "") .. line:sub(first, stop) .. (stop < #line and "..." or "")
end

local function first_difference(a, b)
  for i = 1, math.min(#a, #b) do
    if a:byte(i) ~= b:byte(i) then return i end
  end
  return math.min(#a, #b) + 1
end

-- On one line, each part of it without the blanks that laid it out.
local function joined(lines, first, last)
  local parts = {}
  for i = first, last do
    if lines[i]:find "%S" then parts[#parts + 1] = lines[i]:match "^%s*(.-)%s*$" end
  end
  return table.concat(parts, " ")
end

-- What stands between what both begin with and what both end with. Numbered: only the first line of it.
local function show_lines(a, b, numbered)
  local from, more = 1, 0
  while a[from] and a[from] == b[from] do from = from + 1 end
  while #a - more >= from and #b - more >= from and a[#a - more] == b[#b - more] do more = more + 1 end
  local x = joined(a, from, numbered and math.min(from, #a - more) or #a - more)
  local y = joined(b, from, numbered and math.min(from, #b - more) or #b - more)
  local at = first_difference(x, y)
  local function side(shown, lines)
    if #lines - more < from then return "without it" end
    shown = shown == "" and "nothing" or M.excerpt(shown, at)
    return numbered and ("line %d: %s"):format(from, shown) or shown
  end
  return side(x, a), side(y, b)
end

-- Of a stored long text only the place is known, and of the other side the line there.
local function show_place(long, text)
  local lines, known = lines_of(text), #long.lines // 4
  for i = 1, known do
    if not lines[i] then return ("goes on at line %d"):format(i), ("ends at line %d"):format(i - 1) end
    if digits(lines[i]) ~= long.lines:sub(4 * i - 3, 4 * i) then
      local line = lines[i] == "" and "nothing" or M.excerpt(lines[i], 1)
      return ("another line %d"):format(i), ("line %d: %s"):format(i, line)
    end
  end
  if known < LINES and lines[known + 1] then
    local line = M.excerpt(lines[known + 1], 1)
    return ("ends at line %d"):format(known), ("goes on at line %d: %s"):format(known + 1, line)
  end
  return "sha256 " .. long.sha256:sub(1, 12), "sha256 " .. crypto.sha256(text):sub(1, 12)
end

---How two texts differ, one short line for each.
---@param a string|pgorch.LongText
---@param b string|pgorch.LongText
---@param numbered? boolean   with the number of the line, as people count a function's lines
---@return string source, string target
function M.show(a, b, numbered)
  if type(a) == "string" and type(b) == "string" then return show_lines(lines_of(a), lines_of(b), numbered) end
  if type(b) == "string" then return show_place(a, b) end
  if type(a) == "string" then
    local target, source = show_place(b, a)
    return source, target
  end
  return "sha256 " .. a.sha256:sub(1, 12), "sha256 " .. b.sha256:sub(1, 12)
end

---The beginning of one text.
---@param text string|pgorch.LongText
---@return string
function M.beginning(text)
  if type(text) == "table" then return text.first end
  local lines = lines_of(text)
  return text == "" and "there" or M.excerpt(joined(lines, 1, #lines), 1)
end

return M
