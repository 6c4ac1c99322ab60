-- `pgorch dump`, run as a user runs it, in the sandbox: the archives restore, each mistake is named, and a dump that
-- did not end well leaves nothing behind.

local archive = require "pgorch.archive"
local await   = require "support.await"
local crypto  = require "pgorch.crypto"
local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local pg      = require "pgorch.pg"
local process = require "pgorch.process"
local s3      = require "pgorch.s3"
local sandbox = require "pgorch.sandbox"
local secret  = require "pgorch.secret"
local stream  = require "pgorch.stream"
local task    = require "pgorch.task"

local BUCKET = "dumps"

-- 60 MB that do not compress: long enough to be stopped in the middle, and eight parts of an upload.
local NOISE = [[
CREATE TABLE noise AS SELECT n, (SELECT decode(string_agg(md5(random()::text || n || i), ''), 'hex')
  FROM generate_series(1, 32768) i) AS bytes FROM generate_series(1, 120) n;
]]

local function in_world(source, fn)
  return function()
    sandbox.run({ source = source }, function(world)
      fs.with_temporary("pgorch-dump-", function(dir) fn(world, dir) end)
    end)
  end
end

local function words(world, arguments, more)
  local argv = { host.executable(), "dump", table.unpack(arguments) }
  argv.env, argv.env_clear, argv.check, argv.timeout = sandbox.environment(world), true, false, 120
  for name, value in pairs(more or {}) do argv.env[name] = value end
  return argv
end

---Runs it: its exit status, and all that it said.
local function dump(world, arguments, more)
  local done = process.run(words(world, arguments, more))
  return done.code, done.stdout .. done.stderr
end

local function bucket_of(world)
  local bucket = s3.client({ endpoint = world.s3.url, access_key = world.s3.access_key,
    secret_key = secret.new(world.s3.secret_key) }):bucket(BUCKET)
  bucket:create()
  return bucket
end

local TABLES = [[
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%']]

local function counts(url)
  local conn <close> = pg.connect(url)
  local found = {}
  for _, each in ipairs(conn:query(TABLES)) do
    local name = pg.ident(each.nspname, each.relname)
    found[name] = conn:value("select count(*) from " .. name)
  end
  return found
end

-- The archive holds what the source holds.
local function restores(world, path)
  local database = world.target:create { essential = true, connections = 20 }
  local env = pg.env(database.url, world.dir)
  process.run { world.server.client .. "/pg_restore", "--no-owner", "--no-acl", "--exit-on-error", "-d", env.PGDATABASE,
    path, env = env, timeout = 100 }
  local source = counts(world.source.url)
  expect(next(source)).is_true()
  expect(counts(database.url)).same(source)
  world.target:drop(database)
end

-- The table of contents says where the data of each table lies: pg_restore -j goes straight there.
local function expect_places(from)
  local contents, places = archive.read_head(from), 0
  expect(contents.compression).is "gzip"
  for _, each in ipairs(contents.entries) do
    expect(each.data).is_not "unset"
    if each.data == "set" then places = places + 1 end
  end
  expect(places).above(3)
  from:close()
end

-- What is stored there, said by pg_restore: SQL, but for the words that it makes up each time.
local function sql_of(world, path)
  local said = process.run({ world.server.client .. "/pg_restore", "-f", "-", path }).stdout
  return crypto.sha256((said:gsub("\n\\%l*restrict [^\n]+", "")))
end

local function names(dir) return table.concat(fs.list(dir), " ") end

describe("pgorch dump -o FILE", function()
  it("writes an archive that restores, and overwrites nothing", in_world({ scale = 0.05 }, function(world, dir)
    local path = dir .. "/a.dump"
    local status, said = dump(world, { "-o", path, "--sha256" })
    expect(said).has(path)
    expect(status).is(0)
    expect(fs.stat(path).mode).is(0600)
    expect_places(fs.source(path))
    expect(said:match "sha256%s+(%x+)").is(process.run({ "sha256sum", path }).stdout:match "^%x+")
    expect(said).has(("(%d bytes)"):format(fs.stat(path).size))
    restores(world, path)

    fs.write(path, "precious")
    status, said = dump(world, { "-o", path })
    expect(status).is(2)
    expect(said).has "is there already"
    expect(fs.read(path)).is "precious"
    status, said = dump(world, { "-o", path, "--force" })
    expect(status).is(0)
    expect(said).lacks "sha256"
    expect(fs.read(path, 1 << 30):sub(1, 5)).is "PGDMP"
    expect(names(dir)).is "a.dump"
  end))

  it("compresses as one asks, and pg_restore reads the same out of each", in_world({ scale = 0.1 }, function(world, dir)
    local sizes, content = {}, nil
    for _, how in ipairs { "stock", "auto", "fast", "small" } do
      local path = ("%s/%s"):format(dir, how)
      local status, said = dump(world, { "-o", path, "--compress", how })
      if status ~= 0 then error(said, 0) end
      sizes[how], content = fs.stat(path).size, content or sql_of(world, path)
      expect(sql_of(world, path)).is(content)
    end
    expect(sizes.small < sizes.fast).is(true)
    expect(sizes.small < sizes.stock * 1.02).is(true)
    local status, said = dump(world, { "-o", dir .. "/none", "--compress", "much" })
    expect(said).has "--compress"
    expect(status).is(2)
  end))

  it("names what is wrong, and leaves no file", in_world({ scale = 0.05 }, function(world, dir)
    local function refused(id, url, ...)
      local status, said = dump(world, { "-o", dir .. "/a.dump", ... }, { SOURCE_DATABASE_URL = url })
      expect(said).has(id)
      expect(status).above(0)
      expect(names(dir)).is ""
      return said
    end
    local source = world.source
    expect(refused("PGO-PG-AUTH", source.cluster:url(source.user, "wrong", source.dbname))).lacks "traceback"
    refused("PGO-PG-CONNECT", "postgres://u:p@127.0.0.1:1/d")
    source.gate:allow { "198.51.100.7/32" } -- an allow list without this machine: nobody answers
    expect(refused("PGO-PG-CONNECT", source.url .. "&connect_timeout=1")).has "allow list"
    source.gate:allow_everybody()
    refused("SOURCE_DATABASE_URL is not set", "")
    refused("one of them", nil, "--to", "s3://a/b")
    refused("--ca names /none.pem", nil, "--ca", "/none.pem")
    refused("did you mean --output", nil, "--outptu", "x")
    local status, said = dump(world, { "-o", dir .. "/no/such/a.dump" })
    expect(said).has "PGO-IO"
    expect(status).is(1)
  end))

  it("leaves no file on Ctrl-C", in_world({ sql = NOISE }, function(world, dir)
    local proc <close> = process.spawn(words(world, { "-o", dir .. "/a.dump" }))
    await("a partial file", function() return names(dir):find "partial" end)
    proc:kill "INT"
    expect(proc:wait().code).is(8)
    expect(names(dir)).is ""
  end))
end)

describe("pgorch dump --to s3://", function()
  it("uploads an archive that restores", in_world({ scale = 0.05 }, function(world, dir)
    local bucket = bucket_of(world)
    local status, said = dump(world, { "--to", "s3://dumps/a/b.dump", "--sha256" },
      { AWS_CA_BUNDLE = "/none.pem" }) -- not for http
    expect(said).has "s3://dumps/a/b.dump"
    expect(status).is(0)
    local data = bucket:get "a/b.dump"
    fs.write(dir .. "/b.dump", data)
    expect(said:match "sha256%s+(%x+)").is(crypto.sha256(data))
    expect(said:match "etag%s+(%S+)").is(bucket:head_object("a/b.dump").etag)
    expect_places(fs.source(dir .. "/b.dump"))
    restores(world, dir .. "/b.dump")

    status, said = dump(world, { "--to", "s3://dumps/a/b.dump" })
    expect(said).has "is there already"
    expect(status).is(2)
  end))

  -- A comment is a text of the table of contents: with 25 MiB it may wait for the places, with 33 MiB it may not.
  it("says when the places of the data are left out", in_world({ scale = 0.05 }, function(world)
    local bucket = bucket_of(world)
    local conn <close> = pg.connect(world.source.url)
    conn:exec "create table commented (a int)"
    for mib, has_places in pairs { [25] = true, [33] = false } do
      conn:exec(("comment on table commented is '%s'"):format(("x"):rep(mib << 20)))
      local key = ("%d.dump"):format(mib)
      local status, said = dump(world, { "--to", "s3://dumps/" .. key })
      expect(status).is(0)
      expect(said:find("without the places of the tables' data", 1, true) == nil).is(has_places)
      local data = stream.new()
      task.group(function(group)
        group:spawn(bucket.get, bucket, key, { into = data })
        for _, each in ipairs(archive.read_head(data).entries) do
          if each.desc == "TABLE DATA" then expect(each.data).is(has_places and "set" or "unset") end
        end
        data:close()
        group:cancel()
      end)
    end
  end))

  it("names what is wrong", in_world({ scale = 0.05 }, function(world)
    local bucket = bucket_of(world)
    local function refused(id, to, more)
      local status, said = dump(world, { "--to", to }, more)
      expect(said).has(id)
      expect(status).above(0)
      expect(#bucket:list() + #bucket:uploads()).is(0)
    end
    refused("PGO-S3-CREDENTIALS", "s3://dumps/a.dump", { AWS_SECRET_ACCESS_KEY = "wrong" })
    refused("AWS_SECRET_ACCESS_KEY is not set", "s3://dumps/a.dump", { AWS_SECRET_ACCESS_KEY = "" })
    refused("there is no bucket", "s3://nowhere/a.dump")
    refused("write s3://BUCKET/KEY", "s3://dumps")
    refused("AWS_CA_BUNDLE names /none.pem", "s3://dumps/a.dump", { AWS_CA_BUNDLE = "/none.pem",
      AWS_ENDPOINT_URL = "https://127.0.0.1:1" })
    refused("PGO-NET", "s3://dumps/a.dump", { AWS_ENDPOINT_URL = "http://127.0.0.1:1" })
  end))

  it("leaves no object and no part when pg_dump is killed", in_world({ sql = NOISE }, function(world)
    local bucket = bucket_of(world)
    local proc <close> = process.spawn(words(world, { "--to", "s3://dumps/a.dump" }))
    await("an upload", function() return #bucket:uploads() > 0 end)
    process.run { "pkill", "-KILL", "-x", "-P", proc.pid, "pg_dump" }
    local ended = proc:wait()
    expect(ended.stderr).has "PGO-DUMP: pg_dump ended with signal KILL"
    expect(ended.code).is(1)
    expect(#bucket:list()).is(0)
    expect(#bucket:uploads()).is(0)
  end))
end)
