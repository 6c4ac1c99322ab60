-- A world for batches: one instance with many small databases, an app for each (or one for several), and `pgorch batch`
-- in it as a user's shell would run it. What is judged is read from the servers and the stand-ins, not from pgorch.

local csv      = require "pgorch.csv"
local fs       = require "pgorch.fs"
local host     = require "pgorch.native.host"
local json     = require "pgorch.json"
local pg       = require "pgorch.pg"
local process  = require "pgorch.process"
local sandbox  = require "pgorch.sandbox"
local store    = require "pgorch.store"
local task     = require "pgorch.task"

local M = {}

local ROWS = 200
local COLUMNS = { "id", "recipe", "instance", "dbname", "app", "as", "plan", "bucket", "accept", "depends_on", "group",
                  "priority", "watch" }

-- So little in each that what is measured is the batch.
local CONTENT = [[create table items (id serial primary key, name text not null);
  insert into items (name) select 'item ' || i || ' of ' || current_database() from generate_series(1, %d) i;]]

local function make_database(source, name)
  do
    local conn <close> = source.cluster:connect()
    conn:exec(("create database %s owner %s"):format(pg.ident(name), pg.ident(source.user)))
  end
  local conn <close> = source.cluster:connect(name)
  conn:exec("set role " .. pg.ident(source.user))
  conn:exec(CONTENT:format(ROWS))
end

-- The same server, by the gate of `many`.
local function url_of(source, port, name)
  return (source.url:gsub("/" .. source.dbname .. "%?", "/" .. name .. "?")
    :gsub((":%d/"):format(source.port), (":%s/"):format(port)))
end

---A world with an instance `many` that holds so many databases, db01, db02 and so on.
---@param o {databases: integer, options?: table}
---@param fn fun(world: table)
function M.with_world(o, fn)
  return function()
    local options = o.options or {}
    options.source = { scale = 0.02 }
    sandbox.run(options, function(world)
      world.names = {}
      for i = 1, o.databases do
        world.names[i] = ("db%02d"):format(i)
        make_database(world.source, world.names[i])
      end
      world.many = world.vultr:add_database { label = "many", dbname = "db01", dbs = world.names, trusted_ips = {} }
      world.direct = world.source.direct_url
      fn(world)
    end)
  end
end

---An app that uses these databases: the first as DATABASE_URL, others by their names.
---@param world table
---@param name string
---@param databases table<string, string>  config var without _URL -> database
function M.add_app(world, name, databases)
  local config = { RAILS_ENV = "production" }
  for as, database in pairs(databases) do
    config[as .. "_URL"] = url_of(world.source, world.many.object.port, database)
  end
  world.heroku.state:add_app { name = name, dynos = { web = 1 }, config = config }
end

---A row for a database, with an app of its own.
---@param world table
---@param name string
---@param more? table   fields of the row
---@return table
function M.row(world, name, more)
  local row = { id = name, recipe = "vultr", instance = "many", dbname = name, app = "app-" .. name, as = "DATABASE",
                plan = "essential-0", bucket = "bucket-" .. name }
  for field, value in pairs(more or {}) do row[field] = value end
  if not (more and more.app) then M.add_app(world, row.app, { DATABASE = name }) end
  return row
end

---Writes a manifest, and gives its path.
---@param world table
---@param name string
---@param rows table[]
---@return string
function M.manifest(world, name, rows)
  local path = ("%s/%s.csv"):format(world.dir, name)
  fs.write(path, csv.text(rows, COLUMNS))
  return path
end

---@param world table
---@return string
function M.record(world) return "sqlite:" .. world.dir .. "/record/state.db" end

local function options_of(world, words)
  local options = { host.executable() }
  table.move(words, 1, #words, 2, options)
  options.env, options.env_clear, options.check = sandbox.environment(world), true, false
  options.env.XDG_STATE_HOME, options.env.PGORCH_STATE = world.dir .. "/record", M.record(world)
  options.env.PGORCH_POLL_SCALE = "0.02"
  -- Taken by nobody: a row names its own.
  options.env.SOURCE_DATABASE_URL, options.env.TARGET_DATABASE_URL = world.source.url, world.source.url
  return options
end

---pgorch to its end; `all` is what it printed anywhere.
---@param world table
---@param ... string
function M.pgorch(world, ...)
  local options = options_of(world, { ... })
  options.timeout = 200
  local done = process.run(options)
  done.all = done.stdout .. done.stderr
  return done
end

---`pgorch batch ...` to its end.
function M.batch(world, ...) return M.pgorch(world, "batch", ...) end

---`pgorch batch ...` as a process that goes on; it ends with the scope.
function M.start(world, ...)
  local options = options_of(world, { "batch", ... })
  options.death_signal = "KILL"
  return process.spawn(options)
end

function M.expect_exit(done, code)
  if done.code ~= code then error(("exit status %s, not %d\n%s"):format(done.code, code, done.all:sub(-6000)), 0) end
end

---The batch as it is on record; nil while there is none.
function M.read(world, name)
  local st <close> = store.find(M.record(world))
  return st and st:find_batch(name)
end

---"db01 done, db02 failed"
function M.states(world, name)
  local list = {}
  for i, row in ipairs(M.read(world, name).rows) do list[i] = row.id .. " " .. row.state end
  return table.concat(list, ", ")
end

---@return integer
function M.count(world, name, state)
  local batch, count = M.read(world, name), 0
  for _, row in ipairs(batch and batch.rows or {}) do
    if row.state == state then count = count + 1 end
  end
  return count
end

---Waits until test() is true, as long as the process is there.
function M.wait_until(test, child)
  task.timeout(100, function()
    while not test() do
      if not child:alive() then error("it ended before:\n" .. child:wait().stderr:sub(-3000), 0) end
      task.sleep(0.05)
    end
  end)
end

---The numbers of the processes that a process has started.
---@param pid integer
---@return integer[]
function M.children(pid)
  local list = {}
  for number in process.run({ "pgrep", "-P", pid, check = false }).stdout:gmatch "%d+" do
    list[#list + 1] = tonumber(number)
  end
  return list
end

---Lines of the stand-ins' log of requests.
function M.requests(world)
  local path, list = world.dir .. "/requests.jsonl", {}
  for line in (fs.exists(path) and fs.read(path, 1 << 28) or ""):gmatch "[^\n]+" do
    list[#list + 1] = json.decode(line)
  end
  return list
end

---Requests that could have changed something.
function M.changes(world)
  local list = {}
  for _, each in ipairs(M.requests(world)) do
    if each.method ~= "GET" and each.method ~= "HEAD" then list[#list + 1] = each.method .. " " .. each.path end
  end
  return list
end

-- --- what became of the databases ---

local CONTENTS = "select count(*) || ' ' || sum(hashtextextended(i::text, 0)) from items i"

local function value(url, sql)
  local conn <close> = pg.connect(url)
  return conn:value(sql)
end

local function contents(world, name)
  local conn <close> = world.source.cluster:connect(name)
  return conn:value(CONTENTS), conn:value "show default_transaction_read_only"
end

local function want(what, got, wanted)
  if got ~= wanted then error(("%s: expected %s, got %s"):format(what, tostring(wanted), tostring(got)), 0) end
end

local function restores_into(app)
  local good = 0
  for _, transfer in ipairs(app.transfers) do
    if transfer.to_type == "pg_restore" and transfer.succeeded then good = good + 1 end
  end
  return good
end

---The row's app has the new database with the same data, its dynos run, the source is closed.
function M.expect_moved(world, row)
  local app = world.heroku:app(row.app)
  local url = world.heroku.state:config(app)[row.as .. "_URL"]
  local there, closed = contents(world, row.dbname)
  want(row.id .. ": its URL is new", url ~= url_of(world.source, world.many.object.port, row.dbname), true)
  want(row.id .. ": data", value(url, CONTENTS), there)
  want(row.id .. ": source is read-only", closed, "on")
  want(row.id .. ": maintenance", app.maintenance, false)
  want(row.id .. ": dynos", world.heroku:dynos(row.app).web, 1)
end

---Add-ons that an app has, and restores that came to a good end: one of each for each of its rows.
function M.expect_once(world, app_name, rows, restores)
  local app, addons = world.heroku:app(app_name), 0
  for _, addon in ipairs(world.heroku.state.addons) do
    if addon.app == app then addons = addons + 1 end
  end
  want(app_name .. ": add-ons", addons, rows)
  want(app_name .. ": restores", restores_into(app), restores or rows)
end

---Each of the rows, which have apps of their own, has been moved, and once.
function M.expect_all_moved(world, rows)
  for _, row in ipairs(rows) do
    M.expect_moved(world, row)
    M.expect_once(world, row.app, 1)
  end
end

---As it was before.
function M.expect_as_before(world, row)
  local app = world.heroku:app(row.app)
  local _, closed = contents(world, row.dbname)
  want(row.id .. ": its URL", world.heroku.state:config(app)[row.as .. "_URL"],
    url_of(world.source, world.many.object.port, row.dbname))
  want(row.id .. ": source is read-only", closed, "off")
  want(row.id .. ": maintenance", app.maintenance, false)
  want(row.id .. ": dynos", world.heroku:dynos(row.app).web, 1)
end

return M
