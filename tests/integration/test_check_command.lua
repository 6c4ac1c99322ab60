-- `pgorch check` as a user runs it, in a world: what it prints, how it ends, and that it leaves everything as it was.

local fs        = require "pgorch.fs"
local host      = require "pgorch.native.host"
local json      = require "pgorch.json"
local loader    = require "pgorch.recipe.load"
local process   = require "pgorch.process"
local sandbox   = require "pgorch.sandbox"
local task      = require "pgorch.task"
local vultr_run = require "support.vultr_run"

local CLOSED = { "198.51.100.7/32" }

local function check(world, arguments, more)
  local list = { "check", "vultr", "--instance", "demo", "--app", vultr_run.APP }
  return vultr_run.pgorch(world, table.move(arguments, 1, #arguments, #list + 1, list), more)
end

local function requests(world)
  local list = {}
  for line in fs.read(world.dir .. "/requests.jsonl", 1 << 26):gmatch "[^\n]+" do
    list[#list + 1] = json.decode(line)
  end
  return list
end

-- Requests that could have changed something.
local function changes(world)
  local list = {}
  for _, each in ipairs(requests(world)) do
    if each.method ~= "GET" and each.method ~= "HEAD" then list[#list + 1] = each.method .. " " .. each.path end
  end
  return list
end

-- No app, add-on, bucket, run or file of it anywhere.
local function expect_untouched(world)
  vultr_run.expect_app_as_before(world)
  expect(#world.heroku.state.addons).is(0)
  expect(#world.s3:buckets(world.vultr.state.storages[1].account)).is(0)
  expect(#fs.list(vultr_run.record(world))).is(0)
  expect(#fs.list(world.env.HOME)).is(0)
end

local function events_of(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do list[#list + 1] = json.decode(line) end
  return list
end

-- The version, what was looked at, each finding, and a summary that counts them.
local function expect_events(done)
  vultr_run.expect_exit(done, 4)
  local events, failed = events_of(done.stdout), nil
  expect(events[1].event).is "version"
  expect(events[2].event).is "inspected"
  expect(events[2].source).is "demo/defaultdb"
  expect(#events[2].largest).is(5)
  local counts = { pass = 0, note = 0, warn = 0, fail = 0 }
  for i = 3, #events - 1 do
    expect(events[i].event).is "finding"
    counts[events[i].level] = counts[events[i].level] + 1
    if events[i].level == "fail" then failed = events[i] end
  end
  expect(failed.id).is "PGO-HEROKU-PLAN"
  expect(failed.cure).has "heroku addons:plans"
  local last = events[#events]
  expect(last.event).is "summary"
  expect({ last.passed, last.warned, last.failed }).same { counts.pass, counts.warn, 1 }
  expect(last.status).is(4)
end

local function allow_list(world) return world.vultr.state.databases[1].object.trusted_ips end

-- Starts a check that has itself put on the list, and interrupts it as soon as the entry is there.
local function interrupted(world)
  local said = world.dir .. "/said"
  local variables = sandbox.environment(world)
  variables.PGORCH_STATE, variables.PGORCH_POLL_SCALE = "sqlite:" .. vultr_run.record(world) .. "/state.db", "0.05"
  local options = { "/bin/sh", "-c", 'exec "$0" "$@" >' .. said .. " 2>&1", host.executable(), "check",
    "vultr", "--instance", "demo", "--app", vultr_run.APP, "--open-allow-list", env = variables, env_clear = true,
    check = false }
  local child <close> = process.spawn(options)
  while #allow_list(world) < 2 do
    if not child:alive() then error("it ended before: " .. fs.read(said), 0) end
    task.sleep(0.01)
  end
  child:kill "INT"
  return child:wait()
end

local UNIT = { kB = 1, MB = 1000, GB = 1000000 }

local function expect_largest_first(said)
  local before, count = math.huge, 0
  for number, unit in said:match("\nlargest: ([^\n]+)"):gmatch "([%d.]+) (%u?%l?B)" do
    local size = tonumber(number) * UNIT[unit]
    expect(size <= before).is(true)
    before, count = size, count + 1
  end
  expect(count).is(5)
end

describe("pgorch check", function()
  it("passes, says what was found, and leaves everything as it was", vultr_run.with_world({}, function(world)
    local done = check(world, {})
    vultr_run.expect_exit(done, 0)
    expect(done.stdout).matches "^pgorch %S+  recipe vultr %(built in%)  source demo/defaultdb  PostgreSQL 15%.%d+  "
    expect(done.stdout).has "5 largest tables"
    expect(done.stdout).has "; the console says 2.7 GB)"
    expect(done.stdout).has '\nlargest: "shop"."order_items" '
    expect(done.stdout).matches "\n  pass  %d+ checks\n"
    expect(done.stdout).has "\n  warn  1 unlogged table\n          \"weird %names\".sessions\n          then: carried"
    expect(done.stdout).has("\n  warn  DATABASE_URL of demo-app is a plain config var that holds this source's URL. "
      .. "At cut-over it moves to OLD_DATABASE_URL and DATABASE is attached.\n")
    expect(done.stdout).has "not known until the add-on exists: which extensions"
    expect(done.stdout).matches "\npreflight passed, %d+ warnings\n$"
    expect(done.stderr).is ""
    for _, secret in ipairs { world.source.password, world.heroku.token, world.vultr.api_key } do
      expect(done.all).lacks(secret)
    end
    expect(check(world, { "-v" }).stdout).has "\n  pass  TLS verified with the provider's CA\n"
    expect(check(world, { "-q" }).stdout).matches "^preflight passed, %d+ warnings\n$"
    expect(changes(world)).same {}
    expect(#requests(world)).above(10)
    expect_untouched(world)
  end), { limit = 100 })

  it("passes for each recipe that is built in, and changes nothing", vultr_run.with_world({}, function(world)
    local names = loader.built_in()
    expect(#names).is(4)
    local own = { vultr = { "--instance", "demo" }, linode = { "--instance", "demo" },
                  digitalocean = { "--instance", "demo", "--bucket", "dumps-of-ours" },
                  postgres = { "--bucket", "dumps-of-ours" } }
    local app, before, said = world.heroku:app(vultr_run.APP), world.source.url, {}
    for _, name in ipairs(names) do
      local own_url = name == "linode" or name == "digitalocean"
      app.config.DATABASE_URL = own_url and world[name]:database_url(world[name].state.databases[1]) or before
      local done = vultr_run.pgorch(world, { "check", name, "--app", vultr_run.APP, table.unpack(own[name]) })
      vultr_run.expect_exit(done, 0)
      said[name] = done.stdout
    end
    -- What only one of them can tell.
    expect(said.postgres).has("\n  warn  TLS to the source is encrypted, but its certificate is not verified\n"
      .. "          then: somebody who sits")
    expect(said.postgres).has "--source-ca FILE"
    expect(said.postgres).has "\n  warn  nothing here says when this database was last backed up: make sure that"
    for _, name in ipairs { "vultr", "linode", "digitalocean" } do
      expect(said[name]).lacks "TLS to the source"
      expect(said[name]).lacks "nothing here says"
    end
    expect(select(2, said.vultr:gsub("\n  note  TLS to Heroku Postgres is encrypted, [^\n]*%-%-target%-ca", ""))).is(1)
    expect_largest_first(said.vultr)
    app.config.DATABASE_URL = before
    expect(changes(world)).same {}
    expect_untouched(world)
  end), { limit = 100 })

  it("prints JSON Lines on request, or the SQL of what is not carried", vultr_run.with_world({}, function(world)
    expect_events(check(world, { "--json", "--plan", "essential-99" }))
    local printed = check(world, { "--sql", "not-carried" })
    vultr_run.expect_exit(printed, 0)
    expect(printed.stdout).matches "^%-%- What the move of defaultdb leaves behind"
    expect(printed.stdout).has "create role report"
    expect(printed.stdout).has "grant SELECT on table shop.orders to report;"
    expect(printed.stderr).has "preflight passed"
    local path = world.dir .. "/again.sql"
    local put = check(world, { "--sql", path })
    expect(fs.read(path)).is(printed.stdout)
    expect(put.stdout).has "preflight passed"
    vultr_run.expect_exit(check(world, { "--sql", "not-carried", "--json" }), 2)
    expect_untouched(world)
  end), { limit = 100 })

  it("tells every failure at once, each with its cure", vultr_run.with_world({ source = { sql = [[
    create table public.t (id int); alter table public.t enable row level security;
    create policy own on public.t to report using (true);]] }, vultr = { backup_age = 30 * 3600 } }, function(world)
    local done = check(world, {}, { HEROKU_API_KEY = "wrong" })
    vultr_run.expect_exit(done, 4)
    expect(done.stdout).has "\n  FAIL  PGO-HEROKU-TOKEN "
    local app = world.heroku:app(vultr_run.APP)
    local url = app.config.DATABASE_URL
    app.config.DATABASE_URL = "postgres://u:hush@db.example.com/shop"
    expect(check(world, {}).stdout).matches("\n  FAIL  PGO%-CONFIG%-VAR DATABASE_URL of demo%-app is a plain config "
      .. "var that holds the address of another database: shop at db%.example%.com\n")
    app.config.DATABASE_URL = url
    expect(done.stdout).has "\n  FAIL  PGO-POLICY-ROLE policy own of public.t names role report"
    expect(done.stdout).has "heroku pg:credentials:create --name report"
    expect(done.stdout).has "FAIL  PGO-BACKUP-OLD the latest backup of demo is 1 d 06 h old"
    expect(done.stdout).matches "\npreflight failed: 3 fail, %d+ warn\n$"
    expect(check(world, {}, { VULTR_API_KEY = "wrong" }).stdout).has "FAIL  PGO-PROVIDER-TOKEN"
    expect(check(world, { "--instance", "typo" }).stdout).has "not looked into: what is in the source"
    expect_untouched(world)
  end), { limit = 100 })

  it("looks at the target that is there, and fails where it is not empty", vultr_run.with_world({}, function(world)
    -- The add-on of a run that was put back is kept for the next one, which would use it.
    vultr_run.expect_exit(vultr_run.run(world, { "--accept", "exit 3" }), 5)
    local left = check(world, { "-v" })
    vultr_run.expect_exit(left, 0)
    expect(left.stdout).has "  target PGORCH_TARGET of demo-app\n"
    expect(left.stdout).has "pass  4 extensions are offered"
    expect(left.stdout).lacks "not known until"
    vultr_run.expect_exit(vultr_run.run(world, {}), 0)
    local done = check(world, { "--database", "DATABASE" })
    vultr_run.expect_exit(done, 4)
    expect(done.stdout).has "FAIL  PGO-CONFIRM"
    expect(done.stdout).lacks "not known until"
    vultr_run.expect_exit(check(world, { "--database", "DATABASE", "--confirm", vultr_run.APP }), 0)
  end), { limit = 200 })

  it("names the address that a closed allow list lacks; asked to, adds it and takes it out again", vultr_run.with_world(
    { vultr = { trusted_ips = CLOSED } }, function(world)
      local done = check(world, {})
      vultr_run.expect_exit(done, 4)
      expect(done.stdout).has "FAIL  PGO-ALLOW-LIST the allow list of demo does not let 127.0.0.1 in"
      expect(done.stdout).has "cure: add 127.0.0.1/32 to it, or pass --open-allow-list"
      expect(done.stdout).has "not looked into: what is in the source"
      expect(allow_list(world)).same(CLOSED)
      expect(changes(world)).same {}

      local opened = check(world, { "--open-allow-list" })
      vultr_run.expect_exit(opened, 0)
      expect(opened.stdout).has "5 largest tables"
      expect(allow_list(world)).same(CLOSED)
      expect(#changes(world)).is(2)               -- it came, and went
      expect_untouched(world)

      expect(interrupted(world).code).is(8)
      expect(allow_list(world)).same(CLOSED)
      world.vultr.state.databases[1].object.password = "not-the-password"
      local refused = check(world, { "--open-allow-list" })
      vultr_run.expect_exit(refused, 4)
      expect(refused.stdout).has "PGO-PG-AUTH"
      world:fault { at = "heroku.account", answer = 503, times = "always" }
      local away = check(world, { "--json" })
      vultr_run.expect_exit(away, 6)
      expect(away.stdout).has '"event":"failed"'
      expect(allow_list(world)).same(CLOSED)
      expect_untouched(world)
    end), { limit = 100 })

  it("explains itself, and refuses what it does not know", function()
    local function said(...)
      local done = process.run { check = false, host.executable(), "check", ... }
      return done.stdout .. done.stderr, done.code
    end
    expect((said("vultr", "--help"))).has "--open-allow-list"
    expect((said("vultr", "--help"))).has "--instance"
    expect((said "--help")).has "--sql not-carried|FILE"
    local text, code = said("vultr", "--instance", "x", "--app", "abc", "--deadline", "+1h")
    expect(code).is(2)
    expect(text).has "unknown flag --deadline"
  end)
end)
