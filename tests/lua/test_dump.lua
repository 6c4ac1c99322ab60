-- pg_dump as a stream, against a throwaway server: the good end comes after exit 0 alone, and whoever fails is heard.

local compression = require "pgorch.dump.compression"
local dump      = require "pgorch.dump"
local dump_to_store = require "pgorch.steps.dump_to_store"
local fail      = require "pgorch.error"
local fs        = require "pgorch.fs"
local host      = require "pgorch.native.host"
local pg        = require "pgorch.pg"
local pg_client = require "pgorch.pg_client"
local postgres  = require "support.postgres"
local process   = require "pgorch.process"
local detector  = require "pgorch.detector"
local source    = require "pgorch.source"
local spool     = require "pgorch.dump.spool"
local task      = require "pgorch.task"

local function options(server, dir)
  return { source = source.from_url(server.uri), client = pg_client.choose(15, nil), dir = dir,
           log = dir .. "/pg_dump.log" }
end

-- More, compressed, than the compressor may have in its hands: pg_dump has to wait for whoever reads.
local GOODS = [[create table goods as select n, encode(sha512((n || '.1')::bytea) || sha512((n || '.2')::bytea)
  || sha512((n || '.3')::bytea), 'hex') as text from generate_series(1, 90000) n]]

local function fill(server)
  local conn <close> = pg.connect(server.uri)
  conn:exec(GOODS)
  return conn.server_version // 10000
end

local function with_server(fn)
  return function()
    fs.with_temporary("pgorch-dump-", function(dir)
      local server <close> = postgres.start()
      local major = fill(server)
      local o = options(server, dir)
      o.client = pg_client.choose(major, nil)
      fn(o, dir, server)
    end)
  end
end

local SESSIONS = "select count(*) from pg_stat_activity where application_name = 'pgorch' and pid <> pg_backend_pid()"

describe("dump.run", function()
  it("hands over an archive that pg_restore reads", with_server(function(o, dir)
    local path = dir .. "/a.dump"
    local seen
    local written = dump.run(o, function(archive, state)
      local sunk = fs.sink(path, archive, { digests = { "sha256" } })
      seen = state.table
      return sunk
    end)
    expect(written.bytes).is(fs.stat(path).size)
    expect(seen).is "public.goods"
    expect(process.run({ "pg_restore", "-l", path }).stdout).has "TABLE DATA public goods"
    expect(fs.read(o.log)).has "dumping contents of table"
  end))

  it("ends the archive with pg_dump's own words when it fails", with_server(function(o)
    o.source.dbname = "nowhere"
    local given
    local err = expect(function()
      dump.run(o, function(archive)
        local ok, why = pcall(archive.read_all, archive)
        given = not ok and why
        error(why, 0)
      end)
    end).raises "PGO-DUMP"
    expect(err.detail).has 'database "nowhere" does not exist'
    expect(given.id).is "PGO-DUMP"
  end))

  it("never ends the archive well when pg_dump is killed", with_server(function(o)
    for _, how in ipairs { "auto", "stock" } do
      local ended_well = false
      o.compress = how
      local err = expect(function()
        dump.run(o, function(archive, state)
          archive:read(1000)
          process.run { "kill", "-KILL", state.pid }
          archive:drain()
          ended_well = true
        end)
      end).raises "PGO-DUMP"               -- and not that the archive is cut short, which is only what followed
      expect(err.message).has "signal KILL"
      expect(ended_well).is(false)
    end
  end))

  it("calls an archive that pg_dump did not write by its name", with_server(function(o, dir)
    local path = dir .. "/pg_dump"
    fs.write(path, "#!/bin/sh\nprintf 'not an archive, but long enough to be taken for one'\n", { mode = 0700 })
    o.client = { major = 15, version = "15.0", pg_dump = path }
    local err = expect(function() dump.run(o, function(archive) return archive:drain() end) end).raises "PGO-ARCHIVE"
    expect(err.retryable).is(false)
    fs.write(path, "#!/bin/sh\nwhile echo 'this is no archive, and does not end'; do :; done\n", { mode = 0700 })
    expect(function() dump.run(o, function(archive) return archive:drain() end) end).raises "PGO-ARCHIVE"
  end))

  it("lets a pg_dump whose archives are not known compress its own, and says so", function()
    local how, note = compression.of("auto", { major = 15, version = "15.18" })
    expect(how).is "auto"
    expect(note).is_nil()
    how, note = compression.of("fast", { major = 99, version = "99.1" })
    expect(how).is "stock"
    expect(note).has "the archives of pg_dump 99.1 are not known here"
    expect(select(2, compression.of("stock", { major = 99, version = "99.1" }))).is_nil()
    expect(compression.press "stock").is_nil()
    expect(function() compression.press "much" end).raises "PGO-INVALID"
  end)

  it("raises the consumer's own error when that gives up, and ends pg_dump", with_server(function(o, _, server)
    local err = expect(function()
      dump.run(o, function(archive)
        archive:read(1000)
        archive:close()
        task.sleep(0.2)         -- as an upload that aborts what it has sent
        fail.raise("PGO-S3-CREDENTIALS", "refused")
      end)
    end).raises "PGO-S3-CREDENTIALS"
    expect(err.message).is "refused"
    local conn <close> = pg.connect(server.uri)
    local count
    for _ = 1, 50 do
      count = conn:value(SESSIONS)
      if count == 0 then break end
      task.sleep(0.1)
    end
    expect(count).is(0)
  end))

  it("knows how much of the source was read, within a table too", with_server(function(o)
    local within, at, shown
    local told = {}
    o.progress = function(state, bytes) told = { state.table, bytes } end
    dump.run(o, function(archive, state)
      archive:read(1000)
      for _ = 1, 60 do                -- nobody reads on: pg_dump stands in the middle of the table
        within = state.progress:bytes()
        if within > 0 then break end
        task.sleep(0.1)
      end
      at, shown = state.progress.table, dump.progress(state, 123, "30 MB")
      expect(within < state.progress.total).is_true()
      return archive:drain()
    end)
    expect(within).above(100000)
    expect(told[1]).is "public.goods"
    expect(told[2]).above(999)
    expect(at).is "public.goods"
    expect(shown.total).above(20e6)
    expect(shown.bytes).is(within)
    expect(shown.text).matches "^of %d+ MB read, 123 B in the dump  public.goods$"
  end))

  it("gives up a table that is locked, names who holds it, and does not take waiting for standing still",
    with_server(function(o, _, server)
      local holder <close> = pg.connect(server.uri, { application_name = "migration of Tuesday" })
      holder:exec "begin; lock table goods in access exclusive mode"
      o.lock_wait, o.still = 4, 1
      local waited
      local err = expect(function()
        dump.run(o, function(archive, state)
          local ok, why = pcall(archive.drain, archive)
          waited = dump.progress(state, 0, "30 MB").text
          if not ok then error(why, 0) end
        end)
      end).raises "PGO-DUMP-LOCK"
      expect(err.message).has(("a lock that session %d holds (user postgres, application migration of Tuesday"):format(
        holder.pid))
      expect(err.detail).has 'LOCK TABLE "public"."goods"'
      expect(waited).has "waits for a lock that session"
    end))

  it("gives up when nothing moves any more, and may be tried again", with_server(function(o)
    o.still = 3
    local err = expect(function()
      dump.run(o, function(archive)
        archive:read(1000)
        task.sleep(60)
      end)
    end).raises "PGO-DUMP"
    expect(err.message).has "pg_dump has not moved for"
    expect(err.retryable).is(true)
    expect(err.detail).has "ClientWrite"
  end))
end)

describe("a spooled dump", function()
  local function marked(o, path)
    local conn <close> = o.source:connect()
    local mark = detector.mark(conn)
    local kept = spool.write(o, path)
    kept.mark = mark
    return kept
  end

  it("stands while the file is what was written, and nothing was written to the source", with_server(
    function(o, dir, server)
      local path = spool.path(dir .. "/", "abc", 2, 3)
      expect(path).is(dir .. "/abc-2-3.dump")
      local kept = marked(o, path)
      expect(process.run({ "sha256sum", path }).stdout:match "^%x+").is(kept.sha256)
      expect(fs.stat(path).mode).is(0600)
      local function judged(file)
        local stands, why = spool.stands(file, o.source)
        expect(stands).is(why == nil and file ~= nil)
        return why
      end
      expect(judged(nil)).is_nil()
      expect(judged(spool.at(path))).is(path .. " is not all of a dump")
      expect(judged(kept)).is_nil()

      fs.write_at(path, kept.bytes - 1, "x")
      expect(judged(kept)).is(path .. " is not what was written")
      fs.remove(path)
      expect(judged(kept)).is(("there is no %s on %s"):format(path, host.hostname()))

      kept = marked(o, path)
      expect(judged(kept)).is_nil()
      local conn <close> = pg.connect(server.uri)
      conn:exec "insert into goods values (0, 'late')"
      expect(judged(kept)).is 'the source was written to since: "public"."goods"'
    end))

  it("that is to be removed and is not there is told of, unless it never came about", function()
    fs.with_temporary("pgorch-spool-", function(dir)
      local said
      local ctx = { warn = function(_, text) said = text end, put_back = function() end,
                    store = { head = function() return "free" end } }
      local function put_back(kept)
        said = nil
        dump_to_store.undo(ctx, { spool = kept })
        return said
      end
      local kept = spool.at(dir .. "/r1-1.dump")
      expect(put_back(kept)).is_nil()
      kept.sha256 = "00"
      expect(put_back(kept)).has "it holds the database, remove it where it is"
      expect(put_back { path = kept.path, machine = "Münster-2" }).has(kept.path .. " was written on Münster-2")
      fs.write(kept.path, "x")
      expect(put_back { path = kept.path, machine = "Münster-2" }).is_nil()      -- a disk that both have
      expect(fs.exists(kept.path)).is(false)
    end)
  end)

  it("is in the plan, beside the object", function()
    local ctx = { run = { id = "r1" }, params = { spool = "/data" }, store = { name = "b" },
                  result = { size = { bytes = 8e6 } } }
    local with = dump_to_store.plan(ctx)
    expect(with[1][1]).is "+ file /data/r1-1.dump, until it is uploaded"
    expect(with[2][1]).is "+ object pgorch/r1/1.dump in b"
    ctx.params = {}
    expect(dump_to_store.plan(ctx)[1]).is "+ object pgorch/r1/1.dump in b"
  end)

  it("leaves no file when the disk is full or pg_dump fails, and says what to do", with_server(function(o, dir)
    local path = dir .. "/full.dump"
    process.run { "ln", "-s", "/dev/full", path }
    local err = expect(function() spool.write(o, path) end).raises "PGO-IO"
    expect(err.message).has "no space left on device"
    expect(err.cure).has "begin another run without --spool"
    expect(err.put_back).is(true)
    o.source.dbname = "nowhere"
    expect(function() spool.write(o, dir .. "/none.dump") end).raises "PGO-DUMP"
    expect(table.concat(fs.list(dir), " ")).lacks ".dump"
  end))
end)

describe("the progress of a dump", function()
  it("counts the tables that pg_dump has been through, by their own sizes, and never more", function()
    local progress = require("pgorch.dump.progress").new { { name = "", bytes = 50 },
      { name = "shop.a b", bytes = 100 }, { name = 'Größe."%s"', bytes = 850 } }
    local function at() return { progress:bytes(), progress.table } end
    expect(progress.total).is(1000)
    progress:message "pg_dump: reading schemas"
    expect(at()).same { 0 }
    progress:message 'pg_dump: dumping contents of table "shop.a b"'
    progress:copied(70)
    expect(at()).same { 70, "shop.a b" }
    progress:copied(7000)
    expect(at()).same { 100, "shop.a b" }
    progress:message "pg_dump: saving large objects"
    expect(at()).same { 100, "large objects" }
    progress:message 'pg_dump: dumping contents of table "Größe."%s""'
    expect(at()).same { 150, 'Größe."%s"' }
    progress:message 'pg_dump: dumping contents of table "made.meanwhile"'
    progress:copied(1e6)
    expect(at()).same { 1000, "made.meanwhile" }
  end)
end)
