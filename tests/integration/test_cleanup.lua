-- pgorch cleanup and pgorch destroy-source: what a run leaves behind goes, and is proved gone; what is billed only when
-- its name was typed; the source only after everything that speaks for it was looked at.

local fs           = require "pgorch.fs"
local http         = require "pgorch.http"
local json         = require "pgorch.json"
local pg           = require "pgorch.pg"
local provider_run = require "support.provider_run"
local vultr_run    = require "support.vultr_run"

local APP = vultr_run.APP

local function id_of(done) return done.all:match "pgorch status (%w+)" end

local function pgorch(world, code, ...)
  local done = vultr_run.pgorch(world, { ... })
  vultr_run.expect_exit(done, code)
  return done.stdout, done.all
end

local function unfinished_upload(world, id)
  local s3 = require "pgorch.s3".client { endpoint = world.s3.url, access_key = world.vultr.state.storages[1].object
    .s3_access_key, secret_key = world.vultr.state.storages[1].object.s3_secret_key, region = "us-east-1" }
  local bucket = world.s3:buckets(world.vultr.state.storages[1].account)[1]
  s3:bucket(bucket.name):request { method = "POST", key = ("pgorch/%s/9.dump"):format(id), query = { uploads = "" } }
end

local function is_there(world)
  for _, entry in ipairs(world.vultr.state.databases) do
    if entry.object.label == "demo" then return true end
  end
  return false
end

local function after_a_failure(world)
  local done = vultr_run.run(world, { "--accept", "exit 3" })
  vultr_run.expect_exit(done, 5)
  local id = id_of(done)
  -- What stays, and what it costs, is said with the command that removes it.
  expect(done.all).matches("kept: .*add%-on pgorch%-demo%-app%-" .. id .. ", %$9/month")
  expect(done.all).has(("`pgorch cleanup %s --confirm %s` removes it"):format(id, APP))
  unfinished_upload(world, id)
  local text = pgorch(world, 0, "cleanup", id)
  expect(text).has "1 uploads: removed"
  expect(#world.s3:buckets(world.vultr.state.storages[1].account)).is(0)
  expect(text).matches "add%-on pgorch%-demo%-app%-%w+: kept  %(billed, %$9/month;"
  expect(#world.heroku.state.addons).is(1)
  pgorch(world, 0, "cleanup", id, "--confirm", "another-app")
  expect(#world.heroku.state.addons).is(1)
  expect(text).matches "bucket [%w-]+: removed"
  text = pgorch(world, 0, "cleanup", id, "--confirm", APP)
  expect(text).matches "add%-on pgorch%-demo%-app%-%w+: removed"
  expect(text).matches "read%-only setting of source [^\n]*: gone  %(writable again%)"
  expect(#world.heroku.state.addons).is(0)
  text = pgorch(world, 0, "cleanup", id)
  expect(text).lacks "removed"
  expect(text).matches "add%-on pgorch%-demo%-app%-%w+: gone"
  expect(text).matches "nothing is left\n"
  expect(pgorch(world, 0, "status", id)).matches "cleaned [^\n]*: nothing left\n"
  expect(json.decode(pgorch(world, 0, "report", id, "--json")).kept).same {}
  vultr_run.expect_app_as_before(world)
end

local function while_it_is_not_over(world)
  local done = vultr_run.run(world, { "--until", "dump_to_store" })
  local id = id_of(done)
  local _, all = pgorch(world, 2, "cleanup", id)
  expect(all).has "PGO-CLEANUP"
  expect(all).has("pgorch rollback " .. id)
  pgorch(world, 2, "destroy-source", id, "--confirm", "demo")
  pgorch(world, 0, "rollback", id)
  local _, kept = pgorch(world, 2, "destroy-source", id, "--confirm", "demo")
  expect(kept).has "PGO-SOURCE-KEPT"
  expect(is_there(world)).is_true()
end

local function write(world, sql, dbname)
  local conn <close> = pg.connect(world.source.direct_url, { application_name = "late", dbname = dbname,
    settings = { default_transaction_read_only = "off" } })
  conn:exec(sql)
end

local function refuses(world, id, what, ...)
  local _, all = pgorch(world, 2, "destroy-source", id, ...)
  expect(all).has "PGO-SOURCE-KEPT"
  expect(all).has(what)
  expect(is_there(world)).is_true()
  -- It came in by an entry of its own, and has taken it out again.
  expect(world.vultr.state.databases[1].object.trusted_ips).same { "198.51.100.7/32" }
end

local function attachments(world)
  local names = {}
  for name in pairs(world.heroku.state:config(world.heroku:app(APP))) do names[#names + 1] = name:match "^(.+)_URL$" end
  table.sort(names)
  return names
end

-- It is the instance that goes, with all its databases: none may be nowhere else, whatever --force says.
local function with_another_database(world, id)
  write(world, "create database billing")
  write(world, "create table invoices as select generate_series(1, 1000) as n", "billing")
  refuses(world, id, "billing", "--confirm", "demo", "--force")
  table.insert(world.vultr.state.databases[1].server.dbs, "billing")
  local unclear = pgorch(world, 11, "cleanup", id)          -- which of the two is not said; it is not gone for that
  expect(unclear).has "choose one with --dbname"
  expect(unclear).lacks "the source itself is gone"
  local done = vultr_run.pgorch(world, { "run", "vultr", "--instance", "demo", "--dbname", "billing", "--app",
    "billing-app", "--plan", "essential-1", "--yes-cut-over" })
  vultr_run.expect_exit(done, 0)
  do
    local client <close> = pg.connect(world.source.direct_url, { application_name = "mailer", dbname = "billing" })
    client:exec "select 1"
    refuses(world, id, "mailer (127.0.0.1), 1 sessions in billing", "--confirm", "demo", "--dbname", "defaultdb")
  end
  local text = ("defaultdb (moved by this run), billing (moved by run %s), postgres (empty)"):format(id_of(done))
  refuses(world, id, text, "--dbname", "defaultdb")
  write(world, "insert into invoices values (0)", "billing")
  refuses(world, id, "billing was written to after the dump", "--confirm", "demo", "--dbname", "defaultdb", "--force")
end

-- What the app has now is not what was verified.
local function with_a_target_that_lost(world, id)
  local attachment, others
  for _, each in ipairs(world.heroku.state.attachments) do
    if each.name == "DATABASE" and each.app.name == APP then attachment = each end
    if each.name == "DATABASE" and each.app.name ~= APP then others = each.addon end
  end
  local ours = attachment.addon
  attachment.addon = others
  refuses(world, id, "DATABASE_URL of demo-app does not lead to", "--confirm", "demo", "--force", "--dbname",
    "defaultdb")
  attachment.addon = ours
  local conn <close> = pg.connect(vultr_run.database_url(world))
  conn:exec "delete from shop.order_items; drop table audit.documents cascade"
  refuses(world, id, '"audit"."documents" is gone', "--confirm", "demo", "--dbname", "defaultdb")
  refuses(world, id, '"shop"."order_items" is empty', "--confirm", "demo", "--dbname", "defaultdb")
end

local function after_a_move(world)
  local done = vultr_run.run(world, { "--keep-dump" })
  vultr_run.expect_exit(done, 0)
  local id = id_of(done)
  expect(#vultr_run.objects(world)).is(1)
  local lines = {}
  for line in pgorch(world, 0, "cleanup", id, "--json", "--confirm", APP):gmatch "[^\n]+" do
    local entry = json.decode(line)
    lines[entry.what or entry.event] = entry.state or entry.status
  end
  expect(lines[("object pgorch/%s/1.dump"):format(id)]).is "removed"
  expect(lines.ended).is(0)
  expect(lines["config var OLD_DATABASE_URL"]).is "kept"
  expect(lines["source demo/defaultdb"]).is "kept"
  expect(lines[("add-on pgorch-demo-app-%s"):format(id)]).is "kept"   -- the app uses it
  expect(lines["attachment PGORCH_TARGET"]).is "kept"
  expect(#vultr_run.objects(world)).is(0)
  vultr_run.expect_moved(world)

  refuses(world, id, "the name of the source was not typed: demo")
  refuses(world, id, "the name of the source was not typed: demo", "--confirm", "defaultdb")
  do
    local client <close> = pg.connect(world.source.direct_url, { application_name = "mailer" })
    client:exec "select 1"
    refuses(world, id, "mailer", "--confirm", "demo")
  end
  with_another_database(world, id)
  with_a_target_that_lost(world, id)
  write(world, "drop database billing")
  table.remove(world.vultr.state.databases[1].server.dbs)
  local app = world.heroku:app(APP)
  app.config.DATABASE_URL = nil
  expect(attachments(world)).same { "DATABASE", "OLD_DATABASE", "PGORCH_TARGET" }
  expect(pgorch(world, 0, "destroy-source", id, "--confirm", "demo", "--unset-old", "--force"))
    .has "attachment PGORCH_TARGET of demo-app is taken off: the app restarts"
  expect(attachments(world)).same { "DATABASE" }
  expect(is_there(world)).is(false)
  expect(app.config.OLD_DATABASE_URL).is_nil()
  expect(vultr_run.value(vultr_run.database_url(world), "select count(*) > 0 from shop.customers")).is_true()
  expect(pgorch(world, 0, "status", id)).has "source demo destroyed"
  expect(pgorch(world, 0, "cleanup", id)).has "the source itself is gone"
end

local function cannot_be_removed(world)
  local done = vultr_run.run(world, { "--keep-dump" })
  vultr_run.expect_exit(done, 0)
  world:fault { at = "s3.delete_object", answer = 403, code = "AccessDenied", times = "always" }
  expect(pgorch(world, 11, "cleanup", id_of(done))).has "STILL THERE"
  fs.remove(world.dir .. "/faults/s3.delete_object")
  return done
end

local function written_to(world)
  local done = cannot_be_removed(world)
  write(world, "insert into public.schema_migrations values ('late')")
  refuses(world, id_of(done), "schema_migrations", "--confirm", "demo", "--force")
end

local CLOSED = { vultr = { trusted_ips = { "198.51.100.7/32" } } }

local linode = provider_run("linode", { "--instance", "demo" }, function(world)
  return world.linode:database_url(world.linode.state.databases[1])
end)

local function add_key(world, label)
  http.request { method = "POST", url = world.linode.url .. "/object-storage/keys",
    headers = { authorization = "Bearer " .. world.linode.token, ["content-type"] = "application/json" },
    body = json.encode { label = label, regions = { "us-east" } } }
end

local LINODE = { allow_list = { "198.51.100.7/32" } }

-- Keys whose label is the run's, and no object and nobody more on the allow list than before.
local function expect_nothing_at_linode(world)
  expect(world.linode.state.keys).same {}
  expect(linode.objects(world, world.linode.state.account)).same {}
  expect(world.linode.state.databases[1].object.allow_list).same(LINODE.allow_list)
end

local function in_step(id)
  return function(events) return events:find(('"event":"step_started","id":"%s"'):format(id), 1, true) end
end

-- Killed in the window: its key and its entry are there, until they are put back.
local function killed_at_linode(world)
  local id = linode.kill_when(world, in_step "checksum_source")
  expect(#world.linode.state.keys).is(1)
  expect(#world.linode.state.databases[1].object.allow_list).is(2)
  pgorch(world, 2, "cleanup", id)
  pgorch(world, 0, "rollback", id)
  linode.expect_app_as_before(world)
  expect_nothing_at_linode(world)
  local text = pgorch(world, 0, "cleanup", id)
  expect(text).has(("storage key pgorch-%s: gone"):format(id))
  expect(text).matches "bucket [%w-]+: removed"
  expect_nothing_at_linode(world)
end

local function after_a_move_from_linode(world)
  local done = linode.run(world, { "--keep-dump" })
  linode.expect_exit(done, 0)
  local id = id_of(done)
  -- A process that was killed while it cleaned up has left a key.
  add_key(world, "pgorch-" .. id)
  add_key(world, "pgorch-of-another-run")
  local text = pgorch(world, 0, "cleanup", id)
  expect(text).has(("object pgorch/%s/1.dump: removed"):format(id))
  expect(text).has(("storage key pgorch-%s: removed"):format(id))
  expect(#world.linode.state.keys).is(1)
  expect(world.linode.state.keys[1].label).is "pgorch-of-another-run"
  table.remove(world.linode.state.keys)
  expect(pgorch(world, 0, "cleanup", id)).has(("storage key pgorch-%s: gone"):format(id))
  expect_nothing_at_linode(world)

  local _, all = pgorch(world, 2, "destroy-source", id, "--confirm", "another")
  expect(all).has "the name of the source was not typed: demo"
  expect_nothing_at_linode(world)
  pgorch(world, 0, "destroy-source", id, "--confirm", "demo", "--unset-old")
  for _, entry in ipairs(world.linode.state.databases) do expect(entry.object.label).is_not "demo" end
  expect(world.heroku:app(APP).config.OLD_DATABASE_URL).is_nil()
  expect(vultr_run.value(vultr_run.database_url(world), "select count(*) > 0 from shop.customers")).is_true()
  expect(world.linode.state.keys).same {}
end

local function with_an_app_of_its_own(world)
  local done = vultr_run.pgorch(world, { "run", "vultr", "--instance", "demo", "--app", "brand-new", "--no-input",
    "--accept", "false" })
  vultr_run.expect_exit(done, 5)
  local text = pgorch(world, 0, "cleanup", id_of(done), "--confirm", "brand-new")
  expect(text).has "app brand-new: removed"
  expect(world.heroku:app "brand-new").is_nil()
end

local function ca_files(world, id)
  return table.concat(fs.list(("%s/runs/%s"):format(vultr_run.record(world), id)), " "):match "pgorch%-ca%-%w+"
end

-- That it is read-only is the work of a run that came later, or was there before.
local function while_another_run_has_the_source(world)
  local function ended(code, arguments)
    local done = vultr_run.run(world, arguments)
    vultr_run.expect_exit(done, code)
    expect(ca_files(world, id_of(done))).is_nil()
    return id_of(done)
  end
  local first = ended(5, { "--accept", "exit 3" })
  local second = ended(0, {})
  local third = ended(5, { "--accept", "exit 3", "--again" })
  expect(pgorch(world, 0, "cleanup", first)).has("read-only: kept  (run " .. second .. " has it so)")
  expect(pgorch(world, 0, "cleanup", third)).has "read-only: kept  (it was so before this run)"
end

describe("pgorch cleanup", function()
  it("removes what a failed run left, the app that it made included, and nothing of one that is not over",
    vultr_run.with_world({}, function(world)
      after_a_failure(world)
      with_an_app_of_its_own(world)
      while_it_is_not_over(world)
      while_another_run_has_the_source(world)
    end), { limit = 250 })
end)

describe("pgorch cleanup at Linode", function()
  it("leaves no key, no dump and nobody on the allow list of a run that was killed in the window",
    linode.with_world({ linode = LINODE }, killed_at_linode), { limit = 200 })

  it("removes a key that a killed process has left and no other's; then the source is destroyed",
    linode.with_world({ linode = LINODE }, after_a_move_from_linode), { limit = 200 })
end)

describe("pgorch destroy-source", function()
  it("destroys it once its name was typed, and cleanup has shown what else there is",
    vultr_run.with_world(CLOSED, after_a_move), { limit = 250 })

  it("never when it was written to after the dump; and cleanup says what it cannot remove, with status 11",
    vultr_run.with_world({ vultr = { trusted_ips = { "198.51.100.7/32" } } }, written_to), { limit = 200 })
end)
