-- Batches in the record: a claim is void when anything has changed since the batch was read, whoever was fenced off
-- writes nothing more, and a manifest that is submitted again changes nothing of what has begun. Asked of both homes.

local fs       = require "pgorch.fs"
local json     = require "pgorch.json"
local postgres = require "support.postgres"
local process  = require "pgorch.process"
local host     = require "pgorch.native.host"
local store    = require "pgorch.store"
local task     = require "pgorch.task"

local server, folder, st, url        -- one server for the file

local function fresh_file() return "sqlite:" .. folder .. "/state.db" end

local function fresh_server()
  local conn <close> = server:connect()
  conn:exec "drop schema if exists pgorch cascade"
  return server.uri
end

local function row(id, more)
  local made = { id = id, recipe = "postgres", recipe_path = "postgres", recipe_hash = "abc",
    argv = { "--app=" .. id }, scopes = { instance = "i", account = { heroku = "env:HEROKU_API_KEY" } } }
  for name, value in pairs(more or {}) do made[name] = value end
  return made
end

local function submit(rows, name)
  return st:submit_batch { name = name or "b", options = { attempts = 3 }, rows = rows }
end

local function states()
  local list = {}
  for i, each in ipairs(st:batch("b").rows) do list[i] = each.id .. " " .. each.state end
  return table.concat(list, ", ")
end

local function kinds()
  local list = {}
  for i, event in ipairs(st:batch_events "b") do
    list[i] = event.row_id and event.row_id .. " " .. event.kind or event.kind
  end
  return table.concat(list, ", ")
end

local function claim(ids, worker)
  local batch, rows = st:schedule "b", {}
  for _, id in ipairs(ids) do
    for _, each in ipairs(batch.rows) do
      if each.id == id then rows[#rows + 1] = each end
    end
  end
  return st:claim_rows(batch, rows, worker or "w1")
end

-- As if the worker had not been heard of for longer than its lease.
local function lapse()
  st.db:batch { { "update batch_row set lease_until = 1 where lease_until is not null" } }
end

local function cases(fresh)
  before(function()
    folder = fs.mkdtemp "pgorch-batches-"
    url = fresh()
    st = store.open(url)
  end)
  after(function()
    st:close()
    fs.remove_tree(folder)
  end)

  it("keeps what a manifest says", function()
    submit { row("a", { labels = { "x", "y" }, priority = -5, group = "g", estimate = 90.5 }),
             row("b", { depends_on = { "a" } }) }
    st:close()
    st = store.open(url)
    local batch = st:batch "b"
    expect(batch.state).is "running"
    expect(batch.options.attempts).is(3)
    local a, b = batch.rows[1], batch.rows[2]
    expect(a.argv).same { "--app=a" }
    expect(a.labels).same { "x", "y" }
    expect(a.priority).is(-5)
    expect(a.grp).is "g"
    expect(a.estimate).is(90.5)
    expect(a.scopes.account.heroku).is "env:HEROKU_API_KEY"
    expect(a.state).is "ready"
    expect(a.stands).is(false)
    expect(b.depends_on).same { "a" }
    expect(st:schedule("b").rows[1].argv).is_nil()
    expect(st:batches()[1].counts).same { ready = 2 }
    expect(function() st:batch "other" end).raises "PGO-BATCH-UNKNOWN"
    expect(st:find_batch "other").is_nil()
  end)

  it("gives a row to one of those who ask at once", function()
    submit { row "a", row "b" }
    local batch = st:schedule "b"
    local taken = task.map({ "w1", "w2", "w3", "w4" }, { limit = 4 }, function(worker)
      local other <close> = store.open(url)
      local got = other:claim_rows(batch, { batch.rows[1] }, worker)
      return got and worker or ""
    end)
    local winner = table.concat(taken)
    expect(winner).matches "^w%d$"
    expect(st:batch("b").rows[1].worker).is(winner)
    expect(st:batch("b").rows[1].fence).is(1)
    expect(kinds()).is "submitted, a claimed"
  end)

  it("takes nothing on what is old", function()
    submit { row "a", row "b" }
    submit({ row "x" }, "another")
    local batch, elsewhere = st:schedule "b", st:schedule "another"
    expect(#claim { "a" }).is(1)
    expect(st:claim_rows(batch, { batch.rows[2] }, "w2")).is_nil()
    expect(st:claim_rows(elsewhere, { elsewhere.rows[1] }, "w2")).is_nil()   -- limits go across batches
    expect(states()).is "a running, b ready"
    expect(#st:busy_elsewhere "another").is(1)
    expect(st:busy_elsewhere("another")[1].scopes.instance).is "i"
    expect(#st:busy_elsewhere "b").is(0)
  end)

  it("has the run's id on record before anything is done, and keeps it", function()
    submit { row "a" }
    local taken = claim({ "a" })[1]
    expect(taken.run).matches "^%w%w%w%w%w%w%w%w%w%w$"
    expect(taken.argv).same { "--app=a" }
    expect(taken.stands).is(true)
    expect(taken.attempt).is(1)
    st:release_row("b", "a", taken.fence, { state = "waiting", wait = 30 })
    local again = st:batch("b").rows[1]
    expect(again.not_before > st:batch("b").now + 25e6).is(true)
    expect(again.worker).is_nil()
    expect(again.run).is(taken.run)
    expect(claim({ "a" }, "w2")[1].run).is(taken.run)
    expect(st:batch("b").rows[1].not_before).is_nil()
  end)

  it("refuses every write of a worker that was fenced off", function()
    submit { row "a" }
    local first = claim({ "a" }, "w1")[1]
    st:update_row("b", "a", first.fence, { progress = { step = "dump", fraction = 0.5 } })
    lapse()
    local second = claim({ "a" }, "w2")[1]
    local before = st:batch("b").rows[1]
    for _, fields in ipairs { { progress = { step = "x" } }, { state = "done" }, { state = "waiting", wait = 1 } } do
      expect(function() st:update_row("b", "a", first.fence, fields) end).raises "PGO-FENCED"
    end
    expect(function() st:release_row("b", "a", first.fence, { state = "ready" }) end).raises "PGO-FENCED"
    expect(st:batch("b").rows[1]).same(before)
    expect(kinds()).is "submitted, a claimed, a claimed"
    st:release_row("b", "a", second.fence, { state = "done", exit_status = 0, stands = false, error = json.null })
    expect(states()).is "a done"
    expect(st:batch("b").rows[1].ended_at).above(0)
    expect(st:batch("b").rows[1].stands).is(false)
  end)

  it("changes the schedule with a state, and not with progress", function()
    submit { row "a" }
    local taken, revision = claim({ "a" })[1], st:schedule_revision()
    st:update_row("b", "a", taken.fence, { progress = { bytes = 5 } })
    expect(st:schedule_revision()).is(revision)
    expect(st:batch_row("b", "a").progress.bytes).is(5)
    st:update_row("b", "a", taken.fence, { state = "waiting" })
    expect(st:schedule_revision()).above(revision)
  end)

  it("says which rows a worker has lost", function()
    submit { row "a", row "b" }
    local mine = claim({ "a", "b" }, "w1")
    expect(next(st:renew_rows("w1", mine))).is_nil()
    lapse()
    claim({ "b" }, "w2")
    local lost = st:renew_rows("w1", mine)
    expect(lost[mine[1]]).is_nil()
    expect(lost[mine[2]]).is(true)
  end)

  it("changes nothing of what stands when a manifest is submitted again", function()
    submit { row "stands", row "done", row "back", row "new", row "gone" }
    for _, taken in ipairs(claim { "stands", "done", "back" }) do
      local fields = { stands = { state = "waiting" }, done = { state = "done", stands = false },
                       back = { state = "failed", stands = false, exit_status = 5 } }
      st:release_row("b", taken.id, taken.fence, fields[taken.id])
    end
    local same = { row "stands", row "done", row "back", row "new", row "more" }
    local _, told = submit(same)
    expect(told.kept).same {}
    expect(told.removed).same { "gone" }
    expect(states()).is "stands waiting, done done, back failed, new ready, more ready"
    for _, each in ipairs(same) do each.argv = { "--app=" .. each.id, "--plan=standard-0" } end
    _, told = submit(same)
    table.sort(told.kept)
    expect(told.kept).same { "done", "stands" }
    expect(states()).is "stands waiting, done done, back ready, new ready, more ready"
    local by_id = {}
    for _, each in ipairs(st:batch("b").rows) do by_id[each.id] = each end
    expect(#by_id.stands.argv).is(1)
    expect(#by_id.back.argv).is(2)
    expect(by_id.back.run).is_nil()              -- its run was another one's
    expect(by_id.stands.run).matches "%w"
    expect(#by_id.new.argv).is(2)
  end)

  it("makes those ready that are tried again, and whoever waited for them", function()
    submit { row "a", row "b", row "c", row("g1", { group = "g" }), row("g2", { group = "g" }),
             row("g3", { group = "g" }) }
    for _, taken in ipairs(claim { "a", "b", "g1", "g3" }) do
      st:release_row("b", taken.id, taken.fence,
        { state = taken.id == "b" and "attention" or "failed", stands = taken.id == "b" })
    end
    local c = st:batch("b").rows[3]
    st:update_row("b", "c", c.fence, { state = "blocked" })
    st:arrive("b", "g", "opens", "g1")
    st:abort_group("b", "g", "opens", "g1 failed")
    expect(function() st:retry_rows("b", { "zz" }) end).raises "PGO-USAGE"
    expect(function() st:retry_rows("b", { "g2" }) end).raises "PGO-USAGE"
    expect(st:retry_rows("b", { "a" })).same { "a", "c" }
    expect(states()).is "a ready, b attention, c ready, g1 failed, g2 ready, g3 failed"
    expect(st:retry_rows("b", { "g1" })).same { "g1", "g3" }
    expect(st:decision("b", "g", "opens")).is_nil()
    expect(next(st:arrived("b", "g", "opens"))).is_nil()
    expect(st:retry_rows("b", { "b" })).same { "b" }
  end)

  it("decides once at each point of a group", function()
    submit { row("x", { group = "g" }), row("y", { group = "g" }), row("z", { group = "g" }) }
    local z = claim({ "z" })[1]
    st:release_row("b", "z", z.fence, { state = "done" })
    expect(st:arrive("b", "g", "opens", "x")).is_nil()
    expect(st:arrive("b", "g", "opens", "x")).is_nil()
    expect(st:decision("b", "g", "opens")).is_nil()
    expect(st:arrive("b", "g", "opens", "y")).is "go"
    expect(st:abort_group("b", "g", "opens", "too late")).is "go"
    local decision, reason = st:abort_group("b", "g", "cut_over", "x failed")
    expect(decision .. ": " .. reason).is "abort: x failed"
    expect(st:arrive("b", "g", "cut_over", "x")).is "abort"
    expect(st:arrive("b", "g", "cut_over", "y")).is "abort"
    expect(#st:group_rows("b", "g")).is(3)
  end)

  it("stops, goes on, and is approved", function()
    submit { row "a" }
    local old = st:schedule "b"
    expect(st:set_batch_state("b", "paused", "lunch")).is(true)
    expect(st:set_batch_state("b", "done", nil, { revision = old.revision })).is(false)
    expect(st:batch("b").reason).is "lunch"
    st:set_batch_state("b", "running", nil, { continued = true })
    expect(st:batch("b").continued_at).above(0)
    expect(st:batch("b").reason).is_nil()
    st:approve_wave "b"
    expect(st:batch("b").waves_approved).is(1)
    expect(function() st:set_batch_state("other", "paused") end).raises "PGO-BATCH-UNKNOWN"
    expect(function() st:approve_wave "other" end).raises "PGO-BATCH-UNKNOWN"
    expect(kinds()).is "submitted, paused, running, approved"
    st:forget_batch "b"
    expect(#st:batches()).is(0)
  end)

  it("gives out requests as they come back, in turn", function()
    for _ = 1, 4 do expect(st:take_permits("k", 10, 40, 10)).is(0) end
    local waits = task.map({ 1, 2, 3 }, { limit = 3 }, function() return st:take_permits("k", 10, 40, 10) end)
    table.sort(waits)
    for i, seconds in ipairs(waits) do
      expect(seconds > i - 1).is(true)
      expect(seconds <= i).is(true)
    end
    expect(st:take_permits("another", 10, 40, 10)).is(0)
    st:slow_down("another", 100)
    st:slow_down("another", 5)
    expect(st:take_permits("another", 10, 40, 1) > 90).is(true)
    st:slow_down("fresh", 50)
    expect(st:take_permits("fresh", 10, 40, 1) > 40).is(true)
  end)
end

describe("a batch in a file", function()
  cases(fresh_file)

  it("tells by a lock whether a row's worker lives", function()
    submit { row "a", row "b" }
    local held = st:work_as "w1"
    claim({ "a" }, "w1")
    claim({ "b" }, "gone")
    local batch = st:schedule "b"
    expect(st:is_row_held(batch.rows[1])).is(true)
    expect(st:is_row_held(batch.rows[2])).is(false)
    held:close()
    expect(st:is_row_held(batch.rows[1])).is(false)
  end)

  it("knows that a worker is gone that was killed", function()
    local code = ([[
      local st = require("pgorch.store").open(%q)
      local held = st:work_as "far"
      print "here"
      require("pgorch.task").sleep(600)
      held:close()]]):format(url)
    submit { row "a" }
    claim({ "a" }, "far")
    local proc <close> = process.spawn { host.executable(), "eval", code, stdout = "stream" }
    expect(proc.stdout:read()).has "here"
    local batch = st:schedule "b"
    expect(st:is_row_held(batch.rows[1])).is(true)
    proc:kill "KILL"
    proc:wait()
    expect(st:is_row_held(batch.rows[1])).is(false)
  end)
end)

describe("a batch in a server", function()
  it("starts one", function()
    server = postgres.start {}
    expect(server.port).above(0)
  end)

  describe("", function()
    cases(fresh_server)

    it("tells by its clock whether a row's worker lives", function()
      submit { row "a" }
      local taken = claim({ "a" }, "w1")
      expect(st:is_row_held(st:schedule("b").rows[1])).is(true)
      lapse()
      expect(st:is_row_held(st:schedule("b").rows[1])).is(false)
      st:renew_rows("w1", taken)
      expect(st:is_row_held(st:schedule("b").rows[1])).is(true)
    end)

    it("passes over a row that somebody else has locked", function()
      submit { row "a", row "b" }
      local conn <close> = server:connect()
      conn:exec "begin; select 1 from pgorch.batch_row where id = 'a' for update"
      expect(claim { "a" }).is_nil()
      expect(#claim { "b" }).is(1)
      conn:exec "rollback"
      expect(#claim { "a" }).is(1)
    end)
  end)

  it("ends the server", function()
    server:close()
    server = nil
  end)
end)
