-- The whole Vultr recipe with a real object store in the stand-in's place: Ceph RGW and Swift, over http, and over TLS
-- by an authority that no system knows. A storage that is not trusted is refused before anything is touched.

local ceph        = require "support.ceph"
local certificate = require "pgorch.sandbox.certificate"
local fs          = require "pgorch.fs"
local host        = require "pgorch.native.host"
local process     = require "pgorch.process"
local s3          = require "pgorch.s3"
local secret      = require "pgorch.secret"
local swift       = require "support.swift"
local vultr_run   = require "support.vultr_run"

local LIMIT = { limit = 280 }

--- What a world needs to know of the store.
local function over(store, tls)
  return { url = tls and store.tls_url or store.url, ca_file = tls and store.ca_file or nil, region = store.region,
    access_key = store.access_key, secret_key = store.secret_key }
end

local function client_of(store)
  return s3.client { endpoint = store.url, access_key = store.access_key, secret_key = secret.new(store.secret_key) }
end

--- The dump was here, and nothing of it is left: no object, no part.
local function expect_empty_bucket(store)
  local client = client_of(store)
  local names = client:buckets()
  expect(#names).is(1)
  expect(names[1]).matches "^postgres%-for%-migration%-"
  expect(client:bucket(names[1]):list()).same {}
  expect(client:bucket(names[1]):uploads()).same {}
end

local function expect_refused(world, store, bundle, id, words)
  local done = vultr_run.run(world, {}, { AWS_CA_BUNDLE = bundle })
  vultr_run.expect_exit(done, 4)
  expect(done.all).has(id)
  expect(done.all).has(words)
  vultr_run.expect_app_as_before(world)
  expect(#world.heroku.state.addons).is(0)
  expect(client_of(store):buckets()).same {}
end

local function with_store(store, fn)
  return function()
    local running <close> = store.start()
    fn(running)
  end
end

for name, store in pairs { ceph = ceph, swift = swift } do
  describe("run vultr on " .. name, function()
    it("moves the data over http", with_store(store, function(running)
      vultr_run.with_world({ s3 = over(running) }, function(world)
        vultr_run.expect_exit(vultr_run.run(world, {}), 0)
        vultr_run.expect_moved(world)
        expect_empty_bucket(running)
      end)()
    end), LIMIT)

    it("moves the data over TLS, with the authority that AWS_CA_BUNDLE names and no other", with_store(store,
      function(running)
        vultr_run.with_world({ s3 = over(running, true) }, function(world)
          fs.mkdir(world.dir .. "/other")
          local other = certificate.make(world.dir .. "/other").ca_file
          expect_refused(world, running, other, "PGO-TLS", other)
          expect_refused(world, running, false, "PGO-TLS", "name that authority's PEM file in AWS_CA_BUNDLE")
          expect_refused(world, running, "/none.pem", "PGO-PARAM",
            "AWS_CA_BUNDLE names /none.pem, which is no file")
          vultr_run.expect_exit(vultr_run.run(world, {}), 0)
          vultr_run.expect_moved(world)
          expect_empty_bucket(running)
        end)()
      end), LIMIT)
  end)
end

describe("pgorch sandbox --s3-endpoint", function()
  it("is a world with a real object store in it", with_store(ceph, function(rgw)
    local pgorch = host.executable()
    local done = process.run { pgorch, "sandbox", "--scale", "0.02", "--s3-endpoint", rgw.tls_url, "--", pgorch, "run",
      "vultr", "--instance", "demo", "--app", "demo-app", "--plan", "essential-1", "--yes-cut-over", "--keep-dump",
      env = { AWS_ACCESS_KEY_ID = rgw.access_key, AWS_SECRET_ACCESS_KEY = rgw.secret_key, AWS_CA_BUNDLE = rgw.ca_file,
        PGORCH_POLL_SCALE = "0.05" }, check = false, timeout = 100 }
    if done.code ~= 0 then error(done.stdout .. done.stderr, 0) end
    local client = client_of(rgw)
    local dumps = client:bucket(client:buckets()[1]):list "pgorch/"
    expect(#dumps).is(1)
    expect(dumps[1].size > 1000).is(true)
  end), LIMIT)
end)
