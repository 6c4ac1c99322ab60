-- Nothing waits where nothing can: at the top level of a file, in functions that C calls, in only_if.

local names   = require "pgorch.lint.names"
local waiting = require "pgorch.lint.waiting"

local ABOVE = "waits, which nothing can at the top level of a file: call it in a step, or in a constructor of `uses`"

-- Functions that Lua's own C code calls: name -> which argument of a call they are.
local CALLED_BY_C = { ["table.sort"] = 2, ["string.gsub"] = 3, xpcall = 2, ["coroutine.wrap"] = 1,
                      ["coroutine.create"] = 1 }
local METAMETHODS = { __tostring = true, __gc = true }

local function collect(it)
  local list = {}
  local function add(node, where)
    local fn = names.fn(node)
    if fn then list[#list + 1] = { fn = fn, where = where } end
  end
  it.source:each("Call", function(call)
    local path = names.path(call[1])
    local at = path and CALLED_BY_C[path]
    if at then add(call[at + 1], "a function for " .. path) end
  end)
  it.source:each("Invoke", function(call)
    if call[2][1] == "gsub" then add(call[4], "a function for gsub") end
  end)
  it.source:each("Pair", function(pair)
    if pair[1].tag == "String" and METAMETHODS[pair[1][1]] then add(pair[2], pair[1][1]) end
  end)
  it.source:each("Set", function(set)
    for i, target in ipairs(set[1]) do
      local name = names.field(target)
      if name and METAMETHODS[name] then add(set[2][i], name) end
    end
  end)
  for _, step in ipairs(it.steps) do add(step.fields.only_if, "only_if, which reads results alone") end
  return list
end

return function(it)
  for _, each in ipairs(waiting.at_top(it)) do it:report(each.node, "waits", ("%s %s"):format(each.name, ABOVE)) end
  for _, each in ipairs(collect(it)) do
    local node, name = waiting.first(it, each.fn)
    if node then it:report(node, "waits", ("%s waits, which nothing can in %s"):format(name, each.where)) end
  end
end
