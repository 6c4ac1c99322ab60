-- The S3 stand-in: its canonicalisation against the published vectors, then over the wire what Ceph RGW 16 answers.
-- The requests are signed with the stand-in's own arithmetic; that the arithmetic is right is what the vectors and
-- the AWS CLI (tests/integration/test_aws_cli.lua) are for.

local clock = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local faults = require "pgorch.sandbox.faults"
local fs = require "pgorch.fs"
local http = require "pgorch.http"
local s3 = require "pgorch.sandbox.s3"
local sigv2 = require "pgorch.sandbox.s3.sigv2"
local sigv4 = require "pgorch.sandbox.s3.sigv4"
local stream = require "pgorch.stream"
local task = require "pgorch.task"
local url = require "pgorch.sandbox.url"
local xml = require "pgorch.xml"

local EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

describe("the published SigV4 vectors", function()
  local secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
  local credential = { day = "20130524", region = "us-east-1", service = "s3",
    scope = "20130524/us-east-1/s3/aws4_request" }
  local usual = { "host", "x-amz-content-sha256", "x-amz-date" }

  local function signature(method, target, signed, payload, more)
    local path, query = target:match("^([^?]*)%??(.*)$")
    local headers = { host = "examplebucket.s3.amazonaws.com", ["x-amz-date"] = "20130524T000000Z",
      ["x-amz-content-sha256"] = payload }
    for name, value in pairs(more or {}) do headers[name] = value end
    local request = { method = method, path = url.decode(path), parameters = url.parameters(query), headers = headers }
    return sigv4.signature(request, credential, signed, "20130524T000000Z", payload, secret)
  end

  it("derive the signing key", function()
    expect(crypto.hex(sigv4.signing_key(secret, "20130524", "us-east-1", "s3")))
      .is "dbb893acc010964918f1fd433add87c70e8b0db6be30c1fbeafefa5ec6ba8378"
  end)

  it("sign a ranged GET", function()
    expect(signature("GET", "/test.txt", { "host", "range", "x-amz-content-sha256", "x-amz-date" }, EMPTY,
      { range = "bytes=0-9" })).is "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
  end)

  it("sign a PUT with an encoded key", function()
    local signed = { "date", "host", "x-amz-content-sha256", "x-amz-date", "x-amz-storage-class" }
    expect(signature("PUT", "/test%24file.text", signed, crypto.sha256 "Welcome to Amazon S3.",
      { date = "Fri, 24 May 2013 00:00:00 GMT", ["x-amz-storage-class"] = "REDUCED_REDUNDANCY" }))
      .is "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
  end)

  it("sign parameters without and with values", function()
    expect(signature("GET", "/?lifecycle", usual, EMPTY))
      .is "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    expect(signature("GET", "/?prefix=J&max-keys=2", usual, EMPTY))
      .is "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
  end)

  it("presign a GET", function()
    expect(signature("GET", "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F"
      .. "20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
      .. "&X-Amz-SignedHeaders=host&X-Amz-Signature=left-out", { "host" }, "UNSIGNED-PAYLOAD"))
      .is "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
  end)

  it("sign by version 2", function()
    local request = { method = "GET", resource = "/johnsmith/photos/puppy.jpg", parameters = {}, headers = {} }
    expect(sigv2.signature(request, "1175139620", secret)).is "NpgCjnDzrM+WFzoENXmpNDUsSn8="
  end)
end)

local function stamp(time) return (clock.iso(math.floor(time)):gsub("[-:]", "")) end

--- A client of the endpoint that signs as it is told to, also wrongly.
local function client_of(endpoint)
  local client = { access = endpoint.access_key, secret = endpoint.secret_key, skew = 0 }
  local host = ("127.0.0.1:%d"):format(endpoint.port)

  local function sign(method, target, headers, payload)
    local path, query = target:match("^([^?]*)%??(.*)$")
    local now = stamp(clock.time() + client.skew)
    headers.host, headers["x-amz-date"], headers["x-amz-content-sha256"] = host, now, payload
    local names = { "host" }
    for name in pairs(headers) do
      if name:find "^x%-amz%-" then names[#names + 1] = name end
    end
    table.sort(names)
    local scope = now:sub(1, 8) .. "/us-east-1/s3/aws4_request"
    local credential = { day = now:sub(1, 8), region = "us-east-1", service = "s3", scope = scope }
    local request = { method = method, path = url.decode(path), parameters = url.parameters(query), headers = headers }
    local signature = sigv4.signature(request, credential, names, now, payload, client.secret)
    headers.authorization = ("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s"):format(
      client.access, scope, table.concat(names, ";"), signature)
    headers.host = nil
  end

  --- target is encoded; o = {body=, headers=, payload=, unsigned=true}
  function client.call(method, target, o)
    o = o or {}
    local headers = {}
    for name, value in pairs(o.headers or {}) do headers[name] = value end
    if not o.unsigned then
      sign(method, target, headers, o.payload or (o.body and "UNSIGNED-PAYLOAD" or EMPTY))
    end
    return http.request { method = method, url = endpoint.url .. target, headers = headers, body = o.body,
      check = false, limit = 64 * 1024 * 1024 }
  end

  function client.presign(method, target, seconds, o)
    o = o or {}
    local now = stamp(clock.time() + (o.ago and -o.ago or 0))
    local scope = now:sub(1, 8) .. "/us-east-1/s3/aws4_request"
    local path, query = target:match("^([^?]*)%??(.*)$")
    query = (query ~= "" and query .. "&" or "") .. table.concat({ "X-Amz-Algorithm=AWS4-HMAC-SHA256",
      "X-Amz-Credential=" .. url.encode(client.access .. "/" .. scope), "X-Amz-Date=" .. now,
      "X-Amz-Expires=" .. seconds, "X-Amz-SignedHeaders=host" }, "&")
    local credential = { day = now:sub(1, 8), region = "us-east-1", service = "s3", scope = scope }
    local request = { method = method, path = url.decode(path), parameters = url.parameters(query),
      headers = { host = host } }
    return endpoint.url .. path .. "?" .. query .. "&X-Amz-Signature="
      .. sigv4.signature(request, credential, { "host" }, now, "UNSIGNED-PAYLOAD", client.secret)
  end

  return client
end

local function code_of(answer)
  local root = xml.parse(answer.body)
  for _, node in ipairs(root) do
    if node.name == "Code" then return answer.status .. " " .. node.text end
  end
end

local function texts(answer, name)
  local found = {}
  for text in answer.body:gmatch("<" .. name .. ">([^<]*)</" .. name .. ">") do found[#found + 1] = text end
  return found
end

local function get(address, headers, method)
  return http.request { method = method or "GET", url = address, headers = headers or {}, check = false }
end

--- Runs a test with an endpoint of its own and a client for it.
local function with_endpoint(fn)
  return function()
    local world = { dir = fs.mkdtemp "pgorch-s3-" }
    local ok, err = pcall(function()
      local endpoint <close> = s3.start(world)
      fn(client_of(endpoint), endpoint, world)
    end)
    fs.remove_tree(world.dir)
    if not ok then error(err, 0) end
  end
end

describe("signatures", function()
  it("are checked for key, secret, clock and payload", with_endpoint(function(client, endpoint)
    expect(client.call("PUT", "/box").status).is(200)
    client.secret = "wrong"
    expect(code_of(client.call("GET", "/box"))).is "403 SignatureDoesNotMatch"
    client.access = "NOBODY"
    expect(code_of(client.call("GET", "/box"))).is "403 InvalidAccessKeyId"
    client.access, client.secret, client.skew = endpoint.access_key, endpoint.secret_key, 16 * 60
    local skewed = client.call("GET", "/box")
    expect(code_of(skewed)).is "403 RequestTimeTooSkewed"
    expect(skewed.headers.date:match "GMT$").is "GMT"
    client.skew = -14 * 60
    expect(client.call("GET", "/box").status).is(200)
    client.skew = 0
    expect(code_of(client.call("PUT", "/box/a", { body = "abc", payload = crypto.sha256 "abd" })))
      .is "400 XAmzContentSHA256Mismatch"
    expect(client.call("PUT", "/box/a", { body = "abc", payload = crypto.sha256 "abc" }).status).is(200)
    expect(code_of(client.call("PUT", "/box/a", { body = "abc", payload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER" })))
      .is "400 XAmzContentSHA256Mismatch"
    expect(code_of(client.call("PUT", "/box/a", { body = "abc", payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" })))
      .is "400 InvalidArgument" -- it does not say how long it is without its framing
    expect(code_of(client.call("GET", "/box", { unsigned = true }))).is "403 AccessDenied"
  end))

  it("of URLs hold for one method, key, time and query", with_endpoint(function(client)
    client.call("PUT", "/box")
    client.call("PUT", "/box/dir/a%20b", { body = "0123456789" })
    local address = client.presign("GET", "/box/dir/a%20b", 60)
    expect(get(address).body).is "0123456789"
    local part = get(address, { range = "bytes=0-0" })
    expect(part.status).is(206)
    expect(part.headers["content-range"]).is "bytes 0-0/10"
    expect(get(address, nil, "HEAD").status).is(403)
    expect(code_of(get(address .. "&more=1"))).is "403 SignatureDoesNotMatch"
    expect(code_of(get((address:gsub("Expires=60", "Expires=61"))))).is "403 SignatureDoesNotMatch"
    expect(code_of(get(client.presign("GET", "/box/dir/a%20b", 60, { ago = 61 })))).is "403 AccessDenied"
    expect(code_of(get(client.presign("GET", "/box/dir/a%20b", 604801)))).is "403 AccessDenied"
    expect(get(client.presign("GET", "/box/dir/a%20b", 60, { ago = -1200 })).status).is(200)
    expect(get(client.presign("GET", "/box/dir/a%20b?response-content-disposition=inline", 60))
      .headers["content-disposition"]).is "inline"
  end))

  it("of version 2 are accepted in a query", with_endpoint(function(client, endpoint)
    client.call("PUT", "/box")
    client.call("PUT", "/box/k", { body = "v2" })
    local function address(expires, secret)
      local request = { method = "GET", resource = "/box/k", parameters = {}, headers = {} }
      return ("%s/box/k?AWSAccessKeyId=%s&Expires=%s&Signature=%s"):format(endpoint.url, client.access, expires,
        url.encode(sigv2.signature(request, expires, secret or client.secret)))
    end
    local later = tostring(math.floor(clock.time()) + 60)
    expect(get(address(later)).body).is "v2"
    expect(code_of(get(address(later, "wrong")))).is "403 SignatureDoesNotMatch"
    expect(code_of(get(address "1000000000"))).is "403 AccessDenied"
  end))

  it("end with the keys that made them", with_endpoint(function(client, endpoint)
    client.call("PUT", "/box")
    client.call("PUT", "/box/k", { body = "x" })
    local address = client.presign("GET", "/box/k", 60)
    endpoint:regenerate_keys()
    expect(code_of(get(address))).is "403 InvalidAccessKeyId"
    client.access, client.secret = endpoint.access_key, endpoint.secret_key
    expect(client.call("GET", "/box/k").body).is "x"
  end))
end)

describe("buckets", function()
  it("have global names and are private", with_endpoint(function(client)
    expect(client.call("HEAD", "/box").status).is(404)
    expect(client.call("PUT", "/box").status).is(200)
    expect(client.call("PUT", "/box").status).is(200)
    expect(client.call("HEAD", "/box").status).is(200)
    expect(client.call("HEAD", "/taken-by-somebody-else").status).is(403)
    expect(code_of(client.call("PUT", "/taken-by-somebody-else"))).is "409 BucketAlreadyExists"
    expect(code_of(client.call("PUT", "/No_Good"))).is "400 InvalidBucketName"
    local policy = client.call("GET", "/box?acl")
    expect(#texts(policy, "Permission")).is(1)
    expect(policy.body:find("AllUsers", 1, true)).is(nil)
    expect(texts(client.call("GET", "/box?policyStatus"), "IsPublic")[1]).is "false"
    expect(client.call("PUT", "/box?acl", { headers = { ["x-amz-acl"] = "public-read" } }).status).is(200)
    expect(texts(client.call("GET", "/box?policyStatus"), "IsPublic")[1]).is "true"
    expect(client.call("GET", "/box", { unsigned = true }).status).is(200)
    client.call("PUT", "/box/k", { body = "x" })
    expect(code_of(client.call("DELETE", "/box"))).is "409 BucketNotEmpty"
    client.call("DELETE", "/box/k")
    expect(client.call("DELETE", "/box").status).is(204)
    expect(code_of(client.call("GET", "/box"))).is "404 NoSuchBucket"
  end))

  it("are listed in pages by both versions", with_endpoint(function(client)
    client.call("PUT", "/box")
    for _, key in ipairs { "a/1", "a/2", "b", "c/%C3%BC+%26", "d" } do
      client.call("PUT", "/box/" .. key, { body = "x" })
    end
    expect(texts(client.call("GET", "/box?list-type=2&prefix=a%2F"), "Key")).same { "a/1", "a/2" }
    local first = client.call("GET", "/box?list-type=2&max-keys=2")
    expect(texts(first, "Key")).same { "a/1", "a/2" }
    expect(texts(first, "IsTruncated")[1]).is "true"
    local token = url.encode(texts(first, "NextContinuationToken")[1])
    local second = client.call("GET", "/box?list-type=2&continuation-token=" .. token)
    expect(texts(second, "Key")).same { "b", "c/ü+&amp;", "d" }
    expect(texts(second, "IsTruncated")[1]).is "false"
    local rolled = client.call("GET", "/box?delimiter=%2F&max-keys=2")
    expect(texts(rolled, "Prefix")).same { "", "a/" }
    expect(texts(rolled, "Key")).same { "b" }
    expect(texts(client.call("GET", "/box?delimiter=%2F&marker=b"), "Prefix")).same { "", "c/" }
    expect(texts(client.call("GET", "/box?encoding-type=url&prefix=c"), "Key")).same { "c%2F%C3%BC%2B%26" }
    expect(code_of(client.call("GET", "/box?max-keys=x"))).is "400 InvalidArgument"
  end))
end)

describe("objects", function()
  it("keep their bytes, type and metadata", with_endpoint(function(client)
    client.call("PUT", "/box")
    local put = client.call("PUT", "/box/k%2B1", { body = "hello", headers = { ["x-amz-meta-sha"] = "77",
      ["content-type"] = "text/plain", ["content-md5"] = crypto.base64(crypto.unhex(crypto.md5 "hello")) } })
    expect(put.headers.etag).is('"' .. crypto.md5 "hello" .. '"')
    local head = client.call("HEAD", "/box/k%2B1")
    expect(head.headers["content-length"]).is "5"
    expect(head.headers["x-amz-meta-sha"]).is "77"
    expect(head.headers["content-type"]).is "text/plain"
    expect(client.call("GET", "/box/k%2B1", { headers = { range = "bytes=-2" } }).body).is "lo"
    expect(client.call("GET", "/box/k%2B1", { headers = { range = "bytes=3-99" } }).body).is "lo"
    expect(code_of(client.call("GET", "/box/k%2B1", { headers = { range = "bytes=5-" } }))).is "416 InvalidRange"
    expect(code_of(client.call("GET", "/box/none"))).is "404 NoSuchKey"
    expect(client.call("HEAD", "/box/none").status).is(404)
    expect(client.call("DELETE", "/box/none").status).is(204)
  end))

  it("are refused with a wrong digest", with_endpoint(function(client)
    client.call("PUT", "/box")
    expect(code_of(client.call("PUT", "/box/k", { body = "hello", headers = { ["content-md5"] = "bm8=" } })))
      .is "400 InvalidDigest"
    local other = crypto.base64(crypto.unhex(crypto.md5 "other"))
    expect(code_of(client.call("PUT", "/box/k", { body = "hello", headers = { ["content-md5"] = other } })))
      .is "400 BadDigest"
    expect(client.call("HEAD", "/box/k").status).is(404)
  end))

  it("can be public in a private bucket", with_endpoint(function(client, endpoint)
    client.call("PUT", "/box")
    client.call("PUT", "/box/open", { body = "all", headers = { ["x-amz-acl"] = "public-read" } })
    client.call("PUT", "/box/shut", { body = "me" })
    expect(client.call("GET", "/box/open", { unsigned = true }).body).is "all"
    expect(code_of(client.call("GET", "/box/shut", { unsigned = true }))).is "403 AccessDenied"
    expect(client.call("GET", "/box/open?acl").body:find("AllUsers", 1, true) ~= nil).is(true)
    client.access, client.secret = endpoint.other.access_key, endpoint.other.secret_key
    expect(client.call("GET", "/box/open").body).is "all"
    expect(code_of(client.call("GET", "/box/shut"))).is "403 AccessDenied"
    expect(code_of(client.call("PUT", "/box/mine", { body = "x" }))).is "403 AccessDenied"
    expect(code_of(client.call("DELETE", "/box/open"))).is "403 AccessDenied"
  end))

  it("are deleted many at once", with_endpoint(function(client)
    client.call("PUT", "/box")
    for _, key in ipairs { "a", "b", "c" } do client.call("PUT", "/box/" .. key, { body = "x" }) end
    local answer = client.call("POST", "/box?delete", { body = "<Delete><Object><Key>a</Key></Object>"
      .. "<Object><Key>none</Key></Object><Object><Key>c</Key></Object></Delete>" })
    expect(texts(answer, "Key")).same { "a", "none", "c" }
    expect(texts(client.call("GET", "/box"), "Key")).same { "b" }
  end))
end)

local MIB = 1024 * 1024

local function complete_body(parts)
  local lines = {}
  for i, p in ipairs(parts) do
    lines[i] = ("<Part><PartNumber>%d</PartNumber><ETag>\"%s\"</ETag></Part>"):format(p[1], crypto.md5(p[2]))
  end
  return "<CompleteMultipartUpload>" .. table.concat(lines) .. "</CompleteMultipartUpload>"
end

describe("multipart uploads", function()
  local function begin(client, key)
    return texts(client.call("POST", "/box/" .. key .. "?uploads"), "UploadId")[1]
  end
  local function put(client, key, id, number, body)
    return client.call("PUT", ("/box/%s?partNumber=%d&uploadId=%s"):format(key, number, id), { body = body })
  end
  local function complete(client, key, id, body)
    return client.call("POST", ("/box/%s?uploadId=%s"):format(key, id), { body = body })
  end

  it("join their parts under a composite ETag", with_endpoint(function(client)
    client.call("PUT", "/box")
    local id = begin(client, "big")
    local one, two = ("a"):rep(5 * MIB), ("b"):rep(1000)
    expect(put(client, "big", id, 7, two).status).is(200)
    expect(put(client, "big", id, 2, "replaced").status).is(200)
    expect(put(client, "big", id, 2, one).headers.etag).is('"' .. crypto.md5(one) .. '"')
    expect(texts(client.call("GET", "/box/big?uploadId=" .. id), "PartNumber")).same { "2", "7" }
    expect(texts(client.call("GET", "/box/big?uploadId=" .. id .. "&max-parts=1"), "NextPartNumberMarker")[1]).is "2"
    expect(texts(client.call("GET", "/box?uploads&prefix=b"), "UploadId")).same { id }
    local list = complete_body { { 2, one }, { 7, two } }
    local done = complete(client, "big", id, list)
    expect(done.status).is(200)
    expect(done.body:find("<ETag></ETag>", 1, true) ~= nil).is(true)
    expect(complete(client, "big", id, list).status).is(200)
    local head = client.call("HEAD", "/box/big")
    local digests = crypto.unhex(crypto.md5(one)) .. crypto.unhex(crypto.md5(two))
    expect(head.headers.etag).is('"' .. crypto.md5(digests) .. '-2"')
    expect(head.headers["content-length"]).is(tostring(5 * MIB + 1000))
    local border = ("bytes=%d-%d"):format(5 * MIB - 2, 5 * MIB + 1)
    expect(client.call("GET", "/box/big", { headers = { range = border } }).body).is "aabb"
    expect(texts(client.call("GET", "/box?uploads"), "UploadId")).same {}
    expect(client.call("GET", "/box/big").body == one .. two).is(true)
    client.call("PUT", "/box/copy", { headers = { ["x-amz-copy-source"] = "/box/big" } })
    expect(client.call("GET", "/box/copy").body == one .. two).is(true)
  end))

  it("leave a reader what it has begun to read", with_endpoint(function(client, _, world)
    client.call("PUT", "/box")
    local id, one, two = begin(client, "big"), ("a"):rep(5 * MIB), ("b"):rep(5 * MIB)
    put(client, "big", id, 1, one)
    put(client, "big", id, 2, two)
    complete(client, "big", id, complete_body { { 1, one }, { 2, two } })
    local into = stream.new()
    task.group(function(group)
      group:spawn(http.request, { url = client.presign("GET", "/box/big", 60), into = into })
      local begun = into:read(1000)
      expect(client.call("PUT", "/box/big", { body = "new" }).status).is(200)
      expect(begun .. into:read_all() == one .. two).is(true)
    end)
    expect(client.call("GET", "/box/big").body).is "new"
    expect(#fs.list(world.dir .. "/s3")).is(1)
  end))

  it("are refused when the list is not what was uploaded", with_endpoint(function(client)
    client.call("PUT", "/box")
    local id, part = begin(client, "k"), ("p"):rep(5 * MIB)
    put(client, "k", id, 1, part)
    put(client, "k", id, 2, part)
    expect(code_of(complete(client, "k", id, complete_body { { 1, part } }))).is "400 InvalidPart"
    expect(code_of(complete(client, "k", id, complete_body { { 1, part }, { 2, "x" } }))).is "400 InvalidPart"
    expect(code_of(complete(client, "k", id, "<CompleteMultipartUpload/>"))).is "400 MalformedXML"
    put(client, "k", id, 1, "small")
    expect(code_of(complete(client, "k", id, complete_body { { 1, "small" }, { 2, part } }))).is "400 EntityTooSmall"
    expect(client.call("HEAD", "/box/k").status).is(404)
  end))

  it("are gone after an abort, with their files", with_endpoint(function(client, _, world)
    client.call("PUT", "/box")
    local id = begin(client, "k")
    put(client, "k", id, 1, "x")
    expect(client.call("DELETE", "/box/k?uploadId=" .. id).status).is(204)
    expect(code_of(put(client, "k", id, 1, "x"))).is "404 NoSuchUpload"
    expect(code_of(client.call("DELETE", "/box/k?uploadId=" .. id))).is "404 NoSuchUpload"
    expect(#fs.list(world.dir .. "/s3")).is(0)
  end))
end)

describe("faults", function()
  it("answer instead, or after the work is done", with_endpoint(function(client, _, world)
    client.call("PUT", "/box")
    faults.put(world, "s3.put_object", { answer = 503, retry_after = 7 })
    local answer = client.call("PUT", "/box/k", { body = "x" })
    expect(code_of(answer)).is "503 SlowDown"
    expect(answer.headers["retry-after"]).is "7"
    expect(client.call("HEAD", "/box/k").status).is(404)
    expect(client.call("PUT", "/box/k", { body = "x" }).status).is(200)
    faults.put(world, "s3.put_object", { answer = 500, after = true, times = 1 })
    expect(code_of(client.call("PUT", "/box/later", { body = "x" }))).is "500 InternalError"
    expect(client.call("HEAD", "/box/later").status).is(200)
  end))

  it("cut the connection, shorten the body, set the clock wrong", with_endpoint(function(client, _, world)
    client.call("PUT", "/box")
    client.call("PUT", "/box/k", { body = ("x"):rep(5000) })
    -- for always: libcurl itself asks once more when a kept connection ends before the first byte
    faults.put(world, "s3.get_object", { drop = true, times = "always" })
    expect(pcall(client.call, "GET", "/box/k")).is(false)
    fs.remove(world.dir .. "/faults/s3.get_object")
    expect(#client.call("GET", "/box/k").body).is(5000)
    faults.put(world, "s3.get_object", { cut_after = 100 })
    expect(pcall(client.call, "GET", "/box/k")).is(false)
    faults.put(world, "s3.any", { skew = 3600 })
    expect(code_of(client.call("GET", "/box/k"))).is "403 RequestTimeTooSkewed"
    expect(client.call("GET", "/box/k").status).is(200)
  end))

  it("are logged with the rest, secrets masked", with_endpoint(function(client, _, world)
    client.call("PUT", "/box")
    client.call("PUT", "/box/k", { body = "x" })
    local address = client.presign("GET", "/box/k", 60)
    get(address)
    local text = fs.read(world.dir .. "/requests.jsonl")
    expect(text:find(address:match "X%-Amz%-Signature=(%x+)", 1, true)).is(nil)
    expect(text:find('X-Amz-Signature=***', 1, true) ~= nil).is(true)
    expect(select(2, text:gsub("\n", "")) == 3).is(true)
    client.call("HEAD", "/box/none")
    expect(fs.read(world.dir .. "/requests.jsonl")).has '"code":"NoSuchKey"'
    expect(text:find "Signature=%x%x%x%x").is(nil)
  end))
end)
