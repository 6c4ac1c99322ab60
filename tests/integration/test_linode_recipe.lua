-- The Linode recipe from end to end in a sandbox, run as a user runs it: `pgorch run linode` as a child process.
-- What must hold: moved or as before, the allow list as it was, the run's storage key gone, the bucket private.

local certificates = require "support.certificates"
local fs           = require "pgorch.fs"
local process      = require "pgorch.process"

local run = require "support.provider_run"("linode", { "--instance", "demo" }, function(world)
  return world.linode:database_url(world.linode.state.databases[1])
end)

local CLOSED = { "198.51.100.7/32" }

local function demo(world) return world.linode.state.databases[1].object end

-- The one bucket there is, as the stand-in sees it.
local function bucket_of(world)
  local found = world.s3:buckets(world.linode.state.account)
  expect(#found).is(1)
  return world.s3:bucket(found[1].name, world.linode.state.account)
end

local function expect_given_back(world)
  expect(demo(world).allow_list).same(CLOSED)
  expect(world.linode.state.keys).same {}
  expect(run.objects(world, world.linode.state.account)).same {}
  expect(bucket_of(world).acl).is "private"
end

local function in_step(id)
  local begun = ('"event":"step_started","id":"%s"'):format(id)
  return function(events) return events:find(begun, 1, true) end
end

local function requests(world) return fs.read(world.dir .. "/requests.jsonl", 1 << 26) end

-- The whole flow is small here: what it moves is tested elsewhere.
local function world_of(linode, fn)
  return run.with_world({ source = { scale = 0.02 }, linode = linode }, fn)
end

describe("run linode", function()
  it("moves the data by a URL that Linode signs, lets itself in, and gives everything back",
    world_of({ allow_list = CLOSED }, function(world)
      local done = run.run(world, {})
      run.expect_exit(done, 0)
      run.expect_moved(world)
      expect_given_back(world)
      -- Which database it is only the server knows, and that lets nobody in at first: told once, when it does.
      local _, told = done.all:gsub("DATABASE_URL of demo%-app is a plain config var that holds this source's URL", "")
      expect(told).is(1)
      expect(done.all).has "Linode can restore it to any time since"
      expect(done.all).has "encrypted at rest is the provider's word"
      expect(done.all).has "Get Your Database Size"
      expect(done.all).has "storage key deleted"
      -- Linode signed the URL that Heroku was given: SigV2, with a life that its API takes.
      expect(requests(world)).matches '"request":{"expires_in":36%d%d,"method":"GET","name":"pgorch/%w+/1.dump"}'
      local used = world.heroku:app(run.APP).transfers[1].from_url
      expect(used).matches "/pgorch/%w+/1%.dump%?Signature=[^&]+&Expires=%d+&AWSAccessKeyId=%w+$"
      local secrets = { world.linode.token, world.linode.admin.password, world.heroku.token, "Signature=" }
      for _, secret in ipairs(secrets) do
        expect(done.all).lacks(secret)
        expect(process.run { "grep", "-rqaF", "-e", secret, run.record(world), check = false }.code).is(1)
      end
    end), { limit = 250 })

  it("puts all back when the acceptance test fails", world_of({ allow_list = CLOSED }, function(world)
    local done = run.run(world, { "--accept", "exit 3" })
    run.expect_exit(done, 5)
    run.expect_app_as_before(world)
    expect_given_back(world)
  end), { limit = 250 })

  -- Somebody tidies up while it is down: nothing of the resumed run could reach the source.
  local function shut(world)
    world.linode.state.databases[1].server.gate:allow { table.unpack(CLOSED) }
    demo(world).allow_list = { table.unpack(CLOSED) }
  end

  it("puts all back after kill -9 in the window: let in again, the key of the dead process gone",
    world_of({ allow_list = CLOSED }, function(world)
      local id = run.kill_when(world, in_step "fingerprint")
      expect(world.linode.state.keys[1].label).is("pgorch-" .. id)
      shut(world)
      run.expect_exit(run.pgorch(world, { "rollback", id }), 0)
      run.expect_app_as_before(world)
      expect_given_back(world)
    end), { limit = 250 })

  it("goes on after kill -9 in the window: let in again, with another key", world_of({ allow_list = CLOSED },
    function(world)
      local id = run.kill_when(world, in_step "restore")
      expect(#world.linode.state.keys).is(1)
      local first = world.linode.state.keys[1]
      shut(world)
      local done = run.pgorch(world, { "resume", id, "--yes-cut-over" })
      run.expect_exit(done, 0)
      run.expect_moved(world)
      expect_given_back(world)
      expect(run.restores(world)).is(1)
      -- The first key was of no use to the second process: its secret was told once.
      expect(world.linode.state.last_key > first.id).is(true)
    end), { limit = 250 })

  it("takes a backup on the legacy platform when it is asked for, and waits for it",
    world_of({ legacy = true, backup_age = 40 * 3600, allow_list = { "127.0.0.1/32" } }, function(world)
      local done = run.run(world, { "--until", "backup_is_fresh" })
      run.expect_exit(done, 4)
      expect(done.all).has "the latest backup of demo is 1 d 16 h old, more than 1 d 02 h"
      expect(done.all).has "--backup-now takes one"
      local function check(...)
        return run.pgorch(world, { "check", "linode", "--instance", "demo", "--app", run.APP, "-v", ... })
      end
      done = check()
      run.expect_exit(done, 4)
      expect(done.stdout).has "FAIL  PGO-BACKUP-OLD the latest backup of demo is 1 d 16 h old"
      done = check "--backup-now"
      run.expect_exit(done, 0)
      expect(done.stdout).has "is 1 d 16 h old, more than 1 d 02 h: --backup-now takes one\n"
      expect(world.linode.state.databases[1].backups).same {}
      done = run.run(world, { "--until", "backup_is_fresh", "--backup-now" })
      run.expect_exit(done, 0)
      expect(done.all).has "a backup was taken"
      local taken = world.linode.state.databases[1].backups
      expect(#taken).is(1)
      expect(taken[1].label).matches "^pgorch%-%w+$"
      expect(demo(world).status).is "active"
      -- It is fresh now: no second one is taken.
      run.expect_exit(run.run(world, { "--app", "another", "--until", "backup_is_fresh", "--backup-now" }), 0)
      expect(#taken).is(1)
    end), { limit = 120 })

  it("names each wrong value, and changes nothing", world_of({ allow_list = { "127.0.0.1/32" } }, function(world)
    local function says(status, id, arguments, text, more)
      local done = run.run(world, arguments, more)
      run.expect_exit(done, status)
      expect(done.all).has(id)
      expect(done.all).has(text)
    end
    says(4, "PGO-PROVIDER-TOKEN", {}, "Invalid Token", { LINODE_TOKEN = "wrong" })
    says(4, "PGO-PROVIDER-TOKEN", {}, "databases:read_only",
      { LINODE_TOKEN = world.linode:add_token "object_storage:read_write" })
    says(4, "PGO-PROVIDER-INSTANCE", { "--instance", "typo" }, "analytics, brand-new, demo")
    says(4, "PGO-PROVIDER-INSTANCE", { "--instance", "wordpress" }, "mysql")
    says(4, "PGO-PROVIDER-INSTANCE", { "--instance", "brand-new" }, "provisioning")
    says(4, "PGO-PROVIDER-STORAGE", { "--storage-region", "nl-ams" }, "us-east, us-ord")
    says(2, "--source-env", { "--source-env", "SOURCE_DATABASE_URL" }, "unknown flag")
    says(1, "PGO-PARAM", { "--backup-now" }, "takes no backup of this database on request")
    demo(world).private_network = { vpc_id = 1, public_access = false }
    says(4, "PGO-PROVIDER-INSTANCE", {}, "VPC alone")
    demo(world).private_network = nil
    fs.with_temporary("pgorch-ca-", function(dir)
      local entry = world.linode.state.databases[1]
      local ours = entry.ca_pem
      entry.ca_pem = certificates.authority(dir, "theirs").pem
      says(4, "PGO-TLS", {}, "certificate verify failed")
      entry.ca_pem = ours
    end)
    expect(world.s3:buckets(world.linode.state.account)).same {}
    expect(world.linode.state.keys).same {}
    -- The API lists no databases: the server is asked.
    local conn = world.source.cluster:connect()
    conn:exec 'create database "Über Uns"'
    conn:close()
    says(4, "PGO-PROVIDER-INSTANCE", {}, "there are: defaultdb, Über Uns")
    says(4, "PGO-EMPTY-SOURCE", { "--dbname", "Über Uns" }, "demo/Über Uns")
    -- A bucket that the public can read, or that is somebody else's, is refused before anything is put there.
    local bucket = world.s3:create_bucket("in-the-open", world.linode.state.account)
    bucket.acl = "public-read"
    says(1, "PGO-S3-PUBLIC", { "--dbname", "defaultdb", "--bucket", "in-the-open" }, "can be read by the public")
    world.s3:create_bucket("taken-by-somebody", world.s3:add_account("somebody").account)
    says(1, "PGO-S3-BUCKET-TAKEN", { "--dbname", "defaultdb", "--bucket", "taken-by-somebody" },
      "belongs to somebody else")
    run.expect_app_as_before(world)
    expect(world.linode.state.keys).same {}
    expect(#world.heroku.state.addons).is(0)
    expect(demo(world).allow_list).same { "127.0.0.1/32" }
  end), { limit = 250 })
end)
