-- The workers of a copy: some copy rows, each over a pair of connections, others make indexes and keys of the tables
-- that are full. The first failure stops them all. Opens and closes their connections; decides nothing about the order.

local data          = require "pgorch.copy.data"
local fail          = require "pgorch.error"
local large_objects = require "pgorch.copy.large_objects"
local locks         = require "pgorch.copy.locks"
local objects       = require "pgorch.copy.objects"
local snapshot      = require "pgorch.verify.snapshot"
local task          = require "pgorch.task"

local workers = {}

local TELL_SECONDS = 0.5
local LOOK_SECONDS = 10

---@class pgorch.copy.State
---@field bytes integer          by the source's sizes
---@field wire integer           that went through the connections
---@field rows integer
---@field statements integer     done
---@field complaints pgorch.restore.Verdict[]
---@field rows_ended number|nil
---@field look number            when the session that holds the tables is asked again
---@field at string|nil          what is copied now

-- Bytes are counted by what the source says of its tables: what is on the wire is another number.
local function begin_piece(state, bytes, name)
  local counted = 0
  state.at = name
  local function count(upto)
    state.bytes, counted = state.bytes + upto - counted, upto
  end
  return function(wire) count(math.min(wire, bytes)) end, function() count(bytes) end
end

local function failed_rows(err)
  if not fail.is(err, "PGO-PG-QUERY") then return err end
  return fail.new("PGO-COPY", err.message, { detail = err.detail, cause = err, sqlstate = err.sqlstate,
    retryable = err.retryable })
end

-- One that was lost is noticed soon, not after hours only.
local function look_at_holder(at, state)
  if task.now() < state.look then return end
  state.look = math.huge       -- not by two at once
  locks.expect_held(at.conn)
  state.look = task.now() + LOOK_SECONDS
end

local LARGE_OBJECTS = '"pg_catalog"."pg_largeobject"'

local function copy_work(from, to, work, state, place)
  local progress, finish = begin_piece(state, work.weight, work.name)
  local copy = work.lot and large_objects.copy or data.copy_piece
  local ok, done = pcall(copy, from, to, work.lot or work.piece, { progress = progress })
  if not ok then error(failed_rows(locks.explain(done, place, { work.lot and LARGE_OBJECTS or work.name })), 0) end
  finish()
  state.wire, state.rows = state.wire + done.bytes, state.rows + (work.piece and done.rows or 0)
end

local function row_worker(at, o, settings, order, state)
  local from <close> = at:another()
  local to <close> = o.target.connect { settings = settings }
  for work in function() return order:next "rows" end do
    copy_work(from, to, work, state, o.source)
    snapshot.release_locks(from)
    look_at_holder(at, state)
    order:done(work)
  end
end

-- Processes that share one build sort on the disk, and cost more than they save while there is other work for every
-- core: only what would be waited for at the end gets them, as many as the server's settings say.
local function choose_build(conn, is_shared, was_shared)
  if is_shared ~= was_shared then
    conn:exec(is_shared and "reset max_parallel_maintenance_workers" or "set max_parallel_maintenance_workers = 0")
  end
  return is_shared
end

local function statement_worker(o, settings, order, state)
  local conn <close> = o.target.connect { settings = settings }
  local is_shared = true
  for work in function() return order:next "statements" end do
    is_shared = choose_build(conn, order:is_long(work, o.index_jobs), is_shared)
    state.complaints[#state.complaints + 1] = objects.run(conn, work.entry, o.mends)
    state.statements = state.statements + 1
    order:done(work)
  end
end

local function tell(o, todo, state)
  while true do
    local text = state.at or ""
    if state.statements > 0 or state.rows_ended then
      text = ("%d of %d indexes, keys and others  %s"):format(state.statements,
        todo.statements + todo.analyzed, text)
    end
    o.progress { bytes = state.bytes, total = todo.total, text = text }
    task.sleep(TELL_SECONDS)
  end
end

local function spawn(group, count, fn, ...)
  local list = {}
  for i = 1, count do list[i] = group:spawn(fn, ...) end
  return list
end

local function join(list)
  for _, each in ipairs(list) do each:join() end
end

---Copies all rows, and makes all that comes after them.
---@param at pgorch.Snapshot
---@param o pgorch.CopyRun
---@param todo pgorch.copy.Plan
---@param settings table<string, string>   of the target's connections
---@return pgorch.copy.State
function workers.run(at, o, todo, settings)
  local state = { bytes = 0, wire = 0, rows = 0, statements = 0, complaints = {}, look = 0 }
  todo.order:begin()
  task.group(function(group)
    local teller = o.progress and group:spawn(tell, o, todo, state)
    local builders = spawn(group, o.index_jobs, statement_worker, o, settings, todo.order, state)
    join(spawn(group, o.jobs, row_worker, at, o, settings, todo.order, state))
    locks.expect_held(at.conn)
    state.rows_ended, state.at = task.now(), nil
    join(builders)
    if teller then group:cancel "done" end
  end)
  return state
end

return workers
