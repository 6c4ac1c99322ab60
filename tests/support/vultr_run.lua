-- What the tests of the Vultr recipe share: a world, `pgorch` in it as a user's shell would run it, and what must hold
-- afterwards, read from the stand-ins and the servers themselves.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local pg      = require "pgorch.pg"
local process = require "pgorch.process"
local sandbox = require "pgorch.sandbox"
local task    = require "pgorch.task"

local M = { APP = "demo-app" }

local DYNOS = { web = 2, worker = 1 }

local function fail(format, ...)
  error(format:format(...), 0)
end

local function equal(what, got, wanted)
  if got ~= wanted then fail("%s: expected %s, got %s", what, tostring(wanted), tostring(got)) end
end

---The folder of the store and of the runs' files.
function M.record(world)
  return world.dir .. "/record"
end

-- What a user's shell has: the world's variables and a store of its own.
local function shell(world, more)
  local variables = sandbox.environment(world)
  fs.mkdir(M.record(world))
  variables.PGORCH_STATE = "sqlite:" .. M.record(world) .. "/state.db"
  variables.XDG_STATE_HOME = M.record(world)
  variables.PGORCH_POLL_SCALE = "0.05"
  for name, value in pairs(more or {}) do variables[name] = value or nil end
  return variables
end

local function command(arguments)
  return table.move(arguments, 1, #arguments, 2, { host.executable() })
end

---Runs pgorch to its end; `all` is what it printed anywhere.
function M.pgorch(world, arguments, more)
  local options = command(arguments)
  options.env, options.env_clear, options.check, options.timeout = shell(world, more), true, false, 100
  local done = process.run(options)
  done.all = done.stdout .. done.stderr
  return done
end

local function usual(arguments)
  local list = { "run", "vultr", "--instance", "demo", "--app", M.APP, "--plan", "essential-1", "--yes-cut-over" }
  return table.move(arguments, 1, #arguments, #list + 1, list)
end

---`pgorch run vultr` with the usual arguments and these.
function M.run(world, arguments, more)
  return M.pgorch(world, usual(arguments), more)
end

function M.expect_exit(done, code)
  if done.code ~= code then fail("exit status %s\n%s", tostring(done.code), done.all:sub(-6000)) end
end

---The body of an `it`, with a world of its own.
function M.with_world(options, fn)
  options.source = options.source or { scale = 0.02 }
  return function() sandbox.run(options, fn) end
end

function M.value(url, sql)
  local conn <close> = pg.connect(url)
  return conn:value(sql)
end

local function read_only(world)
  return M.value(world.source.direct_url, "show default_transaction_read_only")
end

---The app's DATABASE_URL as Heroku would give it.
function M.database_url(world, app)
  return world.heroku.state:config(world.heroku:app(app or M.APP)).DATABASE_URL
end

local function expect_running(world)
  equal("maintenance", world.heroku:app(M.APP).maintenance, false)
  local dynos = world.heroku:dynos(M.APP)
  equal("web dynos", dynos.web, DYNOS.web)
  equal("worker dynos", dynos.worker, DYNOS.worker)
end

-- The address of the source that the app has had.
local function old_url(world) return world.old_url or world.source.url end

---As it was before pgorch came: what a run that failed must leave behind.
function M.expect_app_as_before(world)
  expect_running(world)
  equal("DATABASE_URL is the source", world.heroku:app(M.APP).config.DATABASE_URL == old_url(world), true)
  equal("read-only", read_only(world), "off")
end

local SAME = {
  "select count(*) from shop.customers", "select count(*) from shop.orders",
  "select sum(hashtextextended(d::text, 0))::text from audit.documents d",
  "select count(*) from pg_largeobject_metadata", "select last_value from shop.invoice_number",
}

---Moved, and nothing left half done. The comparison is not pgorch's own.
function M.expect_moved(world)
  expect_running(world)
  local url = M.database_url(world)
  equal("DATABASE_URL is new", url ~= old_url(world), true)
  equal("OLD_DATABASE_URL", world.heroku:app(M.APP).config.OLD_DATABASE_URL == old_url(world), true)
  equal("read-only", read_only(world), "on")
  for _, sql in ipairs(SAME) do equal(sql, M.value(url, sql), M.value(world.source.direct_url, sql)) end
end

---Keys of the objects that are in the storage, in the buckets of an account; default: Vultr's.
function M.objects(world, account)
  local keys = {}
  for _, bucket in ipairs(world.s3:buckets(account or world.vultr.state.storages[1].account)) do
    for key in pairs(world.s3.server.buckets[bucket.name].objects) do keys[#keys + 1] = key end
  end
  return keys
end

function M.restores(world)
  local count = 0
  for _, transfer in ipairs(world.heroku:app(M.APP).transfers) do
    if transfer.to_type == "pg_restore" then count = count + 1 end
  end
  return count
end

local function read_if_there(path)
  return fs.exists(path) and fs.read(path, 1 << 26) or ""
end

---Starts the usual run (or pgorch with other arguments, in a folder) and kills it (-9) as soon as `due(its events,
---requests so far, world)` is true, or `pause` later.
---@return string run id
function M.kill_when(world, due, pause, arguments, cwd)
  local path = world.dir .. "/printed"
  local list = arguments or usual { "--json" }
  local script = ('exec "$0" "$@" >%s 2>&1'):format(path)
  local options = table.move(list, 1, #list, 5, { "/bin/sh", "-c", script, host.executable() })
  options.env, options.env_clear, options.cwd = shell(world), true, cwd
  local child <close> = process.spawn(options)
  local deadline = task.now() + 60
  while not due(read_if_there(path), read_if_there(world.dir .. "/requests.jsonl"), world) do
    if task.now() > deadline or not child:alive() then
      fail("the run never came so far:\n%s", read_if_there(path):sub(-3000))
    end
    task.sleep(0.02)
  end
  task.sleep(pause or 0)
  child:kill "KILL"
  child:wait()
  return read_if_there(path):match '"run":"(%w+)"'
end

return M
