-- The live table on a terminal: drawn again in place, at most twice a second, below the lines that stay. Follows the
-- size of the window; nothing that it draws wraps.

local clock    = require "pgorch.clock"
local columns  = require "pgorch.columns"
local figures  = require "pgorch.batch.board.figures"
local order    = require "pgorch.batch.order"
local progress = require "pgorch.runner.progress"
local state    = require "pgorch.batch.state"
local table_of = require "pgorch.batch.board.table"

local View = {}
View.__index = View

local DRAW_SECONDS = 0.5

-- Where a line would wrap after all, since the terminal takes a letter to be wider, it is cut.
local NO_WRAP, WRAP = "\27[?7l", "\27[?7h"
local TO_LINE_END, BELOW = "\27[K", "\27[J"

function View.new(board, o)
  return setmetatable({ board = board, put = o.put, now = o.now, size = o.size, block = {}, stay = {},
    drawn = -math.huge, good = progress.is_utf8() and "✓" or "ok", bad = progress.is_utf8() and "✗" or "FAIL" }, View)
end

-- --- the block ---

local function plain(line) return (line:gsub("\27%[[%d;]*m", "")) end

-- Lines that the block takes now: a terminal that has become narrower has wrapped those that no longer fit.
local function height_of(block, width)
  local height = 0
  for _, line in ipairs(block) do height = height + math.max(1, -(-columns.width(plain(line)) // width)) end
  return height
end

local function block_of(self, width, height)
  local out, batches = {}, self.board.batches
  local each = math.max(1, (height - 1) // math.max(1, #batches))
  for _, batch in ipairs(batches) do
    local lines = table_of.lines(batch, { width = width - 1, height = each, now = self.now(), time = clock.time(),
      paint = progress.paint })
    table.move(lines, 1, #lines, #out + 1, out)
  end
  return out
end

-- One write for all of it, each line over the one that was there: nothing flickers.
local function draw(self, block)
  local width, height = self.size()
  local up = math.min(height_of(self.block, width), height - 1)
  local out = { up > 0 and ("\27[%dA"):format(up) or "", "\r" }
  local function add(list)
    for _, line in ipairs(list) do out[#out + 1] = line .. TO_LINE_END .. "\n" end
  end
  block = block or block_of(self, width, height)
  add(self.stay)
  out[#out + 1] = NO_WRAP
  add(block)
  out[#out + 1] = BELOW .. WRAP
  self.put(table.concat(out))
  self.block, self.stay, self.drawn = block, {}, self.now()
end

function View:tick()
  if self.now() - self.drawn >= DRAW_SECONDS then draw(self) end
end

-- --- lines that stay ---

local function mark(self, row)
  if row.state == "done" then return progress.paint(row.exit_status == 3 and "yellow" or "green", self.good) end
  return progress.paint(state.tone(row) == "bad" and "red" or "yellow", self.bad)
end

local function ended_line(self, batch, row)
  local took = row.started_at and "  " .. figures.brief(clock.time() - row.started_at / 1e6) or ""
  local why = row.state ~= "done" and state.why(batch.name, row)
  return ("  %s %s"):format(mark(self, row), columns.line(("%s  %s%s%s%s"):format(row.id, state.words(row), took,
    row.run and "  run " .. row.run or "", why and "  " .. why or "")))
end

-- The end of a row is told by a line of its own: the table has room for those at work alone.
function View:row(batch, row, before)
  if before and before.state ~= row.state and order.ENDED[row.state] and not order.ENDED[before.state] then
    self.stay[#self.stay + 1] = ended_line(self, batch, row)
  end
  self:tick()
end

function View:batch() self:tick() end

function View:message(text)
  for line in text:gmatch "[^\n]+" do self.stay[#self.stay + 1] = columns.line(line) end
  draw(self)
end

-- The table goes; what stays of the batch is its summary.
function View:close() draw(self, {}) end

return View
