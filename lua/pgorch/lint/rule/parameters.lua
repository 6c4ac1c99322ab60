-- Parameters that are read are declared, and none takes the place of a flag of pgorch.

local arguments  = require "pgorch.recipe.arguments"
local file       = require "pgorch.lint.file"
local names      = require "pgorch.lint.names"

-- Commands that take a recipe's flags beside their own.
local COMMANDS = { "run", "check", "plan", "apply", "rehearse" }

local function host_flags()
  local owner = {}
  for _, each in ipairs(require("pgorch.invocation").FLAGS) do owner[each.name] = "pgorch run" end
  for _, name in ipairs(COMMANDS) do
    for _, each in ipairs(require("pgorch.command." .. name).flags or {}) do
      owner[each.name] = owner[each.name] or "pgorch " .. name
    end
  end
  return owner
end

-- The table where this file declares its parameters, below `recipe.params.standard` or without it.
local function declared(it)
  local node = names.value(it.spec and it.spec.fields.params)
  if node and node.tag == "Call" then node = names.value(node[2]) end
  return select(2, names.fields(node))
end

local function check_flags(it, name, place, host)
  local spec = it.recipe.params[name]
  for flag, made in pairs(spec and arguments.flags({ [name] = spec }) or {}) do
    local taken = made.kind ~= "refused" and host[flag] and flag
      or made.kind == "switch" and host["no-" .. flag] and "no-" .. flag
    if taken then
      it:report(place, "host-flag", ("parameter `%s` makes the flag --%s, which `%s` has for itself: choose another "
        .. "name"):format(name, taken, host[taken]))
    end
  end
end

local function check_read(it, node)
  local name = names.field(node)
  if not name or not it:is_params(node[1]) or it.recipe.params[name] then return end
  it:report(node, "unknown-parameter", ("the recipe has no parameter `%s`%s"):format(name,
    file.hint(name, it.recipe.params)))
end

return function(it)
  if not it.recipe then return end
  it.source:each("Index", function(node) check_read(it, node) end)
  local host = host_flags()
  for name, place in pairs(it.spec and declared(it) or {}) do check_flags(it, name, place, host) end
end
