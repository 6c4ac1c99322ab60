-- `sandbox { ... }` of a test file, and the world that it gives: a new one for each test, with the author's stand-ins,
-- his data and his app in it. The world is what tests run recipes in, ask for trouble, and look at afterwards.

local fail    = require "pgorch.error"
local fs      = require "pgorch.fs"
local kills   = require "pgorch.test.kills"
local moves   = require "pgorch.test.moves"
local pg      = require "pgorch.pg"
local sandbox = require "pgorch.sandbox"
local task    = require "pgorch.task"

local world = {}

local LIMIT = 600                       -- seconds for one test with a world
local SCALE = 0.02                      -- of the sample data, where there is no other

---@class pgorch.test.Sandbox : table  options of `sandbox`, and those of pgorch.sandbox.start
---@field standin string|string[]|nil   files beside the test that return function(world) -> stand_in.serve(...)
---@field source string|table|nil       a script beside the test, or {scale=}; the sample data
---@field app table|nil                 {name=, dynos={web=2}, config=, database_url=fun(world): string}
---@field apps table[]|nil              several
---@field env table<string, string>|nil variables that pgorch sees

---@class pgorch.test.World
---@field app table<string, pgorch.test.App>
---@field source table                  the sandbox's, with `source:value(sql)`
---@field recorded pgorch.test.Moves
local World = {}

-- What tests see of an app --------------------------------------------------------------------------------------

---@class pgorch.test.App
---@field dynos table<string, integer>
---@field maintenance boolean
---@field config table<string, string>  all config vars
---@field database_url string
---@field addons string[]               names
local fields = {}

function fields.dynos(real, app) return real.heroku:dynos(app.name) end
function fields.maintenance(_, app) return app.maintenance end
function fields.config(real, app) return real.heroku.state:config(app) end
function fields.database_url(real, app) return real.heroku.state:config(app).DATABASE_URL end

function fields.addons(real, app)
  local names = {}
  for _, addon in ipairs(real.heroku.state.addons) do
    if addon.app == app then names[#names + 1] = addon.name end
  end
  return names
end

local function value_of(url, sql, ...)
  local conn <close> = pg.connect(url)
  return conn:value(sql, ...)
end

local function app_of(real, name)
  local app = real.heroku:app(name)
  if not app then fail.raise("PGO-TEST", ("there is no app `%s` in the world"):format(tostring(name))) end
  return setmetatable({ name = name, value = function(self, ...) return value_of(self.database_url, ...) end },
    { __index = function(_, field) return fields[field] and fields[field](real, app) end })
end

local function apps_of(real)
  return setmetatable({}, { __index = function(_, name) return app_of(real, name) end })
end

-- The only value that a query at the source gives; the allow list does not count.
local function source_of(real)
  return setmetatable({ value = function(_, ...) return value_of(real.source.direct_url or real.source.url, ...) end },
    { __index = real.source })
end

-- Its words -----------------------------------------------------------------------------------------------------

function World:run(...) return self.moves:run(...) end
function World:resume(...) return self.moves:resume(...) end
function World:rollback(...) return self.moves:rollback(...) end
function World:pgorch(...) return self.moves:pgorch(...) end

---Asks for trouble, as the sandbox's world does; in a new world of the same test it is asked for again.
---@param fault table
function World:fault(fault)
  self.faults[#self.faults + 1] = fault
  return self.real:fault(fault)
end

---Runs a recipe undisturbed, then in a new world in which its process is killed after each write to its record. Both
---worlds have to end alike. `pgorch test --kills N` and `--seed N` go before what the test says.
---@param recipe string
---@param params? table
---@param o? {limit?: integer, seed?: integer, exit?: integer, prepare?: fun(world: pgorch.test.World)}  prepare: called
---  in each of the worlds before the run
function World:kill_everywhere(recipe, params, o)
  local wanted, prepare = {}, o and o.prepare
  for _, each in ipairs { o or {}, self.asked.kills or {} } do
    for name, value in pairs(each) do wanted[name] = value end
  end
  if wanted.limit == "all" then wanted.limit = nil end
  return kills.everywhere(function()
    if self.moves.number > 0 then self.renew() end
    if prepare then prepare(self) end
    return self.moves
  end, recipe, params, wanted)
end

-- Words first, then what the test sees its own way, then the sandbox's world.
local function index(self, name)
  if World[name] then return World[name] end
  local real = self.real
  if not real then fail.raise("PGO-TEST", "the world of `sandbox` is there inside of `it`, `before` and `after`") end
  if name == "app" then return apps_of(real) end
  if name == "source" then return source_of(real) end
  local value = real[name]
  if type(value) ~= "function" then return value end
  return function(_, ...) return value(real, ...) end
end

-- Starting ------------------------------------------------------------------------------------------------------

local function copy(from)
  local to = {}
  for name, value in pairs(from or {}) do to[name] = value end
  return to
end

local function name_of(path) return path:match "([^/]+)%.lua$" or path:match "[^/]*$" end

local function load_stand_in(path, environment)
  if not fs.exists(path) then fail.raise("PGO-TEST", "there is no stand-in " .. path) end
  local chunk, problem = load(fs.read(path), "@" .. path, "t", environment)
  if not chunk then fail.raise("PGO-LUA", problem) end
  local start = chunk()
  if type(start) ~= "function" then fail.raise("PGO-TEST", path .. " returns no function(world)") end
  return start
end

local function stand_ins_of(o, place)
  local starts, names = {}, {}
  for _, file in ipairs(type(o.standin) == "table" and o.standin or { o.standin }) do
    local name = name_of(file)
    names[#names + 1] = name
    starts[name] = load_stand_in(place.folder .. "/" .. file, place.environment)
  end
  return starts, names
end

-- An app whose config names no database has the source's address, as the stand-in or the app's own function gives it.
local function give_addresses(real, o, names)
  local default
  for _, name in ipairs(names) do
    local url = real[name].database_url
    default = url and url() or default
    for variable, value in pairs(real[name].env or {}) do real.env[variable] = value end
  end
  for _, about in ipairs(o.apps or { o.app }) do
    local config = real.heroku:app(about.name).config
    config.DATABASE_URL = config.DATABASE_URL or about.database_url and about.database_url(real) or default
      or real.source.url
  end
end

local function options_of(o, place, asked)
  local options = copy(o)
  if type(o.source) == "string" then options.source = { sql = fs.read(place.folder .. "/" .. o.source, 1 << 28) } end
  options.source = options.source or { scale = SCALE }
  options.heroku = copy(o.heroku)
  options.heroku.apps = o.apps or o.app and { o.app } or options.heroku.apps
  options.heroku.budget = options.heroku.budget or 1000000
  options.seed = asked.seed or o.seed
  options.faults = { table.unpack(o.faults or {}) }
  for _, fault in ipairs(asked.faults or {}) do options.faults[#options.faults + 1] = fault end
  return options
end

-- The world, as long as fn runs; renew() puts a new one in its place.
local function within(handle, o, place, asked, fn)
  local options, names = options_of(o, place, asked), nil
  return task.group(function(group)
    local function close()
      if handle.real then handle.real:close() end
      handle.real = false
    end
    local _ <close> = setmetatable({}, { __close = close })
    function handle.renew()
      close()
      options.stand_ins, names = stand_ins_of(o, place)
      handle.real = sandbox.start(group, options)
      give_addresses(handle.real, o, names)
      for _, fault in ipairs(handle.faults) do handle.real:fault(fault) end
      handle.moves = moves.new(handle.real, { folder = place.folder, stand_ins = names })
    end
    handle.faults = {}
    handle.renew()
    return fn()
  end)
end

-- The error of a test says what pgorch said last: mostly that is what is wrong.
local function with_last_words(handle, fn)
  local results = table.pack(xpcall(fn, fail.handler))
  if results[1] then return table.unpack(results, 2, results.n) end
  local err = results[2]
  err.world = rawget(handle, "moves") and handle.moves.last
  error(err, 0)
end

---The word `sandbox` of a test file.
---@param place {folder: string, environment: table}
---@param level fun(): pgorch.test.Level
---@param asked {seed?: integer, faults?: table[], kills?: {limit?: integer|"all", seed?: integer}}  on the command line
---@return fun(o: pgorch.test.Sandbox): pgorch.test.World
function world.word(place, level, asked)
  return function(o)
    local handle = setmetatable({ asked = asked, real = false }, { __index = index })
    local here = level()
    here.limit, here.closes = LIMIT, true
    table.insert(here.around, function(body)
      return within(handle, o or {}, place, asked, function()
        return with_last_words(handle, function()
          local skipped = body()
          if not skipped then handle.moves:refuse_left() end
          return skipped
        end)
      end)
    end)
    return handle
  end
end

return world
