-- That the verification can fail: a database is moved with the real pg_dump and pg_restore and found equal; then it is
-- spoiled in one way after another, each undone before the next, and exactly that is named, and nothing else.

local binaries    = require "pgorch.sandbox.postgres.binaries"
local certificate = require "pgorch.sandbox.certificate"
local corruptions = require "support.corruptions"
local folder      = require "pgorch.sandbox.folder"
local fs          = require "pgorch.fs"
local pg          = require "pgorch.pg"
local process     = require "pgorch.process"
local sample      = require "pgorch.sandbox.source"
local verify      = require "pgorch.verify"

local SCALE = 0.01

-- A row is changed, and not what its triggers would do then.
local NO_TRIGGERS = "set session_replication_role = replica; "

-- As the owner, who may not comment on extensions: the one complaint that is expected.
local function restore(cluster, made)
  local dump = cluster.dir .. "/moved.dump"
  local function run(name, ...)
    return process.run { check = false, cluster.server.client .. "/" .. name, "--no-owner", "--no-acl",
      "-h", cluster.socket, "-p", tostring(cluster.port), "-U", made.user, ... }
  end
  expect(run("pg_dump", "-Fc", "-f", dump, made.dbname).stderr).is ""
  local said = run("pg_restore", "-d", "restored", dump).stderr
  local _, errors = said:gsub("pg_restore: error:", "")
  local _, expected = said:gsub("must be owner of extension", "")
  if errors ~= expected then error(said, 0) end
end

local function in_database(cluster, dbname, sql)
  local conn <close> = cluster:connect(dbname)
  conn:exec(sql)
end

local function connect_as_verify(cluster, dbname)
  local conn = cluster:connect(dbname)
  for name, value in pairs(verify.SETTINGS) do conn:exec("select set_config($1, $2, false)", name, value) end
  return conn
end

-- All but the rows, with what `sql` does, which is undone.
local function without_rows(cluster, dbname, sql)
  local conn <close> = connect_as_verify(cluster, dbname)
  conn:exec("begin; " .. (sql or "select") .. "; savepoint pgorch")
  local all = verify.catalog(conn)
  conn:exec "rollback"
  all.sums = {}
  return all
end

-- All that verify compares, of a copy in which `sql` was run: the rows are read by other connections.
local function with_rows(cluster, dbname, sql)
  if sql then
    in_database(cluster, "postgres", ("create database spoiled template %s"):format(pg.ident(dbname)))
    in_database(cluster, "spoiled", NO_TRIGGERS .. sql)
    dbname = "spoiled"
  end
  local conn <close> = connect_as_verify(cluster, dbname)
  local all = verify.catalog(conn)
  all.sums = verify.sums(function() return connect_as_verify(cluster, dbname) end, { content = true, jobs = 1 })
  conn:close()
  if sql then in_database(cluster, "postgres", "drop database spoiled") end
  return all
end

-- The source, and the database that was restored from it. What only a superuser can make is made in both.
local function with_restored(fn)
  local world = { dir = folder.make(), server = binaries.find() }
  local _ <close> = setmetatable({}, { __close = function() fs.remove_tree(world.dir) end })
  fs.mkdir(world.dir .. "/tls")
  world.tls = certificate.make(world.dir .. "/tls")
  local made = sample.start(world, { scale = SCALE })
  local cluster <close> = made.cluster
  in_database(cluster, "postgres", "create database restored owner " .. made.user)
  restore(cluster, made)
  in_database(cluster, made.dbname, corruptions.BY_SUPERUSER)
  in_database(cluster, "restored", corruptions.BY_SUPERUSER)
  in_database(cluster, "restored", corruptions.SETTINGS)
  fn(cluster, made.dbname)
end

local function lines(list, told)
  local all = {}
  for i, d in ipairs(list) do
    all[i] = ("%s%s %s"):format(d.level and d.level .. " " or "", d.kind, d.name)
    if told then all[i] = ("%s: %s -> %s"):format(all[i], d.source, d.target) end
  end
  return table.concat(all, "\n")
end

-- Rows and their sums are told in figures: of them only where they differ is looked at.
local function spoil_each(list, rows)
  local read = rows and with_rows or without_rows
  with_restored(function(cluster, source)
    local before = read(cluster, source)
    expect(lines(verify.compare(before, read(cluster, "restored")), true)).is ""
    local wrong = {}
    for _, each in ipairs(list) do
      local found = lines(verify.compare(before, read(cluster, "restored", each[2])), not rows)
      local expected = table.concat(each, "\n", 3)
      if found ~= expected then
        wrong[#wrong + 1] = ("%s:\nexpected\n%s\nfound\n%s"):format(each[1], expected, found)
      end
    end
    if #wrong > 0 then error(table.concat(wrong, "\n\n"), 0) end
  end)
end

describe("a moved database is found equal, and each of these is found in it:", function()
  it(("%d corruptions of rows, sequences and large objects"):format(#corruptions.ROWS), function()
    spoil_each(corruptions.ROWS, true)
  end, { limit = 300 })

  it(("%d corruptions of tables, keys, code, types and comments"):format(#corruptions.OBJECTS), function()
    spoil_each(corruptions.OBJECTS, false)
  end, { limit = 300 })
end)
