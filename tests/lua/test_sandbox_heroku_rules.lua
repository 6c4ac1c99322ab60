-- Rules that all of the Heroku stand-in's Platform API keeps: who may ask, how often, in which version; lists a page at
-- a time; what is there already is not sent again; teams, credentials, settings and schedules in their shapes.

local api    = require "support.heroku_api"
local crypto = require "pgorch.crypto"
local http   = require "pgorch.http"
local json   = require "pgorch.json"
local pg     = require "pgorch.pg"

local ask, in_world, refusal = api.ask, api.in_world, api.refusal

-- All pages of a list, one item each.
local function pages(world, path, range)
  local names, requests = {}, 0
  repeat
    local status, page, headers = ask(world, "GET", path, nil, { Range = range })
    requests, range = requests + 1, headers["next-range"]
    expect(status).is(range and 206 or 200)
    for _, item in ipairs(page) do names[#names + 1] = item.name or item.type or item.version or item.id end
  until not range
  return names, requests
end

describe("the Heroku stand-in's rules", function()
  it("are about who asks: token, Basic, suspended, second factor", function()
    local apps = { { name = "demo-app" }, { name = "guarded", two_factor = true }, { name = "shared", shared = true },
      { name = "foreign", foreign = true } }
    in_world({ apps = apps, two_factor = { code = "123456" } }, function(world)
      local token = world.heroku.token
      expect(refusal(world, "GET", "/account", nil, { Authorization = "Bearer undefined" })).is "401 unauthorized"
      expect((ask(world, "GET", "/account", nil, { Authorization = "Basic " .. crypto.base64(":" .. token) }))).is(200)
      expect(refusal(world, "GET", "/apps/foreign")).is "403 forbidden"
      expect((ask(world, "GET", "/apps/shared"))).is(200)
      local status, body = ask(world, "GET", "/apps/guarded/config-vars")
      expect(status).is(403)
      expect(body.id .. " " .. body.app.name).is "two_factor guarded"
      expect(refusal(world, "PUT", "/apps/guarded/pre-authorizations", nil, { ["Heroku-Two-Factor-Code"] = "1" }))
        .is "403 two_factor"
      expect((ask(world, "PUT", "/apps/guarded/pre-authorizations", nil, { ["Heroku-Two-Factor-Code"] = "123456" })))
        .is(200)
      expect((ask(world, "GET", "/apps/guarded/config-vars"))).is(200)
      world.heroku.server.two_factor.account = true
      expect(refusal(world, "GET", "/apps")).is "403 two_factor"
      expect((ask(world, "GET", "/apps", nil, { ["Heroku-Two-Factor-Code"] = "123456" }))).is(200)
      world.heroku.server.suspended = true
      expect(refusal(world, "GET", "/apps")).is "403 suspended"
    end)
  end)

  it("are about how: the version that is asked for, a budget, request ids", function()
    in_world({ budget = 7, no_version = 406 }, function(world)
      world.heroku.server.rate.refill = 0                -- it is counted here, however long that takes
      expect(refusal(world, "GET", "/account", nil, { Accept = "*/*" })).is "406 not_acceptable"
      world.heroku.server.no_version = 404
      expect(refusal(world, "GET", "/account", nil, { Accept = "*/*" })).is "404 not_found"
      local _, _, headers = ask(world, "GET", "/account", nil, { ["Request-Id"] = "a-1,b-2" })
      expect(headers["request-id"]).matches "^a%-1,b%-2,%x+%-"
      expect(headers["ratelimit-remaining"]).is "6"
      expect(headers["ratelimit-multiplier"]).is "1"
      expect(select(2, ask(world, "GET", "/account/rate-limits")).remaining).is(6)
      for _ = 1, 6 do ask(world, "GET", "/account") end
      -- The budget is used up: a 429, and so is one that is asked for elsewhere; neither lacks what every answer has.
      world:fault { match = "GET /regions", answer = 429 }
      for _, path in ipairs { "/account", "/regions" } do
        local status, body, told = ask(world, "GET", path, nil, { ["Request-Id"] = "a-1" })
        expect(status .. " " .. body.id).is "429 rate_limit"
        expect(told["request-id"]).matches "^a%-1,%x+%-"
        expect(told["ratelimit-remaining"]).is "0"
      end
      world:fault { match = "GET /client/**", answer = 503 }
      local _, _, data = ask(world, "GET", "/client/v11/apps/demo-app/transfers")
      expect(data["request-id"]).matches "^%x+%-"
      expect(data["ratelimit-remaining"]).is_nil()
      expect((ask(world, "GET", "/account/rate-limits"))).is(200)
      expect((ask(world, "GET", "/client/v11/apps/demo-app/transfers"))).is(200)   -- the Data API has no such budget
      expect(select(3, ask(world, "GET", "/client/v11/apps/demo-app/transfers"))["ratelimit-remaining"]).is_nil()
    end)
  end)

  it("give every list a page at a time, in the order that is asked for", function()
    local apps = { { name = "demo-app", dynos = { web = 2, worker = 1 } }, { name = "app-b" }, { name = "app-c" } }
    in_world({ page = 1, teams = { "one", "two" }, apps = apps }, function(world)
      local names, requests = pages(world, "/apps")
      expect(table.concat(names, " ")).is "app-b app-c demo-app"
      expect(requests).is(3)
      expect(table.concat(pages(world, "/apps", "name ..; order=desc,max=2"), " ")).is "demo-app app-c app-b"
      expect(table.concat(pages(world, "/apps", "name app-c..;"), " ")).is "app-c demo-app"
      expect(table.concat(pages(world, "/apps", "name ]app-b..app-c; max=5"), " ")).is "app-c"
      expect(table.concat(pages(world, "/apps/demo-app/formation"), " ")).is "web worker"
      expect(table.concat(pages(world, "/apps/demo-app/dynos"), " ")).is "web.1 web.2 worker.1"
      expect(table.concat(pages(world, "/teams"), " ")).is "one two"
      expect(table.concat(pages(world, "/regions"), " ")).is "eu us"
      ask(world, "PATCH", "/apps/demo-app/config-vars", { A = "1" })
      ask(world, "PATCH", "/apps/demo-app/config-vars", { A = "2" })
      expect(table.concat(pages(world, "/apps/demo-app/releases", "version ..; max=2, order=desc"), " ")).is "3 2 1"
      expect(#pages(world, "/addon-services/heroku-postgresql/plans")).above(8)
      for _, name in ipairs { "one-db", "two-db" } do
        ask(world, "POST", "/apps/demo-app/addons", { plan = "heroku-postgresql:standard-0", name = name })
      end
      expect(table.concat(pages(world, "/apps/demo-app/addons"), " ")).is "one-db two-db"
      expect(#pages(world, "/addons")).is(2)
      expect(#pages(world, "/apps/demo-app/addon-attachments")).is(3)
      expect(#pages(world, "/addons/one-db/addon-attachments")).is(2)
      expect(#pages(world, "/addon-attachments")).is(3)
      for _, range in ipairs { "size ..", "name", "name ..; max=none", "version x..; max=1" } do
        expect(refusal(world, "GET", "/apps/demo-app/releases", nil, { Range = range }))
          .is "416 requested_range_not_satisfiable"
      end
    end)
  end)

  it("do not send again what the client has", function()
    in_world({}, function(world)
      local _, _, headers = ask(world, "GET", "/apps/demo-app")
      expect((ask(world, "GET", "/apps/demo-app", nil, { ["If-None-Match"] = headers.etag }))).is(304)
      ask(world, "PATCH", "/apps/demo-app", { maintenance = true })
      expect((ask(world, "GET", "/apps/demo-app", nil, { ["If-None-Match"] = headers.etag }))).is(200)
    end)
  end)

  it("keep the apps of a team apart", function()
    in_world({ teams = { "acme" } }, function(world)
      local status, app = ask(world, "POST", "/teams/apps", { name = "team-app", team = "acme" })
      expect(status).is(201)
      expect(app.team.name .. " " .. app.owner.email).is "acme acme@herokumanager.com"
      expect(select(2, ask(world, "GET", "/teams/acme/apps"))[1].name).is "team-app"
      expect(#select(2, ask(world, "GET", "/users/~/apps"))).is(1)
      expect(#select(2, ask(world, "GET", "/apps"))).is(2)
      expect(refusal(world, "POST", "/teams/apps", { name = "b-app", team = "nobody" })).is "404 not_found"
      expect(refusal(world, "POST", "/teams/apps", { name = "b-app", space = "a-space" })).is "404 not_found"
      local _, personal = ask(world, "POST", "/teams/apps", { name = "b-app" })
      expect(personal.owner.email .. tostring(personal.team)).is "you@example.testnil"
      expect((ask(world, "PATCH", "/apps/team-app/config-vars", { A = "b" }))).is(200)
    end)
  end)

  it("give a dedicated database what an essential one has not", function()
    in_world({}, function(world)
      local essential, dedicated = api.provision(world, "essential-0", "small"),
        api.provision(world, "standard-0", "large", "LARGE")
      local base = "/postgres/v0/databases/"
      local small, large = base .. "small/credentials", base .. "large/credentials"
      expect(refusal(world, "POST", small, { name = "analyst" })).is "422 unprocessable_entity"
      expect((ask(world, "POST", large, { name = "analyst" }))).is(201)
      expect(refusal(world, "POST", large, { name = "analyst" })).is "422 invalid_params"
      expect(#select(2, ask(world, "GET", large))).is(2)
      small, large = base .. "small/config", base .. "large/config"
      expect(refusal(world, "GET", small)).is "422 unprocessable_entity"
      expect(refusal(world, "PATCH", large, { log_statement = "sometimes" })).is "422 invalid_params"
      local _, settings = ask(world, "PATCH", large, { log_lock_waits = false })
      expect(settings.log_lock_waits.value).is(false)
      expect(settings.log_lock_waits.default).is(true)
      local _, info = ask(world, "GET", "/client/v11/databases/" .. dedicated.id)
      expect(info.plan.name .. " " .. info.plan.attrs_unparsed.hard_connlimit).is "standard-0 200"
      local rows = {}
      for _, row in ipairs(info.info) do rows[row.name] = row.values end
      expect(rows.Credentials[1]).is(2)                       -- numbers, not texts
      expect(rows.Tables[1]).is(0)
      expect(#rows.Followers).is(0)
      expect(rows["Data Size"][1]).lacks "/"                  -- without the limit
      _, info = ask(world, "GET", "/client/v11/databases/" .. essential.id)
      expect(info.plan).is "essential-0"
      expect(info.database_password).is_nil()
      for _, rest in ipairs { "/bastion", "/nonsense" } do
        expect((ask(world, "GET", "/client/v11/databases/small" .. rest))).is(404)
      end
      expect(refusal(world, "GET", "/data/postgres/v1/databases/large")).is "404 not_found"
      expect(refusal(world, "POST", "/client/v11/databases/small/upgrade/prepare", {})).is "422 unprocessable_entity"
    end)
  end)

  it("make a credential a role that sees what it is granted, and drop it with its database", function()
    in_world({}, function(world)
      api.provision(world, "standard-0", "large")
      ask(world, "POST", "/postgres/v0/databases/large/credentials", { name = "analyst" })
      expect(refusal(world, "POST", "/addon-attachments", { app = "demo-app", addon = "large", name = "X",
        namespace = "credential:nobody" })).is "404 not_found"
      expect((ask(world, "POST", "/addon-attachments", { app = "demo-app", addon = "large", name = "ANALYST",
        namespace = "credential:analyst" }))).is(201)
      local _, config = ask(world, "GET", "/apps/demo-app/config-vars")
      local owner <close> = pg.connect(config.TARGET_URL)
      owner:exec "CREATE TABLE seen (i int); CREATE TABLE hidden (i int); GRANT SELECT ON seen TO analyst"
      do
        local analyst <close> = pg.connect(config.ANALYST_URL)
        expect(analyst:value "SELECT count(*) FROM seen").is(0)
        expect(function() analyst:value "SELECT count(*) FROM hidden" end).raises()
      end
      expect(refusal(world, "DELETE", "/postgres/v0/databases/large/credentials/analyst"))
        .is "422 unprocessable_entity"
      owner:close()
      expect((ask(world, "DELETE", "/apps/demo-app/addons/large", { force = false }))).is(200)
      local left = world.target:admin(nil, function(conn)
        return conn:value "SELECT count(*) FROM pg_roles WHERE rolname = 'analyst'"
      end)
      expect(left).is(0)
    end)
  end)

  it("keep schedules, and sources for a while", function()
    in_world({}, function(world)
      local addon = api.provision(world, "essential-0")
      local path = ("/client/v11/databases/%s/transfer-schedules"):format(addon.id)
      local status, schedule = ask(world, "POST", path, { hour = "2", timezone = "UTC", schedule_name = "TARGET_URL" })
      expect(status).is(201)
      expect(schedule.hour).is(2)
      expect(schedule.created_at).matches " %+0000$"
      expect(#schedule.days).is(7)
      expect(refusal(world, "POST", path, { hour = 24, schedule_name = "TARGET_URL" })).is "422 invalid_params"
      expect((ask(world, "DELETE", path .. "/" .. schedule.uuid))).is(200)
      expect(#select(2, ask(world, "GET", path))).is(0)
      local _, source = ask(world, "POST", "/sources", {})
      http.request { method = "PUT", url = source.source_blob.put_url, body = "0123456789" }
      local part = http.request { url = source.source_blob.get_url, headers = { Range = "bytes=2-4" } }
      expect(part.body .. " " .. part.headers["content-range"]).is "234 bytes 2-4/10"
      local wrong = source.source_blob.get_url .. "0"
      expect(http.request({ url = wrong, check = false }).status).is(403)
      expect(json.encode(select(2, ask(world, "GET", "/apps/demo-app/collaborators"))[1].role)).is '"owner"'
    end)
  end)
end)
