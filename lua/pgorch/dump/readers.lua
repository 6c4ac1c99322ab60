-- The rows of a dump, read over several connections that stand in one snapshot: `pgorch dump --readers N`. pg_dump
-- gives the table of contents alone; what it would write behind it is written here, in the same order, with COPY's text
-- as it comes. While one table is written its pieces come over all connections; who has none left goes ahead to the
-- next tables, as far as his stream has room. Bytes never pass through Lua.

local blocks   = require "pgorch.dump.blocks"
local fail     = require "pgorch.error"
local locks    = require "pgorch.copy.locks"
local native   = require "pgorch.native.archive"
local pg       = require "pgorch.pg"
local snapshot = require "pgorch.verify.snapshot"
local stream   = require "pgorch.stream"
local task     = require "pgorch.task"

local readers = {}

local LOOK_SECONDS = 10

-- What pg_dump sets, and nothing more that the rows' text depends on: it is to be what pg_dump would write.
local SETTINGS = {
  DateStyle = "ISO", IntervalStyle = "postgres", extra_float_digits = "3", search_path = "", row_security = "off",
  synchronize_seqscans = "off", lock_timeout = "10s",
}
for name, value in pairs(pg.UNLIMITED) do SETTINGS[name] = value end

---@param from pgorch.Source
---@param id? string   an exported snapshot's; default one of its own
---@return pgorch.Snapshot snapshot <close>
function readers.open(from, id)
  local at = snapshot.open(function() return from:connect { settings = SETTINGS } end, id)
  if at.id then return at end
  at.conn:close()
  fail.raise("PGO-INVALID", "the source is a standby, which can give no snapshot to several connections",
    { cure = "Dump its primary, or dump without --readers." })
end

-- --- what is lost ---

local CURE = "See the server's words; then try again, or dump without --readers."

local function failed(err, work, place)
  err = locks.explain(err, place, { work.key })
  local lost = fail.is(err, "PGO-PG-LOST")
  if not lost and not fail.is(err, "PGO-PG-QUERY") then return err end
  return fail.new("PGO-DUMP", ("reading %s: %s"):format(work.name, err.message), { detail = err.detail, cause = err,
    sqlstate = err.sqlstate, retryable = lost or err.retryable, cure = CURE })
end

-- The locks say what happened to a copy: here it is a dump.
local function held(fn, ...)
  local ok, err = pcall(fn, ...)
  if ok then return end
  if not fail.is(err, "PGO-COPY") then error(err, 0) end
  fail.raise("PGO-DUMP", err.message, { detail = err.detail, cause = err, retryable = err.retryable, cure = err.cure })
end

-- --- who reads what ---

---@class pgorch.dump.Line    steps in the order of the archive, and their works in the same order
---@field blocks pgorch.dump.Blocks
---@field steps pgorch.dump.Step[]
---@field works pgorch.dump.Work[]
local Line = {}
Line.__index = Line

local function new_queue() return { first = 1, last = 0 } end

local function put(queue, value)
  queue.last = queue.last + 1
  queue[queue.last] = value
end

local function take(queue)
  local value = queue[queue.first]
  if value == nil then return nil end
  queue[queue.first], queue.first = nil, queue.first + 1
  return value
end

-- False when nothing more comes.
local function plan_one(line)
  local step = line.blocks:next()
  if not step then return false end
  step.left = #step.works
  put(line.steps, step)
  for _, work in ipairs(step.works) do put(line.works, work) end
  return true
end

function Line:next(what)
  local queue = self[what]
  local found = take(queue)
  while not found and plan_one(self) do found = take(queue) end
  return found
end

-- --- reading, writing ---

local function read(conn, work, out)
  local through = stream.new()
  task.group(function(group)
    group:spawn(conn.copy_out, conn, work.query, through)
    work.step.open:wait()
    if work.objects then native.objects(through, out.to) else out.rows:take(through) end
  end)
end

local function finish(work, out)
  local step = work.step
  out.told.read(work.bytes)
  step.left = step.left - 1
  if step.left == 0 then step.done:set() end
end

local function reader(conn, line, out, place)
  for work in function() return line:next "works" end do
    local ok, err = pcall(read, conn, work, out)
    if not ok then error(failed(err, work, place), 0) end
    finish(work, out)
    snapshot.release_locks(conn)
  end
end

-- What stands around the rows is written while nobody writes rows.
local function writer(line, out)
  for step in function() return line:next "steps" end do
    out.told.at(step.name)
    if step.before ~= "" then out.to:write(step.before) end
    step.open:set()
    step.done:wait()
    if step.after ~= "" then out.to:write(step.after) end
  end
end

local function look_at_holder(at)
  while true do
    task.sleep(LOOK_SECONDS)
    held(locks.expect_held, at.conn)
  end
end

local function open_all(at, count, encoding)
  local list = setmetatable({}, { __close = function(self)
    for _, conn in ipairs(self) do conn:close() end
  end })
  local ok, err = pcall(function()
    for i = 1, count do
      list[i] = at:another()
      list[i]:exec("set client_encoding = " .. pg.literal(encoding))
    end
  end)
  if ok then return list end
  getmetatable(list).__close(list)
  if not task.cancelled(err) then held(locks.expect_held, at.conn) end       -- with it the snapshot is lost
  error(err, 0)
end

local function read_all(connections, line, out, o)
  task.group(function(group)
    group:spawn(look_at_holder, o.at)
    local list = { group:spawn(writer, line, out) }
    for _, conn in ipairs(connections) do list[#list + 1] = group:spawn(reader, conn, line, out, o.place) end
    for _, each in ipairs(list) do each:join() end
    group:cancel "done"
  end)
end

---Holds the tables, before pg_dump, which has locked them, is ended. PGO-DUMP-LOCK, or PGO-DUMP where one is not what
---it was.
---@async
---@param at pgorch.Snapshot
---@param place pgorch.Source
---@param contents pgorch.archive.Contents
function readers.hold(at, place, contents)
  at.conn:exec("set client_encoding = " .. pg.literal(blocks.encoding(contents)))
  held(locks.hold, at.conn, place, contents.entries)
end

---@class pgorch.dump.ReadersOptions
---@field at pgorch.Snapshot         its session holds the tables
---@field place pgorch.Source
---@field contents pgorch.archive.Contents   with what blocks.keep keeps
---@field count integer              connections that read
---@field to pgorch.Stream           the uncompressed archive behind its head; the end is the caller's
---@field told {total: (fun(bytes: integer)), read: (fun(bytes: integer)), at: fun(name: string)}   how far it is

---Writes all that an archive has behind its head. Raises PGO-DUMP when a connection was lost or something could not be
---read, and PGO-DUMP-LOCK: what was written until then is no archive.
---@async
---@param o pgorch.dump.ReadersOptions
function readers.write(o)
  local connections <close> = open_all(o.at, o.count, blocks.encoding(o.contents))
  local todo = blocks.new(o.at.conn, o.contents, o.count)
  o.told.total(todo.total)
  local line = setmetatable({ blocks = todo, steps = new_queue(), works = new_queue() }, Line)
  read_all(connections, line, { to = o.to, rows = native.rows(o.to), told = o.told }, o)
  held(locks.expect_held, o.at.conn)
end

return readers
