-- What is seen of batches while they go on: a live table on a terminal, plain lines elsewhere, JSON Lines for machines
-- (batch/board/). Keeps what is known of each row, from what it is told in pieces: a worker reads of most rows no more
-- than decides about starts. Decides nothing.

local clock    = require "pgorch.clock"
local log      = require "pgorch.log"
local order    = require "pgorch.batch.order"
local progress = require "pgorch.runner.progress"
local term     = require "pgorch.term"

local VIEWS = { live = require "pgorch.batch.board.live", plain = require "pgorch.batch.board.plain",
                json = require "pgorch.batch.board.json" }

---A batch as the views see it.
---@class pgorch.board.Batch
---@field name string
---@field state string
---@field reason string|nil
---@field awaits_approval boolean|nil
---@field rows pgorch.BatchRow[]              in the manifest's order
---@field by_id table<string, pgorch.BatchRow>
---@field began number                        when the board heard of it first, by clock.uptime
---@field ended integer                       rows that came to their end since
---@field done integer                        those of them that are moved

---@class pgorch.Board
---@field mode "live"|"plain"|"json"
---@field batches pgorch.board.Batch[]   in the order in which they were heard of
local Board = {}
Board.__index = Board

-- What a row keeps although less of it is read the next time.
local LASTING = { argv = true, labels = true, findings = true, estimate = true, depends_on = true, grp = true,
                  position = true, recipe = true, run = true, started_at = true }

-- A claim gives a row the next number; within one, a row begins, and then it ends.
local function is_older(row, known)
  if row.fence ~= known.fence then return row.fence < known.fence end
  if row.state == "running" then return known.state ~= "running" end
  return order.ENDED[known.state] and not order.ENDED[row.state]
end

local function merged(known, row)
  local made = {}
  for name, value in pairs(row) do made[name] = value end
  if not known then return made end
  local same = known.fence == row.fence and known.state == row.state
  for name, value in pairs(known) do
    if made[name] == nil and (LASTING[name] or same and name ~= "reason") then made[name] = value end
  end
  return made
end

local function count(batch, before, now)
  if before and order.ENDED[now.state] and not order.ENDED[before.state] then
    batch.ended = batch.ended + 1
    batch.done = batch.done + (now.state == "done" and 1 or 0)
  end
end

-- Takes in what is told of a row; nil: it is older than what is known.
local function take(batch, row)
  local known = batch.by_id[row.id]
  if known and is_older(row, known) then return nil end
  local made, at = merged(known, row), known and known.at or #batch.rows + 1
  made.at = at
  batch.rows[at], batch.by_id[row.id] = made, made
  count(batch, known, made)
  return made, known
end

local function find(self, name)
  local batch = self.by_name[name]
  if not batch then
    batch = { name = name, state = "running", rows = {}, by_id = {}, began = self.now(), ended = 0, done = 0 }
    self.by_name[name] = batch
    table.insert(self.batches, batch)
  end
  return batch
end

---The batch as a whole has changed, or is heard of for the first time.
---@param read pgorch.BatchRead
function Board:batch(read)
  local batch = find(self, read.name)
  batch.state, batch.reason, batch.awaits_approval = read.state, read.reason, read.awaits_approval
  local changed = {}
  for _, row in ipairs(read.rows or {}) do
    local now, before = take(batch, row)
    if now then changed[#changed + 1] = { now = now, before = before } end
  end
  self.view:batch(batch)
  for _, each in ipairs(changed) do self.view:row(batch, each.now, each.before) end
end

---A row has changed.
---@param of {name: string}
---@param row pgorch.BatchRow
function Board:row(of, row)
  local batch = find(self, of.name)
  local now, before = take(batch, row)
  if now then self.view:row(batch, now, before) end
end

---@param text string
function Board:message(text) self.view:message(text) end

---Called a few times a second, whether or not anything has happened.
function Board:tick() self.view:tick() end

---The last of what there is to see; messages go where they went before.
function Board:close()
  if self.closed then return end
  self.closed = true
  self.view:close()
  log.sink = self.sink
end

Board.__close = Board.close

local function mode_of(host, file)
  if host.json then return "json" end
  return progress.wants_colour(host, file) and not host.quiet and "live" or "plain"
end

---@class pgorch.BoardOptions
---@field mode? "live"|"plain"|"json"   otherwise as the flags and the terminal want it
---@field host? table          flags: json, quiet, verbose, no-color
---@field file? 1|2            where a person reads it: standard output, or standard error (2)
---@field own? string          rows of this worker alone
---@field now? fun(): number   in seconds
---@field put? fun(text: string)
---@field size? fun(): integer, integer   width and height of the terminal

---@param o pgorch.BoardOptions
---@return pgorch.Board
function Board.new(o)
  local host, file = o.host or {}, o.file or 2
  local mode = o.mode or mode_of(host, file)
  local self = setmetatable({ mode = mode, batches = {}, by_name = {}, now = o.now or clock.uptime, sink = log.sink },
    Board)
  self.view = VIEWS[mode].new(self, { own = o.own, quiet = host.quiet, verbose = host.verbose, now = self.now,
    put = o.put or (mode == "json" or file == 1) and term.out or term.err,
    size = o.size or function() return term.width(), term.height() end })
  if mode ~= "json" then
    log.sink = function(level, text) self:message((level == "info" and "" or level .. ": ") .. text) end
  end
  return self
end

return Board
