-- A restore that goes wrong at Heroku, met by `pgorch run vultr` as a user runs it: what passes is asked for again with
-- another URL, what does not is put back, and never are there two restores at once.

local fs        = require "pgorch.fs"
local host      = require "pgorch.native.host"
local sandbox   = require "pgorch.sandbox"
local vultr_run = require "support.vultr_run"

local function transfers(world)
  local list = {}
  for i, each in ipairs(world.heroku:app(vultr_run.APP).transfers) do list[i] = each end
  table.sort(list, function(a, b) return a.num < b.num end)
  return list
end

local function signatures(world)
  local seen, count = {}, 0
  for _, each in ipairs(transfers(world)) do
    local signature = each.from_url:match "X%-Amz%-Signature=(%x+)"
    if not seen[signature] then seen[signature], count = true, count + 1 end
  end
  return count
end

-- Each began after the one before it had ended.
local function expect_one_after_the_other(world)
  local list = transfers(world)
  for i = 2, #list do expect(list[i].created_at >= list[i - 1].finished_at).is_true() end
end

-- A command that has Heroku back up the database that is moved into. Commands of the user's get no keys.
local function backup_script(world)
  local lines = {}
  for name, value in pairs(sandbox.environment(world)) do
    if name:find "^HEROKU" or name == "PGORCH_SANDBOX" then
      lines[#lines + 1] = ("export %s='%s'"):format(name, value)
    end
  end
  lines[#lines + 1] = ("exec %s eval '%s'"):format(host.executable(), ([[
    local client = require "pgorch.heroku".client { token = require "pgorch.env".secret "HEROKU_API_KEY" }
    for _, each in ipairs(client:app("%s"):attachments()) do
      if each.name == "PGORCH_TARGET" then
        client:request("POST", "/client/v11/databases/" .. each.addon.id .. "/backups", nil, { data = true })
      end
    end]]):format(vultr_run.APP))
  fs.write(world.dir .. "/backup.sh", table.concat(lines, "\n") .. "\n")
  return world.dir .. "/backup.sh"
end

local function clear(world, at) fs.remove(world.dir .. "/faults/" .. at) end

describe("a restore at Heroku", function()
  it("that could not download the dump is asked for three times, each with a URL of its own; then the app is put back, "
    .. "and when it passes the move goes on", vultr_run.with_world({}, function(world)
    world:fault { at = "worker.restore", answer = 500, times = "always",
      message = "unable to download the backup: the server answered 403" }
    local done = vultr_run.run(world, {})
    vultr_run.expect_exit(done, 1)
    expect(done.all).has "PGO-RESTORE-FAILED"
    expect(done.all).has "asked for again, attempt 3 of 3"
    vultr_run.expect_app_as_before(world)
    expect(vultr_run.restores(world)).is(3)
    expect(signatures(world)).is(3)

    clear(world, "worker.restore")
    world:fault { at = "worker.restore", answer = 500, message = "pg_restore: error: could not read from input file: "
      .. "end of file" }
    done = vultr_run.run(world, {})
    vultr_run.expect_exit(done, 0)
    expect(done.all).has "the download ended before the dump did; asked for again, attempt 2 of 3"
    expect(vultr_run.restores(world)).is(5)
    expect(signatures(world)).is(5)
    expect_one_after_the_other(world)
    vultr_run.expect_moved(world)
  end), { limit = 250 })

  it("that stays in the queue is canceled and asked for once more; the state is kept if that waits too, and a resumed "
    .. "run goes on", vultr_run.with_world({}, function(world)
    world:fault { at = "worker.start", delay = 100, times = 2 }
    local done = vultr_run.run(world, { "--restore-pending", "2s" })
    vultr_run.expect_exit(done, 6)
    expect(done.all).has "PGO-RESTORE-STUCK"
    expect(done.all).has "was pending for 2.0 s: canceled, and asked for again"
    local list = transfers(world)
    expect(#list).is(2)
    expect(list[1].canceled_at).is_true()
    expect(list[2].canceled_at).is_nil()
    expect(world.heroku:app(vultr_run.APP).maintenance).is(true)
    vultr_run.expect_exit(vultr_run.pgorch(world, { "resume", done.all:match "resume (%w+)", "--yes-cut-over" }), 0)
    expect(vultr_run.restores(world)).is(3)
    expect_one_after_the_other(world)
    vultr_run.expect_moved(world)
  end), { limit = 250 })

  -- Extensions of other schemas, words that are reserved by newer majors, names that need care.
  it("puts extensions into their own schemas, and tells what became of them", vultr_run.with_world({
    source = { sql = [[
      create schema ext; create extension hstore schema ext; create schema "Ext Üb %s"; create extension citext
        schema "Ext Üb %s"; create extension pg_trgm;
      create table public.goods (id int primary key, a ext.hstore, b "Ext Üb %s".citext, "system_user" text);
      insert into public.goods values (1, 'a=>1', 'X', 'me');
      create index on public.goods using gin ("system_user" public.gin_trgm_ops)]] } }, function(world)
    local done = vultr_run.run(world, {})
    vultr_run.expect_exit(done, 0)
    local url = vultr_run.database_url(world)
    expect(vultr_run.value(url, "select a::text || b || \"system_user\" from goods")).is '"a"=>"1"Xme'
    expect(vultr_run.value(url, [[select string_agg(extnamespace::regnamespace::text || '.' || extname, ' '
      order by extname) from pg_extension where extname not in ('plpgsql', 'pg_stat_statements')]]))
      .is [["Ext Üb %s".citext ext.hstore public.pg_trgm]]
  end), { limit = 250 })

  it("waits for another transfer of the app, and says so", vultr_run.with_world({}, function(world)
    -- A backup that begins within the window, as one by schedule would. It is still at work when the dump is there, on
    -- a busy machine too.
    world:fault { at = "worker.restore", delay = 8 }
    local done = vultr_run.run(world, { "--on-freeze", "sh " .. backup_script(world) })
    vultr_run.expect_exit(done, 0)
    expect(done.all).has "and not ours: waited for its end"
    expect(#transfers(world)).is(2)
    expect_one_after_the_other(world)
    vultr_run.expect_moved(world)
  end), { limit = 250 })
end)
