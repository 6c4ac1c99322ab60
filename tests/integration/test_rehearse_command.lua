-- `pgorch rehearse` as a user runs it. The world of the test is "the real one"; the rehearsal makes its own beside it.
-- What must hold: the real one is only read, the figures are recorded, a difference is found, nothing is left behind.

local binaries  = require "pgorch.sandbox.postgres.binaries"
local fs        = require "pgorch.fs"
local host      = require "pgorch.native.host"
local json      = require "pgorch.json"
local majors    = require "support.majors"
local process   = require "pgorch.process"
local sandbox   = require "pgorch.sandbox"
local source    = require "pgorch.source"
local task      = require "pgorch.task"
local vultr_run = require "support.vultr_run"

local CLOSED = { "198.51.100.7/32" }

-- Where rehearsals of this test lie meanwhile: other worlds of the machine are not in it.
local function folder_of(world)
  local path = world.dir .. "/r"
  if not fs.exists(path) then
    fs.mkdir(path)
    fs.chmod(path, 711)
  end
  return path
end

local function words(world, more, recipe)
  local list = { "rehearse", recipe or "vultr", "--app", vultr_run.APP, "--folder", folder_of(world) }
  if not recipe or recipe:find "%.lua$" then table.move({ "--instance", "demo" }, 1, 2, #list + 1, list) end
  return table.move(more or {}, 1, #(more or {}), #list + 1, list)
end

local function rehearse(world, more, recipe) return vultr_run.pgorch(world, words(world, more, recipe)) end

-- Requests of the real world that could have changed something.
local function changes(world)
  local list = {}
  for line in fs.read(world.dir .. "/requests.jsonl", 1 << 26):gmatch "[^\n]+" do
    local each = json.decode(line)
    if each.method ~= "GET" and each.method ~= "HEAD" then list[#list + 1] = each.method .. " " .. each.path end
  end
  return list
end

local function on_source(world, fn)
  local conn <close> = world.source.cluster:connect(world.source.dbname)
  return fn(conn)
end

local SETTINGS = "select string_agg(setdatabase || ' ' || setrole || ' ' || setconfig::text, ',' order by 1::text) "
  .. "from (select * from pg_db_role_setting order by setdatabase, setrole) as s"

-- Schema and settings of the source, word for word.
local function state_of_source(world)
  return on_source(world, function(conn)
    return { conn:value(source.sql "catalog_digest"), conn:value(SETTINGS) }
  end)
end

-- The next transaction that writes anything on the server.
local function next_xid(world)
  return on_source(world, function(conn) return conn:value "select pg_snapshot_xmax(pg_current_snapshot())::text" end)
end

local function quiet(world)
  on_source(world, function(conn)
    conn:exec "alter system set autovacuum = off"
    conn:exec "select pg_reload_conf()"
  end)
end

-- Files of a rehearsal, and processes that name them.
local function left_over(world)
  local list, folder = fs.list(folder_of(world)), folder_of(world)
  for _, pid in ipairs(fs.list "/proc") do
    local ok, line = pcall(fs.read, ("/proc/%s/cmdline"):format(pid))
    if pid:match "^%d+$" and ok and line:find(folder .. "/pgorch-world-", 1, true) then
      list[#list + 1] = pid .. " " .. line:gsub("%z", " ")
    end
  end
  return list
end

local function expect_nothing_left(world)
  local deadline = task.now() + 20
  while #left_over(world) > 0 and task.now() < deadline do task.sleep(0.05) end
  expect(left_over(world)).same {}
end

local function status(world, id)
  return json.decode(vultr_run.pgorch(world, { "status", id, "--json" }).stdout)
end

local function last(done) return json.decode(done.stdout:match "([^\n]+)\n$") end

local function step_of(steps, id)
  for _, each in ipairs(steps) do
    if each.id == id then return each end
  end
end

-- Rows and sequences of the source move as long as fn runs. Returns how many rows were written.
local function while_it_is_written(world, fn)
  local count, over = 0, false
  on_source(world, function(conn)
    conn:exec "create table public.ticks (id bigserial primary key, n numeric)"
    conn:exec("alter table public.ticks owner to " .. world.source.user)
  end)
  task.group(function(group)
    group:spawn(function()
      local conn <close> = world.source.cluster:connect(world.source.dbname)
      while not over do
        conn:exec "insert into public.ticks (n) select random() from generate_series(1, 10)"
        conn:exec "select nextval('shop.invoice_number')"
        count = count + 10
        task.sleep(0.005)
      end
    end)
    fn()
    over = true
  end)
  return count
end

-- Starts a rehearsal and sends it a signal when the step has begun.
local function signalled(world, signal, step, more)
  local said = ("%s/said-%s-%s"):format(world.dir, signal, step)
  local variables = sandbox.environment(world)
  fs.mkdir(vultr_run.record(world))
  variables.PGORCH_STATE, variables.PGORCH_POLL_SCALE = "sqlite:" .. vultr_run.record(world) .. "/state.db", "0.05"
  local options = { "/bin/sh", "-c", 'exec "$0" "$@" >' .. said .. " 2>&1", host.executable(),
    env = variables, env_clear = true, check = false }
  local list = words(world, { "--json" })
  table.move(more or {}, 1, #(more or {}), #list + 1, list)
  table.move(list, 1, #list, #options + 1, options)
  local child <close> = process.spawn(options)
  local begun = ('"event":"step_started","id":"%s"'):format(step)
  while not (fs.exists(said) and fs.read(said, 1 << 24):find(begun, 1, true)) do
    if not child:alive() then error("it ended before: " .. fs.read(said), 0) end
    task.sleep(0.01)
  end
  expect(#fs.list(folder_of(world)) > 0).is(true)
  child:kill(signal)
  return child:wait(), fs.read(said, 1 << 24)
end

local function allow_list(world) return world.vultr.state.databases[1].object.trusted_ips end

describe("pgorch rehearse", function()
  it("reads the real world, measures, and records the window to announce", vultr_run.with_world({}, function(world)
    quiet(world)
    local before, xid, said = state_of_source(world), next_xid(world), world.dir .. "/accepted"
    local done = rehearse(world, { "--on-freeze", "echo froze >>" .. said, "--on-thaw", "echo thawed >>" .. said,
      "--accept", 'psql "$DATABASE_URL" -qtAc "select count(*) from public.schema_migrations" >>' .. said })
    vultr_run.expect_exit(done, 0)
    -- Not one transaction has written to the source, and no request but reading ones was sent.
    expect(next_xid(world)).is(xid)
    expect(changes(world)).same {}
    expect(state_of_source(world)).same(before)
    vultr_run.expect_app_as_before(world)
    expect(fs.read(said)).is "90\n"                       -- the local copy's; no hook has run
    expect(done.all).has "reads the whole source twice"
    expect(done.all).has "schema objects EQUAL"
    expect(done.all).has "nothing was written during the rehearsal"
    expect(done.all).has "which major Heroku gives by default is not known here"
    expect(done.all).has "DATABASE_URL -> pgorch-demo-app-"
    expect(done.all).lacks "point of no return"
    expect(done.stdout).matches "\nwindow to announce: about %d+ min %(measured [%d.]+ s %+ 1 m %d+ s for what is not"
    expect(done.stdout).has "\nexit 0: rehearsed\n"
    for _, secret in ipairs { world.source.password, world.heroku.token, world.vultr.api_key, "X-Amz-Signature" } do
      expect(done.all).lacks(secret)
      expect(process.run { "grep", "-rqaF", "-e", secret, vultr_run.record(world), check = false }.code).is(1)
    end
    expect_nothing_left(world)

    local id = done.stdout:match "\nrehearsal (%w+)"
    local recorded = status(world, id)
    expect({ recorded.kind, recorded.state, recorded.exit_status }).same { "rehearsal", "done", 0 }
    local event
    for _, each in ipairs(recorded.events) do event = each.kind == "rehearsed" and each or event end
    expect(event.data.source).matches "^vultr:.*:defaultdb$"
    local dump = step_of(event.data.steps, "dump_to_store")
    expect(dump.window).is(true)
    expect(dump.bytes > 500000 and dump.seconds > 0).is(true)
    expect(step_of(event.data.steps, "preflight").window).is(false)
    expect(event.data.window.announce >= event.data.window.measured + event.data.window.margin).is(true)
    local shown = vultr_run.pgorch(world, { "status", id }).stdout
    expect(shown).matches "^run %w+  rehearsal: done  recipe vultr"
    expect(shown).has "window to announce: about"
    expect(shown).lacks "pgorch resume"

    for _, verb in ipairs { "resume", "rollback", "cleanup", "destroy-source" } do
      local refused = vultr_run.pgorch(world, { verb, id })
      vultr_run.expect_exit(refused, 2)
      expect(refused.all).has "PGO-REHEARSAL"
    end
    -- A move does not take the rehearsed cut-over for one.
    vultr_run.expect_exit(vultr_run.run(world, {}), 0)
    vultr_run.expect_moved(world)
  end), { limit = 150 })

  it("goes well while the source is written to, and fails where the copy differs", vultr_run.with_world({},
    function(world)
      local done, xid = nil, next_xid(world)
      expect(while_it_is_written(world, function() done = rehearse(world, { "--json" }) end)).above(100)
      vultr_run.expect_exit(done, 0)
      expect(next_xid(world) == xid).is(false)          -- what a rehearsal must not do is seen
      expect(done.stdout).matches "%d+ of the source's tables and sequences were written during the rehearsal"
      expect(done.stdout).has "sequences moved on while they were dumped"
      expect(last(done).window.announce).above(60)
      expect(changes(world)).same {}

      local recipe = world.dir .. "/lossy.lua"
      fs.write(recipe, [[
        local recipe = require "pgorch.recipe"
        return recipe.from "vultr" { name = "lossy", summary = "loses a row", change = {
          recipe.after { "extensions", recipe.step { id = "pause_billing", effect = "write", undo = false,
            run = function() error "not to be run" end } },
          recipe.after { "refresh_matviews", recipe.step { id = "forget_one", effect = "write", undo = false,
            rehearse = true, run = function(ctx)
              local conn <close> = ctx.target:connect()
              conn:exec "delete from audit.events where ctid in (select ctid from audit.events limit 1)"
            end } } } }
      ]])
      local lossy = rehearse(world, { "--json" }, recipe)
      vultr_run.expect_exit(lossy, 5)
      local ended = last(lossy)
      expect(ended.error.id).is "PGO-VERIFY"
      expect(ended.error.detail).has "audit"
      expect(ended.window).is(nil)
      local left_out = {}
      for _, each in ipairs(ended.not_rehearsed) do left_out[each.id] = each.why end
      expect(left_out.pause_billing).has "rehearse = true"
      expect(left_out.forget_one).is(nil)
      expect(changes(world)).same {}
      vultr_run.expect_app_as_before(world)
      expect_nothing_left(world)
    end), { limit = 150 })

  it("leaves nothing when it is interrupted or killed", vultr_run.with_world({}, function(world)
    local stopped, said = signalled(world, "INT", "restore")
    expect(stopped.code).is(8)
    local ended = json.decode(said:match "([^\n]+)\n$")
    expect({ ended.status, ended.state }).same { 8, "stopped" }
    expect_nothing_left(world)
    expect(signalled(world, "KILL", "restore").signal).is "KILL"
    expect_nothing_left(world)
    expect(vultr_run.pgorch(world, { "status" }).stdout).has "rehearsal: interrupted"
    expect(changes(world)).same {}
    vultr_run.expect_app_as_before(world)
  end), { limit = 100 })

  it("ends with 4 at a closed allow list; asked to, opens it, and closes it again", vultr_run.with_world(
    { vultr = { trusted_ips = CLOSED } }, function(world)
      local closed = rehearse(world)
      vultr_run.expect_exit(closed, 4)
      expect(closed.all).has "PGO-ALLOW-LIST  the allow list of demo does not let 127.0.0.1 in"
      expect(closed.all).has "Add 127.0.0.1/32 to it, or pass --open-allow-list"
      expect(changes(world)).same {}
      vultr_run.expect_exit(rehearse(world, { "--open-allow-list" }), 0)
      expect(allow_list(world)).same(CLOSED)
      expect(#changes(world)).is(2)                  -- it came, and went
      local stopped = signalled(world, "INT", "dump_to_store", { "--open-allow-list" })
      expect(stopped.code).is(8)
      expect(allow_list(world)).same(CLOSED)
      -- Killed, it cannot take its entry out; the next one does.
      expect(signalled(world, "KILL", "fingerprint", { "--open-allow-list" }).signal).is "KILL"
      expect(#allow_list(world)).is(2)
      vultr_run.expect_exit(rehearse(world, { "--open-allow-list" }), 0)
      expect(allow_list(world)).same(CLOSED)
      expect_nothing_left(world)
    end), { limit = 150 })

  it("says which server is missing for a source that is newer than those of this machine", function()
    local why = majors.missing(18)
    if why then skip(why) end
    sandbox.run({ source = { scale = 0.02, postgres = majors.bin(18) }, target = { postgres = binaries.find().bin } },
      function(world)
        local done = rehearse(world)
        vultr_run.expect_exit(done, 4)
        expect(done.all).matches "PGO%-PG%-VERSION  the source is PostgreSQL 18, and the newest server on this machine "
        expect(done.all).has "apt-get install postgresql-18"
        expect_nothing_left(world)
      end)
  end, { limit = 60 })

  it("rehearses each recipe that is built in", vultr_run.with_world({}, function(world)
    local own = { linode = { "--instance", "demo" }, digitalocean = { "--instance", "demo", "--bucket", "ours-of-it" },
                  postgres = { "--bucket", "ours-of-it" } }
    local app, before = world.heroku:app(vultr_run.APP), world.source.url
    for name, more in pairs(own) do
      local own_url = name ~= "postgres"
      app.config.DATABASE_URL = own_url and world[name]:database_url(world[name].state.databases[1]) or before
      local done = rehearse(world, more, name)
      vultr_run.expect_exit(done, 0)
      expect(done.all).has "DATABASE_URL -> pgorch-demo-app-"
    end
    app.config.DATABASE_URL = before
    expect(changes(world)).same {}
    vultr_run.expect_app_as_before(world)
    expect_nothing_left(world)
  end), { limit = 150 })
end)
