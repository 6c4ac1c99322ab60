-- `pgorch dump --readers N`: to pg_restore the archive is what pg_dump's own is, down to every row, whatever is in the
-- database; and one that did not end well leaves nothing behind.

local archive   = require "pgorch.archive"
local awkward   = require "support.awkward"
local clusters  = require "support.clusters"
local dump      = require "pgorch.dump"
local file      = require "pgorch.dump.file"
local fs        = require "pgorch.fs"
local host      = require "pgorch.native.host"
local majors    = require "support.majors"
local pg_client = require "pgorch.pg_client"
local process   = require "pgorch.process"
local source    = require "pgorch.source"
local stream    = require "pgorch.stream"
local task      = require "pgorch.task"

-- What else tells these rows from pg_dump's: text that follows settings, rows longer than a stream, tables in ranges,
-- partitions that are filled by the whole, more large objects than one lot has.
local MORE = [==[
  reset search_path;
  create type mood as enum ('sad', 'ok');
  create table moods (m mood, n integer) partition by hash (m);
  create table moods_0 partition of moods for values with (modulus 2, remainder 0);
  create table moods_1 partition of moods for values with (modulus 2, remainder 1);
  insert into moods select case when n % 2 = 0 then 'sad' else 'ok' end::mood, n from generate_series(1, 100) n;
  create table said (at timestamptz, d date, i interval, f float8, g real, b bytea, m money, x xml, a text[], j json);
  insert into said values ('2024-02-03 04:05:06.789+09', '2024-02-03', '1 year -2 days 03:04', 0.1::float8 + 0.2,
    1.1, '\x00ff5c0a', 1234.5, '<a>b</a>', array['a,b', '"', null, '\'], '{"b": 1,  "a": [2]}');
  create table "long" as select n, repeat(chr(64 + n), 3000000) as text, e'\n' as feed from generate_series(1, 7) n;
  create table ranges as select n, repeat(md5(n::text), 8) as text from generate_series(1, 120000) n;
  delete from ranges where n % 3 = 0;
  select lo_from_bytea(5000000 + n, convert_to('lo ' || n, 'UTF8')) from generate_series(1, 120) n;
  select lo_put(lo_create(4294967290), 1500000, 'behind a hole');
  alter database a set timezone = 'Asia/Tokyo';
  alter database a set datestyle = 'German';
  alter database a set intervalstyle = 'sql_standard';
  alter database a set extra_float_digits = 0;
  alter database a set bytea_output = 'escape';
  alter database a set search_path = 'pg_temp';
]==]

local function words(command, url, arguments, more)
  local argv = { host.executable(), command, table.unpack(arguments) }
  argv.env = { SOURCE_DATABASE_URL = url, PATH = "/usr/bin:/bin", HOME = "/tmp" }
  argv.env_clear, argv.check, argv.timeout = true, false, 100
  for name, value in pairs(more or {}) do argv.env[name] = value end
  return argv
end

local function run(command, url, arguments, more)
  local done = process.run(words(command, url, arguments, more))
  return done.code, done.stdout .. done.stderr
end

local function dumps(url, path, ...)
  local status, said = run("dump", url, { "-o", path, ... })
  if status ~= 0 then error(said, 0) end
  return path
end

-- The SQL of an archive, but for pg_restore's random words; the rows of a table are in the order of their text.
local SQL = [=[pg_restore -f - "$1" | grep -vaE '^\\(un)?restrict ' | LC_ALL=C awk '{
    if (rows && $0 == "\\.") rows = 0
    printf "%09d %s\n", rows ? block : ++block, $0
    if (!rows && /^COPY .* FROM stdin;$/) { rows = 1; block++ }
  }' | LC_ALL=C sort >"$1.sql"]=]

local function expect_same(one, other)
  for _, path in ipairs { one, other } do process.run { "sh", "-c", SQL, "sh", path } end
  local said = process.run { "sh", "-c", [[cmp "$1.sql" "$2.sql" || diff -a "$1.sql" "$2.sql" | cut -c 1-300 | head]],
    "sh", one, other, check = false }
  expect(said.stdout).is ""
end

local function with_source(o, fn)
  return function()
    local missing = majors.missing(o.major or 15)
    if missing then skip(missing) end
    clusters.with({ o.major or 15 }, function(cluster)
      cluster:create("a", o.options)
      cluster:exec("a", o.sql)
      fs.with_temporary("pgorch-readers-", function(dir) fn(cluster, cluster:url "a", dir) end)
    end)
  end
end

local function expect_as_by_pg_dump(_, url, dir)
  local theirs, ours = dumps(url, dir .. "/theirs", "--compress", "stock"), dir .. "/ours"
  for _, count in ipairs { 1, 3 } do
    expect_same(dumps(url, ours, "--readers", count, "--force"), theirs)
  end
end

local LATIN = [[create table "größe" (t text, "µ" text); insert into "größe" values ('äöü', '\'), (chr(255), null)]]

describe("an archive whose rows several connections have read", function()
  it("is to pg_restore what pg_dump's own is", with_source({ sql = awkward.SOURCE .. MORE }, expect_as_by_pg_dump),
    { limit = 120 })

  it("is so of the oldest server, and in another encoding", with_source({ major = 13, sql = LATIN,
    options = "encoding 'LATIN1' locale 'C' template template0" }, expect_as_by_pg_dump))

  it("is so of an empty database", with_source({ sql = "" }, expect_as_by_pg_dump))

  it("is restored by pg_restore -j, and equal to its source", with_source({ sql = awkward.SOURCE .. MORE },
    function(cluster, url, dir)
      cluster:exec("a", "truncate public.moods")      -- in another database its rows may belong to other partitions
      local path = dumps(url, dir .. "/ours", "--readers", 3, "--compress", "fast")
      cluster:create "b"
      cluster:exec("b", awkward.EXTENSION)
      local env = { PGHOST = cluster.cluster.socket, PGPORT = tostring(cluster.cluster.port), PGUSER = "postgres" }
      local restored = process.run { "pg_restore", "-j", "2", "--no-owner", "-d", "b", path, env = env, check = false,
        timeout = 60 }
      -- The schema of the extension's table is there already.
      expect(restored.stderr).has "errors ignored on restore: 1\n"
      local status, said = run("verify", url, { "--deep" }, { TARGET_DATABASE_URL = cluster:url "b" })
      if status ~= 0 then error(said, 0) end
    end), { limit = 120 })
end)

describe("a snapshot that somebody has exported", function()
  it("is what all connections read in", with_source({ sql = "create table t as select 10 as n" },
    function(cluster, url, dir)
      local holder <close> = cluster:connect "a"
      holder:exec "begin isolation level repeatable read"
      local id = holder:value "select pg_export_snapshot()"
      cluster:exec("a", "insert into t values (11); create table later ()")
      local path = dir .. "/ours"
      dump.run({ source = source.from_url(url), client = pg_client.choose(15, nil), dir = dir, readers = 2,
        snapshot = id }, function(into, state) return file.write(path, into, state.archive) end)
      local said = process.run({ "pg_restore", "-f", "-", path }).stdout
      expect(said).has "\n10\n\\.\n"
      expect(said).lacks "later"
    end))
end)

-- A pg_dump 17 that has written this archive. None is installed here; its server is.
local FIXTURE = "tests/fixtures/archives/s17-many-lo-z0.dump"
local OBJECTS = [[select lo_from_bytea(500000 + n, convert_to('lo ' || n, 'UTF8')) from generate_series(1, 2100) n]]

describe("large objects in groups, as 17 has them", function()
  it("are written as pg_dump has written them, byte for byte", with_source({ major = 17, sql = OBJECTS },
    function(_, url, dir)
      local program = dir .. "/pg_dump"
      fs.write(program, ("#!/bin/sh\nexec cat %s\n"):format(FIXTURE), { mode = 0700 })
      local function read(into) return into:read_all(64 << 20) end
      local got = dump.run({ source = source.from_url(url), dir = dir, readers = 3, compress = { engine = "zlib" },
        client = { major = 17, version = "17.11", pg_dump = program } }, read)
      local out = stream.new()
      local wanted = task.group(function(group)
        group:spawn(function() archive.recompress({ engine = "zlib" }):run((fs.source(FIXTURE)), out) end)
        return read(out)
      end)
      expect(#got).is(#wanted)
      expect(got == wanted).is_true()
    end))
end)

-- --- what must not happen ---

-- More than all streams and the compressor have room for: whoever reads has to wait.
local NOISE = [[create table noise as select n, (select string_agg(encode(sha512((n || '.' || i)::bytea), 'hex'), '')
  from generate_series(1, 40) i) as text from generate_series(1, 20000) n]]

local SESSIONS = "select count(*) from pg_stat_activity where application_name = 'pgorch' and pid <> pg_backend_pid()"

local function await_none(cluster)
  for _ = 1, 100 do
    if cluster:value("a", SESSIONS) == 0 then return end
    task.sleep(0.05)
  end
  error("sessions are left on the source", 0)
end

local COPIES = SESSIONS .. " and state = 'active' and query ilike 'copy%'"

local function await_copies(cluster, count)
  for _ = 1, 500 do
    if cluster:value("a", COPIES) >= count then return end
    task.sleep(0.02)
  end
  error("no rows are read", 0)
end

-- Runs a dump; fn(state) is called in the midst of the rows. The error that it ends with.
local function fails(cluster, url, dir, fn)
  local from = source.from_url(url)
  local client = pg_client.choose(15, nil)
  local given
  local ok, err = pcall(dump.run, { source = from, client = client, dir = dir, readers = 2 }, function(into, state)
    await_copies(cluster, 2)
    fn(state)
    local good, why = pcall(into.drain, into)
    given = not good and why
    if not good then error(why, 0) end
  end)
  expect(ok).is(false)
  expect(given.id).is(err.id)
  await_none(cluster)
  return err
end

local function terminate(cluster, which)
  expect(cluster:value("a", "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = "
    .. "'pgorch' and " .. which)).above(0)
end

local MIDST = { sql = NOISE }

describe("a dump by several connections", function()
  it("fails as a whole when one of them is lost, and may be tried again", with_source(MIDST,
    function(cluster, url, dir)
      local err = fails(cluster, url, dir, function()
        terminate(cluster, "pid = (select max(pid) from pg_stat_activity where query ilike 'copy%')")
      end)
      expect(err.id).is "PGO-DUMP"
      expect(err.message).has "reading public.noise"
      expect(err.retryable).is(true)
    end))

  it("fails when the session that holds the tables is lost", with_source(MIDST, function(cluster, url, dir)
    local err = fails(cluster, url, dir, function()
      terminate(cluster, "query not ilike 'copy%' and state = 'idle in transaction'")
    end)
    expect(err.id).is "PGO-DUMP"
    expect(err.message).has "the session that held the source's tables was lost"
    expect(err.retryable).is(true)
  end))

  it("lets nobody truncate a table that it has still to read", with_source(MIDST, function(cluster, url, dir)
    local path = dir .. "/theirs"
    dumps(url, path, "--compress", "stock")
    local got = dir .. "/ours"
    dump.run({ source = source.from_url(url), client = pg_client.choose(15, nil), dir = dir,
      readers = 2, compress = "fast" }, function(into, state)
        local first = into:read(100000)
        await_copies(cluster, 2)
        local conn <close> = cluster:connect "a"
        conn:exec "set lock_timeout = '200ms'"
        local err = expect(function() conn:exec "truncate noise" end).raises "PGO-PG-QUERY"
        expect(err.sqlstate).is "55P03"
        expect(state.table).is "public.noise"
        fs.write(got, first)
        fs.sink(got, into, { offset = #first })
      end)
    expect_same(got, path)
  end))

  it("leaves nothing behind when it is stopped", with_source(MIDST, function(cluster, url, dir)
    for _, signal in ipairs { "INT", "TERM" } do
      local argv = words("dump", url, { "-o", dir .. "/a.dump", "--readers", "2", "--compress", "small", "-q" })
      local proc <close> = process.spawn(argv)
      await_copies(cluster, 1)
      proc:kill(signal)
      expect(proc:wait().code).is(8)
      await_none(cluster)
      expect(table.concat(fs.list(dir), " ")).is ""
    end
  end))

  it("is refused where pg_dump compresses, and for numbers that make no sense", with_source({ sql = "" },
    function(_, url, dir)
      for _, words_ in ipairs { { "--readers", "2", "--compress", "stock" }, { "--readers", "-1" },
                                { "--readers", "33" } } do
        local status, said = run("dump", url, { "-o", dir .. "/a.dump", table.unpack(words_) })
        expect(said).has "--readers"
        expect(status).is(2)
      end
      expect(function() dump.run({ source = source.from_url(url), readers = 2, compress = "stock" }) end)
        .raises "PGO-INVALID"
      expect(#fs.list(dir)).is(0)
    end))
end)
