-- JSON: what goes round, what is refused and by which name, and secrets on both ways.

local json = require "pgorch.json"
local secret = require "pgorch.secret"

describe("json.encode", function()
  it("sorts keys and tells arrays from objects", function()
    expect(json.encode { b = 1, a = { 1, "two", true }, c = {} }).is '{"a":[1,"two",true],"b":1,"c":{}}'
    expect(json.encode(json.array())).is "[]"
    expect(json.encode { list = json.array {}, null = json.null }).is '{"list":[],"null":null}'
  end)

  it("keeps integers, and floats as short as they can be read back", function()
    expect(json.encode { 1, 1.0, 0.1, -0.5, 1e100, math.maxinteger, math.mininteger, 1 / 3 })
      .is "[1,1.0,0.1,-0.5,1e+100,9223372036854775807,-9223372036854775808,0.3333333333333333]"
  end)

  it("escapes what must be escaped", function()
    expect(json.encode "a\"b\\c\n\0\x1f/ü🐘").is [["a\"b\\c\n\u0000\u001f/ü🐘"]]
  end)

  it("writes on several lines on request", function()
    expect(json.encode({ a = { 1 }, b = {} }, { pretty = true })).is '{\n  "a": [\n    1\n  ],\n  "b": {}\n}'
  end)

  it("refuses what JSON cannot hold, and names the field", function()
    local function why(value) return expect(function() json.encode(value) end):raises("PGO-JSON").message end
    expect(why { a = { { b = 0 / 0 } } }).has "a[1].b"
    expect(why { a = math.huge }).has "infinity"
    expect(why { a = print }).has "function"
    expect(why { 1, 2, nil, 4 }).has "gaps"
    expect(why { 1, x = 2 }).has "neither"
    expect(why { [true] = 1 }).has "keys"
    for _, bad in ipairs { "\xff", "\xc0\x80", "\xed\xa0\x80", "\xe2\x82", "\xf4\x90\x80\x80" } do
      expect(why { a = bad }).has "UTF-8"
    end
    local circle = {}
    circle.again = circle
    expect(why(circle)).has "circle"
  end)

  it("refuses a secret by the name of its field, without its value", function()
    local value = { db = { { password = secret.new "correct horse" } } }
    local err = expect(function() json.encode(value) end):raises "PGO-JSON"
    expect(err.message).has "db[1].password"
    expect(err.message).lacks "correct"
  end)

  it("writes secrets into a text that is a secret", function()
    local text = json.encode_secret { url = secret.new "postgres://u:p@h/d" }
    expect(secret.is(text)).is(true)
    expect(json.encode_secret { a = 1 }).is '{"a":1}'
    expect(json.decode(text).url == secret.new "postgres://u:p@h/d").is(true)
    local mask = tostring(secret.new "correct horse")
    expect(function() json.encode_secret { password = mask } end):raises "PGO-SECRET-MARKER"
  end)
end)

describe("json.decode", function()
  it("reads every kind of value", function()
    expect(json.decode [[{"a":[1,2.5,"x\u00fc",true,false,null],"b":null,"c":{}}]])
      .same { a = { 1, 2.5, "xü", true, false, json.null }, c = {} }
    expect(math.type(json.decode "9007199254740993")).is "integer"
    expect(json.decode "\"a\\u0000b\"").is "a\0b"
    expect(json.decode('{"a":null}', { nulls = true }).a).is(json.null)
  end)

  it("goes round, empty arrays too", function()
    for _, text in ipairs { '{"a":[],"b":{},"c":[[],{}]}', "[1,2.5,\"x\"]", "true" } do
      expect(json.encode(json.decode(text))).is(text)
    end
  end)

  it("makes named fields secrets at any depth", function()
    local value = json.decode('{"password":"p1","list":[{"url":{"a":"p2","n":1}}],"name":"x"}',
      { secrets = { "password", "url" } })
    expect(secret.is(value.password)).is(true)
    expect(secret.is(value.list[1].url.a)).is(true)
    expect(value.list[1].url.n).is(1)
    expect(value.name).is "x"
    expect(secret.is(json.decode('{"ANY":"x"}', { secrets = { "*" } }).ANY)).is(true)
    expect(secret.is(json.decode(secret.new '{"any":"x"}').any)).is(true)
  end)

  it("says where it stumbled, but not on what", function()
    local err = expect(function() json.decode '{"password": "correct horse" oops}' end):raises "PGO-JSON"
    expect(err.message).has "line 1"
    expect(err.message).lacks "correct"
    expect(err.message).lacks "oops"
    for _, bad in ipairs { "", "{", "[1,]", "1 2", "nul", "\"\xff\"", "{\"a\":1,}" } do
      expect(function() json.decode(bad) end):raises "PGO-JSON"
    end
  end)
end)
