-- A value as a person wants to read it: rows of a query in columns, small tables on one line, larger ones one field a
-- line, names sorted; what is very deep or very long is cut, and that is said. Secrets stay masked: they are shown by
-- their own __tostring.

local summary = require "pgorch.runner.summary"

local inspect = {}

local WIDTH, DEEPEST, MOST = 80, 6, 100

local KEYWORDS = {}
for word in ("and break do else elseif end false for function goto if in local nil not or repeat return then true "
  .. "until while"):gmatch "%l+" do KEYWORDS[word] = true end

local ESCAPES = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ["\\"] = "\\\\", ['"'] = '\\"' }

local function quoted(text)
  text = text:gsub('[\n\t\r\\"]', ESCAPES):gsub("[%c\127]", function(c) return ("\\x%02x"):format(c:byte()) end)
  return '"' .. text .. '"'
end

local function key_text(key)
  if type(key) ~= "string" then return ("[%s]"):format(tostring(key)) end
  return key:match "^[%a_][%w_]*$" and not KEYWORDS[key] and key or ("[%s]"):format(quoted(key))
end

local function in_order(a, b)
  local ta, tb = type(a), type(b)
  if ta ~= tb then return ta < tb end
  if ta == "number" or ta == "string" then return a < b end
  return tostring(a) < tostring(b)
end

-- The names of a table that are not 1..n, sorted.
local function names_of(value, count)
  local names = {}
  for key in next, value do
    local listed = math.type(key) == "integer" and key >= 1 and key <= count
    if not listed then names[#names + 1] = key end
  end
  table.sort(names, in_order)
  return names
end

local show

local function parts_of(value, above, indent)
  local parts, count = {}, rawlen(value)
  for i = 1, math.min(count, MOST) do parts[i] = show(rawget(value, i), above, indent) end
  local names = names_of(value, count)
  for i = 1, math.min(#names, MOST) do
    parts[#parts + 1] = ("%s = %s"):format(key_text(names[i]), show(rawget(value, names[i]), above, indent))
  end
  local left = math.max(count - MOST, 0) + math.max(#names - MOST, 0)
  if left > 0 then parts[#parts + 1] = ("... %d more"):format(left) end
  return parts
end

local function of_table(value, above, indent)
  if above[value] then return "(a table above)" end
  if #indent >= 2 * DEEPEST then return "{...}" end
  above[value] = true
  local inner = indent .. "  "
  local parts = parts_of(value, above, inner)
  above[value] = nil
  if #parts == 0 then return "{}" end
  local line = "{ " .. table.concat(parts, ", ") .. " }"
  if #line + #indent <= WIDTH and not line:find("\n", 1, true) then return line end
  return ("{\n%s%s\n%s}"):format(inner, table.concat(parts, ",\n" .. inner), indent)
end

function show(value, above, indent)
  if type(value) == "string" then return quoted(value) end
  local meta = type(value) == "table" and getmetatable(value)
  local named = type(meta) == "table" and rawget(meta, "__tostring")
  if type(value) ~= "table" or named or type(meta) == "string" then return tostring(value) end
  return of_table(value, above, indent)
end

-- The columns of a list of rows: tables of names with plain values, more than one of them. nil: it is no such list.
local function columns_of(value)
  if type(value) ~= "table" or #value < 2 or getmetatable(value) or next(value, #value) ~= nil then return nil end
  local names = {}
  for _, row in ipairs(value) do
    if type(row) ~= "table" or getmetatable(row) then return nil end
    for name, cell in next, row do
      if type(name) ~= "string" or type(cell) == "table" or type(cell) == "function" then return nil end
      names[name] = true
    end
  end
  return next(names) and names_of(names, 0) or nil
end

local function in_columns(value, columns)
  local rows = {}
  for i = 1, math.min(#value, MOST) do
    rows[i] = {}
    for at, name in ipairs(columns) do
      local cell = value[i][name]
      rows[i][at] = cell == nil and "" or type(cell) == "number" and cell or tostring(cell):gsub("%c", " ")
    end
  end
  local text = summary.table({ title = "", columns = columns, rows = rows }):sub(2)
  return #value > MOST and ("%s\n  ... %d more"):format(text, #value - MOST) or text
end

---@param value any
---@return string
function inspect.text(value)
  local columns = columns_of(value)
  return columns and in_columns(value, columns) or show(value, {}, "")
end

return inspect
