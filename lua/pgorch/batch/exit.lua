-- The exit status of `pgorch batch run`: of all that can be said of the rows, what needs a person first. Pure.

local exit = {}

local RUNNING = { ready = true, running = true, waiting = true, stopped = true }

local FAILED = { failed = true, refused = true, blocked = true }

local ORDER = { 11, 9, 6, 8, 1, 3 }

local function status_of(row, signalled)
  if row.state == "attention" then return row.exit_status == 9 and 9 or 11 end
  if RUNNING[row.state] then return signalled and row.state ~= "stopped" and 8 or 6 end
  if FAILED[row.state] then return 1 end
  return row.exit_status == 3 and 3 or 0
end

---@param rows pgorch.BatchRow[]
---@param signalled boolean   somebody has told it to end
---@return integer
function exit.status(rows, signalled)
  local seen = {}
  for _, row in ipairs(rows) do seen[status_of(row, signalled)] = true end
  for _, status in ipairs(ORDER) do
    if seen[status] then return status end
  end
  return 0
end

return exit
