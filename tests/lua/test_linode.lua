-- Linode's client against its stand-in: types made right, lists and filters, what passes by itself and what does not,
-- an allow list in which only our own entry comes and goes, and storage keys that are a run's own.

local backups = require "pgorch.linode.backups"
local clock  = require "pgorch.clock"
local faults = require "pgorch.sandbox.faults"
local fs     = require "pgorch.fs"
local linode = require "pgorch.linode"
local poll   = require "pgorch.poll"
local s3     = require "pgorch.sandbox.s3"
local secret = require "pgorch.secret"
local stand_in = require "pgorch.sandbox.linode"

local CA = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"

-- Without a server behind it, and without its waits.
local function with_api(opts, fn)
  return function()
    local seconds = poll.seconds
    local _ <close> = setmetatable({}, { __close = function() poll.seconds = seconds end })
    poll.seconds = function() return 0.001 end
    fs.with_temporary("pgorch-linode-", function(dir)
      local source = { host = "127.0.0.1", port = 15432, user = "akmadmin", password = "AVNS_not-to-be-seen",
        dbname = "defaultdb", version = 15, ca_pem = CA }
      local world = { dir = dir, source = source, ca_pem = CA }
      local endpoint <close> = s3.start(world)
      opts.s3 = endpoint
      local there <close> = stand_in.start(world, opts)
      fn(linode.client { token = secret.new(there.token), api_url = there.url }, there, world)
    end)
  end
end

local function demo(there) return there.state.databases[1] end

local function requests(world) return fs.read(world.dir .. "/requests.jsonl") end

describe("linode", function()
  it("makes a source out of an instance, with its types", with_api({}, function(api, there, world)
    local source = api:database "demo"
    expect(source.label).is "demo"
    expect(source:name()).is "demo"                              -- which database is not known without the server
    expect({ source.host, source.port, source.user }).same { "127.0.0.1", 15432, "akmadmin" }
    expect(source.major).is(15)
    expect(source.region).is "us-east"
    expect(source.ready).is(true)
    expect(source.ca_pem).is(CA)                                 -- decoded once
    expect(secret.is(source.password)).is(true)
    expect(source.empty_allow_list).is "closed"
    expect(source.console_bytes()).is(2000000000)
    expect(source.default_dbname).is "defaultdb"
    expect(requests(world)).has [[{\"label\":\"demo\"}]]         -- it filters instead of reading them all
    expect(api:database("123").label).is "demo"
    expect(api:database("demo", "shop"):name()).is "demo/shop"
    demo(there).object.status = "suspended"
    expect(api:database("demo").ready).is(false)
  end))

  it("takes the primary's public address, and refuses what a VPC alone can reach", with_api({}, function(api, there)
    local object = demo(there).object
    object.hosts.endpoints[2] = { role = "primary", address = "private.example", port = 10034, public_access = false }
    local source = api:database "demo"
    expect({ source.host, source.port }).same { "127.0.0.1", 15432 }
    expect(source.hosts).same { "127.0.0.1", "127.0.0.1", "private.example" }
    object.private_network = { vpc_id = 7, public_access = false }
    expect(expect(function() api:database "demo" end):raises "PGO-PROVIDER-INSTANCE".cure).has "public access"
  end))

  it("says what there is, and what is not there yet", with_api({ more = 120 }, function(api)
    local found, left_out = api:databases()
    expect({ #found, #left_out }).same { 2, 121 }                -- those that are only listed have no login
    expect(left_out[1].message).has "brand-new is provisioning"
    expect(#api:databases { region = "us-west" }).is(0)
    local err = expect(function() api:database "nowhere" end):raises "PGO-PROVIDER-INSTANCE"
    expect(err.detail).has "analytics, brand-new, demo"
    expect(err.detail).has "more-120"
    expect(err.detail).lacks "wordpress"
    expect(expect(function() api:database "wordpress" end):raises "PGO-PROVIDER-INSTANCE".message).has "mysql"
    expect(expect(function() api:database "brand-new" end):raises "PGO-PROVIDER-INSTANCE".message).has "provisioning"
  end))

  it("waits out what passes by itself, a POST too, and nothing else", with_api({}, function(api, _, world)
    local function asked(fault, call, ...)
      faults.put(world, fault.at, { answer = fault.answer, html = fault.html, headers = fault.headers,
        reason = fault.reason, retry_after = fault.retry_after, times = 1 })
      return pcall(call, api, ...)
    end
    local KEY = { label = "of-a-test" }
    expect((asked({ at = "linode.create_key", answer = 400 }, api.post, "/object-storage/keys", KEY))).is(true)
    expect((asked({ at = "linode.create_key", answer = 400, html = true }, api.post, "/object-storage/keys", KEY)))
      .is(true)
    expect((asked({ at = "linode.create_key", answer = 429, retry_after = 0 }, api.post, "/object-storage/keys", KEY)))
      .is(true)
    expect((asked({ at = "linode.keys", answer = 503 }, api.get, "/object-storage/keys"))).is(true)
    expect((asked({ at = "linode.keys", answer = 502, html = true }, api.get, "/object-storage/keys"))).is(true)
    -- One of these may have made a key already; maintenance lasts; a wrong request stays wrong.
    local ok, err = asked({ at = "linode.create_key", answer = 503 }, api.post, "/object-storage/keys", KEY)
    expect({ ok, err.status, err.retryable }).same { false, 503, true }
    ok, err = asked({ at = "linode.keys", answer = 503, headers = { ["x-maintenance-mode"] = "all,Upgrading" } },
      api.get, "/object-storage/keys")
    expect({ ok, err.status, err.retryable }).same { false, 503, false }
    ok, err = asked({ at = "linode.keys", answer = 400, reason = "Wrong." }, api.get, "/object-storage/keys")
    expect({ ok, err.message, err.retryable }).same { false, "Linode: Wrong.", false }
    expect(#api:pages("/object-storage/keys", "data")).is(3)
  end))

  it("says what is wrong with a token, and with a field", with_api({}, function(api, there)
    local weak = linode.client { token = secret.new(there:add_token "databases:read_only"), api_url = there.url }
    local err = expect(function() weak:database("demo").allow_list.add "203.0.113.9/32" end)
      :raises "PGO-PROVIDER-TOKEN"
    expect(err.cure).has "databases:read_write"
    err = expect(function() api:database("demo").allow_list.add "203.0.113.999/32" end):raises "PGO-PROVIDER"
    expect(err.message).has "allow_list: Invalid IPv4 or IPv6 address"
  end))

  it("adds and removes its own entry alone, one change after the other", with_api({ updating_polls = 3,
    updating_seconds = 3600, allow_list = { "198.51.100.7/32" } }, function(api, there)
    local list = api:database("demo").allow_list
    list.add "203.0.113.9/32"
    expect(demo(there).object.status).is "updating"
    list.add "203.0.113.9/32"
    table.insert(demo(there).object.allow_list, "192.0.2.1/32")  -- somebody else's, meanwhile
    expect(list.remove "203.0.113.9/32").is "removed"            -- waits until the first change is through
    expect(list.get()).same { "198.51.100.7/32", "192.0.2.1/32" }
    list.remove "198.51.100.7/32"
    expect(list.remove "192.0.2.1/32").is "removed"              -- an empty list is closed: nothing stays behind
    expect(list.get()).same {}
    expect(list.remove "192.0.2.1/32").is "absent"
  end))

  it("knows since when an instance can be restored, or its last backup", with_api({ legacy = true },
    function(api, there)
      local known = backups.of(api, 123)
      expect(known.on_request).is(true)
      local age = clock.time() - known.latest
      expect(age > 7 * 3600 and age < 9 * 3600).is(true)
      expect(api:database("demo").latest_backup()).is(known.latest)
      expect(api:database("demo").default_dbname).is "postgres"
      demo(there).object.platform = "rdbms-default"
      known = backups.of(api, 123)
      expect({ known.on_request, known.since and true, known.latest }).same { false, true }
      expect(api:database("demo").latest_backup()).is_nil()
    end))

  it("destroys an instance when it is told to", with_api({}, function(api, there)
    api:database("demo").destroy()
    expect(demo(there).object.label).is "analytics"
  end))
end)

describe("a bucket at Linode", function()
  local function bucket(api, run, name) return api:bucket { region = "us-east", name = name, run = { id = run } } end

  it("makes no key before it needs one, and that for this bucket alone", with_api({}, function(api, there)
    local mine = bucket(api, "one")
    expect(mine.name).is(bucket(api, "two").name)                -- the account's, not the run's
    expect(mine:head()).is "free"
    expect(mine:create()).is(true)
    expect(mine:create()).is(false)
    expect(mine:head()).is "mine"
    expect((mine:is_private())).is(true)
    expect(#there.state.keys).is(0)
    mine:put("a/b", "text")
    expect(#there.state.keys).is(1)
    local key = there.state.keys[1]
    expect({ key.label, key.limited, key.bucket_access[1].bucket_name }).same { "pgorch-one", true, mine.name }
    expect((mine:is_private "a/b")).is(true)
  end))

  it("leaves one key of a run behind, whatever became of its processes, and none in the end",
    with_api({}, function(api, there)
      local first, other = bucket(api, "one"), bucket(api, "two")
      first:create()
      first:put("a", "1")
      other:put("b", "2")
      local second = bucket(api, "one")                          -- the run, resumed
      expect((second:get "a")).is "1"
      expect(#there.state.keys).is(2)
      expect(function() first:get "a" end):raises "PGO-S3-CREDENTIALS"
      expect(second:revoke()).is(1)
      expect(there.state.keys[1].label).is "pgorch-two"
      expect((other:get "b")).is "2"
      expect(second:revoke()).is(0)
    end))

  it("uses a key that is given, which it neither makes nor deletes", with_api({}, function(api, there)
    bucket(api, "one"):create()
    local made = api:post("/object-storage/keys", { label = "all-runs", regions = { "us-east" } })
    local function with_key(run)
      return api:bucket({ region = "us-east", run = { id = run }, access_key = made.access_key,
                                  secret_key = made.secret_key })
    end
    local first, second = with_key "one", with_key "two"
    first:put("a", "1")
    expect((second:get "a")).is "1"
    expect(first:revoke() + second:revoke()).is(0)
    expect(#there.state.keys).is(1)
    expect((second:get "a")).is "1"
    expect(function() api:bucket({ region = "us-east", access_key = made.access_key }) end):raises "PGO-PARAM"
  end))

  it("says what to do when the account has as many keys as it gets", with_api({}, function(api, there)
    bucket(api, "one"):create()
    for i = 1, 100 do there.state.keys[i] = { id = 1000 + i, label = "somebody-" .. i } end
    local ok, err = pcall(function() bucket(api, "one"):put("a", "1") end)
    expect(ok).is(false)
    expect(err.id .. ": " .. err.message).has "PGO-PROVIDER-STORAGE: the Linode account has 100 storage keys"
    expect(err.cure).has "--storage-access-key-env"
  end))

  it("gives a URL that Linode has signed, as a secret", with_api({ expires_range = { 360, 86400 } }, function(api)
    local mine = bucket(api, "one")
    mine:create()
    mine:put("a b", "PGDMP and more")
    local address = mine:provider_url("a b", 360)
    expect(secret.is(address)).is(true)
    expect(mine:try(address, "0-4").body).is "PGDMP"
    expect(expect(function() mine:provider_url("a b", 60) end):raises "PGO-PROVIDER".message).has "360-86400"
  end))

  it("says that a name is taken, that others can read it, and where there is no storage",
    with_api({}, function(api, there)
      local endpoint = there.state.s3
      endpoint:create_bucket("taken-by-somebody", endpoint:add_account("somebody").account)
      expect(function() bucket(api, "one", "taken-by-somebody"):create() end):raises "PGO-S3-BUCKET-TAKEN"
      for _, acl in ipairs { "public-read", "authenticated-read" } do
        endpoint:create_bucket("for-" .. acl, there.state.account).acl = acl
        local private, why = bucket(api, "one", "for-" .. acl):is_private()
        expect(private).is(false)
        expect(why).has(acl)
      end
      -- What the API calls private, and answers without a signature, is not.
      local open = endpoint:create_bucket("in-the-open", there.state.account)
      local get = api.get
      function api.get(self, path, o) return path:find "/access$" and { acl = "private" } or get(self, path, o) end
      open.acl = "public-read"
      expect((bucket(api, "one", "in-the-open"):is_private())).is(false)
      local err = expect(function() api:bucket({ region = "nl-ams", run = { id = "one" } }):head() end)
        :raises "PGO-PROVIDER-STORAGE"
      expect(err.detail).has "us-east, us-ord"
    end))
end)
