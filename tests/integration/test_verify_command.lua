-- `pgorch verify`, run as a user runs it: equal databases are equal, each kind of damage is named with its place and
-- ends with status 5, and what is wrong with the call or the connection is no verdict.

local clusters = require "support.clusters"
local fs       = require "pgorch.fs"
local host     = require "pgorch.native.host"
local json     = require "pgorch.json"
local majors   = require "support.majors"
local process  = require "pgorch.process"
local resource = require "pgorch.native.resource"
local task     = require "pgorch.task"

local function start(source, target, arguments, more)
  local argv = { host.executable(), "verify", table.unpack(arguments or {}) }
  argv.env = { SOURCE_DATABASE_URL = source, TARGET_DATABASE_URL = target, PATH = "/usr/bin:/bin", HOME = "/tmp" }
  argv.env_clear, argv.check, argv.timeout = true, false, 60
  for name, value in pairs(more or {}) do argv.env[name] = value or nil end
  return argv
end

-- Its exit status, what it printed, and what it said on the way.
local function verify(source, target, arguments, more)
  local done = process.run(start(source, target, arguments, more))
  return done.code, done.stdout, done.stderr
end

local function load_sample(cluster, dbname)
  cluster:create(dbname)
  cluster.cluster:psql(assert(resource.read "pgorch/sandbox/sample.sql"), { dbname = dbname,
    variables = { scale = 0.01 } })
end

-- A copy of the sample with some damage, compared with the sample.
local function damaged(cluster, sql, arguments, more)
  cluster:exec("postgres", "drop database if exists b")
  cluster:create("b", "template a")
  if sql then cluster:exec("b", sql) end
  return verify(cluster:url "a", cluster:url "b", arguments or { "--deep" }, more)
end

local function line_of(said, words)
  for line in said:gmatch "[^\n]+" do
    local all = true
    for word in words:gmatch "[^|]+" do all = all and line:find(word, 1, true) end
    if all then return line end
  end
  error(("no line has %s:\n%s"):format(words, said), 0)
end

-- Damage, and what must stand in one line of the report; some of it is enough for status 5 alone.
local DAMAGE = {
  { "update shop.customers set full_name = 'secret name' where id = 17",
    'FAIL|row |"shop"."customers" (id)=(17)|differs in full_name, search_name', alone = true },
  { "delete from shop.orders where id = 1001", 'FAIL|row |(id, placed_at)=(1001,|missing' },
  { "insert into public.schema_migrations values ('999')",
    'FAIL|row |"public"."schema_migrations" (version)=(999)|missing|there' },
  { "insert into audit.events select * from audit.events order by happened_at limit 1",
    'FAIL|row |"audit"."events": a row with the hash' },
  { 'update "weird %names"."Every Type" set c_real = 0 where id = 2', "FAIL|row |(id)=(2)|differs in c_real" },
  { 'update "weird %names".birds set name = name || \' \'', 'FAIL|content|"weird %names"."birds"' },
  { 'drop table "weird %names"."no columns"', 'FAIL|rows|"weird %names"."no columns"|3 rows|missing' },
  { "drop index shop.orders_open", "FAIL|index  |shop.orders_open|CREATE INDEX orders_open|missing", alone = true },
  { "select setval('shop.invoice_number', 5 + (select last_value from shop.invoice_number))",
    'FAIL|sequence|"shop"."invoice_number"', alone = true },
  { "select setval('shop.products_id_seq', 3)",
    'to mend "shop"."products_id_seq", on the target: select setval(\'"shop"."products_id_seq"\', 60)' },
  { "select lo_put(900002, 0, '\\x00')", "FAIL|large object |900002", alone = true },
  { "select lo_unlink(900003)", "FAIL|large object |900003|there|missing" },
  { "select lo_create(77)", "FAIL|large object |77|missing|there" },
  { "refresh materialized view shop.sales_by_month with no data", 'FAIL|rows|"shop"."sales_by_month"|not populated' },
  { "refresh materialized view shop.not_yet", 'FAIL|rows|"shop"."not_yet"|not populated|1 rows', alone = true },
}

-- An enum's values have oids of their own in each database; the partitions of one by range have parts by its hash, too.
local SPREAD = [==[
  do $$begin execute (select 'create type label as enum (' || string_agg(quote_literal('l' || n), ', ') || ')'
    from generate_series(1, 50) n); end$$;
  create table "The whole" (kind label, n integer, filler text, primary key (kind, n)) partition by hash (kind);
  create table leaf_0 partition of "The whole" for values with (modulus 3, remainder 0) partition by range (n);
  create table lower_0 partition of leaf_0 default;
  create table leaf_1 partition of "The whole" for values with (modulus 3, remainder 1);
  create table leaf_2 (filler text, n integer not null, kind label not null);
  alter table "The whole" attach partition leaf_2 for values with (modulus 3, remainder 2);
  insert into "The whole" select ('l' || n % 50 + 1)::label, n, repeat('x', 100) from generate_series(1, 2000) n;
]==]

describe("pgorch verify", function()
  it("names each damage in its place, and shows no value of a row", function()
    clusters.with({ 15 }, function(cluster)
      load_sample(cluster, "a")
      local status, said = damaged(cluster)
      expect(said).has " EQUAL\n"
      expect(said).has "\nrows summed with hashtextextended (64 bits of each row)\n"
      expect(said).lacks "Differences"
      expect(status).is(0)
      local all = {}
      for i, damage in ipairs(DAMAGE) do all[i] = damage[1] end
      status, said = damaged(cluster, table.concat(all, ";\n"))
      expect(status).is(5)
      expect(said).lacks "secret name"
      expect(said).lacks "2025-06-01"                   -- of a row of audit.events, which has no key
      for _, damage in ipairs(DAMAGE) do
        line_of(said, damage[2])
        if damage.alone then
          local one, alone = damaged(cluster, damage[1])
          line_of(alone, damage[2])
          if one ~= 5 then error(("%s: exit status %d\n%s"):format(damage[1], one, alone), 0) end
          expect(alone).has " DIFFERENT\n"
        end
      end
    end)
  end, { limit = 100 })

  it("only counts without --deep, and says so", function()
    clusters.with({ 15 }, function(cluster)
      load_sample(cluster, "a")
      local status, said = damaged(cluster, "update shop.customers set full_name = 'x' where id = 17", {})
      expect(said).has "--deep does"
      expect(status).is(0)
      status, said = damaged(cluster, "delete from shop.order_items where line = 3", {})
      line_of(said, 'FAIL|rows|"shop"."order_items"|3240 rows|2160 rows')
      expect(status).is(5)
      status, said = damaged(cluster, "select lo_unlink(900003)", {})
      line_of(said, "FAIL|large objects|count")
      expect(status).is(5)
      expect(damaged(cluster, "select lo_put(900002, 0, '\\x00')", {})).is(0)
    end)
  end, { limit = 60 })

  it("warns, with status 3, of what was stale or behind before, or cannot be compared", function()
    clusters.with({ 15 }, function(cluster)
      load_sample(cluster, "a")
      local function warned(on_both, words, on_target)
        cluster:exec("a", on_both)
        local status, said = damaged(cluster, on_target)
        line_of(said, words)
        expect(said).has " EQUAL, with warnings\n"
        expect(status).is(3)
        return said
      end
      warned("delete from shop.orders where id = 1002", 'warn|content|"shop"."sales_by_month"',
        "refresh materialized view shop.sales_by_month")
      cluster:exec("a", "refresh materialized view shop.sales_by_month; refresh materialized view shop.sales_pivot")
      warned("select setval('shop.products_id_seq', 3)",
        'warn|sequence behind|"shop"."products_id_seq"|next is 4, "shop"."products"."id" has 60')
      cluster:exec("a", "select setval('shop.products_id_seq', 60)")
      local said = warned("create table public.kept (a aclitem, b integer); insert into public.kept values (null, 1)",
        'not comparable: "public"."kept".a (aclitem)')
      line_of(said, '"public"."kept"|equal but for what cannot be compared')
      local status
      status, said = damaged(cluster, "update public.kept set b = 2")
      line_of(said, 'FAIL|content|"public"."kept"')
      expect(status).is(5)
    end)
  end, { limit = 60 })

  it("compares partitions by the hash of an enum as a whole: another server has its rows in others", function()
    clusters.with({ 13, 15 }, function(cluster)
      for _, name in ipairs { "a", "b" } do
        cluster:create(name)
        cluster:exec(name, SPREAD)
      end
      local LEAVES = "select string_agg(n::text, ' ' order by n) from lower_0"
      expect(cluster:value("a", LEAVES)).is_not(cluster:value("b", LEAVES))
      for _, arguments in ipairs { {}, { "--deep" } } do
        local status, said = verify(cluster:url "a", cluster:url "b", arguments)
        line_of(said, '"public"."The whole"|2000')
        expect(said).lacks "Differences"
        expect(said).lacks "leaf_"
        expect(status).is(0)
      end
      cluster:exec("b", [[update "The whole" set filler = 'y' where n = 77; delete from "The whole" where n = 78]])
      local status, said = verify(cluster:url "a", cluster:url "b", { "--deep" })
      line_of(said, 'FAIL|rows|"public"."The whole"|2000 rows|1999 rows (rows: 1 changed, 1 missing)')
      line_of(said, 'FAIL|row |"public"."The whole" (kind, n)=(l28,77)|differs in filler')
      expect(status).is(5)
      cluster:exec("b", "drop table leaf_1")
      status, said = verify(cluster:url "a", cluster:url "b", {})
      line_of(said, "FAIL|table|leaf_1|missing")
      expect(status).is(5)
    end)
  end, { limit = 100 })

  it("compares the results of queries of one's own", function()
    clusters.with({ 15 }, function(cluster)
      load_sample(cluster, "a")
      cluster:exec("postgres", "alter database a set search_path = shop, public")
      fs.with_temporary("pgorch-queries-", function(dir)
        local function put(name, sql) fs.write(("%s/%s.sql"):format(dir, name), sql) end
        put("names", "select id, full_name from customers -- found as the application finds it\n;")
        put("twice", "select 1 as a, 1.10 as a, timestamptz '2024-01-01 00:00:00+00' union all select 1, 1.10, null")
        put("with", "with x as (values (1)) table x")
        put("commented", "select count(*) from customers; -- done\n/* ; */")
        fs.write(dir .. "/not a query.txt", "select nonsense")
        local arguments = { "--queries", dir }
        local status, said = damaged(cluster, nil, arguments)
        expect(said).has " EQUAL\n"
        expect(status).is(0)
        status, said = damaged(cluster, "update shop.customers set full_name = 'Eve, \"x\"' where id = 3", arguments)
        line_of(said, "FAIL|query|names.sql|360 rows")
        line_of(said, 'FAIL|query rows|names.sql|(3,"Eve, ""x""")')
        expect(status).is(5)
        for name, case in pairs { two = { "select 1; select 2", "more than one statement" },
          broken = { "select nothing", 'column "nothing" does not exist' }, empty = { "", "failed: " },
          writes = { "select nextval('shop.invoice_number')", "read-only transaction" } } do
          put(name, case[1])
          status, said = damaged(cluster, nil, arguments)
          line_of(said, "FAIL|query|" .. name .. ".sql|" .. case[2])
          expect(status).is(5)
          fs.remove(("%s/%s.sql"):format(dir, name))
        end
      end)
    end)
  end, { limit = 60 })

  it("speaks JSON Lines to machines", function()
    clusters.with({ 15 }, function(cluster)
      load_sample(cluster, "a")
      local status, said = damaged(cluster, "delete from shop.orders where id = 1001", { "--deep", "--json" })
      local events, of = {}, {}
      for line in said:gmatch "[^\n]+" do
        local event = json.decode(line)
        events[#events + 1] = event
        of[event.event .. " " .. (event.table or event.name or "")] = event
      end
      expect(status).is(5)
      expect(events[1].event).is "version"
      expect(events[#events].event).is "ended"
      expect(events[#events].status).is(5)
      expect(events[#events].verdict).is "DIFFERENT"
      expect(events[#events].totals.hash).is "hashtextextended"
      expect(of['compared "shop"."products"'].verdict).is "equal"
      expect(of['compared "shop"."products"'].source.rows).is(60)
      expect(of['compared "shop"."orders_rest"'].verdict).is "differs"
      expect(of['difference "shop"."orders_rest"'].level).is "fail"
    end)
  end, { limit = 60 })

  it("compares different majors, and what a role may not read is a difference on both sides", function()
    local missing = majors.missing(14, 18)
    if missing then skip(missing) end
    clusters.with({ 14, 18 }, function(old, new)
      load_sample(old, "a")
      load_sample(new, "a")
      local status, said = verify(old:url "a", new:url "a", { "--deep", "--jobs", "1" })
      expect(said).has " EQUAL\n"
      expect(status).is(0)
      for _, cluster in ipairs { old, new } do
        cluster:exec("a", [[create role reader login;
          grant usage on schema shop, audit, "weird %names", "Über Uns" to reader;
          grant select on all tables in schema shop, audit, "weird %names", "Über Uns", public to reader;
          grant select on all sequences in schema shop, public to reader; revoke select on shop.employees from reader]])
      end
      local function as_reader(cluster) return (cluster:url "a":gsub("postgres@", "reader@")) end
      status, said = verify(as_reader(old), as_reader(new), { "--deep" })
      line_of(said, 'FAIL|rows|"shop"."employees"|could not be read: permission denied')
      line_of(said, 'FAIL|unreadable|"weird %names"."never used"|permission denied')
      line_of(said, 'FAIL|rows|"audit"."documents"|row-level security')
      line_of(said, "FAIL|large objects|content|permission denied")
      expect(status).is(5)
    end)
  end, { limit = 100 })

  it("takes no trouble for a verdict", function()
    clusters.with({ 15 }, function(cluster)
      cluster:create "a"
      cluster:create "b"
      local url, other = cluster:url "a", cluster:url "b"
      local function refused(wanted, words, ...)
        local status, _, said = verify(...)
        expect(said).has(words)
        expect(said).lacks "traceback"
        expect(said).lacks "s3cret"
        expect(status).is(wanted)
      end
      local nobody = "postgres://u:s3cret-word@127.0.0.1:1/d"
      refused(6, "PGO-PG-CONNECT", nobody, url)
      refused(6, "PGO-PG-CONNECT", url, nobody)
      refused(6, "PGO-DNS", "postgres://u:s3cret-word@no.such.invalid/d", url)
      refused(2, "SOURCE_DATABASE_URL is not set", false, url)
      refused(2, "TARGET_DATABASE_URL is not set", url, false)
      refused(2, "the target is not given: OTHER is not set", url, url, { "--target-env", "OTHER" })
      refused(2, "did you mean --deep", url, url, { "--depp" })
      refused(2, "--jobs: at least 1", url, url, { "--jobs", "0" })
      refused(2, "there is no such folder", url, url, { "--queries", "/nowhere" })
      local status, _, said = verify(false, false, { "--source-env", "A", "--target-env", "B" }, { A = url, B = other })
      expect(status).is(0)
      local server = cluster.cluster
      expect(said).has(("source postgres@%s:%d/a, target postgres@"):format(server.socket, server.port))
      -- The same database, reached as somebody else: it would be equal to itself.
      cluster:exec("a", "create role reader login")
      refused(2, "source and target are the same database", url, url)
      refused(2, "source and target are the same database", url, (url:gsub("postgres@", "reader@")))
      refused(2, "SOURCE_DATABASE_URL and OTHER", url, false, { "--target-env", "OTHER", "--json" }, { OTHER = url })
    end)
  end, { limit = 60 })

  it("stops safely on Ctrl-C", function()
    clusters.with({ 15 }, function(cluster)
      cluster:create "a"
      cluster:exec("a", "create table busy as select 1 as n")
      cluster:create("b", "template a")
      local blocker <close> = cluster:connect "a"
      blocker:exec "begin; lock table busy in access exclusive mode"
      local proc <close> = process.spawn(start(cluster:url "a", cluster:url "b"))
      local watcher <close> = cluster:connect()
      for _ = 1, 600 do
        if watcher:value "select count(*) from pg_stat_activity where wait_event_type = 'Lock'" > 0 then break end
        task.sleep(0.05)
      end
      proc:kill "INT"
      local ended = proc:wait()
      expect(ended.stdout).lacks "EQUAL"
      expect(ended.code).is(8)
    end)
  end, { limit = 60 })
end)
