-- Recipes: what may be written in one, how it is loaded, and what its command line accepts. Every mistake is named.

local arguments = require "pgorch.recipe.arguments"
local fail      = require "pgorch.error"
local fs        = require "pgorch.fs"
local host      = require "pgorch.native.host"
local loader    = require "pgorch.recipe.load"
local params    = require "pgorch.recipe.params"
local process   = require "pgorch.process"
local recipe    = require "pgorch.recipe"
local values    = require "pgorch.recipe.values"

local folder

local HEAD = 'local recipe = require "pgorch.recipe"\n'
local STEP = 'recipe.step { id = "%s", effect = "read", run = function() end }'

local function step(id) return STEP:format(id) end

local function write(name, text) fs.write(folder .. "/" .. name, text) end

local function load_text(text)
  write("r.lua", HEAD .. text)
  return loader.load(folder .. "/r.lua")
end

-- The message of the failure to load it.
local function refusal(text)
  local ok, err = pcall(load_text, text)
  if ok then return "it was loaded" end
  return fail.is(err) and err.id .. " " .. err.message or tostring(err)
end

local function of_steps(...)
  return ('return recipe { name = "x", summary = "y", steps = { %s } }'):format(table.concat({ ... }, ", "))
end

local function ids(made)
  local list = {}
  for i, item in ipairs(made.steps) do list[i] = item.id or item.title or "+" end
  return table.concat(list, " ")
end

local function fixture()
  before(function()
    folder = fs.mkdtemp("pgorch-recipe-")
    fs.mkdir(folder .. "/lua")
  end)
  after(function() fs.remove_tree(folder) end)
end

describe("loading a recipe", function()
  fixture()

  it("gives its steps, and a hash that changes with any file it uses", function()
    write("lua/acme.lua", "return { plan = 1 }")
    local text = 'local acme = require "acme"\n' .. of_steps(step "a", step "b")
    local first = load_text(text)
    expect(ids(first)).is("a b")
    expect(load_text(text).hash).is(first.hash)
    write("lua/acme.lua", "return { plan = 2 }")
    expect(load_text(text).hash).is_not(first.hash)
  end)

  it("requires from lua/ before the folder, and never the recipe itself", function()
    write("lua/m.lua", "return 'in lua'")
    write("m.lua", "return 'beside'")
    expect(refusal('error(require "m")')).has("in lua")
    fs.remove(folder .. "/lua/m.lua")
    expect(refusal('error(require "m")')).has("beside")
    expect(refusal('require "r"')).has("module 'r' not found")
    expect(refusal('require "../m"')).has("no module name")
  end)

  it("names file and line of a mistake", function()
    expect(refusal "local x = = 1").has("r.lua:2: ")
    expect(refusal "\nlocal x = nil + 1").has("r.lua:3: ")
    expect(refusal '\nrequire("pgorch.task").sleep(1)').matches("r%.lua:3: .*PGO%-AWAIT")
    expect(refusal('recipe.step { id = "a", effect = "write", run = print }')).has("r.lua:2: step a: effect is")
    expect(refusal "return 1").has("returns no recipe")
    expect(refusal("\n" .. 'require "nowhere"')).matches("r%.lua:3: .*'nowhere' not found in .*/lua")
    expect(refusal("\n" .. of_steps(step "a", step "a"))).has("r.lua: recipe x: two steps")
    expect(refusal "while true do end").has("r.lua:2: ")
    expect(function() loader.load(folder .. "/lua/") end).raises("PGO-RECIPE")
  end)

  it("has no io, os, debug or bytecode", function()
    for _, name in ipairs { "io", "os", "debug", "dofile", "loadfile", "collectgarbage", "package" } do
      expect(refusal(("assert(%s == nil, 'there')\n"):format(name) .. of_steps(step "a"))).is("it was loaded")
    end
    expect(refusal('assert(load(string.dump(function() end)))')).has("attempt to load a binary chunk")
    write("binary.lua", string.dump(function() end))
    expect(function() loader.load(folder .. "/binary.lua") end).raises("PGO-RECIPE")
  end)

  it("ends what runs for too long or grows too much, whatever it catches", function()
    expect(refusal "while true do end").has("too long")
    expect(refusal "while true do pcall(function() while true do end end) end").has("too long")
    expect(refusal "coroutine.wrap(function() while true do end end)()").has("too long")
    expect(refusal "local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t end").has("too much memory")
  end, { limit = 60 })

  it("lists the recipes that exist when one does not", function()
    local err = expect(function() loader.load("vultar") end).raises("PGO-RECIPE")
    expect(err.message).has("did you mean vultr?")
    expect(err.detail).has("vultr")
    expect(function() loader.load(folder .. "/none.lua") end).raises("PGO-RECIPE")
  end)
end)

describe("a step", function()
  fixture()

  it("is refused with a field that does not exist, and told which was meant", function()
    expect(refusal('recipe.step { id = "a", effect = "read", run = print, undoo = false }')).has("did you mean `undo`?")
  end)

  it("needs id, effect, run, and an undo or a reason for none", function()
    expect(refusal('recipe.step { effect = "read", run = print }')).has("needs an `id`")
    expect(refusal('recipe.step { id = "a", run = print }')).has("`effect` is missing")
    expect(refusal('recipe.step { id = "a", effect = "reed", run = print }')).has("none of read, write, destroy")
    expect(refusal('recipe.step { id = "a", effect = "read" }')).has("`run` is missing")
    expect(refusal('recipe.step { id = "a", effect = "write", run = print }')).has("undo = false")
    expect(refusal('recipe.step { id = "a", effect = "write", run = print, undo = print, undo_when = "x" }'))
      .has("\"failure\" or \"always\"")
  end)

  it("gives a configured copy when called, and stays as it was", function()
    local one = recipe.step { id = "a", effect = "read", run = print, options = { within = "1h", keep = true } }
    local two = one { within = "26h", id = "b" }
    expect(two.options.within).is("26h")
    expect(two.options.keep).is(true)
    expect(two.id).is("b")
    expect(one.options.within).is("1h")
    expect(one.id).is("a")
  end)

  it("has an id of its own in the recipe", function()
    local twice = of_steps(step "a", ("recipe.together { { %s } }"):format(step "a"))
    expect(refusal(twice)).has("two steps have the id `a`")
  end)

  it("stands after the steps that it needs", function()
    local needy = 'recipe.step { id = "last", effect = "read", run = print, needs = { "a", "b" } }'
    local said = refusal(of_steps(step "a", needy, step "b"))
    expect(said).has("step last: the step b has to come before it")
    expect(said).lacks("the step a has")
    expect(refusal(of_steps("require('pgorch.steps').cut_over"))).has("the step verify has to come before it")
    expect(refusal(of_steps(("recipe.together { { %s, %s }, { %s } }"):format(step "a", step "b", needy))))
      .has("step last: the step a has to come before it")
  end)

  local function without(id)
    return ("return recipe.from 'vultr' { name = 'own', change = { recipe.remove '%s' } }"):format(id)
  end

  it("of pgorch's own is refused where what it reads is not in the recipe", function()
    for id, needing in pairs { size = "dump_to_store", preflight = "extensions", preflight_target = "dump_to_store",
                               fingerprint = "nothing_was_written", checksum_source = "verify", choose_plan = "addon",
                               dump_to_store = "restore", cut_over = "test_connections" } do
      expect(refusal(without(id))).has(("step %s: the step %s has to come before it"):format(needing, id))
    end
  end)

  it("of pgorch's own may be left out where nobody reads of it", function()
    for _, id in ipairs { "window_opens", "presign", "extensions", "analyze", "window_closes" } do
      expect(load_text(without(id)).name).is "own"
    end
  end)
end)

describe("recipe.from", function()
  fixture()

  local function child(changes)
    write("base.lua", HEAD .. [[return recipe { name = "base", summary = "s",
      params = { size = { default = 1 }, gone = {}, key = { use = "api" }, tier = { use = "api" } },
      uses = { api = function() return "base" end, other = function() return "other" end },
      steps = { recipe.section "First", ]] .. step "a" .. ", recipe.together { { " .. step "b" .. " } }, "
      .. step "c" .. " } }")
    return load_text('return recipe.from "base" { name = "child", ' .. changes .. " }")
  end

  it("inherits, and puts its own over it", function()
    local made = child 'params = { size = { help = "h" }, gone = false }, titles = { First = "One" }'
    expect(made.name).is("child")
    expect(made.params.size.default).is(1)
    expect(made.params.size.help).is("h")
    expect(made.params.gone).is_nil()
    expect(ids(made)).is("One a + c")
  end)

  it("changes by id, inside of together too", function()
    local function steps_after(text) return ids(child("change = { " .. text .. " }")) end
    expect(steps_after(('recipe.after { "a", %s, %s }'):format(step "x", step "y"))).is("First a x y + c")
    expect(steps_after(('recipe.before { "a", %s }'):format(step "x"))).is("First x a + c")
    expect(steps_after(('recipe.replace { "c", %s }'):format(step "x"))).is("First a + x")
    expect(steps_after('recipe.remove "a"')).is("First + c")
    expect(steps_after('recipe.remove { "a", "c" }')).is("First +")
    local made = child(('change = { recipe.after { "b", %s } }'):format(step "x"))
    expect(#made.steps[3].lists[1]).is(2)
  end)

  it("has no parameters of a constructor that it replaces, but for those that it declares itself", function()
    expect(child("").params.key.use).is "api"
    local made = child 'uses = { api = function() return "mine" end }, params = { tier = { help = "mine" } }'
    expect(made.params.key).is_nil()
    expect(made.params.tier.help).is "mine"
    expect(made.params.size.default).is(1)
    expect({ made.uses.api(), made.uses.other() }).same { "mine", "other" }
  end)

  it("changes what a base has changed, inside of together and at gates too", function()
    local middle = HEAD .. [[return recipe.from "base" { name = "middle", titles = { First = "Middle" }, change = {
      recipe.before { "b", %s }, recipe.after { "c", recipe.gate "go on?" } } }]]
    child ""
    write("middle.lua", middle:format(step "m"))
    local made = load_text([[return recipe.from "middle" { name = "x", titles = { Middle = "Last" }, change = {
      recipe.replace { "m", ]] .. step "n" .. [[ }, recipe.remove "b", recipe.after { "gate_go_on", ]] .. step "z"
      .. [[ }, recipe.replace { "gate_go_on", recipe.gate "really?" } } }]])
    expect(ids(made)).is "Last a + c gate_really z"
    expect(made.steps[3].lists[1][1].id).is "n"
    expect(#made.steps[3].lists[1]).is(1)
    -- The base is as it was: it may be inherited once more.
    expect(ids(loader.load(folder .. "/middle.lua"))).is "Middle a + c gate_go_on"
  end)

  it("takes the file beside it before the built-in recipe of that name", function()
    local built_in = load_text 'return recipe.from "postgres" { name = "x" }'
    expect(ids(built_in)).has "cut_over"
    write("postgres.lua", HEAD .. of_steps(step "ours"))
    expect(ids(load_text 'return recipe.from "postgres" { name = "x" }')).is "ours"
    expect(refusal 'return recipe.from "postgers" { name = "x" }').has "did you mean postgres?"
  end)

  it("refuses a heading that is not there, and names those that are", function()
    local ok, err = pcall(child, 'titles = { Frist = "One" }')
    expect(ok).is(false)
    expect(err.message).has 'did you mean `First`?'
  end)

  it("refuses an id that is not there, and names those that are", function()
    local ok, err = pcall(child, 'change = { recipe.remove "bb" }')
    expect(ok).is(false)
    expect(err.message).has("did you mean `b`?")
    expect(err.message).has("a, b, c")
  end)

  it("refuses to inherit from itself", function()
    write("base.lua", HEAD .. 'return recipe.from "base" { name = "base" }')
    expect(refusal 'return recipe.from "base" { name = "x" }').matches("PGO%-RECIPE")
  end)
end)

local function resolve(specs, argv)
  local complete = {}
  for name, spec in pairs(specs) do complete[name] = params.complete(name, spec) end
  local state = arguments.parse(argv, arguments.flags(complete))
  local resolved, secrets = arguments.resolve(complete, state)
  return resolved, table.concat(state.problems, "\n"), secrets, state
end

describe("a command line", function()
  it("is read into values of their types", function()
    local got, problems = resolve({
      wait = { type = "duration", default = "1h" }, size = { type = "size" }, jobs = { type = "integer" },
      only = { type = "list" }, keep = { default = false }, watch = { default = true }, name = {},
    }, { "--size", "2GB", "--jobs=3", "--only", "a,b", "--only", "c", "--keep", "--no-watch", "--name", "-x" })
    expect(problems).is("")
    expect(got).same { wait = 3600, size = 2000000000, jobs = 3, only = { "a", "b", "c" }, keep = true, watch = false,
                       name = "-x" }
  end)

  it("keeps a path as it is found from any folder, and takes none for one", function()
    local specs, here = { spool = { type = "path" } }, require("pgorch.native.host").cwd()
    for typed, kept in pairs { ["a b"] = here .. "/a b", ["./x/./y//"] = here .. "/x/y", ["."] = here,
                               ["../z"] = here .. "/../z", ["/data/"] = "/data", ["/"] = "/" } do
      local got, problems = resolve(specs, { "--spool", typed })
      expect(problems).is ""
      expect(got.spool).is(kept)
    end
    expect(select(2, resolve(specs, { "--spool", "" }))).is "--spool: is empty"
    expect(select(2, resolve(specs, { "--spool=" }))).is "--spool: is empty"
  end)

  it("keeps so every file and folder that a run is told of", function()
    local named = 0
    for name, spec in pairs(loader.load("recipes/postgres.lua").params) do
      if (spec.help or ""):find "^a file" or (spec.help or ""):find "^a folder" then
        named = named + 1
        if spec.type ~= "path" then error(name .. " is of type " .. tostring(spec.type), 0) end
      end
    end
    expect(named).is(3)
  end)

  it("tells everything that is wrong at once", function()
    local _, problems = resolve({
      app = { required = true, help = "the app" }, jobs = { type = "integer" }, mode = { choices = { "a", "b" } },
      name = { pattern = "^%l+$" }, odd = { type = "integer", check = function(n) return n % 2 == 1, "is even" end },
      token = { secret = true, required = true, env = "NO_SUCH_VARIABLE_HERE" },
    }, { "--jobs", "many", "--mode", "c", "--name", "UPPER", "--odd", "4", "--jbos", "1" })
    for _, text in ipairs { "--app is missing (the app)", "--jobs many: is no whole number", "`c` is not one of: a, b",
                            "`UPPER` does not match", "is even", "--token is missing", "NO_SUCH_VARIABLE_HERE",
                            "unknown flag --jbos, did you mean --jobs?" } do
      expect(problems).has(text)
    end
  end)

  it("misses a parameter only where another one asks for it", function()
    local specs = { via = { default = "archive", choices = { "archive", "direct" } },
                    bucket = { required_when = { via = "archive" }, help = "the bucket" } }
    local _, problems = resolve(specs, {})
    expect(problems).has "--bucket is missing (the bucket)"
    for _, given in ipairs { { "--via", "direct" }, { "--bucket", "b" } } do
      _, problems = resolve(specs, given)
      expect(problems).is ""
    end
  end)

  it("takes a word after a flag that is misspelt for its value, and does not miss the flag that was meant", function()
    local specs = { app = { required = true, help = "the app" }, n = { type = "integer" } }
    for name, spec in pairs(specs) do specs[name] = params.complete(name, spec) end
    local state = arguments.parse({ "--apq", "shop", "--n", "3" }, arguments.flags(specs))
    arguments.resolve(specs, state)
    expect(state.problems).same { "unknown flag --apq, did you mean --app?" }
    expect(state.given.n).is(3)
  end)

  it("says what an app, a version and an address look like", function()
    local specs = params.standard()
    for name, spec in pairs(specs) do specs[name] = params.complete(name, spec) end
    local function problems(...)
      local state = arguments.parse({ "--app", "shop", ... }, arguments.flags(specs))
      arguments.resolve(specs, state)
      return table.concat(state.problems, "\n")
    end
    expect(problems("--version", "17", "--from-ip", "2001:db8::1")).is("")
    expect(problems("--version", "17", "--from-ip", "203.0.113.7")).is("")
    expect(problems("--app", "My App")).has("a letter first")
    expect(problems("--version", "latest")).has("write 17")
    expect(problems("--from-ip", "1.2.3.256")).has("no IP address")
  end)

  it("never takes a secret's value", function()
    local _, problems, _, state = resolve({ token = { secret = true } }, { "--token", "hunter2hunter2" })
    expect(problems).has("never given on the command line")
    expect(problems).lacks("hunter2")
    expect(#state.words).is(0)
    local _, none, secrets = resolve({ token = { secret = true } }, { "--token-file", "/x" })
    expect(none).is("")
    expect(secrets).same { token = { file = "/x" } }
  end)

  it("reads durations and sizes as people write them", function()
    expect(values.duration "1h30m").is(5400)
    expect(values.duration "26h").is(93600)
    expect(values.duration "90").is(90)
    expect(values.duration "soon").is_nil()
    expect(values.size "64MiB").is(67108864)
    expect(values.size "1.5GB").is(1500000000)
    expect(values.size "big").is_nil()
    expect(values.show_duration(161)).is("2 m 41 s")
    expect(values.show_size(641e6)).is("641 MB")
    expect(values.show_size(3.12e9)).is("3.1 GB")
  end)
end)

describe("pgorch", function()
  fixture()

  local function pgorch(...)
    local words = { host.executable(), ... }
    words.check, words.stdin, words.env = false, "", { PGORCH_STATE = "sqlite:" .. folder .. "/s.db", MARKS_KEY = "" }
    return process.run(words)
  end

  local MARKS = TEST_FOLDER .. "/../fixtures/recipes/marks.lua"

  it("explains a recipe with every parameter", function()
    local r = pgorch("run", MARKS, "--help")
    expect(r.code).is(0)
    expect(r.stdout).has("--log TEXT")
    expect(r.stdout).has("MARKS_KEY")
    expect(r.stdout).has("--on-failure keep|rollback")
    expect(r.stdout).has("Example:")
  end)

  it("explains of each command the flags that it has a use for", function()
    local own = { cleanup = { "confirm APP", "no-input", "accept-changes", "json" },
                  rollback = { "recipe FILE", "lose-writes", "accept-changes", "notify-env VAR", "notify-file PATH",
                               "json" },
                  resume = { "recipe FILE", "deadline TIME", "on-failure keep|rollback", "only STEP,...",
                             "yes-cut-over", "lose-writes", "until STEP", "no-input", "accept-changes",
                             "notify-env VAR", "notify-file PATH", "json" },
                  ["destroy-source"] = { "confirm LABEL", "force", "unset-old", "no-input", "accept-changes" } }
    local usual = { "state-env VAR", "state-file PATH", "no-color", "quiet", "verbose", "help" }
    for name, flags in pairs(own) do
      local said, wanted, got = pgorch(name, "--help").stdout, table.move(usual, 1, #usual, #flags + 1, flags), {}
      for flag in said:match("\nFlags of pgorch:\n(.*)$"):gmatch "\n? +%-?%l?,? ?%-%-(%S+ ?%S*)  +%w" do
        got[#got + 1] = flag:gsub(" $", "")
      end
      table.sort(got)
      table.sort(wanted)
      expect(got).same(wanted)
      for flag in said:match("^[^\n]*\n\nusage: ([^\n]+)"):gmatch "%-%-%l[%l-]*" do
        expect(said:match "\nFlags.*").has(flag .. " ")
      end
      expect(said:find("Recipes: ", 1, true)).is_nil()
    end
    expect(pgorch("run", "--help").stdout).has "Recipes: a file, or "
  end)

  it("ends with 2 and all that is wrong, and leaves no run behind", function()
    local r = pgorch("run", MARKS, "--only", "tow", "--bogus", "--on-failure", "maybe")
    expect(r.code).is(2)
    for _, text in ipairs { "--log is missing", "did you mean two?", "--bogus", "keep or rollback" } do
      expect(r.stderr).has(text)
    end
    expect(pgorch("status").stdout).has "no runs in "
  end)

  it("says which secret could not be read", function()
    local r = pgorch("run", MARKS, "--log", folder .. "/log", "--key-file", "/no/such/file")
    expect(r.code).is(2)
    expect(r.stderr).has("--key-file /no/such/file")
  end)

  it("runs with its standard descriptors closed", function()
    local words = { "sh", "-c", '"$0" version <&- >&- 2>&-', host.executable(), check = false, timeout = 20 }
    expect(process.run(words).code).is(0)
  end)

  it("suggests the command that was meant", function()
    local r = pgorch("resmue")
    expect(r.code).is(2)
    expect(r.stderr).has("`resume`")
    expect(pgorch("--version").stdout).matches("^pgorch %d+%.%d+")
    expect(pgorch("help").stdout).has("Exit statuses:")
  end)
end)
