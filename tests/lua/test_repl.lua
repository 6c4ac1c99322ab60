-- The prompt: as a script's reader, and on a terminal of its own, made by script(1), at which a person types.

local fs       = require "pgorch.fs"
local history  = require "pgorch.repl.history"
local host     = require "pgorch.native.host"
local http     = require "pgorch.http"
local inspect  = require "pgorch.repl.inspect"
local postgres = require "support.postgres"
local process  = require "pgorch.process"
local secret   = require "pgorch.secret"

local folder

local function fixture()
  before(function() folder = fs.mkdtemp "pgorch-repl-" end)
  after(function() fs.remove_tree(folder) end)
end

-- Runs a script. Gives what it printed, what it complained of, and its status.
local function script(text, env)
  local variables = { PGORCH_HISTORY = folder .. "/history" }
  for name, value in pairs(env or {}) do variables[name] = value end
  local ended = process.run { host.executable(), "repl", stdin = text, check = false, env = variables }
  return ended.stdout, ended.stderr, ended.code
end

describe("repl: a script", function()
  fixture()

  it("shows what each line gives, with and without =", function()
    expect((script "1 + 1\n=2, nil, 'x'\nlocal x = 1\ny = 3\ny\nprint(y)\nnil\n")).is '2\n2\nnil\n"x"\n3\n3\nnil\n'
  end)

  it("goes on with what is not complete", function()
    expect((script "for i = 1, 2 do\nprint(i)\nend\n{ 1,\n2 }\n[[a\nb]]\n")).is '1\n2\n{ 1, 2 }\n"a\\nb"\n'
  end)

  it("waits, and has the library's modules by their names", function()
    local server <close> = http.serve({}, function() return { status = 200, body = "hello" } end)
    local out, err, code = script(("task.sleep(0.01)\nhttp.request { url = '%s' }.body\n"
      .. "task.map({ 1, 2 }, { limit = 2 }, function(x) task.sleep(0.01) return x * 2 end)\n"
      .. "no_such_name\n"):format(server.url))
    expect(err).is ""
    expect(out).is '"hello"\n{ 2, 4 }\nnil\n'
    expect(code).is(0)
  end)

  it("says what failed, with the frames of what was typed, and goes on", function()
    local out, err, code = script("function f() error 'boo' end\nfunction g() f() return 1 end\ng()\n"
      .. "x ==\n)\n7\n")
    expect(err).matches "^PGO%-LUA: repl:1: boo\n +stack traceback:\n[^\n]+'error'\n[^\n]+'f'\n[^\n]+repl:1"
    expect(err).lacks "pgorch/"
    expect(err).has "PGO-LUA: repl:1: syntax error near '=='"
    expect(out).is "7\n"
    expect(code).is(1)
    out, err, code = script "fs.read '/nonexistent'\nif true then\n"
    expect(err).has "PGO-IO: open /nonexistent: no such file or directory\n    ENOENT\n    cure: "
    expect(err).has "the input ends before what was begun does"
    expect(out).is ""
    expect(code).is(1)
  end)

  it("leaves a server running between two lines, and nothing at the end", function()
    local out, err, code = script("s = http.serve({}, function() return { status = 200, body = 'hi' } end)\n"
      .. "task.sleep(0.02)\nhttp.request { url = s.url }.body\n")
    expect(out).is '"hi"\n'
    expect(err).is ""                                           -- "left open: ..." would stand there
    expect(code).is(0)
  end)

  it("does not show secrets", function()
    local out = script("s = env.secret 'HIDDEN'\ns\n{ key = s }\nprint(s)\n", { HIDDEN = "the-hidden-word" })
    expect(out).lacks "the-hidden-word"
    expect(out).matches "^%[secret [^\n]+\n{ key = %[secret [^\n]+%] }\n"
  end)

  it("keeps no history, and takes no words", function()
    script "1\n"
    expect(fs.exists(folder .. "/history")).is(false)
    expect(process.run({ host.executable(), "repl", "now", check = false, stdin = "" }).code).is(2)
  end)
end)

describe("repl: a query", function()
  it("is answered at the prompt", function()
    folder = fs.mkdtemp "pgorch-repl-"
    local server <close> = postgres.start()
    local out, err = script("conn = pg.connect(env.secret 'DB')\nconn:value 'select 40 + $1::int'\n"
      .. "conn:value('select 40 + $1::int', 2)\nconn:query 'select 1 as a, null as b'\n"
      .. "conn:query 'select i as n, repeat($$x$$, i) as text from generate_series(1, 3, 2) i'\n",
      { DB = server.uri })
    expect(out).is "42\n{ { a = 1 } }\n  n  text\n  1  x\n  3  xxx\n"
    expect(err).has "PGO-PG-QUERY"
    fs.remove_tree(folder)
  end)
end)

-- --- on a terminal ---

local function plain(text) return (text:gsub("\27%[[%d;?]*%a", ""):gsub("[\r\b]", "")) end

-- A prompt on a terminal: at(text, keys) waits until text stands there, after what was seen before, and types keys.
local function at_a_terminal(fn, env)
  local variables = { TERM = "xterm", LC_ALL = "C.UTF-8", SHELL = "/bin/sh", PGORCH_HISTORY = folder .. "/history" }
  for name, value in pairs(env or {}) do variables[name] = value end
  local terminal <close> = process.spawn { "script", "-qefc", ("exec '%s' repl"):format(host.executable()), "/dev/null",
    check = false, stdin = "stream", stdout = "stream", env = variables }
  local said, from = "", 1
  local function at(text, keys)
    while true do
      local _, to = said:find(text, from, true)
      if to then
        from = to + 1
        break
      end
      local chunk = terminal.stdout:read()
      if not chunk then error(("never seen: %q in %s"):format(text, said)) end
      said = plain(said .. chunk)
    end
    if keys then terminal.stdin:write(keys) end
  end
  fn(at)
  while true do
    local chunk = terminal.stdout:read()
    if not chunk then break end
    said = plain(said .. chunk)
  end
  return { said = said, code = terminal:wait().code }
end

describe("repl: on a terminal", function()
  fixture()

  it("edits lines, brings back earlier ones, and leaves with Ctrl-D", function()
    local ended = at_a_terminal(function(at)
      at("Ctrl-D leaves.\n> ", "3 + 4\n")
      at("\n7\n> ", "\27[A\27[D9\n")                            -- up, left, 9: 3 + 94
      at("\n97\n> ", "'\195\164' .. 'xy\127'\n")                -- a letter of two bytes, and one that is rubbed out
      at('\n"\195\164x"\n> ', "for i = 5, 6 do\n")
      at("\n>> ", "print(i) end\n")
      at("\n5\n6\n> ", "ab\1\4\4" .. "8\n")                   -- to the front, and both letters are deleted
      at("\n8\n> ", "\4")
    end)
    expect(ended.code).is(0)
  end)

  it("Ctrl-C cancels what waits, with its clean-up, and empties the line", function()
    local ended = at_a_terminal(function(at)
      at("> ", "do local c <close> = setmetatable({}, { __close = function() task.shield(1, task.sleep, 0.01) "
        .. "print 'closed' end }) print 'begun' task.sleep(60) end\n")
      at("\nbegun\n", "\3")
      at("closed\n", nil)
      at("interrupted\n> ", "not lua at all\3")
      at("\n> ", "task.map({ 1, 2 }, {}, function() print 'in' task.sleep(60) end)\n")
      at("in\nin\n", "\3")
      at("interrupted\n> ", "1 + 1\n")
      at("\n2\n> ", "if true then\n")
      at("\n>> ", "\3")
      at("\n> ", "\4")
    end)
    expect(ended.code).is(0)
    expect(ended.said).lacks "PGO-"
    expect(ended.said).lacks "left open"
  end)

  it("a second Ctrl-C leaves at once", function()
    local ended = at_a_terminal(function(at)
      at("> ", "do local c <close> = setmetatable({}, { __close = function() print 'closing' "
        .. "task.shield(60, task.sleep, 60) end }) print 'begun' task.sleep(60) end\n")
      at("\nbegun\n", "\3")
      at("closing\n", "\3")
    end)
    expect(ended.code).is(130)
  end)

  it("keeps what was typed for the next time, for its user alone, and without secrets", function()
    at_a_terminal(function(at)
      at("> ", "x = 'one'\n")
      at("> ", "password = 'two-of-them'\n")
      at("> ", "key = env.get 'HIDDEN'\n")
      at("> ", "secret.new(key)\n")
      at("> ", "y = 'the-hidden-word'\n")
      at("> ", " z = 'with a space'\n")
      at("> ", "nonsense nonsense\n")
      at("PGO-LUA", nil)
      at("> ", "\4")
    end, { HIDDEN = "the-hidden-word" })
    expect(fs.read(folder .. "/history")).is "x = 'one'\nkey = env.get 'HIDDEN'\nsecret.new(key)\nnonsense nonsense\n"
    expect(fs.stat(folder .. "/history").mode).is(600)
    local ended = at_a_terminal(function(at)
      at("> ", "\27[A\27[A\27[A\27[A .. '!'\n")                 -- four up: the first
      at("> ", "=x\n")
      at('"one!"\n> ', "\4")
    end)
    expect(ended.code).is(0)
  end)

  it("keeps it in the folder of the record, which it makes", function()
    at_a_terminal(function(at)
      at("> ", "1\n")
      at("1\n> ", "\4")
    end, { PGORCH_HISTORY = "", XDG_STATE_HOME = folder .. "/state" })
    expect(fs.read(folder .. "/state/pgorch/repl_history")).is "1\n"
    expect(fs.stat(folder .. "/state/pgorch").mode).is(700)
  end)

  it("gives the terminal back as it was", function()
    local shell = ("stty -a > '%s/before'; '%s' repl; stty -a > '%s/after'"):format(folder, host.executable(), folder)
    local terminal <close> = process.spawn { "script", "-qefc", shell, "/dev/null", check = false, stdin = "stream",
      stdout = "stream", env = { TERM = "xterm", SHELL = "/bin/sh", PGORCH_HISTORY = folder .. "/history" } }
    local said = ""
    while not said:find "> $" do said = said .. (terminal.stdout:read() or error(said)) end
    terminal.stdin:write "\4"
    while terminal.stdout:read() do end
    expect(fs.read(folder .. "/after")).is(fs.read(folder .. "/before"))
  end)
end)

describe("repl: what is left out of the history", function()
  it("looks like a secret, or holds one", function()
    local _ = secret.new "a-word-that-is-hidden"
    for _, text in ipairs { "x = 'a-word-that-is-hidden'", "pg.connect 'postgres://me:word@host/db'",
                            "secret.new 'abc'", "t = { token = 'abc' }", "c = http.client { bearer = [[abc]] }",
                            "PGPASSWORD = \"x\"", "api_key = 'x'" } do
      expect(history.is_secret(text) and text).is(text)
    end
    for _, text in ipairs { "conn:rows 'select 1'", "http.request { url = 'https://example.com/' }", "token = other",
                            "fs.list '/'", "s = env.secret(name)", "pg.connect 'postgres://host/db'" } do
      expect(history.is_secret(text) and text).is(false)
    end
  end)

  it("nor is there more than a thousand lines of it", function()
    fs.with_temporary("pgorch-history-", function(dir)
      local path = dir .. "/h"
      expect(#history.read(path)).is(0)
      local lines = {}
      for i = 1, 1100 do lines[i] = ("x = %d -- %s"):format(i, ("."):rep(1000)) end
      history.keep(path, lines)
      expect(#history.read(path)).is(1000)
      history.shorten(path)
      expect(history.read(path)[1]).matches "^x = 101 "
      expect(fs.stat(path).size).below(1100000)
      expect(fs.stat(path).mode).is(600)
    end)
  end)
end)

describe("repl: how values are shown", function()
  local function shown(value) return inspect.text(value) end

  it("short ones on a line, with their names sorted", function()
    expect(shown { 1, "a", b = true, a = { c = 2 }, ["a b"] = 3, ["end"] = 4, [10] = 5 }).is
      '{ 1, "a", [10] = 5, a = { c = 2 }, ["a b"] = 3, b = true, ["end"] = 4 }'
    expect(shown {}).is "{}"
    expect(shown 'a"b\\\n\1').is '"a\\"b\\\\\\n\\x01"'
    expect(shown(nil)).is "nil"
  end)

  it("long ones below each other", function()
    local row = { id = 1, email = "somebody.with.a.long.name@example.com", created = "2026-11-26 12:00:00" }
    expect(shown { row, { row } }).is([[
{
  {
    created = "2026-11-26 12:00:00",
    email = "somebody.with.a.long.name@example.com",
    id = 1
  },
  {
    {
      created = "2026-11-26 12:00:00",
      email = "somebody.with.a.long.name@example.com",
      id = 1
    }
  }
}]])
  end)

  it("rows in columns", function()
    expect(shown { { b = "x", a = 1 }, { a = 22, c = true } }).is "   a  b  c\n   1  x\n  22     true"
    expect(shown { { a = 1 }, { a = { 2 } } }).is "{ { a = 1 }, { a = { 2 } } }"
    local many = {}
    for i = 1, 120 do many[i] = { n = i } end
    expect(shown(many)).matches "\n  100\n  %.%.%. 20 more$"
  end)

  it("what has no end is cut", function()
    local loop = { name = "x" }
    loop.self = loop
    expect(shown(loop)).is '{ name = "x", self = (a table above) }'
    local deep = {}
    for _ = 1, 20 do deep = { deep } end
    expect(shown(deep)).is "{ { { { { { {...} } } } } } }"
    local long = {}
    for i = 1, 1000 do long[i] = i end
    expect(shown(long)).matches "\n  100,\n  %.%.%. 900 more\n}$"
  end)

  it("errors and things with a name of their own by that", function()
    local err = require("pgorch.error").new("PGO-IO", "no room")
    expect(shown(err)).is "PGO-IO: no room"
    expect(shown(setmetatable({}, { __tostring = function() return "mine" end }))).is "mine"
    expect(shown(setmetatable({ 1 }, { __index = function() error "not to be asked" end }))).is "{ 1 }"
  end)
end)
