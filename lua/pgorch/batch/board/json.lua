-- A batch for machines: a line for each change of a row, how far it is at most once a second, and of the batch as a
-- whole. The line with the version comes from runner/progress.lua, before all.

local clock   = require "pgorch.clock"
local figures = require "pgorch.batch.board.figures"
local json    = require "pgorch.json"
local order   = require "pgorch.batch.order"

local View = {}
View.__index = View

local EVERY_SECONDS = 1

local ROW = { "recipe", "state", "run", "attempt", "worker", "exit_status", "error" }
local PROGRESS = { "step", "title", "gate", "fraction", "bytes", "total", "rate", "eta", "text" }

function View.new(board, o)
  return setmetatable({ board = board, put = o.put, now = o.now, rows = {}, batches = {} }, View)
end

---The fields of a row for machines.
---@param batch string
---@param row pgorch.BatchRow
---@return table
function View.fields(batch, row)
  local made = { batch = batch, row = row.id, group = row.grp }
  for _, name in ipairs(ROW) do made[name] = row[name] end
  made.reason = not order.ENDED[row.state] and row.reason or nil
  for _, name in ipairs(row.state == "running" and row.progress and PROGRESS or {}) do
    made[name] = row.progress[name]
  end
  return made
end

local function say(self, kind, fields)
  fields.event, fields.at = kind, clock.iso()
  self.put(json.encode(fields) .. "\n")
end

-- What is told at once; numbers in a reason (the seconds until it is tried again) go on by themselves.
local function essence(row)
  local at, reason = row.progress or {}, not order.ENDED[row.state] and row.reason or ""
  return table.concat({ row.state, row.fence, at.step or "", at.gate or "", (reason:gsub("%d+", "")) }, "\0")
end

function View:row(batch, row)
  local key = batch.name .. "\0" .. row.id
  local told, now, what = self.rows[key] or {}, self.now(), essence(row)
  self.rows[key] = told
  if told.what == what and (row.state ~= "running" or now - told.at < EVERY_SECONDS) then return end
  told.what, told.at = what, now
  say(self, "row", View.fields(batch.name, row))
end

local function tell(self, batch, at_once)
  local it = figures.of(batch, self.now())
  local head = ("%s\0%s\0%s"):format(batch.state, batch.reason or "", tostring(batch.awaits_approval))
  local what, told = head .. figures.states(it), self.batches[batch.name] or {}
  self.batches[batch.name] = told
  if told.what == what or not at_once and told.head == head and self.now() - told.at < EVERY_SECONDS then return end
  told.what, told.head, told.at = what, head, self.now()
  say(self, "batch", { batch = batch.name, state = batch.state, reason = batch.reason, counts = it.counts,
    awaits_approval = batch.awaits_approval or nil, rows = it.total, per_hour = it.per_hour, eta = it.eta })
end

function View:batch(batch) tell(self, batch, true) end

function View:tick()
  for _, batch in ipairs(self.board.batches) do tell(self, batch, false) end
end

function View:message(text) say(self, "message", { text = text }) end

function View:close()
  for _, batch in ipairs(self.board.batches) do tell(self, batch, true) end
end

return View
