-- What may run now: work with what it waits for, and with the tables that it keeps to itself, in two queues for two
-- kinds of workers. What the most work follows goes first. Knows no SQL; asks and closes nothing.
-- Adding, taking and ending a piece of work take a time that grows with what it waits for, not with how much there is.

local fail = require "pgorch.error"
local rank = require "pgorch.copy.rank"
local task = require "pgorch.task"

local order = {}

---@class pgorch.copy.Work
---@field queue string|nil       nil: nothing is to be done, it only stands for the end of what it waits for
---@field weight number|nil      how much work it is
---@field rank number|nil        with the longest chain of what follows; the order's own
---@field first boolean|nil      before all that have a weight
---@field exclusive any[]|nil    names that nothing else may hold meanwhile
---@field shared any[]|nil       names that others may share, and nobody have exclusively
---@field waits integer|nil      for how many it waits; the order's own
---@field followers pgorch.copy.Work[]|nil

---@class pgorch.copy.Order
---@field left table<string, integer>   of each queue, what was not taken yet
---@field running integer
---@field weight_left number   of all that is not done yet
local Order = {}
Order.__index = Order

---@return pgorch.copy.Order
function order.new()
  return setmetatable({ left = {}, ready = {}, locks = {}, running = 0, weight_left = 0, change = task.event() },
    Order)
end

-- --- heaps, by rank ---

local function rank_of(work) return work.first and math.huge or work.rank end

local function push(heap, work)
  local at = #heap + 1
  while at > 1 and rank_of(heap[at // 2]) < rank_of(work) do
    heap[at], at = heap[at // 2], at // 2
  end
  heap[at] = work
end

local function heavier_child(heap, at)
  local child = 2 * at
  if heap[child + 1] and rank_of(heap[child + 1]) > rank_of(heap[child]) then child = child + 1 end
  return heap[child] and child
end

local function pop(heap)
  local top, last = heap[1], table.remove(heap)
  if #heap == 0 then return top end
  local at, child = 1, heavier_child(heap, 1)
  while child and rank_of(heap[child]) > rank_of(last) do
    heap[at], at = heap[child], child
    child = heavier_child(heap, at)
  end
  heap[at] = last
  return top
end

local function is_ready(self, work)
  push(self.ready[work.queue], work)
  self.news = true
end

-- --- what is kept to itself ---

local function lock_of(self, name)
  local lock = self.locks[name]
  if not lock then
    lock = { shared = 0, exclusive = false, waiting = {} }
    self.locks[name] = lock
  end
  return lock
end

local function in_the_way(self, work)
  for _, name in ipairs(work.exclusive or {}) do
    if self.locks[name] then return self.locks[name] end
  end
  for _, name in ipairs(work.shared or {}) do
    local lock = self.locks[name]
    if lock and lock.exclusive then return lock end
  end
end

local function hold(self, work)
  for _, name in ipairs(work.exclusive or {}) do lock_of(self, name).exclusive = true end
  for _, name in ipairs(work.shared or {}) do
    local lock = lock_of(self, name)
    lock.shared = lock.shared + 1
  end
end

-- A name that nobody holds has no lock: there are as many names as tables.
local function let_go(self, name)
  local lock = self.locks[name]
  if not lock.exclusive then lock.shared = lock.shared - 1 end
  if lock.shared > 0 then return end
  self.locks[name] = nil
  for _, each in ipairs(lock.waiting) do is_ready(self, each) end
end

-- --- the order ---

local function changed(self)
  local event = self.change
  self.change = task.event()
  event:set()
end

-- Iterative: a chain of things to be done at once may be as long as the archive.
local function ended(self, work)
  local list = { work }
  while #list > 0 do
    local one = table.remove(list)
    for _, follower in ipairs(one.followers or {}) do
      follower.waits = follower.waits - 1
      if follower.waits == 0 then
        if follower.queue then is_ready(self, follower) else list[#list + 1] = follower end
      end
    end
    one.followers = nil
  end
end

---Adds a piece of work that waits for others, which were added before. Nothing is ready before `begin`.
---@param work pgorch.copy.Work
---@param after pgorch.copy.Work[]
---@return pgorch.copy.Work
function Order:add(work, after)
  work.waits, self.weight_left = 0, self.weight_left + (work.weight or 0)
  for _, each in ipairs(after) do self:follow(work, each) end
  if work.queue then
    self.left[work.queue] = (self.left[work.queue] or 0) + 1
    self.ready[work.queue] = self.ready[work.queue] or {}
  end
  self[#self + 1] = work
  return work
end

---Lets a piece of work that was added wait for one more. Before `begin` only.
---@param work pgorch.copy.Work
---@param earlier pgorch.copy.Work
function Order.follow(_, work, earlier)
  work.waits = work.waits + 1
  earlier.followers = earlier.followers or {}
  table.insert(earlier.followers, work)
end

---All is added: what waits for nothing is ready.
function Order:begin()
  rank.set(self)
  local first = {}
  for i, work in ipairs(self) do
    if work.waits == 0 then first[#first + 1] = work end
    self[i] = nil      -- from now on it is kept by what it waits for, and goes when it is done
  end
  for _, work in ipairs(first) do
    if work.queue then is_ready(self, work) else ended(self, work) end
  end
end

-- What is kept from its tables waits there, and is looked at again when they are let go.
local function take(self, queue)
  local heap = self.ready[queue] or {}
  while #heap > 0 do
    local work = pop(heap)
    local lock = in_the_way(self, work)
    if not lock then
      hold(self, work)
      self.left[queue], self.running = self.left[queue] - 1, self.running + 1
      if self.left[queue] == 0 then changed(self) end      -- the other workers of this queue may go home
      return work
    end
    table.insert(lock.waiting, work)
  end
end

local function stuck(self)
  if self.running > 0 then return false end
  for _, heap in pairs(self.ready) do
    if #heap > 0 then return false end
  end
  return true
end

---Waits for the next piece of work; nil when there is none any more.
---@async
---@param queue string
---@return pgorch.copy.Work|nil
function Order:next(queue)
  while true do
    local work = take(self, queue)
    if work then return work end
    if (self.left[queue] or 0) == 0 then return nil end
    if stuck(self) then fail.raise("PGO-BUG", "things to be copied wait for each other in a circle") end
    self.change:wait()
  end
end

---Whether this work, with what follows it, takes longer than all that is left would take if it were shared evenly.
---@param work pgorch.copy.Work
---@param workers integer   that there are
---@return boolean
function Order:is_long(work, workers) return work.rank * workers > self.weight_left end

---It is done: what waited for it, or for its tables, may run.
---@param work pgorch.copy.Work
function Order:done(work)
  self.running, self.news, self.weight_left = self.running - 1, false, self.weight_left - (work.weight or 0)
  for _, name in ipairs(work.exclusive or {}) do let_go(self, name) end
  for _, name in ipairs(work.shared or {}) do let_go(self, name) end
  ended(self, work)
  if self.news or self.running == 0 then changed(self) end
end

return order
