-- pgorch test FILE...: runs test files. `require` in a test file looks beside it too ("support.postgres").

local fs = require "pgorch.fs"
local fail = require "pgorch.error"
local test = require "pgorch.test"

local command = { summary = "run test files", usage = "pgorch test FILE..." }

-- require for test files and for what they require: the library, then files below the test folders.
local function requirer(folder)
  local loaded, environment = {}, setmetatable({}, { __index = _G })
  function environment.require(name)
    if package.loaded[name] ~= nil then return package.loaded[name] end
    if name:find("^pgorch%.") then return require(name) end
    if loaded[name] then return loaded[name] end
    for _, base in ipairs { folder, folder .. "/.." } do
      local path = ("%s/%s.lua"):format(base, (name:gsub("%.", "/")))
      if fs.exists(path) then
        local chunk, problem = load(fs.read(path), "@" .. path, "t", environment)
        if not chunk then fail.raise("PGO-LUA", problem) end
        loaded[name] = chunk(name) or true
        return loaded[name]
      end
    end
    return require(name)
  end
  return environment.require
end

function command.run(arguments)
  if #arguments == 0 then fail.raise("PGO-USAGE", "no test file is named: " .. command.usage) end
  local failed = 0
  for _, path in ipairs(arguments) do
    local folder = path:match("^(.*)/[^/]*$") or "."
    local environment = { require = requirer(folder), TEST_FILE = path, TEST_FOLDER = folder }
    failed = failed + test.run(fs.read(path), path, environment).failed
  end
  return failed > 0 and 1 or 0
end

return command
