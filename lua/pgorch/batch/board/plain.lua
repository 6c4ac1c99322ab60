-- A batch in plain lines, as a service's log or a file wants it: one for each row that begins, ends, or waits for
-- somebody, and how far the whole is every now and then.

local columns = require "pgorch.columns"
local figures = require "pgorch.batch.board.figures"
local meaning = require "pgorch.runner.meaning"
local state   = require "pgorch.batch.state"

local View = {}
View.__index = View

local TOTALS_SECONDS = 60

function View.new(board, o)
  return setmetatable({ board = board, put = o.put, now = o.now, own = o.own, quiet = o.quiet, verbose = o.verbose,
    told = {}, said = o.now() }, View)
end

local function say(self, text) self.put(columns.line(text) .. "\n") end

local function ended(row)
  local status = row.exit_status and ("  exit %d: %s"):format(row.exit_status,
    meaning.of(row.exit_status, row.state)) or ""
  local why = row.error and ("  %s %s"):format(row.error.id or "", (row.error.message or ""):match "^[^\n]*") or ""
  local again = row.state == "waiting" and row.wait and ("  again in %.0f s"):format(row.wait) or ""
  return row.state .. status .. why .. again
end

-- What there is to say of a row; nil: nothing.
local function words(self, batch, row)
  local at = row.progress
  if state.gate(row) then return ("waits at its gate: %s"):format(state.why(batch.name, row)) end
  if row.state == "running" and self.verbose and at and at.title then return at.title end
  if row.state == "running" then return "begins" .. (row.run and "  run " .. row.run or "") end
  if row.state == "ready" and not row.run then return nil end
  return ended(row)
end

-- Whether a line is owed for it. What it was when it was heard of first is no change.
local function concerns(self, row, before)
  if self.own and row.worker ~= self.own and not (before and before.worker == self.own) then return false end
  if self.quiet and not state.needs_person(row) then return false end
  return before ~= nil
end

function View:row(batch, row, before)
  local key, text = batch.name .. "/" .. row.id, words(self, batch, row)
  local what = ("%s %d %s"):format(row.state, row.fence, row.state == "running" and text or "")
  local same = self.told[key] == what
  self.told[key] = what
  if same or not text or not concerns(self, row, before) then return end
  if before.state == row.state and before.fence == row.fence and row.state ~= "running" then return end
  say(self, ("%s %s"):format(key, text))
end

local function head_of(batch)
  if batch.awaits_approval then return "waits for approval: pgorch batch approve " .. batch.name end
  return ("is %s%s"):format(batch.state, batch.reason and ": " .. batch.reason or "")
end

-- That it goes on needs no word, unless it did not before.
function View:batch(batch)
  local head, before = head_of(batch), self.told[batch.name] or "is running"
  self.told[batch.name] = head
  if before ~= head then say(self, ("%s %s"):format(batch.name, head)) end
end

local function say_totals(self)
  for _, batch in ipairs(self.board.batches) do
    local it = figures.of(batch, self.now())
    if it.left > 0 then
      say(self, ("%s: %s"):format(batch.name, table.concat({ figures.states(it), table.unpack(figures.pace(it)) },
        ", ")))
    end
  end
end

function View:tick()
  if self.own or self.quiet or self.now() - self.said < TOTALS_SECONDS then return end
  self.said = self.now()
  say_totals(self)
end

function View:message(text) say(self, text) end

function View:close() end -- luacheck: no self

return View
