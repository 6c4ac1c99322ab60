-- Files: what must hold of whole files, folders, and files as streams.

local fs = require "pgorch.fs"
local host = require "pgorch.native.host"
local process = require "pgorch.process"
local stream = require "pgorch.stream"
local task = require "pgorch.task"

local function within(fn)
  return function() fs.with_temporary("pgorch-fs-", fn) end
end

-- A file of `size` bytes whose content tells where it is.
local function pattern(size)
  local line = {}
  for i = 1, math.ceil(size / 16) do line[i] = ("%015d\n"):format(i) end
  return table.concat(line):sub(1, size)
end

local function write_into(to, text)
  return task.group(function(group)
    group:spawn(function() to:write(text); to:finish() end)
  end)
end

describe("a whole file", function()
  it("is read as it was written, zero bytes included", within(function(dir)
    local path, data = dir .. "/a", "one\0two\n" .. pattern(300000)
    fs.write(path, data)
    expect(fs.read(path) == data).is(true)
    expect(fs.list(dir)).same { "a" }
  end))

  it("has the mode asked for, 0600 unless told", within(function(dir)
    fs.write(dir .. "/private", "x")
    fs.write(dir .. "/public", "x", { mode = 0644 })
    expect(fs.stat(dir .. "/private").mode).is(0600)
    expect(fs.stat(dir .. "/public").mode).is(0644)
    fs.chmod(dir .. "/public", 0400)
    expect(fs.stat(dir .. "/public").mode).is(0400)
    expect(function() fs.chmod(dir .. "/public", 0698) end):raises "PGO-INVALID"
  end))

  it("is replaced whole, and left alone by a write that fails", within(function(dir)
    fs.mkdir(dir .. "/a/inside")
    local err = expect(function() fs.write(dir .. "/a", "x") end):raises "PGO-IO"
    expect(err.message).has(dir .. "/a")
    expect(fs.list(dir)).same { "a" }
    fs.write(dir .. "/b", "old")
    fs.write(dir .. "/b", "new")
    expect(fs.read(dir .. "/b")).is "new"
  end))

  it("is refused beyond the limit", within(function(dir)
    fs.write(dir .. "/a", "12345")
    expect(fs.read(dir .. "/a", 5)).is "12345"
    expect(function() fs.read(dir .. "/a", 4) end):raises "PGO-LIMIT"
  end))

  it("grows by append", within(function(dir)
    fs.append(dir .. "/log", "one\n")
    fs.append(dir .. "/log", "two\n", { sync = true })
    expect(fs.read(dir .. "/log")).is "one\ntwo\n"
  end))

  it("that is missing says which and why", function()
    local err = expect(function() fs.read("/nowhere/at/all") end):raises "PGO-IO"
    expect(err.message).is "open /nowhere/at/all: no such file or directory"
    expect(err.detail).is "ENOENT"
    expect(fs.stat("/nowhere/at/all")).is_nil()
    expect(fs.exists("/nowhere/at/all")).is(false)
    expect(fs.remove("/nowhere/at/all")).is(false)
  end)
end)

describe("a folder", function()
  it("is made with its parents, listed in order, and removed with all below", within(function(dir)
    fs.mkdir(dir .. "/x/y/z")
    fs.mkdir(dir .. "/x/y/z")
    for _, name in ipairs { "c", "a", "b" } do fs.write(dir .. "/x/" .. name, name) end
    expect(fs.list(dir .. "/x")).same { "a", "b", "c", "y" }
    expect(fs.stat(dir .. "/x").mode).is(0700)
    expect(function() fs.mkdir(dir .. "/x", { parents = false }) end):raises "PGO-IO"
    fs.remove_tree(dir .. "/x")
    fs.remove_tree(dir .. "/x")
    expect(fs.list(dir)).same {}
  end))

  it("knows the space that is left", function()
    expect(fs.free_space("/tmp")).above(0)
  end)

  it("keeps a file under its new name", within(function(dir)
    fs.write(dir .. "/a", "a")
    fs.rename(dir .. "/a", dir .. "/b")
    expect(fs.list(dir)).same { "b" }
    expect(function() fs.chown(dir .. "/b", "no-such-user-here") end):raises "PGO-IO"
  end))
end)

describe("a file as a stream", function()
  it("gives all of it, or the range asked for", within(function(dir)
    local data = pattern(3000001)
    fs.write(dir .. "/a", data, { sync = false })
    local all, bytes = fs.source(dir .. "/a")
    expect(bytes).is(#data)
    expect(all:read_all() == data).is(true)
    local part, count = fs.source(dir .. "/a", { offset = 1000000, length = 500000 })
    expect(count).is(500000)
    expect(part:read_all() == data:sub(1000001, 1500000)).is(true)
    local tail, rest = fs.source(dir .. "/a", { offset = 2999991 })
    expect(rest).is(10)
    expect(tail:read_all()).is(data:sub(-10))
  end))

  it("fails when the file ends before the length asked for", within(function(dir)
    fs.write(dir .. "/a", "short")
    local err = expect(function() fs.source(dir .. "/a", { length = 9 }):read_all() end):raises "PGO-IO"
    expect(err.message).has "4 bytes early"
  end))

  it("may be closed in the middle, or forgotten", within(function(dir)
    fs.write(dir .. "/a", pattern(2000000), { sync = false })
    local s = fs.source(dir .. "/a")
    s:read(10)
    s:close()
    fs.source(dir .. "/a")
  end))

  it("is missing at once", function()
    expect(function() fs.source("/nowhere") end):raises "PGO-IO"
    expect(function() fs.source("/tmp") end):raises "PGO-IO"
  end)
end)

describe("a stream into a file", function()
  it("arrives whole, with its digests", within(function(dir)
    local data, s = pattern(3000001), stream.new()
    local got
    task.group(function(group)
      group:spawn(function() got = fs.sink(dir .. "/a", s, { digests = { "md5", "sha256" }, sync = true }) end)
      s:write(data)
      s:finish()
    end)
    expect(got.bytes).is(#data)
    expect(fs.read(dir .. "/a") == data).is(true)
    expect(got.md5).is "10c76bf1798aca77a2ed06a2601a5cb7" -- as md5sum and sha256sum say
    expect(got.sha256).is "cbe533e6373e7b91e58ec6ca3e76015a80c1b502b64afd967c914ae3ac9f67f9"
  end))

  it("drops the former content, or keeps what lies outside its range", within(function(dir)
    fs.write(dir .. "/a", "0123456789")
    local s = stream.new()
    write_into(s, "ab")
    fs.sink(dir .. "/a", s, { offset = 4 })
    expect(fs.read(dir .. "/a")).is "0123ab6789"
    s = stream.new()
    write_into(s, "ab")
    fs.sink(dir .. "/a", s)
    expect(fs.read(dir .. "/a")).is "ab"
  end))

  it("raises the producer's error", within(function(dir)
    local s = stream.new()
    s:write("some")
    s:fail("the other side broke")
    local err = expect(function() fs.sink(dir .. "/a", s) end):raises "PGO-IO"
    expect(err.message).is "the other side broke"
  end))

  it("tells how far it came when the disk is full, and stops the producer", function()
    local s = stream.new()
    local err
    task.group(function(group)
      group:spawn(function()
        err = expect(function() fs.sink("/dev/full", s, { offset = 0 }) end):raises "PGO-IO"
      end)
      group:spawn(function()
        expect(function() s:write(pattern(4000000)) end):raises "PGO-CLOSED"
      end)
    end)
    expect(err.message).is "write /dev/full: no space left on device after 0 bytes"
    expect(err.detail).is "ENOSPC"
  end)

  it("is cancelled while it waits for bytes", within(function(dir)
    local s = stream.new()
    expect(function() task.timeout(0.05, fs.sink, dir .. "/a", s) end):raises "PGO-TIMEOUT"
  end))
end)

describe("a lock on a file", function()
  local function is_locked_elsewhere(path)
    return process.run({ host.executable(), "eval", ("print(require('pgorch.fs').is_locked(%q))"):format(path) }).stdout
  end

  it("is one open file's, is seen by all, and goes with it", within(function(dir)
    local path = dir .. "/lock"
    expect(fs.is_locked(path)).is(false)
    expect(fs.exists(path)).is(false)
    local lock = fs.lock(path)
    expect(fs.lock(path)).is_nil()
    expect(fs.is_locked(path)).is(true)
    expect(is_locked_elsewhere(path)).is "true\n"
    lock:close()
    lock:close()
    expect(is_locked_elsewhere(path)).is "false\n"
    local again <close> = fs.lock(path)
    expect(again ~= nil).is(true)
  end))

  it("goes with a process that is killed, and not to its children", within(function(dir)
    local path = dir .. "/lock"
    local child = process.spawn { host.executable(), "eval", ([[
      L = require('pgorch.fs').lock(%q)
      C = require('pgorch.process').spawn { "sleep", "30" }
      require('pgorch.fs').write(%q, tostring(C.pid))
      require('pgorch.task').sleep(30)]]):format(path, dir .. "/pid"), check = false }
    while not fs.exists(dir .. "/pid") do task.sleep(0.02) end
    expect(fs.is_locked(path)).is(true)
    process.run { "kill", "-KILL", tostring(child.pid) }
    child:wait()
    expect(fs.is_locked(path)).is(false)
    process.run { "kill", fs.read(dir .. "/pid"), check = false }
  end))

  it("names what cannot be locked", within(function(dir)
    local err = expect(function() fs.lock(dir) end):raises "PGO-IO"
    expect(err.message).has(dir)
  end))
end)
