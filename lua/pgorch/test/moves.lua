-- pgorch as a test runs it: a child in the world, exactly as a user would, with a record of its own. What became of the
-- run is read from that record; what it has left is looked at as soon as it is over.

local fail    = require "pgorch.error"
local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local left    = require "pgorch.test.left"
local loader  = require "pgorch.recipe.load"
local process = require "pgorch.process"
local sandbox = require "pgorch.sandbox"
local store   = require "pgorch.store"

local moves = {}

local TIME_LIMIT = 300
local LAST_LINES = 40
local OVER = { done = true, failed = true, put_back = true }

---@class pgorch.test.Moves
---@field world pgorch.sandbox.World
---@field stand_ins string[]
---@field folder string       of the test file
---@field number integer      of the latest run
---@field left string[]       what runs have left that are over
---@field last string|nil     the latest command and the end of what it said
local Moves = {}
Moves.__index = Moves

---@param world pgorch.sandbox.World
---@param o {folder: string, stand_ins: string[]}
---@return pgorch.test.Moves
function moves.new(world, o)
  return setmetatable({ world = world, stand_ins = o.stand_ins, folder = o.folder, number = 0, left = {},
    dir = world.dir .. "/record" }, Moves)
end

-- Words --------------------------------------------------------------------------------------------------------

-- A file beside the test, or the name of a built-in one.
local function path_of(self, recipe)
  local path = recipe:sub(1, 1) == "/" and recipe or ("%s/%s"):format(self.folder, recipe)
  return fs.exists(path) and path or recipe
end

-- What it declares; nothing when it does not load: then pgorch itself says why.
local function params_of(path)
  local ok, recipe = pcall(loader.load, path)
  return ok and recipe.params or {}
end

local function defaults(self, declared, given)
  local params = { yes_cut_over = true, app = declared.app and self.world.heroku.state.apps[1].name,
    bucket = declared.bucket and "bucket-of-the-test" }
  for name, value in pairs(given or {}) do params[name] = value end
  return params
end

local function flag(words, name, value)
  if value == true then
    words[#words + 1] = "--" .. name
  elseif value == false then
    words[#words + 1] = name ~= "yes-cut-over" and "--no-" .. name or nil
  else
    words[#words + 1] = ("--%s=%s"):format(name, type(value) == "table" and table.concat(value, ",") or value)
  end
end

-- Secrets go by the environment, as they would from a user's shell.
local function put_flags(words, env, declared, params)
  local names = {}
  for name in pairs(params) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local dashed = name:gsub("_", "-")
    if declared[name] and declared[name].secret then
      local variable = "PGORCH_TEST_" .. name:upper()
      env[variable] = params[name]
      flag(words, dashed .. "-env", variable)
    else
      flag(words, dashed, params[name])
    end
  end
  return words
end

-- Running ------------------------------------------------------------------------------------------------------

local function environment(self, more)
  local variables = sandbox.environment(self.world)
  fs.mkdir(self.dir, { parents = true })
  variables.PGORCH_STATE, variables.XDG_STATE_HOME = "sqlite:" .. self.dir .. "/state.db", self.dir
  variables.PGORCH_POLL_SCALE, variables.NO_COLOR = "0.02", "1"
  for name, value in pairs(more) do variables[name] = value end
  return variables
end

local function last_lines(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
  return table.concat(lines, "\n", math.max(1, #lines - LAST_LINES))
end

---Runs pgorch in the world, to its end. A command that fails raises nothing: see `exit`.
---@param words string[]
---@param env? table<string, string>  further variables
---@return {exit: integer, output: string, seconds: number}
function Moves:pgorch(words, env)
  local options = { host.executable(), table.unpack(words) }
  options.env, options.env_clear, options.check, options.timeout = environment(self, env or {}), true, false, TIME_LIMIT
  local done = process.run(options)
  local said = done.stderr .. done.stdout
  self.last = ("$ pgorch %s\n%s\n(exit %d)"):format(table.concat(words, " "), last_lines(said), done.code)
  return { exit = done.code, output = said, seconds = done.seconds }
end

-- What the record tells -----------------------------------------------------------------------------------------

local function read_run(self, id)
  local record <close> = store.find("sqlite:" .. self.dir .. "/state.db")
  if not record then return nil end
  local ok, run = pcall(record.run, record, id)
  if not ok or run.id ~= id then return nil end
  local steps, names = {}, {}
  for _, row in ipairs(record:steps(id)) do steps[row.id] = row end
  for _, lock in ipairs(record:locks(id)) do
    if not (lock.data and lock.data.for_good) then names[#names + 1] = lock.name end
  end
  return run, steps, names
end

---@param id string
---@return boolean
function Moves:has_run(id) return read_run(self, id) ~= nil end

---@class pgorch.test.Result
---@field exit integer
---@field output string       what it said
---@field seconds number
---@field run string          id
---@field state string|nil    of the run; nil: it was never begun
---@field error table|nil     {id, message, step, at}
---@field steps table<string, {state: string, result: any, error: table|nil, summary: table|nil}>
---@field verified table|nil  what `verify` found: {tables, rows, sequences, ...}
---@field warnings string[]

local function warnings_of(steps)
  local list = {}
  for id, row in pairs(steps) do
    for _, text in ipairs(row.summary and row.summary.warnings or {}) do list[#list + 1] = id .. ": " .. text end
  end
  table.sort(list)
  return list
end

local function note_left(self, run, names)
  if not OVER[run.state] then return end
  local found = left.since(self.world, self.stand_ins, self.before, { put_back = run.state == "put_back",
    keeps_dump = run.params.values.keep_dump, names = names })
  for _, each in ipairs(found) do
    self.left[#self.left + 1] = ("run %s (%s) left %s"):format(run.id, run.state, each)
  end
end

local function result_of(self, done, id)
  local run, steps, names = read_run(self, id)
  done.run, done.steps = id, steps or {}
  done.state, done.error = run and run.state, run and run.error
  done.verified = done.steps.verify and done.steps.verify.result
  done.warnings = warnings_of(done.steps)
  if run and run.state ~= "running" then note_left(self, run, names) end
  return done
end

---`pgorch run RECIPE` with these parameters; flags of the host stand among them (`on_failure = "rollback"`).
---@param recipe string
---@param params? table
---@param env? table<string, string>
---@return pgorch.test.Result
function Moves:run(recipe, params, env)
  local path, variables = path_of(self, recipe), {}
  for name, value in pairs(env or {}) do variables[name] = value end
  local declared = params_of(path)
  self.number = self.number + 1
  local id = "t" .. self.number
  self.declared, self.before = declared, left.before(self.world, self.stand_ins)
  local words = put_flags({ "run", path, "--run-id=" .. id }, variables, declared, defaults(self, declared, params))
  self.secrets = variables
  return result_of(self, self:pgorch(words, variables), id)
end

local function go_on(self, word, id, params, env)
  if not id then fail.raise("PGO-USAGE", "there is no run yet: `world:run` begins one") end
  local variables = {}
  for _, each in ipairs { self.secrets, env or {} } do
    for name, value in pairs(each) do variables[name] = value end
  end
  local words = put_flags({ word, id }, variables, self.declared, params or {})
  return result_of(self, self:pgorch(words, variables), id)
end

---`pgorch resume` of the latest run.
---@param params? table
---@param env? table<string, string>
---@return pgorch.test.Result
function Moves:resume(params, env) return go_on(self, "resume", self.before and "t" .. self.number, params, env) end

---`pgorch rollback` of the latest run.
---@param params? table
---@return pgorch.test.Result
function Moves:rollback(params) return go_on(self, "rollback", self.before and "t" .. self.number, params) end

---Raises what runs have left that are over.
function Moves:refuse_left()
  if #self.left == 0 then return end
  fail.raise("PGO-TEST", "the test leaves something behind in its world", { detail = table.concat(self.left, "\n") })
end

return moves
