-- What is asked of ctx and of `use` is there, and every constructor of `uses` is used.

local context = require "pgorch.runner.context"
local file    = require "pgorch.lint.file"
local names   = require "pgorch.lint.names"

-- Read by the common steps.
local OF_THE_LIBRARY = { source = true, target = true, store = true }

local function known_names(it)
  local known = {}
  for name in pairs(it.recipe.uses) do known[name] = true end
  return known
end

local function check_names(it, read)
  local of_use = known_names(it)
  of_use.run = true
  local of_ctx = setmetatable(known_names(it), { __index = context.OWN })
  for name in pairs(context.OWN) do of_ctx[name] = true end
  local function check(node, base, name)
    local what, known = "ctx", of_ctx
    if it:is_use(base) then what, known = "use", of_use elseif not it:is_ctx(base) then return end
    read[name] = true
    if known[name] then return end
    it:report(node, "unknown-use", ("%s has no `%s`%s: it is neither its own nor one of the recipe's `uses`")
      :format(what, name, file.hint(name, known)))
  end
  it.source:each("Index", function(node)
    local name = names.field(node)
    if name then check(node, node[1], name) end
  end)
  it.source:each("Invoke", function(node) check(node, node[1], node[2][1]) end)
end

local function check_constructors(it, read)
  local _, at = names.fields(names.value(it.spec.fields.uses))
  for name, place in pairs(at) do
    if not read[name] and not OF_THE_LIBRARY[name] then
      it:report(place, "unused-use", ("nothing reads `ctx.%s` or `use.%s`: it is never made"):format(name, name))
    end
  end
end

return function(it)
  if not it.recipe then return end
  local read = {}
  check_names(it, read)
  if not it.spec then return end
  for _, module in ipairs(it.modules or {}) do
    module.source:each("Index", function(node)
      if names.field(node) then read[names.field(node)] = true end
    end)
  end
  check_constructors(it, read)
end
