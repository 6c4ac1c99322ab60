-- A run with --spool: after kill -9 in the upload the file is uploaded without another dump, and no file outlives its
-- use.

local fs        = require "pgorch.fs"
local vultr_run = require "support.vultr_run"

local function arguments(dir)
  return { "run", "vultr", "--instance", "demo", "--app", vultr_run.APP, "--plan", "essential-1", "--yes-cut-over",
           "--json", "--spool", dir }
end

local function with_folder(fn)
  return vultr_run.with_world({}, function(world)
    fs.with_temporary("pgorch-spool-", function(dir) fn(world, dir) end)
  end)
end

-- How often pg_dump has run: it says this once.
local function dumps(world, id)
  local log = fs.read(("%s/runs/%s/pg_dump.log"):format(vultr_run.record(world), id))
  return select(2, log:gsub("last built%-in OID", ""))
end

-- The file is whole, and that is recorded: the step remembers its digest.
local function is_spooled(world, dir)
  return function()
    local name, log = fs.list(dir)[1], vultr_run.record(world) .. "/state.db-wal"
    return name and fs.exists(log) and fs.read(log, 1 << 26):find(fs.sha256(dir .. "/" .. name), 1, true)
  end
end

describe("a run with --spool", function()
  it("that was killed in the upload goes on with the file, which is gone afterwards", with_folder(function(world, dir)
    world:fault { at = "s3.put_object", delay = 20 }
    local id = vultr_run.kill_when(world, is_spooled(world, dir), 0.5, arguments(dir))
    expect(fs.list(dir)).same { id .. "-1.dump" }
    expect(fs.stat(dir .. "/" .. fs.list(dir)[1]).mode).is(0600)
    local done = vultr_run.pgorch(world, { "resume", id, "--yes-cut-over" })
    vultr_run.expect_exit(done, 0)
    vultr_run.expect_moved(world)
    expect(done.all).has "is whole, and nothing was written since"
    expect(dumps(world, id)).is(1)
    expect(#fs.list(dir)).is(0)
  end), { limit = 250 })

  it("that cannot upload is put back, and leaves no file", with_folder(function(world, dir)
    world:fault { at = "s3.put_object", answer = 403, code = "QuotaExceeded", times = "always" }
    local done = vultr_run.run(world, { "--spool", dir })
    vultr_run.expect_exit(done, 1)
    expect(done.all).has "quota"
    vultr_run.expect_app_as_before(world)
    expect(#fs.list(dir)).is(0)
  end), { limit = 250 })
end)
