-- Digests, HMAC, base64, hex and random bytes of what is in memory. Secrets may be given everywhere; what is
-- only another spelling of one (base64, hex) is a secret too. For files and parts see stream and bytes.

local hasher = require "pgorch.native.hasher"
local native = require "pgorch.native.crypto"

local crypto = {
  base64 = native.base64,
  unbase64 = native.unbase64,
  hex = native.hex,
  unhex = native.unhex,
  random = native.random,
}

local function spelled(raw, form)
  if form == "raw" then return raw end
  return native.hex(raw)
end

---@param text string|userdata  text or secret
---@param form? "raw"  32 bytes instead of 64 hex digits
---@return string
function crypto.sha256(text, form)
  return spelled(native.digest("sha256", text), form)
end

---For the protocols that want it (Content-MD5, ETags); it protects against accidents only.
---@param text string|userdata
---@param form? "raw"
---@return string
function crypto.md5(text, form)
  return spelled(native.digest("md5", text), form)
end

---@param key string|userdata
---@param text string|userdata
---@param form? "raw"
---@return string
function crypto.hmac_sha256(key, text, form)
  return spelled(native.hmac("sha256", key, text), form)
end

---For version 2 signatures.
---@param key string|userdata
---@param text string|userdata
---@param form? "raw"
---@return string
function crypto.hmac_sha1(key, text, form)
  return spelled(native.hmac("sha1", key, text), form)
end

---A digest of more than fits in memory: h:update(block) for each (it waits), then h:finish() gives the hex.
---@param algorithm "md5"|"sha1"|"sha256"
---@return pgorch.Hasher
function crypto.hasher(algorithm)
  return hasher.new(algorithm)
end

---A random (version 4) UUID.
---@return string
function crypto.uuid()
  local bytes = { native.random(16):byte(1, 16) }
  bytes[7] = bytes[7] & 0x0f | 0x40
  bytes[9] = bytes[9] & 0x3f | 0x80
  return (("%02x"):rep(4) .. ("-" .. ("%02x"):rep(2)):rep(4) .. ("%02x"):rep(4)):format(table.unpack(bytes))
end

return crypto
