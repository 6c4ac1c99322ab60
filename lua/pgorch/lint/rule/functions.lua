-- What is taken from a module of the library is there.

local file  = require "pgorch.lint.file"
local names = require "pgorch.lint.names"

-- The module, if it is one whose fields can be told: nil and why else.
local function module_of(name)
  local ok, module = pcall(require, name)
  if not ok then return nil, tostring(module):find("not found", 1, true) ~= nil end
  local meta = type(module) == "table" and getmetatable(module)
  if type(module) ~= "table" or meta and (type(meta) ~= "table" or meta.__index) then return nil end
  return module
end

local function check_field(it, node)
  local name, base = names.field(node), names.value(node[1])
  local path = name and base and base.tag == "Call" and names.path(base)
  local module = path and path:match "^pgorch%." and module_of(path)
  if not module or module[name] ~= nil then return end
  it:report(node, "unknown-function", ("%s has no `%s`%s"):format(path, name, file.hint(name, module)))
end

local function check_module(it, call)
  local path = names.path(call)
  if not path or not path:match "^pgorch%." then return end
  local _, missing = module_of(path)
  if missing then it:report(call, "unknown-function", ("the library has no module `%s`"):format(path)) end
end

-- What a file assigns to a module of the library is its own business.
local function assigned(it)
  local set = {}
  it.source:each("Set", function(node)
    for _, target in ipairs(node[1]) do set[target] = true end
  end)
  return set
end

return function(it)
  local set = assigned(it)
  it.source:each("Index", function(node)
    if not set[node] then check_field(it, node) end
  end)
  it.source:each("Call", function(call) check_module(it, call) end)
end
