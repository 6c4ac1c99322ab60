-- A run with --spool: after kill -9 in the upload the file is uploaded without another dump, no file outlives its use,
-- and a disk that it fills does not keep the app down.

local fs        = require "pgorch.fs"
local moves     = require "support.moves"
local small_disk = require "support.small_disk"
local task      = require "pgorch.task"
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

-- The file is whole, and that is recorded: the step remembers its digest. The preflight tries the folder with another.
local function is_spooled(world, dir)
  return function()
    local name, log = fs.list(dir)[1], vultr_run.record(world) .. "/state.db-wal"
    return name and name:find "%.dump$" and fs.exists(log)
      and fs.read(log, 1 << 26):find(fs.sha256(dir .. "/" .. name), 1, true)
  end
end

describe("a run with --spool", function()
  it("that was killed in the upload goes on with the file, from any folder", with_folder(function(world, dir)
    world:fault { at = "s3.put_object", delay = 20 }
    local id = vultr_run.kill_when(world, is_spooled(world, dir), 0.5, arguments ".", dir)
    expect(fs.list(dir)).same { id .. "-1.dump" }
    local path = ("%s/%s-1.dump"):format(dir, id)
    local sha256 = fs.sha256(path)
    expect(fs.stat(path).mode).is(0600)
    local done = vultr_run.pgorch(world, { "resume", id, "--yes-cut-over" })
    vultr_run.expect_exit(done, 0)
    vultr_run.expect_moved(world)
    expect(done.all).has "is whole, and nothing was written since"
    expect(dumps(world, id)).is(1)
    expect(vultr_run.pgorch(world, { "report", id, "--json" }).all).has(sha256)
    expect(#fs.list(dir)).is(0)
  end), { limit = 250 })

  it("says why a file is not used again, and what it may have left on another disk", with_folder(function(world, dir)
    world:fault { at = "s3.put_object", delay = 20 }
    local id = vultr_run.kill_when(world, is_spooled(world, dir), 0.5, arguments(dir))
    local path = ("%s/%s-1.dump"):format(dir, id)
    fs.rename(path, dir .. "/elsewhere")
    local done = vultr_run.pgorch(world, { "resume", id, "--yes-cut-over" })
    vultr_run.expect_exit(done, 3)
    vultr_run.expect_moved(world)
    expect(done.all).has("dumped again: there is no " .. path)
    expect(done.all).has(path .. " was written on ")
    expect(dumps(world, id)).is(2)
    expect(fs.list(dir)).same { "elsewhere" }
  end), { limit = 250 })

  it("that fills its disk is put back, and goes on when there is room", function()
    moves.world({}, function(world, lanes)
      local move, dir = moves.new(lanes[1]), world.dir .. "/spool"
      local _ <close> = small_disk.at(dir, 32 << 20)
      local ended = move:run({ "--spool", dir, "--yes-cut-over" }, { plain = true, watch = function()
        while not move:app().maintenance do task.sleep(0.01) end            -- past the preflight, before the dump
        small_disk.fill(dir .. "/filler", 128 << 10)
      end })
      moves.expect_exit(ended, 1)
      expect(ended.all).has("write " .. dir)
      expect(ended.all).has "no space left on device"
      expect(ended.all).has(("Make room in the folder of --spool and `pgorch resume %s`"):format(move.id))
      expect(fs.list(dir)).same { "filler" }
      move:expect_as_before()
      fs.remove(dir .. "/filler")
      moves.expect_exit(move:resume(), 0)
      move:expect_moved()
      expect(move:expect_once()).is(1)
      expect(#fs.list(dir)).is(0)
    end)
  end, { limit = 250 })

  it("that finds the disk of its record full as well says so, and goes on when there is room", function()
    moves.world({}, function(world, lanes)
      local disk = world.dir .. "/disk"
      local _ <close> = small_disk.at(disk, 128 << 20)
      local move = moves.new(lanes[1], { dir = disk .. "/record" })
      fs.mkdir(disk .. "/spool")
      local ended = move:run({ "--spool", disk .. "/spool", "--yes-cut-over" }, { plain = true, watch = function()
        while not move:app().maintenance do task.sleep(0.01) end            -- past the preflight, which asks for room
        small_disk.fill(disk .. "/filler")
      end })
      moves.expect_exit(ended, 6)
      expect(ended.all).has("the record of runs " .. disk)
      expect(ended.all).has "the disk is full"
      expect(ended.all).has(("`pgorch resume %s`"):format(move.id))
      fs.remove(disk .. "/filler")
      moves.expect_exit(move:resume(), 0)
      move:expect_moved()
      expect(move:expect_once()).is(1)
      expect(#fs.list(disk .. "/spool")).is(0)
    end)
  end, { limit = 250 })

  it("that cannot upload is put back, and leaves no file", with_folder(function(world, dir)
    world:fault { at = "s3.put_object", answer = 403, code = "QuotaExceeded", times = "always" }
    local done = vultr_run.run(world, { "--spool", dir })
    vultr_run.expect_exit(done, 1)
    expect(done.all).has "quota"
    vultr_run.expect_app_as_before(world)
    expect(#fs.list(dir)).is(0)
  end), { limit = 250 })
end)
