-- What happens to workers by chance that a seed decides: kill -9 of a worker or of a row's child, a worker that is
-- frozen past its lease (alone, or with its children) and goes on, a worker that is cut from the store.

local batches = require "support.batches"
local chance  = require "faults.chance"
local fs      = require "pgorch.fs"
local gate    = require "pgorch.sandbox.gate"
local process = require "pgorch.process"
local task    = require "pgorch.task"

local Trouble = {}
Trouble.__index = Trouble

local KINDS = { "kill", "kill_child", "freeze", "freeze_all", "cut" }

---@class pgorch.tests.Place   where a worker runs: state of its own, and a way of its own to the record
---@field number integer
---@field gate table
---@field worker pgorch.Process
---@field said string[]

---@param o {world: table, server: table, workers: integer, slots: integer, lease: number, seed: string}
---@return table
function Trouble.new(o)
  local self = setmetatable({ o = o, places = {}, counts = {}, said = {} }, Trouble)
  for i = 1, o.workers do
    self.places[i] = { number = i, gate = gate.open { host = "127.0.0.1", port = o.server.port } }
    self:start(self.places[i])
  end
  return self
end

function Trouble:start(place)
  local url = self.o.server.uri:gsub(":%d+/postgres$", (":%d/postgres?connect_timeout=2"):format(place.gate.port))
  place.worker = batches.worker(self.o.world, url, { dir = ("%s/w%d"):format(self.o.world.dir, place.number),
    words = { "--slots", tostring(self.o.slots) }, env = { PGORCH_LEASE_SECONDS = tostring(self.o.lease) } })
end

local function parent_of(pid)
  local ok, text = pcall(fs.read, ("/proc/%s/stat"):format(pid), 4096)
  return ok and tonumber(text:match "^.*%) %S (%d+)")
end

-- The runs of a worker.
local function children_of(worker)
  local found = {}
  for _, name in ipairs(fs.list "/proc") do
    if name:match "^%d+$" and parent_of(name) == worker.pid then found[#found + 1] = name end
  end
  return found
end

local function signal(name, pids)
  for _, pid in ipairs(pids) do process.run { "kill", "-" .. name, pid, check = false } end
end

local does = {}

function does.kill(self, place)
  place.worker:kill "KILL"
  place.worker:wait()
  task.sleep(2 * chance.of(self.o.seed, self.number, "rest"))
  self:start(place)
end

function does.kill_child(self, place)
  local pids = children_of(place.worker)
  if #pids > 0 then signal("KILL", { pids[1 + math.floor(chance.of(self.o.seed, self.number, "child") * #pids)] }) end
end

local function freeze(self, place, pids)
  place.worker:kill "STOP"
  signal("STOP", pids)
  task.sleep(self.o.lease * (1.1 + chance.of(self.o.seed, self.number, "frozen")))
  signal("CONT", pids)
  place.worker:kill "CONT"
end

function does.freeze(self, place) freeze(self, place, {}) end
function does.freeze_all(self, place) freeze(self, place, children_of(place.worker)) end

function does.cut(self, place)
  place.gate:allow {}
  place.gate:cut()
  task.sleep(self.o.lease * 1.5 * chance.of(self.o.seed, self.number, "cut"))
  place.gate:allow_everybody()
end

---One trouble, the n-th; returns when it is over. Places in trouble are left alone.
---@param number integer
function Trouble:happen(number)
  local free = {}
  for _, place in ipairs(self.places) do
    if not place.in_trouble then free[#free + 1] = place end
  end
  if #free == 0 then return end
  local place = free[1 + math.floor(chance.of(self.o.seed, number, "place") * #free)]
  local kind = KINDS[1 + math.floor(chance.of(self.o.seed, number, "kind") * #KINDS)]
  self.counts[kind] = (self.counts[kind] or 0) + 1
  place.in_trouble = true
  does[kind](setmetatable({ number = number }, { __index = self }), place)
  place.in_trouble = nil
end

---Ends the workers, each with its rows at their end. Returns how each ended.
---@return {code: integer, stderr: string}[]
function Trouble:finish()
  local ended = {}
  for i, place in ipairs(self.places) do
    place.worker:kill "TERM"
    ended[i] = place.worker:wait()
    place.gate:close()
  end
  return ended
end

return Trouble
