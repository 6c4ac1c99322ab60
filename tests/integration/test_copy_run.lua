-- The direct path's parts against real servers: a snapshot that somebody else holds, the durable end, large objects in
-- pieces of one, how archives of newer majors name them, and how many connections there may be.

local archive       = require "pgorch.archive"
local clusters      = require "support.clusters"
local connections   = require "pgorch.copy.connections"
local copy          = require "pgorch.copy"
local fs            = require "pgorch.fs"
local large_objects = require "pgorch.copy.large_objects"
local pg_client     = require "pgorch.pg_client"
local schema        = require "pgorch.copy.schema"
local secret        = require "pgorch.secret"
local source        = require "pgorch.source"
local task          = require "pgorch.task"

local function place_of(cluster, dbname) return source.from_url(secret.new(cluster:url(dbname))) end

local function target_of(place)
  return { connect = function(o) return place:connect { settings = o.settings, writable = true } end,
           env = function(dir) return place:env(dir) end, name = function() return "the target" end }
end

-- In one cluster: a source "a" with rows and large objects, and an empty target "b".
local function between(sql, fn)
  return function()
    clusters.with({ 15 }, function(cluster)
      cluster:create "a"
      cluster:create "b"
      cluster:exec("a", sql)
      local from, to = place_of(cluster, "a"), place_of(cluster, "b")
      fs.with_temporary("pgorch-copy-", function(dir) fn(cluster, from, to, dir) end)
    end)
  end
end

describe("copy.run", function()
  it("copies the moment of a snapshot that somebody else holds, and says what it did", between([[
      create table t (n integer primary key); insert into t values (1);
      create sequence s; select nextval('s');
      select lo_from_bytea(5, 'before');
    ]], function(cluster, from, to, dir)
    local holder <close> = from:connect()
    holder:exec "begin isolation level repeatable read read only"
    local id = holder:value "select pg_export_snapshot()"
    cluster:exec("a", "insert into t values (2); select lo_put(5, 0, 'after!'); create table later (n integer)")
    local seen = {}
    local done = copy.run { source = from, target = target_of(to), client = pg_client.choose(15, 15), dir = dir,
      snapshot = id, jobs = 2, index_jobs = 1, progress = function(at) seen[#seen + 1] = at end }
    expect(cluster:value("b", "select string_agg(n::text, ' ') from t")).is "1"
    expect(cluster:value("b", "select convert_from(lo_get(5), 'UTF8')")).is "before"
    expect(cluster:value("b", "select to_regclass('later')::text")).is(nil)
    expect({ done.tables, done.rows, done.large_objects, done.sequences, done.indexes }).same { 1, 1, 1, 1, 1 }
    expect(#done.complaints).is(0)
    expect(done.seconds).above(0)
    expect(#seen).above(0)
    expect(fs.stat(dir .. "/head.dump").mode).is(0600)
    expect(holder:value "select 1").is(1)
  end))
end)

-- Where an enum's hash leads to depends on oids, which are others in the target.
local HASHED = [==[
  do $$begin execute (select 'create type label as enum (' || string_agg(quote_literal('l' || n), ', ') || ')'
    from generate_series(1, 50) n); end$$;
  create table "The whole" (kind label, n integer, filler text, primary key (kind, n)) partition by hash (kind);
  create table leaf_0 partition of "The whole" for values with (modulus 3, remainder 0);
  create table leaf_1 partition of "The whole" for values with (modulus 3, remainder 1);
  create table leaf_2 (filler text, n integer not null, kind label not null);
  alter table "The whole" attach partition leaf_2 for values with (modulus 3, remainder 2);
  insert into "The whole" select ('l' || n % 50 + 1)::label, n, repeat('x', 100) from generate_series(1, 40000) n;
  create table fired (n integer);
  create function fire() returns trigger language plpgsql as
    $$begin insert into public.fired values (new.n); return new; end$$;
  create trigger fires after insert on leaf_0 for each row execute function fire();
  create trigger fires after insert on leaf_1 for each row execute function fire();
  create trigger fires after insert on leaf_2 for each row execute function fire();
]==]

describe("hash partitions by an enum", function()
  it("are filled by the whole, and what is theirs waits for all rows", between(HASHED, function(cluster, from, to, dir)
    local done = copy.run { source = from, target = target_of(to), client = pg_client.choose(15, 15), dir = dir,
      jobs = 1, index_jobs = 1 }
    expect(done.rows).is(40000)
    local ROWS = [[select md5(string_agg(kind || ' ' || n || filler, ' ' order by kind, n)) from "The whole"]]
    expect(cluster:value("b", ROWS)).is(cluster:value("a", ROWS))
    local KINDS = "select string_agg(distinct kind::text, ' ' order by kind::text) from leaf_0"
    expect(cluster:value("b", KINDS)).is_not(cluster:value("a", KINDS))
    expect(cluster:value("b", "select count(*) from fired")).is(0)
    local KEYS = "select count(*) from pg_constraint where contype = 'p' and connamespace = 'public'::regnamespace"
    expect(cluster:value("b", KEYS)).is(4)
  end))
end)

local LOCKS = [[select string_agg(name, ' ' order by name collate "C")
  from pg_locks cross join lateral (select relation::regclass::text as name) as r
  where mode = 'AccessShareLock' and pid = $1 and relation in
    (select oid from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace)]]

describe("the schema of a copy", function()
  it("is read with no data, and leaves the tables locked by the snapshot's session, not by pg_dump's", between([[
      create table small (n integer); create table "%Large" as
        select n, repeat('x', 1000) as text from generate_series(1, 30000) n;
    ]], function(cluster, from, _, dir)
    local at <close> = connections.open_snapshot(from)
    local contents = schema.read { client = pg_client.choose(15, 15), source = from, dir = dir, snapshot = at.id,
      conn = at.conn }
    expect(#contents.entries).above(4)
    expect(fs.stat(dir .. "/head.dump").size < 20000).is(true)
    local conn <close> = cluster:connect "a"
    expect(conn:value(LOCKS, at.conn.pid)).is '"%Large" small'
    for _ = 1, 200 do
      if conn:value "select count(*) from pg_stat_activity where query like 'COPY%'" == 0 then return end
      task.sleep(0.05)
    end
    error("pg_dump's session is still there", 0)
  end))
end)

describe("the end of a copy", function()
  it("makes durable what was committed without waiting for the disk", function()
    clusters.with({ 15 }, function(cluster)
      cluster:create "b"
      local conn <close> = cluster:connect "b"
      conn:exec "set synchronous_commit = off; create table t as select generate_series(1, 100) as n"
      local at = conn:value "select pg_current_wal_insert_lsn()::text"
      local function is_flushed() return conn:value("select pg_current_wal_flush_lsn() >= $1::pg_lsn", at) end
      expect(is_flushed()).is(false)
      connections.make_durable(conn)
      expect(is_flushed()).is(true)
    end, { wal_writer_delay = "10000ms" })
  end)
end)

describe("large objects", function()
  it("are cut, and put together again", between([[
      select lo_from_bytea(7, convert_to(string_agg(md5(n::text), ''), 'UTF8')) from generate_series(1, 100000) n;
      select lo_from_bytea(100 + n, decode(repeat(to_hex(n % 10), 2 * n), 'hex')) from generate_series(0, 50) n;
    ]], function(cluster, from, to)
    local at <close> = connections.open_snapshot(from)
    local lots, count, bytes = large_objects.lots(at.conn, 1000000)
    expect(count).is(52)
    expect(bytes).is(3200000 + 50 * 51 // 2)
    expect(#lots).is(5)
    expect(lots[4].upto).is(nil)
    cluster:exec("b", "select lo_create(7); select lo_create(100 + n) from generate_series(0, 50) n")
    local conn <close> = to:connect { writable = true, settings = { search_path = "" } }
    local told = 0
    for _, lot in ipairs(lots) do
      large_objects.copy(at.conn, conn, lot, { progress = function(n) told = math.max(told, n) end })
    end
    expect(told).above(900000)
    local CONTENT = "select md5(string_agg(oid || md5(lo_get(oid)), ' ' order by oid)) from pg_largeobject_metadata"
    expect(cluster:value("b", CONTENT)).is(cluster:value("a", CONTENT))
    -- Nothing stays open in the source's transaction, which would make each one slower than the one before.
    local ok, err = pcall(at.conn.exec, at.conn, "select loread(0, 1)")
    expect(ok).is(false)
    expect(err.sqlstate).is "42704"
  end))

  it("that the target has not say which they are", between("select lo_from_bytea(7, 'x')", function(_, from, to)
    local at <close> = connections.open_snapshot(from)
    local conn <close> = to:connect { writable = true, settings = { search_path = "" } }
    local ok, err = pcall(large_objects.copy, at.conn, conn, large_objects.lots(at.conn)[1])
    expect(ok).is(false)
    expect(err.message).has "copying large objects 7 to 7: large object 7 does not exist"
  end))

  it("are made as the archives of 17 name them", between("select 1", function(cluster, _, to)
    local contents = archive.read_head((fs.source "tests/fixtures/archives/s17-many-lo-z0.dump"))
    local conn <close> = to:connect { writable = true }
    large_objects.make(conn, large_objects.entries(contents.entries))
    expect(cluster:value("b", "select count(*) || ' ' || min(oid) || ' ' || max(oid) from pg_largeobject_metadata"))
      .is "2100 500001 502100"
  end))
end)

describe("the connections of a copy", function()
  it("stay within what both sides let in, and leave some", between("select 1", function(cluster, from, to)
    local function jobs(limit)
      local a <close> = from:connect()
      local b <close> = to:connect { writable = true }
      return connections.jobs(a, b, limit)
    end
    local function limited(dbname, connections_allowed)
      cluster:exec("postgres", ("alter database %s connection limit %d"):format(dbname, connections_allowed))
    end
    expect({ jobs() }).same { 4, 4 }
    expect({ jobs(9) }).same { 3, 3 }
    expect({ jobs(1) }).same { 1, 1 }
    limited("a", 8)
    expect({ jobs() }).same { 2, 4 }
    limited("b", 7)
    expect({ jobs() }).same { 1, 2 }
  end))
end)
