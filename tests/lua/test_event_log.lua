-- What support/event_log.lua must see: each kind of disorder, made in a log that is in order.

local event_log = require "support.event_log"

local SECOND = 1000000

-- A log of words: "running/2" is the run's state in attempt 2, "step_begun size/1" an event of a step.
local function image(...)
  local made = { run = { created_at = SECOND, state = "running" }, steps = {}, events = {} }
  local states = { step_begun = "running", step_done = "done", step_failed = "failed", step_skipped = "skipped",
    step_void = "void", undoing = "undoing", undone = "undone", undo_failed = "undo_failed" }
  for i, words in ipairs { ... } do
    local kind, step, attempt = words:match "^([%a_]+) ?(%a*)/?(%d*)$"
    if step ~= "" then
      made.steps[step] = { state = states[kind] or (made.steps[step] or {}).state }
    else
      made.run.state, step = kind, nil
    end
    made.events[i] = { seq = i, at = (i + 1) * SECOND, kind = kind,
      data = { step = step, attempt = tonumber(attempt) } }
  end
  return made
end

local function complaints(made) return table.concat(event_log.complaints(made), "\n") end

local GOOD = { "step_begun size/1", "step_done size", "step_begun dump/1", "remembered dump", "stopped/1", "running/2",
  "step_void size", "step_begun size/2", "step_done size", "step_begun dump/2", "step_failed dump", "undoing/2",
  "undoing dump", "undone dump", "undoing size", "undoing size", "undo_failed size", "undo_failed/2", "undoing/2",
  "undoing size", "undone size", "put_back/2", "running/3", "step_begun size/3", "step_done size", "waiting/3",
  "running/3", "done/3" }

local function with(at, words)
  local list = { table.unpack(GOOD) }
  if words then list[at] = words else table.remove(list, at) end
  return image(table.unpack(list))
end

describe("the judge of an event log", function()
  it("is content with one that is in order", function()
    expect(complaints(image(table.unpack(GOOD)))).is ""
  end)

  it("sees a gap, and a number that is there twice", function()
    local made = image(table.unpack(GOOD))
    table.remove(made.events, 4)
    expect(complaints(made)).has "5 is where 4 has to be"
    made = image(table.unpack(GOOD))
    made.events[4].seq = 3
    expect(complaints(made)).has "3 is where 4 has to be"
  end)

  it("sees times that cannot be", function()
    local made = image(table.unpack(GOOD))
    made.events[4].at = made.events[3].at - 1
    expect(complaints(made)).is "4: it is older than the one before"
    made = image(table.unpack(GOOD))
    made.run.created_at = made.events[2].at + 2 * SECOND
    expect(complaints(made)).has "1: it is older than the one before"
    made = image(table.unpack(GOOD))
    made.now = made.events[3].at
    expect(complaints(made)).has "it has not happened yet"
  end)

  it("sees a step that ends without having begun, and one that begins twice", function()
    expect(complaints(with(1))).has "1: step_done of size after nothing"
    expect(complaints(image("step_begun size/1", "step_begun size/1"))).has "2: step_begun of size after step_begun"
    expect(complaints(image("step_begun size/1", "running/2", "step_begun size/2"))).is ""
    expect(complaints(with(7, "remembered size"))).has "8: step_begun of size after step_done"
    expect(complaints(with(3, "remembered dump"))).has "3: dump remembered something when it was not at work"
  end)

  it("sees an undo of what never began, and an end of one", function()
    expect(complaints(image("undoing/1", "undoing size"))).has "2: undoing of size after nothing"
    expect(complaints(image("step_begun size/1", "step_done size", "undoing/1", "undo_failed size")))
      .has "4: undo_failed of size after step_done"
  end)

  it("sees states of the run that do not follow, and attempts that go back", function()
    expect(complaints(image("done/1", "stopped/1"))).is "2: the run is stopped after done"
    expect(complaints(image("stopped/1", "put_back/1"))).is "2: the run is put_back after stopped"
    expect(complaints(image("stopped/1", "running/1"))).is "2: attempt 1 after 1"
    expect(complaints(image("running/2", "stopped/1"))).is "2: attempt 1 after 2"
  end)

  it("sees rows that say something else than the events", function()
    local made = image(table.unpack(GOOD))
    made.run.state = "running"
    expect(complaints(made)).is "the run is running, and its last event done"
    made = image(table.unpack(GOOD))
    made.steps.size.state = "running"
    expect(complaints(made)).is "size is running, and its last event step_done"
    made.steps.size = nil
    expect(complaints(made)).is "size has events and no row"
  end)
end)
