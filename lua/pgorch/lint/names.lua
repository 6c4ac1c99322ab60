-- What a name in a file means, as far as it can be told without running: `after` of `local after = recipe.after` is
-- pgorch.recipe.after. A variable that has one value has a meaning, others have none.

local names = {}

local DEEPEST = 20

-- The node that a variable was given, if it was given one.
local function given(node)
  local values = node.var and node.var.values
  return values and #values == 1 and values[1].node or nil
end

---The table, function, call or literal that an expression is; the expression itself if it is no name.
---@param node pgorch.lint.Node|nil
---@return pgorch.lint.Node|nil
function names.value(node)
  for _ = 1, DEEPEST do
    if not node or node.tag ~= "Id" then return node end
    node = given(node)
  end
end

---The name of a field: of `a.b` and of `a["b"]`.
---@param node pgorch.lint.Node|nil
---@return string|nil
function names.field(node)
  return node and node.tag == "Index" and node[2].tag == "String" and node[2][1] or nil
end

local function required(node)
  local fn = node[1]
  if fn.tag == "Id" and not fn.var and fn[1] == "require" and node[2] and node[2].tag == "String" then
    return node[2][1]
  end
end

---"pgorch.pg.connect" of what a call calls; "table.sort" of a global's field.
---@param node pgorch.lint.Node|nil
---@param depth? integer
---@return string|nil
function names.path(node, depth)
  depth = depth or 1
  if not node or depth > DEEPEST then return nil end
  if node.tag == "Call" then return required(node) end
  if node.tag == "Id" then
    if not node.var then return node[1] end
    return names.path(given(node), depth + 1)
  end
  local field = names.field(node)
  local base = field and names.path(node[1], depth + 1)
  return base and base .. "." .. field or nil
end

---The function that is passed, given or named there.
---@param node pgorch.lint.Node|nil
---@return pgorch.lint.Node|nil
function names.fn(node)
  local value = names.value(node)
  return value and value.tag == "Function" and value or nil
end

---The fields of a table that is written down: name -> node of the value. Also the pair's node, for its place.
---@param node pgorch.lint.Node|nil
---@return table<string, pgorch.lint.Node>
---@return table<string, pgorch.lint.Node> pairs
function names.fields(node)
  local values, at = {}, {}
  for _, part in ipairs(node and node.tag == "Table" and node or {}) do
    if part.tag == "Pair" and part[1].tag == "String" then values[part[1][1]], at[part[1][1]] = part[2], part end
  end
  return values, at
end

return names
