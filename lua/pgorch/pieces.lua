-- Tables in pieces, each a range of a table's pages, so that several connections share a large one. Knows nothing of
-- what is done with a piece.

local M = {}

-- Servers before 14 would read all of the table for each range.
M.RANGES_SINCE = 140000
local MOST = 64
-- What was written since the pages were counted lies beyond them: the last range has no end.
local LAST_PAGE = 4294967295

local LEAST_BYTES, LARGEST_BYTES, EACH = 64 << 20, 1 << 30, 4

---Of what size the pieces are, so that no connection is left with much more to do than the others.
---@param tables {bytes: integer}[]
---@param jobs integer   connections
---@return integer bytes
function M.size(tables, jobs)
  local total = 0
  for _, t in ipairs(tables) do total = total + t.bytes end
  return math.max(LEAST_BYTES, math.min(LARGEST_BYTES, total // (jobs * EACH)))
end

---@class pgorch.Piece
---@field schema string
---@field name string
---@field bytes integer
---@field first integer|nil   the range's first page
---@field last integer|nil    the page after its last; nil: the whole table

---@param t {schema: string, name: string, bytes: integer, pages: integer|nil}
---@param piece_bytes integer
---@param most? integer   pieces, 64
---@return pgorch.Piece[] pieces   the table itself where it is small
function M.of_table(t, piece_bytes, most)
  local count = math.min(most or MOST, math.ceil(t.bytes / piece_bytes), t.pages or 1)
  if count < 2 then return { t } end
  local pieces = {}
  for i = 1, count do
    local last = i == count and LAST_PAGE or t.pages * i // count
    pieces[i] = { schema = t.schema, name = t.name, bytes = t.bytes // count, first = t.pages * (i - 1) // count,
                  last = last }
  end
  return pieces
end

local function before(a, b)
  if a.bytes ~= b.bytes then return a.bytes > b.bytes end
  if a.schema ~= b.schema then return a.schema < b.schema end
  if a.name ~= b.name then return a.name < b.name end
  return (a.first or 0) < (b.first or 0)
end

---All tables in pieces, the largest first: when each worker takes the next one, the last to end is a small one.
---@param tables table[]
---@param version integer               of the server that reads the ranges
---@param piece_bytes integer
---@param whole? fun(t: table): any     tables that must stay in one piece
---@return pgorch.Piece[]
function M.queue(tables, version, piece_bytes, whole)
  local queue = {}
  for _, t in ipairs(tables) do
    local split = version >= M.RANGES_SINCE and not (whole and whole(t))
    local pieces = split and M.of_table(t, piece_bytes) or { t }
    table.move(pieces, 1, #pieces, #queue + 1, queue)
  end
  table.sort(queue, before)
  return queue
end

---The piece's rows as an SQL condition; nil for a whole table.
---@param piece pgorch.Piece
---@param alias string   of the table in the statement
---@return string|nil
function M.condition(piece, alias)
  if not piece.last then return nil end
  return ("%s.ctid >= '(%d,0)'::tid and %s.ctid < '(%d,0)'::tid"):format(alias, piece.first, alias, piece.last)
end

return M
