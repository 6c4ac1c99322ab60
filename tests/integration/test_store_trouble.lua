-- A record of runs that cannot be kept. What must hold: pgorch says so clearly and ends with a status of its own before
-- anything is asked for that changes something; and a disk that fills up in mid-run loses nothing that resume needs.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local moves   = require "support.moves"
local process = require "pgorch.process"
local program = require "support.program"
local resource = require "pgorch.resource"
local small_disk = require "support.small_disk"
local store   = require "pgorch.store"
local task    = require "pgorch.task"

local CHANGES = { "POST", "PUT", "PATCH", "DELETE" }

local function expect_untouched(move)
  for _, method in ipairs(CHANGES) do expect(#move:requests(method, "")).is(0) end
  move:expect_as_before()
  expect(#move:addons()).is(0)
end

local function refuses(move, o)
  local ended = move:run(nil, { plain = true, user = o.user, program = o.program })
  moves.expect_exit(ended, o.status or 6)
  for _, text in ipairs(o.says) do expect(ended.err).has(text) end
  expect(ended.err).lacks "stack traceback"
  expect(ended.out).is ""
  expect_untouched(move)
end

describe("the record of runs", function()
  it("in a folder that cannot be written to", function()
    moves.world({}, function(world, lanes)
      local dir = world.dir .. "/read-only"
      fs.mkdir(dir, { mode = 555 })
      local is_root = host.user().uid == 0                             -- for root nothing is read-only
      refuses(moves.new(lanes[1], { dir = dir }), { says = { "PGO-STORE", dir }, user = is_root and "nobody" or nil,
        program = is_root and program.for_all(world.dir .. "/program") or nil })
    end)
  end)

  it("in a place where there is a file", function()
    moves.world({}, function(world, lanes)
      local path = world.dir .. "/a-file"
      fs.write(path, "")
      refuses(moves.new(lanes[1], { dir = path }), { says = { "PGO-STORE", path } })
    end)
  end)

  it("that is damaged", function()
    moves.world({}, function(_, lanes)
      local move = moves.new(lanes[1])
      fs.mkdir(move.dir .. "/pgorch", { parents = true })
      fs.write(move.dir .. "/pgorch/state.db", ("not a database "):rep(1000))
      refuses(move, { says = { "PGO-STORE", move.dir .. "/pgorch/state.db" } })
      expect(fs.read(move.dir .. "/pgorch/state.db"):sub(1, 14)).is "not a database"
    end)
  end)

  it("whose beginning alone is whole", function()
    moves.world({}, function(_, lanes)
      local move = moves.new(lanes[1])
      local path = move.dir .. "/pgorch/state.db"
      fs.mkdir(move.dir .. "/pgorch", { parents = true })
      store.open("sqlite:" .. path):close()
      fs.write(path, fs.read(path):sub(1, 4096) .. ("\xa5"):rep(60000))
      refuses(move, { says = { "PGO-STORE", path } })
    end)
  end)

  it("that has no place: neither a home nor a name for one", function()
    moves.world({}, function(_, lanes)
      local move = moves.new(lanes[1], { env = { HOME = false } })
      move.dir = nil                                                   -- XDG_STATE_HOME
      refuses(move, { says = { "PGO-STORE", "XDG_STATE_HOME", "HOME" }, status = 2 })
    end)
  end)

  it("that is named badly, by the flags too", function()
    moves.world({}, function(world, lanes)
      refuses(moves.new(lanes[1], { env = { PGORCH_STATE = "redis://u:hunter2hunter2@h/0" } }),
        { says = { "PGO-STORE", "postgres://USER:PASSWORD@HOST/DATABASE" }, status = 2 })
      local move = moves.new(lanes[1])
      fs.write(world.dir .. "/where", "sqlite:" .. world.dir .. "/elsewhere/state.db\n")
      for _, flags in ipairs { { "--state-env", "NOWHERE" }, { "--state-file", world.dir .. "/absent" } } do
        local ended = move:run(flags, { plain = true })
        moves.expect_exit(ended, 2)
        expect(ended.err).has(flags[2])
        expect_untouched(move)
      end
      moves.expect_exit(move:run { "--state-file", world.dir .. "/where", "--only", "credentials" }, 0, 3)
      expect(fs.exists(world.dir .. "/elsewhere/state.db")).is(true)
      expect(fs.exists(move.dir .. "/pgorch/state.db")).is(false)
    end)
  end)

  -- Its run is one of today, in tables as version 1 made them, and holds nothing yet.
  it("of version 1 is brought up to date, and its run goes on", function()
    moves.world({}, function(world, lanes)
      local move = moves.new(lanes[1])
      moves.expect_exit(move:run { "--until", "credentials" }, 0, 3)
      local path, old = move.dir .. "/pgorch/state.db", world.dir .. "/version-1.db"
      process.run { "sqlite3", old, stdin = resource.read "pgorch/sql/store/1.sql" }
      local copy = ([[attach '%s' as now; insert into meta values ('version', 1);
        insert into run select id, recipe, recipe_path, recipe_hash, params, versions, state, attempt, owner,
          exit_status, error, gate, approved, cut_over_at, created_at, updated_at from now.run;
        insert into step select * from now.step; insert into event select * from now.event;
        insert into lock select name, run, exclusive, at from now.lock]]):format(path)
      process.run { "sqlite3", "-bail", old, copy }
      for _, end_of_name in ipairs { "", "-wal", "-shm" } do fs.remove(path .. end_of_name) end
      fs.rename(old, path)
      moves.expect_exit(move:resume(), 0)
      move:expect_moved()
      expect(move:expect_once()).is(1)
    end)
  end)

  -- Version 1 had no rows for the app and the source that its runs had closed.
  it("that has no names for what a run has closed: rollback opens it, and resume closes the window", function()
    moves.world({}, function(_, lanes)
      local move = moves.new(lanes[1])
      local function forget()
        process.run { "sqlite3", "-bail", move.dir .. "/pgorch/state.db",
          "delete from lock where name like 'freeze:%'; select changes()", check = true }
      end
      moves.expect_exit(move:run { "--until", "window_opens" }, 0, 3, 8)
      forget()
      moves.expect_exit(move:rollback(), 0)
      move:expect_as_before()
      moves.expect_exit(move:resume { "--until", "window_opens" }, 0, 3, 8)
      forget()
      moves.expect_exit(move:resume(), 0)
      move:expect_moved()
    end)
  end)

  it("of a newer pgorch", function()
    moves.world({}, function(_, lanes)
      local move = moves.new(lanes[1])
      fs.mkdir(move.dir .. "/pgorch", { parents = true })
      local newer <close> = store.open("sqlite:" .. move.dir .. "/pgorch/state.db")
      newer.db:batch { { "update meta set value = 999 where name = 'version'" } }
      refuses(move, { says = { "PGO-STORE-VERSION", "999" } })
    end)
  end)

  it("that another process keeps locked", function()
    moves.world({}, function(_, lanes)
      local move = moves.new(lanes[1])
      fs.mkdir(move.dir .. "/pgorch", { parents = true })
      store.open("sqlite:" .. move.dir .. "/pgorch/state.db"):close()
      local holder <close> = process.spawn { "sqlite3", move.dir .. "/pgorch/state.db", stdin = "stream",
        stdout = "null", check = false }
      holder.stdin:write "begin exclusive;\n"
      task.sleep(0.3)
      refuses(move, { says = { "PGO-STORE" } })
    end)
  end, { limit = 200 })

  it("on a full disk", function()
    moves.world({}, function(world, lanes)
      local dir = world.dir .. "/full"
      local _ <close> = small_disk.at(dir, 1 << 20)
      small_disk.fill(dir .. "/filler")
      refuses(moves.new(lanes[1], { dir = dir }), { says = { "PGO-STORE" } })
    end)
  end)

  it("on a disk that fills up in mid-run keeps the state, and resume finishes", function()
    moves.world({}, function(world, lanes)
      local dir = world.dir .. "/filling"
      local _ <close> = small_disk.at(dir, 96 << 20)         -- the preflight wants 64 MB
      local move = moves.new(lanes[1], { dir = dir })
      local filled
      local ended = move:run(nil, { on_line = function(line)
        if filled or moves.begun(line) ~= "window_opens" then return end
        filled = true
        small_disk.fill(dir .. "/filler")
      end })
      moves.expect_exit(ended, 6)
      fs.remove(dir .. "/filler")
      moves.expect_exit(move:resume(), 0)
      move:expect_moved()
      expect(move:expect_once()).is(1)
    end)
  end)
end)
