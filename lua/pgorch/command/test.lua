-- pgorch test PATH...: runs test files, those of a recipe's author in worlds of the sandbox. `require` in a test file
-- looks beside it too, and in its lua/ folder.

local fail    = require "pgorch.error"
local fs      = require "pgorch.fs"
local term    = require "pgorch.term"
local test    = require "pgorch.test"
local world   = require "pgorch.test.world"
local world_command = require "pgorch.command.sandbox"

local command = { summary = "run test files, of recipes too, in worlds of the sandbox" }

command.usage = [[pgorch test [OPTION...] [PATH...]

PATH is a test file, or a folder with files that are called *_test.lua or test_*.lua; without one, this folder.

  --only TEXT            only tests whose title has the text
  --fault "WHERE WHAT"   trouble in every world, as in `pgorch sandbox`; may be given several times
  --kills N              world:kill_everywhere kills about N times; `all`: after every write
  --seed N               decides which writes, and which requests get a fault that has a chance
]]

-- Options ------------------------------------------------------------------------------------------------------

local function whole(name, text)
  local number = math.tointeger(tonumber(text))
  if number and number > 0 then return number end
  fail.raise("PGO-USAGE", ("%s %s: a whole number above 0 is needed"):format(name, text))
end

local OPTIONS = {
  ["--only"] = function(asked, value) asked.only = value end,
  ["--fault"] = function(asked, value) table.insert(asked.faults, world_command.fault(value)) end,
  ["--kills"] = function(asked, value) asked.kills.limit = value == "all" and "all" or whole("--kills", value) end,
  ["--seed"] = function(asked, value)
    asked.seed = whole("--seed", value)
    asked.kills.seed = asked.seed
  end,
}

command.flags = {}
for option in pairs(OPTIONS) do table.insert(command.flags, { name = option:sub(3), type = "string" }) end

local function parse(arguments)
  local asked, paths, i = { faults = {}, kills = {} }, {}, 1
  while i <= #arguments do
    local name, value = arguments[i]:match "^(%-%-[^=]+)=(.*)$"
    name = name or arguments[i]
    if name:sub(1, 1) ~= "-" then
      paths[#paths + 1] = name
    elseif not OPTIONS[name] then
      fail.raise("PGO-USAGE", ("pgorch test does not know %s"):format(name), { detail = command.usage })
    else
      if not value then
        i = i + 1
        value = arguments[i] or fail.raise("PGO-USAGE", name .. " needs a value")
      end
      OPTIONS[name](asked, value)
    end
    i = i + 1
  end
  return asked, paths
end

-- Files --------------------------------------------------------------------------------------------------------

local function is_test(name) return name:find "_test%.lua$" or name:find "^test_.*%.lua$" end

local function add_files(list, folder)
  local names = fs.list(folder)
  table.sort(names)
  for _, name in ipairs(names) do
    local path = folder == "." and name or ("%s/%s"):format(folder, name)
    local kind = name:sub(1, 1) ~= "." and fs.stat(path).type
    if kind == "directory" then
      add_files(list, path)
    elseif kind == "file" and is_test(name) then
      list[#list + 1] = path
    end
  end
end

local function files_of(paths)
  local list = {}
  for _, path in ipairs(#paths > 0 and paths or { "." }) do
    local about = fs.exists(path) and fs.stat(path)
    if not about then fail.raise("PGO-USAGE", "there is no test file " .. path) end
    if about.type == "directory" then add_files(list, (path:gsub("(.)/+$", "%1"))) else list[#list + 1] = path end
  end
  if #list == 0 then
    fail.raise("PGO-USAGE", "there is no test file here: one is called *_test.lua or test_*.lua")
  end
  return list
end

-- Running ------------------------------------------------------------------------------------------------------

-- What a test file sees, and what it requires: the library, then files below the test folders.
local function environment_of(path, folder)
  local loaded = {}
  local environment = setmetatable({ TEST_FILE = path, TEST_FOLDER = folder }, { __index = _G })
  function environment.require(name)
    if package.loaded[name] ~= nil then return package.loaded[name] end
    if name:find("^pgorch%.") then return require(name) end
    if loaded[name] then return loaded[name] end
    for _, base in ipairs { folder, folder .. "/lua", folder .. "/.." } do
      local file = ("%s/%s.lua"):format(base, (name:gsub("%.", "/")))
      if fs.exists(file) then
        local chunk, problem = load(fs.read(file), "@" .. file, "t", environment)
        if not chunk then fail.raise("PGO-LUA", problem) end
        loaded[name] = chunk(name) or true
        return loaded[name]
      end
    end
    return require(name)
  end
  return environment
end

function command.run(arguments)
  local asked, paths = parse(arguments)
  local counts = { passed = 0, failed = 0, skipped = 0 }
  for _, path in ipairs(files_of(paths)) do
    local folder = path:match("^(.*)/[^/]*$") or "."
    local environment = environment_of(path, folder)
    test.run(fs.read(path), path, environment, counts, { only = asked.only, words = function(globals, level)
      globals.sandbox = world.word({ folder = folder, environment = environment }, level, asked)
    end })
  end
  local all = counts.passed + counts.failed + counts.skipped
  if all == 0 then
    fail.raise("PGO-USAGE", asked.only and ("no test has `%s` in its title"):format(asked.only) or "there is no test",
      { detail = table.concat(paths, "\n") })
  end
  term.out(("1..%d\n"):format(all))
  term.out(("# %d passed, %d failed, %d skipped\n"):format(counts.passed, counts.failed, counts.skipped))
  return counts.failed > 0 and 1 or 0
end

return command
