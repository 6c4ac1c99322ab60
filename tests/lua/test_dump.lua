-- pg_dump as a stream, against a throwaway server: the good end comes after exit 0 alone, and whoever fails is heard.

local dump      = require "pgorch.dump"
local fail      = require "pgorch.error"
local fs        = require "pgorch.fs"
local pg        = require "pgorch.pg"
local pg_client = require "pgorch.pg_client"
local postgres  = require "support.postgres"
local process   = require "pgorch.process"
local source    = require "pgorch.source"
local task      = require "pgorch.task"

local function options(server, dir)
  return { source = source.from_url(server.uri), client = pg_client.choose(15, nil), dir = dir,
           log = dir .. "/pg_dump.log" }
end

local function fill(server)
  local conn <close> = pg.connect(server.uri)
  conn:exec "create table goods as select n, repeat(md5(n::text), 8) as text from generate_series(1, 100000) n"
  return conn.server_version // 10000
end

local function with_server(fn)
  return function()
    fs.with_temporary("pgorch-dump-", function(dir)
      local server <close> = postgres.start()
      local major = fill(server)
      local o = options(server, dir)
      o.client = pg_client.choose(major, nil)
      fn(o, dir, server)
    end)
  end
end

local SESSIONS = "select count(*) from pg_stat_activity where application_name = 'pgorch' and pid <> pg_backend_pid()"

describe("dump.run", function()
  it("hands over an archive that pg_restore reads", with_server(function(o, dir)
    local path = dir .. "/a.dump"
    local seen
    local written = dump.run(o, function(archive, state)
      local sunk = fs.sink(path, archive, { digests = { "sha256" } })
      seen = state.table
      return sunk
    end)
    expect(written.bytes).is(fs.stat(path).size)
    expect(seen).is "public.goods"
    expect(process.run({ "pg_restore", "-l", path }).stdout).has "TABLE DATA public goods"
    expect(fs.read(o.log)).has "dumping contents of table"
  end))

  it("ends the archive with pg_dump's own words when it fails", with_server(function(o)
    o.source.dbname = "nowhere"
    local given
    local err = expect(function()
      dump.run(o, function(archive)
        local ok, why = pcall(archive.read_all, archive)
        given = not ok and why
        error(why, 0)
      end)
    end).raises "PGO-DUMP"
    expect(err.detail).has 'database "nowhere" does not exist'
    expect(given.id).is "PGO-DUMP"
  end))

  it("never ends the archive well when pg_dump is killed", with_server(function(o)
    local ended_well = false
    local err = expect(function()
      dump.run(o, function(archive, state)
        archive:read(1000)
        process.run { "kill", "-KILL", state.pid }
        archive:drain()
        ended_well = true
      end)
    end).raises "PGO-DUMP"
    expect(err.message).has "signal KILL"
    expect(ended_well).is(false)
  end))

  it("raises the consumer's own error when that gives up, and ends pg_dump", with_server(function(o, _, server)
    local err = expect(function()
      dump.run(o, function(archive)
        archive:read(1000)
        archive:close()
        task.sleep(0.2)         -- as an upload that aborts what it has sent
        fail.raise("PGO-S3-CREDENTIALS", "refused")
      end)
    end).raises "PGO-S3-CREDENTIALS"
    expect(err.message).is "refused"
    local conn <close> = pg.connect(server.uri)
    local count
    for _ = 1, 50 do
      count = conn:value(SESSIONS)
      if count == 0 then break end
      task.sleep(0.1)
    end
    expect(count).is(0)
  end))
end)
