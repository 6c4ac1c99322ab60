-- `pgorch lint`: each rule finds what it is for, at its place, and leaves alone what is right. The recipes of the
-- repository, and the steps of the library, are clean.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local json    = require "pgorch.json"
local lint    = require "pgorch.lint"
local process = require "pgorch.process"

local folder

local HEAD = 'local recipe = require "pgorch.recipe"\n'

local function write(name, text)
  fs.write(folder .. "/" .. name, text)
  return folder .. "/" .. name
end

-- "2:7 rule message" of each finding, one per line; "3:1 rule [m.lua]" where it is in another file.
local function found_in(path)
  local lines = {}
  for i, it in ipairs(lint.file(path)) do
    local name = it.file ~= path and " [" .. it.file:match "[^/]*$" .. "]" or ""
    lines[i] = ("%d:%d %s%s %s"):format(it.line, it.column, it.rule, name, it.message)
  end
  return table.concat(lines, "\n")
end

-- What is found in a file whose first line requires pgorch.recipe.
local function found(text) return found_in(write("r.lua", HEAD .. text)) end

-- A recipe: `o.before` is put above it, `o.fields` into it, `o.steps` into its list.
local function with(o)
  return found((o.before or "") .. 'return recipe { name = "x", summary = "y",\n' .. (o.fields or "params = {},")
    .. "\nsteps = {\n" .. (o.steps or "") .. "} }\n")
end

local function step(body) return ('recipe.step { id = "a", title = "A", effect = "read",\n%s },\n'):format(body) end

local function run(body) return step(("run = function(ctx)\n%s\nend"):format(body)) end

local function fixture()
  before(function()
    folder = fs.mkdtemp "pgorch-lint-"
    fs.mkdir(folder .. "/lua")
  end)
  after(function() fs.remove_tree(folder) end)
end

describe("lint: a file that cannot be used", function()
  fixture()

  it("has its syntax error at line and column", function()
    expect(found "local x = = 2\n").is "2:11 syntax unexpected symbol near '='"
    expect(found "x += 1\n").matches "^2:%d+ syntax syntax error near '%+'"
    expect(found "if true then\n").matches "^3:1 syntax 'end' expected"
  end)

  it("has what keeps a recipe from loading at its line", function()
    expect(found 'return recipe { name = "x", summary = "y", stpes = {} }').matches
      "^2:44 recipe recipe: unknown field `stpes`, did you mean `steps`?"
    expect(found 'return recipe.from "postgres" {\n  name = "x",\n  change = { recipe.remove "verfy" },\n}').matches
      "^4:28 recipe remove: there is no step `verfy`, did you mean `verify`?"
    expect(with { steps = step 'needs = { "b" }, run = function() end' }).has "step a: the step b has to come before it"
  end)

  it("is not there", function()
    local err = expect(function() lint.file(folder .. "/none.lua") end).raises "PGO-USAGE"
    expect(err.message).has "none.lua: there is no such file"
    expect(expect(function() lint.file(folder) end).raises("PGO-USAGE").message).has "is a folder"
  end)
end)

describe("lint: steps", function()
  fixture()

  it("need an undo when they change something", function()
    local said = with { steps = 'recipe.step { id = "a", title = "A", effect = "write",\nrun = function() end },\n'
      .. 'recipe.step { id = "b", title = "B", effect = "destroy", run = function() end },\n'
      .. 'recipe.step { id = "c", title = "C", effect = "write", undo = false, run = function() end },\n'
      .. 'recipe.step { id = "d", title = "D", effect = "read", run = function() end },\n' }
    expect(said).matches('^5:38 no%-undo step `a`: effect is "write" and there is no `undo`[^\n]*\n'
      .. '7:38 no%-undo step `b`: effect is "destroy"[^\n]*$')
  end)

  it("need a title", function()
    expect(with { steps = 'recipe.step { id = "a", effect = "read", run = function() end },\n' }).matches
      "^5:15 no%-title step `a` has no `title`[^\n]*$"
  end)

  it("that are put together by a function of the file are left to the loading", function()
    expect(found [[
local function step(more)
  local spec = { id = "a", effect = "write", run = function() end }
  for name, value in pairs(more) do spec[name] = value end
  return recipe.step(spec)
end
return recipe { name = "x", summary = "y", steps = { step { title = "A", undo = false } } }
]]).is ""
  end)
end)

describe("lint: names of the recipe", function()
  fixture()
  local PARAMS = 'params = { instance = {}, token = { secret = true } },'

  it("parameters that are read are declared", function()
    local said = with { fields = PARAMS .. [[
uses = { api = function(p, use) return { p.instance, p.tokn, use.run.id } end },
check_params = function(values) return { values.instnace, values.token } end,]],
      steps = run("local p = ctx.params\n return { ctx.params.nothing_like_it, ctx.params.instance, p.instanc, "
        .. "ctx.api }") }
    expect(said).is(table.concat({
      "3:108 unknown-parameter the recipe has no parameter `tokn`, did you mean `token`?",
      "4:42 unknown-parameter the recipe has no parameter `instnace`, did you mean `instance`?",
      "9:11 unknown-parameter the recipe has no parameter `nothing_like_it`",
      "9:60 unknown-parameter the recipe has no parameter `instanc`, did you mean `instance`?" }, "\n"))
  end)

  it("steps whose results are read are there", function()
    local said = with { steps = run [[
      local r = ctx.result
      if ctx:finished "b" then return { ctx.result.aa, r.a, r.gate_go } end]] .. 'recipe.gate "go?",' }
    expect(said).is("8:23 unknown-step the recipe has no step `b`, did you mean `a`?\n"
      .. "8:41 unknown-step the recipe has no step `aa`, did you mean `a`?")
  end)

  it("ctx and use have what is asked of them", function()
    local said = with { fields = "uses = { api = function(_, use) return use.sourc end, source = function() end },",
      steps = run "ctx:nota 'x'\n ctx:note(ctx.api, ctx.sorce, ctx.source)" }
    expect(said).matches("^3:40 unknown%-use use has no `sourc`, did you mean `source`?[^\n]*\n"
      .. "7:1 unknown%-use ctx has no `nota`, did you mean `note`?[^\n]*\n"
      .. "8:20 unknown%-use ctx has no `sorce`, did you mean `source`?[^\n]*$")
  end)

  it("every constructor is used", function()
    local said = with { fields = "uses = { api = function() end, spare = function() end, target = function() end },",
      steps = run "return ctx.api" }
    expect(said).is "3:32 unused-use nothing reads `ctx.spare` or `use.spare`: it is never made"
  end)

  it("no parameter has a flag of the host", function()
    local said = with { fields = [[
params = recipe.params.standard { only = {}, run_id = {},
  input = { default = false }, notify = { secret = true }, mine = {}, sql = {} },]] }
    expect(said).matches("^3:35 host%-flag parameter `only` makes the flag %-%-only, which `pgorch run` has[^\n]*\n"
      .. "3:46 host%-flag parameter `run_id` makes the flag %-%-run%-id[^\n]*\n"
      .. "4:3 host%-flag parameter `input` makes the flag %-%-no%-input[^\n]*\n"
      .. "4:32 host%-flag parameter `notify` makes the flag %-%-notify%-[^\n]*\n")
  end)

  it("examples can be typed", function()
    local said = with { fields = [[
params = { instance = {}, token = { secret = true } },
examples = { "pgorch run x --instance A --token-env T --only a --deadline +2h",
  "pgorch run x --instnce A", "pgorch run x --until b --only a,c" },]], steps = run "" }
    expect(said).is("5:3 example unknown flag --instnce, did you mean --instance?\n"
      .. "5:31 example the recipe has no step `b`, did you mean `a`?\n"
      .. "5:31 example the recipe has no step `c`, did you mean `a`?")
  end)
end)

describe("lint: names of the library and of Lua", function()
  fixture()

  it("functions of the library are there", function()
    expect(found_in(write("m.lua", 'local task, fs = require "pgorch.task", require "pgorch.fs"\n'
      .. 'local nap = task.slep\nlocal none = require "pgorch.tsak"\n'
      .. "return function() nap(fs.exists, task.sleep, none) end\n"))).is(
      "2:13 unknown-function pgorch.task has no `slep`, did you mean `sleep`?\n"
      .. "3:14 unknown-function the library has no module `pgorch.tsak`")
  end)

  it("globals are those of recipes", function()
    local said = with { before = "count = 1\n",
      steps = run "return { os.time(), pirnt, string.format, tostring(count) }" }
    expect(said).matches("^2:1 unknown%-global `count` is made a global variable: write `local count`\n"
      .. "8:10 unknown%-global `os` is neither a local variable nor a global of recipes: pgorch.clock[^\n]*\n"
      .. "8:21 unknown%-global `pirnt` [^\n]*, did you mean `print`%?\n8:52 unknown%-global `count`[^\n]*$")
  end)

  it("what is not part of a recipe may have other globals", function()
    expect(found_in(write("x_test.lua", "describe('x', function() it('y', function() end) end)"))).is ""
  end)
end)

describe("lint: loops and waiting", function()
  fixture()

  it("a `for` has no closing value", function()
    expect(found [[
local function rows(c) return next, {}, nil, c end
local function plain() return next, {}, nil end
return function(c)
  for _ in next, {}, nil, c do print "x" end
  for _ in rows(c) do print "x" end
  for _ in plain() do print "x" end
  for _ in next, {}, nil, nil do print "x" end
  for _ in pairs {} do print "x" end
end
]]).matches "^5:3 closing%-value [^\n]*\n6:3 closing%-value [^\n]*$"
  end)

  it("nothing waits at the top level, also inside of pcall", function()
    local said = found [[
local fs, pg, task = require "pgorch.fs", require "pgorch.pg", require "pgorch.task"
local db = pg.connect "host=x"
local ok, text = pcall(fs.read, "x")
local name, all = pg.ident "x", task.map
return { db, ok, text, name, all, later = function() task.sleep(1) end }
]]
    expect(said).matches("^3:12 waits pg.connect waits, which nothing can at the top level[^\n]*\n"
      .. "4:18 waits fs.read waits[^\n]*$")
  end)

  it("nothing waits in functions that C calls", function()
    local said = found [[
local fs, process = require "pgorch.fs", require "pgorch.process"
local function size(path) return fs.stat(path).size end
return function(list, conn, made)
  table.sort(list, function(a, b) return size(a) < size(b) end)
  local text = ("x"):gsub("x", function(x) return conn:query(x) end)
  string.gsub(text, "x", size)
  setmetatable(made, { __tostring = function(it) return fs.read(it.path) end, __index = function() size "x" end })
  made.__gc = function() process.run { "true" } end
  xpcall(function() size "x" end, function() return size "y" end)
  local next_one = coroutine.wrap(function() coroutine.yield(size "z") end)
  table.sort(list, function(a, b) return a.size < b.size end)
  return next_one
end
]]
    expect(said).is("3:34 waits fs.stat waits, which nothing can in a function for string.gsub\n"
      .. "5:42 waits size waits, which nothing can in a function for table.sort\n"
      .. "6:51 waits conn:query waits, which nothing can in a function for gsub\n"
      .. "8:57 waits fs.read waits, which nothing can in __tostring\n"
      .. "9:26 waits process.run waits, which nothing can in __gc\n"
      .. "10:53 waits size waits, which nothing can in a function for xpcall\n"
      .. "11:62 waits size waits, which nothing can in a function for coroutine.wrap")
  end)

  it("only_if reads results alone", function()
    local said = with { fields = "uses = { api = function() end },", steps = [[
recipe.step { id = "a", title = "A", effect = "read", run = function(ctx) ctx.api:get "/" end,
  only_if = function(ctx) return ctx.api:get("/").body end },
recipe.step { id = "b", title = "B", effect = "read", run = function() end,
  only_if = function(ctx) return ctx.result.a == 1 end },
]] }
    expect(said).is "6:34 waits ctx.api:get waits, which nothing can in only_if, which reads results alone"
  end)
end)

describe("lint: secrets", function()
  fixture()

  it("are neither in a result nor remembered", function()
    local said = with { fields = "params = { name = {}, token = { secret = true } },", before = [[
local env, crypto = require "pgorch.env", require "pgorch.crypto"
]], steps = run [[
  local key = env.secret "X"
  ctx:remember { list = { key } }
  ctx:remember { digest = crypto.sha256(ctx.params.token), name = ctx.params.name }
  if ctx.params.name then return ctx.params.token end
  local made = { header = "Bearer " .. ctx.params.token }
  return made]] }
    local STORED = "which is stored: keep an id, and read the secret again where it is needed"
    expect(said).is(table.concat({
      "9:27 secret a secret in what a step remembers, " .. STORED,
      "11:34 secret a secret in a step's result, " .. STORED,
      "12:27 secret a secret in a step's result, " .. STORED }, "\n"))
  end)

  it("nor are the passwords that the library's things have", function()
    expect(with { steps = run "return { user = ctx.source.user, word = ctx.source.password }",
      fields = "uses = { source = function() end }," }).matches "^7:41 secret [^\n]*$"
  end)
end)

describe("lint", function()
  fixture()

  it("looks at the modules beside a recipe, with what the recipe has", function()
    write("lua/mine.lua", "local m = {}\nfunction m.run(ctx) return { ctx.params.nmae, ctx.thing } end\nreturn m\n")
    expect(with { before = 'local mine = require "mine"\n',
      fields = "params = { name = {} }, uses = { thing = function() end },",
      steps = 'recipe.step { id = "a", title = "A", effect = "read", run = mine.run },' }).is
      "2:30 unknown-parameter [mine.lua] the recipe has no parameter `nmae`, did you mean `name`?"
  end)

  it("leaves out what a comment allows, on its line and by its rule", function()
    expect(found_in(write("m.lua", 'local task = require "pgorch.task"\n'
      .. "print(task.a) -- lint: allow unknown-function\nprint(task.b) -- lint: allow waits\n"))).is
      "3:7 unknown-function pgorch.task has no `b`"
  end)

  it("counts letters, not bytes", function()
    expect(found_in(write("m.lua", 'local t = require "pgorch.task"\nreturn { "äöü", t.none }\n'))).matches "^2:17 "
  end)

  local function pgorch(...)
    return process.run { host.executable(), "lint", check = false, stdin = "", cwd = folder, ... }
  end

  it("prints file:line:column: message (rule), and ends with 1; with 0 and nothing where all is well", function()
    write("bad.lua", 'local t = require "pgorch.task"\nreturn t.none\n')
    write("good.lua", "return {}\n")
    local ended = pgorch("bad.lua", "good.lua", "bad.lua")
    expect(ended.stdout).is "bad.lua:2:8: pgorch.task has no `none` (unknown-function)\n"
    expect(ended.code).is(1)
    ended = pgorch "good.lua"
    expect(ended.stdout .. ended.stderr).is ""
    expect(ended.code).is(0)
  end)

  it("ends with 2 where it is not told what to look at", function()
    for _, words in ipairs { {}, { "none.lua" }, { "--jsno", "good.lua" } } do
      local ended = pgorch(table.unpack(words))
      expect(ended.code).is(2)
      expect(ended.stderr).has "PGO-USAGE"
    end
  end)

  it("gives JSON Lines, the version first", function()
    write("bad.lua", 'local t = require "pgorch.task"\nreturn t.none\n')
    local lines = {}
    for line in pgorch("--json", "bad.lua").stdout:gmatch "[^\n]+" do lines[#lines + 1] = json.decode(line) end
    expect(#lines).is(2)
    expect(lines[1].event).is "version"
    expect(lines[2]).same { event = "finding", file = "bad.lua", line = 2, column = 8, rule = "unknown-function",
                            message = "pgorch.task has no `none`" }
  end)
end)

describe("lint of this repository", function()
  local FOLDERS = { "recipes", "tests/fixtures/recipes", "tests/fixtures/recipes/lua", "lua/pgorch/steps",
                    "lua/pgorch/linode", "lua/pgorch/heroku" }
  for _, each in ipairs(FOLDERS) do
    it("finds nothing in " .. each, function()
      local looked = 0
      for _, name in ipairs(fs.list(each)) do
        if name:match "%.lua$" then
          looked = looked + 1
          expect(found_in(each .. "/" .. name)).is ""
        end
      end
      expect(looked).above(0)
    end)
  end
end)
