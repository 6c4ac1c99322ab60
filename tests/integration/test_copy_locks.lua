-- The source's tables while they are copied: nobody truncates or rewrites one unnoticed, and who waits to do it is not
-- waited for. Each moment is made by a connection that does something before it passes a statement on.

local clusters    = require "support.clusters"
local connections = require "pgorch.copy.connections"
local copy        = require "pgorch.copy"
local data        = require "pgorch.copy.data"
local fs          = require "pgorch.fs"
local pg_client   = require "pgorch.pg_client"
local schema      = require "pgorch.copy.schema"
local secret      = require "pgorch.secret"
local source      = require "pgorch.source"
local task        = require "pgorch.task"

local function place_of(cluster, dbname) return source.from_url(secret.new(cluster:url(dbname))) end

-- In one cluster: a source "a" with these rows, and an empty target "b". Locks are waited for a moment only.
local function between(sql, fn)
  return function()
    local wait <close> = setmetatable({ data.SOURCE_SETTINGS.lock_timeout }, { __close = function(self)
      data.SOURCE_SETTINGS.lock_timeout = self[1]
    end })
    expect(wait[1]).is "10s"
    data.SOURCE_SETTINGS.lock_timeout = "500ms"
    clusters.with({ 15 }, function(cluster)
      cluster:create "a"
      cluster:create "b"
      cluster:exec("a", sql)
      fs.with_temporary("pgorch-copy-", function(dir) fn(cluster, place_of(cluster, "a"), dir) end)
    end)
  end
end

-- The target; `at(n)` is called before its n-th connection that is there to write.
local function target_of(cluster, at)
  local place, count = place_of(cluster, "b"), 0
  return { env = function(dir) return place:env(dir) end, name = function() return "b" end, connect = function(o)
    if o.settings then
      count = count + 1
      at(count)
    end
    return place:connect { settings = o.settings, writable = true }
  end }
end

local function copy_all(cluster, from, dir, at, snapshot)
  return copy.run { source = from, target = target_of(cluster, at), client = pg_client.choose(15, 15), dir = dir,
                    snapshot = snapshot, jobs = 1, index_jobs = 1 }
end

-- Reads the schema in a new snapshot; `before` is called when pg_dump has written its head, before tables are locked.
local function read_schema(from, dir, before)
  local at <close> = connections.open_snapshot(from)
  local conn = { exec = function(_, sql)
    before()
    return at.conn:exec(sql)
  end, query = function(_, ...) return at.conn:query(...) end }
  return schema.read { client = pg_client.choose(15, 15), source = from, dir = dir, snapshot = at.id, conn = conn }
end

local WAITING = "select count(*) from pg_locks where not granted and mode = 'AccessExclusiveLock'"

-- Runs a statement that has to wait, in a group; returns when it does. Joined, it says whether it succeeded.
local function queue(cluster, group, sql)
  local conn <close> = cluster:connect "a"
  local waiter = group:spawn(pcall, cluster.exec, cluster, "a", sql)
  for _ = 1, 600 do
    if conn:value(WAITING) > 0 then return waiter end
    task.sleep(0.02)
  end
  error(sql .. " does not wait", 0)
end

local TWO = [[create table small as select 1 as n;
  create table "%Large" as select n, repeat('x', 1000) as text from generate_series(1, 30000) n;]]

describe("a table that somebody waits to have alone", function()
  local function refused(fn)
    local err = expect(fn):raises "PGO-DUMP-LOCK"
    expect(err.message).has "public.small cannot be read: session "
    expect(err.message).has "(user postgres, application pgorch sandbox, for "
    expect(err.message).has ") waits to have it alone"
  end

  it("is named while rows are copied, and he gets it", between(TWO, function(cluster, from, dir)
    task.group(function(group)
      local waiter
      refused(function()
        copy_all(cluster, from, dir, function(n)
          if n == 1 then waiter = queue(cluster, group, "truncate small") end
        end)
      end)
      expect(waiter:join()).is(true)
    end)
    expect(cluster:value("a", "select count(*) from small")).is(0)
  end))

  it("is named while the schema is read, and he gets it", between(TWO, function(cluster, from, dir)
    task.group(function(group)
      local waiter
      refused(function()
        read_schema(from, dir, function() waiter = queue(cluster, group, "alter table small add m integer") end)
      end)
      expect(waiter:join()).is(true)
    end)
  end))

  it("is copied when he gives up soon", between(TWO, function(cluster, from, dir)
    data.SOURCE_SETTINGS.lock_timeout = "60s"
    task.group(function(group)
      local waiter
      local done = copy_all(cluster, from, dir, function(n)
        if n == 1 then waiter = queue(cluster, group, "set lock_timeout = '2s'; truncate small") end
      end)
      expect(done.rows).is(30001)
      expect(waiter:join()).is(false)
    end)
  end))
end)

describe("a table that was changed", function()
  it("after pg_dump had ended and before it was held is named", between([[
      create table truncated as select 1 as n; create table rewritten as select 1 as n;
      create table swapped as select 1 as n; create table dropped as select 1 as n;
      create table "As it ""was" as select 1 as n; create table empty (n integer);
    ]], function(cluster, from, dir)
    local err = expect(function()
      read_schema(from, dir, function()
        cluster:exec("a", [[truncate truncated; alter table rewritten alter n type bigint;
          alter table swapped rename to before; create table swapped (n integer);
          drop table dropped; create table dropped (n integer);
          alter table "As it ""was" add m integer]])
      end)
    end):raises "PGO-COPY"
    expect(err.message).has "public.dropped was truncated, rewritten, renamed or dropped since the snapshot"
    expect(err.detail).is "public.dropped\npublic.rewritten\npublic.swapped\npublic.truncated"
  end))

  it("when the session that held it was lost ends the copy", between(TWO, function(cluster, from, dir)
    local mine <close> = from:connect()
    mine:exec "begin isolation level repeatable read read only"
    local id = mine:value "select pg_export_snapshot()"
    local err = expect(function()
      copy_all(cluster, from, dir, function(n)
        if n ~= 2 then return end
        cluster:exec("a", [[select pg_terminate_backend(pid) from pg_locks
          where relation = 'small'::regclass and mode = 'AccessShareLock' and pid <> pg_backend_pid();
          truncate small]])
      end, id)
    end):raises "PGO-COPY"
    expect(err.message).has "the session that held the source's tables was lost"
    expect(err.retryable).is(true)
  end))
end)
