-- The same job by the real Heroku CLI and by pgorch's own client: both must ask Heroku the same, line by line (method,
-- path, body, what the headers ask for). Where pgorch asks otherwise on purpose, the reason stands here.

local cli     = require "support.heroku_cli"
local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local http    = require "pgorch.http"
local json    = require "pgorch.json"
local pg      = require "pgorch.pg"
local process = require "pgorch.process"
local sandbox = require "pgorch.sandbox"

local RESOLVE = 'POST /actions/addon-attachments/resolve {"addon_attachment":"PGORCH_TARGET","app":"APP"} '
  .. "[sdk inclusion=addon:plan,config_vars]"
local ATTACHMENTS = "GET /apps/APP/addon-attachments [sdk inclusion=addon:plan,config_vars]"
local DATABASE = "/client/v11/databases/<addon>"
local TRANSFER = "GET /client/v11/apps/<app>/transfers/<transfer>"

local RESOLVED = "a name of our own needs no guessing: the add-on is known by its id"

-- A push of a Procfile: only then an app has process types.
local function deploy(world)
  for _, app in ipairs(world.heroku.state.apps) do
    app.formation = { { id = app.id, type = "worker", quantity = 1, size = "Basic", command = "bin/worker" } }
  end
end

-- `by_cli` and `by_us` do the job on an app of their own. `only_cli` and `only_us` are the differences on purpose, each
-- line with its reason; all other lines must be the same, and every difference named here must be there.
local JOBS = {
  { "creates an app", no_app = true, by_cli = "apps:create APP", by_us = "app:create()" },
  { "creates an app in a team", no_app = true, by_cli = "apps:create APP-2 --team acme",
    by_us = "client:app 'APP-2':create { team = 'acme' }" },
  { "turns maintenance on", by_cli = "maintenance:on", by_us = "app:maintenance(true)",
    only_us = { ["GET /apps/APP"] = "what it was before is stored first, so that it can be put back" } },
  { "scales", before = deploy, by_cli = "ps:scale worker=0", by_us = "app:scale { { type = 'worker', quantity = 0 } }",
    only_cli = { ["GET /apps/APP"] = "only looks for a shielded space, to name the sizes",
      ['PATCH /apps/APP/formation {"updates":[{"quantity":"0","type":"worker"}]}'] = "text, as it was typed" },
    only_us = { ['PATCH /apps/APP/formation {"updates":[{"quantity":0,"type":"worker"}]}'] =
      "a number, as in the schema" } },
  { "looks at the formation", by_cli = "ps:scale", by_us = "app:formation()",
    only_cli = { ["GET /apps/APP"] = "only looks for a shielded space, to name the sizes" } },
  { "lists the plans", no_app = true, by_cli = "addons:plans heroku-postgresql", by_us = "client:plans()" },
  { "creates a database and waits for it",
    by_cli = "addons:create heroku-postgresql:essential-0 --name APP-db --as PGORCH_TARGET --wait -- --version=$MAJOR",
    by_us = "local addon = app:create_database { plan = 'essential-0', name = 'APP-db', attachment = 'PGORCH_TARGET', "
      .. "version = $MAJOR } app:database(addon):wait_for_addon()",
    only_us = { ["GET /apps/APP/addons/APP-db [expansion=addon_service,plan]"] =
      "it is looked for before it is asked for: there is no second one, and no second bill" } },
  { "waits until it is ready", by_cli = "pg:wait PGORCH_TARGET --wait-interval 1", by_us = "database:wait()",
    only_cli = { [RESOLVE] = RESOLVED } },
  { "reads its state", by_cli = "pg:info PGORCH_TARGET", by_us = "database:info()",
    only_cli = { [RESOLVE] = RESOLVED, ["GET /apps/APP/config-vars"] = "only to print which names the database has" } },
  { "reads the config", by_cli = "config", by_us = "app:config()" },
  { "sets a config var", by_cli = "config:set A=b", by_us = "app:set_config { A = 'b' }",
    only_cli = { ["GET /apps/APP/releases [range=version ..; order=desc,max=1]"] = "only to print its number" } },
  { "restores", by_cli = "pg:backups:restore $URL PGORCH_TARGET --confirm APP --extensions public.hstore",
    by_us = "database:follow(database:restore('$URL', { extensions = { 'public.hstore' } }))",
    only_cli = { [RESOLVE] = RESOLVED },
    only_us = { [TRANSFER .. "?verbose=true"] = "the log is read of a restore that succeeded, too" } },
  { "is told of a failed restore", by_cli = "pg:backups:restore http://127.0.0.1:1/x PGORCH_TARGET --confirm APP",
    code = 2, by_us = "database:follow(database:restore('http://127.0.0.1:1/x'))",
    only_cli = { [RESOLVE] = RESOLVED } },
  { "looks for what runs", by_cli = "pg:backups", by_us = "database:unfinished_transfer()",
    only_cli = { ["GET /client/v11/apps/APP/transfers"] = "the app as it was typed" },
    only_us = { ["GET /client/v11/apps/<app>/transfers"] = "the app that owns the database, which another may use" } },
  { "cancels", slow = true, by_cli = "pg:backups:cancel",
    by_us = "database:cancel(database:unfinished_transfer().uuid)",
    only_cli = { ["GET /client/v11/apps/APP/transfers"] = "the app as it was typed",
      ["POST /client/v11/apps/APP/transfers/<transfer>/actions/cancel"] = "the app as it was typed" },
    only_us = { ["GET /client/v11/apps/<app>/transfers"] = "the app that owns the database",
      ["POST /client/v11/apps/<app>/transfers/<transfer>/actions/cancel"] = "the app that owns the database",
      [ATTACHMENTS] = "a transfer names its target by a config var: is it this database's, or another's of the app?",
      ["GET /apps/APP/config-vars"] = "the same question" } },
  { "empties a database", by_cli = "pg:reset PGORCH_TARGET --confirm APP", by_us = "database:reset()",
    only_cli = { [RESOLVE] = RESOLVED } },
  { "promotes", by_cli = "pg:promote PGORCH_TARGET", by_us = "database:promote()",
    only_cli = { [RESOLVE] = RESOLVED, ["GET /apps/APP/addon-attachments"] = "without what it does not print",
      ["GET " .. DATABASE .. "/wait_status"] = "by then pgorch has written to the database and read it",
      ["GET " .. DATABASE] = "a follower would be told; a database that was restored into follows nobody",
      ["GET /apps/APP/formation"] = "an app with a release process is told of" },
    only_us = { [ATTACHMENTS] = "the plan and the config vars are wanted, as in the CLI's other commands" } },
}

-- Doing it -----------------------------------------------------------------------------------------------------------

local function fill(text, app, values)
  return (text:gsub("APP", app):gsub("%$(%u+)", values))
end

local function by_cli(world, job, values)
  local words = {}
  for word in (job.by_cli):gmatch "%S+" do words[#words + 1] = fill(word, "cli-app", values) end
  if not job.no_app then
    table.insert(words, 2, "--app")                    -- in front of what goes to the add-on's provider
    table.insert(words, 3, "cli-app")
  end
  local done = cli.run(world, words)
  if done.code ~= (job.code or 0) then error(("%s: exit code %d\n%s"):format(job.by_cli, done.code, done.all), 0) end
end

local PREPARE = [[
local client = require("pgorch.heroku").client()
local app = client:app "our-app"
local database
for _, each in ipairs(world_addons) do database = app:database(each) end
]]

-- As a user's pgorch would, in the variables of the world.
local function by_us(world, job, values)
  local addons = {}
  for _, each in ipairs(world.heroku.state.addons) do
    if each.app.name == "our-app" then
      addons[1] = ("{ id = %q, name = %q, app = { id = %q } }"):format(each.id, each.name, each.app.id)
    end
  end
  local code = ("local world_addons = { %s }\n%s%s"):format(addons[1] or "", PREPARE,
    fill(job.by_us, "our-app", values))
  local variables = sandbox.environment(world)
  variables.PGORCH_POLL_SCALE = "0.2"
  process.run { host.executable(), "eval", code, env = variables, env_clear = true }
end

local function lines_of(world, mark)
  local lines = {}
  for i, line in ipairs(cli.requests(world, mark)) do
    lines[i] = line:gsub("cli%-app", "APP"):gsub("our%-app", "APP")
  end
  return lines
end

local function ask(world, path, body)
  return json.decode(http.request { method = "POST", url = world.heroku.url .. path, body = json.encode(body),
    headers = { Authorization = "Bearer " .. world.heroku.token, ["Content-Type"] = "application/json",
      Accept = "application/vnd.heroku+json; version=3" } }.body)
end

-- A transfer that is under way for the one that is to cancel it.
local function start_slowly(world, app)
  world:fault { at = "worker.restore", delay = 100 }
  for _, each in ipairs(world.heroku.state.addons) do
    if each.app.name == app then
      ask(world, ("/client/v11/databases/%s/restores"):format(each.id), { backup_url = "http://127.0.0.1:1/" })
    end
  end
end

-- A dump of the source in a place that Heroku itself gives: POST /sources.
local function upload(world)
  local file, blob = world.dir .. "/source.dump", ask(world, "/sources", {}).source_blob
  process.run { world.server.client .. "/pg_dump", "-Fc", "--no-acl", "--no-owner", "-f", file,
    env = pg.env(world.source.url, world.dir) }
  http.request { method = "PUT", url = blob.put_url, body = fs.read(file, 1 << 26) }
  return blob.get_url
end

local function asked(world, job, app, values)
  if job.slow then start_slowly(world, app) end
  local mark = cli.mark(world)
  if app == "cli-app" then by_cli(world, job, values) else by_us(world, job, values) end
  return lines_of(world, mark)
end

-- Comparing ----------------------------------------------------------------------------------------------------------

local function without(lines, purpose)
  local rest, open = {}, {}
  for line in pairs(purpose or {}) do open[line] = true end
  for _, line in ipairs(lines) do
    if open[line] then open[line] = false else rest[#rest + 1] = line end
  end
  for line, is_open in pairs(open) do
    if is_open then error("this difference is there no more:\n" .. line, 0) end
  end
  return table.concat(rest, "\n")
end

local function compare(job, theirs, ours)
  local left, right = without(theirs, job.only_cli), without(ours, job.only_us)
  if left ~= right then error(("the CLI asks\n%s\npgorch asks\n%s\n"):format(left, right), 0) end
end

describe("pgorch and the real Heroku CLI ask the same", function()
  it("for each job", function()
    if not cli.is_installed() then skip "the Heroku CLI is not installed (vendor/heroku-cli.sh)" end
    local about = { provision_polls = 0, missing_polls = 1, wait_polls = 1, teams = { "acme" }, apps = {} }
    sandbox.run({ source = { scale = 0.01 }, heroku = about }, function(world)
      local values = { MAJOR = tostring(world.server.major), URL = upload(world) }
      for _, job in ipairs(JOBS) do
        if job.before then job.before(world) end
        local ok, why = pcall(function()
          compare(job, asked(world, job, "cli-app", values), asked(world, job, "our-app", values))
        end)
        if not ok then error(("%s: %s"):format(job[1], tostring(why)), 0) end
      end
    end)
  end, { limit = 400 })
end)
