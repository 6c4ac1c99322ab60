-- The Vultr recipe from end to end in a sandbox, run as a user runs it: `pgorch run vultr` as a child process.
-- What must hold: the rows arrive, and the app is moved or as before, never anything in between.

local fs        = require "pgorch.fs"
local pg        = require "pgorch.pg"
local process   = require "pgorch.process"
local vultr_run = require "support.vultr_run"

describe("run vultr", function()
  it("moves the data, gives the app its dynos back, and leaves no dump behind", vultr_run.with_world({}, function(world)
    local done = vultr_run.run(world, {})
    vultr_run.expect_exit(done, 0)
    vultr_run.expect_moved(world)
    expect(#vultr_run.objects(world)).is(0)
    expect(#world.heroku.state.addons).is(1)
    expect(done.all).has "EQUAL"
    -- No password, token or signature may be on the terminal.
    expect(process.run { "grep", "-rqaF", "-e", vultr_run.APP, vultr_run.record(world), check = false }.code).is(0)
    for _, secret in ipairs { world.source.password, world.heroku.token, world.vultr.api_key, "X-Amz-Signature" } do
      expect(done.all).lacks(secret)
      -- Nor in the record and the logs of the run.
      expect(process.run { "grep", "-rqaF", "-e", secret, vultr_run.record(world), check = false }.code).is(1)
    end
  end), { limit = 250 })

  it("creates the app when there is none, and chooses the plan from the size", vultr_run.with_world({}, function(world)
    local done = vultr_run.pgorch(world, { "run", "vultr", "--instance", "demo", "--app", "brand-new", "--no-input" })
    vultr_run.expect_exit(done, 0)
    local app = world.heroku:app "brand-new"
    expect(app ~= nil).is(true)
    expect(vultr_run.value(vultr_run.database_url(world, "brand-new"), "select count(*) from shop.products"))
      .is(vultr_run.value(world.source.url, "select count(*) from shop.products"))
  end), { limit = 250 })

  it("says all that is wrong in the input at once, and touches nothing", vultr_run.with_world({}, function(world)
    world.vultr.state.databases[1].object.password = "not-the-password"
    local done = vultr_run.run(world, { "--app", "somebody-elses-app", "--plan", "essential-99",
                                        "--storage", "nowhere" })
    vultr_run.expect_exit(done, 4)
    for _, id in ipairs { "PGO-PG-AUTH", "PGO-HEROKU-APP", "PGO-HEROKU-PLAN", "PGO-PROVIDER-STORAGE" } do
      expect(done.all).has(id)
    end
    vultr_run.expect_app_as_before(world)
    expect(#world.heroku.state.addons).is(0)
  end), { limit = 250 })

  it("names each wrong value on its own", vultr_run.with_world({}, function(world)
    local function says(id, arguments, more)
      local done = vultr_run.run(world, arguments, more)
      vultr_run.expect_exit(done, 4)
      expect(done.all).has(id)
    end
    says("PGO-HEROKU-TOKEN", {}, { HEROKU_API_KEY = "wrong" })
    says("PGO-PROVIDER-TOKEN", {}, { VULTR_API_KEY = "wrong" })
    says("PGO-PROVIDER-INSTANCE", { "--instance", "typo" })
    says("PGO-HEROKU-PLAN", { "--plan", "advanced-beta-4g" })
    local keys = world.vultr.state.storages[1].object
    local secret = keys.s3_secret_key
    keys.s3_secret_key = "not-the-secret-key-of-it"
    says("PGO-S3-CREDENTIALS", {})
    keys.s3_secret_key = secret
    world.s3:create_bucket("taken-by-somebody", world.s3:add_account("somebody").account)
    says("PGO-S3-BUCKET-TAKEN", { "--bucket", "taken-by-somebody" })
    local database = world.vultr.state.databases[1].object
    local password = database.password
    database.password = "not-the-password-of-it"
    says("PGO-PG-AUTH", {})
    database.password = password
    database.port = "1"
    says("PGO-PG-CONNECT", {})
    vultr_run.expect_app_as_before(world)
  end), { limit = 280 })

  it("refuses an empty source", vultr_run.with_world({ source = { sql = "select 1;" } }, function(world)
    local done = vultr_run.run(world, {})
    vultr_run.expect_exit(done, 4)
    expect(done.all).has "PGO-EMPTY-SOURCE"
    vultr_run.expect_app_as_before(world)
  end), { limit = 120 })

  it("runs the user's commands: notice, acceptance test with the new address, end", vultr_run.with_world({},
    function(world)
      local said = world.dir .. "/said"
      -- One that fails comes before anything is touched: there is nothing to be put back, and nothing is said to be.
      local failed = vultr_run.run(world, { "--on-freeze", "exit 7" })
      vultr_run.expect_exit(failed, 1)
      expect(failed.all).has "PGO-HOOK"
      for _, words in ipairs { "0 -> 2", "2 -> 2", "source writable" } do expect(failed.all).lacks(words) end
      vultr_run.expect_app_as_before(world)
      local done = vultr_run.run(world, {
        "--on-freeze", "echo frozen >>" .. said, "--on-thaw", "echo thawed >>" .. said,
        "--accept", 'psql "$DATABASE_URL" -qtAc "select count(*) from public.schema_migrations" >>' .. said })
      vultr_run.expect_exit(done, 0)
      expect(done.all).has "      maintenance on, web 2 -> 0, worker 1 -> 0\n      source read-only\n"
      expect(done.all).matches "%-%-on%-freeze has run %(.-%-%-on%-thaw has run %("
      expect(fs.read(said)).is "frozen\n90\nthawed\n"
    end), { limit = 250 })

  it("puts the app back when the acceptance test fails", vultr_run.with_world({}, function(world)
    local done = vultr_run.run(world, { "--accept", "echo the shop is closed >&2; exit 3" })
    vultr_run.expect_exit(done, 5)
    expect(done.all).has "the shop is closed"
    vultr_run.expect_app_as_before(world)
  end), { limit = 250 })

  it("puts the app back when the restore loses something that only its log tells",
    vultr_run.with_world({ source = { sql = [[
      create table public.goods as select generate_series(1, 100) as n;
      create function public.in_stock(a integer) returns boolean immutable language plpgsql as
        'begin return exists (select from goods where n = a); end';
      create index goods_in_stock on public.goods (public.in_stock(n));
    ]] } }, function(world)
      -- A restore runs with an empty search_path: the function does not find its table there. The preflight can only
      -- guess that from a body's words, which is a warning.
      local done = vultr_run.run(world, {})
      vultr_run.expect_exit(done, 1)
      expect(done.all).has "warn  PGO-SEARCH-PATH 1 function that the restore calls may need a search_path"
      expect(done.all).has "PGO-RESTORE-LOSSY"
      expect(done.all).has 'relation "goods" does not exist'
      vultr_run.expect_app_as_before(world)
      expect(#vultr_run.objects(world)).is(0)
    end), { limit = 250 })

  -- In the restore neither refresh finds its tables; the session that makes up for it has the database's search_path.
  local MATVIEWS = [[
    create schema "Shop %"; set search_path = "Shop %", public;
    do $$ begin execute format('alter database %I set search_path = "Shop %%", public', current_database()); end $$;
    create table goods as select generate_series(1, 100) as n, 'Größe ' || generate_series(1, 100) as word;
    create function all_goods() returns bigint language plpgsql as 'begin return (select sum(n) from goods); end';
    create materialized view "How ""many""" as select all_goods() as n;
    create materialized view twice as select n * 2 as n from "How ""many""";
    create materialized view words as select word from goods;
    create unique index on words (word);
  ]]
  local CONTENT = [[select (select n from "Shop %"."How ""many""") || ' ' || (select n from "Shop %".twice) || ' '
    || (select sum(hashtextextended(word, 0)) from "Shop %".words)]]

  it("moves materialized views whose refresh needs a search_path, with what is in them",
    vultr_run.with_world({ source = { sql = MATVIEWS } }, function(world)
      local done = vultr_run.run(world, {})
      vultr_run.expect_exit(done, 0)
      expect(done.all).has "2 materialized views are refreshed later"
      expect(done.all).has 'refreshed "Shop %"."How ""many"""'
      expect(done.all).has 'refreshed "Shop %"."twice"'
      local url = vultr_run.database_url(world)
      expect(url).is_not(world.source.url)
      expect(vultr_run.value(url, CONTENT)).matches "^5050 10100 "
      expect(vultr_run.value(url, CONTENT)).is(vultr_run.value(world.source.direct_url, CONTENT))
      expect(vultr_run.value(url, "show search_path")).is '"Shop %", public'
    end), { limit = 250 })

  it("puts the app back when the restore fails", vultr_run.with_world({}, function(world)
    world:fault { at = "worker.restore", answer = 500, message = "pg_restore: error: COPY failed for table \"users\"" }
    local done = vultr_run.run(world, {})
    vultr_run.expect_exit(done, 1)
    vultr_run.expect_app_as_before(world)
    expect(#vultr_run.objects(world)).is(0)
  end), { limit = 250 })

  it("keeps the state when Heroku is away for a while, and goes on", vultr_run.with_world({}, function(world)
    world:fault { at = "heroku.restore", answer = 503, times = "always" }
    local done = vultr_run.run(world, {})
    vultr_run.expect_exit(done, 6)
    expect(world.heroku:app(vultr_run.APP).maintenance).is(true)
    fs.remove(world.dir .. "/faults/heroku.restore")
    local id = done.all:match "resume (%w+)"
    vultr_run.expect_exit(vultr_run.pgorch(world, { "resume", id, "--yes-cut-over" }), 0)
    vultr_run.expect_moved(world)
    expect(#world.heroku.state.addons).is(1)
  end), { limit = 280 })

  it("stops for somebody who writes to the source after the dump", vultr_run.with_world({}, function(world)
    -- The acceptance test is the last thing before the question: a writer who gets around the read-only switch.
    local script, login = world.dir .. "/late.sh", world.source
    fs.write(script, ("export PGOPTIONS='-c default_transaction_read_only=off' PGPASSWORD='%s'\n"
      .. "psql -h '%s' -p %d -U '%s' -d '%s' -qc \"insert into public.schema_migrations values ('late')\"\n")
      :format((login.password:gsub("'", "'\\''")), login.host, login.port, login.user, login.dbname))
    local done = vultr_run.run(world, { "--accept", "sh " .. script })
    vultr_run.expect_exit(done, 5)
    expect(done.all).has "PGO-WRITTEN"
    expect(done.all).has "schema_migrations"
    vultr_run.expect_app_as_before(world)
  end), { limit = 250 })

  -- An app that was moved is in use: its new database holds what the source has not.
  local function write_to(url)
    local conn <close> = pg.connect(url)
    conn:exec "insert into public.schema_migrations values ('written after the move')"
  end

  it("refuses an app that was moved already, and with --again moves it to another add-on, the one in use untouched",
    vultr_run.with_world({}, function(world)
      vultr_run.expect_exit(vultr_run.run(world, {}), 0)
      local first = vultr_run.database_url(world)
      write_to(first)
      local CHECK = { "check", "vultr", "--instance", "demo", "--app", vultr_run.APP }
      local ELSEWHERE = { PGORCH_STATE = ("sqlite:%s/elsewhere.db"):format(world.dir) }    -- knows of no run
      for _, done in ipairs { vultr_run.run(world, {}), vultr_run.run(world, {}, ELSEWHERE),
                              vultr_run.pgorch(world, CHECK), vultr_run.pgorch(world, CHECK, ELSEWHERE) } do
        vultr_run.expect_exit(done, 4)
        expect(done.all).matches "PGO%-MOVED demo%-app was moved already.*pgorch%-demo%-app%-%w+ as DATABASE"
        expect(done.all).has "--again"
      end
      expect(vultr_run.run(world, {}).all).matches "moved already by run %w+"
      expect(vultr_run.database_url(world)).is(first)
      expect(#world.heroku.state.addons).is(1)
      -- The source stays read-only after a move; a second one has to leave it so.
      local again = vultr_run.run(world, { "--again" })
      vultr_run.expect_exit(again, 0)
      expect(again.all).matches "pgorch%-demo%-app%-%w+ of demo%-app is replaced, with what was written to it since"
      vultr_run.expect_moved(world)
      expect(vultr_run.database_url(world) ~= first).is(true)
      expect(#world.heroku.state.addons).is(2)
      expect(vultr_run.value(first, "select count(*) from shop.customers"))
        .is(vultr_run.value(world.source.url, "select count(*) from shop.customers"))
    end), { limit = 280 })

  it("overwrites a database only when the app's name was typed", vultr_run.with_world({}, function(world)
    vultr_run.expect_exit(vultr_run.run(world, {}), 0)
    local url = vultr_run.database_url(world)
    local done = vultr_run.run(world, { "--database", "DATABASE" })
    vultr_run.expect_exit(done, 4)
    expect(done.all).has "PGO-CONFIRM"
    expect(vultr_run.restores(world)).is(1)
    vultr_run.expect_exit(vultr_run.run(world, { "--database", "DATABASE", "--confirm", vultr_run.APP }), 0)
    vultr_run.expect_moved(world)
    expect(vultr_run.database_url(world)).is(url)
    expect(vultr_run.restores(world)).is(2)
  end), { limit = 280 })

  it("works with a clock that is 20 minutes off, and says so", vultr_run.with_world({}, function(world)
    world:fault { at = "s3.any", skew = 1200, times = "always" }
    local done = vultr_run.run(world, {})
    vultr_run.expect_exit(done, 0)
    expect(done.all).has "clock"
    vultr_run.expect_moved(world)
  end), { limit = 250 })

  -- In a VPC, by the public host, and with Vultr's other spelling of states and regions.
  it("opens a closed allow list for itself alone, and closes it again",
    vultr_run.with_world({ vultr = { trusted_ips = { "198.51.100.7/32" }, vpc = true, spelling = string.lower } },
      function(world)
        vultr_run.expect_exit(vultr_run.run(world, {}), 0)
        vultr_run.expect_moved(world)
        expect(world.vultr.state.databases[1].object.trusted_ips).same { "198.51.100.7/32" }
        expect(world.source.gate:counts().let_in > 0).is(true)
      end), { limit = 250 })

  it("gives up, and its entry back, when the address it was told does not let it in",
    vultr_run.with_world({ vultr = { trusted_ips = { "198.51.100.7/32" } } }, function(world)
      local done = vultr_run.run(world, { "--from-ip", "203.0.113.77" })
      vultr_run.expect_exit(done, 4)
      expect(done.all).has "PGO-ALLOW-LIST"
      expect(done.all).has "--from-ip"
      expect(world.vultr.state.databases[1].object.trusted_ips).same { "198.51.100.7/32" }
      expect(world.source.gate:counts().let_in).is(0)
      vultr_run.expect_app_as_before(world)
    end), { limit = 120 })
end)
