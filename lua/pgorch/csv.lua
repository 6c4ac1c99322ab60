-- Rows as CSV text with a header (RFC 4180): written as psql's \copy ... csv header does, read as spreadsheets write
-- them.

local M = {}

local function field(value)
  if value == nil then return "" end
  local text = tostring(value)
  if text == "" or text:find('[",\r\n]') then return '"' .. text:gsub('"', '""') .. '"' end
  return text
end

---@param rows table[]      rows keyed by name
---@param columns? string[] default: those of all rows, sorted
---@return string
function M.text(rows, columns)
  if not columns then
    local seen = {}
    columns = {}
    for _, row in ipairs(rows) do
      for name in pairs(row) do
        if not seen[name] then seen[name], columns[#columns + 1] = true, name end
      end
    end
    table.sort(columns)
  end
  local lines = { table.concat(columns, ",") }
  for _, row in ipairs(rows) do
    local cells = {}
    for i, name in ipairs(columns) do cells[i] = field(row[name]) end
    lines[#lines + 1] = table.concat(cells, ",")
  end
  return table.concat(lines, "\n") .. "\n"
end

-- --- reading ---

local function count_lines(text, from, to)
  local _, breaks = text:sub(from, to):gsub("\n", "")
  return breaks
end

-- The quoted cell that begins at `at`: its text, and where the next thing stands.
local function quoted(text, at)
  local parts, from = {}, at + 1
  while true do
    local quote = text:find('"', from, true)
    if not quote then return nil, "the quote that begins here never ends" end
    parts[#parts + 1] = text:sub(from, quote - 1)
    if text:sub(quote + 1, quote + 1) ~= '"' then return table.concat(parts), quote + 1 end
    parts[#parts + 1], from = '"', quote + 2
  end
end

local function plain(text, at)
  local stop = text:find("[,\r\n]", at) or #text + 1
  local cell = text:sub(at, stop - 1)
  if cell:find('"', 1, true) then return nil, "a quote inside a cell that does not begin with one" end
  return cell, stop
end

-- The cells of the record that begins at `at`, and where the next one does.
local function record(text, at)
  local cells = {}
  while true do
    local cell, stop = (text:sub(at, at) == '"' and quoted or plain)(text, at)
    if not cell then return nil, stop, #cells + 1 end
    cells[#cells + 1] = cell
    local mark = text:sub(stop, stop)
    if mark ~= "," then
      local ending = text:match("^\r?\n()", stop)
      if ending or mark == "" then return cells, ending or stop end
      return nil, ("`%s` follows the end of a quoted cell"):format(mark), #cells
    end
    at = stop + 1
  end
end

---Reads CSV text. Lines with nothing in them are passed over; a byte order mark too.
---@param text string
---@return {line: integer, [integer]: string}[]|nil records  the header is the first; `line` is where each begins
---@return string|nil why       what is wrong, with its line and cell
function M.parse(text)
  local records, line, at = {}, 1, text:sub(1, 3) == "\u{FEFF}" and 4 or 1
  while at <= #text do
    local cells, next_at, cell = record(text, at)
    if not cells then return nil, ("line %d, cell %d: %s"):format(line, cell, next_at) end
    if #cells > 1 or cells[1] ~= "" then
      cells.line = line
      records[#records + 1] = cells
    end
    line, at = line + count_lines(text, at, next_at - 1), next_at
  end
  return records
end

return M
