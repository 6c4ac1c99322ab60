-- One move in a world: a new app with a new record of runs, and `pgorch` as a child process, run, resumed or put back.
-- Has what judge.lua wants to know of a move; knows nothing of faults.

local host    = require "pgorch.native.host"
local process = require "pgorch.process"
local requests = require "requests"
local sandbox = require "pgorch.sandbox"
local task    = require "pgorch.task"

local trial = {}

local DYNOS = { web = 2, worker = 1 }

local LIMIT = 600                     -- seconds for one child

---@class pgorch.faults.Trial
---@field id string         the run's
---@field world table       see proxied.lua
---@field app_name string
---@field bucket string
---@field dir string        of the record
---@field lane table        as the judge wants it
---@field mark integer      where its requests begin
---@field output string     all that pgorch has said in it
local Trial = {}
Trial.__index = Trial

local serial = 0

-- The source as it is before a move: open for writing.
local function open_source(world)
  local conn <close> = world.source.cluster:connect(world.source.dbname)
  conn:exec "set default_transaction_read_only = off"
  conn:exec(("alter database %s reset default_transaction_read_only"):format(world.source.dbname))
end

-- What the judge asks about the source; each recipe's world has one.
local function lane_of(world)
  local recipe, lane = world.recipe, { dbname = world.source.dbname }
  function lane.allowed() return recipe.allowed(world) end
  function lane.keys() return recipe.keys and recipe.keys(world) or {} end
  return lane
end

---@param world table
---@param env? table<string, string>  more variables
---@return pgorch.faults.Trial
function trial.new(world, env)
  serial = serial + 1
  local id = ("t%03d"):format(serial)
  open_source(world)
  local made = setmetatable({ id = id, world = world, app_name = "app-" .. id, bucket = "bucket-" .. id,
    dir = ("%s/record-%s"):format(world.dir, id), env = env or {}, output = "", mark = requests.mark(world),
    put_back = 0 }, Trial)
  made.lane = lane_of(world)
  made.source_url = world.recipe.source_url(world)
  world.heroku.state:add_app { name = made.app_name, dynos = DYNOS,
    config = { DATABASE_URL = made.source_url, RAILS_ENV = "production" } }
  return made
end

function Trial:app() return self.world.heroku:app(self.app_name) end

---The app's DATABASE_URL now.
function Trial:database_url() return self.world.heroku.state:config(self:app()).DATABASE_URL end

---What was asked since it began.
function Trial:requests() return requests.since(self.world, self.mark) end

local function environment(self)
  local variables = sandbox.environment(self.world)
  variables.XDG_STATE_HOME, variables.PGORCH_STATE = self.dir, nil
  variables.PGORCH_POLL_SCALE = "0.02"
  for name, value in pairs(self.env) do variables[name] = value end
  return variables
end

local function read_lines(from, into, on_line)
  local rest = ""
  for chunk in function() return from:read() end do
    rest = rest .. chunk
    for line in rest:gmatch "(.-)\n" do
      into[#into + 1] = line
      if on_line then on_line(line) end
    end
    rest = rest:match "([^\n]*)$"
  end
  if rest ~= "" then into[#into + 1] = rest end
end

-- The step that a line of --json says has begun.
local function begun(line)
  return line:find('"event":"step_started"', 1, true) and line:match '"id":"([%w_]+)"' or nil
end

---Runs pgorch to its end. With `at(step)`, called at each step's beginning, it runs with --json.
---@param words string[]
---@param o? {at?: fun(step: string), watch?: fun()}
---@return {code: integer, said: string, seconds: number, is_json: boolean}
function Trial:pgorch(words, o)
  o = o or {}
  local options = { host.executable(), table.unpack(words) }
  if o.at then options[#options + 1] = "--json" end
  options.env, options.env_clear, options.check = environment(self), true, false
  options.stdout, options.stderr = "stream", "stream"
  local out, err, ended = {}, {}, nil
  task.timeout(LIMIT, task.group, function(group)
    local child <close> = process.spawn(options)
    local readers = { group:spawn(read_lines, child.stderr, err),
      group:spawn(read_lines, child.stdout, out, o.at and function(line)
        local step = begun(line)
        if step then o.at(step) end
      end) }
    if o.watch then group:spawn(o.watch, child) end
    ended = child:wait()
    for _, reader in ipairs(readers) do reader:join() end
    group:cancel "the child has ended"
  end)
  local said = table.concat(err, "\n") .. "\n" .. table.concat(out, "\n") .. "\n"
  self.output = self.output .. said
  return { code = ended.code, said = said, seconds = ended.seconds, is_json = o.at ~= nil }
end

---`pgorch run RECIPE` for the world's recipe, with what every move needs.
function Trial:run(more, o)
  local words = { "run", self.world.recipe_name, "--app", self.app_name, "--plan", "essential-1", "--bucket",
    self.bucket, "--run-id", self.id, "--yes-cut-over" }
  table.move(self.world.recipe.words, 1, #self.world.recipe.words, #words + 1, words)
  return self:pgorch(table.move(more or {}, 1, #(more or {}), #words + 1, words), o)
end

function Trial:resume(o) return self:pgorch({ "resume", self.id, "--yes-cut-over" }, o) end

function Trial:rollback(o) return self:pgorch({ "rollback", self.id }, o) end

function Trial:status() return self:pgorch { "status", self.id } end

return trial
