-- The record of runs in a PostgreSQL server, where it is not like a file: who may use it, leases, and a connection that
-- is lost at any moment. What must hold: what was written is there once, whatever happened to the connection.

local env      = require "pgorch.env"
local fs       = require "pgorch.fs"
local native   = require "pgorch.native.store"
local postgres = require "support.postgres"
local relay    = require "pgorch.native.relay"
local secret   = require "pgorch.secret"
local store    = require "pgorch.store"
local task     = require "pgorch.task"

local PASSWORD = "p@ss:w/o?r#d%20 'q\"\\ü"

local END_OTHERS = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pgorch record'"

local server           -- one for the file

local function sql(text)
  local conn <close> = server:connect()
  conn:exec(text)
end

local function value(text)
  local conn <close> = server:connect()
  return conn:value(text)
end

local function url_of(o)
  local password = o.password or server.uri:match ":([^:@/]+)@"
  return ("postgres://%s:%s@127.0.0.1:%d/%s"):format(o.user or "postgres", password, o.port or server.port,
    o.dbname or "postgres")
end

-- A new record, and one way to it that goes through a relay.
local function with_record(fn)
  sql "drop schema if exists pgorch cascade"
  local link = relay.open { host = "127.0.0.1", port = server.port }
  local _ <close> = setmetatable({}, { __close = function() link:close() end })
  link:allow { "127.0.0.0/8" }
  local st <close> = store.open(url_of { port = link:port() })
  local run = st:create_run { recipe = "r", recipe_path = "r", recipe_hash = "h", params = {}, versions = {} }
  fn(st, run, link)
end

local function notes(st, run)
  local list = {}
  for _, event in ipairs(st:events(run.id)) do
    if event.kind == "note" then list[#list + 1] = event.data.n end
  end
  return list
end

local function refused(url, ...)
  local err = expect(function() store.open(url):close() end).raises "PGO-STORE"
  for _, text in ipairs { ... } do expect(tostring(err) .. tostring(err.detail)).has(text) end
  expect(tostring(err) .. tostring(err.detail)).lacks "p@ss"
  expect(tostring(err) .. tostring(err.detail)).lacks "p%40ss"
end

local function alive() return true end
local function unseen() return nil end

describe("a record in a server", function()
  it("starts a server", function()
    server = postgres.start { tls = true, password = PASSWORD }
    expect(server.port).above(0)
  end)

  it("is called by its place, and its URL is a secret", function()
    with_record(function(st, run)
      expect(st.path).matches "^postgres://postgres@127%.0%.0%.1:%d+/postgres$"
      expect(secret.redact("see " .. server.uri)).lacks "p%40ss"
      expect(st:run_dir(run.id)).matches("/pgorch/runs/" .. run.id .. "$")
      expect(value "select state from pgorch.run").is "running"
      expect(value "select string_agg(tablename, ' ') from pg_tables where schemaname = 'public'").is_nil()
    end)
    if not env.get "PGORCH_STATE" then expect(store.default_url()).matches "^sqlite:" end
  end)

  it("refuses who may not use it before anything is touched, and says why", function()
    sql "create role weak login password 'weak weak weak'"
    sql 'create database "Ä b" template template0'
    sql "create database latin encoding 'LATIN1' template template0 locale 'C'"
    refused(url_of { password = "wrong-wrong" }, "password authentication failed")
    refused(url_of { dbname = "absent" }, 'database "absent" does not exist')
    refused(url_of { port = 1 }, "127.0.0.1:1", "refused")
    refused("postgres://u:p@absent.invalid/x", "absent.invalid", "translate host name")
    refused(url_of { dbname = "latin" }, "encoding is not UTF8")
    local weak = url_of { user = "weak", password = "weak%20weak%20weak" }
    refused(weak, "lacks a right", "as weak", "permission denied for schema pgorch")
    sql "drop schema pgorch cascade"
    refused(weak, "lacks a right", "as weak", "permission denied for database")
    refused(server.uri .. "?sslmode=verify-full&sslrootcert=/nowhere.pem", "nowhere.pem")
    store.open(url_of { dbname = "%C3%84%20b" }):close()
    store.open(server.uri .. "?sslmode=verify-full&sslrootcert=" .. server.dir .. "/ca.pem"):close()
  end)

  it("is for a role that has the schema, and for reading by one that may read", function()
    sql "drop schema if exists pgorch cascade; drop role if exists tenant; create role tenant login password 'tenant'"
    sql "create schema pgorch authorization tenant"
    local st <close> = store.open(url_of { user = "tenant", password = "tenant" })
    local run = st:create_run { recipe = "r", recipe_path = "r", recipe_hash = "h", params = {}, versions = {} }
    sql "grant usage on schema pgorch to weak; grant select on all tables in schema pgorch to weak"
    local reader <close> = store.open(url_of { user = "weak", password = "weak%20weak%20weak" })
    expect(reader:run(run.id).state).is "running"
    local err = expect(function() reader:event(run.id, "note") end).raises "PGO-STORE"
    expect(err.message).has "lacks a right"
    sql "drop schema pgorch cascade"
  end)

  it("goes by the lease of a process that cannot be seen", function()
    with_record(function(st, run)
      local _, fence = st:claim(run, "far/away:1:1", alive)
      local theirs = st:as_writer(run.id, fence)
      expect(st:run(run.id).leased).is(true)
      expect(st:claim(st:run(run.id), "me", unseen)).is "far/away:1:1"
      sql "update pgorch.run set lease_until = 1"
      expect(st:run(run.id).leased).is(false)
      theirs:event(run.id, "note", { n = 1 })        -- nobody took it: a write makes the lease good again
      expect(st:claim(st:run(run.id), "me", unseen)).is "far/away:1:1"
      sql "update pgorch.run set lease_until = 1"
      expect(st:claim(st:run(run.id), "me", unseen)).is(true)
      expect(function() theirs:renew(run.id) end).raises "PGO-FENCED"
      local seconds = value "select (lease_until / 1000000.0 - extract(epoch from now()))::int from pgorch.run"
      expect(seconds).above(50)
      expect(seconds).below(61)
    end)
  end)

  it("is one writer's at a time: nothing that two have written at once is lost or doubled", function()
    with_record(function(_, run)
      local stores = task.map({ 1, 2, 3, 4 }, { limit = 4 }, function() return store.open(server.uri) end)
      task.map(stores, { limit = 4 }, function(each, who)
        for n = 1, 25 do each:event(run.id, "note", { n = who * 100 + n }) end
      end)
      expect(#notes(stores[1], run)).is(100)
      for _, each in ipairs(stores) do each:close() end
    end)
  end)

  it("goes on when its connections were ended", function()
    with_record(function(st, run, link)
      for n = 1, 3 do
        if n == 2 then link:cut() end
        if n == 3 then sql(END_OTHERS) end
        st:event(run.id, "note", { n = n })
        if n == 2 then link:cut() end
        expect(#notes(st, run)).is(n)
      end
    end)
  end)

  it("has each write once, wherever in it the connection breaks", function()
    with_record(function(st, run, link)
      local before = link:counts()
      st:event(run.id, "note", { n = 0 })
      local after = link:counts()
      local size, n = after.up + after.down - before.up - before.down, 0
      expect(size).above(300)
      for at = 1, size + 20, 23 do
        n = n + 1
        link:cut_after(at)
        st:event(run.id, "note", { n = n })
        link:cut_after(nil)
      end
      local list = notes(st, run)
      for i = 0, n do expect(list[i + 1]).is(i) end
      expect(#list).is(n + 1)
    end)
  end)

  -- COMMIT takes its time here, so that its answer can be kept back for sure. `first` fails the first one.
  local function lose_answer(first)
    with_record(function(st, run, link)
      sql(([[create sequence public.commits; create table public.failing (fail boolean); insert into public.failing
        values (%s); create function public.slow() returns trigger language plpgsql as $$ begin
          if nextval('public.commits') = 1 then
            perform pg_sleep(0.5);
            if (select fail from public.failing) then raise exception 'not now'; end if;
          end if;
          return null;
        end $$; grant all on public.failing to public;
        create constraint trigger slow after insert on pgorch.event deferrable initially deferred
          for each row execute function public.slow()]]):format(first))
      task.group(function(group)
        local writing = group:spawn(function() st:event(run.id, "note", { n = 1 }) end)
        while value "select count(*) from pg_stat_activity where state = 'active' and query = 'commit'" == 0 do
          task.sleep(0.01)
        end
        link:cut()
        writing:join()
      end)
      expect(#notes(st, run)).is(1)
      expect(value "select last_value from public.commits").is(first and 2 or 1)
      sql "drop table public.failing; drop function public.slow() cascade; drop sequence public.commits"
    end)
  end

  it("does not repeat a COMMIT that was done, though its answer was lost", function() lose_answer(false) end)
  it("repeats one that had failed when its answer was lost", function() lose_answer(true) end)

  it("is given up, and can be tried again, when it is locked or silent for too long", function()
    with_record(function(st, run, link)
      local silent <close> = native.open(url_of { port = link:port() })
      local holder <close> = server:connect()
      holder:exec "begin; select pg_advisory_xact_lock(1885826930, 2)"
      local waits <close> = store.open(server.uri)
      link:freeze(true)
      local tried = task.map({ function() waits:event(run.id, "note") end, function() silent:query "select 1" end },
        { limit = 2 }, function(fn) return expect(fn).raises "PGO-STORE" end)
      link:freeze(false)
      holder:exec "rollback"
      expect(tried[1].message).has "another process has held it for too long"
      expect(tried[2].message).has "does not answer"
      for _, err in ipairs(tried) do expect(err.retryable).is(true) end
      st:event(run.id, "note", { n = 1 })
      expect(#notes(st, run)).is(1)
    end)
  end)

  it("ends its server", function()
    server:close()
    expect(fs.exists(server.dir)).is(false)
  end)
end)
