-- The real Heroku CLI against the stand-in: what only dedicated databases have (credentials, settings), schedules, a
-- promotion, and the end of it all. The rows are as in the other tests of the CLI.

local cli     = require "support.heroku_cli"
local sandbox = require "pgorch.sandbox"

local APP, resolve, resolve_addon, url_of, value = cli.APP, cli.resolve, cli.resolve_addon, cli.url_of, cli.value
local CLIENT = "/client/v11/databases/<addon>"

local function add_release_process(world)
  table.insert(world.heroku:app(APP).formation, { id = "r", type = "release", quantity = 0, size = "Basic",
    command = "bin/migrate" })
end

local DEDICATED = {
  { "apps:create judged-app" },
  { "addons:create heroku-postgresql:standard-0 --app judged-app --name main-db" },
  { "addons:create heroku-postgresql:essential-0 --app judged-app --name small-db --as SMALL" },
  { "addons:wait --app judged-app --wait-interval 1", says = { "DATABASE_URL, HEROKU_POSTGRESQL_", "SMALL_URL" } },
  { "pg:wait --app judged-app --wait-interval 1", says = "available" },
  { "pg:info main-db --app judged-app", says = { "Plan: Standard 0", "Tables: 0", "Credentials: 1", "/200",
    "Continuous Protection: On", "Maintenance window: Sundays" } },
  { "pg:settings DATABASE --app judged-app", says = "log-lock-waits: true",
    asks = { resolve "DATABASE", "GET /postgres/v0/databases/<addon>/config" } },
  { "pg:settings:log-statement DATABASE all --app judged-app", says = "log-statement has been set to all",
    asks = { resolve "DATABASE", 'PATCH /postgres/v0/databases/<addon>/config {"log_statement":"all"}' },
    check = function(world) expect(value(url_of(world, "DATABASE_URL"), "SHOW log_statement")).is "all" end },
  { "pg:credentials:url DATABASE --app judged-app", says = "Connection information for default credential.",
    asks = { resolve "DATABASE", "GET /postgres/v0/databases/main-db/credentials/default [basic]" },
    check = function(world, done) expect(done.all).has(url_of(world, "DATABASE_URL")) end },
  { "pg:credentials:create DATABASE --name analyst --app judged-app", says = "done",
    asks = { resolve "DATABASE", 'POST /postgres/v0/databases/main-db/credentials {"name":"analyst"}' } },
  { "addons:attach main-db --credential analyst --as ANALYST --app judged-app", says = "done, v",
    asks = { "GET /addons/main-db", "GET /addons/main-db/config/credential:analyst",
      'POST /addon-attachments {"addon":{"name":"main-db"},"app":{"name":"judged-app"},"name":"ANALYST",'
        .. '"namespace":"credential:analyst"}',
      "GET /apps/judged-app/releases [range=version ..; max=1, order=desc]" },
    check = function(world) expect(value(url_of(world, "ANALYST_URL"), "SELECT current_user")).is "analyst" end },
  { "pg:credentials DATABASE --app judged-app", says = { "default active", "as DATABASE", "analyst active",
      "as ANALYST" },
    asks = { resolve "DATABASE", "GET /postgres/v0/databases/<addon>/credentials [basic]",
      "GET /addons/<addon>/addon-attachments" } },
  { "pg:psql main-db --credential analyst -c select~current_user --app judged-app", says = "analyst" },
  { "pg:credentials:rotate DATABASE --name analyst --app judged-app --confirm judged-app", says = "done",
    before = function(world) world.before = url_of(world, "ANALYST_URL") end,
    asks = { resolve "DATABASE", "GET /addons/main-db/addon-attachments",
      "POST /postgres/v0/databases/main-db/credentials/analyst/credentials_rotation {} [basic]" },
    check = function(world)
      expect(function() value(world.before, "SELECT 1") end).raises "PGO-PG-AUTH"
      expect(value(url_of(world, "ANALYST_URL"), "SELECT 1")).is(1)
    end },
  { "addons:detach ANALYST --app judged-app", says = "done, v" },
  { "pg:credentials:destroy DATABASE --name analyst --app judged-app --confirm judged-app", says = "done",
    asks = { resolve "DATABASE", "GET /addons/main-db/addon-attachments",
      "DELETE /postgres/v0/databases/main-db/credentials/analyst" } },
  { "pg:backups:schedule DATABASE --at 02:00~Europe/Berlin --app judged-app", says = "at 02:00 Europe/Berlin... done",
    asks = { resolve "DATABASE", "GET " .. CLIENT, "POST " .. CLIENT
      .. '/transfer-schedules {"hour":"02","schedule_name":"DATABASE_URL","timezone":"Europe/Berlin"}' } },
  { "pg:backups:schedules --app judged-app", says = "DATABASE_URL: daily at 2:00 Europe/Berlin",
    asks = { "GET /apps/judged-app/addons [sdk expansion=addon_service,plan]",
      "GET " .. CLIENT .. "/transfer-schedules" } },
  { "pg:backups:unschedule DATABASE --app judged-app", says = "done", asks = { resolve "DATABASE",
    "GET " .. CLIENT .. "/transfer-schedules", "DELETE " .. CLIENT .. "/transfer-schedules/<schedule>" } },
  { "pg:upgrade:wait DATABASE --app judged-app", says = "available" },
  { "addons:upgrade small-db heroku-postgresql:essential-2 --app judged-app", says = "(max $20/month)",
    asks = { resolve_addon "small-db", 'PATCH /apps/judged-app/addons/small-db '
      .. '{"plan":{"name":"heroku-postgresql:essential-2"}} [expansion=plan]' } },
  { "pg:promote main-db --app judged-app", code = 2, says = "main-db is already promoted on judged-app" },
  { "pg:promote SMALL --app judged-app", says = { "Promoting small-db to DATABASE_URL on judged-app... done",
      "pg:promote succeeded." }, before = add_release_process,
    asks = { resolve "SMALL", "GET /apps/judged-app/addon-attachments", "GET " .. CLIENT .. "/wait_status",
      'POST /addon-attachments {"addon":{"name":"small-db"},"app":{"name":"judged-app"},"confirm":"judged-app",'
        .. '"name":"DATABASE","namespace":null}', "GET " .. CLIENT, "GET /apps/judged-app/formation",
      "GET /apps/judged-app/releases [range=version ..; max=5, order=desc]",
      "GET /apps/judged-app/releases/<release>" },
    check = function(world) expect(url_of(world, "DATABASE_URL")).is(url_of(world, "SMALL_URL")) end },
  { "addons:destroy main-db --app judged-app --confirm judged-app", says = "done",
    asks = { resolve_addon "main-db", 'DELETE /apps/<app>/addons/<addon> {"force":false} [expansion=plan]' },
    check = function(world) expect(#world.heroku.state.addons).is(1) end },
  { "apps:destroy --app judged-app --confirm judged-app", says = "done",
    asks = { "GET /apps/judged-app", "DELETE /apps/judged-app" },
    check = function(world) expect(#world.heroku.state.addons).is(0) end },
}

describe("the real Heroku CLI", function()
  it("manages a dedicated database", function()
    if not cli.is_installed() then skip "the Heroku CLI is not installed (vendor/heroku-cli.sh)" end
    sandbox.run({ source = { scale = 0.01 }, heroku = { provision_polls = 0, wait_polls = 0, apps = {} } },
      function(world) cli.walk(world, DEDICATED) end)
  end, { limit = 400 })
end)
