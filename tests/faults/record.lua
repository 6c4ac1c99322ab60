-- The record of runs as a process would find it that came now: read from a copy of its files, so that nobody's write
-- is held up and nothing is recovered or cleaned away by looking. Plain SQL, not pgorch's own reading.

local fs     = require "pgorch.fs"
local json   = require "pgorch.json"
local native = require "pgorch.native.store"

local record = {}

local MOST = 1 << 28      -- bytes of a file

---@class pgorch.tests.Image
---@field run table|nil          the row
---@field steps table<string, table>   rows by id
---@field locks table<string, table>   rows by name
---@field events table[]         {seq, at, kind, data}, in order

local function by(rows, name)
  local found = {}
  for _, row in ipairs(rows) do found[row[name]] = row end
  return found
end

local function read(db, run)
  if db:query("select count(*) as n from sqlite_master where name = 'lock'")[1].n == 0 then return nil end
  local events = db:query("select seq, at, kind, data from event where run = $1 order by seq", run)
  for _, event in ipairs(events) do event.data = json.decode(event.data) end
  return { run = db:query("select * from run where id = $1", run)[1], events = events,
    steps = by(db:query("select * from step where run = $1 order by position", run), "id"),
    locks = by(db:query("select * from lock where run = $1", run), "name") }
end

local NOTHING = { steps = {}, locks = {}, events = {} }

---@param dir string   the folder of state.db
---@param run string   its id
---@return pgorch.tests.Image
function record.image(dir, run)
  if not fs.exists(dir .. "/state.db") then return NOTHING end
  return fs.with_temporary("pgorch-image-", function(copy)
    for _, name in ipairs { "/state.db", "/state.db-wal" } do
      if fs.exists(dir .. name) then fs.write(copy .. name, fs.read(dir .. name, MOST), { sync = false }) end
    end
    local db <close> = setmetatable({ db = native.open(copy .. "/state.db") },
      { __close = function(self) self.db:close() end })
    return read(db.db, run) or NOTHING
  end)
end

-- Columns whose change says something; times and attempts go with others. A new state says all.
local OF_RUN = { "gate", "approved", "cut_over_at", "request", "exit_status", "params" }
local OF_STEP = { "remembered", "result", "summary", "error" }

local function row_changes(list, name, a, b, columns)
  if a.state ~= b.state then
    list[#list + 1] = ("%s %s"):format(name, b.state)
    return
  end
  for _, column in ipairs(columns) do
    if a[column] ~= b[column] then list[#list + 1] = ("%s %s"):format(name, column) end
  end
end

local function run_changes(list, a, b)
  if not b then return end
  if not a then list[#list + 1] = "run made" end
  if a and a.owner ~= b.owner then list[#list + 1] = b.owner and "run taken" or "run given back" end
  row_changes(list, "run", a or {}, b, OF_RUN)
end

local function names_of(a, b)
  local seen, names = {}, {}
  for _, set in ipairs { a, b } do
    for name in pairs(set) do
      if not seen[name] then names[#names + 1] = name end
      seen[name] = true
    end
  end
  table.sort(names)
  return names
end

local function event_changes(list, a, b)
  for i = #a.events + 1, #b.events do list[#list + 1] = "event " .. b.events[i].kind end
end

---What a write has changed, in words; which processes and when does not count.
---@param a pgorch.tests.Image   before
---@param b pgorch.tests.Image   after
---@return string
function record.change(a, b)
  local list = {}
  run_changes(list, a.run, b.run)
  for _, id in ipairs(names_of(a.steps, b.steps)) do
    if b.steps[id] then row_changes(list, id, a.steps[id] or {}, b.steps[id], OF_STEP) end
  end
  for _, name in ipairs(names_of(a.locks, b.locks)) do
    if not a.locks[name] then list[#list + 1] = "lock " .. name:match "^[^:]+" end
    if not b.locks[name] then list[#list + 1] = "unlock " .. name:match "^[^:]+" end
  end
  if #list == 0 then event_changes(list, a, b) end
  return #list > 0 and table.concat(list, ", ") or "nothing yet"
end

-- What a dead process left at work is not at work in the next one before that has begun it again.
local function is_at_work(row, run)
  if run.state == "undoing" then return row.state == "undoing" end
  return row.state == "undoing" or row.state == "running" and run.state == "running" and row.attempt == run.attempt
end

local function between(image)
  if image.run.state == "undoing" then return "(between undos)" end
  for _, row in pairs(image.steps) do
    if row.attempt == image.run.attempt then return "(between steps)" end
  end
  return "(before the first step)"
end

---The step at work, begun last; words where there is none.
---@param image pgorch.tests.Image
---@return string
function record.step(image)
  if not image.run then return "(no run yet)" end
  local found
  for _, row in pairs(image.steps) do
    if is_at_work(row, image.run) and (not found or row.started_at > found.started_at) then found = row end
  end
  if not found then return between(image) end
  return (found.state == "undoing" and "undo of " or "") .. found.id:match "^[^%[]+"
end

---Whether the process wrote something to the run and would have written again: it has the run.
---@param image pgorch.tests.Image
---@param pid integer
---@return boolean
function record.is_at_work(image, pid)
  return image.run ~= nil and image.run.owner ~= nil and image.run.owner:match ":(%d+):%d+$" == tostring(pid)
end

return record
