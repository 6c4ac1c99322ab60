-- Secrets in Lua: joined and passed on, never read; their mask is never sent.

local env = require "pgorch.env"
local host = require "pgorch.native.host"
local process = require "pgorch.process"
local secret = require "pgorch.secret"
local stream = require "pgorch.stream"
local task = require "pgorch.task"

describe("a secret", function()
  it("shows a mask that is unlike any other", function()
    local one, two = secret.new "correct horse", secret.new "correct horse"
    expect(tostring(one)).matches "^%[secret %x+#%d+%]$"
    expect(tostring(one)).is_not(tostring(two))
    expect(one == two).is(true)
    expect(#one).is(13)
  end)

  it("joins to a secret on either side", function()
    local header = "Bearer " .. secret.new "correct" .. "!"
    expect(secret.is(header)).is(true)
    expect(header == secret.new "Bearer correct!").is(true)
  end)

  it("is masked wherever its value turns up", function()
    local _ = secret.new "battery staple"
    expect(secret.redact "the battery staple is here").is "the [secret] is here"
    expect(secret.redact "battery%20staple").is "[secret]"
  end)

  it("stays known to the redactor after it was collected", function()
    do local _ = secret.new "ephemeral-value" end
    collectgarbage()
    collectgarbage()
    expect(secret.redact "ephemeral-value").is "[secret]"
  end)

  it("is written to a stream as itself, but not its mask", function()
    local s = stream.new()
    s:write(secret.new "correct horse")
    expect(function() s:write("password=" .. tostring(secret.new "correct horse")) end):raises "PGO-SECRET-MARKER"
    s:finish()
    expect(s:read_all()).is "correct horse"
  end)

  it("is masked in the last words of a process that is interrupted twice", function()
    local code = [[
      local secret = require("pgorch.secret").new "correct horse"
      require("pgorch.native.host").last_words "left with correct horse"
      print "ready"
      require("pgorch.task").shield(5, require("pgorch.task").sleep, 5)
    ]]
    local left <close> = process.spawn { host.executable(), "eval", code, stdout = "stream", check = false }
    expect(left.stdout:read()).is "ready\n"
    left:kill "INT"
    task.sleep(0.1)
    left:kill "INT"
    local ended = left:wait()
    expect(ended.code).is(130)
    expect(ended.stderr).is "\nleft with [secret]\n"
  end)

  it("cannot be taken apart", function()
    local value = secret.new "correct horse"
    expect(pcall(function() return value.data end)).is(false)
    expect(pcall(function() return string.sub(value, 1) end)).is(false)
    expect(getmetatable(value)).is "pgorch.secret"
  end)

  it("is what the environment gives for secret names", function()
    expect(env.secret "PGORCH_NO_SUCH_VARIABLE").is(nil)
  end)
end)
