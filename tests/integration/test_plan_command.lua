-- `pgorch plan` and `pgorch apply` as a user runs them, in a world: that a plan touches nothing, that what it shows is
-- what is done, and that whatever has drifted in between stops it.

local fs        = require "pgorch.fs"
local instances = require "pgorch.sandbox.vultr.instances"
local json      = require "pgorch.json"
local loader    = require "pgorch.recipe.load"
local moves     = require "support.moves"
local plans     = require "pgorch.sandbox.heroku.plans"
local source    = require "pgorch.source"
local vultr_run = require "support.vultr_run"

local OWN = { vultr = { "--instance", "demo" }, linode = { "--instance", "demo" },
              digitalocean = { "--instance", "demo", "--bucket", "dumps-of-ours" },
              postgres = { "--bucket", "dumps-of-ours" } }

local function changes(world)
  local list = {}
  for line in fs.read(world.dir .. "/requests.jsonl", 1 << 26):gmatch "[^\n]+" do
    local each = json.decode(line)
    if each.method ~= "GET" and each.method ~= "HEAD" then list[#list + 1] = each.method .. " " .. each.path end
  end
  return list
end

local function digest(world)
  return vultr_run.value(world.source.direct_url, (source.sql "catalog_digest"))
end

describe("pgorch plan", function()
  it("shows each recipe's changes, and touches nothing", vultr_run.with_world({}, function(world)
    local app, before, catalog = world.heroku:app(vultr_run.APP), world.source.url, digest(world)
    local said = {}
    for _, name in ipairs(loader.built_in()) do
      local own_url = name == "linode" or name == "digitalocean"
      app.config.DATABASE_URL = own_url and world[name]:database_url(world[name].state.databases[1]) or before
      local done = vultr_run.pgorch(world, { "plan", name, "--app", vultr_run.APP, table.unpack(OWN[name]) })
      vultr_run.expect_exit(done, 10)
      expect(done.stderr).is ""
      said[name] = done.stdout
    end
    app.config.DATABASE_URL = before
    for _, text in ipairs {
      "\n  window (about 2 min)    ~ maintenance on, web 2 -> 0, worker 1 -> 0   ~ source read-only, sessions",
      " + add-on heroku-postgresql:essential-0 as `pgorch-demo-app-RUN` ($5/month)",
      " + 4 extensions: hstore, pg_trgm, tablefunc, uuid-ossp\n", " app demo-app is there\n",
      " ! restore into pgorch-demo-app-RUN (empty, ours)\n",
      "\n  point of no return      ~ DATABASE_URL -> pgorch-demo-app-RUN (its value goes to OLD_DATABASE_URL; two",
      "\n  after                   ~ maintenance off, web 2, worker 1   source stays read-only   - object pgorch/RUN",
      "\n13 changes, $5/month. Basis: 13 MB, upload not measured (20 MB/s assumed), rehearsal none",
    } do
      expect(said.vultr).has(text)
    end
    expect(said.vultr).matches "%+ object pgorch/RUN/1%.dump in postgres%-for%-migration%-%w+ %(~%d[%d.]* [kM]B%)\n"
    expect(said.vultr).has("warnings of the checks, told by: pgorch check vultr --app " .. vultr_run.APP .. " ")
    expect(said.linode).has "+ storage key pgorch-RUN"
    expect(said.linode).has "- storage key pgorch-RUN"
    expect(changes(world)).same {}
    expect(digest(world)).is(catalog)
    expect(#fs.list(vultr_run.record(world))).is(0)
    expect(#fs.list(world.env.HOME)).is(0)
    vultr_run.expect_app_as_before(world)

    local refused = vultr_run.pgorch(world, { "plan", "vultr", "--app", vultr_run.APP, "--instance", "demo", "--plan",
      "essential-99", "--out", world.dir .. "/x.plan" })
    vultr_run.expect_exit(refused, 4)
    expect(refused.stdout).has "FAIL  PGO-HEROKU-PLAN"
    expect(fs.exists(world.dir .. "/x.plan")).is(false)

    -- What another run has measured is better than any guess; asked again, a plan says the same.
    vultr_run.expect_exit(vultr_run.run(world, {}), 0)
    local again = { "plan", "vultr", "--instance", "demo", "--app", "another-app" }
    local done = vultr_run.pgorch(world, again)
    expect(done.stdout).matches "Basis: 13 MB, dump and upload [%d.]+ [kM]?B/s as in run (%w+), times of run %1 %("
    expect(done.stdout).has "+ app another-app"
    expect(done.stdout).has "(source is read-only already)"
    expect(done.stdout).has " bucket postgres-for-migration-"
    expect(done.stdout).lacks "+ bucket"
  end), { limit = 200 })
end)

-- Cases side by side -------------------------------------------------------------------------------------------------

local function ask(world, method, path, body)
  local status, answer = require("support.heroku_api").ask(world, method, path, body)
  if status > 299 then error(("%s %s: %d %s"):format(method, path, status, tostring(answer.message)), 0) end
  return answer
end

local function add_database(move, name, attachment, slug)
  local path = "/apps/" .. move.app_name .. "/addons"
  ask(move.world, "POST", path, { plan = { name = "heroku-postgresql:" .. slug }, name = name,
                                  attachment = { name = attachment } })
  for _ = 1, 10 do ask(move.world, "GET", path .. "/" .. name) end
end

local function let_in(move, list)
  instances.trust(move.lane.entry, list)
  move.lane.entry.server:settle()
end

local function path_of(move) return move.world.dir .. "/" .. move.id .. ".plan" end

local function plan(move, slug, more)
  local words = { "plan", "vultr", "--instance", move.lane.entry.object.label, "--app", move.app_name, "--plan", slug,
    "--bucket", move.bucket, "--run-id", move.id, "--out", path_of(move), "--force" }
  return move:pgorch(table.move(more or {}, 1, #(more or {}), #words + 1, words), { plain = true })
end

local function apply(move, o)
  return move:pgorch({ "apply", path_of(move), "--yes-cut-over" }, o or { plain = true })
end

local function dynos(move, kind)
  for _, each in ipairs(move:app().formation) do
    if each.type == kind then return each end
  end
end

local function writes(move)
  local count = 0
  for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do count = count + #move:requests(method, "") end
  return count
end

local cases = {}
local function case(name, fn) cases[#cases + 1] = { name = name, fn = fn } end

case("a closed allow list is opened for the look, and for the run as was planned", function(move)
  local refused = plan(move, "essential-1")
  moves.expect_exit(refused, 4)
  expect(refused.out).has "cure: add 127.0.0.1/32 to it, or pass --open-allow-list"
  local done = plan(move, "essential-1", { "--open-allow-list" })
  moves.expect_exit(done, 10)
  expect(done.out).has "~ allow list + 127.0.0.1/32"
  expect(done.out).has "~ allow list - 127.0.0.1/32"
  move:expect_as_before()
  local name = done.out:match "as `([%w-]+)`"
  expect(name).is(("pgorch-%s-%s"):format(move.app_name, move.id))
  moves.expect_exit(apply(move), 0)
  expect(move:addons()[1].name).is(name)
  move:expect_moved()
end)

-- What can be different, how, and what is said of it. Each is put back before the next.
local DRIFTS = {
  { "dynos", { "planned: ~ maintenance on, web 2 -> 0, worker 1 -> 0", "now:     ~ maintenance on, web 3 -> 0" },
    function(move) dynos(move, "web").quantity = 3 end, function(move) dynos(move, "web").quantity = 2 end },
  { "another process type", { "web 2 -> 0, clock 1 -> 0, worker 1 -> 0" }, function(move)
      local list = move:app().formation
      list[3] = { id = "c", type = "clock", quantity = 1, size = "Standard-1X", command = "clock" }
    end, function(move) move:app().formation[3] = nil end },
  { "an add-on of ours", { "now:     add-on pgorch-found-1 is there, left by an earlier run" }, function(move)
      add_database(move, "pgorch-found-1", "PGORCH_TARGET", "essential-2")
    end, function(move) ask(move.world, "DELETE", ("/apps/%s/addons/pgorch-found-1"):format(move.app_name)) end },
  { "the price", { "($20/month)", "($35/month)" },
    function() plans.find("heroku-postgresql:essential-2").cents = 3500 end,
    function() plans.find("heroku-postgresql:essential-2").cents = 2000 end },
  { "the instance", { "source\n", "now:     lane" }, function(move)
      move.was, move.lane.entry.object.id = move.lane.entry.object.id, "11111111-2222-4333-8444-555555555555"
    end, function(move) move.lane.entry.object.id = move.was end },
  { "the app's address", { "FAIL  PGO-CONFIG-VAR" }, function(move)
      move:app().config.DATABASE_URL = "postgres://u:hush@db.example.com/shop"
    end, function(move) move:app().config.DATABASE_URL = move.lane.url end },
  { "who gives the address", { "planned: ~ DATABASE_URL -> ", "now:     ~ DATABASE -> " },
    function(move) move:app().config.DATABASE_URL = nil end,
    function(move) move:app().config.DATABASE_URL = move.lane.url end },
  { "the allow list", { "planned: the allow list lets us in", "now:     the allow list is open to all" },
    function(move) let_in(move, {}) end, function(move) let_in(move, { "127.0.0.1/32" }) end },
  { "a list without us", { "FAIL  PGO-ALLOW-LIST" }, function(move) let_in(move, { "198.51.100.7/32" }) end,
    function(move) let_in(move, { "127.0.0.1/32" }) end },
  { "maintenance", { "now:     ~ maintenance is on, web 2 -> 0", "now:     ~ maintenance stays on, web 2" },
    function(move) move:app().maintenance = true end, function(move) move:app().maintenance = false end },
  { "the major", { "planned: lane", "PostgreSQL 12 (", "PostgreSQL 15 (" }, function(move)
      local whole = json.decode(fs.read(path_of(move)))
      move.kept, whole.pgorch_plan.source.major = fs.read(path_of(move)), 12
      fs.write(path_of(move), json.encode(whole))
    end, function(move) fs.write(path_of(move), move.kept) end },
}

case("whatever has drifted stops an apply before anything is touched", function(move)
  let_in(move, { "127.0.0.1/32" })
  moves.expect_exit(plan(move, "essential-2"), 10)
  for _, drift in ipairs(DRIFTS) do
    drift[3](move)
    local before = writes(move)
    local done = apply(move)
    if done.code ~= 4 then error(("%s: exit status %d\n%s"):format(drift[1], done.code, done.all), 0) end
    if not done.out:find "FAIL" then expect(done.all).has "PGO-DRIFT" end
    for _, text in ipairs(drift[2]) do expect(done.all).has(text) end
    expect(writes(move)).is(before)
    drift[4](move)
  end
end)

case("what drifts while it runs is put back", function(move)
  moves.expect_exit(plan(move, "essential-1", { "--open-allow-list" }), 10)
  local done = apply(move, { on_line = function(line)
    if moves.begun(line) == "addon" then dynos(move, "worker").quantity = 4 end
  end })
  moves.expect_exit(done, 4)
  expect(done.all).has "worker 4 -> 0"
  expect(done.last.state).is "put_back"
  dynos(move, "worker").quantity = 1
  move:expect_as_before()
end)

case("a database of one's own that was filled since is not overwritten", function(move)
  let_in(move, { "127.0.0.1/32" })
  add_database(move, "own-" .. move.id, "REPORTS", "essential-1")
  local url = move:addons()[1].database.url
  local more = { "--database", "REPORTS", "--confirm", move.app_name }
  local done = plan(move, "essential-1", more)
  moves.expect_exit(done, 10)
  expect(done.out).has(("! restore into REPORTS of %s (empty)"):format(move.app_name))
  vultr_run.value(url, "create table kept as select 1 as n")
  local refused = apply(move)
  moves.expect_exit(refused, 4)
  expect(refused.all).has "now:     ! restore into REPORTS of"
  expect(refused.all).has "(1 table in it lost)"
  expect(vultr_run.value(url, "select n from kept")).is(1)
  vultr_run.value(url, "drop table kept")
  moves.expect_exit(apply(move), 0)
end)

describe("pgorch apply", function()
  it("does what was planned, or nothing: " .. #cases .. " cases", function()
    moves.world({ lanes = 2 }, function(_, lanes)
      moves.each(lanes, cases, function(each, lane) each.fn(moves.new(lane)) end)
    end)
  end, { limit = 300 })
end)
