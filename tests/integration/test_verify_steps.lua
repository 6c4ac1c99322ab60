-- The steps of a run that compare both databases and make the new one ready, each on real servers with what it is
-- handed in a run: what is recorded of a difference, which views are refreshed, what is analyzed.

local analyze         = require "pgorch.steps.analyze"
local checksum_source = require "pgorch.steps.checksum_source"
local clusters        = require "support.clusters"
local content         = require "pgorch.verify.content"
local detector        = require "pgorch.detector"
local extensions      = require "pgorch.steps.extensions"
local fs              = require "pgorch.fs"
local json            = require "pgorch.json"
local majors          = require "support.majors"
local refresh         = require "pgorch.steps.refresh_matviews"
local snapshot        = require "pgorch.verify.snapshot"
local task            = require "pgorch.task"
local verify          = require "pgorch.steps.verify"
local written         = require "pgorch.steps.nothing_was_written"

-- What a step gets as ctx, and what it told.
local function context(cluster, results, from)
  local told = { warnings = {}, notes = {}, tables = {} }
  local function side(dbname)
    return { connect = function(_, o) return cluster:opener(dbname)(o) end,
             database = function() return { limits = function() return { connections = 20 } end } end }
  end
  return {
    source = side(from or "a"), target = side "b", params = {}, live = {}, result = results, told = told,
    options = { content = "checksum", queries = "queries/*.sql" },
    progress = function() end,
    warn = function(_, text) table.insert(told.warnings, text) end,
    keep = function(self, name, object) self.live[name] = object end,
    remember = function(self, value) self.recall = value end,
    note = function(_, text) table.insert(told.notes, text) end,
    table = function(_, t) table.insert(told.tables, t) end,
  }
end

local function both(fn)
  return function()
    clusters.with({ 15 }, function(cluster)
      cluster:create "a"
      cluster:exec("a", [[create table people (id integer primary key, name text);
        insert into people select i, 'name' || i from generate_series(1, 2000) as i;
        create sequence numbers; select lo_from_bytea(5, 'abc');]])
      fn(cluster)
    end)
  end
end

-- The source's side as a run reads it, the snapshot of the dump held by this connection. What is written after the
-- snapshot is not part of the dump.
local function read_source(cluster, late)
  local holder = cluster:connect "a"
  holder:exec "begin isolation level repeatable read read only"
  local ctx = context(cluster, { fingerprint = { snapshot = holder:value "select pg_export_snapshot()" } })
  ctx.live.snapshot = holder
  if late then cluster:exec("a", late) end
  local result = checksum_source.run(ctx)
  expect(result.on_snapshot).is(true)
  return json.decode(json.encode(result)), ctx, holder         -- as it comes out of the record
end

-- A session counts what it wrote when it ends.
local function wait_until_alone(conn)
  for _ = 1, 400 do
    if conn:value [[select count(*) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()]] == 0 then return end
    task.sleep(0.01)
  end
  error("a session does not end", 0)
end

describe("the steps checksum_source and verify", function()
  it("find a restore equal, and record of a difference how many rows, not which", both(function(cluster)
    cluster:create("b", "template a")
    local from, ctx, holder = read_source(cluster, "insert into people values (9999, 'late')")
    ctx.result.checksum_source, ctx.result.size = from, { bytes = 1 }
    local done = verify.run(ctx)
    expect(done.rows).is(2000)
    expect(done.large_objects).is(1)
    expect(ctx.told.notes[1]).has "1 tables, 2000 rows, 1 sequences, 1 large objects"
    expect(ctx.told.notes[1]).has "EQUAL"
    expect(ctx.told.notes[2]).is "rows summed with hashtextextended (64 bits of each row)"
    expect(#ctx.told.warnings).is(0)

    cluster:exec("b", [[update people set name = 'x' where id = 1234; delete from people where id = 777;
      select lo_put(5, 0, 'x')]])
    local err = expect(function() verify.run(ctx) end):raises "PGO-VERIFY"
    expect(err.detail).has '(rows: 1 changed, 1 missing)'
    expect(err.detail).has "large object 5"
    local recorded = json.encode { err.detail, ctx.told.tables }
    expect(recorded).lacks "777"
    expect(recorded).lacks "1234"
    holder:close()
  end), { limit = 60 })

  it("use the hash that the source was summed with, SHA-256 where none is recorded", both(function(cluster)
    cluster:create("b", "template a")
    local from, ctx, holder = read_source(cluster)
    holder:close()
    ctx.result.checksum_source, ctx.result.size = from, { bytes = 1 }
    from.hash = nil                                              -- and the sums are of the other one
    expect(expect(function() verify.run(ctx) end):raises("PGO-VERIFY").detail).has 'content "public"."people"'
    local at <close> = snapshot.open(cluster:opener "a")
    from.sums = content.sums(at, { content = true })
    verify.run(ctx)
    expect(table.concat(ctx.told.notes, "\n")).has "EQUAL\nrows summed with SHA-256 (60 bits of each row)"
  end), { limit = 60 })

  it("sum the source again where the target has not its hash, if nothing was written since", both(function(cluster)
    cluster:create("b", "encoding 'LATIN1' template template0 lc_collate 'C' lc_ctype 'C'")
    cluster:exec("a", "insert into people values (0, 'Größe')")
    cluster:exec("b", [[create table people (id integer primary key, name text);
      insert into people select i, 'name' || i from generate_series(1, 2000) as i;
      insert into people values (0, 'Größe'); create sequence numbers; select lo_from_bytea(5, 'abc')]])
    local from, ctx, holder = read_source(cluster, "insert into people values (9999, 'late')")
    expect(from.hash).is "hashtextextended"
    ctx.result.checksum_source, ctx.result.size = from, { bytes = 1 }
    expect(verify.run(ctx).rows).is(2001)                        -- as it was in the snapshot
    local notes = table.concat(ctx.told.notes, "\n")
    expect(notes).has "the source is summed again: on the target, the encoding is LATIN1"
    expect(notes).has "rows summed with SHA-256"
    expect(from.hash).is "hashtextextended"                      -- the record stays what it was
    cluster:exec("b", "update people set name = 'x' where id = 1234")
    expect(expect(function() verify.run(ctx) end):raises("PGO-VERIFY").detail).has "(rows: 1 changed)"
    cluster:exec("b", "update people set name = 'name1234' where id = 1234")
    -- Without the snapshot: what is there now, if that is the same.
    holder:exec "commit"
    ctx.live.snapshot = nil
    cluster:exec("a", "delete from people where id = 9999")
    wait_until_alone(holder)
    ctx.result.fingerprint.mark = detector.begin(holder)
    holder:exec "commit"
    expect(verify.run(ctx).rows).is(2001)
    cluster:exec("a", "insert into people values (9999, 'late')")
    expect(function() verify.run(ctx) end):raises "PGO-WRITTEN"
    holder:close()
  end), { limit = 60 })

  it("compare the results of the recipe's own queries in the dump's snapshot", both(function(cluster)
    cluster:create("b", "template a")
    local from, ctx, holder = read_source(cluster, "update people set name = 'late' where id = 1")
    ctx.result.checksum_source, ctx.result.size = from, { bytes = 1 }
    fs.with_temporary("pgorch-recipe-", function(dir)
      fs.mkdir(dir .. "/queries")
      ctx.recipe = { folder = dir }
      fs.write(dir .. "/queries/people.sql", "select * from people;")
      expect(verify.run(ctx).queries).is(1)
      fs.write(dir .. "/queries/people.sql", "select * from nobody;")
      expect(expect(function() verify.run(ctx) end):raises("PGO-VERIFY").detail).has 'query people.sql'
    end)
    holder:close()
  end), { limit = 60 })
end)

describe("a snapshot that was lost", function()
  it("is missed: the source is read as it is now, if nothing was written since", both(function(cluster)
    local holder <close> = cluster:connect "a"
    wait_until_alone(holder)
    local ctx = context(cluster, { fingerprint = { mark = detector.begin(holder) } })
    ctx.result.fingerprint.snapshot = holder:value "select pg_export_snapshot()"
    ctx.live.snapshot = holder
    expect(checksum_source.run(ctx).on_snapshot).is(true)
    cluster:exec("postgres", ("select pg_terminate_backend(%d)"):format(holder.pid))
    expect(checksum_source.run(ctx).on_snapshot).is(false)
    expect(#ctx.told.notes).is(1)
    expect(ctx.told.notes[1]).has "the session that held the dump's snapshot was lost"
    cluster:exec("a", "insert into people values (9999, 'late')")
    expect(expect(function() checksum_source.run(ctx) end):raises("PGO-WRITTEN").detail).is '"public"."people"'
  end), { limit = 60 })
end)

-- A database of its own; what was summed after the mark, then `later`, then one transaction elsewhere on the server.
local function asked_again(cluster, case)
  cluster:create(case.name, "template a")
  if case.before then cluster:exec(case.name, case.before) end
  local holder <close> = cluster:connect(case.name)
  wait_until_alone(holder)
  local mark = detector.begin(holder)
  holder:exec "commit"
  local ctx = context(cluster, { fingerprint = { mark = mark, snapshot = "1", taken = "now" } }, case.name)
  ctx.options.content = case.content or "checksum"
  ctx.result.checksum_source = json.decode(json.encode(checksum_source.run(ctx)))
  if case.connected then holder:exec "set application_name = 'shop'" else holder:close() end
  cluster:exec(case.name, case.later or "select 1")
  cluster:exec("b", ("create table %s as select 1 as n"):format(case.name))
  local ok, err = pcall(written.run, ctx)
  return { ok = ok, err = err, told = table.concat(ctx.told.notes, "\n"), mark = ctx.recall and ctx.recall.mark }
end

local OPAQUE = [[create type odd;
  create function odd_in(cstring) returns odd immutable strict language internal as 'int4in';
  create function odd_out(odd) returns cstring immutable strict language internal as 'int4out';
  create type odd (input = odd_in, output = odd_out, like = integer);
  create table empty (o odd); create table full_of (o odd); insert into full_of values ('1')]]

-- More transactions than are asked for, and nothing that lasts.
local MANY = [[create temporary table t (n integer);
  do $$ begin for i in 1..10001 loop begin insert into t values (i); exception when others then null; end; end loop;
  end $$; drop table t]]

describe("the step nothing_was_written, where the counters cannot tell", function()
  it("counts and sums again, and never calls equal what is in no sum", both(function(cluster)
    cluster:create "b"
    local cases = {
      { name = "summed", connected = true },
      { name = "opaque", connected = true, before = OPAQUE },
      { name = "opaque_counted", before = OPAQUE, later = MANY },
      { name = "only_counted", connected = true, content = "none" },
      { name = "only_counted_alone", content = "none", later = MANY },
    }
    local found = {}
    task.map(cases, { limit = #cases }, function(case) found[case.name] = asked_again(cluster, case) end)
    for _, name in ipairs { "summed", "opaque_counted", "only_counted_alone" } do
      if not found[name].ok then error(name .. ": " .. tostring(found[name].err), 0) end
      expect(found[name].told).has "counted and summed again: equal"
      expect(found[name].mark).is_not(nil)
    end
    for name, wanted in pairs { opaque = '"public"."full_of", column o (public.odd)',
                                only_counted = '"public"."people"\nlarge objects' } do
      if found[name].ok then error(name .. " was called equal", 0) end
      expect(found[name].err.id).is "PGO-WRITTEN"
      expect(found[name].err.message).has "1 other sessions are connected"
      expect(found[name].err.detail).is(wanted)
      expect(found[name].mark).is_nil()
    end
  end), { limit = 60 })
end)

describe("the step refresh_matviews", function()
  it("refreshes what the source has data in, in whatever order they need, and names what fails", both(function(cluster)
    cluster:exec("a", [[create schema app; create table app.t as select 1 as n;
      create function app.total() returns bigint language plpgsql as 'begin return (select sum(n) from a_second); end';
      alter database a set search_path = app, public; set search_path = app, public;
      create materialized view app.a_second as select * from t;
      create materialized view app.a_first as select total() as n;      -- reads a_second, unseen by the catalogue
      create materialized view app.kept_empty as select 1 as n with no data;
      create materialized view app.broken as select 1 / n as n from t;]])
    cluster:create("b", "template a")
    local from, ctx, holder = read_source(cluster)
    holder:close()
    ctx.result.checksum_source = from
    cluster:exec("b", [[refresh materialized view app.a_first with no data;
      refresh materialized view app.a_second with no data; refresh materialized view app.broken with no data;
      update app.t set n = 0;]])
    local done = refresh.run(ctx)
    expect(done.refreshed).same { '"app"."a_second"', '"app"."a_first"' }
    expect(done.failed).same { '"app"."broken"' }
    expect(#ctx.told.warnings).is(1)
    expect(ctx.told.warnings[1]).has '"app"."broken" could not be refreshed: division by zero'
    local conn <close> = cluster:connect "b"
    expect(conn:value "select n from app.a_first").is(0)
    expect(conn:value "select relispopulated from pg_class where relname = 'kept_empty'").is(false)
  end), { limit = 60 })

  it("fails for good when what the restore left to it cannot be refreshed, or is not there", both(function(cluster)
    cluster:exec("a", [[create table t as select 1 as n; create materialized view broken as select 1 / n as n from t;
      create materialized view kept_empty as select 1 as n with no data]])
    cluster:create("b", "template a")
    local from, ctx, holder = read_source(cluster)
    holder:close()
    ctx.result.checksum_source = from
    ctx.result.restore = { mended = { '"public"."broken"', '"public"."kept_empty"', '"public"."gone"' } }
    cluster:exec("b", "refresh materialized view broken with no data; update t set n = 0")
    local err = expect(function() refresh.run(ctx) end):raises "PGO-RESTORE-LOSSY"
    expect(err.message).has "2 of the materialized views"
    expect(err.detail).has '"public"."broken": division by zero'
    expect(err.detail).has '"public"."gone": it is not there'
    local conn <close> = cluster:connect "b"
    -- The restore's word goes before the comparison's: this one has no rows in the sums.
    expect(conn:value "select n from kept_empty").is(1)
  end), { limit = 60 })

  it("gives functions a search_path for the time of a refresh where the server takes the session's away", function()
    clusters.with({ 17 }, function(cluster)
      cluster:create "a"
      cluster:exec("a", [[create schema "Shop %"; create table "Shop %".t as select 7 as n;
        alter database a set search_path = "Shop %", public; set search_path = "Shop %", public;
        create function total(a int) returns bigint language plpgsql as
          'begin return (select sum(n) + a from t); end';
        create function same(int, bigint) returns bool language plpgsql set work_mem = '1MB' as
          'begin return (select $1 = n from t) and $2 > 0; end';
        create operator === (leftarg = int, rightarg = bigint, function = same);
        create view below as select total(1) as n;
        create materialized view fine as select n, 7 === n as same from below with no data;
        create materialized view broken as select total(n / (n - n)) as n from t with no data]])
      cluster:create("b", "template a")
      local ctx = context(cluster, { restore = { mended = { '"Shop %"."fine"' } },
        checksum_source = { search_path = '"Shop %", public', sums = {} } })
      local conn <close> = cluster:connect "b"
      local function settings()
        return conn:value [[select string_agg(proname || coalesce(proconfig::text, ''), ' ' order by proname)
          from pg_proc where pronamespace = '"Shop %"'::regnamespace]]
      end
      local before = settings()
      expect(refresh.run(ctx).refreshed).same { '"Shop %"."fine"' }
      expect(conn:value [[select n || ' ' || same from "Shop %".fine]]).is "8 true"
      expect(settings()).is(before)
      expect(#ctx.told.warnings).is(1)
      expect(ctx.told.warnings[1]).has 'PostgreSQL 17 ignores the search_path of who refreshes'
      expect(ctx.told.warnings[1]).has 'alter function "Shop %".total(a integer) set search_path = "Shop %", public'
      -- Another reason stays one, and the functions are as they were then too.
      ctx.result.restore.mended = { '"Shop %"."broken"' }
      expect(expect(function() refresh.run(ctx) end):raises("PGO-RESTORE-LOSSY").detail).has "division by zero"
      expect(settings()).is(before)
    end)
  end, { limit = 60 })
end)

describe("the step extensions", function()
  it("says why one could not be made, and takes a lost connection for no answer", both(function(cluster)
    cluster:exec("a", "create extension hstore; create extension citext")
    cluster:create "b"
    cluster:exec("b", "create type public.hstore as (n integer)")
    local ctx = context(cluster, {})
    local done = extensions.run(ctx)
    expect(done.names).same { "public.citext" }
    expect(done.missing).same { "hstore" }
    expect(ctx.told.warnings).same { 'not created on the target: hstore (type "hstore" already exists)' }
    ctx.target = { connect = function()
      local conn = cluster:connect "b"
      cluster:exec("b", ("select pg_terminate_backend(%d)"):format(conn.pid))
      return conn
    end }
    expect(function() extensions.run(ctx) end):raises "PGO-PG-LOST"
  end), { limit = 60 })
end)

local FAMILIES = [[
  create table parts (n integer) partition by list (n);
  create table "parts 2" partition of parts for values in (1, 2) partition by list (n);
  create table leaf partition of "parts 2" for values in (1);
  create table other partition of parts default;
  create table parent (n integer); create table child () inherits (parent); create table plain (n integer);
  insert into parts select 1 + 4 * (i % 2) from generate_series(1, 900) as i;
  insert into parent select i from generate_series(1, 10) as i; insert into child select 1;
  insert into plain select 1;]]

local ANALYZED = [[select string_agg(relname || ' ' || analyze_count, ', ' order by relname)
  from pg_stat_user_tables where relname in ('leaf', 'other', 'parent', 'child', 'plain')]]

local OF_ALL = "select string_agg(distinct tablename, ', ' order by tablename) from pg_stats where inherited"

describe("the step analyze", function()
  it("gives every table statistics, partitioned ones too, and names what it may not analyze", both(function(cluster)
    cluster:exec("a", [[create table parts (n integer) partition by list (n);
      create table part partition of parts for values in (1); insert into parts values (1);
      create materialized view names as select name from people;
      create table foreigners (n integer); create role owner login;
      alter table people owner to owner; alter table parts owner to owner; alter table part owner to owner;
      alter materialized view names owner to owner;]])
    cluster:create("b", "template a")
    local ctx = context(cluster, {})
    ctx.target = { connect = function()
      local conn = cluster:connect "b"
      conn:exec "set session authorization owner"
      return conn
    end }
    expect(analyze.run(ctx).tables).is(3)
    expect(#ctx.told.warnings).is(1)
    expect(ctx.told.warnings[1]).has '"public"."foreigners" was not analyzed: '
    expect(ctx.told.warnings[1]).has "skipping"
    local conn <close> = cluster:connect "b"
    expect(conn:value "select string_agg(distinct tablename, ' ') from pg_stats where schemaname = 'public'")
      .is "names part parts people"
  end), { limit = 60 })

  it("reads no table twice, with partitions of partitions and with children, on every major", function()
    local missing = majors.missing(13, 15, 17, 18)
    if missing then skip(missing) end
    clusters.with({ 13, 15, 17, 18 }, function(...)
      for _, cluster in ipairs { ... } do
        cluster:create "b"
        cluster:exec("b", FAMILIES)
        local ctx = context(cluster, {})
        analyze.run(ctx)
        expect(ctx.told.warnings).same {}
        local conn <close> = cluster:connect "b"
        expect(conn:value(ANALYZED)).is "child 1, leaf 1, other 1, parent 1, plain 1"
        expect(conn:value(OF_ALL)).is "parent, parts, parts 2"
      end
    end)
  end, { limit = 100 })
end)
