-- The steps whose results are read are steps of the recipe.

local file  = require "pgorch.lint.file"
local names = require "pgorch.lint.names"

-- ctx:finished "STEP" and the like.
local BY_ID = { finished = true, begun = true, in_other_runs = true }

return function(it)
  if not it.recipe then return end
  local ids, known = it:ids(), {}
  for _, id in ipairs(ids) do known[id] = true end
  local function check(node, id)
    if id and not known[id] then
      it:report(node, "unknown-step", ("the recipe has no step `%s`%s"):format(id, file.hint(id, ids)))
    end
  end
  it.source:each("Index", function(node)
    if it:is_of_ctx(node[1], "result") then check(node, names.field(node)) end
  end)
  it.source:each("Invoke", function(node)
    local id = node[3]
    if it:is_ctx(node[1]) and BY_ID[node[2][1]] and id and id.tag == "String" then check(id, id[1]) end
  end)
end
