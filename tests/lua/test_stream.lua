-- Streams and secrets as scripts see them.

local stream = require "pgorch.stream"
local bytes = require "pgorch.bytes"
local secret = require "pgorch.secret"
local task = require "pgorch.task"
local fail = require "pgorch.error"

describe("a stream", function()
  it("carries text from a writer to a reader, with back-pressure", function()
    local s, text = stream.new(16), ("0123456789"):rep(50)
    local got = {}
    task.group(function(group)
      group:spawn(function() s:write(text); s:finish() end)
      for piece in function() return s:read(7) end do got[#got + 1] = piece end
    end)
    expect(table.concat(got)).is(text)
    expect(s:total()).is(500)
  end)

  it("raises the producer's error at the reader", function()
    local s = stream.new()
    s:write "half"
    s:fail(fail.new("PGO-NET", "reset by peer"))
    expect(s:read()).is "half"
    expect(function() s:read() end).raises "PGO-NET"
  end)

  it("is cut into blocks that live outside Lua", function()
    local s = stream.new(8)
    task.group(function(group)
      group:spawn(function() s:write(("x"):rep(25)); s:finish() end)
      local sizes = {}
      for block in function() return s:take(10) end do
        sizes[#sizes + 1] = #block
        block:free()
      end
      expect(sizes).same { 10, 10, 5 }
    end)
  end)

  it("fills a block again that nobody uses any more", function()
    local s = stream.new(16)
    s:write "firstsecond"
    local block = s:take(5)
    expect(s:take(5, nil, block)).is(block)
    expect(block:string()).is "secon"
    expect(function() s:take(6, nil, block) end).raises "PGO-LUA"
    s:finish()
    expect(s:take(5, nil, block):string()).is "d"
    expect(s:take(5, nil, block)).is(nil)
  end)

  it("gives another stream what a block is filled with, as it comes", function()
    local s, other = stream.new(), stream.new(10)
    task.group(function(group)
      local block = group:spawn(s.take, s, 10, other)
      s:write "half"
      expect(other:read()).is "half"
      s:write "the other one"
      expect(block:join():string()).is "halfthe ot"
      expect(other:read()).is "the ot"
    end)
    expect(function() s:take(11, other) end).raises "PGO-LUA"
    other:close()
    expect(s:take(7, other):string()).is "her one"
  end)

  it("limits read_all", function()
    local s = stream.new()
    s:write(("x"):rep(11))
    s:finish()
    expect(function() s:read_all(10) end).raises "PGO-LIMIT"
  end)

  it("tells a writer that its reader has left", function()
    local s = stream.new(4)
    task.group(function(group)
      group:spawn(function() task.sleep(0.01); s:close() end)
      expect(function() s:write "longer than four" end).raises "PGO-CLOSED"
    end)
  end)

  it("wakes a reader when another task closes it", function()
    local s = stream.new()
    task.timeout(1, task.group, function(group)
      group:spawn(function() task.sleep(0.01); s:close() end)
      expect(function() s:read() end).raises "PGO-CLOSED"
    end)
  end)

  it("tells a pipe that its far end has left, though nothing comes", function()
    local a, b = stream.new(), stream.new()
    task.timeout(1, task.group, function(group)
      group:spawn(function() task.sleep(0.01); b:close() end)
      expect(function() a:pipe(b) end).raises "PGO-CLOSED"
      expect(function() a:write "more" end).raises "PGO-CLOSED"
    end)
  end)

  it("has one reader and one writer at a time", function()
    local s = stream.new(4)
    task.timeout(1, task.group, function(group)
      group:spawn(function() s:write "first writer"; s:finish() end)
      task.sleep(0.01)
      expect(function() s:write "second writer" end).raises "PGO-INVALID"
      expect(s:read_all()).is "first writer"
    end)
    local t = stream.new()
    task.timeout(1, task.group, function(group)
      local reader = group:spawn(function() return t:read() end)
      task.sleep(0.01)
      expect(function() t:drain() end).raises "PGO-INVALID"
      t:write "x"
      expect(reader:join()).is "x"
    end)
    expect(function() t:pipe(t) end).raises "PGO-LUA"
  end)

  it("keeps a block that is being written from being freed", function()
    local s, block = stream.new(4), bytes.new(("x"):rep(1000))
    task.timeout(1, task.group, function(group)
      group:spawn(function() s:write(block); s:finish() end)
      task.sleep(0.01)
      expect(function() block:free() end).raises "PGO-INVALID"
      expect(s:drain()).is(1000)
    end)
    block:free()
  end)

  it("is piped into another, the end included", function()
    local a, b = stream.new(), stream.new(3)
    task.group(function(group)
      group:spawn(function() a:write "hello, world"; a:finish() end)
      local pipe = group:spawn(function() return a:pipe(b) end)
      expect(b:read_all()).is "hello, world"
      expect(pipe:join()).is(12)
    end)
  end)

  it("may be piped without its end, which the caller then gives", function()
    local a, b = stream.new(), stream.new()
    a:write "dump"
    a:finish()
    expect(a:pipe(b, { keep_open = true })).is(4)
    b:fail "the dump failed"
    expect(b:read()).is "dump"
    expect(function() b:read() end).raises "PGO-IO"
  end)

  it("gives up a cancelled read and stays usable", function()
    local s = stream.new()
    expect(function() task.timeout(0.01, s.read, s) end).raises "PGO-TIMEOUT"
    s:write "later"
    expect(s:read()).is "later"
  end)
end)

describe("a secret", function()
  local value = secret.new "correct horse battery"

  it("never shows its value", function()
    expect(tostring(value)).lacks "horse"
    expect(secret.redact("the password is correct horse battery!")).is "the password is [secret]!"
  end)

  it("stays a secret when joined", function()
    expect(secret.is("Bearer " .. value)).is_true()
    expect(#("Bearer " .. value)).is(28)
  end)

  it("is refused where its mask would be sent", function()
    expect(function() stream.new():write("password=" .. tostring(value)) end).raises "PGO-SECRET-MARKER"
  end)
end)
