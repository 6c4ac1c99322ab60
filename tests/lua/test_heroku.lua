-- The Heroku client against a server that answers what a test tells it to: requests as the API wants them, errors with
-- their id, nothing created twice, and a transfer followed through trouble.

local clock     = require "pgorch.clock"
local heroku    = require "pgorch.heroku"
local http      = require "pgorch.http"
local json      = require "pgorch.json"
local secret    = require "pgorch.secret"
local plans     = require "pgorch.heroku.plans"
local poll      = require "pgorch.poll"
local task      = require "pgorch.task"
local transfers = require "pgorch.heroku.transfers"

-- Answers by "METHOD /path": a table {status, value} or a function(request, body) -> status, value.
local function with_api(answers, fn)
  local seen = {}
  local server <close> = http.serve({}, function(request)
    local text = request.body and request.body:read_all() or ""
    local body = text ~= "" and json.decode(text) or nil
    seen[#seen + 1] = { method = request.method, path = request.path, query = request.query, body = body,
                        headers = request.headers }
    local answer = answers[request.method .. " " .. request.path]
    local status, value, headers = 404, { id = "not_found", message = "Couldn't find that." }, {}
    if type(answer) == "function" then
      status, value, headers = answer(body, request)
    elseif answer then
      status, value = answer[1], answer[2]
    end
    headers = headers or {}
    headers["Content-Type"] = "application/json"
    return { status = status, headers = headers, body = type(value) == "string" and value or json.encode(value) }
  end)
  local client = heroku.client { token = secret.new "token-of-a-test" }
  client.hosts = { platform = server.url:gsub("/$", ""), data = server.url:gsub("/$", ""), loopback = true }
  return fn(client, seen)
end

-- Until it is closed, nothing is waited for between two looks.
local function without_waits()
  local seconds = poll.seconds
  poll.seconds = function() return 0 end
  return setmetatable({}, { __close = function() poll.seconds = seconds end })
end

local function hosts(variables)
  return heroku.hosts(function(name) return variables[name] end)
end

describe("heroku.hosts", function()
  it("are the real ones when nothing is set", function()
    expect(hosts {}.platform).is "https://api.heroku.com"
    expect(hosts {}.data).is "https://api.data.heroku.com"
  end)

  it("take scheme and port of the data host from HEROKU_HOST, as the CLI does", function()
    local h = hosts { HEROKU_HOST = "http://127.0.0.1:18080", HEROKU_DATA_HOST = "127.0.0.1" }
    expect(h.platform).is "http://127.0.0.1:18080"
    expect(h.data).is "http://127.0.0.1:18080"
    expect(hosts { HEROKU_HOST = "127.0.0.1:9", HEROKU_DATA_HOST = "127.0.0.2" }.data).is "http://127.0.0.2:9"
  end)

  it("refuse a token on its way out of a sandbox", function()
    expect(function() hosts { HEROKU_HOST = "http://127.0.0.1:18080" } end):raises "PGO-HEROKU"
    expect(function()
      hosts { HEROKU_HOST = "http://127.0.0.1:1", HEROKU_DATA_HOST = "api.data.heroku.com" }
    end):raises "PGO-HEROKU"
    expect(function() hosts { HEROKU_HOST = "http://example.com" } end):raises "PGO-HEROKU"
  end)
end)

describe("poll", function()
  it("knows this machine by name and number", function()
    for _, host in ipairs { "localhost", "http://localhost:80", "127.0.0.1:8080", "http://127.1.2.3/", "[::1]:9",
      "::1", "http://[::1]/" } do
      expect(poll.is_loopback(host)).is(true)
    end
    for _, host in ipairs { "api.heroku.com", "127.0.0.1.example.com", "localhost.example.com", "10.0.0.1",
      "::2", "fe80::1", "[2001:db8::1]:9" } do
      expect(poll.is_loopback(host)).is(false)
    end
  end)

  -- Looks until `total` seconds have passed, and how much later than that the end was seen at the latest, in parts.
  local function looks(seconds, total)
    local count, passed, late = 0, 0, 0
    while passed < total do
      local pause = poll.after(seconds, passed)
      count, passed = count + 1, passed + pause
      if passed > 30 then late = math.max(late, pause / passed) end
    end
    return count, late
  end

  it("follows what is waited for: soon over, soon seen; an hour takes a few hundred requests", function()
    expect(poll.after(3, 0)).is(0.5)
    expect(poll.after(3, 20)).is(1)
    expect(poll.after(3, 120)).is(3)
    expect(poll.after(3, 1000)).is(10)
    expect(poll.after(3, 100000)).is(30)
    for _, seconds in ipairs { 3, 5, 10 } do
      local count, late = looks(seconds, 3600)
      expect(count < 420).is(true)
      expect(late <= 0.05).is(true)
      expect(looks(seconds, 60) < 60).is(true)
    end
  end)
end)

describe("plans", function()
  it("chooses the smallest that holds size and tables", function()
    local gb = 1 << 30
    expect(plans.plan_for(0.4 * gb)).is "essential-0"
    expect(plans.plan_for(4 * gb)).is "essential-1"
    expect(plans.plan_for(4 * gb, { tables = 5000 })).is "standard-0"
    expect(plans.plan_for(90 * gb)).is "standard-2"
    expect(function() plans.plan_for(9000 * gb) end):raises "PGO-HEROKU-PLAN"
  end)

  it("refuses Advanced plans by any of their names", function()
    expect(function() plans.refuse_advanced "heroku-postgresql:advanced-beta-4g" end):raises "PGO-HEROKU-PLAN"
    expect(function() plans.refuse_advanced "performance-4g" end):raises "PGO-HEROKU-PLAN"
    plans.refuse_advanced "standard-0"
  end)
end)

describe("heroku.client", function()
  it("sends the token and the version, and reads all pages", function()
    with_api({ ["GET /apps/a/formation"] = function(_, request)
      if not request.headers["range"] then
        return 206, { { type = "web", quantity = 1 } }, { ["Next-Range"] = "id b.." }
      end
      return 200, { { type = "worker", quantity = "2" } }
    end }, function(client, seen)
      expect(client:app("a"):formation()).same { { type = "web", quantity = 1 }, { type = "worker", quantity = 2 } }
      expect(seen[1].headers["authorization"]).is "Bearer token-of-a-test"
      expect(seen[1].headers["accept"]).is "application/vnd.heroku+json; version=3"
      expect(seen[2].headers["range"]).is "id b.."
    end)
  end)

  it("says whose fault it is: token, app, plan", function()
    with_api({
      ["GET /account"] = { 401, { id = "unauthorized", message = "Invalid credentials provided." } },
      ["GET /apps/theirs"] = { 403, { id = "forbidden", message = "You do not have access to the app theirs." } },
      ["POST /apps"] = { 422, { id = "invalid_params", message = "Name theirs is already taken" } },
    }, function(client)
      expect(function() client:account() end):raises "PGO-HEROKU-TOKEN"
      expect(function() client:app("theirs"):info() end):raises "PGO-HEROKU-APP"
      expect(function() client:app("theirs"):create() end):raises "PGO-HEROKU-APP"
      expect(client:app("none"):info()).is_nil()
    end)
  end)

  it("lives with a 404 whose JSON is HTML", function()
    with_api({ ["GET /client/v11/apps/a/transfers/x"] = { 404, "<h1>Not Found</h1>" } }, function(client)
      local err = expect(function() transfers.get(client, "a", "x") end):raises "PGO-HEROKU"
      expect(err.status).is(404)
    end)
  end)

  it("takes no web page for an answer, whatever its status", function()
    local page = { 200, "<!DOCTYPE html><title>Sign in</title>" }
    with_api({ ["GET /apps/a/config-vars"] = page, ["PATCH /apps/a"] = page, ["GET /apps/a"] = page }, function(client)
      local app = client:app "a"
      for _, ask in ipairs { function() app:config() end, function() app:maintenance(true) end } do
        local err = expect(ask):raises "PGO-HEROKU"
        expect(err.message).has "a web page came in the place of an answer"
        expect(err.retryable).is(true)
      end
    end)
  end)

  it("keeps config values secret, and can still send them on", function()
    local sent
    with_api({
      ["GET /apps/a/config-vars"] = { 200, { DATABASE_URL = "postgres://u:p@h/d" } },
      ["PATCH /apps/a/config-vars"] = function(body) sent = body return 200, {} end,
    }, function(client)
      local app = client:app "a"
      local url = app:config().DATABASE_URL
      expect(secret.is(url)).is(true)
      app:set_config { OLD_DATABASE_URL = url, DATABASE_URL = json.null }
      expect(sent.OLD_DATABASE_URL).is "postgres://u:p@h/d"
    end)
  end)
end)

describe("an app with a release process", function()
  local function wait(releases)
    with_api({ ["GET /apps/a/formation"] = { 200, { { type = "release", quantity = 0 } } },
      ["GET /apps/a/releases"] = { 200, json.array(releases) } },
      function(client) client:app("a"):wait_for_release() end)
  end

  it("is waited for, unless it has no release", function()
    wait {}
    wait { { id = "r", version = 3, status = "succeeded", description = "Attach DATABASE" } }
    expect(function() wait { { id = "r", version = 3, status = "failed", description = "Attach DATABASE" } } end)
      :raises "PGO-CUT-OVER"
  end)
end)

describe("create_database", function()
  local function addon(state) return { id = "1", name = "pgorch-a-1", state = state or "provisioning" } end

  it("does not ask again for an add-on that is there", function()
    with_api({ ["GET /apps/a/addons/pgorch-a-1"] = { 200, addon() } }, function(client, seen)
      local found, created = client:app("a"):create_database { plan = "essential-0", name = "pgorch-a-1",
                                                                maybe_asked = true }
      expect(found.id).is "1"
      expect(created).is(false)
      expect(#seen).is(1)
    end)
  end)

  it("finds the add-on whose answer was lost", function()
    local made, asked = false, 0
    with_api({
      ["GET /apps/a/addons/pgorch-a-1"] = function()
        if made then return 200, addon() end
        return 404, { id = "not_found", resource = "add_on", message = "Couldn't find that add-on." }
      end,
      ["POST /apps/a/addons"] = function(body)
        asked, made = asked + 1, true
        expect(body.plan.name).is "heroku-postgresql:essential-0"
        expect(body.attachment.name).is "PGORCH_TARGET"
        return 503, { id = "unavailable", message = "try later" }
      end,
    }, function(client)
      local found, created = client:app("a"):create_database { plan = "essential-0", name = "pgorch-a-1",
                                                                attachment = "PGORCH_TARGET" }
      expect(found.name).is "pgorch-a-1"
      expect(created).is(true)
      expect(asked).is(1)
    end)
  end)
end)

describe("transfers", function()
  local function raw(change)
    local t = { uuid = "u", num = 3, from_type = "htcat", to_type = "pg_restore", warnings = 0, processed_bytes = 0,
                from_url = "https://s3.example/bucket/pgorch/r/1.dump?X-Amz-Signature=abc" }
    for name, value in pairs(change or {}) do t[name] = value end
    return t
  end

  it("reads the state in the right order", function()
    local at = "2026-11-20 18:01:02 +0000"
    expect(transfers.state(raw())).is "pending"
    expect(transfers.state(raw { started_at = at })).is "running"
    expect(transfers.state(raw { started_at = at, finished_at = at, succeeded = true })).is "succeeded"
    expect(transfers.state(raw { finished_at = at, succeeded = true, warnings = 2 })).is "warned"
    expect(transfers.state(raw { finished_at = at, succeeded = false })).is "failed"
    expect(transfers.state(raw { finished_at = at, canceled_at = at, succeeded = false })).is "canceled"
  end)

  it("takes its times in either form, and none where there is none yet", function()
    local function duration(started, finished)
      return transfers.duration(transfers.read(raw { started_at = started, finished_at = finished }))
    end
    expect(duration("2026-11-20 18:00:59 +0000", "2026-11-20 18:01:02 +0000")).is(3)
    expect(duration("2026-11-20T18:00:59Z", "2026-11-20T18:01:02.000+00:00")).is(3)
    expect(duration("2026-11-20 18:00:59 +0000", nil)).is_nil()
  end)

  it("drops host and signature from what it read, and finds the newest by path", function()
    expect(transfers.read(raw()).from_path).is "/bucket/pgorch/r/1.dump"
    with_api({ ["GET /client/v11/apps/a/transfers"] = { 200, { raw { num = 4, uuid = "v" }, raw(),
      raw { num = 9, from_url = "https://s3.example/bucket/pgorch/other/1.dump" },
      raw { num = 8, to_type = "gof3r" } } } }, function(client)
      expect(transfers.find_surely(client, "a", transfers.of_object "pgorch/r/1.dump").uuid).is "v"
    end)
  end)

  -- What is slept while a transfer that has ended with these lines is followed, and the looks that it takes.
  local function ended_with(lines)
    local slept, sleep, count, at = 0, task.sleep, 0, clock.iso()
    local _ <close> = setmetatable({}, { __close = function() task.sleep = sleep end })
    task.sleep = function(seconds) slept = slept + seconds end
    with_api({ ["GET /client/v11/apps/a/transfers/u"] = function()
      count = count + 1
      return 200, raw { started_at = at, finished_at = at, succeeded = true, logs = lines }
    end }, function(client) transfers.follow(client, { app = "a", uuid = "u" }) end)
    return slept, count
  end

  it("waits for the end of a log that may not be whole, and for no other", function()
    local function line(text) return { level = "info", message = text } end
    local done = line "restore done"
    local ignored = line "pg_restore: warning: errors ignored on restore: 2"
    local quoted = line 'pg_restore: creating TABLE "public.restore done"'
    for _, case in ipairs { { { done }, 0, 2 }, { { line "pg_restore: creating TABLE", ignored }, 0, 2 },
                            { { quoted }, 2, 3 }, { nil, 2, 3 } } do
      local slept, count = ended_with(case[1])
      expect({ slept, count }).same { case[2], case[3] }
    end
  end)

  it("follows to the end through polls that fail, then reads the log", function()
    local looks, at = 0, clock.iso()
    with_api({ ["GET /client/v11/apps/a/transfers/u"] = function(_, request)
      if (request.query or ""):find "verbose" then
        return 200, raw { started_at = at, finished_at = at, succeeded = true, processed_bytes = 10,
                          logs = { { level = "info", message = "pg_restore: creating TABLE" } } }
      end
      looks = looks + 1
      if looks == 2 then return 404, "<h1>Not Found</h1>" end
      if looks == 3 then return 200, raw { started_at = at, processed_bytes = 5 } end
      return 200, raw(looks > 3 and { started_at = at, finished_at = at, succeeded = true } or {})
    end }, function(client)
      local states = {}
      local done = transfers.follow(client, { app = "a", uuid = "u", progress = function(t)
        states[#states + 1] = t.state .. " " .. t.processed
      end })
      expect(done.state).is "succeeded"
      expect(#done.logs).is(1)
      expect(states).same { "pending 0", "running 5", "succeeded 10" }
    end)
  end)
end)

describe("a database", function()
  local function with_info(info, fn)
    with_api({ ["GET /client/v11/databases/d"] = { 200, info } }, function(client)
      fn(client:app("a"):database { id = "d", name = "db" })
    end)
  end

  it("on an Essential plan tells its limits beside what is used", function()
    with_info({ plan = "essential-1", num_bytes = 26856795, info = {
      { name = "Connections", values = { "1/20" } }, { name = "Tables", values = { "83/4000 (In compliance)" } },
      { name = "Data Size", values = { "25.6 MB / 10 GB (0.25%) (In compliance)" } } } }, function(database)
      expect(database:info().plan).is "essential-1"
      expect(database:limits()).same { bytes = 10 << 30, connections = 20, tables = 4000 }
    end)
  end)

  it("on a dedicated plan tells numbers, an object for the plan, and its capacity only there", function()
    with_info({ plan = { id = 170, name = "standard-0", attrs_unparsed = { capacity_bytes = "68719476736" } }, info = {
      { name = "Connections", values = { "12/120" } }, { name = "Tables", values = { 48 } },
      { name = "Followers", values = json.array {}, resolve_db_name = true },
      { name = "Data Size", values = { "5.72 GB" } } } }, function(database)
      expect(database:info().plan).is "standard-0"
      expect(database:info().rows.tables).is "48"
      expect(database:limits()).same { bytes = 68719476736, connections = 120 }
    end)
  end)

  it("that never comes is not waited for for ever", function()
    local waiting = { 200, { ["waiting?"] = true, message = "preparing" } }
    with_api({ ["GET /client/v11/databases/d/wait_status"] = waiting,
      ["GET /apps/a/addons/db"] = { 200, { name = "db", state = "provisioning" } } }, function(client)
      local database = client:app("a"):database { id = "d", name = "db" }
      local err = expect(function() database:wait { limit = 0 } end).raises "PGO-HEROKU-ADDON"
      expect(err.retryable).is(true)
      expect(err.message).has "preparing"
      expect(function() database:wait_for_addon { limit = 0 } end).raises "PGO-HEROKU-ADDON"
    end)
  end)
end)

describe("a cancelled transfer", function()
  it("is followed until it has finished: it writes until then", function()
    local looks, at = 0, clock.iso()
    with_api({ ["GET /client/v11/apps/a/transfers/u"] = function()
      looks = looks + 1
      return 200, { uuid = "u", num = 1, started_at = at, canceled_at = at, finished_at = looks > 1 and at or nil }
    end }, function(client)
      expect(transfers.follow(client, { app = "a", uuid = "u" }).state).is "canceled"
      expect(looks).is(4)              -- the last two are for the log
    end)
  end)

  -- Followed until it says `finished_at` at that look, without waits. Returns it and how often it was looked at.
  local function follow(fields, finished)
    local looks, at = 0, clock.iso()
    local _ <close> = without_waits()
    return with_api({ ["GET /client/v11/apps/a/transfers/u"] = function()
      looks = looks + 1
      return 200, { uuid = "u", num = 1, canceled_at = at, started_at = fields.started_at,
                    finished_at = looks >= finished and at or nil }
    end }, function(client) return transfers.follow(client, { app = "a", uuid = "u" }), looks end)
  end

  it("is given up after a minute's looks only if it never started", function()
    local done, looks = follow({ started_at = clock.iso() }, 60)
    expect(done.finished_at).is_true()
    expect(looks).is(62)
    done, looks = follow({}, math.huge)
    expect(done.finished_at).is_nil()
    expect(looks).is(23)
  end)

  it("has not ended as long as it may write", function()
    local function unfinished(fields)
      fields.uuid, fields.num = "u", 1
      return with_api({ ["GET /client/v11/apps/a/transfers"] = { 200, { fields } } }, function(client)
        return transfers.unfinished(client, "a") ~= nil
      end)
    end
    local now, earlier = clock.iso(), clock.iso(clock.time() - 120)
    expect(unfinished { started_at = earlier, canceled_at = earlier }).is(true)
    expect(unfinished { started_at = earlier, canceled_at = earlier, finished_at = now }).is(false)
    expect(unfinished { canceled_at = now }).is(true)
    expect(unfinished { canceled_at = earlier }).is(false)
    expect(unfinished {}).is(true)
  end)
end)

describe("a warning of Heroku's", function()
  it("is passed on once", function()
    with_api({ ["GET /account"] = function() return 200, {}, { ["X-Heroku-Warning"] = "this API ends soon" } end },
      function(client)
        client:account()
        client:account()
        expect(client.warned["this API ends soon"]).is(true)
      end)
  end)
end)
