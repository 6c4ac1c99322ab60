-- Digests, spellings and random bytes; and what of a secret stays one.

local bytes = require "pgorch.bytes"
local crypto = require "pgorch.crypto"
local secret = require "pgorch.secret"

describe("crypto", function()
  it("computes digests", function()
    expect(crypto.sha256 "").is "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    expect(crypto.md5 "abc").is "900150983cd24fb0d6963f7d28e17f72"
    expect(#crypto.md5("abc", "raw")).is(16)
    expect(crypto.sha256(secret.new "abc")).is(crypto.sha256 "abc")
  end)

  it("computes HMAC (RFC 4231 case 2, RFC 2202 case 2)", function()
    expect(crypto.hmac_sha256("Jefe", "what do ya want for nothing?"))
      .is "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    expect(crypto.hmac_sha1("Jefe", "what do ya want for nothing?")).is "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
    expect(#crypto.hmac_sha256(secret.new "", "", "raw")).is(32)
  end)

  it("spells base64 and reads only what is well formed", function()
    for text, spelled in pairs { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", ["\0\xff"] = "AP8=" } do
      expect(crypto.base64(text)).is(spelled)
      expect(crypto.unbase64(spelled)).is(text)
    end
    for _, bad in ipairs { "Zg", "Zg=", "Z===", "Zg==Zg==", " Zg==", "Zg==\n", "Zm9\0", "Zm-_" } do
      expect(function() crypto.unbase64(bad) end):raises "PGO-INVALID"
    end
  end)

  it("spells hex and reads both cases", function()
    expect(crypto.hex "\0\x7f\xff").is "007fff"
    expect(crypto.unhex "007fFF").is "\0\x7f\xff"
    expect(function() crypto.unhex "abc" end):raises "PGO-INVALID"
    expect(function() crypto.unhex "zz" end):raises "PGO-INVALID"
  end)

  it("keeps a secret's other spellings secret", function()
    local value = secret.new "correct horse"
    expect(secret.is(crypto.base64(value))).is(true)
    expect(secret.is(crypto.hex(value))).is(true)
    expect(crypto.unbase64(crypto.base64(value)) == value).is(true)
    expect(crypto.unhex(crypto.hex(value)) == value).is(true)
  end)

  it("refuses the mask of a secret", function()
    local mask = tostring(secret.new "correct horse")
    expect(function() crypto.base64(mask) end):raises "PGO-SECRET-MARKER"
    expect(function() crypto.hmac_sha256(mask, "x") end):raises "PGO-SECRET-MARKER"
  end)

  it("gives random bytes and UUIDs", function()
    expect(#crypto.random(0)).is(0)
    expect(crypto.random(16)).is_not(crypto.random(16))
    expect(crypto.uuid()).matches "^%x+%-%x+%-4%x%x%x%-[89ab]%x%x%x%-%x+$"
    expect(#crypto.uuid()).is(36)
  end)
end)

describe("bytes", function()
  it("computes several digests at once, on the crew", function()
    local block = bytes.new(("x"):rep(1 << 20))
    expect(block:digests { "md5", "sha256" }).same {
      md5 = crypto.md5(("x"):rep(1 << 20)),
      sha256 = crypto.sha256(("x"):rep(1 << 20)),
    }
    expect(#block).is(1 << 20)
    block:free()
    expect(#block).is(0)
    expect(function() block:digests { "md5" } end):raises()
  end)

  it("computes a digest over blocks", function()
    local hasher = crypto.hasher "sha256"
    hasher:update(bytes.new "ab")
    hasher:update(bytes.new "c")
    expect(hasher:finish()).is(crypto.sha256 "abc")
    expect(function() hasher:finish() end):raises "PGO-INVALID"
    expect(crypto.hasher("md5"):finish()).is(crypto.md5 "")
  end)

  it("names a digest that it does not know", function()
    local err = expect(function() bytes.new("abc"):digests { "crc32" } end):raises "PGO-INVALID"
    expect(err.message).has "crc32"
  end)
end)
