-- `pgorch copy`, run as a user runs it: the copy is equal to its source, down to every row, on every pair of versions
-- that the pg_dump of this machine reaches; what fails is named, and stops at once.

local await       = require "support.await"
local awkward     = require "support.awkward"
local clusters    = require "support.clusters"
local definitions = require "support.definitions"
local host        = require "pgorch.native.host"
local json        = require "pgorch.json"
local majors      = require "support.majors"
local process     = require "pgorch.process"
local resource    = require "pgorch.native.resource"
local sandbox     = require "pgorch.sandbox"

local function words(command, source, target, arguments, more)
  local argv = { host.executable(), command, table.unpack(arguments or {}) }
  argv.env = { SOURCE_DATABASE_URL = source, TARGET_DATABASE_URL = target, PATH = "/usr/bin:/bin", HOME = "/tmp" }
  argv.env_clear, argv.check, argv.timeout = true, false, 100
  for name, value in pairs(more or {}) do argv.env[name] = value or nil end
  return argv
end

-- Its exit status, and all that it said.
local function copy(...)
  local done = process.run(words("copy", ...))
  return done.code, done.stdout .. done.stderr
end

local function expect_equal(source, target)
  local done = process.run(words("verify", source, target, { "--deep" }))
  if done.code ~= 0 then error("the copy is not equal:\n" .. done.stdout .. done.stderr, 0) end
  expect(done.stdout).has " EQUAL\n"
end

local function copies(source, target, arguments, more)
  local status, said = copy(source, target, arguments, more)
  if status ~= 0 then error(said, 0) end
  expect_equal(source, target)
  return said
end

local function load_sample(cluster, dbname)
  cluster:create(dbname)
  cluster.cluster:psql(assert(resource.read "pgorch/sandbox/sample.sql"), { dbname = dbname,
    variables = { scale = 0.01 } })
end

-- Runs fn with a source "a", filled by SQL, and an empty target "b", in one cluster.
local function between(sql, fn)
  return function()
    clusters.with({ 15 }, function(cluster)
      cluster:create "a"
      cluster:create "b"
      if sql then cluster:exec("a", sql) end
      fn(cluster, cluster:url "a", cluster:url "b")
    end)
  end
end

-- --- what must come through ---

describe("pgorch copy", function()
  it("copies the sandbox's source into a database whose owner is no superuser", function()
    sandbox.run({ source = { scale = 0.05 } }, function(world)
      local database = world.target:create { essential = true, connections = 20 }
      local said = copies(world.source.url, database.url, {})
      expect(said):has "compare both: pgorch verify --deep"
      expect(said):has "rows and large objects"
      expect(said):has "PostgreSQL 15"
    end)
  end, { limit = 60 })

  it("copies everything awkward", between(awkward.SOURCE, function(cluster, source, target)
    cluster:exec("b", awkward.EXTENSION)
    copies(source, target, { "--jobs", "3", "--index-jobs", "3", "-q" })
    local function theirs(sql) return cluster:value("b", sql) end
    expect(theirs [[select string_agg(name, ' ' order by name) from "a ""b"" % ü".settings]]).is "ours theirs"
    expect(theirs [[select count(*) from "a ""b"" % ü".fired]]).is(0)
    for name, rows in pairs { wide = 1600, parts = 3000, parts_1 = 1500, parts_2 = 1500 } do      -- ANALYZE
      expect(theirs("select reltuples::int from pg_class where relname = '" .. name .. "'")).is(rows)
    end
  end), { limit = 60 })

  it("copies between majors", function()
    local missing = majors.missing(13, 14, 16, 17, 18)
    if missing then skip(missing) end
    clusters.with({ 13, 14, 16, 17, 18 }, function(c13, c14, c16, c17, c18)
      for _, from in ipairs { c13, c14 } do
        load_sample(from, "a")
        from:exec("a", definitions)
      end
      for _, pair in ipairs { { c13, c16 }, { c14, c17 }, { c14, c18 } } do
        pair[2]:create "b"
        copies(pair[1]:url "a", pair[2]:url "b", { "--no-analyze" })
      end
    end)
  end, { limit = 100 })

  it("copies an empty database, and reports in JSON", between(nil, function(_, source, target)
    local done = process.run(words("copy", source, target, { "--json" }))
    expect(done.stderr).is ""
    expect(done.code).is(0)
    local last = json.decode(done.stdout:match "([^\n]+)\n$")
    expect(last.event).is "ended"
    expect(last.tables).is(0)
    expect(last.phases.schema).above(0)
  end))
end)

-- --- what must not happen ---

local function refused(id, status, ...)
  local got, said = copy(...)
  expect(said).has(id)
  expect(said).lacks "traceback"
  expect(got).is(status)
  return said
end

local SESSIONS = "select count(*) from pg_stat_activity where application_name = 'pgorch' and pid <> pg_backend_pid()"

-- 100,000 rows whose index takes its time, beside a table that goes on being copied.
local SLOW = [==[
  create function slow(n integer) returns integer language sql immutable parallel safe as
    'select case when pg_catalog.pg_sleep(0.001) is null then n else n end';
  create table indexed as select n from generate_series(1, 100000) n;
  create index on indexed (slow(n)) where n < 0;
  create index late on indexed (slow(n)) where n < 0;
  drop index late;
  update pg_index set indpred = null where indrelid = 'indexed'::regclass;
  create table other as select n, repeat('x', 100) from generate_series(1, 1000) n;
]==]

describe("pgorch copy refuses", function()
  it("what it cannot use, before it touches anything", between(nil, function(cluster, source, target)
    refused("PGO-PARAM", 2, source, source)
    refused("SOURCE_DATABASE_URL is not set", 2, "", target)
    refused("TARGET_DATABASE_URL is not set", 2, source, "")
    refused("--jobs: at least 1", 2, source, target, { "--jobs", "0" })
    refused("did you mean --index-jobs", 2, source, target, { "--index-job", "2" })
    refused("PGO-PG-CONNECT", 6, source, "postgres://u:p@127.0.0.1:1/d")
    cluster:exec("a", "create role eve login password 'right'")
    local by_net = ("postgres://eve:wrong@127.0.0.1:%d/a"):format(cluster.cluster.port)
    expect(refused("PGO-PG-AUTH", 1, by_net, target)).lacks "wrong"
    expect(cluster:value("b", "select count(*) from pg_class where relnamespace = 'public'::regnamespace")).is(0)
  end))

  it("a target with anything in it, which stays as it is", between("create table t as select 1 as n",
    function(cluster, source, target)
      for _, sql in ipairs { "create table precious as select 2 as n", "create view precious as select 2 as n",
                             "select lo_create(5)", "create type precious as enum ('a')",
                             "create function precious() returns integer language sql as 'select 2'",
                             "create domain precious as integer", "create type precious as (n integer)",
                             "create type precious as range (subtype = date)" } do
        cluster:exec("b", sql)
        local status, said = copy(source, target)
        expect(status).is(4)
        expect(said):has "PGO-CONFIRM"
        if sql:find "precious" then expect(said):has "public.precious" else expect(said):has "1 large object" end
        expect(cluster:value("b", "select count(*) from pg_class where relname = 't'")).is(0)
        cluster:exec("b", ("drop %s precious"):format(sql:match "create (%a+) precious" or "table if exists"))
      end
    end))
end)

describe("pgorch copy names", function()
  it("the rows that the target refuses, and stops", between([==[
      create table few as select 1 as n;
      create function there(n integer) returns boolean language sql as
        'select exists (select from public.few where few.n <= $1)';
      create table checked (n integer check (there(n)));
      insert into checked select generate_series(1, 5);
      create table large as select n, repeat('x', 500) as text from generate_series(1, 20000) n;
      alter table few rename to fewer; create table few as select 1 as n;
      delete from fewer; delete from few;
    ]==], function(_, source, target)
    local said = refused("PGO-COPY", 1, source, target)
    expect(said).has 'copying "public"."checked"'
    expect(said).has "violates check constraint"
    expect(said).has "b is half filled: "
    refused("PGO-CONFIRM", 4, source, target)
  end))

  it("a foreign key whose parent is missing", between([==[
      create table parent (n integer primary key);
      create table child (n integer constraint "to %parent" references parent);
      set session_replication_role = replica;
      insert into child values (7);
    ]==], function(_, source, target)
    local said = refused("PGO-COPY", 1, source, target)
    expect(said).has "fk constraint public.child to %parent"
    expect(said).has "(n)=(7) is not present"
    expect(said).has "the source holds rows whose parent does not exist"
    expect(said).lacks "resume"
  end))

  it("what pg_dump was refused", between([==[
      create table mine (n integer); create table theirs (n integer);
      create role reader login; grant select on mine to reader;
    ]==], function(cluster, _, target)
    local reader = ("postgres://reader@/a?host=%s&port=%d"):format(cluster.cluster.socket, cluster.cluster.port)
    expect(refused("PGO-DUMP", 1, reader, target)).has "permission denied for table theirs"
  end))
end)

describe("pgorch copy, stopped in the middle,", function()
  it("leaves no session behind, and says what stands", between(SLOW, function(cluster, source, target)
    local proc <close> = process.spawn(words("copy", source, target))
    await("an index being built", function()
      return cluster:value("postgres", "select count(*) from pg_stat_activity where query like 'CREATE INDEX%'") > 0
    end)
    proc:kill "INT"
    local ended = proc:wait()
    expect(ended.code).is(8)
    expect(ended.stderr).has "/b is half filled: 2 tables, views and sequences, 0 large objects"
    await("the end of all sessions", function() return cluster:value("postgres", SESSIONS) == 0 end)
  end))
end)
