-- One pgorch process that may be killed: by its writes to the record, each of which it is held at until it is decided,
-- or at an instant. Tells how it died and where it was, by the record as it is afterwards.

local env    = require "pgorch.env"
local host   = require "pgorch.native.host"
local record = require "record"
local task   = require "pgorch.task"

local victim = {}

local SHIM = (env.get "PGORCH_BUILD" or host.executable():match "^(.*)/") .. "/tests/kill_at_sync.so"

---@class pgorch.tests.Death
---@field step string       at work then, by the record
---@field write string|nil  the last write, in words
---@field counted boolean   it was alive between two writes to its run

local function dir_of(move) return move.dir .. "/pgorch" end

---@return pgorch.tests.Image
function victim.image(move) return record.image(dir_of(move), move.id) end

local function autopsy(move, pid, write)
  local image = victim.image(move)
  return { step = record.step(image), write = write, counted = record.is_at_work(image, pid) }
end

-- The same words again, in one process, are another write.
local function numbered(label, seen)
  seen[label] = (seen[label] or 0) + 1
  return seen[label] == 1 and label or ("%s (%d)"):format(label, seen[label])
end

---Holds the process at each write and kills it where `wanted` says so.
---@param move pgorch.tests.Move
---@param start fun(o: table): Ended     runs pgorch with these options of Move:pgorch
---@param wanted fun(write: string, image: pgorch.tests.Image): boolean
---@return Ended
---@return pgorch.tests.Death|nil
function victim.at_writes(move, start, wanted)
  local before, seen, pid, fatal = victim.image(move), {}, nil, nil
  local ended = start {
    stdin = "stream", env = { LD_PRELOAD = SHIM, PGORCH_HOLD_SYNC = "1" },
    on_line = function(line, child)
      if fatal or not line:find "^store write %d+$" then return end
      local after = victim.image(move)
      local write = numbered(record.change(before, after), seen)
      before, pid = after, child.pid
      if wanted(write, after) then
        fatal = write
        child:kill "KILL"
      else
        child.stdin:write "."
      end
    end,
  }
  return ended, fatal and autopsy(move, pid, fatal) or nil
end

---The process kills itself inside its Nth write that is really on the disk.
---@param number integer
---@return Ended
---@return pgorch.tests.Death|nil
function victim.at_write_number(move, start, number)
  local pid
  local ended = start { env = { LD_PRELOAD = SHIM, PGORCH_KILL_AT = tostring(number) },
    watch = function(child) pid = child.pid end }
  return ended, ended.code == 137 and autopsy(move, pid) or nil
end

---Kills it so many seconds after its start.
---@param seconds number
---@return Ended
---@return pgorch.tests.Death|nil
function victim.at_instant(move, start, seconds)
  local pid
  local ended = start { watch = function(child)
    pid = child.pid
    task.sleep(seconds)
    child:kill "KILL"
  end }
  return ended, ended.code == 137 and autopsy(move, pid) or nil
end

return victim
