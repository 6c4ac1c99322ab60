-- Another run of the same recipe on the same source: how long its steps took says more than any estimate. Reads the
-- record of runs, if there is one, and nothing else.

local basis = require "pgorch.rehearsal.basis"
local fail  = require "pgorch.error"

local M = {}

local LOOKED_AT = 50       -- runs: an older one measured another database

---@class pgorch.plan.History
---@field run string
---@field kind "run"|"rehearsal"
---@field at integer                    microseconds since 1970
---@field bytes integer|nil             of the source then
---@field seconds table<string, number> by step
---@field way pgorch.Way|nil            that its data took
---@field rate number|nil               bytes a second: of the dump and its upload, or of the source in a copy
---@field dump_bytes integer|nil
---@field announced number|nil          seconds of the window that a rehearsal has told to announce

local function row_of(rows, id)
  for _, row in ipairs(rows) do
    if row.id == id and row.state == "done" then return row end
  end
end

local function times_of(rows)
  local seconds = {}
  for _, row in ipairs(rows) do
    if row.ended_at and (row.state == "done" or row.state == "undone") and not row.id:find("[", 1, true) then
      seconds[row.id] = math.max(0, (row.ended_at - row.started_at) / 1e6)
    end
  end
  return seconds
end

local function announced_by(store, run)
  local window = run.kind == "rehearsal" and basis.window(store:events(run.id))
  return window and window.announce or nil
end

local MOVES = { dump_to_store = "archive", copy = "direct", pull = "heroku" }

-- How fast the data went, and by which way.
local function rate_of(rows, source_bytes)
  for id, taken in pairs(MOVES) do
    local row = row_of(rows, id)
    local did = row and row.result
    local bytes = did and (taken == "archive" and did.bytes or source_bytes)
    if bytes then return (did.seconds or 0) > 0 and bytes / did.seconds or nil, taken end
  end
end

local function history_of(store, run, rows, size)
  local dump = row_of(rows, "dump_to_store")
  local did = dump and dump.result
  local rate, taken = rate_of(rows, size.result.bytes)
  return { run = run.id, kind = run.kind or "run", at = run.created_at, bytes = size.result.bytes,
           seconds = times_of(rows), way = taken, rate = run.kind ~= "rehearsal" and rate or nil,
           dump_bytes = did and did.bytes, announced = announced_by(store, run) }
end

---Whether the record has a run of exactly that id.
---@param store pgorch.Store|nil
---@param id string
---@return boolean
function M.has_run(store, id)
  local ok, run = pcall(function() return store and store:run(id) end)
  if not ok and not fail.is(run, "PGO-RUN-UNKNOWN") then error(run, 0) end
  return ok and run ~= nil and run.id == id
end

---The newest run, or rehearsal, of that recipe which went to its end on that source.
---@param store pgorch.Store|nil
---@param recipe string     its name
---@param source string     its identity
---@return pgorch.plan.History|nil
function M.find(store, recipe, source)
  for _, run in ipairs(store and store:runs { limit = LOOKED_AT } or {}) do
    if run.recipe == recipe and run.state == "done" then
      local rows = store:steps(run.id)
      local size = row_of(rows, "size")
      if size and size.result and size.result.source == source then return history_of(store, run, rows, size) end
    end
  end
end

return M
