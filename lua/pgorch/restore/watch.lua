-- How far a restore is: by the dump's own size where there is one and Heroku says how much of it was read, else by the
-- size of the database that it fills, looked at now and then. No session stays open: Heroku ends all when it empties
-- the database, and one that stays could be in its way.

local poll   = require "pgorch.poll"
local source = require "pgorch.source"
local task   = require "pgorch.task"
local values = require "pgorch.recipe.values"

local watch = {}

local LOOK_SECONDS = 5
local COPY_PROGRESS = 140000     -- the first server that says which table is being filled

---@class pgorch.restore.Watch
---@field target pgorch.Target
---@field dump integer|nil  bytes of the dump; nil: nobody knows beforehand what Heroku fetches
---@field source integer    bytes of the source
local Watch = {}
Watch.__index = Watch

---@param target pgorch.Target
---@param o {dump: integer|nil, source: integer}
---@return pgorch.restore.Watch
function watch.new(target, o)
  return setmetatable({ target = target, dump = o.dump, source = o.source, next = task.now() }, Watch)
end

local function read(target)
  local conn <close> = target:connect { timeout = LOOK_SECONDS }
  if conn.server_version < COPY_PROGRESS then
    return { bytes = conn:value "select pg_database_size(current_database())" }
  end
  return conn:row(source.sql "restore_progress")
end

-- What cannot be seen is not shown: the database is away while it is being emptied.
local function look(self)
  if task.now() < self.next then return self.seen end
  local ok, seen = pcall(task.timeout, LOOK_SECONDS, read, self.target)
  if not ok and task.cancelled(seen) then error(seen, 0) end
  if ok then self.seen = seen end
  self.next = task.now() + poll.seconds "watch"
  return self.seen
end

local function at(seen)
  return seen and seen.at and ("  %s"):format(seen.at) or ""
end

local CAME_TO_ITS_END = { succeeded = true, warned = true }

---What there is to show of a transfer. At its end the whole dump was read (without one, the whole source), whatever was
---counted meanwhile: the report's size and rate are of that.
---@param t pgorch.heroku.Transfer
---@return {bytes: integer|nil, total: integer|nil, text: string}
function Watch:progress(t)
  if CAME_TO_ITS_END[t.state] then
    local whole = self.dump or self.source
    return { bytes = whole, total = whole, text = t.state }
  end
  if t.state ~= "running" then return { text = t.state } end
  local seen = look(self)
  if self.dump and t.processed > 0 then
    return { bytes = math.min(t.processed, self.dump), total = self.dump,
             text = ("of the dump's %s%s"):format(values.show_size(self.dump), at(seen)) }
  end
  if not seen then return { text = "running" } end
  return { bytes = math.min(seen.bytes, self.source), total = self.source,
           text = ("in the database, by the source's %s%s"):format(values.show_size(self.source), at(seen)) }
end

return watch
