-- Passwords, users and databases with what URLs, shells, conninfo strings, JSON, SCRAM and environments stumble over:
-- each reaches a real server by a table, by a URI, by libpq's name=value, out of an API's JSON, and by the environment
-- of the real pg_dump.

local fs        = require "pgorch.fs"
local http      = require "pgorch.http"
local json      = require "pgorch.json"
local loopback  = require "pgorch.sandbox.loopback"
local pg        = require "pgorch.pg"
local pg_client = require "pgorch.pg_client"
local postgres  = require "support.postgres"
local process   = require "pgorch.process"
local secret    = require "pgorch.secret"
local source    = require "pgorch.source"

local PASSWORDS = {
  { "every printable ASCII character", [[ !"#$%&'()*+,-./0123456789:;<=>?@ABCXYZ[\]^_`abcxyz{|}~]] },
  { "a single quote", "'" }, { "a double quote", '"' }, { "a backslash", "\\" }, { "a backslash at the end", "x\\" },
  { "a percent sign", "100%" }, { "what looks percent-encoded", "%41%zz%00" }, { "an at sign", "p@h" },
  { "a slash", "/a/b" }, { "a colon", ":a:b:" }, { "a question mark", "?sslmode=disable" }, { "a hash", "#end" },
  { "an ampersand and an equals sign", "a&host=evil" }, { "a plus", "a+b" }, { "a comma", "a,b" },
  { "what looks like a URI", "postgres://u:p@h:1/d" }, { "what looks like an option", "--host=evil" },
  { "a space at the start", " a" }, { "a space at the end", "a " }, { "only spaces", "   " }, { "a tab", "a\tb" },
  { "a newline at the end", "ab\n" }, { "a carriage return", "a\rb" }, { "control characters", "\1\27[31m\127" },
  { "a shell's variables", "${HOME}$PATH" }, { "a shell's substitution", "$(id)`id`" }, { "only digits", "0123456789" },
  { "one character", "x" }, { "200 bytes", ("abcdefghij"):rep(20) }, { "900 bytes", ("0123456789"):rep(90) },
  { "umlauts", "pässwörd" }, { "composed (NFC)", "caf\u{e9}" }, { "decomposed (NFD)", "cafe\u{301}" },
  { "a ligature that NFKC takes apart", "\u{fb01}ve" }, { "fullwidth letters", "\u{ff30}\u{ff37}" },
  { "a no-break space", "a\u{a0}b" }, { "a soft hyphen, which SASLprep drops", "a\u{ad}b" },
  { "emoji", "🐘🔑👩‍💻" }, { "right to left", "שלום" }, { "both directions, which SASLprep forbids", "שa" },
  { "a private character", "\u{e000}" }, { "Chinese", "密码" },
}

local NAMES = {
  { "a space", "my database" }, { "double quotes", 'the "best"' }, { "single quotes", "o'neil" },
  { "a backslash", "back\\slash" }, { "upper case", "CamelCase" }, { "a hyphen", "my-db" },
  { "a leading digit", "1st" }, { "unicode", "Größe ☃" }, { "an equals sign", "host=evil" },
  { "a URI's characters", "a/b?c#d%e@f:g&h" }, { "what looks like a URI", "postgres://h/d" },
  { "a dollar sign", "$HOME" }, { "a leading hyphen", "-d" }, { "63 bytes", ("x"):rep(63) }, { "a key word", "select" },
}

local server

-- Where role and database are, in all the ways that can be said.
local function ways(user, password, dbname)
  local function quoted(text) return "'" .. text:gsub("[\\']", "\\%0") .. "'" end
  local place = { host = "127.0.0.1", port = server.port, user = user, password = password, dbname = dbname,
    sslmode = "verify-full", ca_pem = server.ca_pem }
  local uri = ("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=require"):format(http.escape(user), http.escape(password),
    server.port, http.escape(dbname))
  local said = ("host=127.0.0.1 port=%d sslmode=require user=%s password=%s dbname=%s"):format(server.port,
    quoted(user), quoted(password), quoted(dbname))
  local reply = json.decode(json.encode { password = password }, { secrets = { "password" } })
  local from_api = { host = "127.0.0.1", port = server.port, user = user, password = reply.password, dbname = dbname,
    sslmode = "require" }
  return { table = place, uri = uri, secret_uri = secret.new(uri), conninfo = said, api = from_api }
end

local function expect_connects(user, password, dbname)
  for way, conninfo in pairs(ways(user, password, dbname)) do
    local ok, conn = pcall(pg.connect, conninfo)
    if not ok then error(("by %s: %s"):format(way, tostring(conn)), 0) end
    local row = conn:row "select current_user::text as who, current_database()::text as what"
    conn:close()
    expect(row).same { who = user, what = dbname }
  end
end

-- The source that a recipe would have, from its URL.
local function from_url(user, password, dbname)
  return source.from_url(secret.new(ways(user, password, dbname).uri), { ca_pem = server.ca_pem })
end

-- What the real pg_dump writes, started as a recipe starts it.
local function dump_of(it)
  local archive
  fs.with_temporary("pgorch-credentials-", function(dir)
    local argv = { server.client .. "/pg_dump", "--schema-only", "--no-password" }
    argv.env, argv.env_clear = pg_client.environment(it:env(dir)), true
    archive = process.run(argv).stdout
  end)
  return archive
end

describe("a password", function()
  it("is set on a server", function()
    server = postgres.start { tls = true }
    local db <close> = server:connect()
    db:exec "create role shop login"
    db:exec "create database shop owner shop"
  end)

  for _, case in ipairs(PASSWORDS) do
    local name, password = case[1], case[2]
    it("with " .. name .. " works everywhere, and another does not", function()
      do
        local db <close> = server:connect()
        db:exec("alter role shop password " .. pg.literal(password))
      end
      expect_connects("shop", password, "shop")
      expect(dump_of(from_url("shop", password, "shop"))).has "PostgreSQL database dump complete"
      local err = expect(function()
        pg.connect(ways("shop", password .. "x", "shop").table)
      end):raises "PGO-PG-AUTH"
      if #password > 3 then expect(tostring(err)).lacks(password) end
    end)
  end

  it("that is not UTF-8 is refused with a word about it", function()
    local place = { host = "127.0.0.1", port = server.port, user = "shop", password = "m\xfcller", dbname = "shop" }
    local uri = ("postgres://shop:m%%FCller@127.0.0.1:%d/shop"):format(server.port)
    for _, conninfo in ipairs { place, uri } do
      local err = expect(function() pg.connect(conninfo) end):raises "PGO-PG-AUTH"
      expect(err.message).has "the password is not valid UTF-8"
      expect(err.message).lacks "ller"
    end
    place.password = "mueller"
    expect(expect(function() pg.connect(place) end):raises "PGO-PG-AUTH".message).lacks "UTF-8"
  end)

  it("that holds a zero byte cannot be one: said before anything is sent", function()
    local place = { host = "127.0.0.1", port = server.port, user = "shop", dbname = "shop" }
    for _, password in ipairs { "a\0b", secret.new "a\0b" } do
      place.password = password
      expect(function() pg.connect(place) end):raises "PGO-INVALID"
      expect(function() dump_of(source.new(place)) end):raises "PGO-INVALID"
    end
    expect(function() pg.dsn "postgres://u:a%00b@h/d" end):raises "PGO-INVALID"
  end)
end)

describe("a user and a database", function()
  for _, case in ipairs(NAMES) do
    local what, name = case[1], case[2]
    it("named with " .. what .. " are reached, dumped, closed and opened", function()
      do
        local db <close> = server:connect()
        db:exec(("create role %s login password 'it''s'"):format(pg.ident(name)))
        db:exec(("create database %s owner %s"):format(pg.ident(name), pg.ident(name)))
      end
      expect_connects(name, "it's", name)
      local it = from_url(name, "it's", name)
      expect(dump_of(it)).has "PostgreSQL database dump complete"
      it:make_read_only()
      expect(it:read_only_setting()).is "on"
      it:restore_setting(nil)
      expect(it:read_only_setting()).is_nil()
    end)
  end
end)

describe("a source at [::1]", function()
  it("is reached by its URL, verified by number, and dumped", function()
    if not loopback.has_ipv6() then skip "this machine has no ::1" end
    local url = ("postgres://postgres:%s@[::1]:%d/postgres"):format(http.escape(server.password), server.port)
    expect(pg.dsn(url).host).is "::1"
    local it = source.from_url(url, { ca_pem = server.ca_pem })
    local conn <close> = it:connect()
    expect(conn:value "select host(inet_client_addr())").is "::1"
    expect(conn.tls).matches "^TLSv1"
    expect(dump_of(it)).has "PostgreSQL database dump complete"
    local err = expect(function() source.from_url((url:gsub(":%d+/", ":1/"))):connect() end):raises "PGO-PG-CONNECT"
    expect(err.message).has "[::1]:1/postgres"
  end)

  it("stops its server", function() server:close() end)
end)
