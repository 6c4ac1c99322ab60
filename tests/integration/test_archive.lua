-- What pgorch makes of pg_dump's uncompressed archive, in the hands of the real pg_restore: the same content as that of
-- the archive that pg_dump compresses itself, from a pipe, from a file, and with -j from a file with places in it.

local archive   = require "pgorch.archive"
local clusters  = require "support.clusters"
local fs        = require "pgorch.fs"
local majors    = require "support.majors"
local process   = require "pgorch.process"
local resource  = require "pgorch.native.resource"
local stream    = require "pgorch.stream"
local task      = require "pgorch.task"

-- As many pieces as the crew has in hand, and more.
local MORE = [[drop materialized view shop.sales_pivot cascade; -- it cannot be refreshed without a search_path
  create table "großes Blatt" as
    select n, repeat(md5(n::text), 6) as same, sha512(n::text::bytea) as other from generate_series(1, 60000) n;
  create table "an empty one" (); create table plain (text text);
  insert into plain values ('\.'), (e'\\N\t\n'), (null)]]

local COUNTS = [[select concat_ws(' ', (select count(*) from shop.customers),
  (select sum(hashtextextended(d::text, 0)) from audit.documents d),
  (select sum(hashtextextended(g::text, 0)) from "großes Blatt" g), (select count(*) from plain),
  (select sum(hashtextextended(l.loid::text || l.data::text, l.pageno)) from pg_largeobject l),
  (select count(*) from pg_largeobject_metadata))]]

local function run(cluster, command, ...)
  local argv = { "sh", "-c", "set -e\n" .. command, "sh", ... }
  argv.env = { PGHOST = cluster.cluster.socket, PGPORT = tostring(cluster.cluster.port), PGUSER = "postgres" }
  return process.run(argv).stdout
end

-- The SQL of an archive, but for the random words that pg_restore puts around it.
local SQL = [[pg_restore -f - %s | grep -vE '^\\(un)?restrict ' | sha256sum]]

local function press(dir, o)
  local path = ("%s/%s.dump"):format(dir, o.engine)
  local made, out, counts = archive.recompress(o), stream.new(), nil
  task.group(function(g)
    g:spawn(fs.sink, path, out)
    counts = made:run(fs.source(dir .. "/plain.dump"), out)
  end)
  return path, made, counts
end

local function put_head(path, made)
  local head = made:head()
  local from = stream.new(#head)
  from:write(head)
  from:finish()
  fs.sink(path, from, { offset = 0 })
end

local function fill(cluster, dir)
  cluster:create("sample", "template template0 encoding 'UTF8'")
  cluster.cluster:psql(resource.read "pgorch/sandbox/sample.sql", { dbname = "sample", variables = { scale = 0.02 } })
  cluster:exec("sample", MORE)
  run(cluster, 'pg_dump -Fc -Z0 sample | cat >"$1/plain.dump"; pg_dump -Fc sample | cat >"$1/stock.dump"', dir)
end

local function counts_of(cluster, dbname)
  local conn <close> = cluster:connect(dbname)
  return conn:value(COUNTS)
end

local function restore_parallel(cluster, path, dbname)
  cluster:create(dbname, "template template0 encoding 'UTF8'")
  run(cluster, 'pg_restore --exit-on-error -j 2 -d "$2" "$1"', path, dbname)
  return counts_of(cluster, dbname)
end

-- The last two are restored, too.
local ENGINES = { { engine = "isal" }, { engine = "zlib", level = 1 }, { engine = "deflate" }, { engine = "auto" } }

describe("an archive that pgorch has compressed", function()
  it("is to pg_restore what pg_dump's own is", function()
    local missing = majors.missing(15)
    if missing then skip(missing) end
    clusters.with({ 15 }, function(cluster)
      fs.with_temporary("pgorch-archive-", function(dir)
        fill(cluster, dir)
        local wanted, original = run(cluster, SQL:format '"$1"', dir .. "/stock.dump"), counts_of(cluster, "sample")
        for i, o in ipairs(ENGINES) do
          local path, made, counts = press(dir, o)
          expect(counts.raw).is(fs.stat(dir .. "/plain.dump").size)
          expect(counts.bytes).is(fs.stat(path).size)
          expect(run(cluster, 'cat "$1" | ' .. SQL:format "", path)).is(wanted)
          put_head(path, made)
          expect(fs.stat(path).size).is(counts.bytes)
          expect(run(cluster, SQL:format '"$1"', path)).is(wanted)
          if i > 2 then expect(restore_parallel(cluster, path, "target" .. i)).is(original) end
        end
      end)
    end)
  end)
end)
