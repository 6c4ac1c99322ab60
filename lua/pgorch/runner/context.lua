-- What a step sees as `ctx`: parameters, results of other steps (reads are recorded as premises), the live things of
-- the recipe (made on first use), and the ways to remember and to report. One context for one run of one step.

local fail  = require "pgorch.error"
local orphans = require "pgorch.rehearsal.orphans"
local shape = require "pgorch.recipe.shape"
local shared = require "pgorch.runner.shared"
local task  = require "pgorch.task"

local context = {}

-- What a context keeps to itself: {session, id, row, premises, summary}.
local of = setmetatable({}, { __mode = "k" })

---@class pgorch.Context
---@field params table<string, any>
---@field options table<string, any>   of this step: `step.size { ... }`
---@field result table<string, any>    by step id; what is read here is a premise of this step's own result
---@field live table<string, any>      what a step of this process kept
---@field recall any                   what an interrupted attempt of this step remembered, or nil
---@field run {id: string, dir: string, attempt: integer}
---@field recipe {name: string, path: string, folder: string|nil, freezes: string[], has_window: boolean,
---  steps: string[]}  freezes: ids of steps that do; has_window: one opens it, as --freeze says; steps: all, in order
local methods = {}

---Recorded before the effect: undo and a resumed run find it, whatever happens in between.
---@param value table
function methods:remember(value)
  local hidden = of[self]
  hidden.session.store:remember(hidden.session.run.id, hidden.id, value)
  hidden.row.remembered = value
  hidden.session:last_words()
end

---@param p {bytes?: integer, total?: integer, text?: string}
function methods:progress(p)
  local hidden = of[self]
  hidden.summary.bytes = p.bytes or hidden.summary.bytes
  hidden.session.display:emit("progress", { id = hidden.id, bytes = p.bytes, total = p.total, text = p.text })
end

local function add(self, list, kind, text)
  local hidden = of[self]
  hidden.summary[list] = hidden.summary[list] or {}
  table.insert(hidden.summary[list], text)
  hidden.session.display:emit(kind, { id = hidden.id, text = text })
end

---Something that a reader of the report wants to know.
---@param text string
function methods:note(text) add(self, "notes", "note", text) end

---Something that needs a look; the run ends with status 3.
---@param text string
function methods:warn(text) add(self, "warnings", "warn", text) end

---What was put back as it was, for the summary: "worker 3", "maintenance off".
---@param text string
function methods:put_back(text) add(self, "put_back", "put_back", text) end

---A table: shown at once, and with `summary = true` at the end of the run too.
---@param t {title: string, columns: string[], rows: any[][], summary?: boolean}
function methods:table(t)
  local hidden = of[self]
  hidden.summary.tables = hidden.summary.tables or {}
  table.insert(hidden.summary.tables, t)
  hidden.session.display:emit("table", { id = hidden.id, table = t })
end

---Keeps an object for later steps of this process (ctx.live[name]); it is closed at the end. nil closes it now.
---@param name string
---@param object any
function methods:keep(name, object) of[self].session:keep(name, object) end

---Whether a step is done and what it did still counts.
---@param id string
---@return boolean
function methods:finished(id)
  local row = of[self].session.rows[id]
  return row ~= nil and row.state == "done"
end

---Whether a step of this run has begun to do something, whatever became of it; not one that was put back since.
---@param id string
---@return boolean
function methods:begun(id)
  local row = of[self].session.rows[id]
  return row ~= nil and row.state ~= "undone" and row.state ~= "skipped"
end

---What a step did in the other runs of the record, newest first.
---@param id string
---@param rehearsals? boolean   what rehearsals did, too
---@return {run: string, kind: string, app: string|nil, state: string, result: any, remembered: any}[]
function methods:in_other_runs(id, rehearsals)
  local session = of[self].session
  return session.store:in_other_runs(id, session.run.id, rehearsals)
end

---Takes `name` for this run alone until it is done or put back; raises PGO-LOCKED when another run has it.
---@param name string
---@param what string  for the message
function methods:lock(name, what)
  local session = of[self].session
  local taken, holder = session.store:lock(name, session.run.id)
  if taken then return end
  fail.raise("PGO-LOCKED", ("%s is in the hands of run %s"):format(what, holder.run), {
    cure = ("`pgorch resume %s` goes on with it, `pgorch rollback %s` puts it back."):format(holder.run, holder.run),
  })
end

---Counts this run among those that use `name`, until it is over; nothing is undone then.
---@param name string
---@return integer|nil others  nil: one has it for itself
function methods:hold(name)
  local session = of[self].session
  return session.store:hold(name, session.run.id)
end

---The other runs that hold `name`.
---@param name string
---@return string[]
function methods:others(name)
  local session, list = of[self].session, {}
  for _, row in ipairs(session.store:holders(name)) do
    if row.run ~= session.run.id then list[#list + 1] = row.run end
  end
  return list
end

---Runs fn while no other run is in its turn for `name`. Turns are not nested.
---@param name string
---@param fn fun(): any
function methods:in_turn(name, fn) return shared.in_turn(of[self].session, name, fn) end

---Joins the runs that hold `name`: the first one looks, and what it saw is there for the last one to put back. Then the
---effect, which must bear to be done again.
---@param name string
---@param o {look: (fun(): table), effect: fun(before: table, others: string[]), turn: string|nil, recorded: table|nil}
---@return table before
---@return string[] others
function methods:join(name, o) return shared.join(of[self].session, name, o) end

---Leaves it; the last one puts back what was before. nil: it had left already.
---@param name string
---@param put_back fun(before: table): any
---@param o? {turn?: string, recorded?: table}
---@return pgorch.Left|nil
function methods:leave(name, put_back, o) return shared.leave(of[self].session, name, put_back, o) end

---Leaves it as it is, for good: those who hold it now do not put back what was before.
---@param name string
---@return string[] others
function methods:leave_for_good(name, o) return shared.leave_for_good(of[self].session, name, o) end

---Takes over what killed rehearsals have left on the source's allow list. `own`: the entry that this run takes out.
---@param own string|nil
function methods:take_over_from_rehearsals(own)
  local store = of[self].session.store
  if store.runs then orphans.take_over(self, store, own) end          -- looked at without a run: there is no record
end

---Which record of runs this is: a number that no other one has.
---@return integer
function methods:record() return of[self].session.store:id() end

---What ctx has of its own, by name: a recipe's `uses` stand beside it.
---@type table<string, boolean>
context.OWN = { params = true, options = true, recall = true, result = true, live = true, run = true, recipe = true }
for name in pairs(methods) do context.OWN[name] = true end

-- The live things of the recipe. Two steps side by side that ask for the same one get the same one. `use.run` names the
-- run, for what is made outside on its behalf.
local function use_table(session)
  if session.use then return session.use end
  local made, busy = { run = { id = session.run.id } }, {}
  session.use = setmetatable({}, { __index = function(use, name)
    if made[name] ~= nil then return made[name] end
    local constructor = session.recipe.uses[name]
    if not constructor then return nil end
    busy[name] = busy[name] or task.semaphore(1)
    return busy[name]:with(function()
      if made[name] == nil then made[name] = constructor(session.params, use) end
      return made[name]
    end)
  end })
  return session.use
end

local function recorder(hidden, from, prefix)
  return setmetatable({}, { __index = function(_, name)
    hidden.premises[prefix .. tostring(name)] = true
    return from[name]
  end })
end

local function freezing_steps(session)
  local ids, has_window = {}, false
  for id, step in pairs(session.steps) do
    if step.freezes then ids[#ids + 1] = id end
    has_window = has_window or step.opens_window == true
  end
  return ids, has_window
end

---@param session table
---@param step table
---@param id string      of the record: the step's, or step[key]
---@param row table      what is recorded of it
---@return pgorch.Context
function context.new(session, step, id, row)
  local hidden = { session = session, id = id, row = row, premises = {}, summary = row.summary or {} }
  local run = session.run
  local freezes, has_window = freezing_steps(session)
  local fields = {
    params = session.params, options = step.options or {}, recall = row.remembered,
    result = recorder(hidden, session.results, ""), live = recorder(hidden, session.live, "live:"),
    run = { id = run.id, dir = run.dir, attempt = run.attempt },
    recipe = { name = session.recipe.name, path = session.recipe.path, folder = session.recipe.folder,
               freezes = freezes, has_window = has_window, steps = shape.ids(session.recipe.steps) },
  }
  local use = use_table(session)
  of[fields] = hidden
  return setmetatable(fields, { __index = function(_, name)
    local method = methods[name]
    if method then return method end
    local thing = use[name]
    if thing == nil and name ~= "recall" and not session.recipe.uses[name] then
      fail.raise("PGO-RECIPE", ("ctx.%s: the recipe has no such entry in `uses`"):format(tostring(name)))
    end
    return thing
  end })
end

---The ids that the step has read, sorted.
---@param ctx pgorch.Context
---@return string[]
function context.premises(ctx)
  local list = {}
  for name in pairs(of[ctx].premises) do list[#list + 1] = name end
  table.sort(list)
  return list
end

---What the step has reported, nil when nothing.
---@param ctx pgorch.Context
---@return table|nil
function context.summary(ctx)
  return next(of[ctx].summary) and of[ctx].summary or nil
end

return context
