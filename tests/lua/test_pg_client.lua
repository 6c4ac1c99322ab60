-- Which pg_dump is used: source <= client <= target, and a clear word when there is none.

local pg_client = require "pgorch.pg_client"

local function installed(...)
  local list = {}
  for i, major in ipairs { ... } do
    list[i] = { major = major, version = major .. ".1", pg_dump = "pg_dump" .. major }
  end
  return list
end

describe("pg_client.choose", function()
  it("takes the source's own major when it is there", function()
    expect(pg_client.choose(15, 17, installed(14, 15, 16, 17)).major).is(15)
  end)

  it("takes the next newer one that the target still reads", function()
    expect(pg_client.choose(15, 17, installed(14, 16, 18)).major).is(16)
    expect(pg_client.choose(15, nil, installed(14, 18)).major).is(18)
  end)

  it("refuses a source that is newer than every pg_dump here, and says what to install", function()
    local err = expect(function() pg_client.choose(17, nil, installed(15, 16)) end):raises "PGO-PG-VERSION"
    expect(err.message).has "the source is PostgreSQL 17: a pg_dump of 17 or newer is needed"
    expect(err.detail).has "installed here: 15.1 (pg_dump15), 16.1 (pg_dump16)"
    expect(err.detail).has "postgresql-client-17"
  end)

  it("refuses one whose archive the target's pg_restore could not read", function()
    expect(function() pg_client.choose(15, 16, installed(17)) end):raises "PGO-PG-VERSION"
    expect(expect(function() pg_client.choose(15, 16, {}) end):raises "PGO-PG-VERSION".detail).has "no pg_dump"
  end)
end)

describe("pg_client.look_at", function()
  it("finds nothing in a place that cannot be looked into", function()
    expect(pg_client.look_at "/etc/passwd/pg_dump").is(nil)
    expect(pg_client.look_at "/nonexistent/pg_dump").is(nil)
  end)
end)

describe("pg_client.dump_argv", function()
  it("names large objects as the version does, and the snapshot", function()
    local argv = table.concat(pg_client.dump_argv({ major = 15, pg_dump = "p" }, { snapshot = "a-1" }), " ")
    expect(argv).has "--blobs"
    expect(argv).has "--snapshot=a-1"
    expect(table.concat(pg_client.dump_argv({ major = 17, pg_dump = "p" }, {}), " ")).has "--large-objects"
  end)
end)

describe("pg_client.environment", function()
  it("keeps nothing of the user's that could lead to another server or that is a key", function()
    local kept = { PATH = true, HOME = true, TMPDIR = true, LD_LIBRARY_PATH = true, LC_ALL = true, PGHOST = true }
    local vars = pg_client.environment { PGHOST = "db.example" }
    for name in pairs(vars) do expect(kept[name]).is(true) end
    expect(vars.PGHOST).is "db.example"
    expect(vars.LC_ALL).is "C"
  end)
end)
