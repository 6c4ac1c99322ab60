-- What a difference between two definitions shows, what of a long one is kept, what is noise: without a server.

local difference = require "pgorch.verify.difference"
local noise      = require "pgorch.verify.noise"
local objects    = require "pgorch.verify.objects"
local view_text  = require "pgorch.verify.view_text"

local function side()
  return {
    schema = { public = "" },
    table = { ["shop.orders"] = "columns id", ["shop.items"] = "columns id" },
    column = { ["shop.orders.id"] = "integer", ["shop.orders.note"] = "text", ["shop.items.id"] = "integer" },
    index = { ["shop.by_note"] = "CREATE INDEX by_note ON shop.orders USING btree (note)" },
    trigger = { ["shop.orders audit"] = "CREATE TRIGGER audit" },
    sequence = { ["shop.orders_id_seq"] = "as integer start 1 owned by shop.orders.id" },
    comment = { ["table column shop.orders.id"] = "the number", ["trigger audit on shop.orders"] = "who" },
    extension = { hstore = "schema public, version 1.7" },
  }
end

local function told(a, b)
  local list = {}
  local ignored = objects.compare(a, b, list)
  for i, d in ipairs(list) do
    list[i] = ("%s%s %s: %s -> %s"):format(d.level and d.level .. " " or "", d.kind, d.name, d.source, d.target)
  end
  return table.concat(list, "\n"), ignored
end

local function changed(change)
  local b = side()
  change(b)
  return told(side(), b)
end

local LONG = ("a line of the body\n"):rep(60)

describe("objects.compare", function()
  it("tells a lost relation once, not all that belongs to it", function()
    expect(changed(function(b)
      b.table["shop.orders"], b.column["shop.orders.id"], b.column["shop.orders.note"] = nil, nil, nil
      b.index, b.trigger, b.sequence, b.comment = nil, nil, nil, nil
    end)).is "table shop.orders: columns id (and 7 columns, keys and the like) -> missing"
  end)

  it("tells what is lost of a relation that is there", function()
    expect(changed(function(b) b.index, b.column["shop.orders.note"] = nil, nil end))
      .is("column shop.orders.note: text -> missing\n"
        .. "index shop.by_note: CREATE INDEX by_note ON shop.orders USING btree (note) -> missing")
  end)

  it("ignores another version of an extension, and fails for another schema or none", function()
    local list, ignored = changed(function(b) b.extension.hstore = "schema public, version 1.8" end)
    expect(list).is ""
    expect(ignored).same { { kind = "extension", name = "hstore",
      why = "another version of it, as the server offers it" } }
    expect(changed(function(b) b.extension.hstore = "schema shop, version 1.8" end))
      .is "extension hstore: schema public, version 1.7 -> schema shop, version 1.8"
    expect(changed(function(b) b.extension.hstore = nil end))
      .is "extension hstore: schema public, version 1.7 -> missing"
  end)

  it("returns what it ignored, each with its reason", function()
    local list, ignored = changed(function(b)
      b.schema._heroku, b.extension.pg_stat_statements = "", "schema public, version 1.10"
      b.comment["extension hstore"] = "pairs"
    end)
    expect(list).is ""
    expect(ignored).same {
      { kind = "comment", name = "extension hstore",
        why = "extensions belong to Heroku; only its owner may comment on one" },
      { kind = "extension", name = "pg_stat_statements", why = "Heroku has installed it in each database" },
      { kind = "schema", name = "_heroku", why = "a schema of Heroku's own" },
    }
  end)

  it("finds the same in the form that a run records, and says where a long text differs", function()
    local a, b = side(), side()
    a["function"] = { ["shop.f()"] = LONG .. "the end" }
    b["function"] = { ["shop.f()"] = LONG .. "the end" }
    expect(told(objects.stored(a), b)).is ""
    b["function"]["shop.f()"] = LONG .. "another end"
    expect(told(objects.stored(a), b)).is "function shop.f(): another line 61 -> line 61: another end"
    expect(told(a, b)).is "function shop.f(): line 61: the end -> line 61: another end"
    b["function"]["shop.f()"] = LONG
    expect(told(objects.stored(a), b)).is "function shop.f(): another line 61 -> line 61: nothing"
    b["function"]["shop.f()"] = LONG .. "the end\nand more"
    expect(told(objects.stored(a), b)).is "function shop.f(): ends at line 61 -> goes on at line 62: and more"
  end)

  it("only warns of what no dump carries, and says what mends it", function()
    local function with_check(text, more)
      return { table = { ['shop."a b"'] = "columns a" }, check = { ['shop."a b" "c d"'] = text },
               ["triggers of a key"] = more }
    end
    local checked = "CHECK ((a > 0))"
    local valid, invalid = with_check(checked .. "\nvalidated here alone"), with_check(checked .. " NOT VALID")
    local list = {}
    objects.compare(valid, invalid, list)
    expect(#list).is(1)
    expect(list[1].level).is "warn"
    expect(list[1].mend).is 'ALTER TABLE shop."a b" VALIDATE CONSTRAINT "c d"'
    local long = "CHECK ((a <> ALL (ARRAY[" .. ("1, "):rep(300) .. "1])))"
    expect(told(objects.stored(with_check(long .. "\nvalidated here alone")), with_check(long .. " NOT VALID")))
      .matches "^warn check "
    expect(told(with_check(checked), invalid)).matches "^check "                      -- its parent's is valid
    expect(told(with_check("CHECK ((a > 1))\nvalidated here alone"), invalid)).matches "^check "
    expect(told(invalid, valid)).matches "^check "
    local silent = with_check(checked, { ["shop.t k"] = "shop.t: disabled" })
    expect(told(silent, with_check(checked))).is "warn triggers of a key shop.t k: shop.t: disabled -> missing"
    expect(told(with_check(checked), silent)).is "triggers of a key shop.t k: missing -> shop.t: disabled"
  end)

  it("records a long definition by little more than a digest", function()
    local kept = objects.stored({ view = { v = LONG } }).view.v
    expect(#kept.sha256).is(64)
    expect(kept.first).is "a line of the body"
    expect(#kept.lines).is(61 * 4)
  end)
end)

describe("noise", function()
  it("is on one side only where the list says so", function()
    expect(noise.reason("schema", "_heroku", "target")).is "a schema of Heroku's own"
    expect(noise.reason("schema", "_heroku", "source")).is_nil()
    expect(noise.reason("schema", "public", "source")).is_nil()
    expect(noise.reason("column", "shop.pg_stat_statements.calls", "source")).has "figures"
  end)

  it("is what a provider or an extension made, by its exact name", function()
    for kind, name in pairs { schema = "_aiven", extension = "aiven_extras", table = "aiven_extras.t",
      ["function"] = "_aiven.f()", view = "u.pg_stat_statements", column = "u.pg_stat_statements_info.dealloc" } do
      expect(#noise.reason(kind, name, "source")).above(0)
    end
    for _, each in ipairs { "function aiven_shop.f()", "schema aiven_shop", "schema aiven", "table _aiven2.t",
      "extension aiven_other", "view u.pg_stat_statements_daily", "materialized view u.pg_stat_statements_x",
      "column u.pg_stat_statements_daily.n", 'table "_aiven.x".t', "view aiven_shop.v" } do
      local kind, name = each:match "^(%l[%l ]-) ([^ ]+)$"
      expect(noise.reason(kind, name, "source")).is_nil()
    end
  end)

  it("is known by the quoted name of a table or sequence as well", function()
    expect(noise.plain '"_heroku"."x"').is "_heroku.x"
    expect(noise.plain '"aiven_extras"."a""b"."C"').is 'aiven_extras."a""b"."C"'
    expect(noise.plain '"_heroku.x"."y"').is '"_heroku.x".y'
  end)

  it("never hides an object of the user's whose name begins alike", function()
    for _, kind in ipairs { "table", "index", "schema", "view", "column", "comment" } do
      for _, name in ipairs { "heroku_export", "shop.heroku_ext", "shop._heroku", "public", "_herokuish.t" } do
        expect(noise.reason(kind, name, "source")).is_nil()
      end
    end
  end)
end)

describe("a definition", function()
  it("shows no password, and shows that it is another one", function()
    local function masked(text) return (difference.mask(text)) end
    local a = masked "SELECT dblink('host=h user=u password=geheim dbname=d'::text)"
    local b = masked "SELECT dblink('host=h user=u password=hemlig dbname=d'::text)"
    expect(a).lacks "geheim"
    expect(a).matches "host=h user=u password=%(password %x%x%x%x%) dbname=d"
    expect(a).is_not(b)
    for _, text in ipairs { "postgres://u:geheim@host/db", "alter role u PASSWORD 'geheim'", "password = 'geheim'",
      "PassWord='geheim'", "password := 'geheim';" } do
      expect(masked(text)).lacks "geheim"
    end
    expect(masked "see https://example.test/a:b and user@host").is "see https://example.test/a:b and user@host"
  end)

  it("is cut between characters, around the place where it differs", function()
    local a, b = ("ü"):rep(200) .. "a", ("ü"):rep(200) .. "b"
    local x, y = difference.show(a, b)
    expect(x).matches "^%.%.%.ü"
    expect(x).matches "a$"
    expect(y).matches "b$"
    expect(utf8.len(x)).is_true()
    expect(#x).below(170)
  end)
end)

describe("a view's text", function()
  local function same(old, new)
    expect(view_text.normal(old)).is(view_text.normal(new))
    expect(view_text.normal(old)).is_not(view_text.normal((old:gsub("note", "mote"))))
  end

  it("is the same from a server until 15 and since 16: one relation, its prefix gone", function()
    same("SELECT t.id,\n    t.note\n   FROM shop.t\n  WHERE (t.id > 1);",
      "SELECT id,\n    note\n   FROM shop.t\n  WHERE (id > 1);")
    same([[SELECT "a b".id, "a b".note FROM shop.t "a b" ORDER BY "a b".id;]],
      [[SELECT id, note FROM shop.t "a b" ORDER BY id;]])
    same("SELECT f.note FROM shop.f('FROM x, y'::text) f(note, id);",
      "SELECT note FROM shop.f('FROM x, y'::text) f(note, id);")
    same("WITH c AS (\n SELECT a.note FROM a, b\n ) SELECT c.note FROM c;",
      "WITH c AS (\n SELECT a.note FROM a, b\n ) SELECT note FROM c;")
    same("SELECT s.note FROM ( SELECT a.note FROM (a JOIN b ON (a.id = b.id))) s LIMIT 1;",
      "SELECT note FROM ( SELECT a.note FROM (a JOIN b ON (a.id = b.id))) s LIMIT 1;")
    same("SELECT t.note FROM shop.t TABLESAMPLE system ('10'::real);",
      "SELECT note FROM shop.t TABLESAMPLE system ('10'::real);")
  end)

  it("keeps the prefix where the same word is a schema, or stands before a star", function()
    for _, text in ipairs { "SELECT u.lower(v) AS l FROM u.u;", "SELECT u.*::u.u AS w FROM ONLY s.u;",
      "SELECT '1'::u.t AS t FROM s.u;", "SELECT a OPERATOR(u.+) b FROM s.u;",
      'SELECT (a COLLATE u."x y") AS c FROM s.u;' } do
      expect(view_text.normal(text)).has(text:match "SELECT (.-) FROM")
    end
    expect(view_text.normal "SELECT u.lower(u.v) AS l FROM s.u;").is "SELECT u.lower(v) AS l FROM s.u;"
    expect(view_text.normal "SELECT lower(u.v) AS l FROM s.u;").is "SELECT lower(v) AS l FROM s.u;"
    expect(view_text.normal "SELECT 1 WHERE u.a IS DISTINCT FROM u.b AND u.c IN (1);").has "u.a"
    expect(view_text.normal "SELECT 1 FROM s.u WHERE u.a IS DISTINCT FROM u.b AND u.c IN (1);")
      .is "SELECT 1 FROM s.u WHERE a IS DISTINCT FROM b AND c IN (1);"
  end)

  it("keeps the prefix where there are several relations, and in strings", function()
    for _, text in ipairs { "SELECT a.id FROM a, b;", "SELECT a.id FROM (a JOIN b ON (a.id = b.id));",
      "SELECT a.id FROM a UNION SELECT b.id FROM b;", "SELECT 1;", "VALUES (1);" } do
      expect(view_text.normal(text)).is(text)
    end
    expect(view_text.normal "SELECT 't.id ''t.x'::text, \"t.id\" FROM shop.t;")
      .is "SELECT 't.id ''t.x'::text, \"t.id\" FROM shop.t;"
    expect(view_text.normal "SELECT x.t.id, t.id FROM shop.t;").is "SELECT x.t.id, id FROM shop.t;"
  end)
end)
