-- No closing value in a `for`: Lua 5.4.4 does not close it when the loop is left by `break` and a closure has caught
-- its variable. A `local x <close>` around the loop is closed whatever happens.

local names = require "pgorch.lint.names"
local source = require "pgorch.lint.source"

local CLOSING = 4 -- after the iterator, its state and the first value

-- The fourth value that a function of this file returns, when it says so.
local function returned(call)
  local fn = call.tag == "Call" and names.fn(call[1])
  if not fn then return nil end
  local found
  source.each(fn[2], function(node)
    if node.tag == "Function" then return false end
    if node.tag == "Return" and node[CLOSING] then found = node[CLOSING] end
  end)
  return found
end

return function(it)
  it.source:each("Forin", function(loop)
    local given = loop[2]
    local closing = given[CLOSING] or #given == 1 and returned(given[1])
    if not closing or closing.tag == "Nil" then return end
    it:report(loop, "closing-value", "this `for` has a closing value, which Lua 5.4 does not close at every `break`: "
      .. "write `local it <close> = ...` before the loop")
  end)
end
