-- pgorch sandbox: a local world for as long as COMMAND runs, or until Ctrl-C when there is none.
-- COMMAND keeps the terminal, and its exit status is passed on.

local env     = require "pgorch.env"
local fail    = require "pgorch.error"
local faults  = require "pgorch.sandbox.faults"
local fields  = require "pgorch.sandbox.faults.fields"
local fs      = require "pgorch.fs"
local places  = require "pgorch.sandbox.faults.places"
local process = require "pgorch.process"
local sandbox = require "pgorch.sandbox"
local source  = require "pgorch.sandbox.source"
local task    = require "pgorch.task"
local term    = require "pgorch.term"

local command = { summary = "a local world of real PostgreSQL servers and stand-ins of Heroku, Vultr, Linode and S3" }

command.usage = [[pgorch sandbox [OPTION...] [-- COMMAND...]

  --postgres BINDIR       programs of the PostgreSQL server to run (also PGORCH_POSTGRES)
  --source-postgres BINDIR, --target-postgres BINDIR
                          another server for one side, to rehearse a move between versions
  --scale N               size of the sample data: 1 is about 100 MB (default 1)
  --sql FILE              a script to load in place of the sample data
  --source-url-env VAR    a real source: VAR holds its URL
  --s3-endpoint URL       a real object store; its keys are read from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, its
                          certificate authority, if that is not a public one, from the file AWS_CA_BUNDLE
  --fault "WHERE WHAT"    something goes wrong, e.g. "heroku.restore answer=503 times=2", or by method and path:
                          "POST /client/v11/**/restores drop after"; may be given several times
  --faults                lists every WHERE and WHAT
  --seed N                decides which requests get a fault that has a chance (default 1)
]]

local DAY = 24 * 3600

local function needed(name)
  return env.get(name) or fail.raise("PGO-USAGE", ("the variable %s is not set"):format(name))
end

--- The fault that --fault asks for.
---@param text string "heroku.restore answer=503 times=2"
---@return table fault  as for world:fault
function command.fault(text)
  local ok, result = pcall(function()
    local at, fault = fields.parse(text)
    faults.check(at, fault)
    if at then places.check(at) end
    fault.at = at
    return fault
  end)
  if ok then return result end
  fail.raise("PGO-USAGE", ("--fault %s: %s"):format(text, result.message or result),
    { detail = "see `pgorch sandbox --faults`" })
end

-- Each option changes one field: two options of the same part do not undo each other.
local function put(options, part, field, value)
  options[part] = options[part] or {}
  options[part][field] = value
end

local OPTIONS = {
  ["--fault"] = function(options, value)
    options.faults = options.faults or {}
    table.insert(options.faults, command.fault(value))
  end,
  ["--seed"] = function(options, value)
    options.seed = math.tointeger(tonumber(value)) or fail.raise("PGO-USAGE", "--seed must be a whole number")
  end,
  ["--postgres"] = function(options, value) options.postgres = value end,
  ["--source-postgres"] = function(options, value) put(options, "source", "postgres", value) end,
  ["--target-postgres"] = function(options, value) put(options, "target", "postgres", value) end,
  ["--scale"] = function(options, value)
    local scale = tonumber(value)
    if not scale or scale <= 0 then fail.raise("PGO-USAGE", "--scale must be a number above 0") end
    put(options, "source", "scale", scale)
  end,
  ["--sql"] = function(options, value) put(options, "source", "sql", fs.read(value, 1 << 28)) end,
  ["--source-url-env"] = function(options, value)
    put(options, "source", "url", needed(value))
    if not pcall(source.from_url, options.source.url) then
      fail.raise("PGO-USAGE", ("the variable %s is not postgres://USER:PASSWORD@HOST:PORT/DB"):format(value))
    end
  end,
  ["--s3-endpoint"] = function(options, value)
    options.s3 = { url = value, access_key = needed "AWS_ACCESS_KEY_ID", secret_key = needed "AWS_SECRET_ACCESS_KEY",
      region = env.get "AWS_DEFAULT_REGION", ca_file = env.get "AWS_CA_BUNDLE" }
  end,
}

command.flags = { { name = "faults", type = "boolean" } }
for option in pairs(OPTIONS) do table.insert(command.flags, { name = option:sub(3), type = "string" }) end

--- Splits the command line into the world's options and COMMAND.
---@param arguments string[]
---@return table options
---@return string[] words of COMMAND
function command.parse(arguments)
  local options, i = {}, 1
  while i <= #arguments and arguments[i] ~= "--" do
    local name, value = arguments[i]:match "^(%-%-[^=]+)=(.*)$"
    name = name or arguments[i]
    local set = OPTIONS[name]
    if not set then
      fail.raise("PGO-USAGE", ("pgorch sandbox does not know %s"):format(name), { detail = command.usage })
    end
    if not value then
      i = i + 1
      value = arguments[i] or fail.raise("PGO-USAGE", name .. " needs a value")
    end
    set(options, value)
    i = i + 1
  end
  return options, table.move(arguments, i + 1, #arguments, 1, {})
end

--- Runs a program in a world, with pgorch's own terminal. Ctrl-C reaches it by the terminal: its end is waited for.
---@param world pgorch.sandbox.World
---@param words string[]
---@param more? table<string, string> further variables
---@return integer exit status
function command.run_in(world, words, more)
  local variables = sandbox.environment(world)
  for name, value in pairs(more or {}) do variables[name] = value end
  local arguments = table.move(words, 1, #words, 1, { env = variables, env_clear = true, terminal = true,
    death_signal = "TERM" })
  local result = task.shield(365 * DAY, function()
    local proc <close> = process.spawn(arguments)
    return proc:wait()
  end)
  return result.code
end

local function exports(world)
  local names, lines = {}, {}
  for name in pairs(world.env) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    lines[i] = ("export %s='%s'\n"):format(name, (world.env[name]:gsub("'", "'\\''")))
  end
  return table.concat(lines)
end

local function show(world)
  local file = world.dir .. "/env"
  local text = exports(world)
  fs.write(file, text)
  term.out(text)
  term.err(("The sandbox runs until Ctrl-C. What the stand-ins are asked: %s/requests.jsonl\n"):format(world.dir))
  term.err(("In another terminal:  . %s\n"):format(file))
  local ok, why = pcall(task.sleep, 365 * DAY)
  if not ok and not task.cancelled(why) then error(why, 0) end
  return 0
end

--- Runs fn(world) -> exit status. A Ctrl-C that came while it ran was its to answer: its status counts.
---@param options table
---@param fn fun(world: pgorch.sandbox.World): integer
---@return integer
function command.in_world(options, fn)
  local status
  local ok, why = pcall(sandbox.run, options, function(world) status = fn(world) end)
  if not ok and not (status and task.cancelled(why)) then error(why, 0) end
  return status
end

local function each_sorted(rows, line)
  local names = {}
  for name in pairs(rows) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do term.out(line(name, rows[name])) end
end

local function list_faults()
  term.out "WHERE: a request, or something that a stand-in does\n"
  each_sorted(places.all(), function(name, what) return ("  %-30s %s\n"):format(name, what) end)
  term.out "\nWHAT: FIELD=VALUE, or just the FIELD where it says yes or no\n"
  each_sorted(fields.known, function(name, row) return ("  %-12s %-8s %s\n"):format(name, row[1], row[2]) end)
  return 0
end

local function asks_for_list(arguments)
  for _, word in ipairs(arguments) do
    if word == "--" then return false end
    if word == "--faults" then return true end
  end
  return false
end

function command.run(arguments)
  if asks_for_list(arguments) then return list_faults() end
  local options, words = command.parse(arguments)
  return command.in_world(options, function(world)
    if #words == 0 then return show(world) end
    return command.run_in(world, words)
  end)
end

return command
