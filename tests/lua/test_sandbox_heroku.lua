-- The Heroku stand-in: shapes, refusals, delays counted in looks, and a restore that really moves data.

local api     = require "support.heroku_api"
local faults  = require "pgorch.sandbox.faults"
local fs      = require "pgorch.fs"
local http    = require "pgorch.http"
local json    = require "pgorch.json"
local pg      = require "pgorch.pg"
local sandbox = require "pgorch.sandbox"

local ask, in_world, provision, wait, serve, dump = api.ask, api.in_world, api.provision, api.wait, api.serve, api.dump

describe("the Heroku stand-in", function()
  it("refuses what Heroku refuses", function()
    in_world({}, function(world)
      local function status_and_id(...) return api.refusal(world, ...) end
      expect(status_and_id("GET", "/account", nil, { Authorization = "Bearer wrong" })).is "401 unauthorized"
      expect(status_and_id("GET", "/account", nil, { Accept = "application/json" })).is "404 not_found"
      expect(status_and_id("GET", "/apps/nowhere")).is "404 not_found"
      expect(status_and_id("GET", "/apps/somebody-elses-app")).is "403 forbidden"
      expect(status_and_id("POST", "/apps", { name = "demo-app" })).is "422 invalid_params"
      expect(status_and_id("POST", "/apps", { name = "No Such Name" })).is "422 invalid_params"
      expect(status_and_id("POST", "/apps/demo-app/addons",
        { plan = "heroku-postgresql:nope" })).is "422 invalid_params"
      expect(status_and_id("POST", "/actions/addons/resolve", { addon = "nope", app = "demo-app" })).is "404 not_found"
      expect(status_and_id("GET", "/client/v11/databases/nope")).is "404 not_found"
      expect(status_and_id("GET", "/apps/demo-app/no-such-thing")).is "404 not_found"
    end)
  end)

  it("keeps apps, config, formation and releases as the API shows them", function()
    in_world({ page = 2 }, function(world)
      local _, _, headers = ask(world, "GET", "/account")
      expect(tonumber(headers["ratelimit-remaining"])).above(4000)
      expect(headers["request-id"]).matches "^%x+%-"
      local status, app = ask(world, "POST", "/apps", { name = "another-app" })
      expect(status).is(201)
      expect(app.maintenance).is(false)
      _, app = ask(world, "PATCH", "/apps/demo-app", { maintenance = true })
      expect(app.maintenance).is(true)
      local _, formation = ask(world, "GET", "/apps/demo-app/formation")
      expect(#formation).is(2)
      ask(world, "PATCH", "/apps/demo-app/formation", { updates = { { type = "web", quantity = "0" },
        { type = "worker", quantity = "+1" } } })
      expect(world.heroku:dynos "demo-app").same { web = 0, worker = 2 }
      local _, config = ask(world, "PATCH", "/apps/demo-app/config-vars", { FOO = "bar", RAILS_ENV = json.null })
      expect(config.FOO).is "bar"
      expect(config.RAILS_ENV).is_nil()
      ask(world, "PATCH", "/apps/demo-app/config-vars", { FOO = "baz" })
      local _, newest = ask(world, "GET", "/apps/demo-app/releases", nil, { Range = "version ..; order=desc,max=1" })
      expect(#newest).is(1)
      expect(newest[1].version).is(3)
      local code, first, more = ask(world, "GET", "/apps/demo-app/releases")
      expect(code).is(206)
      expect(#first).is(2)
      local _, second = ask(world, "GET", "/apps/demo-app/releases", nil, { Range = more["next-range"] })
      expect(second[1].version).is(3)
      expect((ask(world, "DELETE", "/apps/another-app"))).is(200)
      expect((ask(world, "GET", "/apps/another-app"))).is(404)
    end)
  end)

  it("provisions a database in looks, attaches it and resolves it by every name", function()
    in_world({}, function(world)
      local addon = provision(world, "essential-1", "our-own-name")
      expect((ask(world, "POST", "/apps/demo-app/addons", { plan = "heroku-postgresql:essential-0",
        name = "our-own-name" }))).is(422)
      local base = "/client/v11/databases/" .. addon.id
      expect((ask(world, "GET", base .. "/wait_status"))).is(404)
      local _, waiting = ask(world, "GET", base .. "/wait_status")
      expect(waiting["waiting?"]).is(true)
      _, waiting = ask(world, "GET", base .. "/wait_status")
      expect(waiting["waiting?"]).is(false)
      local _, info = ask(world, "GET", "/client/v11/databases/our-own-name")
      expect(info.plan).is "essential-1"
      expect(info.num_bytes).above(0)
      for _, name in ipairs { "TARGET", "TARGET_URL", "our-own-name", addon.id } do
        local status, found = ask(world, "POST", "/actions/addon-attachments/resolve", { addon_attachment = name,
          app = "demo-app" }, { ["Accept-Inclusion"] = "addon:plan,config_vars" })
        expect(status).is(200)
        expect(found[1].addon.plan.name).is "heroku-postgresql:essential-1"
        expect(found[1].config_vars).same { "TARGET_URL" }
      end
      local _, config = ask(world, "GET", "/apps/demo-app/config-vars")
      local conn <close> = pg.connect(config.TARGET_URL .. "?sslmode=require")
      expect(conn:value "SELECT 1").is(1)
      expect((ask(world, "PATCH", "/apps/demo-app/config-vars", { TARGET_URL = "mine" }))).is(422)
    end)
  end)

  it("moves a name only when told so, and destroys an add-on with its last attachment", function()
    in_world({ apps = { { name = "demo-app" } } }, function(world)
      local first = provision(world, "essential-0", "first-one")
      ask(world, "POST", "/addon-attachments", { app = "demo-app", addon = "first-one", name = "DATABASE" })
      local _, all = ask(world, "GET", "/addons/first-one/addon-attachments")
      expect(#all).is(2)
      for _, each in ipairs(all) do
        if each.name == "TARGET" then ask(world, "DELETE", "/addon-attachments/" .. each.id) end
      end
      local second = provision(world, "standard-0", "second-one")
      local move = { app = { name = "demo-app" }, addon = { name = second.name }, name = "DATABASE" }
      expect((ask(world, "POST", "/addon-attachments", move))).is(423)
      move.confirm = "demo-app"
      expect((ask(world, "POST", "/addon-attachments", move))).is(201)
      expect((ask(world, "GET", "/addons/" .. first.name))).is(404)
    end)
  end)

  it("restores what the URL delivers, by ranges, into the add-on's database", function()
    in_world({}, function(world)
      local addon, path = provision(world, "essential-1"), world.dir .. "/test.dump"
      dump(world, path)
      local asked, object_store = serve(path)
      local _ <close> = object_store
      local url = object_store.url .. "/test.dump?signature=1"
      local base = "/client/v11/databases/" .. addon.id
      local status, transfer = ask(world, "POST", base .. "/restores", { backup_url = url })
      expect(status).is(201)
      expect(transfer.num).is(1)
      expect(transfer.created_at).matches "^%d+%-%d+%-%d+ %d+:%d+:%d+ %+0000$"
      expect((ask(world, "POST", base .. "/restores", { backup_url = url }))).is(409)
      local done = wait(world, transfer)
      expect(done.succeeded).is(true)
      expect(done.warnings).is(0)
      expect(asked[1]).is "HEAD "
      local text = json.encode(done.logs)
      expect(text).has "restore done"
      expect(text).has "creating TABLE"
      local _, listed = ask(world, "GET", "/client/v11/apps/demo-app/transfers")
      expect(listed[1].processed_bytes).is(fs.stat(path).size)
      expect(listed[1].logs).is_nil()
      local _, config = ask(world, "GET", "/apps/demo-app/config-vars")
      local same = { settings = { TimeZone = "UTC" } }     -- the source has a time zone of its own
      local target <close> = pg.connect(config.TARGET_URL .. "?sslmode=require", same)
      local source <close> = pg.connect(world.source.url, same)
      local sum = "SELECT count(*)::text || ' ' || sum(hashtext(c::text)::bigint)::text FROM shop.customers AS c"
      expect(target:value(sum)).is(source:value(sum))
      expect(target:value "SELECT rolsuper FROM pg_roles WHERE rolname = current_user").is(false)
    end)
  end)

  it("tells a failed restore, counts its warnings, and can be cancelled", function()
    in_world({}, function(world)
      local addon, path = provision(world, "essential-1"), world.dir .. "/test.dump"
      local base = "/client/v11/databases/" .. addon.id
      fs.write(path, "this is no archive")
      local _, object_store = serve(path)
      local _ <close> = object_store
      local _, transfer = ask(world, "POST", base .. "/restores", { backup_url = object_store.url .. "/x" })
      local done = wait(world, transfer)
      expect(done.succeeded).is(false)
      expect(json.encode(done.logs)).has "does not appear to be a valid archive"

      local admin <close> = pg.connect(world.source.url)
      admin:exec "CREATE ROLE reader"
      admin:exec "CREATE POLICY by_role ON audit.documents TO reader USING (true)"
      dump(world, path)
      _, transfer = ask(world, "POST", base .. "/restores", { backup_url = object_store.url .. "/x",
        extensions = json.array { "pg_trgm" } })
      done = wait(world, transfer)
      expect(done.succeeded).is(true)
      expect(done.warnings).above(0)
      expect(json.encode(done.logs)).has 'role \\"reader\\" does not exist'

      faults.put(world, "worker.restore", { delay = 30 })
      _, transfer = ask(world, "POST", base .. "/restores", { backup_url = object_store.url .. "/x" })
      local status, cancelled = ask(world, "POST", "/client/v11/apps/demo-app/transfers/" .. transfer.uuid
        .. "/actions/cancel")
      expect(status).is(200)
      expect(cancelled.canceled_at).matches "%+0000$"
      done = wait(world, transfer)
      expect(done.succeeded).is(false)
      expect((ask(world, "DELETE", "/client/v11/apps/demo-app/transfers/3"))).is(200)
    end)
  end)

  it("makes backups, and copies from a live database", function()
    in_world({}, function(world)
      local addon = provision(world, "essential-1")
      local base = "/client/v11/databases/" .. addon.id
      local _, transfer = ask(world, "POST", base .. "/transfers", { from_name = "source", from_url = world.source.url,
        to_name = "TARGET", to_url = world.heroku.state:config(world.heroku:app "demo-app").TARGET_URL })
      expect(wait(world, transfer).succeeded).is(true)
      _, transfer = ask(world, "POST", base .. "/backups")
      expect(wait(world, transfer).succeeded).is(true)
      local _, link = ask(world, "POST", "/client/v11/apps/demo-app/transfers/2/actions/public-url")
      local file = http.request { url = link.url }
      expect(file.body:sub(1, 5)).is "PGDMP"
    end)
  end)

  it("stands beside stand-ins of a recipe's author", function()
    local function acme(world)
      local server = http.serve({ port = 0 }, function() return { status = 200, headers = {},
        body = '{"name":"shop"}' } end)
      world:answer_for("api.acme.example", server.url)
      return server
    end
    sandbox.run({ source = { scale = 0.01 }, stand_ins = { acme = acme } }, function(world)
      expect(json.decode(fs.read(world.dir .. "/hosts.json"))["api.acme.example"]).is(world.acme.url)
    end)
  end)

  it("plays the faults that are asked for", function()
    in_world({}, function(world)
      world:fault { at = "heroku.app", answer = 503, times = 2 }
      expect((ask(world, "GET", "/apps/demo-app"))).is(503)
      expect((ask(world, "GET", "/apps/demo-app"))).is(503)
      expect((ask(world, "GET", "/apps/demo-app"))).is(200)
      expect(fs.read(world.dir .. "/requests.jsonl")).lacks(world.heroku.token)
    end)
  end)
end)
