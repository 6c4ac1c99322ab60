-- Reads secret parameters from where the command line says they are: a variable, a file, a descriptor, a command.
-- The place is recorded with the run, the value never.

local env     = require "pgorch.env"
local fail    = require "pgorch.error"
local fs      = require "pgorch.fs"
local params  = require "pgorch.recipe.params"
local process = require "pgorch.process"
local secret  = require "pgorch.secret"

local secrets = {}

local LARGEST = 64 * 1024

local function trimmed(text) return (text:gsub("[\r\n]+$", "")) end

local READ = {
  env = function(name) return env.secret(name) end,
  file = function(path) return secret.new(trimmed(fs.read(path, LARGEST))) end,
  fd = function(number) return secret.new(trimmed(fs.read("/dev/fd/" .. number, LARGEST))) end,
  command = function(line)
    local child = process.run { "sh", "-c", line, limit = LARGEST, stderr = "inherit", timeout = 60 }
    return secret.new(trimmed(child.stdout))
  end,
}

---Reads them all; raises PGO-PARAM with everything that is wrong.
---@param places table<string, table>  name -> {env=|file=|fd=|command=}
---@return table<string, any> values   name -> secret
function secrets.read(places)
  local found, problems = {}, {}
  for name, place in pairs(places) do
    local form, where = next(place)
    local ok, value = pcall(READ[form], where)
    if ok and value and #value > 0 then
      found[name] = value
    else
      local why = ok and "it is empty or not set" or (fail.is(value) and value.message or tostring(value))
      problems[#problems + 1] = ("%s-%s %s: %s"):format(params.flag(name), form, where, why)
    end
  end
  if #problems > 0 then
    table.sort(problems)
    fail.raise("PGO-PARAM", problems[1], { detail = #problems > 1 and table.concat(problems, "\n", 2) or nil })
  end
  return found
end

return secrets
