-- Whether putting back would lose what the app has written: from the promotion on it writes to the new database, unless
-- the window's opening keeps it down. What cannot be told counts as written. Asks, and changes nothing.

local context = require "pgorch.runner.context"
local fail    = require "pgorch.error"
local task    = require "pgorch.task"

local lost_writes = {}

local function rows_of(session, field)
  local list = {}
  for id, row in pairs(session.rows) do
    local step = session.steps[id]
    if step and step[field] then list[#list + 1] = { row = row, step = step } end
  end
  return list
end

-- What the step says, nil when it cannot tell.
local function ask(session, entry, field)
  local fn, row = entry.step[field], entry.row
  if not fn then return nil end
  local did = row.result ~= nil and row.result or row.remembered
  local ok, answer = pcall(fn, context.new(session, entry.step, row.id, row), did)
  if ok then return answer end
  if task.cancelled(answer) then error(answer, 0) end
end

-- One that was cut short has come as far as the app's config shows.
local function is_promoted(session)
  for _, entry in ipairs(rows_of(session, "point_of_no_return")) do
    local row = entry.row
    if row.state == "done" then return true end
    local begun = row.state ~= "undone" and row.remembered ~= nil
    if begun and ask(session, entry, "reached") ~= false then return true end
  end
  return false
end

local function is_closed(session)
  for _, entry in ipairs(rows_of(session, "closes_window")) do
    if entry.row.state == "done" then return true end
  end
  return false
end

local function is_held_down(session)
  for _, entry in ipairs(rows_of(session, "opens_window")) do
    if entry.row.state == "done" and ask(session, entry, "holds_app") then return true end
  end
  return false
end

---Why something would be lost; nil: nothing would be.
---@param session table
---@return string|nil
function lost_writes.threat(session)
  if not is_promoted(session) then return nil end
  if is_closed(session) then return "its window is closed: the app writes to the new database" end
  if is_held_down(session) then return nil end
  return "nothing keeps the app from writing to the new database"
end

---Raises PGO-PAST-CUT-OVER where putting back would lose something, unless the user accepts it.
---@param session table
function lost_writes.refuse(session)
  local why = not session.host["lose-writes"] and lost_writes.threat(session)
  if why then fail.raise("PGO-PAST-CUT-OVER", ("run %s has cut over, and %s"):format(session.run.id, why)) end
end

return lost_writes
