---@meta pgorch.task
-- The task tree. Every call marked @async waits: it may be called from a step or a task, not at a file's top level.

local task = {}

---@class pgorch.Group
local group = {}

---Starts a child. It is cancelled when a sibling fails, and ends before the group does.
---@param fn fun(...): any
---@return pgorch.Child
function group:spawn(fn, ...) end

---Cancels the children and the body; the group then ends without an error.
---@param reason? string
function group:cancel(reason) end

---@class pgorch.Child
local child = {}

---Waits for the child's end: its results, or its error.
---@async
function child:join() end

---Runs fn(group), waits for every child, raises the first failure (later ones in its `others`).
---@async
---@param fn fun(group: pgorch.Group): any
function task.group(fn) end

---fn(item, index) for each item, at most `limit` (4) at a time; results in the list's order.
---@async
---@generic T, R
---@param list T[]
---@param options {limit?: integer}
---@param fn fun(item: T, index: integer): R
---@return R[]
function task.map(list, options, fn) end

---Cancels fn after so many seconds and raises PGO-TIMEOUT (retryable).
---@async
---@param seconds number
function task.timeout(seconds, fn, ...) end

---Runs fn where a cancellation from outside does not reach, for at most so many seconds: for cleaning up.
---@async
---@param seconds number
function task.shield(seconds, fn, ...) end

---Tries again what failed with a retryable error.
---@async
---@param policy {tries?: integer, base?: number, cap?: number, on?: (fun(err: pgorch.Error, try: integer): boolean|number), before?: fun(err: pgorch.Error, seconds: number)}
function task.retry(policy, fn, ...) end

---@async
---@param seconds number
function task.sleep(seconds) end

---Seconds of a clock that never goes back.
---@return number
function task.now() end

---Raises PGO-CANCELED if the current scope was cancelled.
function task.check() end

---@param err any
---@return boolean
function task.cancelled(err) end

---n places: acquire, release, with(fn, ...).
---@param n integer
function task.semaphore(n) end

---A queue of at most n values: send, recv (nil at the end), close.
---@param n integer
function task.channel(n) end

---Something that happens once: set(), wait(), is_set().
function task.event() end

return task
