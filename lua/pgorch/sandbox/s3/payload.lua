-- Takes a request's body: small ones into memory, objects and parts into files through the stream pumps. Checks
-- the length, Content-MD5 and the declared SHA-256 before anybody sees the bytes. Owns the file until it returns.

local chunked = require "pgorch.sandbox.s3.chunked"
local crypto = require "pgorch.crypto"
local errors = require "pgorch.sandbox.s3.errors"
local fs = require "pgorch.fs"
local pace = require "pgorch.sandbox.s3.pace"
local stream = require "pgorch.stream"
local task = require "pgorch.task"

local payload = {}

local SMALL = 2 * 1024 * 1024
local MAX_PUT = 5 * 1024 * 1024 * 1024

--- What is no base64 at all is refused by RGW with the signature, before the bucket is looked at.
local function expected_md5(request)
  local text = request.headers["content-md5"]
  if not text then return nil end
  local ok, raw = pcall(crypto.unbase64, text)
  if not ok or not raw then errors.raise("AccessDenied", { bare = true }) end
  if #raw ~= 16 then errors.raise "InvalidDigest" end
  return crypto.hex(raw)
end

local function compare(request, wanted_md5, md5, sha256)
  if request.sha256 and request.sha256 ~= sha256() then errors.raise "XAmzContentSHA256Mismatch" end
  if wanted_md5 and wanted_md5 ~= md5() then errors.raise "BadDigest" end
end

--- The whole body of a request that carries a document.
---@param request table
---@return string
function payload.text(request)
  local wanted, text = expected_md5(request), ""
  if request.chunks then
    chunked.decode(request, function(piece) text = text .. piece end)
  elseif request.body then
    text = request.body:read_all(SMALL)
  end
  compare(request, wanted, function() return crypto.md5(text) end, function() return crypto.sha256(text) end)
  return text
end

--- Removes a file even when the request has been cancelled.
---@param path string
function payload.discard(path)
  task.shield(10, function()
    if fs.exists(path) then fs.remove(path) end
  end)
end

--- Into the file without the framing of the chunks.
local function sink_chunks(request, path, options)
  local plain, sum, ok, why = stream.new(), nil, nil, nil
  task.group(function(group)
    group:spawn(function() sum = fs.sink(path, plain, options) end)
    ok, why = pcall(chunked.decode, request, function(piece) plain:write(piece) end)
    plain:finish()
  end)
  if not ok then error(why, 0) end -- a group would make another error of it
  return sum
end

local function sink(request, path)
  local digests = { "md5" }
  if request.sha256 then digests[2] = "sha256" end
  if request.chunks then return sink_chunks(request, path, { digests = digests }) end
  return fs.sink(path, pace.writing(request), { digests = digests })
end

--- Stores the body in a new file. Nothing is left of it when a check fails or the client goes away.
---@param request table
---@param path string
---@return { bytes: integer, md5: string }
function payload.file(request, path)
  local length = request.chunks and request.chunks.length or tonumber(request.headers["content-length"])
  if not length then errors.raise "MissingContentLength" end
  if length > MAX_PUT then errors.raise "EntityTooLarge" end
  local wanted = expected_md5(request)
  local ok, sum = pcall(function()
    local sum = sink(request, path)
    if sum.bytes ~= length then errors.raise "RequestTimeout" end
    compare(request, wanted, function() return sum.md5 end, function() return sum.sha256 end)
    return sum
  end)
  if ok then return sum end
  payload.discard(path)
  error(sum, 0)
end

return payload
