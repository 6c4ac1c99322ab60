-- The real Heroku CLI against the stand-in: databases, restores, backups, copies, and trouble with them. Each row is a
-- command, what it must print, the requests that it is known to send, and what must be true of the data afterwards.

local cli     = require "support.heroku_cli"
local fs      = require "pgorch.fs"
local http    = require "pgorch.http"
local json    = require "pgorch.json"
local pg      = require "pgorch.pg"
local process = require "pgorch.process"
local sandbox = require "pgorch.sandbox"
local task    = require "pgorch.task"

local APP, resolve, resolve_addon, url_of, value = cli.APP, cli.resolve, cli.resolve_addon, cli.url_of, cli.value
local CLIENT = "/client/v11/databases/<addon>"

-- What is in a database ----------------------------------------------------------------------------------------------

local TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema'"
local ROWS = "SELECT count(*)::text || ' ' || sum(hashtextextended(c::text, 0))::text FROM shop.customers c"

local function is_copy(var)
  return function(world)
    for _, sql in ipairs { TABLES, ROWS, "SELECT count(*) FROM pg_largeobject_metadata" } do
      expect(value(url_of(world, var), sql)).is(value(world.source.url, sql))
    end
  end
end

local function is_empty(var)
  return function(world) expect(value(url_of(world, var), TABLES)).is(0) end
end

--- A link that the CLI printed gives an archive that pg_restore can read.
local function gives_an_archive(world, done)
  local file = world.dir .. "/downloaded.dump"
  fs.write(file, http.request { url = done.all:match "http://%S+" }.body)
  local listed = process.run { world.server.client .. "/pg_restore", "-l", file }
  expect(listed.stdout).has "TABLE DATA shop customers"
end

-- Transfers that are under way ---------------------------------------------------------------------------------------

local function ask(world, method, path, body)
  return http.request { method = method, url = world.heroku.url .. path, body = json.encode(body), headers = {
    Authorization = "Bearer " .. world.heroku.token, ["Content-Type"] = "application/json" } }
end

--- Starts a restore that takes its time.
local function restore_slowly(url)
  return function(world)
    world:fault { at = "worker.restore", delay = 100 }
    ask(world, "POST", "/client/v11/databases/" .. world.heroku.state.addons[1].id .. "/restores",
      { backup_url = url })
  end
end

local function fault(asked)
  return function(world) world:fault(asked) end
end

local function newest(field, wanted)
  return function(world)
    local transfer = world.heroku:app(APP).transfers[1]
    local deadline = task.now() + 20
    while not transfer.finished_at and task.now() < deadline do task.sleep(0.05) end
    if field == "canceled_at" then expect(transfer.canceled_at).is_true() else expect(transfer[field]).is(wanted) end
  end
end

-- The source's dump behind a presigned URL, made with the clients of the article.
local function dump_and_upload(world)
  local file, at = world.dir .. "/article.dump", "s3://postgres-for-migration/data-for-migration.dump"
  local function client(argv, variables)
    argv.env, argv.env_clear = sandbox.environment(world), true
    for name, each in pairs(variables or {}) do argv.env[name] = each end
    return process.run(argv).stdout:gsub("%s+$", "")
  end
  client({ "pg_dump", "-Fc", "--no-acl", "--no-owner", "-f", file }, pg.env(world.source.url, world.dir))
  local aws = { "/usr/bin/aws", "--endpoint-url", world.s3.url, "s3" }
  local function s3(...) return client(table.move({ ... }, 1, select("#", ...), 5, { table.unpack(aws) })) end
  s3("mb", "s3://postgres-for-migration")
  s3("cp", "--only-show-errors", file, at)
  return s3("presign", at, "--expires-in", "900")
end

-- The journeys -------------------------------------------------------------------------------------------------------

local ESSENTIAL = {
  { "apps:create judged-app" },
  { "addons:create heroku-postgresql:essential-1 --app judged-app --wait -- --version=$MAJOR",
    says = { "(max $9/month)", "as DATABASE_URL" },
    asks = { 'POST /apps/judged-app/addons {"attachment":{},"config":{"version":"$MAJOR"},'
      .. '"plan":{"name":"heroku-postgresql:essential-1"}} [expansion=plan]',
      "GET /apps/judged-app/addons/<name> [expansion=addon_service,plan]" } },
  { "addons:create heroku-postgresql:essential-0 --app judged-app --name second-db --as SECOND",
    says = "second-db is being created in the background",
    asks = { 'POST /apps/judged-app/addons {"attachment":{"name":"SECOND"},"config":{},"name":"second-db",'
      .. '"plan":{"name":"heroku-postgresql:essential-0"}} [expansion=plan]' } },
  { "addons:wait --app judged-app --wait-interval 1", says = "Created second-db as SECOND_URL",
    asks = { "GET /apps/judged-app/addons",
      "GET /apps/judged-app/addons/second-db [expansion=addon_service,plan]" } },
  { "addons:info second-db --app judged-app", says = { "Attachments: judged-app::SECOND", "State: created" },
    asks = { resolve_addon "second-db", "GET /addons/<addon>/addon-attachments" } },
  { "addons --app judged-app", says = { "(second-db)", "as DATABASE", "as SECOND" } },
  { "pg:wait DATABASE --app judged-app --wait-interval 1", says = { "Waiting to provision...", "available" },
    asks = { resolve "DATABASE", "GET /client/v11/databases/<addon>/wait_status" } },
  { "config:get DATABASE_URL --app judged-app", says = "postgres://", asks = { "GET /apps/judged-app/config-vars" } },
  { "pg:info --app judged-app", says = { "DATABASE_URL", "Plan: essential-1", "/20", "10 GB", "Tables: 0/4000",
      "Continuous Protection: Off", "SECOND_URL" }, at_once = true,
    asks = { "GET /apps/judged-app/config-vars",
      "GET /apps/judged-app/addon-attachments [sdk inclusion=addon:plan,config_vars]",
      "GET " .. CLIENT } },
  { "pg:backups:restore $URL DATABASE_URL --app judged-app --confirm judged-app", says = "Restoring... done",
    check = is_copy "DATABASE_URL",
    asks = { resolve "DATABASE_URL", "POST " .. CLIENT .. '/restores {"backup_url":"$DUMP?***"}',
      "GET /client/v11/apps/<app>/transfers/<transfer>" } },
  { "pg:backups --app judged-app", says = { "No backups.", "r001", "Completed 20", "DATABASE", "No copies found." },
    asks = { "GET /client/v11/apps/judged-app/transfers" } },
  { "pg:backups:info --app judged-app", code = 1, says = "No backups. Capture one",
    asks = { "GET /client/v11/apps/judged-app/transfers" } },
  { "pg:backups:info r001 --app judged-app", says = { "Backup r001", "Status: Completed", "creating TABLE" },
    asks = { "GET /client/v11/apps/judged-app/transfers/1?verbose=true" } },
  { "pg:backups:capture --app judged-app", says = "Backing up DATABASE to b002... done",
    asks = { resolve "DATABASE_URL", "GET " .. CLIENT, "POST " .. CLIENT .. "/backups",
      "GET /client/v11/apps/judged-app/transfers/<transfer>" } },
  { "pg:backups:info --app judged-app", says = { "Backup b002", "Original DB Size: 1", "dumping contents" },
    asks = { "GET /client/v11/apps/judged-app/transfers",
      "GET /client/v11/apps/judged-app/transfers/2?verbose=true" } },
  { "pg:backups:url --app judged-app", says = "http", check = gives_an_archive,
    asks = { "GET /client/v11/apps/judged-app/transfers",
      "POST /client/v11/apps/judged-app/transfers/2/actions/public-url" } },
  { "pg:reset --app judged-app --confirm judged-app", says = "done", check = is_empty "DATABASE_URL",
    asks = { resolve "DATABASE_URL", "PUT " .. CLIENT .. "/reset {}" } },
  { "pg:backups:restore b002 DATABASE --app judged-app --confirm judged-app", says = "Restoring... done",
    check = is_copy "DATABASE_URL" },
  { "pg:backups:delete b002 --app judged-app --confirm judged-app", says = "done",
    asks = { "DELETE /client/v11/apps/judged-app/transfers/2" } },
  { "pg:copy $SOURCE SECOND --app judged-app --confirm SECOND", says = "Copying... done", check = is_copy "SECOND_URL",
    asks = { resolve "SECOND", "GET /addons/second-db", "GET /apps/judged-app/config-vars",
      "POST " .. CLIENT .. '/transfers {"from_name":"database defaultdb on $HOST","from_url":"<url>",'
        .. '"to_name":"SECOND","to_url":"<url>"}',
      "GET /client/v11/apps/judged-app/transfers/<transfer>" } },
  { "pg:psql SECOND -c select~count(*)~as~the_count~from~shop.customers --app judged-app", says = "the_count" },
  { "pg:reset SECOND --extensions HStore,pg_trgm --app judged-app --confirm judged-app", says = "done",
    asks = { resolve "SECOND", "PUT " .. CLIENT .. '/reset {"extensions":["hstore","pg_trgm"]}' },
    check = function(world)
      local sql = "SELECT count(*) FROM pg_extension WHERE extname IN ('hstore', 'pg_trgm')"
      expect(value(url_of(world, "SECOND_URL"), sql)).is(2)
    end },
  { "pg:killall SECOND --app judged-app", says = "done",
    asks = { resolve "SECOND", "POST " .. CLIENT .. "/connection_reset" } },
}

local TROUBLE = {
  { "apps:create judged-app" },
  { "addons:create heroku-postgresql:essential-1 --app judged-app" },
  { "addons:wait --app judged-app --wait-interval 1", says = "as DATABASE_URL" },
  { "pg:wait --app judged-app --wait-interval 1", says = "available" },
  { "pg:backups:restore $URL DATABASE_URL --app judged-app --confirm wrong-app", code = 1, says = "did not match",
    asks = { resolve "DATABASE_URL" } },
  { "pg:backups:restore http://127.0.0.1:1/gone DATABASE_URL --app judged-app --confirm judged-app", code = 2,
    says = { "An error occurred and the backup did not finish.", "Failed to connect", "pg:backups:info r001" },
    asks = { resolve "DATABASE_URL", "POST " .. CLIENT .. '/restores {"backup_url":"http://127.0.0.1:1/gone"}',
      "GET /client/v11/apps/<app>/transfers/<transfer>",
      "GET /client/v11/apps/<app>/transfers/<transfer>?verbose=true" } },
  { "pg:backups:restore $URL DATABASE_URL --extensions HStore,pg_trgm --verbose --app judged-app --confirm judged-app",
    says = { "creating TABLE", "must be owner of extension hstore" }, check = is_copy "DATABASE_URL",
    asks = { resolve "DATABASE_URL",
      "POST " .. CLIENT .. '/restores {"backup_url":"$DUMP?***","extensions":["hstore","pg_trgm"]}',
      "GET /client/v11/apps/<app>/transfers/<transfer>?verbose=true" } },
  { "pg:backups:restore $URL DATABASE_URL --app judged-app --confirm judged-app", says = "Restoring... done",
    before = fault { at = "worker.restore", warnings = "lossy" } },
  { "pg:backups --app judged-app", says = { "r001", "Failed 20", "r002", "r003", "Finished with 1 warnings" } },
  { "pg:backups:cancel --app judged-app", code = 2, says = "No active backups/transfers" },
  { "pg:backups:cancel --app judged-app", says = "Cancelling r004... done",
    before = restore_slowly "http://127.0.0.1:1/",
    asks = { "GET /client/v11/apps/judged-app/transfers",
      "POST /client/v11/apps/judged-app/transfers/<transfer>/actions/cancel" }, check = newest "canceled_at" },
  { "pg:backups:cancel r005 --app judged-app", says = "Cancelling r005... done",
    before = restore_slowly "http://127.0.0.1:1/",
    asks = { "GET /client/v11/apps/judged-app/transfers/5",
      "POST /client/v11/apps/judged-app/transfers/<transfer>/actions/cancel" }, check = newest("succeeded", false) },
  { "pg:backups:info r005 --app judged-app", says = "Status: Canceled" },
  { "pg:info nope --app judged-app", code = 1, says = "Unknown database: nope. Valid options are: DATABASE" },
  { "pg:copy $SOURCE DATABASE --app judged-app --confirm nope", code = 1, says = "did not match" },
  { "pg:credentials:create DATABASE --name analyst --app judged-app", code = 1,
    says = "You can't create a custom credential on Essential-tier databases." },
  { "pg:settings --app judged-app", code = 2, says = "You can't perform this operation on Essential-tier databases." },
  { "pg:upgrade:run DATABASE --version $MAJOR --app judged-app --confirm judged-app", code = 2, says = "is already on",
    asks = { resolve "DATABASE", "GET " .. CLIENT,
      "POST " .. CLIENT .. '/upgrade/run {"version":"$MAJOR"}' } },
  { "addons:destroy DATABASE --app judged-app --confirm wrong-app", code = 1, says = "did not match" },
  { "addons:create heroku-postgresql:essential-0 --app judged-app --name fails --wait", code = 1,
    says = "unable to be created, with status deprovisioned", before = fault { at = "worker.provision" } },
}

-- What is only known once the world is there.
local function values_of(world)
  local source, url = world.source, dump_and_upload(world)
  return { MAJOR = tostring(world.server.major), URL = url, DUMP = url:gsub("%?.*$", ""),
    SOURCE = source.url:gsub("%?.*$", ""), HOST = ("%s:%d"):format(source.host, source.port) }
end

local function walk(rows)
  return function()
    if not cli.is_installed() then skip "the Heroku CLI is not installed (vendor/heroku-cli.sh)" end
    sandbox.run({ source = { scale = 0.02 }, heroku = { provision_polls = 0, wait_polls = 0, apps = {} } },
      function(world) cli.walk(world, rows, values_of(world)) end)
  end
end

describe("the real Heroku CLI", function()
  it("provisions, restores, backs up and copies", walk(ESSENTIAL), { limit = 400 })
  it("is told of trouble as by Heroku", walk(TROUBLE), { limit = 400 })
end)
