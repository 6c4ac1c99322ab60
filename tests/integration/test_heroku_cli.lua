-- The real Heroku CLI against the stand-in: apps, teams, config, dynos, and what is refused. Each row is a command,
-- what it must print, and the requests that it is known to send: the stand-in and our reading of the CLI are judged at
-- once.

local cli     = require "support.heroku_cli"
local sandbox = require "pgorch.sandbox"

local function walk(rows, heroku, values)
  return function()
    if not cli.is_installed() then skip "the Heroku CLI is not installed (vendor/heroku-cli.sh)" end
    sandbox.run({ source = { scale = 0.01 }, heroku = heroku }, function(world) cli.walk(world, rows, values) end)
  end
end

local LAST_RELEASE = "GET /apps/judged-app/releases [range=version ..; order=desc,max=1]"

local function dynos_are(web, worker)
  return function(world)
    expect(world.heroku:dynos "demo-app").same { web = web, worker = worker }
  end
end

local function page_size(size)
  return function(world) world.heroku.server.page = size end
end

local APPS = {
  { "apps:create judged-app", says = "judged-app... done", asks = { 'POST /apps {"name":"judged-app"}' } },
  { "apps:create judged-app", code = 2, says = { "Name judged-app is already taken", "Error ID: invalid_params" } },
  { "apps:create team-app --team acme", says = "team-app... done",
    asks = { 'POST /teams/apps {"name":"team-app","team":"acme"}' } },
  { "teams", says = "acme", asks = { "GET /teams" } },
  { "apps --team acme", says = "Apps in team acme team-app", at_once = true,
    asks = { "GET /teams/acme/apps", "GET /teams/acme", "GET /account" } },
  { "apps", says = { "you@example.test Apps demo-app judged-app", "Collaborated Apps", "shared-app" }, at_once = true,
    before = page_size(2), check = page_size(200),
    asks = { "GET /users/~/apps", "GET /users/~/apps [range=name ]judged-app..; max=2]", "GET /account" } },
  { "apps:info --app team-app", says = { "Owner: acme@herokumanager.com", "Region: us", "Stack: heroku-24" },
    at_once = true, asks = { "GET /apps/team-app", "GET /apps/team-app/addons", "GET /apps/team-app/dynos",
      "GET /apps/team-app/collaborators", "GET /apps/team-app/pipeline-couplings" } },
  { "maintenance:on --app judged-app", says = "done", asks = { 'PATCH /apps/judged-app {"maintenance":true}' },
    check = function(world) expect(world.heroku:app "judged-app".maintenance).is(true) end },
  { "maintenance:off --app judged-app", says = "done", asks = { 'PATCH /apps/judged-app {"maintenance":false}' },
    check = function(world) expect(world.heroku:app "judged-app".maintenance).is(false) end },
  { "config:set FOO=bar --app judged-app", says = { "FOO: bar", "done, v2" },
    asks = { 'PATCH /apps/judged-app/config-vars {"FOO":"***"}', LAST_RELEASE } },
  { "config:get FOO --app judged-app", says = "bar", asks = { "GET /apps/judged-app/config-vars" } },
  { "config:unset FOO --app judged-app", says = "done, v3",
    asks = { 'PATCH /apps/judged-app/config-vars {"FOO":null}', LAST_RELEASE },
    check = function(world) expect(world.heroku:app "judged-app".config.FOO).is_nil() end },
  { "ps --app demo-app", says = { "web (Basic): bin/web (2)", "web.2: up", "worker.1: up" }, at_once = true,
    asks = { "GET /account [sdk]", "GET /apps/demo-app [sdk]", "GET /apps/demo-app/dynos [sdk]" } },
  { "ps:scale worker=0 --app demo-app", says = "now running worker at 0:Basic", check = dynos_are(2, 0),
    asks = { "GET /apps/demo-app", 'PATCH /apps/demo-app/formation {"updates":[{"quantity":"0","type":"worker"}]}' } },
  { "ps:scale web=1:Standard-1X worker+2 --app demo-app", check = dynos_are(1, 2),
    says = "now running web at 1:Standard-1X, worker at 2:Basic" },
  { "ps:scale --app demo-app", says = "web=1:Standard-1X worker=2:Basic",
    asks = { "GET /apps/demo-app/formation", "GET /apps/demo-app" } },
  { "addons:plans heroku-postgresql", says = { "heroku-postgresql:essential-1 Essential 1", "$9/month", "$750/month" },
    asks = { "GET /addon-services/heroku-postgresql/plans [sdk]" } },
  { "apps:destroy --app judged-app --confirm wrong-app", code = 1, says = "did not match" },
  { "apps:destroy --app judged-app --confirm judged-app", says = "done",
    asks = { "GET /apps/judged-app", "DELETE /apps/judged-app" },
    check = function(world) expect(world.heroku:app "judged-app").is_nil() end },
}

local REFUSED = {
  { "apps:info --app nowhere-app", code = 2, says = { "Couldn't find that app.", "Error ID: not_found" } },
  { "config:get A --app somebody-elses-app", code = 2,
    says = { "You do not have access to the app somebody-elses-app.", "Error ID: forbidden" } },
  { "ps:scale nobody=1 --app demo-app", code = 2, says = "Couldn't find that process type" },
  { "addons:create heroku-postgresql:essential-9 --app demo-app", code = 2,
    says = 'Couldn\'t find either the add-on service or the add-on plan of "heroku-postgresql:essential-9".' },
  { "addons:create heroku-postgresql:advanced-small --app demo-app", code = 2, says = "Advanced" },
  { "addons:create heroku-postgresql:essential-0 --app demo-app -- --version=9", code = 2,
    says = "Version 9 is not available" },
  { "addons:create heroku-postgresql:standard-0 --app demo-app -- --follow=DATABASE", code = 2,
    says = "cannot follow a database" },
  { "addons:info nope --app demo-app", code = 2, says = "Couldn't find that add-on.",
    asks = { 'POST /actions/addons/resolve {"addon":"nope","app":"demo-app"} [sdk expansion=addon_service,plan]' } },
  { "pg:info DATABASE --app demo-app", code = 1, says = "demo-app has no databases" },
  { "config:get A --app guarded-app", code = 1, says = "interactive terminal" },
}

describe("the real Heroku CLI", function()
  it("manages apps, config and dynos", walk(APPS, { teams = { "acme" }, apps = {
    { name = "demo-app", dynos = { web = 2, worker = 1 } }, { name = "shared-app", shared = true } } }),
    { limit = 280 })

  it("is refused what Heroku refuses", walk(REFUSED, { two_factor = { code = "123456" }, apps = { { name = "demo-app" },
    { name = "somebody-elses-app", foreign = true }, { name = "guarded-app", two_factor = true } } }), { limit = 280 })

  it("is told the truth about a wrong token and a suspended account", function()
    if not cli.is_installed() then skip "the Heroku CLI is not installed (vendor/heroku-cli.sh)" end
    sandbox.run({ source = { scale = 0.01 }, heroku = { apps = { { name = "demo-app" } } } }, function(world)
      local wrong = cli.run(world, "apps:info --app demo-app", { HEROKU_API_KEY = "not-the-token" })
      expect(wrong.code).is(1)
      expect(wrong.all).has "HEROKU_API_KEY is invalid"
      world.heroku.server.suspended = true
      local suspended = cli.run(world, "apps:info --app demo-app")
      expect(suspended.code).is(2)
      expect(suspended.all).has "suspended"
    end)
  end, { limit = 120 })
end)
