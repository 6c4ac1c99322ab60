-- Queries of the user's own, one per file, whose results must be the same on both sides: "Comparing query results".
-- The order of rows does not count; a query that fails on either side is a difference.

local crypto = require "pgorch.crypto"
local fs     = require "pgorch.fs"
local json   = require "pgorch.json"
local task   = require "pgorch.task"

local M = {}

---The .sql files of "queries/*.sql", relative to the recipe's folder; none when there is no such folder.
---@param pattern string
---@param folder string|nil
---@return {name: string, sql: string}[]
function M.find(pattern, folder)
  local below = pattern:match("^(.*)/[^/]*$") or "."
  local path = below:sub(1, 1) == "/" and below or (folder or ".") .. "/" .. below
  local found = {}
  if not fs.exists(path) then return found end
  for _, name in ipairs(fs.list(path)) do
    if name:match("%.sql$") then found[#found + 1] = { name = name, sql = fs.read(path .. "/" .. name) } end
  end
  table.sort(found, function(a, b) return a.name < b.name end)
  return found
end

---@return string digest, integer rows
local function digest(conn, sql)
  local lines = {}
  for i, row in ipairs(conn:query((sql:gsub(";%s*$", "")))) do
    local cells = {}
    for name, value in pairs(row) do cells[#cells + 1] = json.encode(name) .. ":" .. json.encode(value) end
    table.sort(cells)
    lines[i] = table.concat(cells, ",")
  end
  table.sort(lines)
  return crypto.sha256(table.concat(lines, "\n")), #lines
end

local function attempt(conn, sql)
  local ok, sum, rows = pcall(digest, conn, sql)
  if ok then return sum, ("%d rows, %s"):format(rows, sum:sub(1, 12)) end
  if task.cancelled(sum) then error(sum, 0) end
  return nil, "failed: " .. tostring(sum.message or sum)
end

---@param a table connection to the source
---@param b table connection to the target
---@return pgorch.Difference[]
function M.compare(queries, a, b)
  local list = {}
  for _, query in ipairs(queries) do
    local mine, mine_said = attempt(a, query.sql)
    local theirs, theirs_said = attempt(b, query.sql)
    if not mine or mine ~= theirs then
      list[#list + 1] = { kind = "query", name = query.name, source = mine_said, target = theirs_said }
    end
  end
  return list
end

return M
