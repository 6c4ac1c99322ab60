-- What is said of a body before it comes: its SHA-256 or what stands for it, its MD5, checksums, chunks.

local crypto = require "pgorch.crypto"

local MD5 = crypto.base64(crypto.unhex(crypto.md5 "hello"))
local OTHER = crypto.base64(crypto.unhex(crypto.md5 "other"))

--- A body in two signed chunks of 9003 bytes together.
local function chunks(o)
  return { chunks = { ("a"):rep(9000), "xyz" }, damage = o.damage, headers = {
    ["content-encoding"] = "aws-chunked", ["x-amz-decoded-content-length"] = tostring(o.length or 9003) } }
end

return {
  { "payload: its SHA-256", "PUT /box/p", { body = "hello" }, see = "etag" },
  { "payload: another's SHA-256", "PUT /box/p1", { body = "hello", payload = crypto.sha256 "other" } },
  { "payload: another's SHA-256 leaves nothing", "HEAD /box/p1" },
  { "payload: unsigned", "PUT /box/p", { body = "hello", payload = "UNSIGNED-PAYLOAD" }, see = "etag" },
  { "payload: a word", "PUT /box/p", { body = "hello", payload = "hello" } },
  { "payload: SHA-256 of a GET with the wrong value", "GET /box/p", { payload = crypto.sha256 "other" } },
  { "payload: trailer", "PUT /box/p2", { body = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n",
    payload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER", headers = { ["content-encoding"] = "aws-chunked",
      ["x-amz-trailer"] = "x-amz-checksum-crc32", ["x-amz-decoded-content-length"] = "5" } } },
  { "payload: trailer leaves nothing", "HEAD /box/p2" },
  { "chunks", "PUT /box/c", chunks {}, see = "etag" },
  { "chunks: stored without their framing", "HEAD /box/c", see = "content-length etag content-encoding" },
  { "chunks: of a part", "POST /box/cp?uploads", keep = { up = "UploadId" } },
  { "chunks: of a part, put", "PUT /box/cp?partNumber=1&uploadId={up}", chunks {}, see = "etag" },
  { "chunks: of a part, aborted", "DELETE /box/cp?uploadId={up}" },
  { "chunks: a wrong signature", "PUT /box/c2", chunks { damage = { "signature=.", "signature=x" } } },
  { "chunks: a wrong signature leaves nothing", "HEAD /box/c2" },
  { "chunks: damaged", "PUT /box/c3", chunks { damage = { "xyz", "xyy" } } },
  { "chunks: more than they say", "PUT /box/c4", chunks { length = 9000 }, see = "etag" },
  { "chunks: no decoded length", "PUT /box/c5", { chunks = { "abc" },
    headers = { ["content-encoding"] = "aws-chunked" } } },
  { "MD5", "PUT /box/m", { body = "hello", headers = { ["content-md5"] = MD5 } }, see = "etag" },
  { "MD5: another's", "PUT /box/m1", { body = "hello", headers = { ["content-md5"] = OTHER } } },
  { "MD5: another's leaves nothing", "HEAD /box/m1" },
  { "MD5: too short", "PUT /box/m1", { body = "hello", headers = { ["content-md5"] = "bm8=" } } },
  { "MD5: no base64", "PUT /box/m1", { body = "hello", headers = { ["content-md5"] = "!!!" } } },
  { "checksum: a wrong one", "PUT /box/s", { body = "hello", headers = { ["x-amz-checksum-crc32"] = "AAAAAA==" } },
    see = "etag" },
  { "body: empty", "PUT /box/empty", { body = "" }, see = "etag" },
}
