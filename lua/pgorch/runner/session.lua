-- One process at work on one run: the recipe, the record, what is known of each step, and the live objects that die
-- with the process. Everything that the other parts of the runner share is here; it runs no step by itself.

local budget  = require "pgorch.http.budget"
local clock   = require "pgorch.clock"
local fail    = require "pgorch.error"
local fs      = require "pgorch.fs"
local homes   = require "pgorch.store.home"
local host    = require "pgorch.native.host"
local json    = require "pgorch.json"
local owner   = require "pgorch.runner.owner"
local poll    = require "pgorch.poll"
local recipes = require "pgorch.recipe.shape"
local task    = require "pgorch.task"

local session = {}

---@class pgorch.Session
---@field store pgorch.Store
---@field run pgorch.Run
---@field recipe pgorch.Recipe
---@field params table        values and secrets by name
---@field host table          flags of the host
---@field display table
---@field rows table<string, table>   what is recorded of each step, by id
---@field results table<string, any>  results of finished steps
---@field live table<string, any>
local Session = {}
Session.__index = Session

-- A write that must not be lost to Ctrl-C gets this long; the disk is local.
local WRITE_SECONDS = 60

local function index_steps(recipe)
  local by_id = {}
  local function walk(list)
    for _, item in ipairs(list) do
      if item.id then by_id[item.id] = item end
      for _, inner in ipairs(item.lists or {}) do walk(inner) end
    end
  end
  walk(recipe.steps)
  return by_id
end

local function read_rows(self)
  self.rows, self.results, self.position = {}, {}, 0
  for _, row in ipairs(self.store:steps(self.run.id)) do
    self.rows[row.id] = row
    self.position = math.max(self.position, row.position)
    if row.state == "done" then self.results[row.id] = row.result end
  end
end

-- Into the same table: whoever began with it has it.
local function read_run(self)
  local dir, run = self.run.dir, self.store:run(self.run.id)
  for name in pairs(self.run) do self.run[name] = nil end
  for name, value in pairs(run) do self.run[name] = value end
  self.run.dir = dir
end

---@param o {store: table, run: table, recipe: table, params: table, host: table, display: table}
---@return pgorch.Session
function session.new(o)
  local self = setmetatable({
    store = o.store, run = o.run, recipe = o.recipe, params = o.params, host = o.host or {}, display = o.display,
    live = {}, kept = {}, steps = index_steps(o.recipe), started = task.now(),
  }, Session)
  if o.run.owner == owner.this() then self.store = o.store:as_writer(o.run.id, o.run.fence) end
  read_rows(self)
  self.run.dir = o.store:run_dir(o.run.id)
  -- An app may be down until what is put back, or opened again, has sent its requests.
  budget.share(o.store, function() return self.ending ~= nil or self:cut_over() end)
  fs.mkdir(self.run.dir, { mode = 0700, parents = true })
  return self
end

---Makes this process the one that works on the run. From now on the store refuses its writes when another took over.
---What was read before is read again: a process that is dead now may have come further since.
function Session:claim()
  local this, asked = owner.this(), clock.uptime()
  local present, fence = self.store:claim(self.run, this, owner.seen_alive)
  if present ~= true then
    fail.raise("PGO-LOCKED", ("run %s is being worked on by %s"):format(self.run.id, owner.words(present)),
      { cure = ("Wait for it, or stop it: `pgorch cancel %s`."):format(self.run.id) })
  end
  self.owner = this
  self.store = self.store:as_writer(self.run.id, fence, asked)
  read_run(self)
  read_rows(self)
end

-- Whether the run is this process's own by a lease.
function Session:has_lease() return self.store.home.leases and self.store.fence ~= nil end

---Gives signs of life while the process works, where a lease says whose the run is. Raises when another one has it.
---`self.lost` is the reason.
function Session:keep_lease()
  if not self:has_lease() then return end
  while true do
    task.sleep(poll.seconds "lease")
    local ok, err = pcall(self.store.renew, self.store, self.run.id)
    if fail.is(err, "PGO-FENCED") then
      self.lost = err
      error(err, 0)
    end
    task.check()
    self.unheard = not ok and err or nil
  end
end

-- So long before the end of a lease that could not be made good the process stops: 10 s of 60.
local SPARE = 1 / 6
local LOOK_SECONDS = 1

---Raises when the record was out of reach for so long that another process may soon have the run: beside keep_lease, as
---a sign of life that is not answered says nothing at all. Time in which the machine slept counts.
function Session:watch_lease()
  if not self:has_lease() then return end
  local fence, limit = self.store.fence, homes.LEASE_SECONDS * (1 - SPARE)
  while clock.uptime() - fence.good <= limit do task.sleep(LOOK_SECONDS) end
  self.lost = self.unheard or fail.new("PGO-STORE",
    ("the record of runs has not answered for %.0f s: another process may take run %s"):format(limit, self.run.id))
  error(self.lost, 0)
end

---Runs fn(self) as long as the run is this process's own.
---@param fn fun(current: pgorch.Session): any
---@return any
function Session:while_mine(fn)
  if not self.store.home.leases then return fn(self) end
  local results
  task.group(function(group)
    group:spawn(self.keep_lease, self)
    group:spawn(self.watch_lease, self)
    results = table.pack(fn(self))
    group:cancel "done"
  end)
  return table.unpack(results, 1, results.n)
end

---Whether a process works on a run now, and which.
---@param id string
---@return boolean
---@return string|nil owner
---@return integer|nil lease   until when that has it
function Session:is_at_work(id)
  local run = self.store:run(id)
  return owner.is_at_work(run), run.owner, run.lease_until
end

-- A database of the app, by the name under which the app reads it: several are moved side by side.
local function target_name(self)
  local app = self.params.app
  return app and ("target:%s:%s"):format(app, self.params.as or "DATABASE"), app
end

-- States of a run that came to its end, and gave back its names with it. What it holds now it took for a cleanup; if
-- that was killed, nobody comes to give it back.
local OVER = { done = true, failed = true, put_back = true }

local function take_from_one_that_is_over(self, name, holder)
  local run = self.store:run(holder)
  if not OVER[run.state] or owner.is_at_work(run) then return false end
  return self.store:take_over(name, self.run.id, holder, run.owner)
end

---Takes the target's name for this run alone.
function Session:lock()
  local name, app = target_name(self)
  if not name then return end
  local taken, holder = self.store:lock(name, self.run.id)
  if taken or take_from_one_that_is_over(self, name, holder.run) then return end
  fail.raise("PGO-LOCKED", ("%s of app %s is the target of run %s"):format(self.params.as or "DATABASE", app,
    holder.run), {
    detail = "held since " .. clock.iso(holder.at // 1000000),
    cure = ("`pgorch resume %s` goes on with it, `pgorch rollback %s` puts it back. Another database of the app: --as "
      .. "NAME."):format(holder.run, holder.run),
  })
end

---Gives the target's name back: nothing of this run stands there. A resumed run takes it again.
function Session:unlock_target()
  local name = target_name(self)
  if name then self.store:unlock(name, self.run.id) end
end

---Gives back every name that the run holds, but those that it shares: they stand for something that its steps put back.
function Session:unlock()
  for _, lock in ipairs(self.store:locks(self.run.id)) do
    if not lock.data then self.store:unlock(lock.name, self.run.id) end
  end
end

---Runs fn where Ctrl-C does not reach: for records.
function Session.durably(_, fn, ...)
  return task.shield(WRITE_SECONDS, fn, ...)
end

---@param fields table  columns of the run
function Session:update(fields)
  self:durably(function()
    local status = fields.exit_status ~= json.null and fields.exit_status or nil
    self.store:update_run(self.run.id, fields,
      { attempt = fields.attempt or self.run.attempt, exit_status = status })
  end)
  for name, value in pairs(fields) do self.run[name] = value end
end

---The step that a recorded id belongs to: "fix[public.users]" -> the step `fix`.
---@param id string
---@return table|nil step
function Session:step_of(id)
  return self.steps[id:match("^([^%[]+)%[") or id]
end

---Whether a step's id is one of the recipe's; raises PGO-USAGE with a hint when not.
---@param id string
---@param flag string
function Session:need_step(id, flag)
  if not self.steps[id] then recipes.unknown_id(self.recipe.steps, id, flag) end
end

---Whether the run is past its point of no return.
---@return boolean
function Session:cut_over()
  for id, row in pairs(self.rows) do
    local step = self.steps[id]
    if step and step.point_of_no_return and row.state == "done" then return true end
  end
  return false
end

---Recorded steps, last begun first.
---@return table[]
function Session:backwards()
  local list = {}
  for _, row in pairs(self.rows) do list[#list + 1] = row end
  table.sort(list, function(a, b)
    if a.position ~= b.position then return a.position > b.position end
    return a.id > b.id
  end)
  return list
end

---In the order of their first start: a premise stands before what was built on it.
---@return table[]
function Session:forwards()
  local list = self:backwards()
  for i = 1, #list // 2 do list[i], list[#list + 1 - i] = list[#list + 1 - i], list[i] end
  return list
end

---What is printed when a second Ctrl-C ends the process at once. `standing` and `going_on` are given by the runner.
function Session:last_words()
  local list, far = self.standing and self:standing() or {}, self.going_on and self:going_on() or {}
  local id = self.run.id
  local what = #list > 0 and "NOT put back: " .. table.concat(list, "; ") or "Nothing stands that needs putting back"
  if #far > 0 then what = what .. ".\n  goes on: " .. table.concat(far, "; ") end
  host.last_words(("left at once. %s.\n  go on: pgorch resume %s   give up: pgorch rollback %s"):format(what, id, id))
end

-- Closes one thing, by its close method or its __close. A failure to close is nobody's business any more.
local function close(object)
  if object == nil then return end
  local readable, closer = pcall(function() return object.close end)
  if readable and type(closer) == "function" then
    pcall(closer, object)
    return
  end
  local meta = getmetatable(object)
  if type(meta) == "table" and meta.__close then pcall(meta.__close, object) end
end

---A live object that is closed when the process is done with the run.
---@param name string
---@param object any  with close or __close, or nil: what has the name is closed now
function Session:keep(name, object)
  local old = self.live[name]
  self.live[name] = object
  if object ~= nil then self.kept[#self.kept + 1] = name end
  if old ~= nil and old ~= object then close(old) end
end

-- The certificate authority that pg_dump was given as a file; a process that was killed has left its own.
local function remove_ca_files(dir)
  for _, name in ipairs(fs.list(dir)) do
    if name:match "^pgorch%-ca%-" then fs.remove(dir .. "/" .. name) end
  end
end

---Closes the live objects, last first, and gives the run back.
function Session:close()
  for i = #self.kept, 1, -1 do
    local object = self.live[self.kept[i]]
    self.live[self.kept[i]] = nil
    pcall(task.shield, WRITE_SECONDS, close, object)
  end
  if self.owner then
    self.owner = nil
    if not self.lost then pcall(remove_ca_files, self.run.dir) end
    pcall(self.durably, self, self.store.disown, self.store, self.run.id)
  end
  budget.share(nil)
  host.last_words(nil)
end
Session.__close = Session.close

return session
