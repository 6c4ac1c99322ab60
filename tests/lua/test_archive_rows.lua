-- The data of an archive out of several streams: rows come out whole, large objects in their framing, however the bytes
-- are cut on their way; what makes no sense, or is cut short, is refused.

local native = require "pgorch.native.archive"
local stream = require "pgorch.stream"
local task   = require "pgorch.task"

local MOST = 64 << 20

local function number(value) return "\0" .. ("<I4"):pack(value) end

-- What chunks hold, joined.
local function unframed(bytes)
  local parts, at = {}, 1
  while at <= #bytes do
    expect(bytes:byte(at)).is(0)
    local length = ("<I4"):unpack(bytes, at + 1)
    expect(length).above(0)
    parts[#parts + 1] = bytes:sub(at + 5, at + 4 + length)
    expect(#parts[#parts]).is(length)
    at = at + 5 + length
  end
  return table.concat(parts)
end

local function sorted_lines(text)
  local lines = {}
  for line in text:gmatch "[^\n]*\n" do lines[#lines + 1] = line end
  table.sort(lines)
  return lines
end

local function produce(group, texts, capacity, step)
  local from = stream.new(capacity)
  group:spawn(function()
    for _, text in ipairs(texts) do
      for at = 1, #text, step or #text do from:write(text:sub(at, at + (step or #text) - 1)) end
    end
    from:finish()
  end)
  return from
end

-- Rows of several streams at once, as they come out.
local function taken(lists, capacity, step)
  local to = stream.new(1 << 16)
  return task.group(function(group)
    local rows, left = native.rows(to), #lists
    for _, texts in ipairs(lists) do
      local from = produce(group, texts, capacity, step)
      group:spawn(function()
        expect(rows:take(from)).is(#table.concat(texts))
        left = left - 1
        if left == 0 then to:finish() end
      end)
    end
    return to:read_all(MOST)
  end)
end

local function list_of(name, count, length)
  local texts = {}
  for i = 1, count do texts[i] = name .. i .. "\t" .. name:rep(length) .. "\n" end
  return texts
end

describe("rows from several streams", function()
  it("come out whole, each once", function()
    local a, b, c = list_of("a", 3000, 20), list_of("b", 9, 300000), list_of("c", 500, 2000)
    local all = table.concat(a) .. table.concat(b) .. table.concat(c)
    for _, o in ipairs { { 1 << 18 }, { 1000 }, { 4096, 333 } } do
      local text = unframed(taken({ a, b, c, {} }, o[1], o[2]))
      expect(#text).is(#all)
      expect(sorted_lines(text)).same(sorted_lines(all))
    end
  end)

  it("of all streams go on side by side", function()
    local text = unframed(taken({ list_of("a", 20000, 100), list_of("b", 20000, 100) }))
    local first_b, last_a = text:find("b", 1, true), #text - text:reverse():find("a", 1, true)
    expect(first_b).below(#text // 4)
    expect(last_a).above(#text // 4 * 3)
  end)

  it("end with the error of a stream that fails, and nobody writes behind half a row", function()
    local to, from, other = stream.new(1 << 16), stream.new(), stream.new()
    local rows, met = native.rows(to), {}
    task.group(function(group)
      group:spawn(function() met[1] = select(2, pcall(rows.take, rows, from)) end)
      group:spawn(function() met[2] = select(2, pcall(rows.take, rows, other)) end)
      from:write "whole\nhalf"
      while to:total() < 15 do task.sleep(0) end
      other:write "other\n"
      for _ = 1, 20 do task.sleep(0) end
      expect(to:total()).is(20)                  -- the other one waits for the row
      from:fail "broken"
    end)
    expect(met[1].message).is "broken"
    expect(met[2].id).is "PGO-CLOSED"
    expect(function() other:write "more" end).raises "PGO-CLOSED"
    to:finish()
    expect(unframed(to:read_all())).is "whole\nhalf"
  end)

  it("that end in the middle of one are refused", function()
    local to, from = stream.new(1 << 16), stream.new()
    from:write "whole\nhalf"
    from:finish()
    local rows = native.rows(to)
    expect(function() rows:take(from) end).raises "PGO-ARCHIVE"
  end)

  it("stop when nobody reads any more, and when they are cancelled", function()
    local to, from = stream.new(1 << 16), stream.new()
    local rows = native.rows(to)
    task.group(function(group)
      group:spawn(function() expect(function() rows:take(from) end).raises "PGO-CLOSED" end)
      from:write "row\n"
      task.sleep(0)
      to:close()
    end)
    expect(function() from:write "more\n" end).raises "PGO-CLOSED"

    to, from = stream.new(1 << 16), stream.new()
    rows = native.rows(to)
    task.group(function(group)
      group:spawn(function() rows:take(from) end)
      task.sleep(0)
      group:cancel()
    end)
    expect(function() from:write "more\n" end).raises "PGO-CLOSED"
    expect(function() rows:take(to) end).raises "PGO-LUA"
  end)
end)

-- --- large objects ---

local HEADER, TRAILER = "PGCOPY\n\xff\r\n\0" .. ("\0"):rep(8), "\xff\xff"

local function row(oid, at, bytes) return (">I2I4I4I4i8s4"):pack(3, 4, oid, 8, at, bytes) end

-- An oid as an archive has it.
local function signed(oid) return oid < 1 << 31 and number(oid) or "\1" .. ("<I4"):pack((1 << 32) - oid) end

local function objects(bytes, step)
  local to = stream.new(1 << 16)
  return task.group(function(group)
    local from = produce(group, { bytes }, 1 << 16, step)
    group:spawn(function()
      native.objects(from, to)
      to:finish()
    end)
    return to:read_all(MOST)
  end)
end

local GOOD = HEADER .. row(7, 0, "seven") .. row(8, 0, "") .. row(9, 0, "ni") .. row(9, 2, "ne")
  .. row(4000000000, 0, "far") .. TRAILER

describe("large objects from a COPY", function()
  it("are framed as pg_dump frames them, however their bytes are cut", function()
    local none = number(0)
    local wanted = signed(7) .. number(5) .. "seven" .. none .. signed(8) .. none .. signed(9) .. number(2) .. "ni"
      .. number(2) .. "ne" .. none .. signed(4000000000) .. number(3) .. "far" .. none
    for _, step in ipairs { 1, 2, 3, 7, 26, #GOOD } do expect(objects(GOOD, step)).is(wanted) end
    expect(objects(HEADER .. TRAILER)).is ""
    local large = ("x"):rep(300000)
    expect(objects(HEADER .. row(1, 0, large) .. TRAILER)).is(number(1) .. number(#large) .. large .. none)
  end)

  it("are refused when they make no sense, or are cut short", function()
    for what, bytes in pairs {
      ["no end"] = GOOD:sub(1, -3), ["no beginning"] = "PGCOPX" .. GOOD:sub(7),
      ["not the columns"] = HEADER .. (">I2I4I4"):pack(2, 4, 1) .. ("\0"):rep(30),
      ["a piece is out"] = HEADER .. row(1, 0, "ab") .. row(1, 3, "cd") .. TRAILER,
      ["an object is out"] = HEADER .. row(2, 0, "ab") .. row(1, 0, "cd") .. TRAILER,
      ["something comes behind"] = GOOD .. "x",
    } do
      expect(expect(function() objects(bytes) end).raises "PGO-ARCHIVE".message).has(what)
    end
    for length = 1, #GOOD - 1 do expect(function() objects(GOOD:sub(1, length)) end).raises "PGO-ARCHIVE" end
  end)

  it("stop when nobody reads any more", function()
    local to, from = stream.new(1 << 16), stream.new()
    task.group(function(group)
      group:spawn(function() expect(function() native.objects(from, to) end).raises "PGO-CLOSED" end)
      from:write(HEADER .. row(1, 0, ("x"):rep(100000)))
      to:read(10)
      to:close()
    end)
    expect(function() from:write "more" end).raises "PGO-CLOSED"
  end)
end)
