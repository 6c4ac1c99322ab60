-- The real Heroku CLI and the real AWS CLI against the sandbox: clients that we did not write move a dump of the
-- source into a new add-on, by the commands of the article.

local fs      = require "pgorch.fs"
local process = require "pgorch.process"
local sandbox = require "pgorch.sandbox"
local env     = require "pgorch.env"

local HEROKU = (env.get "PGORCH_HEROKU_CLI") or "build/deps/heroku/heroku"
local BUCKET, KEY = "postgres-for-migration", "data-for-migration.dump"

-- Runs a client as a user of the sandbox would, and gives what it printed.
local function client(world, argv)
  argv.env, argv.env_clear, argv.timeout = sandbox.environment(world), true, 90
  local done = process.run(argv)
  return done.stdout .. done.stderr
end

local function heroku(world, ...)
  return client(world, { HEROKU, ... })
end

local function aws(world, ...)
  return client(world, { "/usr/bin/aws", "--endpoint-url", world.s3.url, ... })
end

local function psql(world, url, sql)
  return (client(world, { "psql", "-XAtq", "-d", url, "-c", sql }):gsub("%s+$", ""))
end

local function dump_and_upload(world)
  local file = world.dir .. "/article.dump"
  client(world, { "pg_dump", "-Fc", "--no-acl", "--no-owner", "-f", file, "-d", world.env.SOURCE_DATABASE_URL })
  aws(world, "s3", "mb", "s3://" .. BUCKET)
  aws(world, "s3", "cp", "--only-show-errors", file, ("s3://%s/%s"):format(BUCKET, KEY))
  return (aws(world, "s3", "presign", ("s3://%s/%s"):format(BUCKET, KEY), "--expires-in", "600"):gsub("%s+$", ""))
end

describe("the real Heroku CLI", function()
  it("provisions, restores and reads its way through the article", function()
    if not fs.exists(HEROKU) then skip "the Heroku CLI is not installed (vendor/heroku-cli.sh)" end
    sandbox.run({ source = { scale = 0.05 } }, function(world)
      expect(heroku(world, "apps:create", "psql-migration-from-vultr")).has "psql-migration-from-vultr"
      local app = { "--app", "psql-migration-from-vultr" }
      expect(heroku(world, "addons:create", "heroku-postgresql:essential-1", "--wait", table.unpack(app)))
        .has "heroku-postgresql:essential-1"
      heroku(world, "pg:wait", table.unpack(app))
      expect(heroku(world, "maintenance:on", table.unpack(app))).has "done"
      local url = dump_and_upload(world)
      expect(heroku(world, "pg:backups:restore", url, "DATABASE_URL", "--confirm", app[2], table.unpack(app)))
        .has "Restoring... done"
      expect(heroku(world, "pg:backups", table.unpack(app))).has "r001"
      expect(heroku(world, "pg:backups:info", "r001", table.unpack(app))).has "pg_restore"
      local target = heroku(world, "config:get", "DATABASE_URL", table.unpack(app)):match "postgres://%S+"
      local count = "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        .. "where c.relkind in ('r', 'p') and n.nspname !~ '^pg_|information_schema'"
      expect(tonumber(psql(world, target, count))).above(5)
      expect(psql(world, target, count)).is(psql(world, world.env.SOURCE_DATABASE_URL, count))
    end)
  end, { limit = 280 })

  it("is told the truth about a wrong token", function()
    if not fs.exists(HEROKU) then skip "the Heroku CLI is not installed (vendor/heroku-cli.sh)" end
    sandbox.run({ source = { scale = 0.01 } }, function(world)
      world.env.HEROKU_API_KEY = "not-the-token"
      local err = expect(function() heroku(world, "apps:info", "--app", "demo-app") end).raises "PGO-PROCESS"
      expect(err.detail).has "HEROKU_API_KEY is invalid"
    end)
  end)
end)
