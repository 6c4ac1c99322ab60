-- Moves for tests: each is `pgorch run vultr` as a child process, with an app, a bucket and a record of its own, in a
-- world that many moves share. Lanes are sources: databases of one cluster, so that moves can run side by side.
-- Drives the child by its lines (signals at a step's start) and by the world's state; raises when a promise is broken.

local clock   = require "pgorch.clock"
local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local instances = require "pgorch.sandbox.vultr.instances"
local json    = require "pgorch.json"
local pg      = require "pgorch.pg"
local process = require "pgorch.process"
local sandbox = require "pgorch.sandbox"
local task    = require "pgorch.task"

local moves = {}

local DYNOS = { web = 2, worker = 1 }
local DATABASE = "defaultdb"
local LIMIT = 100                   -- seconds for one child

---The steps of recipes/vultr.lua in their order on the way through object storage, the gate left out.
moves.STEPS = { "credentials", "allow_list", "size", "choose_plan", "choose_way", "save_settings", "preflight",
  "backup_is_fresh", "bucket", "app", "addon", "extensions", "preflight_target", "window_opens", "fingerprint",
  "dump_to_store", "presign", "restore", "checksum_source", "refresh_matviews", "reapply_settings",
  "verify", "analyze", "accept", "nothing_was_written", "cut_over", "test_connections", "window_closes",
  "delete_dump", "watch_source" }

-- Lanes --------------------------------------------------------------------------------------------------------

local CLOSED = { "198.51.100.7/32" }

local function url_of(url, dbname) return (url:gsub("/" .. DATABASE .. "%?", "/" .. dbname .. "?")) end

-- An instance of its own at the provider: the same server behind another gate, a copy of the database. `direct` goes
-- past the gate, which is closed to everybody but the owner.
local function add_lane(world, number, polls)
  local source, dbname = world.source, "lane" .. number
  local conn <close> = source.cluster:connect()
  conn:exec(("create database %s template %s owner %s"):format(dbname, DATABASE, source.user))
  local entry = world.vultr:add_database { label = dbname, dbname = dbname, trusted_ips = CLOSED,
    configuring_polls = polls }
  local url = url_of(source.url, dbname):gsub((":%d/"):format(source.port), (":%s/"):format(entry.object.port))
  return { dbname = dbname, url = url, direct = url_of(source.direct_url, dbname), entry = entry, world = world }
end

---A world with so many lanes.
---@param o {lanes?: integer, scale?: number, sql?: string, options?: table}
---@param fn fun(world: table, lanes: table[])
function moves.world(o, fn)
  local options = o.options or {}
  options.source = { scale = o.scale or 0.02, sql = o.sql }
  return sandbox.run(options, function(world)
    local lanes = {}
    for i = 1, o.lanes or 1 do lanes[i] = add_lane(world, i, (options.vultr or {}).configuring_polls) end
    return fn(world, lanes)
  end)
end

---Runs fn(case, lane) for each case, as many at a time as there are lanes. Raises all that went wrong, by the cases'
---names.
---@param lanes table[]
---@param cases table[] {name=, ...}
---@param fn fun(case: table, lane: table)
function moves.each(lanes, cases, fn)
  local free, problems = {}, {}
  for i, lane in ipairs(lanes) do free[i] = lane end
  task.map(cases, { limit = #lanes }, function(case)
    local lane = table.remove(free)
    local ok, err = pcall(fn, case, lane)
    free[#free + 1] = lane
    if ok then return end
    if task.cancelled(err) then error(err, 0) end
    problems[#problems + 1] = ("== %s: %s"):format(case.name, tostring(err):sub(-3000))
  end)
  if #problems > 0 then error(("%d of %d cases\n%s"):format(#problems, #cases, table.concat(problems, "\n")), 0) end
end

-- Moves --------------------------------------------------------------------------------------------------------

---@class Move
---@field id string         the run's
---@field app_name string
---@field dir string        holds the record of runs
---@field lane table
---@field world table
local Move = {}
Move.__index = Move

local serial = 0

local function thaw(lane)
  local conn <close> = lane.world.source.cluster:connect(lane.dbname)
  conn:exec "set default_transaction_read_only = off"
  conn:exec(("alter database %s reset default_transaction_read_only"):format(lane.dbname))
end

---A move that has not begun: a new app whose DATABASE_URL is the lane's source, which is open for writing.
---@param lane table
---@param o? {dir?: string, env?: table, no_app?: boolean, beside?: Move}  beside: another one of that move's app
---@return Move
function moves.new(lane, o)
  o = o or {}
  serial = serial + 1
  local id = ("m%03d"):format(serial)
  local move = setmetatable({ id = id, app_name = "app-" .. id, bucket = "bucket-" .. id, lane = lane,
    world = lane.world, dir = o.dir or ("%s/record-%s"):format(lane.world.dir, id), env = o.env or {} }, Move)
  if o.beside then
    move.app_name = o.beside.app_name
    return move
  end
  thaw(lane)
  if lane.close then
    lane:close()
  else
    instances.trust(lane.entry, CLOSED)
    lane.entry.server:settle()
  end
  if o.no_app then return move end
  move.world.heroku.state:add_app { name = move.app_name, dynos = DYNOS,
    config = { DATABASE_URL = lane.url, RAILS_ENV = "production" } }
  return move
end

function Move:environment()
  local variables = sandbox.environment(self.world)
  variables.XDG_STATE_HOME, variables.PGORCH_STATE = self.dir, nil
  variables.PGORCH_POLL_SCALE = "0.02"
  for name, value in pairs(self.env) do variables[name] = value or nil end
  return variables
end

local function with(list, more)
  return table.move(more or {}, 1, #(more or {}), #list + 1, list)
end

local function each_line(from, list, fn)
  local rest = ""
  for chunk in function() return from:read() end do
    rest = rest .. chunk
    local at, to = 1, rest:find("\n", 1, true)
    while to do
      list[#list + 1] = rest:sub(at, to - 1)
      if fn then fn(list[#list]) end
      at, to = to + 1, rest:find("\n", to + 1, true)
    end
    rest = rest:sub(at)
  end
  if rest ~= "" then list[#list + 1] = rest end
end

---@class Ended
---@field code integer
---@field last table     the last event of --json
---@field out string
---@field err string
---@field all string
---@field seconds number

---Runs pgorch to its end. `on_line(line, child)` sees each line that it writes; `watch(child)` runs beside it.
---@param words string[]
---@param o? {on_line?: fun(line: string, child: table), watch?: fun(child: table), plain?: boolean,
---  user?: string, program?: string, stdin?: string, env?: table}  stdin: as for process.spawn; env: more variables
---@return Ended
function Move:pgorch(words, o)
  o = o or {}
  if not o.plain then words = with(words, { "--json" }) end
  local options = { o.program or host.executable(), env = self:environment(), env_clear = true, stdout = "stream",
    stderr = "stream", stdin = o.stdin, check = false, user = o.user }
  for name, value in pairs(o.env or {}) do options.env[name] = value end
  table.move(words, 1, #words, 2, options)
  local out, err, ended = {}, {}, nil
  task.timeout(LIMIT, task.group, function(group)
    local child <close> = process.spawn(options)
    self.child = child
    local on_line = o.on_line and function(line) o.on_line(line, child) end
    local readers = { group:spawn(each_line, child.stdout, out, on_line),
                      group:spawn(each_line, child.stderr, err, on_line) }
    if o.watch then group:spawn(o.watch, child) end
    ended = child:wait()
    for _, reader in ipairs(readers) do reader:join() end
    group:cancel "the child has ended"
  end)
  local last = (out[#out] or ""):match "^{.*"
  local said, told = table.concat(err, "\n"), table.concat(out, "\n")
  return { code = ended.code, last = last and json.decode(last) or {}, out = told, err = said,
    all = said .. "\n" .. told, seconds = ended.seconds }
end

---`pgorch run vultr`, or the lane's own recipe, with what every move needs.
---@param more? string[]
---@param o? table  as for Move:pgorch
function Move:run(more, o)
  local recipe = self.lane.words or { "vultr", "--instance", self.lane.entry.object.label }
  local words = with({ "run", table.unpack(recipe) }, { "--app", self.app_name, "--plan", "essential-1", "--bucket",
    self.bucket, "--run-id", self.id })
  return self:pgorch(with(words, more or { "--yes-cut-over" }), o)
end

function Move:resume(more, o)
  return self:pgorch(with({ "resume", self.id }, more or { "--yes-cut-over" }), o)
end

function Move:rollback(more, o) return self:pgorch(with({ "rollback", self.id }, more), o) end

---The steps dealt out to so many moves: each move is stopped at every n-th of them, so that every step is stopped at
---once and no move has to start from the beginning for each.
---@param count integer
---@return table[] cases {name=, steps=}
function moves.deal(count)
  local cases = {}
  for i, step in ipairs(moves.STEPS) do
    local case = cases[(i - 1) % count + 1] or { steps = {} }
    cases[(i - 1) % count + 1] = case
    table.insert(case.steps, step)
    case.name = table.concat(case.steps, ", ")
  end
  return cases
end

-- Signals ------------------------------------------------------------------------------------------------------

---The step that a line of --json says has begun.
---@param line string
---@return string|nil
function moves.begun(line)
  return line:find('"event":"step_started"', 1, true) and line:match '"id":"([%w_]+)"' or nil
end

---An on_line that sends a signal when the step begins, once.
---@param step string
---@param signal string
---@return fun(line: string, child: table)
function moves.signal_at(step, signal)
  local sent
  return function(line, child)
    if not sent and moves.begun(line) == step then
      sent = true
      child:kill(signal)
    end
  end
end

---A watch that waits until test() is true and then sends the signal.
---@param signal string
---@param test fun(): any
---@return fun(child: table)
function moves.signal_when(signal, test)
  return function(child)
    while not test() do task.sleep(0.01) end
    child:kill(signal)
  end
end

-- What the world is like -----------------------------------------------------------------------------------------

function Move:app() return self.world.heroku:app(self.app_name) end

---@return table[] add-ons of the app
function Move:addons()
  local found = {}
  for _, addon in ipairs(self.world.heroku.state.addons) do
    if addon.app == self:app() then found[#found + 1] = addon end
  end
  return found
end

---Restores of the app, newest first.
function Move:restores()
  local found = {}
  for _, transfer in ipairs(self:app().transfers) do
    if transfer.to_type == "pg_restore" then found[#found + 1] = transfer end
  end
  return found
end

---What lies in the bucket: keys of objects, and of unfinished uploads.
---@return string[] objects
---@return string[] uploads
function Move:stored()
  local objects, uploads = {}, {}
  local bucket = self.world.s3.server.buckets[self.bucket]
  for key in pairs(bucket and bucket.objects or {}) do objects[#objects + 1] = key end
  for _, upload in pairs(bucket and bucket.uploads or {}) do
    if not upload.completed then uploads[#uploads + 1] = upload.key end
  end
  return objects, uploads
end

---What the stand-ins were asked about this move; its id is in the names of its app, its add-on and its bucket.
---@param method string
---@param pattern string of the path
---@return table[]
function Move:requests(method, pattern)
  local found, path = {}, self.world.dir .. "/requests.jsonl"
  if not fs.exists(path) then return found end
  local asked = ('"method":"%s"'):format(method)
  for line in fs.read(path, 1 << 28):gmatch "[^\n]+" do
    local entry = line:find(asked, 1, true) and line:find(self.id, 1, true) and json.decode(line)
    if entry and entry.path:find(pattern) then found[#found + 1] = entry end
  end
  return found
end

-- Judging --------------------------------------------------------------------------------------------------------

local function want(what, value, wanted)
  if value ~= wanted then
    error(("%s: expected %s, got %s"):format(what, tostring(wanted), tostring(value)), 0)
  end
end

---@param ended Ended
---@param ... integer  statuses that are right
function moves.expect_exit(ended, ...)
  for _, code in ipairs { ... } do
    if ended.code == code then return end
  end
  error(("exit status %s, not %s\n%s"):format(ended.code, table.concat({ ... }, " or "), ended.all:sub(-5000)), 0)
end

local DIGEST = [[select concat_ws(' ', (select count(*) from shop.customers), (select count(*) from shop.orders),
  (select sum(hashtextextended(d::text, 0)) from audit.documents d),
  (select sum(hashtextextended(o::text, 0)) from shop.order_items o),
  (select count(*) from pg_largeobject_metadata), (select last_value from shop.invoice_number))]]

---Counts and sums of what is in a database of the sample.
function moves.digest(url)
  local conn <close> = pg.connect(url)
  return conn:value(DIGEST)
end

local function read_only(url)
  local conn <close> = pg.connect(url)
  return conn:value "show default_transaction_read_only"
end

local function expect_dynos(self)
  for kind, quantity in pairs(self.world.heroku:dynos(self.app_name)) do
    want("dynos of " .. kind, quantity, DYNOS[kind])
  end
end

local function expect_nothing_left(self)
  local objects, uploads = self:stored()
  want("objects in the bucket", table.concat(objects, " "), "")
  want("unfinished uploads", table.concat(uploads, " "), "")
  want("the allow list", table.concat(self.lane.entry.object.trusted_ips, " "), table.concat(CLOSED, " "))
end

---The app has the new database with the same data, its dynos run, the source is closed, nothing is left behind.
function Move:expect_moved()
  local app = self:app()
  local url = self.world.heroku.state:config(app).DATABASE_URL
  want("add-ons", #self:addons(), 1)
  want("DATABASE_URL", url, self:addons()[1].database.url)
  want("OLD_DATABASE_URL", app.config.OLD_DATABASE_URL, self.lane.url)
  want("maintenance", app.maintenance, false)
  expect_dynos(self)
  want("the source's default_transaction_read_only", read_only(self.lane.direct), "on")
  want("the data", moves.digest(url), moves.digest(self.lane.direct))
  expect_nothing_left(self)
end

---The app is as it was before the run: what a rollback promises. What is billed is kept, but once.
function Move:expect_as_before()
  local app = self:app()
  want("DATABASE_URL", self.world.heroku.state:config(app).DATABASE_URL, self.lane.url)
  want("OLD_DATABASE_URL", app.config.OLD_DATABASE_URL, nil)
  want("maintenance", app.maintenance, false)
  expect_dynos(self)
  want("the source's default_transaction_read_only", read_only(self.lane.direct), "off")
  if #self:addons() > 1 then want("add-ons", #self:addons(), 1) end
  expect_nothing_left(self)
end

---Nothing was done twice: add-ons, restores of different dumps, and no two restores at once.
function Move:expect_once()
  local made = 0
  for _, entry in ipairs(self:requests("POST", "^/apps/" .. self.app_name .. "/addons$")) do
    if entry.status == 201 then made = made + 1 end
  end
  if made > 1 then want("add-ons that were made", made, 1) end
  local good, last_end = 0, nil
  local all = self:restores()
  for i = #all, 1, -1 do                                -- oldest first
    local began, ended = clock.parse_iso(all[i].created_at), clock.parse_iso(all[i].finished_at or clock.iso())
    if last_end and began < last_end then error("two restores ran at once", 0) end
    last_end = ended
    if all[i].succeeded then good = good + 1 end
  end
  return good
end

return moves
