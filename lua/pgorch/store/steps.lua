-- The part of the store that records steps: intent, what is remembered, result, undo.
-- One row for each step, or for each item of one.

local clock  = require "pgorch.clock"
local events = require "pgorch.store.events"
local fail   = require "pgorch.error"
local json   = require "pgorch.json"
local resource = require "pgorch.resource"

local Steps = {}

local function now() return math.floor(clock.time() * 1e6) end

local function encode(value, id, what)
  if value == nil then return nil end
  local ok, text = pcall(json.encode, value)
  if not ok then
    local cause = type(text) == "table" and text.message or tostring(text)
    fail.raise("PGO-INVALID", ("%s of step %s cannot be stored: %s"):format(what, id, cause),
      { step = id, cause = text })
  end
  return text
end

local FIELDS = { "item", "remembered", "result", "premises", "summary", "error" }

---All steps of a run in the order of their first start.
---@param run string
---@return table[]  rows of the table `step`, JSON decoded
function Steps:steps(run)
  local rows = self.db:query("select * from step where run = $1 order by position, id", run)
  for _, row in ipairs(rows) do
    for _, field in ipairs(FIELDS) do
      if row[field] then row[field] = json.decode(row[field]) end
    end
  end
  return rows
end

---What a step did in other runs, newest first. Rehearsals have done nothing that another one could meet: they are left
---out unless they are asked for.
---@param id string
---@param run string  the one that asks
---@param rehearsals? boolean
---@return {run: string, kind: string, app: string|nil, state: string, result: any, remembered: any}[]
function Steps:in_other_runs(id, run, rehearsals)
  local rows = self.db:query("select s.run, r.kind, s.state, s.result, s.remembered, r.params from step s "
    .. "join run r on r.id = s.run where s.id = $1 and s.run <> $2 and ($3 = 1 or r.kind <> 'rehearsal') "
    .. "order by s.started_at desc", id, run, rehearsals and 1 or 0)
  for _, row in ipairs(rows) do
    row.app, row.params = json.decode(row.params).values.app, nil
    row.result, row.remembered = row.result and json.decode(row.result), row.remembered and json.decode(row.remembered)
  end
  return rows
end

local Outlines = {}
function Outlines.__index(all, run)
  all[run] = { steps = {}, list = {}, events = {} }
  return all[run]
end

---The few steps that a list of all runs shows something of, what tells of their window, and which sources were
---destroyed.
---@return table<string, {steps: table<string, table>, list: table[], events: table[], destroyed: integer|nil}>  by run
function Steps:outlines()
  local by_run = setmetatable({}, Outlines)
  for _, row in ipairs(self.db:query(resource.read "pgorch/sql/store/outline.sql")) do
    row.result = row.result and json.decode(row.result)
    local outline = by_run[row.run]
    outline.steps[row.id], outline.list[#outline.list + 1] = row, row
  end
  for _, row in ipairs(self.db:query(resource.read "pgorch/sql/store/window_events.sql")) do
    row.data = json.decode(row.data)
    table.insert(by_run[row.run].events, row)
  end
  for _, row in ipairs(self.db:query "select run, at from event where kind = 'destroyed'") do
    by_run[row.run].destroyed = row.at
  end
  return by_run
end

---Intent: recorded before the step does anything.
---@param run string
---@param id string
---`forget`: what it remembered in an earlier attempt is put back by now.
---@param o {title: string, attempt: integer, item?: table, forget?: boolean}
function Steps:begin_step(run, id, o)
  self:write(run, { {
    "insert into step (run, id, title, position, attempt, state, item, started_at) "
    .. "select $1, $2, $3, coalesce(max(position), 0) + 1, $4, 'running', $5, $6 from step where run = $1 "
    .. "on conflict (run, id) do update set state = 'running', attempt = $4, title = $3, item = $5, started_at = $6, "
    .. "ended_at = null, result = null, premises = null, summary = null, error = null, "
    .. "remembered = case when $7 = 1 then null else step.remembered end",
    run, id, o.title, o.attempt, encode(o.item, id, "the item"), now(), o.forget and 1 or 0, n = 8,
  }, events.told(run, "step_begun", { step = id, attempt = o.attempt }) })
end

---What undo or a resumed run needs, recorded before the effect.
function Steps:remember(run, id, value)
  self:write(run, {
    { "update step set remembered = $3 where run = $1 and id = $2", run, id,
      encode(value, id, "what is remembered"), n = 4 },
    events.told(run, "remembered", { step = id }),
  })
end

-- The event that tells of a step's new state.
local TOLD = { done = "step_done", void = "step_void", skipped = "step_skipped", undoing = "undoing",
               undone = "undone", undo_failed = "undo_failed" }

---`cut_over`: with it the run is past its point of no return, which is recorded in the same transaction.
---@param o {result?: any, premises?: string[], summary?: table, state?: string, cut_over?: boolean}
function Steps:finish_step(run, id, o)
  local state, at = o.state or "done", now()
  self:write(run, { {
    "update step set state = $3, result = $4, premises = $5, summary = $6, error = null, ended_at = $7 "
    .. "where run = $1 and id = $2",
    run, id, state, encode(o.result, id, "the result"), encode(o.premises, id, "the premises"),
    encode(o.summary, id, "the summary"), at, n = 8,
  }, events.told(run, TOLD[state], { step = id }),
    o.cut_over and { "update run set cut_over_at = $2, updated_at = $2 where id = $1", run, at } or nil })
end

---@param err table  {id, message, ...}
function Steps:fail_step(run, id, err)
  self:write(run, {
    { "update step set state = 'failed', error = $3, ended_at = $4 where run = $1 and id = $2", run, id,
      encode(err, id, "the error"), now() },
    events.told(run, "step_failed", { step = id, error = err.id }),
  })
end

---@param state "void"|"undoing"|"undone"|"undo_failed"|"skipped"|"done"
---@param err? table
function Steps:set_step_state(run, id, state, err)
  self:write(run, {
    { "update step set state = $3, error = coalesce($4, error) where run = $1 and id = $2", run, id, state,
      encode(err, id, "the error"), n = 5 },
    events.told(run, TOLD[state], { step = id, error = err and err.id }),
  })
end

---What the summary shows of a step; also after its undo.
function Steps:set_summary(run, id, summary)
  self:write(run, { { "update step set summary = $3 where run = $1 and id = $2", run, id,
    encode(summary, id, "the summary") } })
end

return Steps
