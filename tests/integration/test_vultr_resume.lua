-- A run that is killed (-9) goes on where it was: never a second add-on, never a second restore, the same end.

local fs        = require "pgorch.fs"
local vultr_run = require "support.vultr_run"

local function resumed(world, id)
  return vultr_run.pgorch(world, { "resume", id, "--yes-cut-over" })
end

local function expect_good_end(world, done)
  vultr_run.expect_exit(done, 0)
  vultr_run.expect_moved(world)
  expect(#world.heroku.state.addons).is(1)
  expect(#vultr_run.objects(world)).is(0)
end

-- When the kill comes: what the run has printed, and what the stand-ins have been asked, so far.
local function at_request(text)
  return function(_, requests) return requests:find(text, 1, true) end
end

local function in_step(id)
  local begun = ('"event":"step_started","id":"%s"'):format(id)
  return function(events) return events:find(begun, 1, true) end
end

-- A fault that was asked for has begun: its file goes when it is met.
local function met(place)
  return function(_, _, world) return not fs.exists(world.dir .. "/faults/" .. place) end
end

-- What the killed run has sent becomes an object when the next one is already dumping again. The restore is slower than
-- that: an object that comes after the dump was deleted is nobody's to find but `pgorch cleanup`'s.
local LATE_OBJECT, SLOW_RESTORE = { at = "s3.put_object", delay = 5 }, { at = "worker.restore", delay = 4 }

local CASES = {
  { "while it waits for the add-on", at_request "/addons/pgorch-" },
  { "while the database is prepared", at_request "wait_status" },
  { "while the window opens", in_step "window_opens" },
  { "in the middle of the upload", met "s3.put_object", { LATE_OBJECT, SLOW_RESTORE }, 2 },
  { "as soon as the restore was asked for", at_request "/restores" },
  { "in the middle of the restore", met "worker.restore", { SLOW_RESTORE } },
  { "while the app is cut over", in_step "cut_over" },
  { "while the window closes", in_step "window_closes" },
}

describe("after kill -9", function()
  for _, case in ipairs(CASES) do
    it(case[1], vultr_run.with_world({}, function(world)
      for _, fault in ipairs(case[3] or {}) do world:fault(fault) end
      local id = vultr_run.kill_when(world, case[2], case[4])
      expect_good_end(world, resumed(world, id))
      expect(vultr_run.restores(world)).is(1)
    end), { limit = 250 })
  end

  it("rolls back as well as it goes on", vultr_run.with_world({}, function(world)
    world:fault(SLOW_RESTORE)
    local id = vultr_run.kill_when(world, met "worker.restore")
    vultr_run.expect_exit(vultr_run.pgorch(world, { "rollback", id }), 0)
    vultr_run.expect_app_as_before(world)
    expect(#vultr_run.objects(world)).is(0)
  end), { limit = 250 })

  it("dumps again when somebody wrote while it was down", vultr_run.with_world({}, function(world)
    local id = vultr_run.kill_when(world, in_step "reapply_settings")
    vultr_run.value(world.source.url .. "&options=-cdefault_transaction_read_only%3Doff",
      "insert into public.schema_migrations values ('late') returning version")
    vultr_run.expect_exit(resumed(world, id), 0)
    vultr_run.expect_moved(world)
    expect(vultr_run.value(vultr_run.database_url(world),
      "select count(*) from public.schema_migrations where version = 'late'")).is(1)
  end), { limit = 250 })
end)
