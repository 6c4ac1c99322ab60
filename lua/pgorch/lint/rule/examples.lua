-- The examples that a recipe's help shows can be typed: their flags and steps are there.

local arguments  = require "pgorch.recipe.arguments"
local file       = require "pgorch.lint.file"
local names      = require "pgorch.lint.names"

local function words_of(text)
  local words = {}
  for word in text:gmatch "%S+" do words[#words + 1] = word end
  return words
end

local function flags_of(recipe, verb)
  local invocation = require "pgorch.invocation"
  local found = require("pgorch.command").find(verb)
  return arguments.flags(recipe.params, found and found.flags or invocation.FLAGS)
end

local function check(it, node)
  local words = words_of(node[1])
  if words[1] ~= "pgorch" or not words[2] then return end
  local state = arguments.parse({ table.unpack(words, 3) }, flags_of(it.recipe, words[2]))
  for _, problem in ipairs(state.problems) do
    if problem:match "^unknown flag" then it:report(node, "example", problem) end
  end
  local ids, known = it:ids(), {}
  for _, id in ipairs(ids) do known[id] = true end
  for _, id in ipairs { state.host["until"], table.unpack(state.host.only or {}) } do
    if not known[id] then
      it:report(node, "example", ("the recipe has no step `%s`%s"):format(id, file.hint(id, ids)))
    end
  end
end

return function(it)
  local list = it.recipe and it.spec and names.value(it.spec.fields.examples)
  for _, node in ipairs(list and list.tag == "Table" and list or {}) do
    if node.tag == "String" then check(it, node) end
  end
end
