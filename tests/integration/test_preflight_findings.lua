-- Each finding of the preflight on a database that has what it is about, with its level, what it names and its cure;
-- and none of them on a database that is clean. The role that asks is no superuser, as at a provider.

local checks      = require "pgorch.preflight.source"
local extensions  = require "pgorch.preflight.extensions"
local fs          = require "pgorch.fs"
local locale      = require "pgorch.preflight.locale"
local pg          = require "pgorch.pg"
local pg_client   = require "pgorch.pg_client"
local postgres    = require "support.postgres"
local preflight   = require "pgorch.preflight"
local process     = require "pgorch.process"
local restorable  = require "pgorch.preflight.restorable"
local source      = require "pgorch.source"

local MOVER = "mover"

local server, clean

local function admin(dbname) return pg.connect(server:table { dbname = dbname }) end

-- A database of the mover's, made as `options` say; `sql` is run in it by the superuser.
local function database(name, sql, options)
  do
    local conn <close> = admin()
    conn:exec(("create database %s owner %s %s"):format(pg.ident(name), MOVER, options or ""))
  end
  local conn <close> = admin(name)
  conn:exec("grant create on schema public to " .. MOVER)
  if sql then conn:exec(sql) end
end

local function source_of(dbname)
  return source.new { provider = "test", host = server.host, port = server.port, user = MOVER, password = "m",
                      dbname = dbname, sslmode = "disable" }
end

-- All findings of a database, and what the checks came to know.
local function look(dbname, params, steps)
  local found = preflight.new()
  local facts = checks.check({ source = source_of(dbname), params = params or {},
    recipe = { freezes = {}, has_window = true, steps = steps or { "restore", "refresh_matviews" } } }, found)
  return found.list, facts
end

local function has(list, level, what)
  for _, each in ipairs(list) do
    if each.level == level and (each.id or ""):find(what.id or "", 1, true) and each.what:find(what.what) then
      return each
    end
  end
end

local function show(list)
  local lines = {}
  for _, each in ipairs(list) do
    if each.level ~= "pass" then lines[#lines + 1] = each.level .. " " .. table.concat(preflight.lines(each), "\n") end
  end
  return table.concat(lines, "\n")
end

-- The finding is there, names what it should, and says a fate and a cure; the clean database has none like it.
local function expect_finding(list, wanted)
  local each = has(list, wanted.level, wanted)
  if not each then error(("no %s %s %q in\n%s"):format(wanted.level, wanted.id or "", wanted.what, show(list)), 0) end
  for _, text in ipairs(wanted.detail or {}) do expect(each.detail).has(text) end
  expect(each.fate ~= nil or each.cure ~= nil).is(true)
  if wanted.cure then expect(each.cure).has(wanted.cure) end
  if wanted.fate then expect(each.fate).has(wanted.fate) end
  expect(has(clean, wanted.level, wanted)).is_nil()
end

local CASES = {
  { "a policy for a role", [[create role report; create table "Or""ders" (id int);
      alter table "Or""ders" owner to mover;
      alter table "Or""ders" enable row level security; create policy "own %" on "Or""ders" to report using (true);
      create policy everybody on "Or""ders" to pg_read_all_data using (true)]],
    { level = "fail", id = "PGO-POLICY-ROLE", what = "policy own %% of public.\"Or\"\"ders\" names role report",
      cure = "heroku pg:credentials:create --name report" } },
  { "a policy for a role with a name of its own kind", [[create role "It's odd"; create table t (id int);
      alter table t owner to mover; alter table t enable row level security;
      create policy p on t to "It's odd" using (true)]],
    { level = "fail", id = "PGO-POLICY-ROLE", what = "policy p of public.t names role It's odd",
      cure = [[heroku pg:credentials:create --name 'It'\''s odd'` (not]] } },
  { "a function in an untrusted language",
    [[create function "F%s"() returns int language internal as 'pg_backend_pid']],
    { level = "fail", id = "PGO-NOT-RESTORABLE", what = "1 object can only be made by a superuser",
      detail = { 'function in internal public."F%s"' }, cure = "Drop them" } },
  { "what only a superuser may make", [[create function lp(int) returns bool language sql immutable leakproof
      as 'select true'; create operator class "odd ops" for type int using btree as operator 1 <, operator 2 <=,
      operator 3 =, operator 4 >=, operator 5 >, function 1 btint4cmp(int, int);
      create type pair as (a int); create cast (pair as text) with inout; create type two as enum ('a');
      create domain d as int; create cast (text as bytea) without function]],
    { level = "fail", id = "PGO-NOT-RESTORABLE", what = "3 objects can only be made by a superuser",
      detail = { "leakproof function public.lp", 'operator class public."odd ops"',
        "cast without a function text as bytea" } } },
  { "functions, families, casts, transforms and aggregates that only a superuser may make", [[
      create extension pg_trgm; create function f1() returns int language sql set session_replication_role = 'replica'
      as 'select 1'; create function "F%2"() returns int language sql set "app.user" = '5' set work_mem = '5MB'
      as 'select 1'; create function f3() returns int language sql set log_min_duration_statement = 5 as 'select 1';
      create function fine() returns int language sql set work_mem = '5MB' set pg_trgm.similarity_threshold = '0.5'
      set "TimeZone" = 'UTC' as 'select 1';
      create function in_range(int) returns bool language sql immutable strict as 'select true';
      alter function in_range(int) support generate_series_int4_support;
      create function raw(text) returns bytea language sql as 'select null::bytea';
      create cast (text as bytea) with function raw(text); create operator family "fam %" using btree;
      create type own as (a int); create function own_text(own) returns text language sql as 'select null::text';
      create cast (own as text) with function own_text(own);
      create aggregate joined(text, text) (sfunc = string_agg_transfn, stype = internal, finalfunc =
        string_agg_finalfn);
      create transform for int language sql (from sql with function prsd_lextype(internal),
        to sql with function int4recv(internal))]],
    { level = "fail", id = "PGO-NOT-RESTORABLE", what = "8 objects can only be made by a superuser",
      detail = { "function that sets session_replication_role public.f1", 'function that sets app.user public."F%2"',
        "function that sets log_min_duration_statement public.f3", "function with a support function public.in_range",
        "cast between types that are not the user's text as bytea", 'operator family public."fam %"',
        "aggregate over internal public.joined", "transform for integer language sql" }, refused = 8 } },
  { "an event trigger", [[create function et() returns event_trigger language plpgsql as 'begin end';
      create event trigger "Watch" on ddl_command_end execute function et()]],
    { level = "fail", id = "PGO-NOT-RESTORABLE", what = "superuser", detail = { "event trigger Watch" } } },
  { "a foreign data wrapper of one's own", "create foreign data wrapper odd",
    { level = "fail", id = "PGO-NOT-RESTORABLE", what = "superuser", detail = { "foreign data wrapper odd" } } },
  { "foreign servers", [[create extension postgres_fdw; create role far;
      create server "S 1" foreign data wrapper postgres_fdw options (host 'db.example', dbname 'd');
      create foreign table ft (a int) server "S 1";
      create user mapping for far server "S 1" options (password 'hush')]],
    { level = "warn", what = "3 objects of foreign data wrappers",
      detail = { "server S 1 host=db.example", "foreign table public.ft of S 1" }, cure = "Heroku can reach" },
    { level = "fail", id = "PGO-NOT-RESTORABLE", what = "1 user mapping for roles", detail = { "far on S 1" },
      cure = "--sql not-carried" } },
  { "an unlogged table", "create unlogged table u (a int)",
    { level = "warn", what = "1 unlogged table", detail = { "public.u" }, cure = "set logged" } },
  { "an invalid index", [[create table t (a int); create index "bad one" on t (a);
      update pg_index set indisvalid = false where indexrelid = '"bad one"'::regclass]],
    { level = "warn", what = "1 invalid index", detail = { 'public."bad one"' }, cure = "reindex" } },
  { "another owner", "create role other; create table t (a int); alter table t owner to other",
    { level = "warn", what = "1 owner that is another role", detail = { "other, of 1 objects" }, cure = "owner to" } },
  { "a table that cannot be read", "create table t (a int); revoke all on t from public",
    { level = "fail", id = "PGO-UNREADABLE", what = "tables or sequences that cannot be read: 1",
      detail = { "public.t" }, cure = "SELECT" } },
  { "a large object that cannot be read", "select lo_create(4711); select lo_create(4712); "
      .. "grant select on large object 4712 to mover",
    { level = "fail", id = "PGO-UNREADABLE", what = "1 large object cannot be read", detail = { "4711 of postgres" },
      cure = "grant select on large object" } },
  { "row security that hides rows", [[create table t (a int); alter table t enable row level security;
      grant select on t to mover]],
    { level = "fail", id = "PGO-ROW-SECURITY", what = "row security hides rows", detail = { "public.t" },
      cure = "BYPASSRLS" } },
  { "an extension that Heroku is not known to offer", [[create extension seg; create table t (s seg, at int);
      create view v as select s from t]],
    { level = "warn", what = "not known to be offered by Heroku: seg",
      detail = { "seg is used by column s of table public.t", "seg is used by column s of view public.v" },
      cure = "drop the extension" } },
  { "an index on an expression that needs a search_path", [[create function helper(text) returns text language sql
      immutable as 'select lower($1)'; create function norm(text) returns text language sql immutable
      as 'select helper($1)'; create table t (a text); create index "i%" on t (norm(a))]],
    { level = "fail", id = "PGO-SEARCH-PATH", what = "cannot be made with an empty search_path: 1 object",
      detail = { 'index public."i%": ', "helper" }, cure = "set search_path" },
    { level = "warn", id = "PGO-SEARCH-PATH", what = "1 function that the restore calls",
      detail = { 'public.norm names helper without a schema; used by index public."i%"' } } },
  { "a generated column and a check that need one", [[create function helper(int) returns int language sql immutable
      as 'select $1 + 1'; create function plus(int) returns int language sql immutable as 'select helper($1)';
      create table t (a int, b int generated always as (plus(a)) stored, constraint c check (plus(a) > 0));
      insert into t values (1)]],
    { level = "fail", id = "PGO-SEARCH-PATH", what = "2 objects",
      detail = { "generated column public.t.b", "check public.t c" } } },
  { "a materialized view whose function needs one", [[create table goods as select 1 as n;
      create function all_goods() returns bigint language plpgsql as 'begin return (select count(*) from goods); end';
      create view between_them as select all_goods() as n; create materialized view m as select * from between_them]],
    { level = "warn", id = "PGO-SEARCH-PATH", what = "1 function that the restore calls may need a search_path",
      detail = { "public.all_goods names goods without a schema; used by view public.between_them" },
      fate = "if it is right, the restore leaves their data out; refreshed after the restore",
      cure = "alter function NAME set search_path" } },
  { "a materialized view that only its refresh needs one for", [[create table goods as select 1 as n;
      create function all_goods() returns bigint language sql as 'select count(*) from goods';
      create materialized view "M %" as select all_goods() as n]],
    { level = "warn", id = "PGO-SEARCH-PATH", what = "1 materialized view cannot be refreshed with an",
      detail = { 'materialized view public."M %": relation "goods" does not exist' },
      fate = "refreshed after the restore", cure = "PostgreSQL 17" } },
  { "a materialized view that cannot even be made without one", [[create extension hstore;
      create table goods (a hstore, b hstore);
      create materialized view odd as select a is distinct from b as other from goods]],
    { level = "fail", id = "PGO-SEARCH-PATH", what = "cannot be made with an empty search_path: 1 object",
      detail = { "materialized view public.odd: operator does not exist" }, cure = "set search_path" } },
  { "bodies that name types, operators, dictionaries, collations, rows, and what other bodies call", [=[
      create extension pg_trgm; create extension unaccent; create type "St %" as enum ('a');
      create collation mine (provider = libc, locale = 'C'); create table lk (a int); insert into lk values (1);
      create table t (id int, s text); insert into t values (1, 'a');
      do $do$ declare body text[]; begin
        foreach body slice 1 in array array[['f_type', 'begin return ($1::"St %")::text; end'],
          ['f_cast', 'begin return cast(lower($1) as "St %")::text; end'],
          ['f_row', 'declare r lk; begin return $1; end'],
          ['f_rowtype', 'declare r lk%rowtype; begin return $1; end'],
          ['f_column', 'declare r lk.a%type; begin return $1; end'], ['f_like', 'begin return $1 % ''abd''; end'],
          ['f_words', 'begin return public.unaccent(''unaccent'', $1); end'],
          ['f_order', 'begin return $1 < ''b'' collate mine; end'],
          ['f_list', 'begin return (select count(*) from public.lk x, lk) || $1; end'],
          ['f_name', 'begin return ''lk''::regclass::oid || $1; end'],
          ['g', 'begin return (select a from lk) || $1; end'],
          ['f_calls', 'begin return public.g($1); end']] loop
          execute format('create function %s(text) returns text language plpgsql immutable as %L', body[1], body[2]);
          if body[1] <> 'g' then execute format('create index %s on t (%1$s(s))', body[1]); end if;
        end loop;
      end $do$;
      create function apart(float8, float8) returns float8 language plpgsql immutable
        as 'begin return (select a from lk) + $1 - $2; end';
      create type span as range (subtype = float8, subtype_diff = apart);
      create table spans (s span); insert into spans select span(n, n + 1) from generate_series(1, 1000) n;
      create index i_span on spans using gist (s)]=],
    { level = "warn", id = "PGO-SEARCH-PATH", what = "12 functions that the restore calls may need a search_path",
      detail = { "public.f_type names St % without", "public.f_cast names St % without",
        "public.f_like names % without",
        "public.f_row names lk without", "public.f_rowtype names lk without", "public.f_column names lk without",
        "public.f_words names unaccent without", "public.f_order names mine without", "public.f_list names lk without",
        "public.f_name names lk without", "public.g names lk without a schema; used by function public.f_calls",
        "public.apart names lk without a schema; used by range type public.span" },
      said = { "INDEX f_type ", "INDEX f_cast ", "INDEX f_row ", "INDEX f_rowtype ", "INDEX f_column ", "INDEX f_like ",
        "INDEX f_words ", "INDEX f_order ", "INDEX f_list ", "INDEX f_name ", "INDEX f_calls ", "INDEX i_span " } } },
  { "a partition key, and an index by an operator, that need one", [[create table lk (a int);
      create function helper(int) returns int language sql immutable as 'select $1 + 1';
      create function plus(int) returns int language sql immutable as 'select helper($1)';
      create function other(int) returns int language plpgsql immutable
        as 'begin return (select count(*) from lk) * 0 + $1; end';
      create function both_of(int, int) returns int language sql immutable as 'select helper($1 + $2)';
      create operator @@@ (leftarg = int, rightarg = int, function = both_of);
      create table pt (a int) partition by range (plus(a));
      create table pt1 partition of pt for values from (0) to (9);
      create table po (a int) partition by range (other(a));
      create table po1 partition of po for values from (0) to (9);
      insert into pt values (1); insert into po values (1); create index i_op on po1 ((a @@@ 2))]],
    { level = "fail", id = "PGO-SEARCH-PATH", what = "cannot be made with an empty search_path: 2 objects",
      detail = { "partition key public.pt: function helper", "index public.i_op: function helper" },
      said = { "helper(integer) does not exist", "INDEX i_op ", 'COPY failed for table "po1"' } },
    { level = "warn", id = "PGO-SEARCH-PATH", what = "3 functions that the restore calls",
      detail = { "public.other names lk without a schema; used by partition key of public.po",
        "public.both_of names helper without a schema; used by index public.i_op" } } },
  { "a materialized view over an aggregate and an operator whose functions need one", [[
      create table goods as select 1 as n;
      create function sf(int, int) returns int language plpgsql as 'begin return (select max(n) from "goods"); end';
      create function of_op(int, int) returns int language plpgsql as 'begin return (select max(n) from goods); end';
      create aggregate ag(int) (sfunc = sf, stype = int); create operator @@@ (leftarg = int, rightarg = int,
      function = of_op); create materialized view m1 as select ag(n) from goods;
      create materialized view m2 as select n @@@ 2 from goods]],
    { level = "warn", id = "PGO-SEARCH-PATH", what = "2 functions that the restore calls may need a search_path",
      detail = { "public.sf names goods without a schema; used by view public.m1",
        "public.of_op names goods without a schema; used by view public.m2" },
      fate = "refreshed after the restore", said = { "VIEW public.m1", "VIEW public.m2" } } },
  { "collations of its own", [[create collation "Any Case" (provider = icu, locale = 'und-u-ks-level2',
      deterministic = false); create table t (a text collate "Any Case", b text collate "de-x-icu")]],
    { level = "warn", what = "2 collations beside the database's own, 1 of them not deterministic",
      detail = { 'public."Any Case" (icu, made here)', 'pg_catalog."de-x-icu" (icu)' }, cure = "ICU" } },
  { "a logical replication slot", "select pg_create_logical_replication_slot('feed', 'pgoutput')",
    { level = "warn", what = "1 logical replication slot", detail = { "feed (pgoutput)" }, cure = "consumers" } },
}

-- What pg_restore complains of when that database is dumped and restored, by a superuser or a role.
local function complaints(dbname, role)
  local again, archive = dbname .. " again", server.dir .. "/" .. dbname .. ".dump"
  do
    local conn <close> = admin()
    conn:exec(("create database %s owner %s"):format(pg.ident(again), role or "postgres"))
  end
  local function client(argv)
    argv[1] = server.client .. "/" .. argv[1]
    argv.env, argv.env_clear, argv.check = pg_client.environment(pg.env(server:table { dbname = dbname }, server.dir)),
      true, false
    return process.run(argv).stderr
  end
  expect(client { "pg_dump", "-Fc", "-f", archive }).is ""
  return client { "pg_restore", "--no-owner", "--role=" .. (role or "postgres"), "-d", again, archive }
end

local LEFT_BEHIND = [[
  create role grp nologin; create role "Rep Ort" login password 'x'; grant grp to "Rep Ort";
  comment on role grp is 'the readers'; alter role grp set statement_timeout = '5s';
  create table t (a int); grant select on t to grp; alter default privileges grant select on tables to grp;
  create function f() returns int language sql as 'select 1'; revoke execute on function f from public;
  create publication news for table t;
  create subscription old connection 'host=x password=hush' publication p with (connect = false, slot_name = none);
  alter default privileges for role mover grant select on tables to grp;
  set allow_system_table_mods = on;
  insert into pg_seclabel values ('t'::regclass, 'pg_class'::regclass, 0, 'dummy', 'secret')]]

describe("the preflight of a source", function()
  it("finds nothing in a clean database, as no superuser", function()
    server = postgres.start { settings = { max_prepared_transactions = 5, wal_level = "logical" } }
    do
      local conn <close> = admin()
      conn:exec(("create role %s login password 'm'"):format(MOVER))
    end
    database("clean", [[set role mover; create table t (id int primary key, word text check (length(word) > 1),
      twice int generated always as (id * 2) stored); create index on t (lower(word)) where id > 3;
      create function qualified() returns bigint language sql as 'select count(*) from public.t';
      create function guarded() returns bigint language sql set search_path = public as 'select count(*) from t';
      create materialized view m as select public.qualified() as n, public.guarded() as g;
      create extension hstore; select lo_create(1)]])
    clean = look "clean"
    expect(show(clean)).is ""
    expect(#clean).above(20)
  end)

  for i, case in ipairs(CASES) do
    it("finds " .. case[1], function()
      database("case" .. i, case[2])
      local list = look("case" .. i)
      for at = 3, #case do expect_finding(list, case[at]) end
      expect(show(list)).lacks "hush"
    end)
  end

  it("no longer finds an expression whose function was given a search_path", function()
    database("cured", [[create function helper(text) returns text language sql immutable as 'select lower($1)';
      create function norm(text) returns text language sql immutable as 'select helper($1)';
      create table t (a text); create index i on t (norm(a)); alter function norm set search_path = public;
      -- What it calls has its search_path, comments name nothing, and an own operator is not meant by numbers.
      create extension pg_trgm; create type status as enum ('a'); insert into t values ('a');
      create function outer_one(text) returns text language plpgsql immutable set search_path = public
        as 'begin return public.norm(public.inner_one($1)); end';
      create function inner_one(text) returns text language plpgsql immutable
        as 'declare r t; begin return helper($1); end';
      create function length_of(n int) returns int language plpgsql immutable
        as 'declare status text; /* from t */ begin raise debug ''% %'', n, n; return n % 2; -- cast(n as status)
          end';
      create index i2 on t (outer_one(a)); create index i3 on t (length_of(length(a)));
      create table parts (a int) partition by list (length_of(a)); create table p1 partition of parts for values in (1);
      insert into parts values (1)]])
    expect(show(look "cured")).lacks "PGO-SEARCH-PATH"
  end)

  it("is right about the search_path: a real restore complains of the same objects, and of no others", function()
    local asked = 0
    for i, case in ipairs(CASES) do
      if (case[3].id or "") == "PGO-SEARCH-PATH" then
        asked = asked + 1
        local said = complaints("case" .. i)
        expect(said).matches "does not exist"
        -- What is called a matter of the refresh fails nowhere else.
        local of_refresh = case[3].what:find "materialized view cannot be refreshed" or case[3].fate
        local commands = select(2, said:gsub("Command was: ", ""))
        local refreshes = select(2, said:gsub("Command was: REFRESH MATERIALIZED VIEW ", ""))
        if of_refresh then expect(refreshes).is(commands) else expect(refreshes).below(commands) end
        for _, text in ipairs(case[3].said or {}) do expect(said).has(text) end
      end
    end
    expect(asked).is(8)
    expect(complaints "cured").is ""
    expect(complaints "clean").is ""
  end)

  it("is right about superusers: a restore by the owner of a database is refused the same number of objects", function()
    local asked = 0
    for i, case in ipairs(CASES) do
      if case[3].refused then
        asked = asked + 1
        local said = complaints("case" .. i, MOVER)
        expect(select(2, said:gsub("Command was: ", ""))).is(case[3].refused)
        expect(said).matches("errors ignored on restore: " .. case[3].refused)
      end
    end
    expect(asked).is(1)
  end)

  it("calls it a failure in a recipe that refreshes nothing after the restore", function()
    for i, case in ipairs(CASES) do
      if case[3].fate then
        local list = look("case" .. i, {}, { "restore", "verify" })
        local each = has(list, "fail", { id = "PGO-SEARCH-PATH", what = "cannot be made with an empty search_path" })
          or has(list, "warn", { id = "PGO-SEARCH-PATH", what = "functions? that the restore calls?" })
        expect(each.fate).has "restore"
        expect(each.fate).matches "refuse"
        expect(each.fate).lacks "refreshed"
      end
    end
  end)

  it("lists by kind what stays behind, and none of its passwords", function()
    database("left", LEFT_BEHIND)
    local list = look "left"
    for _, what in ipairs { "%d+ roles", "1 role membership", "1 setting", "1 grant$",
      "1 privilege taken from PUBLIC", "1 default privilege", "1 publication", "1 subscription", "1 security label",
      "1 comment" } do
      expect_finding(list, { level = "warn", what = "left behind: " .. what, cure = "--sql not-carried" })
    end
    expect(show(list)).lacks "hush"
  end)

  it("finds objects in a tablespace", function()
    local dir = server.dir .. "/space"
    fs.mkdir(dir)
    if server.owner then fs.chown(dir, server.owner) end
    do
      local conn <close> = admin()
      conn:exec(("create tablespace fast location %s"):format(pg.literal(dir)))
    end
    database("spaced", "create table t (a int) tablespace fast")
    expect_finding(look "spaced", { level = "warn", what = "1 object in tablespaces", detail = { "public.t in fast" } })
  end)

  it("refuses SQL_ASCII unless told that all of it is UTF-8, and names other encodings", function()
    database("ascii", nil, "encoding 'SQL_ASCII' template template0 lc_collate 'C' lc_ctype 'C'")
    expect_finding(look "ascii", { level = "fail", id = "PGO-ENCODING", what = "SQL_ASCII",
      cure = "--allow-sql-ascii" })
    expect_finding(look("ascii", { allow_sql_ascii = true }), { level = "warn", what = "SQL_ASCII" })
    database("latin", nil, "encoding 'LATIN1' template template0 lc_collate 'C' lc_ctype 'C'")
    expect_finding(look "latin", { level = "warn", what = "the encoding is LATIN1; Heroku's is UTF8" })
  end)

  it("finds a collation whose version has changed under the database", function()
    database("icu", nil, "template template0 locale_provider icu icu_locale 'de' lc_collate 'C' lc_ctype 'C'")
    expect(show(look "icu")).lacks "was version"
    do
      local conn <close> = admin()
      conn:exec "update pg_database set datcollversion = '1.2.3' where datname = 'icu'"
    end
    expect_finding(look "icu", { level = "warn", what = "the collation icu de was version 1.2.3", cure = "REINDEX" })
  end)

  it("finds other databases, and prepared transactions", function()
    database("prepared", "create table t (a int)")
    do
      local conn <close> = admin "prepared"
      conn:exec "begin"
      conn:exec "insert into t values (1)"
      conn:exec "prepare transaction 'later'"
    end
    local list = look "prepared"
    expect_finding(list, { level = "fail", id = "PGO-PREPARED", what = "1 prepared transaction",
      detail = { "later of" }, cure = "COMMIT PREPARED" })
    expect_finding(list, { level = "warn", what = "not moved: %d+ other databases", detail = { "case1" },
      cure = "--dbname" })
  end)

  it("finds clients, transactions that are open for long, locks, and sessions that it cannot look into", function()
    database("busy", "create table t (a int); grant all on t to mover; create materialized view m as select * from t")
    local idle <close> = pg.connect(server:table { dbname = "busy", user = MOVER, password = "m" },
      { application_name = "mailer" })
    idle:exec "begin; select 1"
    local other <close> = pg.connect(server:table { dbname = "busy" }, { application_name = "nightly" })
    other:exec "begin; lock table t in access exclusive mode"
    local limit = checks.LIMITS["pgorch.long_transaction"]
    checks.LIMITS["pgorch.long_transaction"] = "0 s"
    local _ <close> = setmetatable({}, { __close = function() checks.LIMITS["pgorch.long_transaction"] = limit end })
    local list = look "busy"
    expect_finding(list, { level = "warn", what = "open for more than five minutes: 1 transaction",
      detail = { "mover, mailer: idle in transaction for 0 minutes" }, cure = "pg_terminate_backend" })
    expect_finding(list, { level = "warn", what = "1 session of other roles cannot be looked into",
      cure = "pg_read_all_stats" })
    expect_finding(list, { level = "warn", what = "1 lock would keep the dump waiting",
      detail = { "public.t: ACCESS EXCLUSIVE held by pid " .. other.pid }, cure = "let it end" })
    expect_finding(list, { level = "warn", what = "connected to the source: 2 sessions", detail = { "mailer (mover" } })
    -- What waits for that lock is not known, and not passed.
    expect_finding(list, { level = "warn",
      what = "search_path of expressions: could not be told, somebody holds a lock",
      detail = { "lock timeout" }, cure = "run the check again" })
  end)

  it("turns a query that takes too long into a warning, never a pass", function()
    local conn <close> = source_of("clean"):connect { settings = { statement_timeout = "50ms" } }
    local found = preflight.new()
    found:ask("naps", function()
      conn:value "select pg_sleep(20)"
      found:pass "no naps"
    end)
    expect(found:count "pass").is(0)
    expect(found.list[1].level).is "warn"
    expect(found.list[1].what).is "naps: could not be told, it took too long"
    expect(function() found:ask("nonsense", conn.value, conn, "selec") end):raises "PGO-PG-QUERY"
  end)
end)

describe("a target that is there", function()
  it("is asked for the extensions and collations that the source uses", function()
    database("wide", [[create extension seg; create table t (s seg, a text collate "de-x-icu")]])
    database("narrow", nil, "template template0 lc_collate 'C' lc_ctype 'C'")
    local _, facts = look "wide"
    local function compare(dbname, sql)
      local found, conn <close> = preflight.new(), admin(dbname)
      if sql then conn:exec(sql) end
      extensions.compare(found, facts, conn, function(fn)
        local asked <close> = source_of "wide":connect { settings = checks.LIMITS }
        return fn(asked)
      end)
      locale.compare(found, facts, conn)
      return found.list
    end
    expect(show(compare "wide")).is ""
    local list = compare("narrow", [[set rds.allowed_extensions = 'hstore';
      delete from pg_collation where collname = 'de-x-icu']])
    expect_finding(list, { level = "fail", id = "PGO-EXTENSION", what = "seg",
      detail = { "column s of table public.t" } })
    expect_finding(list, { level = "fail", id = "PGO-COLLATION", what = "the target has not: de%-x%-icu" })
    expect_finding(list, { level = "warn", what = "by libc C.UTF%-8 on the source, by libc C on the target" })
  end)

  it("may have the role of a policy already", function()
    local conn <close> = source_of("case1"):connect()
    local function policies(roles)
      local found = preflight.new()
      local target = { connect = function() return setmetatable({ query = function() return roles end },
        { __close = function() end }) end }
      restorable.policies({ params = { database = "DATABASE" }, target = target }, found, nil, conn)
      return found:count "fail"
    end
    expect(policies { { name = "report" } }).is(0)
    expect(policies { { name = "somebody" } }).is(1)
    expect(policies {}).is(1)                            -- the predefined role of the other policy is everywhere
  end)

  it("stops its server", function() server:close() end)
end)
