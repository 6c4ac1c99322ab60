-- Transfers of the Heroku stand-in: their keys and their life, how many are kept, both ways of making room for a
-- restore, copies in either direction, and the faults that a restore and a new database can be given.

local api  = require "support.heroku_api"
local http = require "pgorch.http"
local json = require "pgorch.json"
local pg   = require "pgorch.pg"
local task = require "pgorch.task"

local ask, wait, refusal = api.ask, api.wait, api.refusal

local KEYS = { "canceled_at", "created_at", "deleted_at", "finished_at", "from_name", "from_type", "from_url", "num",
  "num_keep", "options", "processed_bytes", "purged_at", "source_bytes", "started_at", "succeeded", "to_name",
  "to_type", "to_url", "updated_at", "uuid", "warnings" }

local function raw(world, path)
  return http.request({ url = world.heroku.url .. path, headers = {
    Authorization = "Bearer " .. world.heroku.token } }).body
end

-- A world with a database TARGET and the source's dump behind a URL: fn(world, restore), where restore(options) asks
-- for a restore, and gives the answer.
local function with_dump(heroku, fn)
  return function()
    api.in_world(heroku, function(world)
      local addon, path = api.provision(world, "essential-1", "target-db"), world.dir .. "/test.dump"
      api.dump(world, path)
      local _, store = api.serve(path)
      local _ <close> = store
      fn(world, function(body)
        local all = { backup_url = store.url .. "/test.dump" }
        for name, value in pairs(body or {}) do all[name] = value end
        local status, transfer = ask(world, "POST", ("/client/v11/databases/%s/restores"):format(addon.id), all)
        if status ~= 201 then error(("%d %s"):format(status, transfer.message), 0) end
        return transfer
      end)
    end)
  end
end

local function target_url(world)
  return world.heroku.state:config(world.heroku:app "demo-app").TARGET_URL
end

local function count(world, sql)
  local conn <close> = pg.connect(target_url(world))
  return conn:value("SELECT count(*) FROM " .. sql)
end

describe("the Heroku stand-in's transfers", function()
  it("have Heroku's keys, are pending, started, beat and end", with_dump({}, function(world, restore)
    world:fault { at = "worker.start", delay = 0.3 }
    world:fault { at = "worker.restore", delay = 1.2 }
    local asked = restore()
    local keys = {}
    for name in raw(world, "/client/v11/apps/demo-app/transfers/1"):gmatch '"([%l_]+)":' do keys[#keys + 1] = name end
    table.sort(keys)
    expect(table.concat(keys, " ")).is(table.concat(KEYS, " "))
    local seen, path = {}, "/client/v11/apps/demo-app/transfers/" .. asked.uuid
    local last
    repeat
      local _, now = ask(world, "GET", path)
      local state = now.finished_at and "finished" or now.updated_at and "beating" or now.started_at and "started"
        or "pending"
      if state ~= last then seen[#seen + 1], last = state, state end
      if state ~= "finished" then expect(now.succeeded).is_nil() end
      task.sleep(0.05)
    until last == "finished"
    expect(table.concat(seen, " ")).is "pending started beating finished"
    local _, later = ask(world, "GET", path)
    expect(later.updated_at > later.finished_at).is(true)
    expect(later.logs).is_nil()
    expect(later.source_bytes).is_nil()
  end), { limit = 60 })

  it("are numbered per app, and only the newest of a kind are kept", with_dump({}, function(world, restore)
    for _ = 1, 6 do wait(world, restore { backup_url = "http://127.0.0.1:1/gone" }) end
    local path = "/client/v11/databases/target-db/backups"
    for _ = 1, 3 do wait(world, (select(2, ask(world, "POST", path)))) end
    local nums = {}
    for i, each in ipairs(select(2, ask(world, "GET", "/client/v11/apps/demo-app/transfers"))) do nums[i] = each.num end
    expect(table.concat(nums, " ")).is "9 8 6 5 4 3 2"        -- two backups, five restores
    expect(refusal(world, "GET", "/client/v11/apps/demo-app/transfers/1")).is "404 not_found"
    expect((ask(world, "DELETE", "/client/v11/apps/demo-app/transfers/9"))).is(200)
    expect(refusal(world, "POST", "/client/v11/apps/demo-app/transfers/9/actions/public-url")).is "404 not_found"
  end), { limit = 60 })

  it("empty the target, or leave that to pg_restore --clean", with_dump({}, function(world, restore)
    local mark = "CREATE TABLE IF NOT EXISTS of_before (i int); CREATE SCHEMA IF NOT EXISTS shop"
    for _, mode in ipairs { "clean", "reset" } do
      world.heroku.server.restore_mode = mode
      do
        local conn <close> = pg.connect(target_url(world))
        conn:exec(mark)
      end
      local done = wait(world, restore())
      expect(done.succeeded).is(true)
      expect(count(world, "shop.customers")).above(10)
      expect(count(world, "pg_tables WHERE tablename = 'of_before'")).is(mode == "clean" and 1 or 0)
      if mode == "clean" then expect(json.encode(done.logs)).has "dropping SCHEMA shop" end
    end
  end), { limit = 60 })

  it("copy to a database outside as well, and only from or to their own", with_dump({}, function(world, restore)
    wait(world, restore())
    local outside = world.source.cluster
    local admin <close> = outside:connect()
    admin:exec "CREATE ROLE outsider LOGIN PASSWORD 'of-outside'"
    admin:exec "CREATE DATABASE outside OWNER outsider"
    local url = outside:url("outsider", "of-outside", "outside")
    local path = "/client/v11/databases/target-db/transfers"
    local _, copy = ask(world, "POST", path, { from_name = "TARGET", from_url = target_url(world),
      to_name = "outside", to_url = url })
    expect(wait(world, copy).succeeded).is(true)
    local conn <close> = pg.connect(url)
    expect(conn:value "SELECT count(*) FROM shop.customers").is(count(world, "shop.customers"))
    expect(refusal(world, "POST", path, { from_url = url, to_url = url })).is "422 invalid_params"
  end), { limit = 60 })

  it("are refused while one runs, and cancelled before they start", with_dump({}, function(world, restore)
    world:fault { at = "worker.start", delay = 60 }
    local asked = restore()
    expect(refusal(world, "PUT", "/client/v11/databases/target-db/reset", {})).is "409 conflict"
    expect(refusal(world, "DELETE", "/client/v11/apps/demo-app/transfers/1")).is "409 conflict"
    ask(world, "POST", ("/client/v11/apps/demo-app/transfers/%s/actions/cancel"):format(asked.uuid))
    local done = wait(world, asked)
    expect(done.canceled_at).is_true()
    expect(done.started_at).is_nil()
    expect((ask(world, "PUT", "/client/v11/databases/target-db/reset", {}))).is(200)
  end), { limit = 60 })
end)

describe("a fault of Heroku", function()
  it("makes a restore complain: harmlessly, or of what is really lost", with_dump({}, function(world, restore)
    wait(world, restore())
    local indexes = count(world, "pg_indexes WHERE schemaname = 'shop'")
    world:fault { at = "worker.restore", warnings = "harmless" }
    local done = wait(world, restore())
    expect(done.succeeded).is(true)
    expect(done.warnings).is(1)                       -- what is about plpgsql does not count
    expect(json.encode(done.logs)).has "errors ignored on restore: 2"
    expect(count(world, "pg_indexes WHERE schemaname = 'shop'")).is(indexes)
    world:fault { at = "worker.restore", warnings = "lossy" }
    done = wait(world, restore { extensions = json.array { "hstore" } })
    expect(done.succeeded).is(true)
    expect(done.warnings).is(2)                       -- one of its own, on the comment of an extension
    expect(json.encode(done.logs)).has "No space left on device"
    expect(json.encode(done.logs)).has "errors ignored on restore: 2"
    expect(count(world, "pg_indexes WHERE schemaname = 'shop'")).is(indexes - 1)
  end), { limit = 60 })

  it("cancels a restore, loses its worker, or stops its heartbeat", with_dump({}, function(world, restore)
    world:fault { at = "worker.restore", canceled = true }
    local done = wait(world, restore())
    expect(done.canceled_at).is_true()
    expect(done.succeeded).is(false)
    world:fault { at = "worker.restore", answer = 500, message = "the dyno went away" }
    done = wait(world, restore())
    expect(done.canceled_at).is_nil()
    expect(done.logs[#done.logs].message).is "the dyno went away"
    world:fault { at = "worker.restore", silent = true, delay = 1.5 }
    local asked = restore()
    task.sleep(1.2)
    expect(select(2, ask(world, "GET", "/client/v11/apps/demo-app/transfers/" .. asked.uuid)).updated_at).is_nil()
    expect(wait(world, asked).processed_bytes).is(0)   -- the size comes after the end
    expect(wait(world, asked).processed_bytes).above(1000)
  end), { limit = 60 })

  it("lets a database crawl, wait for ever, break, or never be provisioned", function()
    api.in_world({ provision_polls = 0, missing_polls = 0, wait_polls = 0 }, function(world)
      world:fault { at = "worker.provision", looks = 3 }
      local addon = api.provision(world, "essential-0", "slow-db")
      expect(world.heroku.state.addons[1].looks).is(4)
      local function waiting()
        return (select(2, ask(world, "GET", ("/client/v11/databases/%s/wait_status"):format(addon.id))))
      end
      world:fault { at = "worker.ready", looks = 2 }
      for _, expected in ipairs { true, true, false } do expect(waiting()["waiting?"]).is(expected) end
      world:fault { at = "worker.ready", stuck = true }
      for _ = 1, 5 do expect(waiting()["waiting?"]).is(true) end
      world:fault { at = "worker.ready", error = "no room" }
      expect(waiting()["error?"]).is(true)
      expect(waiting().message).is "no room"
      world:fault { at = "worker.provision" }
      expect(function() api.provision(world, "essential-0", "no-db", "NONE") end).raises()
      expect(world.heroku.state.addons[2].state).is "deprovisioned"
    end)
  end)

  it("of 2020 tells what is not there in HTML", function()
    api.in_world({ html_404 = true }, function(world)
      for _, path in ipairs { "/client/v11/databases/nope", "/client/v11/apps/nowhere/transfers" } do
        local status, body, headers = ask(world, "GET", path)
        expect(status).is(404)
        expect(body).is "<h1>Not Found</h1>"
        expect(headers["content-type"]).is "application/json"
      end
    end)
  end)
end)
