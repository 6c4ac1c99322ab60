-- Takes a body apart that comes in chunks which are signed one by one (STREAMING-AWS4-HMAC-SHA256-PAYLOAD): each
-- chunk's signature is made over its bytes and the signature before it. Some clients send every upload so.

local crypto = require "pgorch.crypto"
local errors = require "pgorch.sandbox.s3.errors"

local chunked = {}

local EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
local LONGEST_LINE = 1024
local LARGEST = 64 * 1024 * 1024

--- Reads lines and counted bytes from a stream.
local Reader = {}
Reader.__index = Reader

function Reader:line()
  while true do
    local stop = self.held:find("\r\n", 1, true)
    if stop then
      local line = self.held:sub(1, stop - 1)
      self.held = self.held:sub(stop + 2)
      return line
    end
    local more = #self.held < LONGEST_LINE and self.body:read()
    if not more then errors.raise "InvalidRequest" end
    self.held = self.held .. more
  end
end

function Reader:bytes(count)
  if #self.held < count then
    local block = self.body:take(count - #self.held)
    if block then
      self.held = self.held .. block:string()
      block:free()
    end
  end
  if #self.held < count then errors.raise "RequestTimeout" end
  local text = self.held:sub(1, count)
  self.held = self.held:sub(count + 1)
  return text
end

local function signature(chunks, last, text)
  return crypto.hmac_sha256(chunks.key, table.concat({ "AWS4-HMAC-SHA256-PAYLOAD", chunks.timestamp, chunks.scope, last,
    EMPTY, crypto.sha256(text) }, "\n"))
end

--- Gives the bytes without their framing to `write`. What comes after the declared length is not looked at. A chunk
--- that is wrong is told by the code that RGW has for it: another one for the last.
---@param request table with `chunks` {key, timestamp, scope, seed, length} from sigv4.check_header
---@param write fun(text: string)
function chunked.decode(request, write)
  local chunks, reader = request.chunks, setmetatable({ body = request.body, held = "" }, Reader)
  local last, left = chunks.seed, chunks.length
  while left > 0 do
    local digits, given = reader:line():match "^(%x+);chunk%-signature=(.*)$"
    local size = digits and tonumber(digits, 16)
    if not size or size == 0 or size > LARGEST then errors.raise "SignatureDoesNotMatch" end
    local text = reader:bytes(math.min(size, left))
    if size <= left then
      reader:bytes(2)
      last = signature(chunks, last, text)
      left = left - size
      if last ~= given then errors.raise(left == 0 and "XAmzContentSHA256Mismatch" or "SignatureDoesNotMatch") end
    else
      left = 0
    end
    write(text)
  end
  request.body:drain()
end

return chunked
