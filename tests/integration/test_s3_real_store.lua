-- The S3 client against real object stores, which differ where clients break: uploads in parts, listings, what is
-- private, versions, refusals. Ceph RGW is what runs at Vultr and Linode; Swift is strict where RGW is lax.

local ceph   = require "support.ceph"
local crypto = require "pgorch.crypto"
local http   = require "pgorch.http"
local noise  = require "support.noise"
local s3     = require "pgorch.s3"
local secret = require "pgorch.secret"
local stream = require "pgorch.stream"
local swift  = require "support.swift"
local task   = require "pgorch.task"

local MIB = 1 << 20

local function client_of(store, keys)
  keys = keys or store
  return s3.client { endpoint = store.url, access_key = keys.access_key, secret_key = secret.new(keys.secret_key) }
end

--- Uploads so many bytes that are unlike from place to place.
local function upload(bucket, key, size, options)
  return task.group(function(group)
    return bucket:upload(key, noise.stream(group, size), options)
  end)
end

local function makes_buckets(store, other)
  local client = client_of(store)
  local bucket = client:bucket "mine"
  expect(bucket:head()).is "free"
  expect(bucket:create()).is(true)
  expect(bucket:create()).is(false)
  expect(client:buckets()).same { "mine" }
  if other.foreign then
    client_of(store, other):bucket("theirs"):create()
    expect(client:bucket("theirs"):head()).is "foreign"
    expect(function() client:bucket("theirs"):create() end):raises "PGO-S3-BUCKET-TAKEN"
  end
  expect(client:bucket("none"):remove()).is(false)
  return bucket
end

local function keeps_objects(bucket)
  for _, key in ipairs { "plain", "a/b//c", "obj 1+ü=&?#%.bin", "~!*'();:@,[]", "dir/" } do
    expect(bucket:put(key, "hello", { meta = { note = "two words" } }).etag).is(crypto.md5 "hello")
    expect((bucket:get(key))).is "hello"
    expect((bucket:get(key, { range = "1-2" }))).is "el"
    expect(bucket:head_object(key).meta.note).is "two words"
    expect(bucket:list(key)[1].key).is(key)
    local url = bucket:presign("GET", key, 60)
    expect(bucket:try(url, "0-0").body).is "h"
    expect(http.request({ method = "GET", url = url .. "0", check = false }).status).is(403)
    bucket:delete(key)
    bucket:delete(key)
    expect(bucket:head_object(key)).is(nil)
  end
  expect(bucket:list()).same {}
end

local function uploads_in_parts(bucket)
  local id
  local result = upload(bucket, "big ü", 20 * MIB + 5, { sha256 = true, meta = { run = "1" },
    on_upload_id = function(given) id = given end })
  expect(result.parts).is(3)
  expect(id).is_not(nil)
  expect(bucket:head_object("big ü").meta.run).is "1"
  expect(bucket:sha256 "big ü").is(result.sha256)
  expect(#bucket:uploads()).is(0)
  expect(upload(bucket, "even", 16 * MIB).parts).is(2)
  bucket:delete "even"
  bucket:delete "big ü"
end

local function gives_up_uploads(bucket)
  for _, key in ipairs { "p/1", "p/2 ü", "q/1" } do
    bucket:request { method = "POST", key = key, query = { uploads = "" }, expect = "InitiateMultipartUploadResult" }
  end
  expect(bucket:uploads("p/")[2].key).is "p/2 ü"
  expect(bucket:abort_stale_uploads "p/").is(2)
  expect(bucket:abort_stale_uploads "").is(1)
  expect(#bucket:uploads()).is(0)
end

local function stops_when_cancelled(bucket)
  expect(function() task.timeout(1, task.group, function()
    local never = stream.new()
    never:write "x"
    bucket:upload("cancelled", never)
  end) end):raises "PGO-TIMEOUT"
  expect(#bucket:uploads()).is(0)
end

local function deletes_versions(bucket)
  bucket:request { method = "PUT", query = { versioning = "" },
    body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>" }
  bucket.versioned = nil
  for _, text in ipairs { "one", "two" } do bucket:put("kept", text) end
  bucket:delete "kept"
  expect(bucket:head_object "kept").is(nil)
  local left = bucket:request { method = "GET", query = { versions = "" } }
  expect(left.body).lacks "<VersionId>"
end

local function refuses(store)
  local wrong = client_of(store, { access_key = store.access_key, secret_key = "not the secret key" })
  expect(function() wrong:bucket("mine"):head() end):raises "PGO-S3-CREDENTIALS"
  local unknown = client_of(store, { access_key = "nobody:at-all", secret_key = "not the secret key" })
  expect(function() unknown:bucket("mine"):put("k", "x") end):raises "PGO-S3-CREDENTIALS"
  local err = expect(function() client_of(store):bucket("mine"):get "none" end):raises "PGO-S3"
  expect(err.code).is "NoSuchKey"
end

local function does_it_all(store, other)
  local bucket = makes_buckets(store, other)
  expect((bucket:is_private())).is(true)
  for _, step in ipairs { keeps_objects, uploads_in_parts, gives_up_uploads, stops_when_cancelled, deletes_versions } do
    step(bucket)
  end
  refuses(store)
  expect(bucket:remove()).is(true)
end

local LIMIT = { limit = 100 } -- a request that is waited for in vain takes two minutes

describe("the S3 client", function()
  it("works with Swift", function()
    local store <close> = swift.start()
    does_it_all(store, { foreign = false }) -- bucket names belong to an account there
  end, LIMIT)

  it("works with Ceph RGW", function()
    local rgw <close> = ceph.start()
    local other = rgw:add_user "other"
    does_it_all(rgw, { foreign = true, access_key = other.access_key, secret_key = other.secret_key })
    local bucket = client_of(rgw):bucket "mine"
    bucket:create()

    bucket:put("open", "x", { headers = { ["x-amz-acl"] = "public-read" } })
    expect(select(2, bucket:is_private "open")).has "AllUsers"
    bucket:request { method = "PUT", query = { policy = "" }, body = '{"Version":"2012-10-17","Statement":[{"Effect":'
      .. '"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::mine/*"}]}' }
    expect(select(2, bucket:is_private())).has "policy"

    rgw:set_quota("pgorch", 20 * MIB)
    local err = expect(function() upload(bucket, "too much", 64 * MIB) end):raises "PGO-S3"
    expect(err.code).is "QuotaExceeded"
    expect(#bucket:uploads()).is(0)
    rgw:suspend "pgorch"
    expect(function() bucket:list() end):raises "PGO-S3-CREDENTIALS"
  end, LIMIT)

  it("waits for a Ceph whose disk hangs", function()
    local rgw <close> = ceph.start()
    local bucket = client_of(rgw):bucket "mine"
    bucket:create()
    local osd = rgw.daemons[2]
    task.group(function(group)
      osd:kill "STOP"
      group:spawn(function()
        task.sleep(3)
        osd:kill "CONT"
      end)
      expect(upload(bucket, "slow", 20 * MIB).parts).is(3)
    end)
  end, LIMIT)
end)
