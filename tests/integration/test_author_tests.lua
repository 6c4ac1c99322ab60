-- Tests of a recipe's author, as `pgorch test` runs them: the world that each one has, what they may ask of it, and
-- what fails them although they never looked at it. Each one here writes a test file beside a small recipe and runs it.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local process = require "pgorch.process"

local FIXTURES = TEST_FOLDER .. "/../fixtures/author"

local HEAD = [[
local http = require "pgorch.http"
describe("notes", function()
  local world = sandbox { standin = "standin/notes.lua", app = { name = "shop", dynos = { web = 1 } } }
  local function ask(method, path, body, token)
    return http.request { method = method, url = world.notes.url .. path, check = false, body = body,
      headers = { Authorization = "Bearer " .. (token or "token-of-the-notes") } }
  end
  %s
end)
]]

-- Runs the cases, or the whole of a test file, in a folder of their own.
local function run(cases, ...)
  local words = { host.executable(), "test", "notes_test.lua", ... }
  return fs.with_temporary("pgorch-author-", function(dir)
    process.run { "cp", "-r", FIXTURES .. "/.", dir }
    local whole = cases:find "^describe" and cases or HEAD:gsub("%%s", function() return cases end)
    fs.write(dir .. "/notes_test.lua", whole)
    words.check, words.cwd = false, dir
    local done = process.run(words)
    return done.stdout .. done.stderr, done.code
  end)
end

local function expect_passed(count, said)
  expect(said).has(("# %d passed, 0 failed, 0 skipped\n"):format(count))
end

describe("tests of a recipe", function()
  it("have a world of their own each, in which runs are made, gone on with, put back and looked at", function()
    expect_passed(3, (run [[
      it("runs", function()
        local r = world:run("noter.lua", { text = "loud" })
        expect(r.exit).is(3)
        expect(r.state).is "done"
        expect(r.steps.look.result.seen).is(true)
        expect(r.warnings).same { "look: look at this" }
        expect(world:pgorch({ "status", r.run }).output).has "noter"
        expect(world:run("noter.lua").run).is "t2"
        world.notes.list.mine = "kept"
      end)
      it("stops, goes on, puts back", function()
        expect(world.notes.list).same {}
        expect(world:run("noter.lua", { text = "x", ["until"] = "note" }).state).is "stopped"
        expect(world.notes.list).same { ["of-t1"] = "x" }
        expect(world:resume().state).is "done"
        expect(world.notes.list).same {}
        world:run("noter.lua", { ["until"] = "note", token = "token-of-the-notes" })
        expect(world:rollback().state).is "put_back"
        local r = world:run("noter.lua", { token = "another" })
        expect(r.exit).is(11)
        expect(r.error.step).is "note"
        expect(r.output).lacks "another"
        expect(r.output).has "401"
      end)
      it("looks", function()
        expect(world.app.shop.dynos).same { web = 1 }
        expect(world.app.shop.maintenance).is(false)
        expect(world.app.shop.addons).same {}
        expect(world.app.shop.database_url).is(world.source.url)
        expect(world.app.shop:value "select count(*) > 0 from shop.customers").is(true)
        expect(world.source:value("select $1::int + 1", 1)).is(2)
        expect(function() return world.app.nobody end).raises "PGO-TEST"
      end)
    ]]))
  end, { limit = 300 })

  it("have stand-ins that answer as their routes say, and play the faults that are asked for", function()
    expect_passed(2, (run [[
      it("answers", function()
        expect(ask("PUT", "/notes/a%2Fb", '{"text":"hi"}').status).is(204)
        expect(world.notes.list).same { ["a/b"] = "hi" }
        expect(ask("GET", "/notes/a%2Fb?as=x+y").body).is '{"as":"x y","id":"a/b","text":"hi"}'
        expect(ask("GET", "/notes/mine").body).has "spelt out"
        expect(ask("POST", "/notes", '{"text":"n"}').status).is(201)
        expect(ask("GET", "/notes/none").status).is(404)
        expect(ask("GET", "/elsewhere").status).is(404)
        expect(ask("PATCH", "/notes/mine").status).is(405)
        expect(ask("POST", "/notes", "{").status).is(400)
        expect(ask("GET", "/notes/mine", nil, "stolen").status).is(401)
      end)
      it("is troubled", function()
        world:fault { match = "GET /v1/notes/*", answer = 503, times = 2 }
        expect(ask("GET", "/notes/mine").status).is(503)
        expect(ask("GET", "/notes/mine").status).is(503)
        expect(ask("GET", "/notes/mine").status).is(200)
      end)
    ]]))
    local asked = [[it("is troubled", function() expect(ask("GET", "/notes/mine").status).is(418) end)]]
    expect_passed(1, (run(asked, "--fault", "GET /v1/notes/mine answer=418")))
  end, { limit = 200 })

  it("fail when a run leaves something behind, and say what pgorch said last", function()
    local said, code = run [[
      it("leaves", function() world:run("noter.lua", { how = "left" }) end)
      it("is wrong", function() expect(world:run("noter.lua", { how = "lost" }).exit).is(0) end)
      it("leaves an object", function()
        world:run("noter.lua", { ["until"] = "note" })
        world.s3:create_bucket "somebodys"
        local bucket = require("pgorch.s3").client { endpoint = world.s3.url, region = "us-east-1",
          access_key = world.s3.access_key, secret_key = world.s3.secret_key }:bucket "somebodys"
        bucket:put("k", "bytes")
        world:resume()
      end)
      it("leaves a child", function() kept = require("pgorch.process").spawn { "sleep", "60", stdout = "null" } end)
      it("is innocent", function() kept:close() end)
    ]]
    expect(code).is(1)
    expect(said).has "not ok 1 - notes leaves\n#   the test leaves something behind in its world\n"
    expect(said).has 'run t1 (done) left world.notes.list: [{"of-t1":"hello"}], was [{}]\n'
    expect(said).has "not ok 2 - notes is wrong\n#   notes_test.lua:9: expected 0, got 1\n"
    expect(said).has "#   $ pgorch run ./noter.lua --run-id=t1 --how=lost --yes-cut-over\n"
    expect(said).has "at: ./noter.lua:25\n"
    expect(said).has "run t1 (done) left the object somebodys/k\n"
    expect(said).has "not ok 4 - notes leaves a child\n#   this is left open: 1 pipe handle, 1 process handle\n"
    expect(said).has "\nok 5 - notes is innocent\n"
  end, { limit = 200 })

  it("see what is left with a provider that is built in", function()
    local said, code = run [[describe("built in", function()
      local world = sandbox { app = { name = "shop", dynos = { web = 1 }, database_url = function(world)
        return world.linode:database_url(world.linode.state.databases[1])
      end } }
      it("linode", function()
        local r = world:run("linode", { instance = "demo", plan = "essential-1" })
        expect(r.exit).is(0)
        expect(r.verified.tables).above(5)
        expect(world.app.shop.database_url ~= world.source.url).is(true)
        expect(#world.app.shop.addons).is(1)
      end)
      it("is disturbed", function()
        world:run("linode", { instance = "demo", ["until"] = "size" })
        table.insert(world.linode.state.databases[1].object.allow_list, "203.0.113.9/32")
        table.insert(world.linode.state.keys, { label = "of-somebody" })
        world.heroku:app "shop".maintenance = true
        world:rollback()
      end)
    end)]]
    expect(code).is(1)
    expect(said).has "ok 1 - built in linode\n"
    expect(said).has "not ok 2 - built in is disturbed\n"
    expect(said).has "run t1 (put_back) left maintenance of shop: true, was false\n"
    expect(said).matches "left the allow list of demo at linode: [^\n]*203.0.113.9/32[^\n]*, was "
    expect(said).has "left the storage keys at linode: of-somebody, was \n"
  end, { limit = 200 })

  it("kill a run after every write to its record, and see what it does twice", function()
    local said, code = run [[
      it("is good", function()
        local r = world:kill_everywhere("noter.lua")
        expect(r.deaths).above(5)
      end)
      it("leaves another one", function() world:kill_everywhere("noter.lua", { how = "twice" }) end)
      it("is killed here and there", function()
        local r = world:kill_everywhere("noter.lua", {}, { limit = 3, seed = 2 })
        expect(r.deaths).below(r.writes // 2)
      end)
      it("is expected to end otherwise", function() world:kill_everywhere("noter.lua", { how = "lost" }) end)
      it("does so", function() world:kill_everywhere("noter.lua", { how = "lost" }, { exit = 1 }) end)
      it("has what it needs in each world", function()
        world:fault { match = "PUT /v1/notes/*", answer = 418, times = "always" }
        local seen = {}
        world:kill_everywhere("noter.lua", { text = "x" }, { exit = 1, prepare = function(here)
          expect(here.notes.list).same {}
          here.notes.list.before = "kept"
          seen[#seen + 1] = here.notes.url
        end })
        expect(#seen).above(1)
        expect(seen[1] ~= seen[2]).is(true)
      end)
    ]]
    expect(code).is(1)
    expect(said).has "\nok 1 - notes is good\nnot ok 2 - notes leaves another one\n"
    expect(said).has "world.notes.list.n1: hello; undisturbed it is not there\n"
    expect(said).has "ok 3 - notes is killed here and there\n"
    expect(said).has "not ok 4 - notes is expected to end otherwise\n"
    expect(said).has "#   notes_test.lua:17: undisturbed it ends with status 1, not 0\n"
    expect(said).has "killed after: "
    expect(said).has "\nok 5 - notes does so\n"
    expect(said).has "\nok 6 - notes has what it needs in each world\n"
    said = run([[it("dies", function() world:kill_everywhere("noter.lua", {}, { limit = 1 }) end)]], "--kills", "all")
    expect(said).matches "^# killed 1%d times; undisturbed there are 1%d writes to the record\nok 1 "
  end, { limit = 400 })

  it("are told what is wrong with them", function()
    local said = run [[
      it("has no such file", function() end)
      world:fault { at = "heroku.restore" }
    ]]
    expect(said).has "the world of `sandbox` is there inside of `it`, `before` and `after`"
    said = run [[
      describe("x", function()
        sandbox { standin = "standin/none.lua" }
        it("has no such file", function() end)
      end)
    ]]
    expect(said).has "there is no stand-in ./standin/none.lua"
  end, { limit = 200 })
end)
