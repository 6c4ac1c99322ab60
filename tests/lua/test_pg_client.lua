-- Which pg_dump is used: source <= client <= target, and a clear word when there is none.

local env       = require "pgorch.env"
local fs        = require "pgorch.fs"
local host      = require "pgorch.native.host"
local majors    = require "support.majors"
local pg_client = require "pgorch.pg_client"
local process   = require "pgorch.process"

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

describe("pg_client.installed", function()
  -- In another process: what is found depends on the environment.
  local function in_environment(code, variables)
    return process.run { host.executable(), "eval", 'local client = require "pgorch.pg_client"; ' .. code,
      env = variables }.stdout
  end

  it("finds the real pg_dump 14 and 15, one in PATH and one where the distribution has it", function()
    local client = majors.client_14() or skip "there is no pg_dump 14 for this architecture"
    local list = [[for _, each in ipairs(client.installed()) do print(each.major, each.pg_dump) end]]
    local path = { PATH = client .. ":" .. env.get "PATH" }
    expect(in_environment(list, path)).matches("^14\t" .. client:gsub("%p", "%%%0") .. "/pg_dump\n15\t/")
    local choice = [[for _, pair in ipairs { { 13, 14 }, { 13 }, { 14, 15 }, { 15, 18 } } do
      print(client.choose(pair[1], pair[2]).version) end]]
    expect(in_environment(choice, path)).matches "^14%.%d+\n14%.%d+\n14%.%d+\n15%.%d+\n$"
    expect(in_environment(choice:gsub("{ 13, 14 }, ", ""), {})).matches "^15%.%d+\n15%.%d+\n15%.%d+\n$"
  end)

  it("starts no others where the distribution has the source's own major", function()
    if not fs.exists "/usr/lib/postgresql/15/bin/pg_dump" then skip "no pg_dump 15 where Debian has it" end
    fs.with_temporary("pgorch-test-", function(dir)
      fs.write(dir .. "/pg_dump", ("#!/bin/sh\necho ran >>'%s/ran'\necho 'pg_dump 12.1'\n"):format(dir),
        { mode = 0700 })
      local path = { PATH = dir .. ":" .. env.get "PATH" }
      expect(in_environment("print(client.choose(15, nil).version)", path)).matches "^15%."
      expect(fs.exists(dir .. "/ran")).is(false)
      expect(in_environment("print(client.installed()[1].version)", path)).is "12.1\n"
      expect(fs.exists(dir .. "/ran")).is(true)
    end)
  end)

  it("takes the one that PGORCH_PG_DUMP names before others of its major", function()
    local client = majors.client_14() or skip "there is no pg_dump 14 for this architecture"
    local print_14 = "print(client.choose(14, 14).pg_dump)"
    expect(in_environment(print_14, { PGORCH_PG_DUMP = client .. "/pg_dump" })).is(client .. "/pg_dump\n")
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
    expect(argv).has "--quote-all-identifiers"
    expect(argv).has "keepalives=1 keepalives_idle=30"
    expect(argv).lacks "--lock-wait-timeout"
    expect(table.concat(pg_client.dump_argv({ major = 15, pg_dump = "p" }, { lock_wait = 60 }), " "))
      .has "--lock-wait-timeout=60000"
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
