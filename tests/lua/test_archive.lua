-- Archives as scripts see them: heads of what four majors of pg_dump wrote, and what is refused.

local archive = require "pgorch.archive"
local fs      = require "pgorch.fs"
local stream  = require "pgorch.stream"
local task    = require "pgorch.task"

local FOLDER = "tests/fixtures/archives/"
local VERSIONS = { [15] = "1.14", [16] = "1.15", [17] = "1.16", [18] = "1.16" }

local function read_head(name)
  local from = fs.source(FOLDER .. name)
  local contents, head = archive.read_head(from)
  return contents, head, from
end

-- What `pg_restore -l` prints of an entry.
local function line_of(e)
  local line = ("%d; %s %s %s %s %s %s"):format(e.id, e.tableoid, e.oid, e.desc, e.namespace or "-", e.tag,
    e.owner or "")
  return (line:gsub("\n", " "))
end

-- `pg_restore -l` leaves these out.
local HIDDEN = { ENCODING = true, STDSTRINGS = true, SEARCHPATH = true, DATABASE = true }
local function is_listed(e) return not HIDDEN[e.desc] and e.tag ~= "DATABASE sample" end

local function listed(major)
  local lines = {}
  for line in fs.read(FOLDER .. "s" .. major .. ".list"):gmatch "[^\n]+" do
    if line:find "^%d" then lines[#lines + 1] = line end
  end
  return lines
end

describe("the head of an archive", function()
  for major, version in pairs(VERSIONS) do
    it("is read as pg_restore reads it, of pg_dump " .. major, function()
      local contents = read_head("s" .. major .. "-z0.dump")
      expect(contents.version).is(version)
      expect(contents.compression).is "none"
      expect(contents.dbname).is "sample"
      expect(contents.server_version:match "^%d+").is(tostring(major))
      expect(contents.dump_version:match "^%d+").is(tostring(major))
      local lines = {}
      for _, e in ipairs(contents.entries) do
        if is_listed(e) then lines[#lines + 1] = line_of(e) end
      end
      expect(lines).same(listed(major))
    end)
  end

  it("says everything of an entry", function()
    local contents = read_head "s18-offsets.head"
    local by = {}
    for _, e in ipairs(contents.entries) do by[e.desc .. " " .. (e.tag or "")] = e end
    local data, table_ = by["TABLE DATA Mixed Table"], by["TABLE Mixed Table"]
    expect(data.copy).is 'COPY "Mixed Schema"."Mixed Table" ("Id", "the ""quoted"" column", "select") FROM stdin;\n'
    expect(data.section).is "data"
    expect(data.data).is "set"
    expect(data.offset).is(46752)
    expect(data.had_data).is(true)
    expect(data.defn).is(nil)
    expect(table_.tableam).is "heap"
    expect(table_.relkind).is "r"
    expect(table_.data).is "none"
    expect(table_.offset).is(nil)
    expect(table_.section).is "pre-data"
    expect(table_.drop).is 'DROP TABLE "Mixed Schema"."Mixed Table";\n'
    expect(data.dependencies).same { table_.id }
  end)

  it("ends where the data begins, which stays in the stream", function()
    local contents, head, from = read_head "s17-z0.dump"
    expect(#head).is(44492)
    expect(contents.entries[1].data).is "none"
    expect(from:read(1)).is "\1"
    from:close()
    expect(head:string()).is(fs.read(FOLDER .. "s17-z0.dump"):sub(1, 44492))
  end)

  it("names the compression", function()
    expect(read_head("s15-gzip.head").compression).is "gzip"
    expect(read_head("s16-lz4.head").compression).is "lz4"
    expect(read_head("s17-zstd.head").compression).is "zstd"
    expect(#read_head("s18-statistics.head").entries).is(222)
  end)

  local function refused(text)
    local from = stream.new(#text + 1)
    from:write(text)
    from:finish()
    local ok, err = pcall(archive.read_head, from)
    expect(ok).is(false)
    expect(err.id).is "PGO-ARCHIVE"
    return err.message
  end

  it("is refused, with its place, when it cannot be one", function()
    local whole = fs.read(FOLDER .. "s17-offsets.head")
    expect(refused "PGFOO").is "at byte 2: this is no archive of pg_dump's"
    expect(refused "").is "at byte 0: the archive ends in its header"
    expect(refused(whole:sub(1, 5) .. "\1\17" .. whole:sub(8)))
      .is "at byte 5: version 1.17 of the archive format is not known (1.14 to 1.16 are)"
    expect(refused(whole:sub(1, 10) .. "\3" .. whole:sub(12)))
      .is "at byte 10: the archive is not in the custom format, but in format 3"
    expect(refused(whole:sub(1, 30000))).is "at byte 30000: the archive ends in its table of contents"
    expect(refused(whole:sub(1, 12) .. "\0\0\0\0\x80" .. whole:sub(18))).is "at byte 12: there should be a number"
    expect(refused(whole:sub(1, 47) .. "\0\0\0\0\x70" .. whole:sub(53))).is "at byte 47: a text of 1879048192 bytes"
  end)

  it("passes a bad end on", function()
    local from = stream.new()
    from:write "PGDMP"
    from:fail(require "pgorch.error".new("PGO-DUMP", "pg_dump ended with status 1"))
    expect(function() archive.read_head(from) end).raises "PGO-DUMP"
  end)

  it("knows which pg_dump it understands", function()
    expect(archive.understands(13)).is(true)
    expect(archive.understands(18)).is(true)
    expect(archive.understands(19)).is(false)
  end)
end)

describe("recompressing an archive", function()
  it("knows the head's size before anything is written, and its places afterwards", function()
    local a, to = archive.recompress {}, stream.new()
    expect(a:head_size()).is(nil)
    expect(function() a:head() end).raises "PGO-INVALID"
    local counts, size_at_first
    local written = 0
    task.group(function(g)
      g:spawn(function()
        for piece in function() return to:read() end do
          size_at_first = size_at_first or a:head_size()
          written = written + #piece
        end
      end)
      counts = a:run(fs.source(FOLDER .. "s18-z0.dump"), to)
    end)
    expect(size_at_first).is(46752)
    expect(counts.bytes).is(written)
    expect(counts.raw).is(361323)
    expect(counts.blocks).is(26)
    local from = stream.new(46752)
    local whole = a:head():string()
    expect(a:head(0, 40000):string() .. a:head(40000, 1 << 20):string() .. a:head(46752):string()).is(whole)
    expect(pcall(a.head, a, 46753)).is(false)
    expect(pcall(a.head, a, 0, -1)).is(false)
    from:write(whole)
    from:finish()
    local contents = archive.read_head(from)
    expect(contents.compression).is "gzip"
    local first
    for _, e in ipairs(contents.entries) do
      if e.data == "set" then first = first or e end
      expect(e.data ~= "unset").is(true)
    end
    expect(first.offset).is(46752)
  end)

  it("makes quick pieces, and smaller ones while the reader has enough", function()
    local function engines(enough)
      local a, to = archive.recompress(), stream.new(1 << 20)
      a:ahead(enough)
      return a:run(fs.source(FOLDER .. "s18-z0.dump"), to).engines
    end
    local quick, small = engines(false), engines(true)
    if quick.isal == 0 then skip "this pgorch was built without ISA-L" end
    expect(quick.deflate + quick.zlib).is(0)
    expect(small.isal).is(0)
    expect(small.deflate + small.zlib).above(0)
  end)

  it("leaves the good end to the caller when it is told to", function()
    local a, to = archive.recompress { engine = "zlib", level = 1, threads = 1 }, stream.new(1 << 20)
    a:run(fs.source(FOLDER .. "small.dump"), to, { keep_end = true })
    to:write "more"
    to:finish()
    expect(to:read_all():sub(-4)).is "more"
    expect(function() a:run(fs.source(FOLDER .. "small.dump"), stream.new()) end).raises "PGO-INVALID"
  end)

  it("ends the output with the error that it raises", function()
    local a, to = archive.recompress(), stream.new(1 << 20)
    expect(function() a:run(fs.source(FOLDER .. "s17-zstd.head"), to) end).raises "PGO-ARCHIVE"
    expect(function() to:read_all() end).raises "PGO-ARCHIVE"
  end)

  it("refuses options that are none", function()
    expect(function() archive.recompress { engine = "brotli" } end).raises "PGO-INVALID"
    expect(function() archive.recompress { engine = "zlib", level = 12 } end).raises "PGO-INVALID"
    expect(function() archive.recompress { level = 3 } end).raises "PGO-INVALID"
    expect(function() archive.recompress { threads = -1 } end).raises "PGO-INVALID"
  end)
end)
