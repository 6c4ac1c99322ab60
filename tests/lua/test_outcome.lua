-- What becomes of a row: by the record of its run, and not by the exit status, which is 0 for a finished rollback, too.

local child   = require "pgorch.batch.child"
local outcome = require "pgorch.batch.outcome"

local function run(state, more)
  local made = { state = state, params = {} }
  for name, value in pairs(more or {}) do made[name] = value end
  return made
end

local function of(record, o)
  local given = { attempt = 1, attempts = 3 }
  for name, value in pairs(o) do given[name] = value end
  local made = outcome.of(record, given)
  return ("%s %s %s"):format(made.state, made.stands and "stands" or "nothing", made.exit_status or "-"), made
end

describe("a row whose child has ended", function()
  it("is done only if its run is", function()
    expect(of(run("done", { exit_status = 0 }), { code = 0 })).is "done nothing 0"
    expect(of(run("done", { exit_status = 3 }), { code = 0 })).is "done nothing 3"   -- asked again, a run says 0
    expect(of(run("done", { exit_status = 0 }), { code = 137 })).is "done nothing 0"
    expect(of(run("put_back", { exit_status = 0 }), { code = 0 })).is "failed nothing 1"
    expect(of(run("stopped", { exit_status = 0 }), { code = 0 })).is "stopped stands 0"
    expect(of(nil, { code = 0 })).is "failed nothing 1"
  end)

  it("failed when it was put back, and was refused when nothing was touched", function()
    expect(of(run("put_back", { exit_status = 1 }), { code = 1 })).is "failed nothing 1"
    expect(of(run("put_back", { exit_status = 5 }), { code = 5 })).is "failed nothing 5"
    expect(of(run("put_back", { exit_status = 4 }), { code = 4 })).is "refused nothing 4"
    expect(of(nil, { code = 2 })).is "refused nothing 2"
    expect(of(nil, { code = 4 })).is "refused nothing 4"
    expect(of(nil, { code = 1 })).is "failed nothing 1"
  end)

  it("is tried again after a while, where that may help, and not for ever", function()
    local text, made = of(run "stopped", { code = 6 })
    expect(text).is "waiting stands 6"
    expect(made.wait).is(30)
    expect(select(2, of(run "stopped", { code = 6, attempt = 2 })).wait).is(60)
    expect(of(run "stopped", { code = 6, attempt = 3 })).is "stopped stands 6"
    expect(of(run "running", { code = 137 })).is "waiting stands 137"
    expect(of(run "running", { code = 139, attempt = 3 })).is "stopped stands 139"
    expect(of(nil, { code = 137 })).is "waiting nothing 137"
    expect(of(nil, { code = 6, attempt = 3 })).is "failed nothing 6"
    expect(of(run "undoing", { code = 137 })).is "waiting stands 137"
    expect(of(run "undoing", { code = 137, attempt = 3 })).is "attention stands 11"
  end)

  it("waits for whoever has what it needs", function()
    expect(of(nil, { code = 7 })).is "waiting nothing 7"
    expect(of(run("put_back", { exit_status = 7 }), { code = 7 })).is "waiting nothing 7"
    expect(of(run "stopped", { code = 7 })).is "waiting stands 7"
    expect(of(nil, { code = 7, attempt = 3 })).is "failed nothing 7"
  end)

  it("goes on later when we stopped it, and not when a person did", function()
    local text, made = of(run("stopped", { exit_status = 8 }), { code = 8, asked = true })
    expect(text).is "ready stands 8"
    expect(made.attempt).is(0)
    expect(made.wait).is_nil()
    expect(of(run("stopped", { exit_status = 8 }), { code = 8 })).is "stopped stands 8"
    expect(of(nil, { code = 8, asked = true })).is "ready nothing -"
    expect(of(run "running", { code = 137, asked = true })).is "ready stands 8"
  end)

  it("needs somebody's attention where no retry helps and something stands", function()
    expect(of(run("failed", { exit_status = 9 }), { code = 9 })).is "attention stands 9"
    expect(of(run("undo_failed", { exit_status = 11 }), { code = 11 })).is "attention stands 11"
    expect(of(run("stopped", { exit_status = 9 }), { code = 9 })).is "attention stands 9"
    expect(of(run "stopped", { code = 2 })).is "attention stands 2"
  end)
end)

describe("what is done for a claimed row", function()
  local function step(record, more)
    local o = { at_work = false, taken_over = false, now = 1000 }
    for name, value in pairs(more or {}) do o[name] = value end
    return outcome.next_step(record, o)
  end

  it("begins, or goes on", function()
    expect(step(nil)).is "begin"
    expect(step(run "put_back")).is "begin"
    expect(step(run "stopped")).is "go_on"
    expect(step(run "running")).is "go_on"
    expect(step(run "waiting")).is "go_on"
    expect(step(run "undo_failed")).is "go_on"
  end)

  it("waits while the run's former process is at work", function()
    expect(step(run "running", { at_work = true })).is "wait"
    expect(outcome.elsewhere({ attempt = 4 }).attempt).is(3)
    expect(outcome.elsewhere({ attempt = 4 }).state).is "waiting"
  end)

  it("takes the end of a run that its worker did not live to put down", function()
    expect(step(run "done")).is "settled"
    expect(step(run "put_back", { taken_over = true })).is "settled"
    expect(step(run "failed", { taken_over = true })).is "settled"
  end)

  it("puts back what cannot be moved in time any more", function()
    local late = { host = { deadline = 1100 } }
    expect(step(run("stopped", { params = late }))).is "roll_back"
    expect(step(run("stopped", { params = { host = { deadline = 1200 } } }))).is "go_on"
    expect(step(run("stopped", { params = late, cut_over_at = 5 }))).is "go_on"
    expect(step(run "undoing")).is "roll_back"
  end)
end)

describe("a row's child", function()
  local function words(verb, more)
    local row = { id = "a", batch = "b", run = "r1", argv = { "--app=x", "--note=--yes" } }
    for name, value in pairs(more or {}) do row[name] = value end
    local list = child.words(row, verb, { recipe = "vultr", options = { window = { closes_at = 1000000000 },
      yes_cut_over = true } })
    return table.concat(list, " ", 2)
  end

  it("gets the run's id before it begins, and the window's end as its deadline", function()
    expect(words "begin").is("run vultr --app=x --note=--yes --run-id=r1 --json --deadline=2001-09-09T01:46:40Z "
      .. "--yes-cut-over")
    expect(words("go_on", { grp = "g" })).is("run vultr --app=x --note=--yes --run-id=r1 --json --yes-cut-over "
      .. "--in-batch=b --batch-row=a")
    expect(words "roll_back").is "rollback r1 --recipe=vultr --json"
  end)

  it("has no database's URL by default", function()
    local variables = child.environment "sqlite:x"
    expect(variables.SOURCE_DATABASE_URL).is(false)
    expect(variables.TARGET_DATABASE_URL).is(false)
    expect(variables.PGORCH_STATE).is "sqlite:x"
  end)

  it("is seen by its events", function()
    local at = {}
    expect(child.take(at, { event = "version" })).is(false)
    child.take(at, { event = "step_started", id = "dump_to_store", title = "Dump" })
    child.take(at, { event = "progress", id = "dump_to_store", bytes = 50, total = 200, rate = 10, eta = 15 })
    expect(at).same { step = "dump_to_store", title = "Dump", bytes = 50, total = 200, rate = 10, eta = 15,
      fraction = 0.25 }
    child.take(at, { event = "gate_waits", id = "gate_1", title = "cut over?" })
    expect(at).same { step = "gate_1", title = "cut over?", gate = "gate_1" }
    expect(child.take(at, { event = "gate_passed" })).is(true)
    expect(at.gate).is_nil()
    child.take(at, { event = "failed", error = { id = "PGO-NET", message = "m" } })
    expect(at.error.id).is "PGO-NET"
  end)
end)
