-- What a direct copy does when: what may read other tables is made when all rows are there, what alters a table has it
-- alone, and what is said when something fails names no password and no run.

local archive       = require "pgorch.archive"
local clusters      = require "support.clusters"
local copy          = require "pgorch.copy"
local fs            = require "pgorch.fs"
local host          = require "pgorch.native.host"
local large_objects = require "pgorch.copy.large_objects"
local pg_client     = require "pgorch.pg_client"
local process       = require "pgorch.process"
local secret        = require "pgorch.secret"
local source        = require "pgorch.source"
local task          = require "pgorch.task"

local function words(source_url, target_url, ...)
  local argv = { host.executable(), "copy", "--no-analyze", ... }
  argv.env = { SOURCE_DATABASE_URL = source_url, TARGET_DATABASE_URL = target_url, PATH = "/usr/bin:/bin",
               HOME = "/tmp" }
  argv.env_clear, argv.check, argv.timeout = true, false, 100
  return argv
end

local function copies(cluster, ...)
  local done = process.run(words(cluster:url "a", cluster:url "b", ...))
  if done.code ~= 0 then error(done.stdout .. done.stderr, 0) end
end

-- Runs fn with a source "a", filled by SQL, and an empty target "b", in one cluster.
local function between(sql, fn)
  return function()
    clusters.with({ 15 }, function(cluster)
      cluster:create "a"
      cluster:create "b"
      cluster:exec("a", sql)
      fn(cluster)
    end)
  end
end

-- One connection copies them in this order. What is about the large one alone could be made while the next is copied,
-- before the small one has any rows; which is too small to be emptied, and kept from all others, by its copy.
local LARGE_TO_SMALL = [==[
  create table large (id integer primary key, ref integer, text text);
  alter table large alter text set storage external;
  insert into large select n, n * 1000, repeat('x', 4000000) from generate_series(1, 8) n;
  create table next as select n, n::text as text from generate_series(1, 200000) n;
  create table small (id integer primary key, name text);
  insert into small select n, 'number ' || n from generate_series(1, 8000) n;
]==]

-- The row that the index finds, where nothing else may be looked at.
local function found_by_index(cluster, dbname)
  local conn <close> = cluster:connect(dbname)
  conn:exec "set enable_seqscan = off"
  return conn:value "select count(*) from large where name_of(ref) = 'number 5000'"
end

describe("a direct copy", function()
  it("builds an index whose function reads another table when that one is full", between(LARGE_TO_SMALL .. [==[
      create function name_of(integer) returns text language sql immutable
        as 'select name from public.small where id = $1';
      create index on large (name_of(ref));
    ]==], function(cluster)
    copies(cluster, "--jobs", "1")
    expect(found_by_index(cluster, "a")).is(1)
    expect(found_by_index(cluster, "b")).is(1)
  end), { limit = 60 })

  -- Its table is the smallest, which would come last.
  it("checks a foreign key to a table of an extension's when that one is full", between(LARGE_TO_SMALL .. [==[
      create extension hstore;
      create table codes (id integer primary key);
      insert into codes select n * 1000 from generate_series(1, 8) n;
      alter extension hstore add table codes;
      update pg_extension set extconfig = array['codes'::regclass::oid], extcondition = array['']
        where extname = 'hstore';
      alter table large add foreign key (ref) references codes;
    ]==], function(cluster)
    cluster:exec("b", "create extension hstore; create table codes (id integer primary key); "
      .. "alter extension hstore add table codes")
    copies(cluster, "--jobs", "1")
    expect(cluster:value("b", "select count(*) from pg_constraint where contype = 'f' and convalidated")).is(1)
    expect(cluster:value("b", "select count(*) from codes")).is(8)
  end), { limit = 60 })

  it("builds the indexes of a table one after the other where they alter it", between([==[
      create table t (a integer not null, b integer not null);
      insert into t select n, -n from generate_series(1, 200000) n;
      create unique index t_a on t (a);
      create unique index t_b on t (b);
      create index t_c on t (a, b);
      alter table t cluster on t_a;
      alter table t replica identity using index t_b;
    ]==], function(cluster)
    copies(cluster, "--index-jobs", "3")
    expect(cluster:value("b", "select string_agg(indexrelid::regclass || ' ' || indisclustered || ' ' || "
      .. "indisreplident, ', ' order by indexrelid::regclass::text) from pg_index where indrelid = 't'::regclass"))
      .is "t_a true false, t_b false true, t_c false false"
  end))

  it("brings what an archive of 17 says of large objects", between("", function(cluster)
    local contents = archive.read_head((fs.source "tests/fixtures/archives/s17-z0.dump"))
    local conn <close> = source.from_url(secret.new(cluster:url "b")):connect { writable = true }
    large_objects.make(conn, large_objects.entries(contents.entries))
    expect(cluster:value("b", "select string_agg(oid::text, ' ' order by oid) from pg_largeobject_metadata"))
      .is "900001 900002 900003 900004 900005 900006 900007"
    expect(cluster:value("b", "select obj_description(900005, 'pg_largeobject')")).is "A large object with a comment"
    expect(cluster:value("b", "select obj_description(900007, 'pg_largeobject')")).has "Comment with 'quote'"
  end))
end)

-- --- what is said ---

local FOREIGN = [==[
  create extension postgres_fdw;
  create server elsewhere foreign data wrapper postgres_fdw options (host 'h');
  create user mapping for public server elsewhere options (user 'me', password 'hunter2');
]==]

-- Who may not make foreign servers.
local function target_of(cluster)
  cluster:exec("postgres", "create role eve login; alter database b owner to eve")
  local url = cluster:url("b"):gsub("postgres@", "eve@")
  return url, source.from_url(secret.new(url))
end

describe("a direct copy that fails", function()
  it("shows no password of a definition, and keeps none in its log", between(FOREIGN, function(cluster)
    local url, place = target_of(cluster)
    local done = process.run(words(cluster:url "a", url))
    local said = done.stdout .. done.stderr
    expect(done.code).is(1)
    expect(said).has "CREATE USER MAPPING"
    expect(said).lacks "hunter2"
    fs.with_temporary("pgorch-copy-", function(dir)
      local ok, err = pcall(copy.run, { source = source.from_url(secret.new(cluster:url "a")), dir = dir, jobs = 1,
        index_jobs = 1, client = pg_client.choose(15, 15), log = dir .. "/restore.log",
        target = { connect = function(o) return place:connect { settings = o.settings, writable = true } end,
                   env = function(folder) return place:env(folder) end, name = function() return "the target" end } })
      expect(ok).is(false)
      local log = fs.read(dir .. "/restore.log")
      for _, text in ipairs { err.detail, log } do
        expect(text).has "CREATE USER MAPPING"
        expect(text).lacks "hunter2"
      end
    end)
  end))

  it("speaks of no run that could be resumed", between(FOREIGN, function(cluster)
    local done = process.run(words(cluster:url "a", (target_of(cluster))))
    expect(done.stderr).has "then copy again"
    expect(done.stderr).lacks "resume"
  end))

  it("speaks of none either when a connection is lost", between([==[
      create function slow(integer) returns integer language sql immutable as 'select $1';
      create table t as select 1 as n;
      create index on t (slow(n));
      create or replace function slow(integer) returns integer language sql immutable
        as 'select case when pg_catalog.pg_sleep(60) is null then 1 else 2 end';
    ]==], function(cluster)
    local proc <close> = process.spawn(words(cluster:url "a", cluster:url "b"))
    for _ = 1, 600 do
      if cluster:value("postgres", "select count(pg_terminate_backend(pid)) from pg_stat_activity "
        .. "where datname = 'b' and query like 'CREATE INDEX%'") > 0 then break end
      task.sleep(0.05)
    end
    local ended = proc:wait()
    expect(ended.code).is_not(0)
    expect(ended.stderr).has "PGO-PG-LOST"
    expect(ended.stderr).has "Copy again once the network is back"
    expect(ended.stderr:lower()).lacks "resume"
  end), { limit = 60 })
end)
