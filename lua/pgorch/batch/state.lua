-- The states of a row of a batch in words: what it came to, why, whether a person is needed. Pure.

local columns = require "pgorch.columns"
local ENDED   = require "pgorch.batch.order".ENDED

local state = {}

local WORDS = { running = "running", waiting = "waits to be tried again", failed = "failed, put back",
                refused = "refused", stopped = "stopped, state kept", blocked = "blocked" }

-- Those that need a person, the most urgent first, and the others after them.
local RANK = { attention = 1, stopped = 3, failed = 4, refused = 5, blocked = 6, running = 7, waiting = 8, ready = 9,
               done = 10 }

-- The window of a row that waits may be open.
local GATE, LAST = 2, 6

local function at_gate(row) return row.state == "running" and row.progress and row.progress.gate or nil end

---The gate at which the row waits for a person.
state.gate = at_gate

---@param row pgorch.BatchRow
---@return string
function state.words(row)
  if at_gate(row) then return "waits at its gate" end
  if row.state == "done" then return row.exit_status == 3 and "done, with warnings" or "done" end
  if row.state == "ready" then return row.stands and "begun, waits" or "not begun" end
  if row.state == "attention" then return row.exit_status == 9 and "moved, needs a look" or "NOT all put back" end
  return WORDS[row.state] or row.state
end

---Smaller first, where rows are shown by what they need.
---@param row pgorch.BatchRow
---@return integer
function state.rank(row) return at_gate(row) and GATE or RANK[row.state] or 0 end

---@param row pgorch.BatchRow
---@return boolean
function state.needs_person(row) return state.rank(row) <= LAST end

---How it is to be coloured: good, wait, bad, calm.
---@param row pgorch.BatchRow
---@return string
function state.tone(row)
  if row.state == "done" then return row.exit_status == 3 and "wait" or "good" end
  if row.state == "attention" then return row.exit_status == 9 and "wait" or "bad" end
  if row.state == "failed" or row.state == "refused" then return "bad" end
  return (row.state == "stopped" or row.state == "blocked" or at_gate(row)) and "wait" or "calm"
end

---Why it is as it is, in one line; nil: there is nothing to say.
---@param batch string  its name
---@param row pgorch.BatchRow
---@return string|nil
function state.why(batch, row)
  if at_gate(row) then return ("pgorch batch approve %s %s"):format(batch, row.id) end
  if row.error then
    return columns.line(("%s %s"):format(row.error.id or "", (row.error.message or ""):match "^[^\n]*"))
  end
  return not ENDED[row.state] and row.reason or nil
end

---The app that the row moves a database of; nil where its recipe has none.
---@param row {argv: string[]|nil}
---@return string|nil
function state.app(row)
  for _, word in ipairs(row.argv or {}) do
    local app = word:match "^%-%-app=(.+)"
    if app then return app end
  end
end

return state
