-- Judges the event log of a run: the numbers without a gap, times in order, the run's states and each step's in an
-- order that can be. Reads an image of the record (tests/faults/record.lua, or {run, steps, events}); knows nothing of
-- the world.

local event_log = {}

local SECOND = 1000000

-- From which states of the run each may follow. A run begins as `running`, attempt 1.
local RUN_STATES = {
  running     = { running = true, waiting = true, stopped = true, failed = true, put_back = true },
  waiting     = { running = true, waiting = true },
  stopped     = { running = true, waiting = true },
  failed      = { running = true, waiting = true },
  done        = { running = true },
  undoing     = { running = true, waiting = true, stopped = true, failed = true, undoing = true, undo_failed = true,
                  done = true },
  undo_failed = { undoing = true },
  put_back    = { undoing = true },
}

-- The same for the states of a step that events tell; "" is one that has not begun.
local STEP_KINDS = {
  -- after undoing: a process died in the undo, and the next one lets itself in again
  step_begun   = { [""] = true, step_failed = true, step_void = true, undone = true, step_skipped = true,
                   undoing = true },
  step_done    = { step_begun = true },
  step_failed  = { step_begun = true },
  step_skipped = { step_begun = true },
  step_void    = { step_done = true, undone = true },
  -- after undone: what the undo of others has used (a storage key) is taken away once more
  undoing      = { step_begun = true, step_done = true, step_failed = true, step_void = true, undoing = true,
                   undo_failed = true, undone = true },
  undone       = { undoing = true, step_begun = true, step_done = true },
  undo_failed  = { undoing = true },
}

-- A step that was interrupted begins again in a later attempt.
local function may_begin_again(before, event)
  return before.kind == "step_begun" and (event.data.attempt or 0) > (before.attempt or 0)
end

local function judge_step(event, steps, say)
  local id = event.data.step
  local before = steps[id] or { kind = "" }
  if event.kind == "remembered" then
    if before.kind ~= "step_begun" and before.kind ~= "step_done" then
      say("%d: %s remembered something when it was not at work", event.seq, id)
    end
    return
  end
  local allowed = STEP_KINDS[event.kind]
  if not allowed then return end
  if not allowed[before.kind] and not (event.kind == "step_begun" and may_begin_again(before, event)) then
    say("%d: %s of %s after %s", event.seq, event.kind, id, before.kind == "" and "nothing" or before.kind)
  end
  steps[id] = { kind = event.kind, attempt = event.data.attempt or before.attempt }
end

local function judge_run(event, run, say)
  local allowed = RUN_STATES[event.kind]
  if not allowed or event.data.step then return end
  if not allowed[run.state] then say("%d: the run is %s after %s", event.seq, event.kind, run.state) end
  local attempt = event.data.attempt
  if attempt then
    local least = run.attempt + (event.kind == "running" and run.seen and 1 or 0)
    if event.kind == "running" and run.state == "waiting" then least = run.attempt end
    if attempt < least then say("%d: attempt %d after %d", event.seq, attempt, run.attempt) end
    run.attempt = attempt
  end
  run.state, run.seen = event.kind, true
end

local function judge_times(image, say)
  local last = image.run.created_at - SECOND
  for _, event in ipairs(image.events) do
    if event.at < last then say("%d: it is older than the one before", event.seq) end
    last = event.at
  end
  if image.now and last > image.now + SECOND then say("%d: it has not happened yet", #image.events) end
end

-- Where a run ended, and how its steps did, the rows and the events agree: they are written together.
local function judge_rows(image, run, steps, say)
  if run.seen and next(steps) and run.state ~= image.run.state then
    say("the run is %s, and its last event %s", image.run.state, run.state)
  end
  local names = { step_begun = "running", step_done = "done", step_failed = "failed", step_skipped = "skipped",
    step_void = "void", undoing = "undoing", undone = "undone", undo_failed = "undo_failed" }
  for id, last in pairs(steps) do
    local row = image.steps[id]
    if not row then
      say("%s has events and no row", id)
    elseif row.state ~= names[last.kind] then
      say("%s is %s, and its last event %s", id, row.state, last.kind)
    end
  end
end

---@param image {run: table, steps: table, events: table[], now?: integer}
---@return string[] complaints
function event_log.complaints(image)
  local list, run, steps = {}, { state = "running", attempt = 1 }, {}
  local function say(what, ...) list[#list + 1] = what:format(...) end
  for i, event in ipairs(image.events) do
    if event.seq ~= i then say("%d is where %d has to be", event.seq, i) end
    if event.data.step then judge_step(event, steps, say) else judge_run(event, run, say) end
  end
  judge_times(image, say)
  judge_rows(image, run, steps, say)
  return list
end

return event_log
