-- The checksum of a table, on real servers of every major: the same for the same rows whatever the settings and the
-- encoding, another one for any other rows, and of one moment however many connections read it.

local clusters  = require "support.clusters"
local pieces    = require "pgorch.pieces"
local content   = require "pgorch.verify.content"
local fs        = require "pgorch.fs"
local majors    = require "support.majors"
local pg        = require "pgorch.pg"
local row_hash  = require "pgorch.verify.row_hash"
local sequences = require "pgorch.verify.sequences"
local snapshot  = require "pgorch.verify.snapshot"
local verify    = require "pgorch.verify"

-- Of every type that is taken as comparable: values that differ, each of which must have a checksum of its own.
local VALUES = {
  bit = { "0", "1" }, bool = { "t", "f" }, box = { "(1,1),(0,0)", "(1.5,2),(0,0)" },
  bpchar = { "a", "b", "ä" }, bytea = { "\\x", "\\x00", "\\xff00" }, char = { "a", "b", "\\" },
  cid = { "1", "2" }, cidr = { "10.0.0.0/8", "10.0.0.0/16", "::/0" }, circle = { "<(0,0),1>", "<(0,0),1.5>" },
  date = { "infinity", "-infinity", "2024-02-29", "0044-03-15 BC" },
  float4 = { "0", "-0", "NaN", "Infinity", "1.17549435e-38", "0.1", "0.10000001" },
  float8 = { "0", "-0", "NaN", "-Infinity", "5e-324", "0.1", "0.30000000000000004", "0.3" },
  inet = { "10.0.0.1", "10.0.0.1/8", "::1" }, int2 = { "-32768", "1" }, int2vector = { "1 2", "2 1" },
  int4 = { "-2147483648", "1" }, int8 = { "-9223372036854775808", "9007199254740993", "9007199254740992" },
  interval = { "1 mon", "30 days", "720:00:00", "-1 mon +3 days -04:05:06.789" },
  json = { '{"a":1,"b":2}', '{"b":2,"a":1}', '{"a": 1,"b":2}' }, jsonb = { '{"a": 1}', '{"a": 1.0}', '[]', "null" },
  jsonpath = { "$.a", "$.b" }, line = { "{1,2,3}", "{1,2,4}" }, lseg = { "[(0,0),(1,1)]", "[(0,0),(1,2)]" },
  macaddr = { "08:00:2b:01:02:03", "08:00:2b:01:02:04" },
  macaddr8 = { "08:00:2b:01:02:03:04:05", "08:00:2b:01:02:03:04:06" },
  money = { "1234.50", "-1234.50", "0.01" }, name = { "a", "A" },
  numeric = { "1.0", "1.00", "NaN", "123456789012345678901234567890.000000000012345" }, oid = { "1", "4294967295" },
  oidvector = { "1 2", "2 1" }, path = { "((0,0),(1,1))", "[(0,0),(1,1)]" }, pg_lsn = { "0/1", "1/0" },
  pg_snapshot = { "10:20:", "10:20:14" }, point = { "(1.5,-2)", "(NaN,0)" },
  polygon = { "((0,0),(1,1))", "((0,0),(1,2))" }, refcursor = { "a", "b" }, regclass = { "pg_class", "public.things" },
  regcollation = { '"C"', '"POSIX"' }, regconfig = { "english", "german" }, regdictionary = { "simple", "german_stem" },
  regnamespace = { "public", "pg_catalog" }, regoper = { "pg_catalog.||/", "pg_catalog.|/" },
  regoperator = { "+(integer,integer)", "-(integer,integer)" },
  regproc = { "pg_catalog.now", "public.made" }, regprocedure = { "abs(integer)", "public.made()" },
  regrole = { "postgres", "pg_monitor" }, regtype = { "integer", "public.mood" },
  text = { "", "a", "a ", "NULL", "ä", "\\", '"', ",", "(", "🐘", "a\nb" }, tid = { "(0,1)", "(1,0)" },
  time = { "24:00", "00:00", "12:34:56.789" },
  timestamp = { "infinity", "-infinity", "2024-10-27 02:30", "0001-01-01 BC", "2024-01-02 03:04:05.000001" },
  timestamptz = { "infinity", "2024-10-27 02:30+02", "2024-10-27 02:30+01", "294276-12-31 23:59:59.999999+00" },
  timetz = { "00:00+14", "00:00-12", "23:59:59.999999+00" }, tsquery = { "a & b", "a | b", "'a b'" },
  tsvector = { "a:1 fat:2,4", "a:1A fat:2,4", "a fat" }, txid_snapshot = { "10:20:", "10:20:14" },
  uuid = { "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff" },
  varbit = { "", "1", "10" }, varchar = { "", "a", "a " }, xid = { "1", "2" }, xid8 = { "1", "18446744073709551615" },
  xml = { "<a/>", "<a></a>", "x<!-- y -->" },
  -- of extensions
  citext = { "a", "A" },
  cube = { "(1,2),(3,4)", "(1,2)", "(0.1)" }, hstore = { "a=>1", 'a=>"1 "', "a=>NULL", '""=>""' },
  ltree = { "a.b", "a.c" }, lquery = { "a.*", "a.*{1}" }, ltxtquery = { "a & b", "a | b" },
}
local EXTENSIONS = { "citext", "cube", "hstore", "ltree" }

-- What is built from them, the traps of arrays and of composites with a dropped attribute among them.
local MADE = [[
  create table public.things (id integer);
  create type public.mood as enum ('sad', 'happy');
  create function public.made() returns integer language sql as 'select 1';
  create domain public.short as text check (length(value) < 9);
  create type public.pair as (gone integer, a text, b public.mood[]);
  alter type public.pair drop attribute gone;
  create type public.span as range (subtype = numeric);
  create table public.made (n integer, d public.short, p public.pair, pp public.pair[], s public.span, i int4range,
    a integer[], m text[][], b bytea[]);
  insert into public.made values
    (1, null, null, null, null, null, null, null, null),
    (2, '', row(null, null), array[]::public.pair[], 'empty', 'empty', '{}', '{}', '{}'),
    (3, 'x', row('', null), array[row('', null)::public.pair], '[1.0,2)', '[1,10)', '[0:1]={1,2}', '{{a,NULL}}',
     '{""}'),
    (4, 'x', row('"', '{sad}'), array[null::public.pair], '[1.00,2)', '(,)', '{1,2}', '{{a,"NULL"}}', '{\\x00}');]]

local MADE_SINCE_14 = [[
  create table public.multi (i int4multirange, s nummultirange);
  insert into public.multi values ('{}', '{[1.0,2)}'), ('{[1,3),[5,7)}', '{[1.00,2),[3,)}');]]

-- Each setting that changes how a value is written, as no other server has it.
local STRANGE = [[
  alter database %s set datestyle = 'German, DMY'; alter database %s set intervalstyle = 'iso_8601';
  alter database %s set timezone = 'Pacific/Chatham'; alter database %s set extra_float_digits = -3;
  alter database %s set bytea_output = 'escape'; alter database %s set search_path = 'nowhere, public';
  alter database %s set quote_all_identifiers = on; alter database %s set xmloption = 'document';
  alter database %s set row_security = on;]]

local function load(cluster, dbname)
  local conn <close> = cluster:connect(dbname)
  for _, name in ipairs(EXTENSIONS) do conn:exec("create extension " .. name) end
  conn:exec(MADE)
  if cluster.major >= 14 then conn:exec(MADE_SINCE_14) end
  conn:exec "set bytea_output = 'hex'; set datestyle = 'ISO, YMD'; set search_path = public, pg_catalog"
  for type, list in pairs(VALUES) do
    local name = pg.ident("type " .. type)
    conn:exec(("create table %s (v %s)"):format(name, type == "char" and '"char"' or type))
    for _, value in ipairs(list) do conn:exec(("insert into %s values (%s)"):format(name, pg.literal(value))) end
    conn:exec(("insert into %s values (null)"):format(name))
  end
end

-- Of a server that has room for some hundreds of locks.
local FEW_LOCKS = { max_locks_per_transaction = "10", max_connections = "20" }

local HASHES = { row_hash.SHA256, row_hash.INTERNAL }

local function sums_of(cluster, dbname, jobs, hash)
  local at <close> = snapshot.open(cluster:opener(dbname))
  return content.sums(at, { content = true, jobs = jobs, hash = hash })
end

local function chosen(cluster, dbname)
  local at <close> = snapshot.open(cluster:opener(dbname))
  return row_hash.choose(at.conn)
end

-- The types of sql/columns.sql.
local function proven()
  local sql, names = fs.read "lua/pgorch/sql/columns.sql", {}
  local pg_types = sql:match "string_to_array%((.-), ' '%)%) as type"
  for line in pg_types:gmatch "'([^']*)'" do
    for name in line:gmatch "%S+" do names[#names + 1] = name end
  end
  for name in sql:match "string_to_array%('([^']*)', ' '%)%) as name":gmatch "%S+" do
    names[#names + 1] = name:match "%.(.*)"
  end
  table.sort(names)
  return names
end

local function expect_told_apart(cluster, dbname, hash)
  local conn <close> = cluster:opener(dbname) { settings = snapshot.SETTINGS }
  for type, list in pairs(VALUES) do
    local sql = "select count(distinct %s) from only public.%s as pgorch_row"
    local distinct = conn:value(sql:format(row_hash.sql(hash, "pgorch_row.v"), pg.ident("type " .. type)))
    if distinct ~= #list + 1 then error(("%s: %d of %d values differ"):format(type, distinct, #list + 1), 0) end
  end
end

local function expect_same(wanted, got, who)
  local count = 0
  for key, one in pairs(wanted) do
    count = count + 1
    if one.error then error(("%s: %s"):format(key, one.error), 0) end
    if one.not_comparable then error(("%s: %s is not comparable"):format(key, one.not_comparable[1]), 0) end
    if not got[key] then error(("%s: %s is missing"):format(who, key), 0) end
    if got[key].sum ~= one.sum or got[key].rows ~= one.rows then
      error(("%s: %s has another sum %s"):format(who, key, got[key].error or ""), 0)
    end
  end
  expect(count).above(60)
end

describe("the checksum", function()
  it("is the same on every major whatever the settings, and tells every two values apart", function()
    local missing = majors.missing(table.unpack(majors.ALL))
    if missing then skip(missing) end
    local listed, tried = proven(), {}
    for name in pairs(VALUES) do tried[#tried + 1] = name end
    table.sort(tried)
    expect(tried).same(listed)                        -- no type is comparable without a test
    clusters.with(majors.ALL, function(...)
      local references = { {}, {} }
      for _, cluster in ipairs { ... } do
        cluster:create "a"
        load(cluster, "a")
        if cluster.major % 2 == 0 then cluster:exec("postgres", (STRANGE:gsub("%%s", "a"))) end
        expect({ cluster.major, chosen(cluster, "a") }).same { cluster.major, row_hash.INTERNAL }
        for i, hash in ipairs(HASHES) do
          expect_told_apart(cluster, "a", hash)
          local sums, reference = sums_of(cluster, "a", 2, hash), references[i]
          for key, one in pairs(sums) do reference[key] = reference[key] or one end
          expect_same(reference, sums, ("PostgreSQL %d, %s"):format(cluster.major, hash))
        end
      end
    end)
  end, { limit = 100 })

  it("is the same in every encoding of a database", function()
    clusters.with({ 15 }, function(cluster)
      local texts = "create table words as select unnest(array['Größe', 'naïve', '']) as word;"
      local encodings = { utf = "UTF8", latin = "LATIN1", latin9 = "LATIN9", win = "WIN1252" }
      local sums = {}
      for name, encoding in pairs(encodings) do
        cluster:create(name, ("encoding '%s' template template0 lc_collate 'C' lc_ctype 'C'"):format(encoding))
        cluster:exec(name, texts)
        sums[name] = sums_of(cluster, name)['"public"."words"']
      end
      for name in pairs(encodings) do expect(sums[name]).same { rows = 3, sum = sums.utf.sum } end
      expect({ chosen(cluster, "utf") }).same { row_hash.INTERNAL }
      expect({ chosen(cluster, "latin") }).same { row_hash.SHA256, "the encoding is LATIN1" }
      -- Bytes that are no text in UTF-8 cannot be moved: that is said, and no sum is made up.
      cluster:create("ascii", "encoding 'SQL_ASCII' template template0 lc_collate 'C' lc_ctype 'C'")
      cluster:exec("ascii", "create table words as select convert_from('\\xff', 'SQL_ASCII') as word")
      local bad = sums_of(cluster, "ascii")['"public"."words"']
      expect(bad.error).has "invalid byte sequence"
      expect(bad.sum).is_nil()
    end)
  end, { limit = 60 })

  it("does not depend on the order of rows and columns, and sees each row, NULL and repetition", function()
    clusters.with({ 15 }, function(cluster)
      cluster:create "a"
      local conn <close> = cluster:connect "a"
      for _, hash in ipairs(HASHES) do
        local function sum(definition, ...)
          conn:exec("drop table if exists t; create table t " .. definition)
          for _, values in ipairs { ... } do conn:exec("insert into t (a, b) values " .. values) end
          return sums_of(cluster, "a", 1, hash)['"public"."t"'].sum
        end
        local usual = sum("(a text, b text)", "('1', '2')", "('3', '4')")
        expect(sum("(a text, b text)", "('3', '4')", "('1', '2')")).is(usual)
        expect(sum("(b text, a text)", "('3', '4')", "('1', '2')")).is(usual)
        expect(sum("(a text, gone int, b text); alter table t drop gone", "('1', '2')", "('3', '4')")).is(usual)
        expect(sum("(a text, b text)", "('1', '4')", "('3', '2')")).is_not(usual)
        expect(sum("(a text, b text)", "('1', '2')", "('3', '4')", "('3', '4')")).is_not(usual)
        expect(sum("(a text, b text)", "('1', '2'), ('1', '2'), ('3', '4')"))
          .is_not(sum("(a text, b text)", "('1', '2'), ('3', '4'), ('3', '4')"))
        expect(sum("(a text, b text)", "(null, '')")).is_not(sum("(a text, b text)", "('', null)"))
        expect(sum("(a text, b text)", "('1,2', '')")).is_not(sum("(a text, b text)", "('1', '2,')"))
        expect(sum("(a text, b text, c text generated always as (a || 'x') stored)", "('1', '2')"))
          .is_not(sum("(a text, b text, c text generated always as (a || 'y') stored)", "('1', '2')"))
      end
    end)
  end, { limit = 60 })

  it("leaves out, by name, what is made of a type that tells not all, and sums the other columns", function()
    clusters.with({ 15 }, function(cluster)
      cluster:create "a"
      cluster:exec("a", [[create extension seg; create domain reach as seg; create type twin as (a integer, b reach);
        create table t ("Z" integer, a twin[], b seg, c aclitem, d integer);
        insert into t values (1, null, '1', null, 1);]])
      local key = '"public"."t"'
      local before = sums_of(cluster, "a")[key]
      expect(before.not_comparable).same { "a (public.twin[])", "b (public.seg)", "c (aclitem)" }
      cluster:exec("a", "update t set b = '2'")
      expect(sums_of(cluster, "a")[key].sum).is(before.sum)
      cluster:exec("a", "update t set d = 2")
      expect(sums_of(cluster, "a")[key].sum).is_not(before.sum)
    end)
  end, { limit = 60 })
end)

-- A server on which the function is another one, as it may be one day.
local OTHER_VALUES = [[create function pg_catalog.hashtextextended(text, bigint) returns bigint
  language sql immutable strict
  as 'select case when length($1) > 64000 then 7 else pg_catalog.hashtextextended_($1, $2) end']]

describe("the hash of the rows", function()
  it("is the cheap one where both sides have it, and sums of two are never compared", function()
    clusters.with({ 15 }, function(cluster)
      for _, name in ipairs { "a", "b", "other" } do
        cluster:create(name)
        cluster:exec(name, "create table t as select i, 'name' || i as name from generate_series(1, 100) as i")
      end
      cluster:exec("other", [[alter function pg_catalog.hashtextextended(text, bigint) rename to hashtextextended_]])
      expect(select(2, chosen(cluster, "other"))).has "hashtextextended(text, integer) does not exist"
      cluster:exec("other", OTHER_VALUES)
      local a <close> = snapshot.open(cluster:opener "a")
      local b <close> = snapshot.open(cluster:opener "b")
      local other <close> = snapshot.open(cluster:opener "other")
      expect({ row_hash.of_both(a.conn, b.conn) }).same { row_hash.INTERNAL }
      local why = "hashtextextended has values of its own on this server"
      expect({ row_hash.of_both(a.conn, other.conn) }).same { row_hash.SHA256, "on the target, " .. why }
      expect({ row_hash.of_both(other.conn, a.conn) }).same { row_hash.SHA256, "on the source, " .. why }

      local function read(at, hash) return verify.read(at, { content = true, hash = hash }) end
      local cheap, exact = read(a, row_hash.INTERNAL), read(b, row_hash.SHA256)
      expect(#verify.compare(cheap, read(b, row_hash.INTERNAL))).is(0)
      exact.sums['"public"."t"'].sum = cheap.sums['"public"."t"'].sum
      for _, hash in ipairs { row_hash.SHA256, "" } do
        exact.hash = hash ~= "" and hash or nil                 -- not recorded: SHA-256
        local err = expect(function() verify.compare(cheap, exact) end):raises "PGO-VERIFY"
        expect(err.message).has "hashtextextended (64 bits of each row) on the source, SHA-256 on the target"
        expect(function() verify.compare(exact, cheap) end):raises "PGO-VERIFY"
      end
      expect(expect(function() read(a, "md5") end):raises("PGO-VERIFY").message).has "md5, which is not known here"
    end)
  end, { limit = 60 })
end)

describe("a side that is read", function()
  it("is of one moment on all connections, and tells what could not be read", function()
    clusters.with({ 15 }, function(cluster)
      cluster:create "a"
      cluster:exec("a", [[create table one as select 1 as n; create table two as select 2 as n;
        create table three as select 3 as n; create table gone as select 4 as n;]])
      local before = sums_of(cluster, "a", 3)
      local at <close> = snapshot.open(cluster:opener "a")
      cluster:exec("a", [[insert into one values (9); update two set n = 9; delete from three; drop table gone;
        create table new as select 1;]])
      local other <close> = at:another()                         -- what each further worker reads with
      expect(other:value "select count(*) from public.one").is(1)
      local after = content.sums(at, { content = true, jobs = 3 })
      for _, name in ipairs { '"public"."one"', '"public"."two"', '"public"."three"' } do
        expect(after[name]).same(before[name])
      end
      expect(after['"public"."new"']).is_nil()
      expect(after['"public"."gone"'].error).has "does not exist"
      expect(after['"public"."gone"'].rows).is_nil()
    end)
  end, { limit = 60 })

  it("comes in pieces of which each connection gets some, and none is tiny", function()
    expect(pieces.size({ { bytes = 1600 << 20 } }, 4)).is(100 << 20)
    expect(pieces.size({ { bytes = 10 << 20 } }, 4)).is(64 << 20)
    expect(pieces.size({ { bytes = 500 << 30 } }, 2)).is(1 << 30)
  end)

  it("is the same when a table is read in pieces by several connections", function()
    local missing = majors.missing(13, 14)
    if missing then skip(missing) end
    clusters.with({ 13, 14 }, function(...)
      for _, cluster in ipairs { ... } do
        cluster:create "a"
        cluster:exec("a", [[create table narrow as select 1 as n;
          create table large as select i, repeat('x', 200) as text from generate_series(1, 20000) as i;]])
        local at <close> = snapshot.open(cluster:opener "a")
        local whole = content.sums(at, { content = true, jobs = 1 })
        local last
        local function note(...) last = { ... } end
        local shared = content.sums(at, { content = true, jobs = 3, piece_bytes = 300000, progress = note })
        expect(shared).same(whole)
        expect(shared['"public"."large"'].rows).is(20000)
        expect({ last[1], last[2] }).same { 2, 2 }
        expect(content.sums(at, { jobs = 3, piece_bytes = 300000 })['"public"."large"'].rows).is(20000)
        snapshot.release_locks(at.conn)
        cluster:exec("a", "drop table large")
        local gone = content.sums(at, { content = true, jobs = 3, piece_bytes = 300000 })['"public"."large"']
        expect(gone.error).has "does not exist"
        expect(gone.rows).is_nil()
      end
    end)
  end, { limit = 60 })

  it("needs few locks, however many tables there are", function()
    clusters.with({ 15 }, function(cluster)
      cluster:create "a"
      local conn <close> = cluster:connect "a"
      for i = 1, 500 do conn:exec(("create table t%d (id integer primary key, n integer unique)"):format(i)) end
      conn:close()
      local count = 0
      for key, one in pairs(sums_of(cluster, "a", 1)) do
        if one.error then error(key .. ": " .. one.error, 0) end
        count = count + 1
      end
      expect(count).is(500)
    end, FEW_LOCKS)
  end, { limit = 60 })

  it("needs few locks, however many sequences, columns that they feed and views there are", function()
    clusters.with({ 15 }, function(cluster)
      cluster:create "a"
      local conn <close> = cluster:connect "a"
      for i = 1, 500 do
        conn:exec(("create table t%d (id serial primary key); create view v%d as select id from t%d; "):format(i, i, i)
          .. ("insert into t%d values (7)"):format(i))
      end
      conn:close()
      local at <close> = snapshot.open(cluster:opener "a")
      local all = verify.catalog(at.conn)
      expect(all.unreadable).same {}
      expect(all.behind['"public"."t500_id_seq"'].edge).is(7)
      expect(all.objects.view["public.v500"]).has "SELECT id"
      local other <close> = cluster:connect "a"                  -- as the detector reads them
      other:exec "begin isolation level repeatable read read only"
      expect(sequences.values(other)['"public"."t500_id_seq"']).is "1|false"
      expect(other:value "select count(*) from pg_locks where relation::regclass::text like '%_seq'").is(0)
      expect(#other:value "select pg_export_snapshot()").above(0)
    end, FEW_LOCKS)
  end, { limit = 60 })
end)

describe("sequences that are behind their column", function()
  it("are named with what mends them, whichever way they count and whoever owns them", function()
    clusters.with({ 15 }, function(cluster)
      cluster:create "a"
      local conn <close> = cluster:connect "a"
      conn:exec [[
        create table good (id serial); insert into good values (default), (default);
        create table "Odd %s" ("I D" integer generated by default as identity);
        insert into "Odd %s" values (1), (7), (-3);
        create sequence down increment -2 start -1; create table falling (n bigint default nextval('down'));
        insert into falling values (-5);
        create sequence cycling maxvalue 3 cycle; create table rounds (n integer default nextval('cycling'));
        insert into rounds values (3);
        create sequence fresh; create table untouched (n numeric default nextval('fresh'));
        create table parts (id serial, at integer) partition by list (at);
        create table part partition of parts for values in (1); insert into part values (41, 1);
        create table empty (id serial);]]
      local function behind()
        return (sequences.behind(conn, sequences.values(conn)))
      end
      local found, keys = behind(), {}
      for key in pairs(found) do keys[#keys + 1] = key end
      table.sort(keys)
      expect(table.concat(keys, " ")).is '"public"."Odd %s_I D_seq" "public"."down" "public"."parts_id_seq"'
      expect(found['"public"."Odd %s_I D_seq"'].column).is '"public"."Odd %s"."I D"'
      expect(found['"public"."Odd %s_I D_seq"'].edge).is(7)
      expect(found['"public"."down"'].edge).is(-5)
      for _, one in pairs(found) do conn:exec(one.mend) end
      expect(next(behind())).is_nil()
      conn:exec [[insert into "Odd %s" default values; insert into falling default values]]
      expect(conn:value [[select max("I D") from "Odd %s"]]).is(8)
      expect(conn:value "select min(n) from falling").is(-7)
      conn:exec "insert into untouched values (1)"                  -- never used: its first value is taken already
      expect(behind()['"public"."fresh"'].next).is(1)
    end)
  end, { limit = 60 })
end)
