-- When what was at work: for each step the stretches in which it ran or was put back, the attempts of the run, and when
-- the window was open. From the log of events, in its own order: a clock may have been set meanwhile. Where the log
-- does not name a step, from the step's own row. Pure.

local moment = require "pgorch.report.moment"

local timeline = {}

---@class pgorch.report.Stretch
---@field from integer            microseconds
---@field to integer|nil          nil: it is still so
---@field what "run"|"undo"|"gate"
---@field state string            done, failed, interrupted, running, undone, undo_failed
---@field attempt integer|nil
---@field began integer|nil       seq of the event that tells its begin, and of the one that tells its end
---@field ended integer|nil

local BEGINS = { step_begun = "run", undoing = "undo" }
local ENDS = { step_done = "done", step_failed = "failed", step_skipped = "skipped", undone = "undone",
               undo_failed = "undo_failed" }

-- Events of the run itself after which none of its steps is at work.
local RESTS = { stopped = true, failed = true, done = true, put_back = true, undo_failed = true, running = true,
                undoing = true }

local function close(stretch, at, state, seq)
  if stretch and not stretch.to then stretch.to, stretch.state, stretch.ended = at, state, seq end
end

local function open_of(list) return list and list[#list] and not list[#list].to and list[#list] or nil end

-- A run that goes on after a gate says `running` too, in the same attempt: what is at work goes on.
local function rests(event, attempt)
  return RESTS[event.kind] and not (event.kind == "running" and (event.data.attempt or 1) <= attempt)
end

-- A process that was killed has told nothing of its end: that is put where it was last heard of, and not where the
-- next one took over, which may be days later.
local function is_taken_over(event, attempt)
  return event.kind == "taken_over" or event.kind == "running" and (event.data.attempt or 1) > attempt
end

-- From the events: id -> stretches.
local function from_events(seen)
  local by_id, attempt, heard = {}, 1, seen.run.created_at
  for _, event in ipairs(seen.events) do
    local id = event.data.step
    if id and BEGINS[event.kind] then
      local list = by_id[id] or {}
      by_id[id] = list
      close(open_of(list), event.at, "interrupted")
      list[#list + 1] = { from = event.at, what = BEGINS[event.kind], state = "running", attempt = event.data.attempt,
                          began = event.seq }
    elseif id and ENDS[event.kind] then
      close(open_of(by_id[id]), event.at, ENDS[event.kind], event.seq)
    elseif not id and (event.kind == "taken_over" or rests(event, attempt)) then
      local at = is_taken_over(event, attempt) and heard or event.at
      attempt = math.max(attempt, event.data.attempt or 1)
      for _, list in pairs(by_id) do close(open_of(list), at, "interrupted") end
    end
    if not is_taken_over(event, attempt) then heard = event.at end
  end
  return by_id
end

local function working(seen) return seen.state == "running" or seen.state == "waiting" or seen.state == "undoing" end

-- The first thing that the run itself said after this.
local function rest_after(seen, at)
  for _, event in ipairs(seen.events) do
    if event.at >= at and not event.data.step and RESTS[event.kind] then return event.at end
  end
  return math.max(at, seen.run.updated_at)
end

local RAN = { undone = "done", undoing = "done", void = "done", undo_failed = "done" }

-- From a step's row alone: its last stretch, and when its undo ended, as far as that can be told.
local function from_row(seen, row)
  if row.state == "skipped" then return {} end
  local state, to = RAN[row.state] or row.state, row.ended_at
  if state == "running" and not working(seen) then state = "interrupted" end
  if not to and state ~= "running" then to = rest_after(seen, row.started_at) end
  return { { from = row.started_at, to = to, what = "run", state = state, attempt = row.attempt } }
end

-- A step that waits for a person is no work: its stretch does not stretch the chart.
local function mark_gates(seen, id, list)
  local step = seen.steps[id]
  if (step and step.kind == "gate") or id:match "^gate_" then
    for _, each in ipairs(list) do each.what = "gate" end
  end
  return list
end

---@param seen pgorch.Recorded
---@return table<string, pgorch.report.Stretch[]>
function timeline.stretches(seen)
  local by_id = from_events(seen)
  for _, row in ipairs(seen.list) do
    by_id[row.id] = mark_gates(seen, row.id, by_id[row.id] or from_row(seen, row))
  end
  if not working(seen) then
    local last = seen.events[#seen.events]
    local heard = math.max(seen.run.updated_at, last and last.at or 0)
    for _, list in pairs(by_id) do close(open_of(list), heard, "interrupted") end
  end
  return by_id
end

---The attempts: when each began and what ended it.
---@param seen pgorch.Recorded
---@return {number: integer, from: integer, to: integer|nil, ended: string|nil}[]
function timeline.attempts(seen)
  local list = { { number = 1, from = seen.run.created_at } }
  local current, heard = list[1], seen.run.created_at
  for _, event in ipairs(seen.events) do
    local rest = not event.data.step and rests(event, current.number)
    if rest and event.kind == "running" then
      if not current.to then current.to, current.ended = heard, "interrupted" end
      current = { number = event.data.attempt, from = event.at }
      list[#list + 1] = current
    elseif rest and event.kind ~= "undoing" then
      current.to, current.ended = event.at, event.kind
    end
    if event.kind ~= "taken_over" then heard = event.at end
  end
  if not current.to and not working(seen) then current.to, current.ended = heard, "interrupted" end
  return list
end

local function step_with(seen, field, id)
  for each, step in pairs(seen.steps) do
    if step[field] then return each end
  end
  return id
end

-- When the step that keeps writes out was put back: by its events, or by the end of the run.
local function undone_at(seen, list, row)
  for i = #list, 1, -1 do
    if list[i].what == "undo" and list[i].state == "undone" then return list[i].to end
  end
  return row.state == "undone" and rest_after(seen, row.ended_at or row.started_at) or nil
end

-- By the log; by the time where a record of an earlier pgorch has rows alone.
local function is_before(one, other)
  if one.seq and other.seq then return one.seq < other.seq end
  return one.at <= other.at
end

local function first_run(list, after)
  for _, each in ipairs(list) do
    if each.what == "run" and (not after or is_before(after, { at = each.from, seq = each.began })) then return each end
  end
end

local function first_end(list, began, what, state)
  for _, each in ipairs(list) do
    local ended = each.to and { at = each.to, seq = each.ended }
    if ended and each.what == what and each.state == state and is_before({ at = began.from, seq = began.began }, ended)
    then
      return ended
    end
  end
end

local function earlier(one, other)
  if not (one and other) then return one or other end
  return is_before(one, other) and one or other
end

---When writes were kept out: from the moment that the window's step began, to its end or its undo.
---@param seen pgorch.Recorded
---@param by_id table<string, pgorch.report.Stretch[]>
---@return {from: integer, to: integer|nil}[]
function timeline.windows(seen, by_id)
  local opens = step_with(seen, "opens_window", "window_opens")
  local closes = step_with(seen, "closes_window", "window_closes")
  local row, list = seen.rows[opens], by_id[opens] or {}
  if not row then return {} end
  local windows, ended = {}, nil
  repeat
    local began = first_run(list, ended)
    if not began then break end
    ended = earlier(first_end(by_id[closes] or {}, began, "run", "done"), first_end(list, began, "undo", "undone"))
    windows[#windows + 1] = { from = began.from, to = ended and ended.at }
  until not ended
  local last = windows[#windows]
  if last and not last.to then
    last.to = undone_at(seen, list, row)
    -- One that failed before it had any effect has opened nothing.
    if not last.to and row.state ~= "done" and row.remembered == nil then windows[#windows] = nil end
  end
  return windows
end

---The window as the report, `status` and its list show it.
---@param seen pgorch.Recorded
---@param by_id? table<string, pgorch.report.Stretch[]>
---@return {open: boolean, from: integer|nil, to: integer|nil, seconds: number, times: table[]}   of the last one; the
---seconds and the times are of all
function timeline.window(seen, by_id)
  local windows = timeline.windows(seen, by_id or timeline.stretches(seen))
  local last, seconds = windows[#windows], 0
  for _, each in ipairs(windows) do seconds = seconds + moment.between(each.from, each.to or seen.now) end
  -- That of a rehearsal was a local app's.
  return { open = last ~= nil and not last.to and seen.run.kind ~= "rehearsal", from = last and last.from,
           to = last and last.to, seconds = seconds, times = windows }
end

return timeline
