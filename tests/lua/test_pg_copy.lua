-- COPY into a server, and from one connection to another: bytes arrive as they are, memory stays bounded, and whatever
-- fails on either side ends both at once and leaves what can be used usable.

local fs       = require "pgorch.fs"
local pg       = require "pgorch.pg"
local postgres = require "support.postgres"
local relay    = require "pgorch.native.relay"
local stream   = require "pgorch.stream"
local task     = require "pgorch.task"

local server

local function resident() return tonumber(fs.read("/proc/self/status"):match "VmRSS:%s+(%d+)") * 1024 end

-- Under the address sanitizer nothing can be said: it keeps freed memory.
local function expect_growth_below(limit, before)
  if not fs.read("/proc/self/maps"):find("libasan", 1, true) then expect(resident() - before).below(limit) end
end

-- A connection with an empty table `t` of its own.
local function with_table(columns, options)
  local conn = server:connect(options)
  conn:exec("create temp table t (" .. columns .. ")")
  return conn
end

-- Runs COPY with what `produce` writes, beside it.
local function feed(conn, sql, produce, capacity)
  return task.group(function(group)
    local from = stream.new(capacity)
    local producer = group:spawn(function()
      local ok, err = pcall(produce, from)
      return ok or err
    end)
    local rows = conn:copy_in(sql, from)
    return rows, producer:join()
  end)
end

-- One that fails: the error, and what the producer met.
local function fed_badly(conn, sql, produce)
  local from = stream.new()
  local met
  local ok, err = pcall(task.group, function(group)
    group:spawn(function() met = select(2, pcall(produce, from)) end)
    conn:copy_in(sql, from)
  end)
  expect(ok).is(false)
  return err, met, from
end

local FAR = 100e6

-- Lines of numbers as far as nobody should read; line `bad` is none.
local function endless(bad)
  return function(to)
    local line = 0
    while to:total() < FAR do
      local lines = {}
      for i = 1, 1000 do
        line = line + 1
        lines[i] = line == bad and "x\n" or line .. "\n"
      end
      to:write(table.concat(lines))
    end
    to:finish()
  end
end

local function relayed()
  local link = relay.open { port = server.port }
  link:allow { "127.0.0.1", "::1" }
  return link, server:table { port = link:port() }
end

describe("copy_in", function()
  it("starts a server", function()
    server = postgres.start { tls = true }
    expect(server.port).above(0)
  end)

  it("puts rows into a table, whatever the pieces in which they come", function()
    local db <close> = with_table "a int, b text"
    for _, capacity in ipairs { 1, 7, 1 << 18 } do
      local rows = feed(db, "copy t from stdin", function(to)
        to:write "1\tone\n2\tüb"
        to:write "er\n"
        to:write "3\t\\N\n"
        to:finish()
      end, capacity)
      expect(rows).is(3)
    end
    expect(db:value "select string_agg(a || coalesce(b, '-'), ',' order by a, b) from t")
      .is "1one,1one,1one,2über,2über,2über,3-,3-,3-"
    expect(db:state()).is "idle"
  end)

  it("takes no rows at all, and the binary format", function()
    local db <close> = with_table "a int"
    expect((feed(db, "copy t from stdin", function(to) to:finish() end))).is(0)
    expect((feed(db, "copy t from stdin (format binary)", function(to)
      to:write "PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\4\0\0\0\7\xff\xff"
      to:finish()
    end))).is(1)
    expect(db:value "select a from t").is(7)
  end)

  it("needs little memory for much, with TLS and without", function()
    local block, count = ("x"):rep(9999) .. "\n", 4000
    for _, sslmode in ipairs { "disable", "require" } do
      local db <close> = with_table("a text", { sslmode = sslmode })
      db:exec [[alter table t alter a set storage external;
        create function pg_temp.wait() returns trigger language plpgsql as
          $$ begin perform pg_sleep(0.4); return null; end $$;
        create trigger wait before insert on t for each statement execute function pg_temp.wait()]]
      local before = resident()
      local rows = feed(db, "copy t from stdin", function(to)
        for _ = 1, count do to:write(block) end
        to:finish()
      end)
      expect(rows).is(count)
      expect_growth_below(10e6, before)
      expect(db:value "select sum(length(a)) from t").is(9999 * count)
    end
  end)

  it("passes a trigger's notices on, and goes on", function()
    local db <close> = with_table "a int"
    db:exec [[create function pg_temp.say() returns trigger language plpgsql as
      $$ begin raise notice 'row % %', new.a, repeat('E', 3000); return new; end $$;
      create trigger say before insert on t for each row execute function pg_temp.say()]]
    local rows = feed(db, "copy t from stdin", function(to)
      for i = 1, 300 do
        to:write(i .. "\n")
        if i % 50 == 0 then task.sleep(0.01) end
      end
      to:finish()
    end)
    expect(rows).is(300)
    expect(db.notices[#db.notices]).matches "row 300"
  end)

  it("ends at once, with the row's number, when the server refuses a row", function()
    for _, sslmode in ipairs { "disable", "require" } do
      local db <close> = with_table("a int primary key", { sslmode = sslmode })
      local err, met, from = fed_badly(db, "copy t from stdin", endless(123456))
      expect(err.id).is "PGO-PG-QUERY"
      expect(err.sqlstate).is "22P02"
      expect(err.detail).has 'COPY t, line 123456, column a: "x"'
      expect(met.id).is "PGO-CLOSED"
      expect(from:total()).below(FAR)
      expect(db:value "select count(*) from t").is(0)
    end
  end)

  it("ends at once on an error after notices", function()
    local db <close> = with_table "a int"
    db:exec [[create function pg_temp.say() returns trigger language plpgsql as
      $$ begin
        if new.a > 2000 then raise exception 'enough'; end if;
        raise notice 'row %', new.a; return new;
      end $$;
      create trigger say before insert on t for each row execute function pg_temp.say()]]
    local err, _, from = fed_badly(db, "copy t from stdin", endless())
    expect(err.message).is "enough"
    expect(from:total()).below(FAR)
    expect(db:value "select count(*) from t").is(0)
  end)

  it("inside a transaction fails the transaction only", function()
    local db <close> = with_table "a int unique"
    db:exec "begin"
    local err = fed_badly(db, "copy t from stdin", function(to)
      to:write "1\n1\n"
      to:finish()
    end)
    expect(err.sqlstate).is "23505"
    expect(err.detail).has "COPY t, line 2"
    expect(db:state()).is "failed"
    db:exec "rollback"
    expect(db:value "select 1").is(1)
  end)

  it("is aborted by a bad end of the stream, whose error it raises", function()
    local db <close> = with_table "a int"
    local err = fed_badly(db, "copy t from stdin", function(to)
      to:write "1\n2\n"
      to:fail { id = "PGO-NET", message = "the line went dead" }
    end)
    expect(err.id).is "PGO-NET"
    expect(err.message).is "the line went dead"
    expect(db:value "select count(*) from t").is(0)
  end)

  it("is cancelled with its task while nothing comes, and while it waits for a lock", function()
    local db <close> = server:connect()
    local other <close> = server:connect()
    db:exec "create table locked (a int)"
    local from = stream.new()
    expect(function() task.timeout(0.2, db.copy_in, db, "copy locked from stdin", from) end):raises "PGO-TIMEOUT"
    expect(function() from:write "1\n" end):raises "PGO-CLOSED"
    expect(db:value "select count(*) from locked").is(0)
    other:exec "begin; lock table locked"
    expect(function()
      task.timeout(0.2, db.copy_in, db, "copy locked from stdin", stream.new())
    end):raises "PGO-TIMEOUT"
    other:exec "rollback; drop table locked"
    expect(db:state()).is "idle"
  end)

  it("is cancelled by another task while nothing comes", function()
    local db <close> = with_table "a int"
    task.group(function(group)
      group:spawn(function()
        while not db:cancel() do task.sleep(0.01) end
      end)
      local err = expect(function() db:copy_in("copy t from stdin", stream.new()) end):raises "PGO-PG-QUERY"
      expect(err.sqlstate).is "57014"
    end)
    expect(db:value "select count(*) from t").is(0)
  end)

  it("is cancelled where no second connection can be had", function()
    local db <close> = pg.connect(server:table { user = "postgres" })
    db:exec [[create table t (a int); create role one_only login password 'pw' connection limit 1;
      grant all on t to one_only]]
    local one <close> = pg.connect(server:table { user = "one_only", password = "pw" })
    local from = stream.new()
    expect(function() task.timeout(0.2, one.copy_in, one, "copy t from stdin", from) end):raises "PGO-TIMEOUT"
    expect(one:value "select count(*) from t").is(0)
    db:exec "drop table t; drop role one_only"
  end)

  it("refuses other statements, and a second COPY", function()
    local db <close> = with_table "a int"
    local function err_of(sql)
      local from = stream.new()
      from:finish()
      local err = expect(function() db:copy_in(sql, from) end):raises "PGO-INVALID"
      expect(db:value "select 1").is(1)
      return err.message
    end
    expect(err_of "select 1").has "FROM STDIN"
    expect(err_of "copy t to stdout").has "copy_out"
    expect(err_of "copy t from stdin; copy t from stdin").has "one for each"
    expect(function() db:exec "copy t from stdin" end):raises "PGO-INVALID"
    expect(function() db:copy_out("copy t from stdin", stream.new()) end):raises "PGO-INVALID"
  end)

  it("leaves a stream that somebody reads to its reader, whatever state the connection is in", function()
    local free <close> = with_table "a int"
    local busy <close> = with_table "a int"
    local closed = server:connect()
    closed:close()
    for conn, id in pairs { [free] = "PGO-INVALID", [busy] = "PGO-INVALID", [closed] = "PGO-CLOSED" } do
      task.group(function(group)
        local read = stream.new()
        local reader = group:spawn(read.read_all, read)
        group:spawn(busy.value, busy, "select pg_sleep(0.2)")
        task.sleep(0)
        expect(function() conn:copy_in("copy t from stdin", read) end):raises(id)
        read:write "unharmed"
        read:finish()
        expect(reader:join()).is "unharmed"
      end)
    end
  end)

  it("raises what the server says of a table that is not there, and tells the producer", function()
    local db <close> = server:connect()
    local err, met = fed_badly(db, "copy nothing from stdin", endless())
    expect(err.sqlstate).is "42P01"
    expect(met.id).is "PGO-CLOSED"
  end)
end)

local MANY = "select g, repeat('ü', 20) from generate_series(1, 200000) g"

describe("pg.copy", function()
  it("moves rows from one connection to another, and tells how far it is", function()
    for _, sslmode in ipairs { "disable", "require" } do
      local from <close> = server:connect { sslmode = sslmode }
      local to <close> = with_table("a int, b text", { sslmode = sslmode })
      local told = {}
      local done = pg.copy { from = from, query = "copy (" .. MANY .. ") to stdout",
                             to = to, into = "copy t from stdin",
                             progress = function(bytes) told[#told + 1] = bytes end }
      expect(done.rows).is(200000)
      expect(done.bytes).is(to:value "select sum(length(a::text) + 42) from t")
      expect(told[#told]).is(done.bytes)
      expect(to:value("select count(*) from (select * from t except " .. MANY .. ") x")).is(0)
    end
  end)

  it("moves much at the pace of a slow target, and never stands still", function()
    local from <close> = server:connect { sslmode = "disable" }
    local to <close> = with_table("a int, b text", { sslmode = "disable" })
    local done = pg.copy { from = from, to = to,
                           query = "copy (select g, repeat('x', 500) from generate_series(1, 200000) g) to stdout",
                           into = "copy t from stdin where length(md5(md5(b))) + a % 1000 = 32" }
    expect(done.rows).is(200)
  end)

  it("stops the source when the target fails, whose error it raises", function()
    local from <close> = server:connect()
    local to <close> = with_table "a int check (a <> 5000)"
    local err = expect(function()
      pg.copy { from = from, query = "copy (select generate_series(1, 1000000000)) to stdout",
                to = to, into = "copy t from stdin" }
    end):raises "PGO-PG-QUERY"
    expect(err.sqlstate).is "23514"
    expect(err.detail).has "COPY t, line 5000"
    expect(from:value "select 1").is(1)
    expect(to:value "select count(*) from t").is(0)
  end)

  it("copies nothing when the source fails, whose error it raises", function()
    local from <close> = server:connect()
    local to <close> = with_table "a int"
    local err = expect(function()
      pg.copy { from = from, query = "copy (select 1/(50000 - g) from generate_series(1, 100000) g) to stdout",
                to = to, into = "copy t from stdin" }
    end):raises "PGO-PG-QUERY"
    expect(err.sqlstate).is "22012"
    expect(to:value "select count(*) from t").is(0)
    expect(from:value "select 1").is(1)
  end)

  it("says which side was lost, and leaves the other usable", function()
    for _, side in ipairs { "from", "to" } do
      local link, options = relayed()
      local near <close> = server:connect()
      local far <close> = pg.connect(options)
      local ends = { from = near, to = near, query = "copy (" .. MANY .. ") to stdout", into = "copy lost from stdin" }
      ends[side] = far
      near:exec "create table lost (a int, b text)"
      link:cut_after(1000000)
      expect(function() pg.copy(ends) end):raises "PGO-PG-LOST"
      expect(near:value "select count(*) from lost").is(0)
      near:exec "drop table lost"
      link:close()
    end
  end)

  it("is cancelled with its task, and leaves both sides usable", function()
    local from <close> = server:connect()
    local to <close> = with_table "a int"
    expect(function()
      task.timeout(0.3, pg.copy, { from = from, query = "copy (select generate_series(1, 1000000000)) to stdout",
                                   to = to, into = "copy t from stdin" })
    end):raises "PGO-TIMEOUT"
    expect(from:value "select 1").is(1)
    expect(to:value "select count(*) from t").is(0)
  end)

  it("needs two connections", function()
    local one <close> = with_table "a int"
    expect(function()
      pg.copy { from = one, query = "copy t to stdout", to = one, into = "copy t from stdin" }
    end):raises "PGO-INVALID"
  end)

  it("stops its server", function()
    server:close()
    expect(fs.exists(server.dir)).is(false)
  end)
end)
