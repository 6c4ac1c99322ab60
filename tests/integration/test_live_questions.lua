-- tests/live in a sandbox: the same script that an owner of a real account runs. It must ask every question, write down
-- nothing private, and leave nothing behind, however it ends. Recorded answers of a real account are then compared
-- with those of the stand-in.

local compare     = require "live.compare"
local differences = require "live.differences"
local fs          = require "pgorch.fs"
local host        = require "pgorch.native.host"
local json        = require "pgorch.json"
local leaks       = require "support.leaks"
local process     = require "pgorch.process"
local s3          = require "pgorch.s3"
local sandbox     = require "pgorch.sandbox"
local secret      = require "pgorch.secret"

local BUCKET, RECORDED = "live-answers", "tests/live/answers"

local function bucket_of(world)
  return s3.client { endpoint = world.s3.url, region = "us-east-1", access_key = world.s3.access_key,
    secret_key = secret.new(world.s3.secret_key) }:bucket(BUCKET)
end

-- A world with a bucket, in which the owner of an account would type.
local function in_world(fn)
  return function()
    sandbox.run({ source = { sql = "select 1;" } }, function(world)
      bucket_of(world):create()
      fs.mkdir(world.dir .. "/answers")
      fn(world)
    end)
  end
end

local function script(world, more, ...)
  local variables = sandbox.environment(world)
  variables.PGORCH, variables.PGORCH_POLL_SCALE = host.executable(), "0.02"
  variables.PGORCH_LIVE, variables.PGORCH_LIVE_BUCKET = "yes-i-pay", BUCKET
  variables.PGORCH_LIVE_ANSWERS = world.dir .. "/answers"
  for name, value in pairs(more) do variables[name] = value or nil end
  return { env = variables, env_clear = true, check = false, timeout = 200, "tests/live/run", ... }
end

local function run(world, more, ...)
  local done = process.run(script(world, more, ...))
  done.all = done.stdout .. done.stderr
  return done
end

local function app_of(done)
  return done.all:match "the app (pgorch%-live%-%x+)"
end

local function live_apps(world)
  local names = {}
  for _, app in ipairs(world.heroku.state.apps) do
    if app.name:find("^pgorch%-live%-") then names[#names + 1] = app.name end
  end
  return names
end

local function expect_nothing_left(world)
  expect(live_apps(world)).same {}
  expect(#world.heroku.state.addons).is(0)
  expect(#bucket_of(world):list "").is(0)
  expect(#bucket_of(world):uploads "").is(0)
end

-- What no file of answers may have, whoever's it is.
local function expect_no_names(text)
  for _, pattern in ipairs { "postgres://", "X%-Amz", "Bearer", "%d+%.%d+%.%d+%.%d+", "[%w._-]@[%w-]+%.",
    "%x%x%x%x%x%x%x%x%-%x%x%x%x%-" } do
    expect(text:match(pattern)).is_nil()
  end
end

-- Every id that the files of the questions name: the list as a reader sees it, not as the program has it.
local function ids_in_files()
  local ids = {}
  for _, name in ipairs(fs.list "tests/live/questions") do
    for id in fs.read("tests/live/questions/" .. name):gmatch '{ id = "([%w_.]+)",' do ids[#ids + 1] = id end
  end
  return ids
end

local function read_answers(world)
  local names = fs.list(world.dir .. "/answers")
  expect(#names).is(1)
  expect(names[1]).matches "^heroku%-%d%d%d%d%-%d%d%-%d%d%.json$"
  local text = fs.read(world.dir .. "/answers/" .. names[1])
  return json.decode(text), text
end

local function expect_nothing_private(world, text, app)
  local found = {}
  leaks.in_text(leaks.watch { token = world.heroku.token, ["secret key"] = world.s3.secret_key,
    ["access key"] = world.s3.access_key, account = world.heroku.state.account.email, app = app, bucket = BUCKET },
    text, "the answers", found)
  expect(found).same {}
  expect_no_names(text)
end

local function expect_all_answered(answers)
  local missing, ids = {}, ids_in_files()
  expect(#ids).above(60)
  table.insert(ids, "restore.archive_1_16")          -- one of those that are made by a function
  for _, id in ipairs(ids) do
    if not answers.asked[id] and id ~= "platform.older_hosts" then missing[#missing + 1] = id end
  end
  for id, entry in pairs(answers.asked) do
    local answer = entry.answer
    if type(answer) == "table" and answer.raised then missing[#missing + 1] = id .. ": " .. json.encode(answer) end
  end
  expect(missing).same {}
end

local stand_in                     -- its answers, for the comparison with those that were recorded

describe("tests/live/run", function()
  it("does nothing without the owner's word, and says what it would cost", in_world(function(world)
    local done = run(world, { PGORCH_LIVE = "1" })
    expect(done.code).is(2)
    expect(done.all).has "essential-0 database costs"
    expect(done.all).has "PGORCH_LIVE=yes-i-pay"
    expect(fs.read(world.dir .. "/requests.jsonl")).lacks '"standin":"heroku"'
    expect_nothing_left(world)
  end))

  it("moves the sample, has an answer to every question, writes nothing private, leaves nothing", in_world(
    function(world)
      local done = run(world, {})
      if done.code ~= 0 then error(done.all:sub(-6000), 0) end
      expect(done.all).has "25 tables"
      expect(done.all).has "EQUAL"
      expect_nothing_left(world)
      local answers, text = read_answers(world)
      expect_nothing_private(world, text, app_of(done))
      expect_all_answered(answers)
      expect(answers.asked["move.restore"].answer.ended).is "good"
      expect(answers.asked["move.verify"].answer.ended).is "good"
      expect(answers.whom).is "a stand-in"
      expect(answers.pgorch).is(host.version)
      stand_in = answers
    end), { limit = 240 })

  it("asks all the same when the sample does not arrive, has that as an answer, and removes all", in_world(
    function(world)
      world:fault { at = "worker.restore", answer = 500, message = "pg_restore: error: COPY failed for table" }
      local done = run(world, {})
      expect(done.code).is(0)
      expect(done.all).has "PGO-RESTORE-FAILED"
      local answers = read_answers(world)
      expect(answers.asked["move.restore"].answer.ended).is "PGO-RESTORE-FAILED"
      expect(answers.asked["move.restore"].answer.said).has "COPY failed"
      expect(answers.asked["move.verify"].answer.ended).is "PGO-VERIFY"
      expect(answers.asked["transfer.new"].answer.status).is(201)
      expect_nothing_left(world)
    end), { limit = 200 })

  it("removes all after Ctrl-C", in_world(function(world)
    local options = script(world, {})
    options.stderr = "stream"
    local child <close> = process.spawn(options)
    local said, sent = "", false
    for chunk in function() return child.stderr:read() end do
      said = said .. chunk
      if not sent and said:find "dump of %d" then          -- it lies in the bucket now
        child:kill "INT"
        sent = true
      end
    end
    expect(child:wait().code).is(130)
    expect(said).has "removed: 1 objects"
    expect(said).has "removed: app pgorch-live-"
    expect_nothing_left(world)
  end), { limit = 200 })

  it("fails with the move, names what it could not remove, and removes it when asked again", in_world(function(world)
    world:fault { at = "heroku.app.delete", answer = 403, times = "always" }
    world:fault { at = "heroku.wait_status", answer = 403, times = "always" }
    local done = run(world, {})
    expect(done.code).is(1)
    local app = app_of(done)
    expect(done.all).has("STILL THERE: the app " .. app)
    expect(done.all).has(("heroku apps:destroy %s --confirm %s"):format(app, app))
    expect(live_apps(world)).same { app }
    fs.remove(world.dir .. "/faults/heroku.app.delete")
    expect(run(world, {}, "--remove", app).code).is(0)
    expect_nothing_left(world)
    expect(run(world, {}, "--remove", "demo-app").code).is(2)
    expect(world.heroku:app "demo-app" ~= nil).is(true)
  end), { limit = 240 })
end)

describe("the comparison with a recording", function()
  local function answers(transfer, more)
    local asked = { ["transfer.done"] = { answer = transfer }, ["transfer.life"] = { timed = true, answer = "slow" } }
    for id, entry in pairs(more or {}) do asked[id] = entry end
    return { asked = asked }
  end
  local ours = answers { status = 200, shape = { num = "integer", uuid = "uuid" }, said = "ours" }

  it("finds nothing where both answer alike, whatever the words and the moment", function()
    local recorded = answers({ status = 200, shape = { num = "integer", uuid = "uuid" }, said = "theirs" },
      { ["platform.older_hosts"] = { real_only = true, answer = { status = 404 } } })
    recorded.asked["transfer.life"].answer = "fast"
    expect(compare.differences(recorded, ours)).same {}
  end)

  it("finds another value, a key more, a key less, and a question that is not asked", function()
    local recorded = answers({ status = 404, shape = { num = "integer", logs = "null" } }, { ["a.b"] = { answer = 1 } })
    local unknown, met = compare.judge(compare.differences(recorded, ours), {
      ["transfer.done/shape"] = "the shape is known to differ" })
    expect(unknown).same { "a.b: the real one has asked, the stand-in not asked",
      "transfer.done/status: the real one has 404, the stand-in 200" }
    expect(met).same { ["transfer.done/shape"] = true }
    expect(#compare.differences(recorded, ours)).is(4)
  end)

  it("holds for every recording in tests/live/answers", function()
    local names = {}
    for _, name in ipairs(fs.exists(RECORDED) and fs.list(RECORDED) or {}) do
      if name:find "%.json$" then names[#names + 1] = name end
    end
    if #names == 0 then skip "nobody has recorded a real account's answers yet (tests/live/README.md)" end
    local problems, met = {}, {}
    for _, name in ipairs(names) do
      local text = fs.read(RECORDED .. "/" .. name)
      expect_no_names(text)
      local recorded = json.decode(text)
      expect(recorded.whom).is "api.heroku.com"
      local unknown, these = compare.judge(compare.differences(recorded, stand_in), differences)
      for _, each in ipairs(unknown) do problems[#problems + 1] = name .. ": " .. each end
      for entry in pairs(these) do met[entry] = true end
    end
    for entry in pairs(differences) do
      if not met[entry] then problems[#problems + 1] = "no recording shows this known difference: " .. entry end
    end
    expect(problems).same {}
  end)
end)
