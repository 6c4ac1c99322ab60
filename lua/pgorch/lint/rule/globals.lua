-- A name is a local variable, or one of the globals that a recipe has.

local environment = require "pgorch.recipe.environment"
local file        = require "pgorch.lint.file"

local INSTEAD = {
  os = "pgorch.clock, pgorch.env, pgorch.fs and pgorch.process do what `os` does",
  io = "pgorch.fs reads and writes files",
  debug = "a recipe has no `debug`",
}

return function(it)
  if not it.recipe and not it:is_recipe() then return end
  local known = environment.new(function() end)
  for _, seen in ipairs(it.source:globals()) do
    if seen.set then
      it:report(seen, "unknown-global", ("`%s` is made a global variable: write `local %s`"):format(seen.name,
        seen.name))
    elseif known[seen.name] == nil then
      it:report(seen, "unknown-global", ("`%s` is neither a local variable nor a global of recipes%s"):format(seen.name,
        INSTEAD[seen.name] and ": " .. INSTEAD[seen.name] or file.hint(seen.name, known)))
    end
  end
end
