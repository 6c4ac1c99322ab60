-- The S3 client against the sandbox's endpoint, which checks every signature and digest with code of its own.

local bytes = require "pgorch.bytes"
local clock = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local fs = require "pgorch.fs"
local host = require "pgorch.native.host"
local http = require "pgorch.http"
local json = require "pgorch.json"
local log = require "pgorch.log"
local native = require "pgorch.native.s3"
local noise = require "support.noise"
local wire = require "pgorch.s3.wire"
local parts = require "pgorch.s3.parts"
local process = require "pgorch.process"
local s3 = require "pgorch.s3"
local sandbox_s3 = require "pgorch.sandbox.s3"
local secret = require "pgorch.secret"
local stream = require "pgorch.stream"
local task = require "pgorch.task"
local upload_stream = require "pgorch.s3.upload".run

local MIB = 1 << 20

local world, endpoint, client, warnings

local function client_of(keys)
  return s3.client { endpoint = endpoint.url, access_key = keys.access_key, secret_key = secret.new(keys.secret_key) }
end

local function fault(name, what)
  fs.write(("%s/faults/%s"):format(world.dir, name), json.encode(what))
end

local function faults_left()
  return #fs.list(world.dir .. "/faults")
end

local function upload(bucket, key, size, options)
  return task.group(function(group) return bucket:upload(key, noise.stream(group, size), options) end)
end

local sink = log.sink

describe("s3", function()
  before(function()
    world = { dir = fs.mkdtemp "pgorch-s3-" }
    fs.mkdir(world.dir .. "/faults")
    endpoint = sandbox_s3.start(world)
    client = client_of(endpoint)
    warnings = {}
    log.sink = function(level, message) if level ~= "debug" then warnings[#warnings + 1] = message end end
  end)
  after(function()
    log.sink = sink
    endpoint:close()
    fs.remove_tree(world.dir)
  end)

  local function bucket(name)
    local made = client:bucket(name or "dumps")
    made:create()
    return made
  end

  it("makes a bucket once, and tells whose one is", function()
    local mine = client:bucket "dumps"
    expect(mine:head()).is "free"
    expect(mine:create()).is(true)
    expect(mine:create()).is(false)
    expect(mine:head()).is "mine"
    expect(client:bucket("taken-by-somebody-else"):head()).is "foreign"
    local err = expect(function() client:bucket("taken-by-somebody-else"):create() end):raises "PGO-S3-BUCKET-TAKEN"
    expect(err.message).has "taken-by-somebody-else"
    expect(client:buckets()).same { "dumps" }
    expect(mine:remove()).is(true)
    expect(mine:remove()).is(false)
    expect(function() client:bucket "no/name" end):raises "PGO-INVALID"
  end)

  it("stores, reads, lists and deletes objects with awkward names", function()
    local b = bucket()
    for _, key in ipairs { "plain", "a/b//c", "obj 1+ü=&?#%.bin", "a/../b", "~!*'();:@,[]" } do
      local put = b:put(key, "hello " .. key, { meta = { note = "two words" } })
      expect(put.etag).is(crypto.md5("hello " .. key))
      expect((b:get(key))).is("hello " .. key)
      local head = b:head_object(key)
      expect(head.size).is(#key + 6)
      expect(head.etag).is(put.etag)
      expect(head.meta.note).is "two words"
      expect(b:list(key)[1].key).is(key)
      b:delete(key)
      b:delete(key)
      expect(b:head_object(key)).is(nil)
    end
    expect(b:list()).same {}
  end)

  it("reads ranges and into streams", function()
    local b = bucket()
    b:put("key", bytes.new "0123456789")
    expect((b:get("key", { range = "0-4" }))).is "01234"
    local err = expect(function() b:get("key", { range = "10-" }) end):raises "PGO-S3"
    expect(err.code).is "InvalidRange"
    local into = stream.new()
    local text
    task.group(function(group)
      group:spawn(function() text = into:read_all() end)
      b:get("key", { into = into })
    end)
    expect(text).is "0123456789"
  end)

  it("lists more than a page holds", function()
    local b = bucket()
    local names = {}
    for i = 1, 1003 do names[i] = ("k/%04d"):format(i) end
    task.map(names, { limit = 8 }, function(name) b:put(name, "") end)
    local found = b:list "k/"
    expect(#found).is(1003)
    expect(found[1003].key).is "k/1003"
  end, { limit = 120 })

  it("signs URLs that work for anybody, for one method, for so long", function()
    local b = bucket()
    b:put("a b/ü+", "0123456789")
    local url = b:presign("GET", "a b/ü+", 60)
    expect(secret.is(url)).is(true)
    local reply = http.request { method = "GET", url = url, headers = { range = "bytes=0-0" } }
    expect(reply.status).is(206)
    expect(reply.headers["content-range"]).is "bytes 0-0/10"
    expect(http.request({ method = "HEAD", url = url, check = false }).status).is(403)
    expect(http.request({ method = "GET", url = url .. "&x=1", check = false }).status).is(403)
    expect(function() b:presign("GET", "k", 0) end):raises "PGO-INVALID"
    expect(function() b:presign("GET", "k", 604801) end):raises "PGO-INVALID"
  end)

  it("tells whether a bucket is private", function()
    local b = bucket()
    b:put("key", "x")
    expect((b:is_private())).is(true)
    expect((b:is_private "key")).is(true)
    b:put("open", "x", { headers = { ["x-amz-acl"] = "public-read" } })
    local private, why = b:is_private "open"
    expect(private).is(false)
    expect(why).has "AllUsers"
    b:request { method = "PUT", query = { acl = "" }, headers = { ["x-amz-acl"] = "public-read" } }
    expect((b:is_private())).is(false)
  end)

  it("says what is wrong with the keys", function()
    bucket()
    local wrong = client_of { access_key = endpoint.access_key, secret_key = "not the secret key" }
    local err = expect(function() wrong:bucket("dumps"):list() end):raises "PGO-S3-CREDENTIALS"
    expect(err.code).is "SignatureDoesNotMatch"
    expect(err.message).has "secret key does not fit"
    err = expect(function() wrong:bucket("dumps"):head() end):raises "PGO-S3-CREDENTIALS"
    expect(err.status).is(403)
    local unknown = client_of { access_key = "NOBODY", secret_key = "not the secret key" }
    err = expect(function() unknown:bucket("dumps"):put("k", "x") end):raises "PGO-S3-CREDENTIALS"
    expect(err.code).is "InvalidAccessKeyId"
    err = expect(function() client_of(endpoint.other):bucket("dumps"):list() end):raises "PGO-S3"
    expect(err.message).has "AccessDenied: these keys may not do this"
  end)

  it("repeats what may be repeated, and only that", function()
    local b = bucket()
    fault("s3.put_object", { answer = 503, code = "SlowDown", times = 2 })
    b:put("key", "x")
    fault("s3.put_object", { answer = 400, code = "BadDigest", times = 1 })
    b:put("key", "x")
    fault("s3.get_object", { drop = true })
    expect((b:get "key")).is "x"
    expect(faults_left()).is(0)
    fault("s3.put_object", { answer = 403, code = "QuotaExceeded", times = 2 })
    local err = expect(function() b:put("key", "x") end):raises "PGO-S3"
    expect(err.message).has "quota"
    expect(faults_left()).is(1)
    fault("s3.put_object", { answer = 400, code = "BadDigest", times = 4 })
    expect(function() b:put("key", "x") end):raises "PGO-S3-INTEGRITY"
  end)

  it("accounts for a clock that is wrong, warns once, and signs URLs with the server's time", function()
    local b = bucket()
    b:put("key", "x")
    fault("s3.any", { skew = 3600, times = "always" })
    expect(#b:list()).is(1)
    expect((b:get "key")).is "x"
    expect(b:head()).is "mine"
    expect(#warnings).is(1)
    expect(warnings[1]).has "60 minutes behind"
    expect(http.request({ method = "GET", url = b:presign("GET", "key", 60) }).status).is(200)
  end)

  it("notices a wrong clock when the first request is a HEAD, whose answer says nothing", function()
    bucket()
    fault("s3.any", { skew = -7200, times = "always" })
    expect(client_of(endpoint):bucket("dumps"):head()).is "mine"
    expect(warnings[1]).has "120 minutes ahead"
  end)

  it("uploads a small stream with one request", function()
    local b = bucket()
    for _, size in ipairs { 0, 1, 100000 } do
      local result = upload(b, "small", size, { meta = { run = "1" } })
      expect(result.bytes).is(size)
      expect(result.parts).is(1)
      expect(b:head_object("small").size).is(size)
      expect(b:head_object("small").meta.run).is "1"
    end
    expect(#b:uploads()).is(0)
  end)

  it("uploads in parts, tells the id first, and verifies the whole", function()
    local b = bucket()
    local id, seen = nil, {}
    local result = upload(b, "big", 20 * MIB + 5, {
      meta = { run = "1" }, sha256 = true,
      on_upload_id = function(given) id = given; expect(#seen).is(0) end,
      progress = function(n) seen[#seen + 1] = n end,
    })
    expect(result.bytes).is(20 * MIB + 5)
    expect(result.parts).is(3)
    expect(result.etag).matches "^%x+%-3$"
    expect(id).is_not(nil)
    expect(seen[#seen]).is(20 * MIB + 5)
    local head = b:head_object "big"
    expect(head.etag).is(result.etag)
    expect(head.meta.run).is "1"
    expect(#result.sha256).is(64)
    expect(b:sha256 "big").is(result.sha256)
    expect(#b:uploads()).is(0)
  end)

  -- Uploads an archive whose first `head_size` bytes are final only at its end, and expects them in their place.
  local function upload_archive(b, size, head_size)
    local text, ended = crypto.random(65521):rep(size // 65521 + 1):sub(1, size), false
    local from, final = stream.new(), ("H"):rep(head_size)
    local head = { head_size = function() return head_size end,
      head = function(_, at, most)
        return ended and bytes.new(final:sub(at + 1, at + most)) or error "asked before the end"
      end }
    local result = task.group(function(group)
      group:spawn(function()
        from:write(text)
        ended = true
        from:finish()
      end)
      return b:upload("archive", from, { head = head })
    end)
    expect(result.bytes).is(size)
    expect(b:head_object("archive").etag).is(result.etag)
    expect(#b:uploads()).is(0)
    local stored = b:get("archive", { limit = 80 * MIB })
    expect(stored == (result.offsets and final or text:sub(1, head_size)) .. text:sub(head_size + 1)).is(true)
    return result
  end

  it("sends the part that holds an archive's head last, with the final head in it", function()
    local result = upload_archive(bucket(), 20 * MIB + 5, 70001)
    expect(result.parts).is(3)
    expect(result.offsets).is(true)
  end)

  it("tells who makes an archive whether enough of it is on its way", function()
    local from, told = stream.new(), {}
    local head = { head_size = function() return 5 end, head = function() return bytes.new "final" end,
      ahead = function(_, enough) told[#told + 1] = enough end }
    task.group(function(group)
      group:spawn(function()
        from:write(("x"):rep(25 * MIB))
        from:finish()
      end)
      bucket():upload("archive", from, { head = head, parallel = 8 })
    end)
    expect(told[1]).is(false)          -- one part of eight, then more
    expect(told[#told]).is(false)      -- all have arrived
    local places, seen = parts.places(8), {}
    for i = 1, 4 do
      places:take(8 * MIB)
      local unknown, slow, quick = places:are_enough(), places:are_enough(20 * MIB), places:are_enough(50 * MIB)
      seen[i] = ("%s %s %s"):format(unknown, slow, quick)
    end
    expect(seen).same { "false false false", "false true false", "false true false", "true true true" }
  end)

  it("knows the speed of the way, by the time in which something was on it", function()
    local way = wire.new()
    expect(way:speed()).is(nil)
    way:begin()
    way:begin()
    task.sleep(0.2)
    way:done(1000)
    way:done(0)
    local speed = way:speed()
    expect(speed).above(0)
    expect(speed).below(5001)
    task.sleep(0.1)
    expect(way:speed()).is(speed)        -- nothing was on it meanwhile
  end)

  it("finishes a head of several parts, one that ends at a part's border, and one in a single request", function()
    local b = bucket()
    for _, each in ipairs { { 20 * MIB, 9 * MIB + 1 }, { 17 * MIB, 8 * MIB }, { 16 * MIB, 16 * MIB - 9 },
      { 100000, 70001 } } do
      expect(upload_archive(b, each[1], each[2]).offsets).is(true)
    end
  end)

  it("leaves a head as it was streamed when it is more than may wait in memory", function()
    local b = bucket()
    expect(upload_archive(b, 34 * MIB, 32 * MIB + 1).offsets).is(false)
    expect(upload_archive(b, 34 * MIB, 32 * MIB).offsets).is(true)
    expect(upload(b, "no head", 9 * MIB).offsets).is(nil)
  end)

  it("takes a final head of another size for a mistake, and leaves nothing", function()
    local b = bucket()
    local size
    local head = { head_size = function() return size end, head = function() return bytes.new(("H"):rep(1000)) end }
    for _, announced in ipairs { 1001, 999 } do
      size = announced
      expect(function() upload(b, "archive", 9 * MIB, { head = head }) end):raises "PGO-BUG"
      expect(function() upload(b, "archive", 9000, { head = head }) end):raises "PGO-BUG"
    end
    expect(#b:uploads() + #b:list()).is(0)
    expect(function() upload(b, "archive", 9000, { head = head, sha256 = true }) end):raises "PGO-INVALID"
  end)

  it("ends well on a part's border", function()
    expect(upload(bucket(), "even", 16 * MIB).parts).is(2)
  end)

  it("sends a part again", function()
    local b = bucket()
    fault("s3.put_part", { answer = 503, code = "SlowDown", times = 2 })
    expect(upload(b, "again", 20 * MIB).parts).is(3)
    fault("s3.put_part", { drop = true })
    expect(upload(b, "again", 20 * MIB).parts).is(3)
    expect(faults_left()).is(0)
  end)

  it("repeats a Complete that failed, or whose answer was lost", function()
    local b = bucket()
    for _, what in ipairs {
      { answer = 200, code = "InternalError", body = "<Error><Code>InternalError</Code><Message/></Error>" },
      { answer = 500, code = "InternalError" },
      { after = true },
      { after = true, answer = 500, code = "InternalError" },
    } do
      fault("s3.complete_upload", what)
      expect(upload(b, "complete", 9 * MIB).parts).is(2)
      expect(faults_left()).is(0)
    end
  end)

  it("aborts the upload when it fails, and stops whoever writes", function()
    local b = bucket()
    fault("s3.put_part", { answer = 403, code = "QuotaExceeded", times = "always" })
    local err = expect(function() upload(b, "fails", 64 * MIB) end):raises "PGO-S3"
    expect(err.code).is "QuotaExceeded"
    expect(#b:uploads()).is(0)
    expect(b:head_object "fails").is(nil)
  end)

  it("aborts the upload when the stream fails, and raises the stream's error", function()
    local b = bucket()
    local s = stream.new()
    local err = expect(function()
      task.group(function(group)
        group:spawn(function()
          local piece = ("x"):rep(MIB)
          for _ = 1, 17 do s:write(piece) end
          s:fail { id = "PGO-DUMP", message = "pg_dump ended with status 1" }
        end)
        b:upload("half", s)
      end)
    end):raises "PGO-DUMP"
    expect(err.message).has "status 1"
    expect(#b:uploads()).is(0)
  end)

  it("aborts the upload when it is cancelled", function()
    local b = bucket()
    fault("s3.put_part", { delay = 30, times = "always" })
    expect(function() task.timeout(1, upload, b, "cancelled", 40 * MIB) end):raises "PGO-TIMEOUT"
    expect(#b:uploads()).is(0)
  end)

  it("finds and aborts uploads that were left", function()
    local b = bucket()
    for _, key in ipairs { "p/1", "p/2 ü", "q/1" } do
      b:request { method = "POST", key = key, query = { uploads = "" }, expect = "InitiateMultipartUploadResult" }
    end
    local left = b:uploads "p/"
    expect(#left).is(2)
    expect(left[2].key).is "p/2 ü"
    expect(math.abs(left[1].initiated - clock.time()) < 60).is(true)
    expect(b:abort_stale_uploads "p/").is(2)
    expect(#b:uploads()).is(1)
    b:abort { key = "p/1", id = left[1].id }
  end)
end)

describe("s3 by itself", function()
  it("signs the presigned GET of the S3 manual", function()
    local url = native.presign {
      access_key = "AKIAIOSFODNN7EXAMPLE", secret_key = secret.new "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
      region = "us-east-1", time = clock.parse_iso "2013-05-24T00:00:00Z", method = "GET", path = "/test.txt",
      headers = { host = "examplebucket.s3.amazonaws.com" }, base = "https://examplebucket.s3.amazonaws.com",
      seconds = 86400,
    }
    expect(url == secret.new("https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
      .. "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
      .. "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
      .. "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")).is(true)
  end)

  it("signs a request with its query, and gives the target as it was signed", function()
    local target, headers = native.sign {
      access_key = "AKIAIOSFODNN7EXAMPLE", secret_key = secret.new "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
      region = "us-east-1", time = clock.parse_iso "2013-05-24T00:00:00Z", method = "GET", path = "/",
      query = { prefix = "J", ["max-keys"] = 2 }, headers = { host = "examplebucket.s3.amazonaws.com" },
      payload_hash = crypto.sha256 "",
    }
    expect(target).is "/?max-keys=2&prefix=J"
    expect(headers.authorization).has
      "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    expect(headers["x-amz-date"]).is "20130524T000000Z"
  end)

  it("makes parts grow, so that 10,000 hold what a database may be", function()
    local total = 0
    for number = 1, 10000 do total = total + s3.part_size(number) end
    expect(s3.part_size(1)).is(8 * MIB)
    expect(s3.part_size(256)).is(8 * MIB)
    expect(s3.part_size(257)).is(16 * MIB)
    expect(s3.part_size(2401)).is(32 * MIB)
    expect(s3.part_size(4001)).is(64 * MIB)
    expect(s3.part_size(5501)).is(384 * MIB)
    expect(total // MIB > 1800000).is(true)
    expect(function() s3.part_size(10001) end):raises "PGO-LIMIT"
  end)

  -- How many parts of that number's size are on their way when no more are taken.
  local function at_once(number, held)
    local places, count = parts.places(), 0
    places:hold(held)
    pcall(task.timeout, 0.05, function()
      while true do
        places:take(parts.size(number))
        count = count + 1
      end
    end)
    return count
  end

  it("has several parts on their way, those that have grown too, and fewer when a large head waits", function()
    expect(at_once(1, 0)).is(8)
    expect(at_once(1, 1)).is(8)
    expect(at_once(257, 1)).is(4)
    expect(at_once(2401, 1)).is(2)
    expect(at_once(5501, 1)).is(1)
    expect(at_once(1, 2)).is(6)
    expect(at_once(1, 4)).is(4)
    expect(at_once(257, 4)).is(2)
  end)

  -- In a process of its own, whose memory is that of the upload: a storage that is slower than the stream.
  local UPLOAD = [[
    local bytes, fs, task = require "pgorch.bytes", require "pgorch.fs", require "pgorch.task"
    local parts, stream, upload = require "pgorch.s3.parts", require "pgorch.stream", require "pgorch.s3.upload"
    local bucket, md5, size = {}, {}, 0
    function bucket:request(r)
      if r.expect == "InitiateMultipartUploadResult" then return { xml = { text_of = function() return "id" end } } end
      if r.method ~= "PUT" then return {} end
      task.sleep(0.1)
      local block = r.length and r.body:take(r.length) or r.body
      if #block < (r.length or 0) then error "the body is too short" end
      local etag = block:digests({ "md5" }).md5
      md5[tonumber(r.query.partNumber)], size = etag, size + #block
      return { headers = { etag = etag } }
    end
    function bucket:head_object() return { size = size, etag = parts.composite_etag(md5) } end
    local from, piece = stream.new(), ("x"):rep(1 << 18)
    task.group(function(group)
      group:spawn(function()
        for _ = 1, (2048 + 20 * 16) * 4 do from:write(piece) end
        from:finish()
      end)
      local final = piece:sub(1, 1000)
      local head = { head_size = function() return #final end, head = function() return bytes.new(final) end }
      print(upload.run(bucket, "key", from, { head = head }).parts)
    end)
    print(fs.read("/proc/self/status"):match "VmHWM:%s+(%d+)")]]

  -- Under the address sanitizer nothing can be said: it keeps freed memory.
  it("needs little memory, also when parts have grown", function()
    if fs.read("/proc/self/maps"):find("libasan", 1, true) then return end
    local said = process.run({ host.executable(), "eval", UPLOAD, timeout = 100 }).stdout
    local count, kilobytes = said:match "(%d+)%s+(%d+)"
    expect(count).is "276"
    expect(tonumber(kilobytes) * 1024).below(150e6)
  end, { limit = 120 })

  it("computes the MD5s of several blocks at once, and refuses what has no lanes", function()
    local blocks, texts = {}, {}
    for i = 1, 8 do
      texts[i] = (tostring(i)):rep(100003)
      blocks[i] = bytes.new(texts[i])
    end
    for i, each in ipairs(bytes.md5(blocks)) do expect(each).is(crypto.md5(texts[i])) end
    expect(bytes.md5 { bytes.new "" }).same { crypto.md5 "" }
    for _, wrong in ipairs { {}, { bytes.new "a", bytes.new "ab" }, { "a" } } do
      expect(pcall(bytes.md5, wrong)).is(false)
    end
    blocks[9] = bytes.new(texts[1])
    expect(pcall(bytes.md5, blocks)).is(false)
  end)

  it("composes an ETag", function()
    local a, b = crypto.md5 "a", crypto.md5 "b"
    expect(s3.composite_etag { a, b }).is(crypto.md5(crypto.unhex(a .. b)) .. "-2")
  end)

  -- The crew has other work: the first part's MD5 is in its line, and the others wait, when it is cancelled.
  -- A bucket that keeps what it gets. `early(request, number)` is asked for the ETag of a part that is still filled.
  local function keeping(early)
    local bucket, sent, md5 = {}, {}, {}
    local size = 0
    function bucket.request(_, r)
      if r.expect == "InitiateMultipartUploadResult" then return { xml = { text_of = function() return "id" end } } end
      local number = tonumber(r.query.partNumber)
      if not number then return {} end
      if r.length then
        local etag, length = early(r, number)
        size = size + length
        md5[number] = etag
        return { headers = { etag = etag } }
      end
      sent[#sent + 1], md5[number], size = number, r.digests.md5, size + #r.body
      return { headers = { etag = r.digests.md5 } }
    end
    function bucket.head_object() return { size = size, etag = parts.composite_etag(md5) } end
    return bucket, sent
  end

  it("sends a part while it is filled when the wire is idle", function()
    local begun, asked = task.event(), {}
    local bucket, sent = keeping(function(r, number)
      local some = assert(r.body:take(MIB), "a third part that does not come")
      begun:set()
      local rest = r.body:take(r.length - MIB)
      asked[#asked + 1] = number
      return crypto.md5(some:string() .. rest:string()), r.length
    end)
    local from, piece = stream.new(), ("x"):rep(MIB)
    task.group(function(group)
      group:spawn(function()
        for i = 1, 16 do
          from:write(piece)
          if i == 10 then begun:wait() end      -- the rest comes only when the first of it is on its way
        end
        from:finish()
      end)
      local function head() return bytes.new(piece:sub(1, 1000)) end
      local final = { head_size = function() return 1000 end, head = head }
      expect(upload_stream(bucket, "key", from, { head = final }).parts).is(2)
    end)
    expect(asked).same { 2 }
    expect(sent).same { 1 }
  end, { limit = 20 })

  it("sends a part again, whole, that was not stored well while it was filled, or is the last and shorter", function()
    local wrong = { [2] = function() return ("0"):rep(32), 0 end, [3] = function() error "refused" end,
      [4] = function(r) if not r.body:take(r.length) or true then error "it ended" end end }
    local bucket, sent = keeping(function(r, number) return wrong[number](r) end)
    local from, piece = stream.new(), ("x"):rep(MIB)
    task.group(function(group)
      group:spawn(function()
        for _ = 1, 25 do from:write(piece) end
        from:finish()
      end)
      expect(upload_stream(bucket, "key", from, { parallel = 1 }).bytes).is(25 * MIB)
    end)
    table.sort(sent)
    expect(sent).same { 1, 2, 3, 4 }
  end)

  it("says that an upload was cancelled, and nothing else, when that comes while MD5s are computed", function()
    local busy, piece, sent = bytes.new(("x"):rep(64 * MIB)), ("x"):rep(MIB), 0
    local bucket = { abort = function() end }
    function bucket.request(_, r)
      if r.digests then sent = sent + 1 end
      return { headers = {}, xml = { text_of = function() return "id" end } }
    end
    local ended = false
    task.group(function(group)
      for _ = 1, 8 do group:spawn(busy.digests, busy, { "md5", "sha256" }) end
      local from = stream.new()
      group:spawn(function()
        for _ = 1, 40 do from:write(piece) end
        ended = true
        group:cancel "enough"
      end)
      upload_stream(bucket, "key", from)
    end)
    expect(ended).is(true)
    expect(sent).is(0)
  end)

  it("refuses an endpoint that is none", function()
    for _, bad in ipairs { "", "ftp://host", "https://host/path", "https://user@host", "https://host?x" } do
      expect(function() s3.client { endpoint = bad, access_key = "a", secret_key = secret.new "b" } end)
        :raises "PGO-INVALID"
    end
    expect(function() s3.client { endpoint = "host" } end):raises "PGO-INVALID"
  end)
end)
