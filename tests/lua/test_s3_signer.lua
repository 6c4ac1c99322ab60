-- The tests' own signer against the vectors of the S3 manual: what it signs is right unless it is told otherwise.

local clock  = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local signer = require "support.s3_signer"

local WHEN = clock.parse_iso "2013-05-24T00:00:00Z"
local SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

local function request(method, path, query, more)
  local r = { method = method, path = path, query = query, host = "examplebucket.s3.amazonaws.com", headers = {},
    access_key = "AKIAIOSFODNN7EXAMPLE", secret_key = SECRET, time = WHEN }
  for name, value in pairs(more or {}) do r[name] = value end
  return r
end

describe("the tests' signer", function()
  it("signs by version 4 in the header", function()
    local function signature(...) return signer.header_v4(request(...)) end
    expect(signature("GET", "/test.txt", "", { headers = { range = "bytes=0-9" } }))
      .is "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    expect(signature("PUT", "/test%24file.text", "", {
      headers = { date = "Fri, 24 May 2013 00:00:00 GMT", ["x-amz-storage-class"] = "REDUCED_REDUNDANCY" },
      signed = { "date", "host", "x-amz-content-sha256", "x-amz-date", "x-amz-storage-class" },
      payload = crypto.sha256 "Welcome to Amazon S3." }))
      .is "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    expect(signature("GET", "/", "lifecycle")).is "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    expect(signature("GET", "/", "prefix=J&max-keys=2"))
      .is "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
  end)

  it("signs by version 4 in the query", function()
    expect(signer.query_v4(request("GET", "/test.txt", ""), 86400)).has
      "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
  end)

  it("signs a body's chunks", function()
    local r = request("PUT", "/examplebucket/chunkObject.txt", "", {
      host = "s3.amazonaws.com", payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
      headers = { ["content-encoding"] = "aws-chunked", ["content-length"] = "66824",
        ["x-amz-decoded-content-length"] = "66560", ["x-amz-storage-class"] = "REDUCED_REDUNDANCY" },
      signed = { "content-encoding", "content-length", "host", "x-amz-content-sha256", "x-amz-date",
        "x-amz-decoded-content-length", "x-amz-storage-class" } })
    local seed = signer.header_v4(r)
    expect(seed).is "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    local body = signer.chunks(r, seed, { ("a"):rep(65536), ("a"):rep(1024) })
    expect(#body).is(66824)
    for _, each in ipairs { "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
      "400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
      "0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9" } do
      expect(body).has(each)
    end
  end)

  it("signs by version 2", function()
    local r = request("GET", "/johnsmith/photos/puppy.jpg", "")
    expect(signer.query_v2(r, 1175139620)).has "&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D"
    signer.header_v2(request("GET", "/johnsmith/photos/puppy.jpg", "", r))
    expect(r.headers.date).is "Fri, 24 May 2013 00:00:00 GMT"
    expect(r.headers.authorization).matches "^AWS AKIAIOSFODNN7EXAMPLE:[%w+/]+=$"
  end)
end)
