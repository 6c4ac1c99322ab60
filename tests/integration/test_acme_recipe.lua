-- A recipe and a provider module that a user has written, beside each other in a folder, run for real in a sandbox with
-- a stand-in of their own: what recipe.from, after, before, remove, each, only_if and undo promise.

local gate = require "pgorch.sandbox.gate"
local http = require "pgorch.http"
local json = require "pgorch.json"
local url  = require "pgorch.sandbox.url"

local TOKEN = "token-of-the-acme-tests"

local run = require "support.provider_run"(TEST_FOLDER .. "/../fixtures/recipes/acme.lua",
  { "--cluster", "shop", "--bucket", "dumps-of-ours" })

local function answered(value)
  return { status = value and 200 or 404, headers = { ["content-type"] = "application/json" },
    body = json.encode(value or { message = "no such thing" }) }
end

-- One cluster, which is the world's source behind a gate of its own, and one billing job.
local function acme(world)
  local source = world.source
  local door = gate.open(source.cluster)
  local state = { cidrs = {}, job = { id = "nightly", state = "running" }, paused = 0 }
  door:allow(state.cidrs)
  local function change(cidrs)
    state.cidrs = cidrs
    door:allow { table.unpack(cidrs) }
    return {}
  end
  local routes = {
    ["GET /v1/clusters/shop"] = function()
      return { id = "shop", name = "shop", endpoint = source.host, port = door.port, admin = source.user, state = "up",
        ca = source.ca_pem, pg_version = source.version }
    end,
    ["GET /v1/clusters/shop/secret"] = function() return { value = source.password } end,
    ["GET /v1/clusters/shop/firewall"] = function() return { cidrs = json.array(state.cidrs) } end,
    ["POST /v1/clusters/shop/firewall"] = function(body)
      return change(table.move(state.cidrs, 1, #state.cidrs, 1, { [#state.cidrs + 1] = body.cidr }))
    end,
    ["GET /v1/jobs/nightly"] = function() return state.job end,
    ["POST /v1/jobs/nightly/pause"] = function()
      state.job.state, state.paused = "paused", state.paused + 1
      return state.job
    end,
    ["POST /v1/jobs/nightly/resume"] = function()
      state.job.state = "running"
      return state.job
    end,
  }
  local server = http.serve({}, function(request)
    if request.headers.authorization ~= "Bearer " .. TOKEN then return { status = 401, body = "" } end
    local text = request.body and request.body:read_all(1 << 16) or ""
    local cidr = request.method == "DELETE" and request.path:match "^/v1/clusters/shop/firewall/(.+)$"
    if cidr then
      local left = {}
      for _, each in ipairs(state.cidrs) do
        if each ~= url.decode(cidr) then left[#left + 1] = each end
      end
      return answered(change(left))
    end
    local route = routes[request.method .. " " .. request.path]
    return answered(route and route(text ~= "" and json.decode(text) or nil))
  end)
  world:answer_for("api.acme.example", (server.url:gsub("/$", "")))
  state.close = function()
    server:close()
    door:close()
  end
  state.door = door
  return state
end

local function world_with_acme(fn)
  return run.with_world({ stand_ins = { acme = acme } }, function(world)
    -- The app has the address that Acme gives: its own port.
    world.env.ACME_TOKEN = TOKEN
    world.old_url = world.source.url:gsub((":%d/"):format(world.source.port), (":%d/"):format(world.acme.door.port), 1)
    world.heroku:app(run.APP).config.DATABASE_URL = world.old_url
    fn(world)
  end)
end

describe("a recipe of one's own", function()
  it("moves the data with a provider of one's own, puts all back when it fails, and does its own steps",
    world_with_acme(function(world)
      local done = run.run(world, { "--accept", "exit 1" })
      run.expect_exit(done, 5)
      run.expect_app_as_before(world)
      expect(world.acme.job.state).is "running"
      expect(world.acme.paused).is(1)
      expect(world.acme.cidrs).same {}                          -- our address is gone again
      run.value(world.source.direct_url, "update shop.customers set email = upper(email) where id = 1 returning id")
      done = run.run(world, {})
      run.expect_exit(done, 0)
      expect(world.acme.job.state).is "running"
      expect(world.acme.paused).is(2)
      expect(world.acme.cidrs).same {}
      expect(done.all).lacks "A recent backup exists"
      local there = run.database_url(world)
      expect(there ~= world.old_url).is(true)
      expect(run.value(there, "select count(*) from shop.customers where email <> lower(email)")).is(0)
      expect(run.value(there, "select count(*) from shop.customers"))
        .is(run.value(world.source.direct_url, "select count(*) from shop.customers"))
      -- Its provider's name for what it lacks, and a parameter that its source has no use for.
      run.expect_exit(run.run(world, { "--source-env", "SOURCE_DATABASE_URL" }), 2)
      done = run.run(world, { "--cluster", "typo" })
      run.expect_exit(done, 4)
      expect(done.all).has "no such thing"
    end), { limit = 250 })
end)
