-- What the S3 client makes of an object store that is slow, forgets, spoils, or does not say what it did.

local crypto     = require "pgorch.crypto"
local faults     = require "pgorch.sandbox.faults"
local fs         = require "pgorch.fs"
local s3         = require "pgorch.s3"
local sandbox_s3 = require "pgorch.sandbox.s3"
local secret     = require "pgorch.secret"
local stream     = require "pgorch.stream"
local task       = require "pgorch.task"

local MIB = 1 << 20
local SIZE = 17 * MIB -- three parts

local world, endpoint, bucket

local function fault(name, what) faults.put(world, name, what) end

local function faults_left()
  local names = fs.list(world.dir .. "/faults")
  return table.concat(names, " ")
end

--- Uploads SIZE bytes under "key".
local function upload(options)
  return task.group(function(group)
    local from = stream.new()
    group:spawn(function()
      local piece = crypto.random(1 << 16)
      local ok = pcall(function()
        for _ = 1, SIZE // #piece do from:write(piece) end
      end)
      if ok then from:finish() end
    end)
    return bucket:upload("key", from, options)
  end)
end

--- Nothing that would be billed: no upload that nobody finishes.
local function expect_no_upload() expect(#bucket:uploads()).is(0) end

describe("the S3 client, when the storage", function()
  before(function()
    world = { dir = fs.mkdtemp "pgorch-s3-" }
    endpoint = sandbox_s3.start(world)
    bucket = s3.client { endpoint = endpoint.url, access_key = endpoint.access_key,
      secret_key = secret.new(endpoint.secret_key) }:bucket "dumps"
    bucket:create()
  end)
  after(function()
    endpoint:close()
    fs.remove_tree(world.dir)
  end)

  it("asks for less for a while: goes on", function()
    fault("s3.put_part", { answer = 503, code = "SlowDown", times = 5 })
    expect(upload().parts).is(3)
    expect(faults_left()).is ""
  end)

  it("is slow: waits for it", function()
    fault("s3.put_part", { rate = 10 * MIB, times = "always" })
    expect(upload().bytes).is(SIZE)
  end)

  it("loses a part: finds out at the end, and leaves nothing", function()
    fault("s3.put_part", { lose = true })
    local err = expect(upload):raises "PGO-S3"
    expect(err.code).is "InvalidPart"
    expect(err.message).has "the parts that the storage has are not the parts that were sent"
    expect(bucket:head_object "key").is(nil)
    expect_no_upload()
  end)

  it("spoils a part on the way: sends it again", function()
    fault("s3.put_part", { damage = "wire", times = 2 })
    local result = upload { sha256 = true }
    expect(faults_left()).is ""
    expect(bucket:sha256 "key").is(result.sha256)
  end)

  it("spoils every part: gives up", function()
    fault("s3.put_part", { damage = "wire", times = "always" })
    local err = expect(upload):raises "PGO-S3-INTEGRITY"
    expect(err.message).has "was stored with the ETag"
    expect_no_upload()
  end)

  it("spoils a part on its disk: sees it by reading all of it", function()
    fault("s3.put_part", { damage = "disk" })
    local result = upload { sha256 = true }
    expect(bucket:sha256 "key").is_not(result.sha256)
  end)

  it("leaves out a part of the object: sees it by size and ETag", function()
    fault("s3.complete_upload", { lose = true })
    local err = expect(upload):raises "PGO-S3-INTEGRITY"
    expect(err.message).has(("%d were sent"):format(SIZE))
  end)

  it("answers Complete with 200 and an error: completes it again", function()
    fault("s3.complete_upload", { answer = 200, code = "InternalError", times = 2 })
    local result = upload()
    expect(faults_left()).is ""
    expect(bucket:head_object("key").etag).is(result.etag)
  end)

  it("is asked through a proxy that answers in its place: asks again, until it is the storage that answers", function()
    upload()
    local page = { answer = 200, body = "<!DOCTYPE html><title>Sign in</title>" }
    fault("s3.delete_object", page)
    bucket:delete "key"
    expect(faults_left()).is ""
    expect(bucket:head_object "key").is(nil)
    page.times = "always"
    fault("s3.list_objects", page)
    local err = expect(function() bucket:list() end):raises "PGO-S3"
    expect(err.message).has "a web page came in the place of an answer"
    expect(err.retryable).is(true)
  end)

  it("has completed and its answer is lost, or is an error: looks, and is content", function()
    for _, what in ipairs { { after = true }, { after = true, answer = 500 },
      { after = true, answer = 200, code = "InternalError" }, { after = true, answer = 404, code = "NoSuchUpload" } } do
      fault("s3.complete_upload", what)
      local result = upload()
      expect(faults_left()).is ""
      expect(bucket:head_object("key").etag).is(result.etag)
      expect_no_upload()
      bucket:delete "key"
    end
  end)

  it("has completed, loses the answer, and knows nothing of it when asked again: looks once more", function()
    fault("s3.complete_upload", { answer = 500, code = "InternalError" })
    fault("s3.head_object", { answer = 404, code = "NoSuchKey" }) -- not to be seen yet
    expect(upload().parts).is(3)
    fault("s3.complete_upload", { after = true })
    fault("s3.head_object", { answer = 404, code = "NoSuchKey" })
    expect(upload().parts).is(3)
    expect(faults_left()).is ""
    expect_no_upload()
  end)

  it("has lost the upload altogether: fails, and not as if it were done", function()
    fault("s3.complete_upload", { answer = 404, code = "NoSuchUpload", times = "always" })
    local err = expect(upload):raises "PGO-S3"
    expect(err.code).is "NoSuchUpload"
    expect(bucket:head_object "key").is(nil)
  end)
end)
