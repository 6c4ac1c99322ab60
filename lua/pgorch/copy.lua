-- The direct path: a database copied into another one without an archive in between. The schema comes by pg_dump and
-- pg_restore, the rows by COPY over several connections that stand in one snapshot, and what comes after the rows is
-- made while others are still copied. The source is only read; in the target nothing is dropped: it has to be empty.

local connections   = require "pgorch.copy.connections"
local fail          = require "pgorch.error"
local large_objects = require "pgorch.copy.large_objects"
local plan          = require "pgorch.copy.plan"
local schema        = require "pgorch.copy.schema"
local sequences     = require "pgorch.copy.sequences"
local source        = require "pgorch.source"
local task          = require "pgorch.task"
local workers       = require "pgorch.copy.workers"

local copy = { jobs = connections.jobs }

---@class pgorch.CopyRun
---@field source pgorch.Source
---@field target {connect: (fun(o: table): pgorch.Connection), env: (fun(dir: string): table), name: fun(): string}
---@field client pgorch.PgClient
---@field dir string               a folder of this copy's own: a head of the archive, the provider's CA
---@field snapshot? string         exported by a session that stays; default one of the copy's own
---@field jobs integer             connections that copy, on each side
---@field index_jobs integer       connections of the target that build indexes meanwhile
---@field analyze? boolean         ANALYZE of each table, when all else that is about it is done
---@field extensions_there? boolean   the target has the extensions already
---@field mends? table<string, boolean>   ids of steps that come later and make good what they can
---@field progress? fun(at: {bytes: integer, total: integer, text: string})
---@field log? string              a file that pg_restore's messages are added to

---@class pgorch.CopyResult
---@field tables integer
---@field rows integer
---@field bytes integer            that went through the connections
---@field indexes integer          statements after the rows
---@field large_objects integer
---@field sequences integer
---@field seconds number
---@field phases {schema: number, data: number, rest: number}  seconds; rest: after the last row
---@field complaints pgorch.restore.Verdict[]   harmless, or made good by a later step

-- --- before ---

local function counted(number, one, many) return ("%d %s"):format(number, number == 1 and one or many) end

---What stands in a database: nil when nothing does.
---@param conn pgorch.Connection
---@return string|nil text    "12 tables, views and sequences, 1 large object, 3 functions and types"
---@return string|nil names   of the first few
function copy.standing(conn)
  local found = conn:row(source.sql "copy/standing")
  if found.relations + found.large_objects + found.others == 0 then return nil end
  local text = counted(found.relations, "table, view or sequence", "tables, views and sequences") .. ", "
    .. counted(found.large_objects, "large object", "large objects")
  if found.others > 0 then text = text .. ", " .. counted(found.others, "function or type", "functions and types") end
  return text, found.names
end

local function refuse_standing(target)
  local conn <close> = target.connect {}
  local text, names = copy.standing(conn)
  if not text then return end
  fail.raise("PGO-CONFIRM", ("%s is not empty: %s"):format(target.name(), text), { detail = names,
    cure = "Name a new database, or empty this one: a copy overwrites nothing." })
end

local function open_snapshot(o)
  local at = connections.open_snapshot(o.source, o.snapshot)
  if at.id then return at end
  at.conn:close()
  fail.raise("PGO-INVALID", "the source is a standby, which can give no snapshot to several connections",
    { cure = "Copy from its primary, or move by an archive (--via archive)." })
end

-- --- all of it ---

local function read_and_restore(at, o)
  local contents = schema.read { client = o.client, source = o.source, dir = o.dir, snapshot = at.id, conn = at.conn }
  return contents.entries, schema.restore(contents, o)
end

-- A table of contents of thousands of tables is much memory, and Lua lets as much garbage lie beside it: until it is
-- read and thrown away again garbage is looked for far more often, and while rows are copied more often. For 20,000
-- tables that takes some seconds, and half the memory. Percent of what is in use; Lua's own are 200.
local READING, COPYING = 110, 140

local function with_little_garbage(percent, fn, ...)
  local pause, speed = collectgarbage("setpause", percent), collectgarbage("setstepmul", 400)
  local _ <close> = setmetatable({}, { __close = function()
    collectgarbage("setpause", pause)
    collectgarbage("setstepmul", speed)
  end })
  return fn(...)
end

-- What there is to do, and the settings of who does it. The archive's entries, several for each table, go at its end.
local function look(at, o)
  local entries, complaints = read_and_restore(at, o)
  local settings, version = connections.settings(o.target, entries, o.index_jobs)
  return plan.make(at, entries, { jobs = o.jobs, analyze = o.analyze and version }), settings, complaints
end

-- What rows do not wait for, on the connection that makes all durable at the end.
local function prepare(conn, todo)
  large_objects.make(conn, todo.made)
  sequences.set(conn, todo.sequences)
end

local function copy_all(at, o)
  local began = task.now()
  local todo, settings, complaints = with_little_garbage(READING, look, at, o)
  collectgarbage()
  local conn <close> = o.target.connect { settings = settings }
  prepare(conn, todo)
  local rows_began = task.now()
  local done = with_little_garbage(COPYING, workers.run, at, o, todo, settings)
  local ended = task.now()
  connections.make_durable(conn)
  table.move(done.complaints, 1, #done.complaints, #complaints + 1, complaints)
  return {
    tables = todo.tables, rows = done.rows, bytes = done.wire, indexes = todo.statements,
    large_objects = todo.large_objects, sequences = #todo.sequences, complaints = complaints,
    seconds = task.now() - began,
    phases = { schema = rows_began - began, data = done.rows_ended - rows_began, rest = ended - done.rows_ended },
  }
end

---Copies all of a database into an empty one. Raises PGO-CONFIRM when that is not empty, PGO-DUMP, PGO-DUMP-LOCK,
---PGO-COPY with the name of what failed and the server's words. What was copied until then stays in the target.
---@async
---@param o pgorch.CopyRun
---@return pgorch.CopyResult
function copy.run(o)
  refuse_standing(o.target)
  local at <close> = open_snapshot(o)
  return copy_all(at, o)
end

return copy
