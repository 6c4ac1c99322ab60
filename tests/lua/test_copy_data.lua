-- One table from one database to another: which statements, which pieces, and that every row arrives once, as it was.

local data     = require "pgorch.copy.data"
local pg       = require "pgorch.pg"
local postgres = require "support.postgres"
local source   = require "pgorch.source"

local function names(list)
  local found = {}
  for i, piece in ipairs(list) do
    found[i] = piece.name .. (piece.last and " from " .. piece.first or "") .. (piece.freeze and ", frozen" or "")
  end
  return found
end

local function t(name, bytes, fields)
  local one = { schema = "s", name = name, bytes = bytes, pages = bytes // 8192, columns = { "a" } }
  for key, value in pairs(fields or {}) do one[key] = value end
  return one
end

describe("the pieces of tables", function()
  local MB = 1 << 20

  it("are the largest first; a table larger than its share is cut, a whole one frozen", function()
    local tables = { t("small", 8192), t("empty", 0), t("middle", 60 * MB), t("large", 200 * MB) }
    expect(names(data.pieces(tables, 2, 150000))).same { "middle, frozen", "large from 0", "large from 6400",
      "large from 12800", "large from 19200", "small" }
    local last = data.pieces(tables, 2, 150000)[5]
    expect(last.last).is(4294967295)
    expect(last.columns).same { "a" }
  end)

  it("are whole tables for one worker, for a server before 14, and where an extension has the table", function()
    local whole = { "large, frozen" }
    expect(names(data.pieces({ t("large", 200 * MB) }, 1, 150000))).same(whole)
    expect(names(data.pieces({ t("large", 200 * MB) }, 2, 130000))).same(whole)
    expect(names(data.pieces({ t("large", 200 * MB, { filter = "" }) }, 2, 150000))).same { "large" }
  end)

  it("are not frozen where they go into another table", function()
    local piece = data.pieces({ t("leaf", 200 * MB, { into = '"s"."whole"' }) }, 1, 150000)[1]
    expect({ piece.into, piece.freeze }).same { '"s"."whole"' }
  end)

  it("grow with the database", function()
    local pieces = data.pieces({ t("huge", 100 << 30) }, 2, 150000)
    expect(#pieces).is(64)
    expect(#data.pieces({ t("huge", 8 << 30) }, 2, 150000)).is(8)
  end)
end)

describe("the statements of a piece", function()
  it("quote every name", function()
    local query, into = data.statements { schema = 'a"b', name = "C d", columns = { 'x"', "select" } }
    expect(query).is [[copy "a""b"."C d" ("x""", "select") to stdout (format text)]]
    expect(into).is [[copy "a""b"."C d" ("x""", "select") from stdin (format text)]]
  end)

  it("read a range, what an extension's condition says, a table without columns", function()
    local query, into = data.statements { schema = "s", name = "t", columns = { "a" }, first = 3, last = 9,
                                          binary = true }
    expect(query).is([[copy (select "a" from only "s"."t" where "s"."t".ctid >= '(3,0)'::tid and ]]
      .. [["s"."t".ctid < '(9,0)'::tid) to stdout (format binary)]])
    expect(into).is [[copy "s"."t" ("a") from stdin (format binary)]]
    expect((data.statements { schema = "s", name = "t", columns = { "a" }, filter = "WHERE a > 1" }))
      .is [[copy (select "a" from only "s"."t" WHERE a > 1) to stdout (format text)]]
    expect((data.statements { schema = "s", name = "t", columns = {} })).is [[copy "s"."t" to stdout (format text)]]
    query, into = data.statements { schema = "s", name = "leaf", columns = { "a" }, into = '"s"."whole"' }
    expect(query).is [[copy "s"."leaf" ("a") to stdout (format text)]]
    expect(into).is [[copy "s"."whole" ("a") from stdin (format text)]]
    expect(function() data.statements { schema = "s", name = "t", first = 0, last = 1 } end):raises "PGO-INVALID"
  end)
end)

describe("a type", function()
  it("is binary only when it is listed", function()
    expect(data.is_binary_safe {}).is(true)
    expect(data.is_binary_safe { "int4", "_text", "enum" }).is(true)
    for _, type in ipairs { "regclass", "xml", "money", "_enum", "", "record" } do
      expect(data.is_binary_safe { "int4", type }).is(false)
    end
  end)
end)

local SCHEMA = [[
  create schema "Sch ö";
  create table "Sch ö"."T %s" (id bigint generated always as identity, "A b" text,
    twice bigint generated always as (7 * 2) stored);
  create table child () inherits ("Sch ö"."T %s");
  create table large (id integer, filler text);
  create table parts (id integer) partition by range (id);
  create table part_1 partition of parts for values from (0) to (10);
  create unlogged table loose (a integer);
  create table filtered (id integer);
  create table refused (id integer, n integer check (n < 3));]]
local ROWS = [[
  insert into "Sch ö"."T %s" ("A b") values ('é'), (null), (e'\t\\N');
  insert into child (id, "A b") overriding system value values (99, 'child');
  insert into large select i, repeat('x', 200) from generate_series(1, 20000) i;
  delete from large where id % 3 = 0;
  insert into parts values (3);
  insert into loose values (5);
  insert into filtered values (1), (2), (3);]]

local server

local function server_side(dbname, settings)
  return pg.connect(server:table { dbname = dbname }, { settings = settings })
end

local function tables_of(conn)
  local described = data.describe(conn)
  local list = conn:query(source.sql "tables")
  for _, one in ipairs(list) do
    local about = described[pg.ident(one.schema, one.name)]
    one.columns, one.binary = about.columns, about.binary
  end
  return list
end

local function table_named(conn, name)
  for _, one in ipairs(tables_of(conn)) do
    if one.name == name then return one end
  end
end

-- Of a table: how many rows, and a sum of them.
local function sum(conn, key)
  local hash = "hashtextextended(convert_to(whole_row::text, 'UTF8')::text, 0)"
  return conn:value(("select count(*) || ' ' || coalesce(sum(%s), 0) from only "):format(hash) .. key .. " whole_row")
end

describe("rows copied between databases", function()
  it("start servers", function()
    server = postgres.start()
    local conn <close> = server:connect()
    conn:exec "create database a encoding 'LATIN1' locale 'C' template template0"
    conn:exec "create database b"
    for dbname, sql in pairs { a = SCHEMA .. ROWS, b = SCHEMA .. "create extension pg_visibility" } do
      local db <close> = server:connect { dbname = dbname }
      db:exec(sql)
    end
  end)

  it("are all there once: whole tables and ranges, binary and text, from another encoding", function()
    local from <close> = server_side("a", data.SOURCE_SETTINGS)
    local to <close> = server_side("b", data.TARGET_SETTINGS)
    for _, binary in ipairs { true, false } do
      local tables = tables_of(from)
      for _, one in ipairs(tables) do
        to:exec("truncate only " .. pg.ident(one.schema, one.name))
        one.binary = one.binary and binary
      end
      local list = data.pieces(tables, 3, from.server_version, { piece_bytes = 500000 })
      expect(#list).above(#tables)
      local rows = 0
      for _, piece in ipairs(list) do rows = rows + data.copy_piece(from, to, piece).rows end
      expect(rows).is(3 + 1 + 13334 + 1 + 1 + 3)
      for _, one in ipairs(tables) do
        local key = pg.ident(one.schema, one.name)
        expect(key .. " " .. sum(to, key)).is(key .. " " .. sum(from, key))
      end
    end
  end)

  it("are frozen where the table is filled at once, and what was there before is gone", function()
    local from <close> = server_side("a", data.SOURCE_SETTINGS)
    local to <close> = server_side("b", data.TARGET_SETTINGS)
    to:exec "truncate public.large; insert into public.large values (-1, 'left by an attempt before')"
    local piece = data.pieces({ table_named(from, "large") }, 1, from.server_version)[1]
    expect(piece.freeze).is(true)
    data.copy_piece(from, to, piece)
    expect(sum(to, "public.large")).is(sum(from, "public.large"))
    expect(to:value "select bool_and(all_frozen) from public.pg_visibility_map('public.large')").is(true)
    expect(to:state()).is "idle"
  end)

  it("of an extension's table are those that its condition names, beside those that are there", function()
    local from <close> = server_side("a", data.SOURCE_SETTINGS)
    local to <close> = server_side("b", data.TARGET_SETTINGS)
    to:exec "truncate public.filtered; insert into public.filtered values (1)"
    local one = table_named(from, "filtered")
    one.filter = "WHERE id > 1"
    for _, piece in ipairs(data.pieces({ one }, 2, from.server_version, { piece_bytes = 1 })) do
      data.copy_piece(from, to, piece)
    end
    expect(to:value "select string_agg(id::text, ',' order by id) from public.filtered").is "1,2,3"
  end)

  it("are none when one is refused: the error names the table, the row, the column", function()
    local from <close> = server_side("a", data.SOURCE_SETTINGS)
    local to <close> = server_side("b", data.TARGET_SETTINGS)
    from:exec "begin; alter table public.refused drop constraint refused_n_check"
    from:exec "insert into public.refused select i, case i when 2500 then 3 else 1 end from generate_series(1, 3000) i"
    for _, freeze in ipairs { false, true } do
      local err = expect(function()
        data.copy_piece(from, to, { schema = "public", name = "refused", columns = { "id", "n" }, freeze = freeze })
      end):raises "PGO-PG-QUERY"
      expect(err.message).has [[copying "public"."refused": new row for relation "refused" violates check constraint]]
      expect(err.detail).has "COPY refused, line 2500"
      expect(to:state()).is "idle"
      expect(to:value "select count(*) from public.refused").is(0)
    end
    from:exec "rollback"
  end)

  it("come out the same whatever the settings of either database", function()
    local admin <close> = server:connect()
    admin:exec [[alter database a set datestyle = 'German, DMY'; alter database a set intervalstyle = 'iso_8601';
      alter database a set extra_float_digits = -3; alter database a set bytea_output = 'escape';
      alter database b set datestyle = 'SQL, DMY'; alter database b set array_nulls = off;
      alter database b set default_transaction_read_only = on; alter database b set xmloption = 'document';
      alter database b set intervalstyle = 'sql_standard'; alter database a set statement_timeout = 1]]
    local from <close> = server_side("a", data.SOURCE_SETTINGS)
    local to <close> = server_side("b", data.TARGET_SETTINGS)
    local make = [[create table public.strange (d date, i interval, f float8, b bytea, t timestamptz,
      a text[], x xml);]]
    from:exec(make .. [[insert into public.strange values ('2024-02-01', '-1 mon +3 days -04:05:06', 0.1::float8 + 0.2,
      '\x00ff', '2024-10-27 02:30+02', '{NULL,a}', '<a/>text')]])
    to:exec(make)
    data.copy_piece(from, to, { schema = "public", name = "strange" })
    expect(sum(to, "public.strange")).is(sum(from, "public.strange"))
  end)

  it("stops its server", function() server:close() end)
end)
