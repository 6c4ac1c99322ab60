-- What may start now: order, dependencies, groups, limits, canary, the stop; and that rows whose app may be down come
-- before all of it.

local eligible = require "pgorch.batch.eligible"

local function batch(rows, options, more)
  local made = { name = "b", state = "running", options = options or {}, waves_approved = 0, continued_at = 0,
    revision = 1, now = 1000e6, rows = {} }
  made.options.attempts = made.options.attempts or 3
  for i, row in ipairs(rows) do
    local full = { id = row[1], state = row[2] or "ready", position = i, priority = 0, attempt = 0, fence = 0,
      depends_on = {}, scopes = {}, stands = row[2] == "running", batch = "b" }
    for name, value in pairs(row) do
      if type(name) == "string" then full[name] = value end
    end
    made.rows[i] = full
  end
  for name, value in pairs(more or {}) do made[name] = value end
  return made
end

local function decide(of, have)
  local given = { slots = 10, busy = 0, clock = 1000, is_held = function(row) return not row.orphan end }
  for name, value in pairs(have or {}) do given[name] = value end
  return eligible.next(of, given)
end

local function started(decision)
  local ids = {}
  for i, row in ipairs(decision.start) do ids[i] = row.id end
  return table.concat(ids, " ")
end

local function starts(of, have) return started(decide(of, have)) end

describe("rows start", function()
  it("by priority, then as they stand, as far as there are slots and jobs", function()
    local rows = { { "a" }, { "b", priority = 5 }, { "c" }, { "d", priority = 5 } }
    expect(starts(batch(rows))).is "b d a c"
    expect(starts(batch(rows), { slots = 2 })).is "b d"
    expect(starts(batch(rows, { limits = { jobs = 3 } }))).is "b d a"
    rows[1][2] = "running"
    expect(starts(batch(rows, { limits = { jobs = 3 } }))).is "b d"
  end)

  it("not before their time", function()
    local decision = decide(batch { { "a", "waiting", not_before = 1030e6 }, { "b", "waiting", not_before = 999e6 } })
    expect(started(decision)).is "b"
    expect(decision.reasons.a).is "is tried again in 30 s"
  end)

  it("after those that they depend on, and never when these did not end well", function()
    local decision = decide(batch { { "a", "done" }, { "b", depends_on = { "a" } }, { "c", depends_on = { "b" } },
      { "d", "failed" }, { "e", depends_on = { "a", "d" } } })
    expect(started(decision)).is "b"
    expect(decision.reasons.c).is "waits for b"
    expect(decision.blocked[1].row.id).is "e"
    expect(decision.blocked[1].reason).is "d is failed"
  end)

  it("as the limits of their scopes allow, other batches counted", function()
    local function row(id, instance, account)
      return { id, scopes = { instance = instance, provider = "vultr", account = { heroku = account } } }
    end
    local rows = { row("a", "i", "x"), row("b", "i", "x"), row("c", "j", "x"), row("d", "k", "y") }
    expect(starts(batch(rows, { limits = { per_instance = 1 } }))).is "a c d"
    expect(starts(batch(rows, { limits = { per_account = { heroku = 2, vultr = 1 } } }))).is "a b d"
    expect(starts(batch(rows, { limits = { per_account = 1 } }))).is "a d"
    expect(starts(batch(rows, { limits = { per_provider = 3 } }))).is "a b c"
    local decision = decide(batch(rows, { limits = { per_instance = 1 } }),
      { elsewhere = { { batch = "o", id = "z", scopes = { instance = "i" } } } })
    expect(started(decision)).is "c d"
    expect(decision.reasons.a).is "waits for room: instance i"
  end)

  it("inside the window, if they will be done in it", function()
    local window = { opens = "22:00", closes = "04:00", opens_at = 900, closes_at = 2000 }
    local rows = { { "a", estimate = 2000 }, { "b", estimate = 600 } }
    expect(starts(batch(rows, { window = window }))).is "b"
    expect(starts(batch(rows, { window = window }), { clock = 899 })).is ""
  end)

  it("where a worker takes them", function()
    local decision = decide(batch { { "a" }, { "b" } },
      { takes = function(row) return row.id == "b", "not here" end })
    expect(started(decision)).is "b"
    expect(decision.reasons.a).is "not here"
  end)
end)

describe("a row that is begun", function()
  local over = { opens = "22:00", closes = "04:00", opens_at = 10, closes_at = 20 }
  local function begun(id, more)
    local row = { id, "waiting", stands = true }
    for name, value in pairs(more or {}) do row[name] = value end
    return row
  end

  it("comes first, whatever holds new ones back", function()
    local rows = { { "new", priority = 9 }, begun("old") }
    expect(starts(batch(rows), { slots = 1 })).is "old"
    expect(starts(batch(rows, { window = over }))).is "old"
    for _, state in ipairs { "paused", "draining", "stopped" } do
      expect(starts(batch(rows, {}, { state = state }))).is "old"
    end
    expect(starts(batch({ { "new" }, begun("old") }, { canary = { first = 1, then_wait = "approve" } }))).is "old new"
  end)

  it("keeps its place while it waits", function()
    local scopes = { instance = "i" }
    local rows = { begun("old", { not_before = 9e12, scopes = scopes }), { "new", scopes = scopes }, { "other" } }
    expect(starts(batch(rows, { limits = { per_instance = 1 } }))).is "other"
    expect(starts(batch(rows, { limits = { jobs = 1 } }))).is ""
  end)

  it("is taken over from a worker that has gone", function()
    local rows = { { "a", "running", orphan = true, attempt = 2 }, { "b", "running", attempt = 2 },
      { "c", "running", orphan = true, attempt = 3 } }
    expect(started(decide(batch(rows)))).is "a c"       -- whoever takes it looks at its run before it gives up
  end)
end)

describe("a group", function()
  local function member(id, more)
    local row = { id, grp = "g" }
    for name, value in pairs(more or {}) do row[name] = value end
    return row
  end

  it("starts as a whole", function()
    local rows = { { "a" }, member "x", { "b" }, member "y" }
    expect(starts(batch(rows))).is "a x y b"
    expect(starts(batch(rows), { slots = 2 })).is "a"                     -- b does not take the place that it needs
    expect(starts(batch(rows, { limits = { jobs = 2 } }))).is "a"
    expect(starts(batch({ { "a" }, member "x", member("y", { depends_on = { "a" } }) }))).is "a"
    expect(starts(batch { member "x", member("y", { not_before = 9e12 }) })).is ""
  end)

  it("is larger than the slots of a worker that has nothing else to do", function()
    local rows = { member "x", member "y", member "z", { "b" } }
    expect(starts(batch(rows), { slots = 2 })).is "x y z"
    expect(starts(batch(rows), { slots = 1, busy = 1 })).is ""
    expect(starts(batch(rows, { limits = { jobs = 2 } }))).is "x y z"
  end)

  it("of one instance's databases counts once there", function()
    local scopes = { instance = "i" }
    local rows = { member("x", { scopes = scopes }), member("y", { scopes = scopes }), { "b", scopes = scopes } }
    expect(starts(batch(rows, { limits = { per_instance = 1 } }))).is "x y"
  end)

  it("takes its members back as each of them can", function()
    local rows = { member("x", { [2] = "running" }), member("y", { [2] = "waiting", stands = false }) }
    expect(starts(batch(rows, { limits = { jobs = 1 } }))).is "y"
  end)

  it("goes on as a whole, without room for all: its members wait for each other", function()
    local rows = { member("x", { [2] = "waiting", stands = true }), member("y", { [2] = "waiting", stands = true }) }
    expect(starts(batch(rows), { slots = 1 })).is "x y"
  end)

  it("does not start without one that did not end well", function()
    local decision = decide(batch { member("x", { [2] = "failed" }), member "y", member("z", { [2] = "done" }) })
    expect(started(decision)).is ""
    expect(decision.blocked[1].row.id .. ": " .. decision.blocked[1].reason).is "y: x of its group is failed"
    expect(starts(batch { member("z", { [2] = "done" }), member "y" })).is "y"
  end)
end)

describe("a canary", function()
  local function rows(...)
    local list = {}
    for i = 1, 6 do list[i] = { "r" .. i, select(i, ...) or "ready", ended_at = 900e6 } end
    return list
  end
  local function with(canary) return { canary = canary } end

  it("goes first, then waits for approval", function()
    local canary = { first = 2, then_wait = "approve" }
    expect(starts(batch(rows(), with(canary)))).is "r1 r2"
    local decision = decide(batch(rows("done", "failed"), with(canary)))
    expect(started(decision)).is ""
    expect(decision.awaits_approval).is(true)
    expect(decision.reasons.r3).is "waits for approval: pgorch batch approve b"
    expect(starts(batch(rows("done", "failed"), with(canary), { waves_approved = 1 }))).is "r3 r4 r5 r6"
  end)

  it("goes on in waves", function()
    local canary = { first = 1, then_wait = "approve", waves = 2 }
    expect(starts(batch(rows("done"), with(canary), { waves_approved = 1 }))).is "r2 r3"
    expect(starts(batch(rows("done", "done", "done"), with(canary), { waves_approved = 2 }))).is "r4 r5"
  end)

  it("goes on by itself after a while", function()
    local canary = { first = 1, then_wait = 200, waves = 2 }
    expect(starts(batch(rows("done"), with(canary)))).is ""
    expect(starts(batch(rows("done"), with(canary), { now = 1100e6 }))).is "r2 r3"
    expect(starts(batch(rows("running"), with(canary), { now = 1100e6 }))).is ""
  end)

  it("takes a group as a whole", function()
    local list = { { "a" }, { "x", grp = "g" }, { "y", grp = "g" }, { "z" } }
    expect(starts(batch(list, with { first = 2, then_wait = "approve" }))).is "a x y"
  end)
end)

describe("a batch", function()
  local function rows(...)
    local list = {}
    for i, state in ipairs { ... } do list[i] = { "r" .. i, state, ended_at = i * 1e6 } end
    return list
  end
  local function state(of, have)
    local decision = decide(of, have)
    return decision.state, decision.reason
  end

  it("is done when all rows have ended, however", function()
    expect(state(batch(rows("done", "failed", "blocked", "attention")))).is "done"
    expect(state(batch(rows("done", "ready")))).is_nil()
    expect(state(batch(rows("done", "running")))).is_nil()
    expect(state(batch(rows("done", "done"), {}, { state = "done" }))).is_nil()
  end)

  it("stops when too many rows did not end well, until somebody lets it go on", function()
    local list = rows("failed", "done", "refused", "ready")
    local decided, why = state(batch(list, { stop_after = { failures = 2 } }))
    expect(decided .. ": " .. why).is "stopped: 2 rows did not end well"
    expect(starts(batch(list, { stop_after = { failures = 2 } }))).is ""
    expect(state(batch(list, { stop_after = { failures = 3 } }))).is_nil()
    expect(state(batch(list, { stop_after = { failures = 2 } }, { continued_at = 2e6 }))).is_nil()
    expect(state(batch(list, { stop_after = { rate = 0.5 } }))).is "stopped"
    expect(state(batch(rows("failed", "ready"), { stop_after = { rate = 0.5 } }))).is_nil()   -- one of one says nothing
  end)

  it("stops when its window is over, and nothing is begun any more", function()
    local window = { opens = "22:00", closes = "04:00", opens_at = 10, closes_at = 900 }
    local decided, why = state(batch(rows("done", "ready"), { window = window }))
    expect(decided).is "stopped"
    expect(why).has "closed 04:00"
    expect(state(batch(rows("running", "ready"), { window = window }))).is_nil()
  end)

  it("is paused once it is drained", function()
    expect(state(batch(rows("running", "ready"), {}, { state = "draining" }))).is_nil()
    expect(state(batch(rows("done", "ready"), {}, { state = "draining" }))).is "paused"
    local decision = decide(batch(rows("done", "ready"), {}, { state = "paused" }))
    expect(decision.state).is_nil()
    expect(decision.reasons.r2).is "the batch is paused"
  end)
end)
