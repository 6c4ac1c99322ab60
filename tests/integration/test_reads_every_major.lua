-- What pgorch reads from a source before and after it is moved, on a real server of every major: each query of sql/,
-- the preflight, the comparison, the write detector, the read-only switch. pg_dump is not needed for any of it.

local certificate = require "pgorch.sandbox.certificate"
local checks      = require "pgorch.preflight.source"
local clusters    = require "support.clusters"
local binaries    = require "pgorch.sandbox.postgres.binaries"
local definitions = require "support.definitions"
local detector    = require "pgorch.detector"
local folder      = require "pgorch.sandbox.folder"
local fs          = require "pgorch.fs"
local majors      = require "support.majors"
local pg          = require "pgorch.pg"
local preflight   = require "pgorch.preflight"
local sample      = require "pgorch.sandbox.source"
local progress    = require "pgorch.dump.progress"
local settings    = require "pgorch.settings.read"
local source      = require "pgorch.source"
local task        = require "pgorch.task"
local verify      = require "pgorch.verify"

local SCALE = 0.01

-- What came with each major, and what a catalogue query could stumble over.
local NEW_IN = {
  [14] = [[
    create table news.spans (during int4multirange);
    create function news.atomic() returns integer language sql begin atomic select 1; end;
    create statistics news.expressions on (lower(note)), id from news.items;]],
  [15] = [[
    create unique index nulls_once on news.items (note) nulls not distinct;
    create view news.as_invoker with (security_invoker) as select * from news.items;]],
  [17] = [[
    create table news.parts (id integer generated always as identity, at date) partition by range (at);
    create table news.parts_all partition of news.parts default;]],
  [18] = [[
    create table news.computed (id integer, twice integer generated always as (id * 2) virtual);
    insert into news.computed values (1), (2);
    alter table news.items add constraint noted not null note not valid;
    alter table news.items add constraint positive check (id > 0) not enforced;
    create table news.rooms (id int4range, during tstzrange, primary key (id, during without overlaps));]],
}

-- Made of functions of the server's own whose arguments have other types since 14.
local OF_ARRAYS = [[
  create aggregate words.joined_up(integer[]) (sfunc = array_cat, stype = integer[], initcond = '{}');
  create aggregate words.gathered(integer) (sfunc = array_append, stype = integer[]);
]]

-- A database of each provider of collations that the major has.
local PROVIDERS = {
  { name = "c", since = 13, sql = "template template0 lc_collate 'C' lc_ctype 'C'" },
  { name = "icu", since = 15,
    sql = "template template0 locale_provider icu icu_locale 'de' lc_collate 'C' lc_ctype 'C'" },
  { name = "builtin", since = 17, sql = "template template0 locale_provider builtin builtin_locale 'C.UTF-8'" },
}

local function add_words(made)
  local conn <close> = pg.connect(made.url)
  conn:exec(definitions)
end

local function add_news(made, major)
  local conn <close> = pg.connect(made.url)
  conn:exec "create schema news; create table news.items (id integer primary key, note text)"
  for since = 14, major do
    if NEW_IN[since] then conn:exec(NEW_IN[since]) end
  end
end

-- The sample on that major, as a provider's source.
local function with_source(major, fn)
  local world = { dir = folder.make(), server = binaries.find(majors.bin(major)) }
  local _ <close> = setmetatable({}, { __close = function() fs.remove_tree(world.dir) end })
  fs.mkdir(world.dir .. "/tls")
  world.tls = certificate.make(world.dir .. "/tls")
  local made = sample.start(world, { scale = SCALE })
  local cluster <close> = made.cluster
  fn(source.new { provider = "test", host = made.host, port = made.port, user = made.user, password = made.password,
    dbname = made.dbname, ca_pem = made.ca_pem }, made, cluster)
end

-- Everything that verify reads.
local function everything(from)
  local conn <close> = from:connect { settings = verify.SETTINGS }
  local all = verify.catalog(conn)
  all.sums = verify.sums(function(o) return from:connect(o) end, { content = true })
  return all
end

-- The preflight's failures.
local function failures_of(from)
  local found, failures = preflight.new(), {}
  checks.check({ source = from, params = {},
    recipe = { steps = { "restore" }, freezes = {}, has_window = true } }, found)
  for _, each in ipairs(found.list) do
    if each.level == "fail" then failures[#failures + 1] = ("%s %s"):format(each.id, each.what) end
  end
  return table.concat(failures, "\n")
end

-- No failure, but that the pg_dump 15 of this machine cannot dump it.
local function expect_ready(from, major)
  local wanted = "PGO-PG-VERSION the source is PostgreSQL %d: a pg_dump of %d or newer is needed"
  expect(failures_of(from)).is(major > 15 and wanted:format(major, major) or "")
end

-- What is asked while a dump or a restore runs. (14 and newer say how far COPY is.)
local function expect_watched(conn, major)
  expect(conn:value(source.sql "tables_to_lose")).is(conn:value [[select count(*) from pg_tables
    where schemaname not in ('pg_catalog', 'information_schema')]])
  local sizes = progress.read(conn)
  expect(sizes.total).above(100000)
  expect(conn:row(source.sql "dump_session", ("{%d}"):format(conn.pid))).is_nil()
  if major < 14 then return end
  expect(conn:row(source.sql "copy_progress", conn.pid)).is_nil()
  expect(conn:row(source.sql "restore_progress").bytes).above(1e6)
end

local function wait_for_no_sessions(from)
  for _ = 1, 400 do
    if #from:sessions() == 0 then return end
    task.sleep(0.01)
  end
  error("a session does not end", 0)
end

-- Each is written by a session that ends, and the detector is asked at once about all since the mark.
local function expect_detected(from, made)
  local conn <close> = from:connect()
  local before = detector.mark(conn)
  conn:close()
  local function after(sql)
    do
      local writer <close> = pg.connect(made.url, { application_name = "shop" })
      writer:exec(sql)
    end
    wait_for_no_sessions(from)
    local judged = detector.ask(from, before)
    return judged.answer .. " " .. table.concat(judged.names, " ")
  end
  expect(after "select 1").is "quiet "
  expect(after "insert into news.items values (1, 'late')").is 'written "news"."items"'
  expect(after "select nextval('shop.invoice_number')").is 'written "news"."items" "shop"."invoice_number"'
  expect(after "alter table news.items add more integer")
    .is 'written "news"."items" "shop"."invoice_number" the schema'
end

local function expect_closed_and_opened(from, made)
  local other <close> = pg.connect(made.url, { application_name = "shop" })
  expect(from:read_only_setting()).is_nil()
  from:make_read_only()
  local ended = from:end_other_sessions()
  expect({ ended.ended, #ended.told, #ended.refused }).same { 1, 1, 0 }
  expect(function() other:exec "select 1" end):raises "PGO-PG-LOST"
  expect(from:read_only_setting()).is "on"
  from:restore_setting(nil)
  expect(from:read_only_setting()).is_nil()
end

-- What 13 cannot hold, and the sample leaves out there; and what it writes in another way, until it is restored in a
-- newer one from a dump of its own: AT TIME ZONE.
local OTHERWISE_IN_13 = {
  ['"weird %names"."Every Type"'] = true, ['"weird %names"."Every Type".c_multirange'] = true,
  ["shop.sales_by_month"] = true,
}

local function expect_same_sample(all, reference, major)
  for _, difference in ipairs(verify.compare(reference, all)) do
    if not (major == 13 and OTHERWISE_IN_13[difference.name]) then
      error(("%s %s: PostgreSQL 15 %s, %d %s"):format(difference.kind, difference.name, difference.source, major,
        difference.target), 0)
    end
  end
end

describe("a source of PostgreSQL", function()
  local reference = {}          -- of 15, which comes first

  for _, major in ipairs { 15, 13, 14, 16, 17, 18 } do
    it(("%d is read as any other, and its own novelties do not disturb"):format(major), function()
      local missing = majors.missing(15, major)
      if missing then skip(missing) end
      with_source(major, function(from, made)
        add_words(made)
        local all = everything(from)
        if major == 15 then reference = all end
        expect_same_sample(all, reference, major)
        add_news(made, major)
        expect(everything(from).objects.table["news.items"]).matches "columns"
        expect_ready(from, major)
        local conn <close> = from:connect()
        expect(#settings.state(conn).rows).above(5)
        expect_watched(conn, major)
        conn:close()
        expect_detected(from, made)
        expect_closed_and_opened(from, made)
      end)
    end, { limit = 100 })
  end

  it("13 writes what is made of the array functions as any newer one does, and what is not alike is found", function()
    local missing = majors.missing(13, 17)
    if missing then skip(missing) end
    clusters.with({ 13, 17 }, function(old, new)
      local function read(cluster, sql)
        cluster:exec("postgres", "drop schema if exists words cascade; create schema words; " .. sql)
        local conn <close> = cluster:opener "postgres" { settings = verify.SETTINGS }
        local all = verify.catalog(conn)
        all.sums = {}
        return all
      end
      expect(#verify.compare(read(old, OF_ARRAYS), read(new, OF_ARRAYS))).is(0)
      local list = verify.compare(read(old, OF_ARRAYS), read(new, (OF_ARRAYS:gsub("array_append", "array_remove"))))
      expect(#list).is(1)
      expect(list[1].name).is "words.gathered(integer)"
    end)
  end, { limit = 60 })

  it("13 is refused for what no newer major can have, and passes without", function()
    local missing = majors.missing(13)
    if missing then skip(missing) end
    with_source(13, function(from, made)
      local conn <close> = pg.connect(made.url)
      conn:exec [[create function public.factorial(n bigint) returns numeric language sql as 'select n::numeric';
        create operator public.!!! (leftarg = bigint, function = public.factorial);
        create aggregate public.collect(anyelement) (sfunc = array_append, stype = anyarray, initcond = '{}');
        create aggregate public.flat(int[]) (sfunc = array_cat, stype = int[])]]   -- restored as it is
      expect(failures_of(from)).is "PGO-PG-VERSION 2 objects that newer majors than 13 cannot have"
      conn:exec "drop operator public.!!! (bigint, none); drop aggregate public.collect(anyelement)"
      expect_ready(from, 13)
    end)
  end, { limit = 100 })

  it("below 13 is refused before anything else is looked at", function()
    for number, version in pairs { [120022] = "12.22", [100023] = "10.23", [90624] = "9.6.24" } do
      local found = preflight.new()
      local conn = setmetatable({ server_version = number }, { __close = function() end }) -- answers no query
      checks.check({ source = { connect = function() return conn end }, params = {} }, found)
      expect(found:count "fail").is(1)
      local told = found.list[1]
      expect(told.id).is "PGO-PG-VERSION"
      expect(told.what).has(("PostgreSQL %s;"):format(version))
      expect(told.cure).has "Upgrade the source"
    end
    expect(checks.is_too_old(preflight.new(), 130000)).is(false)
  end)

  it("with every provider of collations is read", function()
    local missing = majors.missing(13, 15, 18)
    if missing then skip(missing) end
    for _, major in ipairs { 13, 15, 18 } do
      with_source(major, function(from, made, cluster)
        for _, provider in ipairs(PROVIDERS) do
          if major >= provider.since then
            local admin <close> = cluster:connect()
            admin:exec(("create database %s owner %s %s"):format(provider.name, made.user, provider.sql))
            from.dbname = provider.name
            local conn <close> = from:connect { writable = true }
            conn:exec "create table public.words as select chr(228) as word"
            expect(everything(from).sums['"public"."words"'].rows).is(1)
            expect_ready(from, major)
          end
        end
      end)
    end
  end, { limit = 100 })
end)
