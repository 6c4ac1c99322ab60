-- Rows copied in the binary format, from every major to the oldest and the newest: each type of the list comes out as
-- it went in. What is not in the list goes as text.

local clusters = require "support.clusters"
local data     = require "pgorch.copy.data"
local majors   = require "support.majors"
local pg       = require "pgorch.pg"

-- Of each type: the values at its borders, and those whose bytes tell a format from another.
local VALUES = {
  bit = { "0", "1" }, bool = { "t", "f" }, bpchar = { "a ", "ä" }, bytea = { "\\x", "\\x00", "\\xff00" },
  char = { "a", "\\" }, cidr = { "10.0.0.0/8", "::/0" }, date = { "infinity", "-infinity", "0044-03-15 BC" },
  float4 = { "0", "-0", "NaN", "Infinity", "1.17549435e-38", "0.1" },
  float8 = { "0", "-0", "NaN", "-Infinity", "5e-324", "0.30000000000000004" },
  inet = { "10.0.0.1", "10.0.0.1/8", "::1" }, int2 = { "-32768", "1" }, int4 = { "-2147483648", "1" },
  int8 = { "-9223372036854775808", "9007199254740993" }, interval = { "1 mon", "-1 mon +3 days -04:05:06.789" },
  json = { '{"b":2,  "a":1, "a":3}', "null" }, jsonb = { '{"a": [1.00, null, {"ü": "\\t"}]}', "1" },
  macaddr = { "08:00:2b:01:02:03" }, macaddr8 = { "08:00:2b:01:02:03:04:05" }, name = { "a", "Ü" },
  numeric = { "0", "1.00", "NaN", "-123456789012345678901234567890.000000000012345", "1e200", "1e-200" },
  oid = { "4294967295" }, point = { "(1.5,-2)", "(NaN,Infinity)" },
  text = { "", "\\N", "ä\t\n\r\\", "🐘", "NULL" }, time = { "24:00", "12:34:56.789" },
  timestamp = { "infinity", "0001-01-01 BC", "2024-01-02 03:04:05.000001" },
  timestamptz = { "-infinity", "294276-12-31 23:59:59.999999+00" }, timetz = { "00:00+14", "23:59:59.999999-05:30" },
  tsvector = { "a:1A fat:2,4", "a 'b c':3" }, uuid = { "ffffffff-ffff-ffff-ffff-ffffffffffff" },
  varbit = { "", "1", "1010101010" }, varchar = { "", "a " }, daterange = { "empty", "(,2024-01-01)" },
  int4range = { "[1,10)", "(,)" }, int8range = { "[1,)" }, numrange = { "[1.0,2)", "(1.00,]" },
  tsrange = { '["2024-01-01 00:00",)' }, tstzrange = { '("2024-01-01 00:00+00","2025-01-01 00:00+00"]' },
}

-- Built from others: what is safe, what is not.
local MADE = [[
  create type "Mood" as enum ('sad', 'it''s ü');
  create domain short as "Mood" check (value is not null);
  create domain few as integer[] check (array_length(value, 1) < 3);
  create domain fewer as few;
  create type pair as (a text, b integer);
  create type span as range (subtype = text);
  create table safe (m "Mood", s short, f few, ff fewer, n numeric(10, 2), v varchar(3), t timestamptz(0), b bit(3));
  create table "un Safe" (m "Mood"[], p pair, s span, c regclass, x xml, o money);
  create table none ();]]
local MADE_ROWS = [[
  insert into safe values ('it''s ü', 'sad', '{1,2}', '[3:3]={7}', 1.5, 'abc', '2024-01-01 00:00+00', '101');
  insert into safe (s) values ('sad');
  insert into "un Safe" values ('{sad,NULL}', row('', null), '[a,b)', 'safe', '<a/>', '3.50');
  insert into "un Safe" default values;
  insert into none default values; insert into none default values;]]

local function type_name(type) return type == "char" and '"char"' or type end

local function make(cluster, dbname)
  cluster:create(dbname)
  local conn <close> = cluster:connect(dbname)
  conn:exec(MADE)
  for type in data.BINARY:gmatch "%S+" do
    local name = type_name(type)
    conn:exec(("create table %s (%s %s, a %s[])"):format(pg.ident("type " .. type), pg.ident "v \"ü", name, name))
  end
end

local function fill(conn)
  conn:exec "set bytea_output = 'hex'; set lc_monetary = 'C'"
  conn:exec(MADE_ROWS)
  for type in data.BINARY:gmatch "%S+" do
    local key = pg.ident("type " .. type)
    for _, value in ipairs(VALUES[type] or error("no values of " .. type, 0)) do
      local literal = ("%s::%s"):format(pg.literal(value), type_name(type))
      conn:exec(("insert into %s values (%s, array[array[%s], array[null::%s]])"):format(key, literal, literal,
        type_name(type)))
    end
    conn:exec(("insert into %s values (null, '{}'), (null, null)"):format(key))
  end
end

local function tables(conn)
  return conn:query [[select n.nspname as schema, c.relname as name, pg_table_size(c.oid) as bytes
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r' and nspname = 'public']]
end

local function text_of(conn, t)
  local names = {}
  for i, name in ipairs(t.columns) do names[i] = pg.ident(name) .. "::text" end
  local row = #names > 0 and "row(" .. table.concat(names, ",") .. ")::text" or "''"
  return conn:value(("select string_agg(%s, e'\n') from %s"):format(row, pg.ident(t.schema, t.name)))
end

local function connect(cluster, dbname, settings) return pg.connect(cluster:url(dbname), { settings = settings }) end

local function expect_copied(from, to)
  local described = data.describe(from)
  for _, t in ipairs(tables(from)) do
    local about = described[pg.ident(t.schema, t.name)]
    t.columns, t.binary = about.columns, about.binary
    expect(t.name .. ": " .. tostring(t.binary)).is(t.name .. ": " .. tostring(t.name ~= "un Safe"))
    data.copy_piece(from, to, t)
    local wanted, got = text_of(from, t), text_of(to, t)
    if wanted ~= got then error(("%s:\n%s\n%s"):format(t.name, wanted, got), 0) end
  end
end

describe("rows copied from one major to another", function()
  it("are the same, whatever their types", function()
    local missing = majors.missing(table.unpack(majors.ALL))
    if missing then skip(missing) end
    clusters.with(majors.ALL, function(...)
      local all = { ... }
      for _, cluster in ipairs(all) do
        make(cluster, "a")
        local conn <close> = cluster:connect "a"
        fill(conn)
      end
      for _, target in ipairs { all[1], all[#all] } do
        for _, cluster in ipairs(all) do
          local dbname = "from_" .. cluster.major
          make(target, dbname)
          local from <close> = connect(cluster, "a", data.SOURCE_SETTINGS)
          local to <close> = connect(target, dbname, data.TARGET_SETTINGS)
          expect_copied(from, to)
        end
      end
    end)
  end, { limit = 120 })
end)
