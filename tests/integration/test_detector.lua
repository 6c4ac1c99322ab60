-- The write detector on a real server of every major: every kind of write is found and named, a transaction that began
-- before the snapshot and commits after it above all; what writes nothing here is not called a write.

local binaries    = require "pgorch.sandbox.postgres.binaries"
local certificate = require "pgorch.sandbox.certificate"
local detector    = require "pgorch.detector"
local folder      = require "pgorch.sandbox.folder"
local fs          = require "pgorch.fs"
local majors      = require "support.majors"
local pg          = require "pgorch.pg"
local postgres    = require "pgorch.sandbox.postgres"
local source      = require "pgorch.source"
local task        = require "pgorch.task"

local SETTINGS = { max_prepared_transactions = "5", autovacuum = "off" }
local PASSWORD = "correct horse"

local TABLES = [[
  create schema "Shop 1%"; create sequence public.numbers;
  create table public.inserted (n integer); create table public.updated (n integer);
  create table public.deleted (n integer); create table public.emptied (n integer);
  create table public.altered (n integer); create table public.locked (n integer);
  create table "Shop 1%"."Ünder ""way""" (n integer);
  insert into public.updated values (1); insert into public.deleted values (1);
  insert into public.emptied values (1); insert into public.locked values (1);
]]

-- A server with an owner who is no superuser, two databases of his, and the tables in one of them.
local function with_server(major, fn)
  local world = { dir = folder.make(), server = binaries.find(majors.bin(major)) }
  local _ <close> = setmetatable({}, { __close = function() fs.remove_tree(world.dir) end })
  fs.mkdir(world.dir .. "/tls")
  local tls, dir = certificate.make(world.dir .. "/tls"), world.dir .. "/cluster"
  postgres.prepare(world.server, dir, tls)
  postgres.initdb(world.server, dir .. "/data")
  local cluster = postgres.start(world.server, dir, { settings = SETTINGS })
  local server = { cluster = cluster, dir = dir, major = major,
    restart = function(self)
      self.cluster:close "INT"
      self.cluster = postgres.start(world.server, dir, { settings = SETTINGS })
      self.from.port = self.cluster.port
    end }
  local ending <close> = setmetatable({}, { __close = function() server.cluster:close() end })
  local admin = cluster:connect()
  admin:exec(("create role owner login password '%s'"):format(PASSWORD))
  admin:exec "create database shop owner owner"
  admin:exec "create database other owner owner"
  admin:close()
  server.from = source.new { provider = "test", host = cluster.host, port = cluster.port, user = "owner",
    password = PASSWORD, dbname = "shop", ca_pem = tls.ca_pem }
  do
    local conn <close> = server.from:connect { writable = true }
    conn:exec(TABLES)            -- a session that stays counts its rows ten seconds later
  end
  return fn(server, ending)
end

local function connect(server, dbname)
  local dsn = server.from:dsn(dbname)
  dsn.application_name = "shop"
  return pg.connect(dsn)
end

local function wait_for_no_sessions(from)
  for _ = 1, 400 do
    if #from:sessions() == 0 then return end
    task.sleep(0.01)
  end
  error("a session does not end", 0)
end

local function mark(server)
  wait_for_no_sessions(server.from)
  local conn <close> = server.from:connect()
  return detector.mark(conn)
end

-- A session of its own that ends, and has counted, before anybody is asked.
local function write(server, sql, dbname)
  do
    local writer <close> = connect(server, dbname)
    writer:exec(sql)
  end
  wait_for_no_sessions(server.from)
end

local function asked(server, before)
  local judged = detector.ask(server.from, before, { settle = 0 })
  return judged.answer .. " " .. table.concat(judged.names, " "), judged
end

local function says(server, before, wanted)
  local said, judged = asked(server, before)
  if said ~= wanted then
    error(("%d: expected `%s`, got `%s` (%s)"):format(server.major, wanted, said, judged.why), 2)
  end
  return judged
end

local function finds_every_write(server)
  local before = mark(server)
  says(server, before, "quiet ")
  write(server, [[insert into inserted values (1)]])
  write(server, [[update updated set n = 2; delete from deleted; truncate emptied;
    alter table altered add more text; select nextval('numbers'); select lo_create(77)]])
  says(server, before, 'written "public"."deleted" "public"."inserted" "public"."updated" large objects '
    .. '"public"."emptied" "public"."numbers" the schema')
  before = mark(server)
  write(server, "select nextval('numbers')")          -- takes no xid: 32 were taken at once
  says(server, before, 'written "public"."numbers"')
  before = mark(server)
  write(server, "select lo_put(77, 0, 'late')")
  says(server, before, "written large objects")
end

-- THE case: it is not in the dump, and its xid is older than the snapshot's xmax (one that ended makes it so).
local function finds_what_was_under_way(server)
  local writer <close> = connect(server)
  writer:exec [[begin; insert into "Shop 1%"."Ünder ""way""" values (1); savepoint s;
    insert into "Shop 1%"."Ünder ""way""" values (2); release s]]
  do
    local other <close> = connect(server, "other")
    other:exec "select txid_current()"
  end
  local conn <close> = server.from:connect()
  local before = detector.begin(conn)
  expect(conn:value [[select count(*) from "Shop 1%"."Ünder ""way"""]]).is(0)
  expect(before.running).is_not ""
  expect(says(server, before, "unclear ").open).has "shop"
  writer:exec "commit"
  writer:close()
  conn:exec "commit"
  wait_for_no_sessions(server.from)
  says(server, before, [[written "Shop 1%"."Ünder ""way"""]])
end

local function finds_what_was_prepared(server)
  write(server, "begin; insert into inserted values (7); prepare transaction 'later'")
  local before = mark(server)
  expect(says(server, before, "unclear ").open).is "prepared transaction later of owner"
  write(server, "commit prepared 'later'")
  says(server, before, 'written "public"."inserted"')
end

local function is_quiet_about_the_rest(server)
  local before = mark(server)
  write(server, "begin; insert into inserted values (2); rollback")
  write(server, "begin; insert into inserted values (3); savepoint s; insert into inserted values (4); rollback")
  says(server, before, "quiet ")
  before = mark(server)                         -- rows of what was rolled back are counted as written
  write(server, "create table public.elsewhere as select 1 as n", "other")
  says(server, before, "quiet ")
  write(server, "analyze updated")
  says(server, before, "quiet ")
end

-- One that is open in another database is none of ours; one here is, though its xid is the newest.
local function knows_whose_is_open(server)
  local before = mark(server)
  local other <close> = connect(server, "other")
  other:exec "begin; create table public.open as select 1 as n"
  says(server, before, "quiet ")
  local writer <close> = connect(server)
  writer:exec "begin; insert into inserted values (5)"
  expect(says(server, before, "unclear ").open).matches "^process %d+ of owner %(shop, idle in transaction%)$"
end

local function is_unclear_about_locks(server)
  local before = mark(server)
  write(server, "select * from locked for update")
  expect(says(server, before, "unclear ").why).has "no counter shows where"
end

local function is_unclear_while_others_are_there(server)
  local before = mark(server)
  local stranger <close> = connect(server)
  stranger:exec "select 1"
  says(server, before, "quiet ")
  do
    local other <close> = connect(server, "other")
    other:exec "create table public.again as select 1 as n"
  end
  expect(says(server, before, "unclear ").why).has "1 other sessions"
end

local CHANGES = {
  "comment on table locked is 'kept'", "create schema fresh", "grant usage on schema fresh to public",
  "create table deeds (code integer, state text)", "comment on large object 77 is 'kept'",
  "create view seen as select 1 as n",  "create or replace view seen as select 2 as n",
  "create publication told for table locked", "alter publication told drop table locked", "drop publication told",
  "alter default privileges grant select on tables to public", "create statistics figures on code, state from deeds",
  "create type mood as enum ('good')", "alter type mood add value 'bad'", "alter table locked alter n set default 7",
  "alter table locked alter n set default 8", "create index place on locked (n)", "alter table locked cluster on place",
  "create domain small as integer", "alter domain small add check (value < 9)", "alter sequence numbers increment 2",
  "create function two() returns integer language sql as 'select 2'", "create cast (mood as integer) with inout",
  "create aggregate everything (integer) (sfunc = int4pl, stype = integer)", "create collation plain from \"C\"",
  "create operator === (procedure = int4eq, leftarg = integer, rightarg = integer)",
  "revoke execute on function two() from public",
  "create text search configuration words (parser = default)", "drop schema fresh",
}

-- Those that only a superuser makes; an owner, who asks, must see them too.
local ADMINS = {
  "create extension hstore", "create foreign data wrapper outside", "create server far foreign data wrapper outside",
  "create foreign table there (n integer) server far", "create user mapping for public server far",
  "create function heard() returns event_trigger language plpgsql as 'begin end'",
  "create event trigger bell on ddl_command_end execute function heard()", "alter event trigger bell disable",
  "drop event trigger bell", "grant execute on function pg_reload_conf() to public",
}
local SINCE_15 = { "create publication whole for tables in schema public",
  "alter publication whole add tables in schema \"Shop 1%\"", "drop publication whole" }

local function finds_every_change_of_the_schema(server)
  local asker <close> = server.from:connect()
  local function digest() return asker:value(source.sql "catalog_digest") end
  local function check(conn, list)
    for _, sql in ipairs(list) do
      local before = digest()
      conn:exec(sql)
      if digest() == before then error(("%d: not seen: %s"):format(server.major, sql), 2) end
    end
  end
  local owner <close> = server.from:connect { writable = true }
  local admin <close> = server.cluster:connect "shop"
  check(owner, CHANGES)
  check(admin, ADMINS)
  if server.major >= 15 then check(admin, SINCE_15) end
  local before = digest()
  owner:exec [[create temporary table passing (n serial primary key); comment on table passing is 'x';
    insert into passing values (1); analyze; drop table passing]]
  owner:exec "vacuum"
  expect(digest()).is(before)
end

local function survives_a_restart(server)
  local before = mark(server)
  server:restart()
  says(server, before, "quiet ")
  write(server, "insert into inserted values (8)")
  says(server, before, "unclear ")
  write(server, "truncate emptied")
  says(server, before, 'written "public"."emptied" the schema')
end

-- Kind, state and start of another role's session are hidden from an owner who is in neither role.
local function sees_and_ends_what_is_hidden(server)
  local admin <close> = server.cluster:connect()
  admin:exec "create role hidden login password 'hidden secret'"
  local before = mark(server)
  local stranger <close> = pg.connect { host = server.from.host, port = server.from.port, user = "hidden",
    password = "hidden secret", dbname = "shop", sslmode = "require", application_name = "report" }
  expect(server.from:sessions()[1].user).is "hidden"
  do
    local other <close> = connect(server, "other")
    other:exec "create table public.meanwhile as select 1 as n"
  end
  expect(says(server, before, "unclear ").why).has "1 other sessions"
  do
    local owner <close> = server.from:connect { writable = true }
    owner:exec "create table public.strange (n integer); grant insert on public.strange to hidden"
    before = detector.mark(owner)
  end
  stranger:exec "begin; insert into public.strange values (1)"       -- its xid is the newest: no snapshot names it
  local said = says(server, before, "unclear ")
  expect(said.why).is "a transaction is still open"
  expect(said.open).matches "^process %d+ of hidden %(report, %)$"
  stranger:exec "rollback"
  local refused = server.from:end_other_sessions("2026-01-01 00:00:00Z")
  expect({ refused.ended, refused.refused[1].user }).same { 0, "hidden" }
  admin:exec "grant pg_signal_backend to owner"
  expect(server.from:end_other_sessions("2026-01-01 00:00:00Z").ended).is(1)
  expect(function() stranger:exec "select 1" end):raises "PGO-PG-LOST"
end

-- Limits that somebody set for the database: the session that holds the snapshot says nothing for hours.
local function outlives_the_limits(server)
  local admin <close> = server.cluster:connect()
  for name, since in pairs { transaction_timeout = 17, idle_session_timeout = 14 } do
    if server.major >= since then admin:exec(("alter database shop set %s = '400ms'"):format(name)) end
  end
  local holder <close> = server.from:connect()
  local idle <close> = server.from:connect()
  detector.begin(holder)
  task.sleep(0.8)
  expect(holder:value "select 1").is(1)
  expect(idle:value "select 1").is(1)
  local options = server.from:env(server.dir).PGOPTIONS
  expect(options:find("transaction_timeout=0", 1, true) ~= nil).is(server.major >= 17)
  local dump = pg.connect(server.from:dsn(), { options = options })      -- what pg_dump gets: known to the server
  dump:close()
  admin:exec "alter database shop reset all"
end

-- Writes below savepoints to a temporary table: xids, and nothing that lasts.
local MANY = [[create temporary table t (n integer);
  do $$ begin for i in 1..10001 loop begin insert into t values (i); exception when others then null; end; end loop;
  end $$; drop table t]]

local function does_not_ask_for_too_many(server)
  local before = mark(server)
  write(server, MANY)
  expect(says(server, before, "unclear ").why).has "too many"
end

local function check_all(server)
  finds_what_was_under_way(server)
  finds_every_write(server)
  finds_what_was_prepared(server)
  is_quiet_about_the_rest(server)
  knows_whose_is_open(server)
  is_unclear_about_locks(server)
  is_unclear_while_others_are_there(server)
  finds_every_change_of_the_schema(server)
  outlives_the_limits(server)
  if server.major == 15 or server.major == 18 then
    does_not_ask_for_too_many(server)
    sees_and_ends_what_is_hidden(server)
    survives_a_restart(server)
  end
end

describe("the write detector", function()
  it("finds every write on every major, and nothing else", function()
    local missing = majors.missing(table.unpack(majors.ALL))
    if missing then skip(missing) end
    -- Side by side: until 14 most of the time is spent waiting for the counters.
    task.map(majors.ALL, { limit = 3 }, function(major) with_server(major, check_all) end)
  end, { limit = 280 })

  it("takes no xid, so that it does not disturb itself", function()
    local missing = majors.missing(15)
    if missing then skip(missing) end
    with_server(15, function(server)
      local before = mark(server)
      for _ = 1, 3 do asked(server, before) end
      expect(mark(server).xmax).is(before.xmax)
    end)
  end)
end)
