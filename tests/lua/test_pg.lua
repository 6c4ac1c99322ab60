-- PostgreSQL against a real server: what is promised of connections, statements, cancellation, COPY and TLS.

local fs = require "pgorch.fs"
local pg = require "pgorch.pg"
local process = require "pgorch.process"
local secret = require "pgorch.secret"
local stream = require "pgorch.stream"
local task = require "pgorch.task"
local postgres = require "support.postgres"

local PASSWORD = "p@ss:w/o?r#d%20 'q\"\\ü"

local ENDLESS = [[copy (select repeat('x', 1000) from generate_series(1, 300) a, generate_series(1, 100000) b)
  to stdout]]

-- One server for the file: starting one takes seconds.
local server

local function resident()
  local kilobytes = fs.read("/proc/self/status"):match "VmRSS:%s+(%d+)"
  return tonumber(kilobytes) * 1024
end

-- Under the address sanitizer nothing can be said: it keeps freed memory.
local function expect_growth_below(limit, before)
  if not fs.read("/proc/self/maps"):find("libasan", 1, true) then expect(resident() - before).below(limit) end
end

describe("pg", function()
  it("starts a server", function()
    server = postgres.start { tls = true, password = PASSWORD }
    expect(server.port).above(0)
  end)

  it("connects by URI with an awkward password, and says who and where", function()
    local db <close> = server:connect()
    expect(db.user).is "postgres"
    expect(db.dbname).is "postgres"
    expect(db.server_version).above(120000)
    expect(db.pid).is(db:value "select pg_backend_pid()")
    expect(db:value "show application_name").is "pgorch"
    expect(db:value "show client_encoding").is "UTF8"
    expect(db:state()).is "idle"
  end)

  it("connects by a secret, by parts, by a socket and by a list of hosts", function()
    for _, conninfo in ipairs {
      secret.new(server.uri), server:table(), server:table { host = server.dir },
      server:table { password = secret.new(PASSWORD), host = "localhost" },
      server:table { host = "127.0.0.1,localhost", port = "1," .. server.port },
    } do
      local db <close> = pg.connect(conninfo)
      expect(db:value "select 1").is(1)
    end
  end)

  it("applies settings after connecting", function()
    local settings = { statement_timeout = "4321ms", default_transaction_read_only = true }
    local db <close> = server:connect { settings = settings }
    expect(db:value "show statement_timeout").is "4321ms"
    expect(db:value "show default_transaction_read_only").is "on"
    local err = expect(function() server:connect { settings = { nonsense_setting = 1 } } end):raises "PGO-PG-QUERY"
    expect(err.sqlstate).is "42704"
  end)
end)

describe("pg.connect fails", function()
  it("with PGO-PG-AUTH for a wrong password, which it never shows", function()
    local err = expect(function() pg.connect(server:table { password = "wr0ng-pass" }) end):raises "PGO-PG-AUTH"
    expect(err.sqlstate).is "28P01"
    expect(err.retryable).is(false)
    expect(err.message).has(("127.0.0.1:%d/postgres as postgres"):format(server.port))
    expect(err.message).lacks "wr0ng"
    expect(err.message).lacks "\n"
  end)

  it("with a retryable PGO-PG-CONNECT where nobody listens", function()
    local err = expect(function() pg.connect "postgres://u:pw@127.0.0.1:1/db" end):raises "PGO-PG-CONNECT"
    expect(err.retryable).is(true)
    expect(err.message).has "refused"
  end)

  it("with PGO-PG-CONNECT for a database that is not there", function()
    local err = expect(function() pg.connect(server:table { dbname = "nothing" }) end):raises "PGO-PG-CONNECT"
    expect(err.sqlstate).is "3D000"
    expect(err.retryable).is(false)
  end)

  it("with PGO-DNS for an unknown host", function()
    local err = expect(function() pg.connect "postgres://u:pw@no-such-host.invalid/db" end):raises "PGO-DNS"
    expect(err.message).has "no-such-host.invalid"
  end)

  it("in time, and mentions the allow list, when nobody answers", function()
    server.process:kill "STOP"
    local started = task.now()
    local ok, err = pcall(pg.connect, server.uri, { connect_timeout = 0.5 })
    server.process:kill "CONT"
    expect(ok).is(false)
    expect(err.id).is "PGO-PG-CONNECT"
    expect(err.retryable).is(true)
    expect(err.message).has "allow list"
    expect(task.now() - started).below(3)
  end)

  it("at once when it is cancelled", function()
    server.process:kill "STOP"
    local ok, err = pcall(task.timeout, 0.2, pg.connect, server.uri)
    server.process:kill "CONT"
    expect(ok).is(false)
    expect(err.id).is "PGO-TIMEOUT"
  end)

  it("with PGO-INVALID for options that libpq does not know", function()
    expect(function() server:connect { nonsense = "1" } end):raises "PGO-INVALID"
    expect(function() server:connect { sslmode = "sometimes" } end):raises "PGO-INVALID"
    expect(function() pg.connect { host = "h", port = "70000" } end):raises "PGO-INVALID"
  end)
end)

-- CAs in memory that this process has open.
local function open_authorities()
  local listed = process.run { "/bin/sh", "-c", "ls -l /proc/$PPID/fd" }
  return select(2, listed.stdout:gsub("memfd:pgorch%-ca", ""))
end

describe("pg with TLS", function()
  it("verifies the server by a CA given as text, and keeps it no longer than that", function()
    local db <close> = pg.connect(server:table { host = "localhost", ca_pem = server.ca_pem })
    expect(db.tls).matches "^TLSv1"
    expect(db:value "select ssl from pg_stat_ssl where pid = pg_backend_pid()").is(true)
    expect(open_authorities()).is(0)
  end)

  it("refuses a server that another CA signed", function()
    local other <close> = postgres.start { tls = true }
    local err = expect(function()
      pg.connect(server:table { host = "localhost", ca_pem = other.ca_pem })
    end):raises "PGO-TLS"
    expect(err.message).has "certificate"
    expect(err.retryable).is(false)
    expect(open_authorities()).is(0)
  end)

  it("reads large results whole: no bytes stay behind in the TLS layer", function()
    local db <close> = pg.connect(server:table { sslmode = "require" })
    for size = 16000, 17000, 50 do
      expect(#db:value("select repeat('x', $1::int)", size)).is(size)
    end
    expect(#db:query "select g, repeat('y', 900) as t from generate_series(1, 5000) g").is(5000)
  end)

  it("gives the client programs the same connection", function()
    fs.with_temporary("pgorch-env-test-", function(dir)
      local vars = pg.env(server:table { host = "localhost", ca_pem = server.ca_pem }, dir)
      expect(vars.PGSSLMODE).is "verify-full"
      expect(secret.is(vars.PGPASSWORD)).is(true)
      expect(fs.stat(vars.PGSSLROOTCERT).mode).is(0600)
      local r = process.run { server.client .. "/psql", "-XAtc",
        "select ssl from pg_stat_ssl where pid = pg_backend_pid()", env = vars }
      expect(r.stdout).is "t\n"
    end)
  end)
end)

describe("statements", function()
  it("turn types into Lua values", function()
    local db <close> = server:connect()
    local row = db:row [[select true as b, 32767::int2 as i2, -5 as i4, 9223372036854775807 as i8, 1.5::float4 as f4,
      0.1::float8 as f8, 'NaN'::float8 as nan, 1.10::numeric as n, 'x' as t, null as nothing,
      timestamp '2026-11-20 18:00' as at]]
    expect(row.nan ~= row.nan).is(true)
    row.nan = nil
    expect(row).same { b = true, i2 = 32767, i4 = -5, i8 = math.maxinteger, f4 = 1.5, f8 = 0.1, n = "1.10", t = "x",
      at = "2026-11-20 18:00:00" }
    expect(math.type(row.i4)).is "integer"
  end)

  it("take parameters of every kind, and only as values", function()
    local db <close> = server:connect()
    local row = db:row("select $1::text as a, $2::int as b, $3::bool as c, $4::float8 as d, $5::text as e, " ..
      "$6::text as f, $7::text as g", "it's $1; drop", 7, true, 0.1, nil, pg.null, secret.new "hush, hush")
    expect(row).same { a = "it's $1; drop", b = 7, c = true, d = 0.1, g = "hush, hush" }
    expect(function() db:value("select $1", {}) end):raises "PGO-INVALID"
    expect(function() db:value("select $1", "a\0b") end):raises "PGO-INVALID"
    expect(function() db:value("select $1", tostring(secret.new "hush, hush")) end):raises "PGO-SECRET-MARKER"
  end)

  it("answer with counts, single values, rows", function()
    local db <close> = server:connect()
    db:exec "create temp table t (id int primary key, name text)"
    expect(db:exec "delete from t; insert into t values (1, 'a'), (2, null)").is(2)
    expect(db:exec("update t set name = $1", "z")).is(2)
    expect(db:value "select name from t where id = 9").is_nil()
    expect(db:row "select * from t where id = 9").is_nil()
    expect(db:row "select * from t order by id").same { id = 1, name = "z" }
    expect(db:query "select * from t order by id").same { { id = 1, name = "z" }, { id = 2, name = "z" } }
    expect(db:query "select * from t where false").same {}
    expect(db:exec "").is(0)
  end)

  it("fail with sqlstate, detail and hint, and leave the connection usable", function()
    local db <close> = server:connect()
    db:exec "create temp table u (email text primary key); insert into u values ('a@b')"
    local err = expect(function() db:exec("insert into u values ($1)", "a@b") end):raises "PGO-PG-QUERY"
    expect(err.sqlstate).is "23505"
    expect(err.message).has "u_pkey"
    expect(err.detail).has "(a@b) already exists"
    expect(err.retryable).is(false)
    err = expect(function() db:value "select lenght('x')" end):raises "PGO-PG-QUERY"
    expect(err.detail).has "HINT"
    -- An error after the first rows: reported by whoever reads on.
    expect(function() db:query "select 1 / (500 - g) from generate_series(1, 1000) g" end):raises "PGO-PG-QUERY"
    expect(db:value "select 1").is(1)
  end)

  it("refuse what would need another call", function()
    local db <close> = server:connect()
    expect(function() db:exec "copy (select 1) to stdout" end):raises "PGO-INVALID"
    expect(function() db:exec "create temp table x (a int); copy x from stdin" end):raises "PGO-INVALID"
    expect(function() db:query "select 1; select 2" end):raises "PGO-INVALID"
    expect(db:exec "select 1; select 2").is(1)
    expect(function() db:copy_out("select 1", stream.new()) end):raises "PGO-INVALID"
    expect(db:value "select 1").is(1)
  end)

  it("keep the last hundred notices", function()
    local db <close> = server:connect()
    db:exec "do $$ begin for i in 1..130 loop raise notice 'notice %', i; end loop; end $$"
    expect(#db.notices).is(100)
    expect(db.notices[1]).is "NOTICE: notice 31"
    expect(db.notices[100]).is "NOTICE: notice 130"
  end)

  it("fail with a retryable PGO-PG-LOST when the server ends the session", function()
    local db <close> = server:connect()
    local other <close> = server:connect()
    task.group(function(group)
      group:spawn(function()
        local err = expect(function() db:exec "select pg_sleep(60)" end):raises "PGO-PG-LOST"
        expect(err.retryable).is(true)
        expect(err.sqlstate).is "57P01"
      end)
      task.sleep(0.2)
      other:exec("select pg_terminate_backend($1)", db.pid)
    end)
    expect(db:state()).is "broken"
    expect(function() db:exec "select 1" end):raises "PGO-PG-LOST"
  end)

  it("are refused when two tasks use one connection at once", function()
    local db <close> = server:connect()
    task.group(function(group)
      group:spawn(function() db:exec "select pg_sleep(0.3)" end)
      task.sleep(0.05)
      local err = expect(function() db:exec "select 1" end):raises "PGO-INVALID"
      expect(err.message).has "two tasks"
    end)
    expect(db:value "select 1").is(1)
  end)
end)

describe("rows", function()
  it("stream a result that is larger than the memory they take, without holding the loop", function()
    local db <close> = server:connect()
    local before, turns, sum = resident(), 0, 0
    task.group(function(group)
      local ticker = group:spawn(function()
        while true do
          task.sleep(0.001)
          turns = turns + 1
        end
      end)
      for row in db:rows "select g, repeat('x', 400) as t from generate_series(1, 250000) g" do
        sum = sum + row.g
        if row.g % 50000 == 0 then expect_growth_below(40e6, before) end
      end
      group:cancel()
      return ticker
    end)
    expect(sum).is(250000 * 250001 // 2)
    expect(turns).above(20) -- others had their turn between the rows
  end)

  it("that are left at a break are thrown away before the next statement", function()
    local db <close> = server:connect()
    local started = task.now()
    for row in db:rows "select g, repeat('x', 1000) from generate_series(1, 300) a, generate_series(1, 100000) g" do
      if row.g == 3 then break end
    end
    expect(db:state()).is "busy"
    expect(db:value "select 'next'").is "next"
    expect(task.now() - started).below(10)
  end)

  it("that are left inside a transaction do not fail it", function()
    local db <close> = server:connect()
    db:transaction({}, function()
      db:exec "create temp table kept (a int) on commit preserve rows"
      for row in db:rows "select g from generate_series(1, 20000) g" do
        if row.g == 3 then break end
      end
      db:exec "insert into kept values (1)"
      local insert = "insert into kept select g from generate_series(1, 2000) g returning a"
      for _ in db:rows(insert) do -- luacheck: ignore 512
        break
      end
    end)
    expect(db:value "select count(*) from kept").is(2001)
  end)

  it("are not lost silently when another statement comes between", function()
    local db <close> = server:connect()
    local err = expect(function()
      for _ in db:rows "select g from generate_series(1, 20000) g" do db:value "select 1" end
    end):raises "PGO-INVALID"
    expect(err.message).has "second connection"
  end)
end)

describe("cancel", function()
  it("of a task stops the statement on the server and leaves the connection usable", function()
    local db <close> = server:connect()
    local other <close> = server:connect()
    local started = task.now()
    expect(function() task.timeout(0.3, db.exec, db, "select pg_sleep(60)") end):raises "PGO-TIMEOUT"
    expect(task.now() - started).below(4)
    expect(db:state()).is "idle"
    expect(db:value "select 2").is(2)
    expect(other:value("select state from pg_stat_activity where pid = $1", db.pid)).is "idle"
  end)

  it("of a task that reads rows stops them", function()
    local db <close> = server:connect()
    expect(function()
      task.timeout(0.3, function()
        for _ in db:rows "select repeat('x', 1000) from generate_series(1, 300) a, generate_series(1, 100000) b" do
          task.sleep(0)
        end
      end)
    end):raises "PGO-TIMEOUT"
    expect(db:value "select 3").is(3)
  end)

  it("by another task fails the statement with 57014", function()
    local db <close> = server:connect()
    expect(db:cancel()).is(false)
    task.group(function(group)
      group:spawn(function()
        local err = expect(function() db:exec "select pg_sleep(60)" end):raises "PGO-PG-QUERY"
        expect(err.sqlstate).is "57014"
      end)
      task.sleep(0.1)
      expect(db:cancel()).is(true)
    end)
    expect(db:value "select 4").is(4)
  end)

  it("works without a second connection: PQcancel is the last resort", function()
    local admin <close> = server:connect()
    admin:exec "create role lonely login password 'lonely-pass' connection limit 1"
    local db <close> = pg.connect(server:table { user = "lonely", password = "lonely-pass" })
    expect(function() task.timeout(0.2, db.exec, db, "select pg_sleep(60)") end):raises "PGO-TIMEOUT"
    expect(db:value "select 5").is(5)
    db:close()
    admin:exec "drop role lonely"
  end)

  it("of a task ends when the server does not answer at all: the connection is given up", function()
    local db <close> = server:connect()
    local ok, err
    local started = task.now()
    task.group(function(group)
      group:spawn(function() ok, err = pcall(task.timeout, 0.3, db.exec, db, "select pg_sleep(60)") end)
      task.sleep(0.2)
      server.process:kill "STOP"
    end)
    server.process:kill "CONT"
    expect(ok).is(false)
    expect(err.id).is "PGO-TIMEOUT"
    expect(task.now() - started).below(14)
    expect(db:state()).is "closed"
  end)

  it("is not needed to close: a connection closes with a statement on the way", function()
    local db <close> = server:connect()
    task.group(function(group)
      group:spawn(function() expect(function() db:exec "select pg_sleep(60)" end):raises "PGO-CLOSED" end)
      task.sleep(0.1)
      db:close()
    end)
    expect(db:state()).is "closed"
    expect(function() db:exec "select 1" end):raises "PGO-CLOSED"
    db:close()
  end)
end)

describe("transaction", function()
  it("commits and returns what its function returned", function()
    local db <close> = server:connect()
    local a, b = db:transaction({ isolation = "serializable", readonly = true }, function(conn)
      expect(conn:state()).is "transaction"
      return conn:value "show transaction_isolation", conn:value "show transaction_read_only"
    end)
    expect(a).is "serializable"
    expect(b).is "on"
    expect(db:state()).is "idle"
  end)

  it("rolls back on an error, and on a cancellation", function()
    local db <close> = server:connect()
    db:exec "create temp table k (a int)"
    local err = expect(function()
      db:transaction({}, function()
        db:exec "insert into k values (1)"
        db:exec "select 1/0"
      end)
    end):raises "PGO-PG-QUERY"
    expect(err.sqlstate).is "22012"
    expect(function()
      task.timeout(0.3, db.transaction, db, {}, function()
        db:exec "insert into k values (2)"
        db:exec "select pg_sleep(60)"
      end)
    end):raises "PGO-TIMEOUT"
    expect(db:state()).is "idle"
    expect(db:value "select count(*) from k").is(0)
  end)

  it("does not pass a swallowed failure off as a commit", function()
    local db <close> = server:connect()
    local err = expect(function()
      db:transaction(function() pcall(db.exec, db, "select 1/0") end)
    end):raises "PGO-PG-QUERY"
    expect(err.sqlstate).is "25P02"
    expect(db:state()).is "idle"
  end)

  it("reads another's snapshot", function()
    local a <close> = server:connect()
    local b <close> = server:connect()
    a:exec "create table snap (x int)"
    a:transaction({ isolation = "repeatable read" }, function()
      local id = a:value "select pg_export_snapshot()"
      local c <close> = server:connect()
      c:exec "insert into snap values (1)"
      b:transaction({ snapshot = id, readonly = true }, function()
        expect(b:value "select count(*) from snap").is(0)
      end)
    end)
    a:exec "drop table snap"
  end)
end)

describe("copy_out", function()
  it("moves rows into a stream with bounded memory", function()
    local db <close> = server:connect()
    local out, before = stream.new(), resident()
    task.group(function(group)
      local reader = group:spawn(function() return out:drain() end)
      local done = db:copy_out("copy (select g, repeat('x', 500) from generate_series(1, 100000) g) to stdout", out)
      expect(done.rows).is(100000)
      expect(done.bytes).is(reader:join())
    end)
    expect_growth_below(30e6, before)
  end)

  it("gives the text as it is", function()
    local db <close> = server:connect()
    local out = stream.new(8) -- smaller than a row
    local done = task.group(function(group)
      local reader = group:spawn(function() return out:read_all(1000) end)
      local counts = db:copy_out("copy (values (1, 'a'), (2, null)) to stdout (format csv)", out)
      expect(reader:join()).is "1,a\n2,\n"
      return counts
    end)
    expect(done).same { bytes = 7, rows = 2 }
  end)

  it("fails the stream when the COPY fails", function()
    local db <close> = server:connect()
    local out = stream.new()
    expect(function()
      db:copy_out("copy (select 1/(50-g) from generate_series(1,100) g) to stdout", out)
    end):raises "PGO-PG-QUERY"
    expect(function() out:read_all(10000) end):raises "PGO-PG-QUERY"
    expect(db:value "select 1").is(1)
  end)

  it("is cancelled when the reader closes", function()
    local db <close> = server:connect()
    local out = stream.new()
    task.group(function(group)
      group:spawn(function()
        out:read()
        out:close()
      end)
      expect(function()
        db:copy_out(ENDLESS, out)
      end):raises "PGO-CLOSED"
    end)
    expect(db:value "select 1").is(1)
  end)

  it("is cancelled with its task while nobody reads", function()
    local db <close> = server:connect()
    local out = stream.new()
    expect(function()
      task.timeout(0.3, db.copy_out, db, ENDLESS, out)
    end):raises "PGO-TIMEOUT"
    expect(db:value "select 1").is(1)
  end)
end)

describe("texts", function()
  it("of identifiers and literals are quoted", function()
    local db <close> = server:connect()
    expect(pg.ident("public", 'we"ird')).is '"public"."we""ird"'
    for _, text in ipairs { "plain", "it's", "back\\slash", "'\\'", "ü" } do
      expect(db:value("select " .. pg.literal(text))).is(text)
    end
    expect(pg.literal(nil)).is "NULL"
    expect(pg.literal(5)).is "5"
    local quoted = pg.literal(secret.new "it's hushed")
    expect(secret.is(quoted)).is(true)
    expect(db:value("select " .. quoted)).is "it's hushed"
    expect(function() pg.ident("") end):raises "PGO-INVALID"
  end)

  it("of URIs are taken apart", function()
    local dsn = pg.dsn "postgres://us%40er:p%3Aw@[::1]/my%20db?sslmode=require&application_name=a%26b&connect_timeout=7"
    expect(secret.is(dsn.password)).is(true)
    dsn.password = nil
    expect(dsn).same { host = "::1", port = 5432, user = "us@er", dbname = "my db", sslmode = "require",
      application_name = "a&b", connect_timeout = 7 }
    expect(pg.dsn("postgresql://h:6543/d").port).is(6543)
    expect(pg.dsn("host=h dbname=d").dbname).is "d"
  end)

  it("of wrong URIs are refused without a word of them", function()
    for i, uri in ipairs {
      "postgres://u:hunter%2@h/d", "postgres://u:hunter@2@h/d", "postgres://u:12/hunter@h/d", "hunter",
      "postgres://u:hunter@[::1/d", "postgres://u:pw@h/d?hunter=1",
    } do
      local err = expect(function()
        pg.dsn(uri)
        error("taken: " .. i, 0)
      end):raises "PGO-INVALID"
      expect(err.message).lacks "hunter"
    end
    local err = expect(function() pg.connect "postgres://u:hunter/2@h/d" end):raises "PGO-INVALID"
    expect(err.message).lacks "hunter"
  end)
end)

describe("pg", function()
  it("stops its server", function()
    local dir = server.dir
    server:close()
    expect(fs.exists(dir)).is(false)
  end)
end)
