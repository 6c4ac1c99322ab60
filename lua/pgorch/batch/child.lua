-- One row of a batch as a child process of its own, `pgorch run RECIPE --run-id ID --json ...`: its words, its
-- environment, and its JSON Lines as what the row is doing. A row that crashes hurts no other. The store's address goes
-- by the environment, never as a word; the two URLs that a recipe would take from the environment by itself are gone
-- there: each row names its own.

local clock        = require "pgorch.clock"
local fail         = require "pgorch.error"
local host         = require "pgorch.native.host"
local invocation   = require "pgorch.invocation"
local json         = require "pgorch.json"
local process      = require "pgorch.process"
local surroundings = require "pgorch.batch.surroundings"

local child = {}

local LINE_LIMIT = 1 << 20      -- of an event; what is longer is passed over
local STDERR_LIMIT = 64 << 10

local DEADLINE = "--deadline="

-- The earlier one of the row's own and of the window's end, for a run that begins. One that is gone on with has its
-- deadline on record, and is not given another.
local function deadline_of(row, window)
  local at = window and window.closes_at
  for _, word in ipairs(row.argv) do
    local own = word:find(DEADLINE, 1, true) and invocation.deadline(word:sub(#DEADLINE + 1))
    if own then at = math.min(at or own, own) end
  end
  return at
end

---The words of the child.
---@param row pgorch.BatchRow
---@param verb "begin"|"go_on"|"roll_back"
---@param o {recipe: string, options: pgorch.BatchOptions}   recipe: where it is on this machine
---@return string[]
function child.words(row, verb, o)
  local words = { host.executable() }
  local function add(...) for _, word in ipairs { ... } do words[#words + 1] = word end end
  if verb == "roll_back" then
    add("rollback", row.run, "--recipe=" .. o.recipe, "--json")
    return words
  end
  add("run", o.recipe)
  for _, word in ipairs(row.argv) do
    if not word:find(DEADLINE, 1, true) then add(word) end
  end
  add("--run-id=" .. row.run, "--json")
  local at = verb == "begin" and deadline_of(row, o.options.window)
  if at then add(DEADLINE .. clock.iso(math.floor(at))) end
  if o.options.yes_cut_over then add "--yes-cut-over" end
  if row.grp then add("--in-batch=" .. row.batch, "--batch-row=" .. row.id) end
  return words
end

---@param state string|pgorch.Secret   the address of the store
---@return table<string, string|pgorch.Secret|false>
function child.environment(state)
  return surroundings.env { PGORCH_STATE = state }
end

local on = {}

function on.step_started(at, e) at.step, at.title = e.id, e.title end

function on.undo_started(at, e) at.step, at.title = e.id, "undo: " .. (e.title or e.id) end

function on.progress(at, e)
  at.bytes, at.total, at.rate, at.eta, at.text = e.bytes, e.total, e.rate, e.eta, e.text
  at.fraction = e.bytes and e.total and e.total > 0 and math.min(1, e.bytes / e.total) or nil
end

function on.gate_waits(at, e) at.step, at.title, at.gate = e.id, e.title, e.id end

function on.group_waits(at, e) at.step, at.title = e.id, e.text end

-- What a step had to tell goes with it.
local BEGINS = { step_started = true, undo_started = true, gate_waits = true, group_waits = true }

---Takes one event into what is known of the row. Pure.
---@param at table      {step, title, fraction, bytes, total, rate, eta, text, gate, error}
---@param event table
---@return boolean changed
function child.take(at, event)
  if event.error and event.error.id then at.error = event.error end
  if event.event == "gate_passed" then at.gate = nil end
  local take = on[event.event]
  if not take then return event.event == "gate_passed" end
  if BEGINS[event.event] then
    for _, name in ipairs { "fraction", "bytes", "total", "rate", "eta", "text", "gate" } do at[name] = nil end
  end
  take(at, event)
  return true
end

local function hear(line, at, changed)
  local ok, event = pcall(json.decode, line)
  if ok and type(event) == "table" and child.take(at, event) then changed(at) end
end

-- Newlines are looked for as they are: a pattern would try a long line from each of its bytes.
local function listen(out, at, changed)
  local rest, skipping = "", false
  for block in function() return out:read() end do
    rest = rest .. block
    local from, to = 1, rest:find("\n", 1, true)
    while to do
      if not skipping then hear(rest:sub(from, to - 1), at, changed) end
      skipping, from = false, to + 1
      to = rest:find("\n", from, true)
    end
    rest = rest:sub(from)
    if #rest > LINE_LIMIT then rest, skipping = "", true end
  end
end

---Runs a row to the child's end. Never ends it by itself: `started` gets the process, to be told to stop by TERM.
---@param words string[]
---@param environment table
---@param o {started: fun(proc: pgorch.Process), changed: fun(at: table)}
---@return {code: integer, error: table|nil}
function child.run(words, environment, o)
  local arguments = table.move(words, 1, #words, 1, { env = environment, stdout = "stream", check = false,
    limit = STDERR_LIMIT })
  local proc <close> = process.spawn(arguments)
  o.started(proc)
  local at = {}
  listen(proc.stdout, at, o.changed)
  local ended = proc:wait()
  local err = at.error
  if not err and ended.code ~= 0 and ended.code ~= 3 then
    err = { id = "PGO-PROCESS", message = ("the row's process ended with %s"):format(ended.signal
      and "SIG" .. ended.signal or "status " .. ended.code), detail = ended.tail }
  end
  return { code = ended.code, error = err }
end

---@param err any
---@return table  what a row keeps of an error
function child.error_fields(err)
  err = fail.wrap(err)
  return { id = err.id, message = err.message, detail = err.detail and tostring(err.detail) or nil }
end

return child
