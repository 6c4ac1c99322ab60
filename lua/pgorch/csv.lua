-- Rows as CSV text with a header, as psql's \copy ... csv header writes them. Only writes, never reads.

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

return M
