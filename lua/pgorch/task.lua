-- The task tree for scripts: groups that end when their children have ended, deadlines, shields, and what is
-- built from them. A cancelled task is resumed with an error and may clean up; every await after that raises.
-- Whether a scope was cancelled is read from the scope, never from the error that came out of it.

local native = require "pgorch.native.task"
local fail = require "pgorch.error"

local task = { sleep = native.sleep, now = native.now, check = native.check }

local pack, unpack = table.pack, table.unpack

---@param err any
---@return boolean
function task.cancelled(err)
  return fail.is(err, "PGO-CANCELED")
end

-- Runs fn in a new scope. Returns the scope (left) and the packed results of xpcall.
local function within(shield, seconds, fn, ...)
  local scope = native.scope_enter(shield, seconds)
  local results = pack(xpcall(fn, fail.handler, ...))
  scope:leave()
  return scope, results
end

-- The error that a scope's end gives, if the body failed: its own deadline first, whatever the body raised
-- while it was being torn down is kept as the cause.
local function scope_error(scope, err, message)
  local _, timed_out = scope:cancelled()
  if not timed_out then return err end
  return fail.new("PGO-TIMEOUT", message, { retryable = true, cause = not task.cancelled(err) and err or nil })
end

---Runs fn(...) and cancels it after so many seconds (PGO-TIMEOUT).
function task.timeout(seconds, fn, ...)
  local scope, results = within(false, seconds, fn, ...)
  if results[1] then return unpack(results, 2, results.n) end
  error(scope_error(scope, results[2], ("not done within %g s"):format(seconds)), 0)
end

---Runs fn(...) where a cancellation from outside does not reach: for cleaning up. Always with a limit.
function task.shield(seconds, fn, ...)
  local scope, results = within(true, seconds, fn, ...)
  if results[1] then return unpack(results, 2, results.n) end
  error(scope_error(scope, results[2], ("cleaning up was not done within %g s"):format(seconds)), 0)
end

local child_methods = {}
child_methods.__index = child_methods

---Waits for the child and returns its results. If the child failed, raises its error.
function child_methods:join()
  self.ended:wait()
  if self.results[1] then return unpack(self.results, 2, self.results.n) end
  error(self.results[2], 0)
end

local group_methods = {}
group_methods.__index = group_methods

local function child_failed(group, err)
  if task.cancelled(err) and group.scope:cancelled() then return end
  group.errors[#group.errors + 1] = err
  group.scope:cancel("a sibling failed")
end

---Starts fn(...) as a child. It is cancelled when a sibling fails.
function group_methods:spawn(fn, ...)
  local child = setmetatable({ ended = native.event() }, child_methods)
  self.live = self.live + 1
  self.scope:spawn(function(...)
    child.results = pack(xpcall(fn, fail.handler, ...))
    self.live = self.live - 1
    if not child.results[1] then child_failed(self, child.results[2]) end
    child.ended:set()
    if self.live == 0 and self.all_ended then self.all_ended:set() end
  end, ...)
  return child
end

---Cancels every child and the body; the group then ends without an error.
function group_methods:cancel(reason)
  self.stopped = true
  self.scope:cancel(reason or "the group was cancelled")
end

-- Children are waited for whatever happened: a shield without a limit, since each child has its own end.
local function wait_for_children(group)
  if group.live == 0 then return end
  group.all_ended = native.event()
  local shield = native.scope_enter(true)
  local ok, err = pcall(group.all_ended.wait, group.all_ended)
  shield:leave()
  if not ok then error(err, 0) end
end

---Runs fn(group). Ends when fn and all children have ended; the first failure cancels the rest, waits for
---their clean-up, and is raised. Later failures are kept in its `others`.
function task.group(fn)
  local group = setmetatable({ live = 0, errors = {}, scope = native.scope_enter(false) }, group_methods)
  local results = pack(xpcall(fn, fail.handler, group))
  if not results[1] then
    if not task.cancelled(results[2]) then table.insert(group.errors, 1, results[2]) end
    group.scope:cancel("the body of the group failed")
  end
  wait_for_children(group)
  group.scope:leave()
  local first = table.remove(group.errors, 1)
  if first ~= nil then
    if #group.errors > 0 and type(first) == "table" then first.others = group.errors end
    error(first, 0)
  end
  if not results[1] and not group.stopped then error(results[2], 0) end
  native.check()
  return unpack(results, 2, results.n)
end

---fn(item, index) for each item, at most options.limit (4) at a time. Results in the list's order.
function task.map(list, options, fn)
  local results, at = {}, 0
  task.group(function(group)
    for _ = 1, math.min(options.limit or 4, #list) do
      group:spawn(function()
        while at < #list do
          at = at + 1
          local index = at
          results[index] = fn(list[index], index)
        end
      end)
    end
  end)
  return results
end

local function default_retryable(err)
  return type(err) == "table" and err.retryable == true
end

---Calls fn(...) until it succeeds. policy: tries (5), base (0.5 s), cap (20 s), on = function(err, try) ->
---true | seconds to wait | false (default: err.retryable), before = function(err, seconds).
function task.retry(policy, fn, ...)
  local tries, base, cap = policy.tries or 5, policy.base or 0.5, policy.cap or 20
  local on = policy.on or default_retryable
  for try = 1, math.huge do
    local results = pack(xpcall(fn, fail.handler, ...))
    if results[1] then return unpack(results, 2, results.n) end
    local err = results[2]
    local again = try < tries and not task.cancelled(err) and on(err, try)
    if not again then error(err, 0) end
    -- Full jitter: clients that failed together do not come back together.
    local wait = type(again) == "number" and again or math.random() * math.min(cap, base * 2 ^ (try - 1))
    if policy.before then policy.before(err, wait) end
    native.sleep(wait)
  end
end

local semaphore_methods = {}
semaphore_methods.__index = semaphore_methods

function semaphore_methods:acquire()
  while self.free == 0 do
    local turn = native.event()
    table.insert(self.queue, turn)
    local ok, err = pcall(turn.wait, turn)
    if not ok then
      for i, each in ipairs(self.queue) do
        if each == turn then table.remove(self.queue, i) end
      end
      if turn:is_set() then self:wake() end
      error(err, 0)
    end
  end
  self.free = self.free - 1
end

function semaphore_methods:wake()
  local turn = table.remove(self.queue, 1)
  if turn then turn:set() end
end

function semaphore_methods:release()
  self.free = self.free + 1
  self:wake()
end

---Runs fn(...) while holding one of the places.
function semaphore_methods:with(fn, ...)
  self:acquire()
  local results = pack(xpcall(fn, fail.handler, ...))
  self:release()
  if not results[1] then error(results[2], 0) end
  return unpack(results, 2, results.n)
end

---n places that tasks take in turn.
function task.semaphore(n)
  return setmetatable({ free = n, queue = {} }, semaphore_methods)
end

local channel_methods = {}
channel_methods.__index = channel_methods

-- Both sides wait for "something changed" and look again.
local function changed(channel)
  local event = channel.change
  channel.change = native.event()
  event:set()
end

---Waits for room, then puts the value (not nil).
function channel_methods:send(value)
  while #self.values >= self.capacity and not self.closed do self.change:wait() end
  if self.closed then fail.raise("PGO-CLOSED", "the channel was closed") end
  table.insert(self.values, value)
  changed(self)
end

---Waits for a value; nil when the channel was closed and is empty.
function channel_methods:recv()
  while #self.values == 0 and not self.closed do self.change:wait() end
  local value = table.remove(self.values, 1)
  changed(self)
  return value
end

function channel_methods:close()
  self.closed = true
  changed(self)
end

---A queue of at most n values between tasks.
function task.channel(n)
  return setmetatable({ values = {}, capacity = math.max(n or 1, 1), change = native.event() }, channel_methods)
end

---Something that happens once: event:set(), event:wait(), event:is_set().
task.event = native.event

return task
