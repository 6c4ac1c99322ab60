-- What the Linode stand-in hands out at a real object store: Ceph RGW takes its keys, and the URLs that it signs, also
-- in the recipe's hands from end to end.

local ceph   = require "support.ceph"
local fs     = require "pgorch.fs"
local http   = require "pgorch.http"
local json   = require "pgorch.json"
local linode = require "pgorch.sandbox.linode"
local s3     = require "pgorch.s3"
local secret = require "pgorch.secret"

local run = require "support.provider_run"("linode", { "--instance", "demo" }, function(world)
  return world.linode:database_url(world.linode.state.databases[1])
end)

local BUCKET, KEY = "postgres-for-migration", "dump/ü x+1&2.dump"

-- The stand-in has no database here: nothing listens where it says.
local function with_api(rgw, fn)
  fs.with_temporary("pgorch-linode-", function(dir)
    local world = { dir = dir, source = { host = "127.0.0.1", port = 1, user = "u", password = "not-a-password",
      dbname = "d", version = 15 } }
    local api <close> = linode.start(world, { s3 = rgw })
    fn(function(path, body)
      return json.decode(http.request({ method = "POST", url = api.url .. path, body = json.encode(body),
        headers = { authorization = "Bearer " .. api.token, ["content-type"] = "application/json" } }).body)
    end)
  end)
end

describe("Linode's object-url", function()
  it("works at a real Ceph RGW", function()
    local rgw <close> = ceph.start()
    with_api(rgw, function(post)
      local key = post("/object-storage/keys", { label = "migration" })
      s3.client({ endpoint = rgw.url, region = "us-east-1", access_key = secret.new(key.access_key),
        secret_key = secret.new(key.secret_key) }):bucket(BUCKET):create()
      local function url(more)
        more.name = KEY
        return post(("/object-storage/buckets/us-east/%s/object-url"):format(BUCKET), more).url
      end
      local function status(method, at, o)
        o = o or {}
        o.method, o.url, o.check = method, at, false
        local answer = http.request(o)
        return answer.status, answer
      end
      local put = url { method = "PUT", content_type = "text/x-dump" }
      expect((status("PUT", put, { body = "the dump", headers = { ["content-type"] = "text/x-dump" } }))).is(200)
      local good, answer = status("GET", url { method = "GET", content_disposition = "attachment" })
      expect({ good, answer.body, answer.headers["content-disposition"] }).same { 200, "the dump", "attachment" }
      local plain = url { method = "GET", expires_in = 600 }
      expect((status("GET", plain))).is(200)
      expect((status("GET", (plain:gsub("Expires=%d", "Expires=2"))))).is(403)
      expect((status("GET", (plain:gsub("Signature=.", "Signature=x"))))).is(403)
    end)
  end, { limit = 120 })
end)

describe("run linode", function()
  it("moves the data through a real Ceph RGW, by a URL of Signature Version 2", function()
    local rgw <close> = ceph.start()
    run.with_world({ s3 = { url = rgw.url, region = rgw.region, access_key = rgw.access_key,
      secret_key = rgw.secret_key } }, function(world)
      run.expect_exit(run.run(world, {}), 0)
      run.expect_moved(world)
      expect(world.heroku:app(run.APP).transfers[1].from_url).matches "%?Signature=[^&]+&Expires=%d+&AWSAccessKeyId="
      expect(world.linode.state.keys).same {}
      local client = s3.client { endpoint = rgw.url, access_key = rgw.access_key,
                                 secret_key = secret.new(rgw.secret_key) }
      local names = client:buckets()
      expect(#names).is(1)
      expect((client:bucket(names[1]):is_private())).is(true)
      expect(client:bucket(names[1]):list()).same {}
      expect(client:bucket(names[1]):uploads()).same {}
    end)()
  end, { limit = 250 })
end)
