-- Queries of the user's own, one per file, whose results must be the same on both sides: "Comparing query results".
-- The server counts and sums the rows as text under pinned settings, so that a result may be of any size; their order
-- does not count. A query that fails on either side is a difference.

local fs        = require "pgorch.fs"
local row_hash  = require "pgorch.verify.row_hash"
local snapshot  = require "pgorch.verify.snapshot"
local statement = require "pgorch.verify.statement"

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

-- A second statement is a syntax error in these brackets.
local SUM = "select count(*) as rows, coalesce(sum(" .. row_hash.sql(row_hash.SHA256, "pgorch_row")
  .. "), 0)::text as sum from (%s) as pgorch_row"
local ROWS = "select pgorch_row::text as line, count(*) as count from (%s) as pgorch_row group by 1"

local SHOWN, LONGEST, READ_AT_MOST = 3, 80, 100000

local function why_it_failed(why)
  if why:find('syntax error at or near ";"', 1, true) then why = "more than one statement: write one in a file" end
  return "failed: " .. why
end

-- Names are found as the application finds them on the source; our own sessions have no search_path.
local function search_path(conn)
  return conn:value "select reset_val from pg_settings where name = 'search_path'"
end

-- fn(...) with that path; nil and the reason when a query in it failed.
local function within(conn, path, fn, ...)
  conn:exec("select set_config('search_path', $1, false)", path)
  local result, why = snapshot.attempt(conn, fn, ...)
  conn:exec "select set_config('search_path', '', false)"
  return result, why
end

local function attempt(conn, path, sql)
  local row, why = within(conn, path, conn.row, conn, SUM:format(statement.alone(sql)))
  if not row then return nil, why_it_failed(why) end
  return row, ("%d rows, %s"):format(row.rows, row.sum)
end

local function lines(conn, path, sql)
  return within(conn, path, function()
    local counts = {}
    for row in conn:rows(ROWS:format(statement.alone(sql))) do counts[row.line] = row.count end
    return counts
  end)
end

local function clip(line)
  return #line <= LONGEST and line or line:sub(1, utf8.offset(line, 0, LONGEST) - 1) .. "..."
end

local function first_missing(from, counts)
  local missing = {}
  for line, count in pairs(from) do
    if count > (counts[line] or 0) then missing[#missing + 1] = clip(line) end
  end
  table.sort(missing)
  return #missing > 0 and table.concat(missing, " ", 1, math.min(SHOWN, #missing)) or "-"
end

-- Rows that only one side has, the first few by their bytes.
local function show_rows(list, query, a, b, path)
  local mine, theirs = lines(a, path, query.sql), lines(b, path, query.sql)
  if not (mine and theirs) then return end
  list[#list + 1] = { kind = "query rows", name = query.name, source = first_missing(mine, theirs),
                      target = first_missing(theirs, mine), of = query.name }
end

---@param queries {name: string, sql: string}[]
---@param a pgorch.Connection to the source, in a read-only transaction
---@param b pgorch.Connection to the target, in one too
---@param o? {rows?: boolean}   show the first rows that differ: not in a record, for they may be personal
---@return pgorch.Difference[]
function M.compare(queries, a, b, o)
  local list, path = {}, search_path(a)
  for _, query in ipairs(queries) do
    local mine, mine_said = attempt(a, path, query.sql)
    local theirs, theirs_said = attempt(b, path, query.sql)
    if not (mine and theirs) or mine.rows ~= theirs.rows or mine.sum ~= theirs.sum then
      list[#list + 1] = { kind = "query", name = query.name, source = mine_said, target = theirs_said }
      local few = mine and theirs and math.max(mine.rows, theirs.rows) <= READ_AT_MOST
      if few and o and o.rows then show_rows(list, query, a, b, path) end
    end
  end
  return list
end

return M
