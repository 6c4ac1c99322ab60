-- The lease of a run whose record is in a server: the process stops before another may take the run, whatever the
-- record says or does not say meanwhile.

local attended = require "pgorch.runner.attended"
local clock    = require "pgorch.clock"
local fail     = require "pgorch.error"
local fs       = require "pgorch.fs"
local session  = require "pgorch.runner.session"
local store    = require "pgorch.store"
local task     = require "pgorch.task"

local AS_IN_A_SERVER = { leases = true, lease = "1", now = "-1" }

-- fn(current, st): a session of a run with a lease; `more` is what its store does otherwise.
local function with_lease(more, fn)
  fs.with_temporary("pgorch-lease-", function(folder)
    local st <close> = store.open("sqlite:" .. folder .. "/state.db")
    local run = st:create_run { recipe = "r", recipe_path = "r", recipe_hash = "h", params = {}, versions = {} }
    local view = { home = setmetatable(AS_IN_A_SERVER, { __index = st.home }) }
    for name, value in pairs(more) do view[name] = value end
    local leased = setmetatable(view, { __index = st }):as_writer(run.id, run.fence)
    local current <close> = session.new { store = leased, run = run, recipe = { steps = {} }, params = {},
      display = { emit = function() end, tick = function() end } }
    fn(current, run)
  end)
end

-- The machine sleeps for so long, as clocks see it that count this.
local function sleep_of_machine(seconds)
  local uptime = clock.uptime
  clock.uptime = function() return uptime() + seconds end
  return setmetatable({}, { __close = function() clock.uptime = uptime end })
end

local function expect_stopped(seconds)
  with_lease({ renew = function() task.sleep(600) end }, function(current)
    local _ <close> = sleep_of_machine(seconds)
    local did_all = false
    local ok, err = attended.run(current, function()
      task.sleep(1.5)
      did_all = true
    end)
    local lost = seconds > 50
    expect(ok).is(not lost)
    expect(did_all).is(not lost)
    if not lost then return end
    expect(err.id).is "PGO-STORE"
    expect(err.message).has(current.run.id)
    expect(current.lost).is(err)
  end)
end

describe("a process whose lease runs out", function()
  it("stops, though no sign of life was answered or refused", function() expect_stopped(51) end)
  it("works as long as it is good", function() expect_stopped(45) end)

  it("counts from before it asked, by each write", function()
    local before
    local slow = { batch = function()
      before = clock.uptime()
      task.sleep(0.2)
      return {}, 0
    end }
    with_lease({ db = setmetatable(slow, { __index = function() return function() return {} end end }) },
      function(current, run)
        local fence = current.store.fence
        fence.good = 0
        current.store:event(run.id, "note")
        expect(fence.good).above(before - 0.1)
        expect(fence.good <= before).is(true)
        fence.good = 0
        slow.batch = function() fail.raise "PGO-STORE" end
        expect(function() current.store:event(run.id, "note") end).raises "PGO-STORE"
        expect(fence.good).is(0)
      end)
  end)
end)

describe("a run that is claimed", function()
  it("is read again: its process may have come further before it died", function()
    fs.with_temporary("pgorch-lease-", function(folder)
      local st <close> = store.open("sqlite:" .. folder .. "/state.db")
      local id = st:create_run({ recipe = "r", recipe_path = "r", recipe_hash = "h", params = {}, versions = {} }).id
      local theirs = st:as_writer(id, select(2, st:claim(st:run(id), "gone/away:1:1", function() end)))
      local run = st:run(id)
      local current <close> = session.new { store = st, run = run, recipe = { steps = {} }, params = {} }
      theirs:begin_step(id, "cut", { title = "Cut", attempt = 1 })
      theirs:finish_step(id, "cut", { result = { n = 1 } })
      theirs:update_run(id, { state = "undoing" })
      current:claim()
      expect(run.state).is "undoing"
      expect(run.dir).is(st:run_dir(id))
      expect(current.rows.cut.state).is "done"
      expect(current.results.cut).same { n = 1 }
    end)
  end)
end)
