-- One file of Lua as a tree, by luacheck's parser: nodes with a `tag`, names with the variable that they mean. Runs
-- nothing. Whether the text is Lua is said by Lua itself: luacheck's parser takes a little more.

local check_state = require "luacheck.check_state"

local source = {}

local STAGES = { "parse", "unwrap_parens", "linearize", "resolve_locals", "detect_globals" }

---@class pgorch.lint.Node    [integer]: its parts, nodes and lists of them
---@field tag string        "Call", "Invoke", "Index", "Id", "String", "Table", "Pair", "Function", "Forin", ...
---@field line integer
---@field var table|nil     of an Id: the local variable; nil: a global one

---@class pgorch.lint.Source
---@field path string
---@field tree pgorch.lint.Node[]   the statements of the file
---@field state table               luacheck's
local Source = {}
Source.__index = Source

local function state_of(text)
  local state = check_state.new(text)
  for _, name in ipairs(STAGES) do require("luacheck.stages." .. name).run(state) end
  return state
end

-- Lua names the line, luacheck the column too: it counts where both mean the same line.
local function column_of(text, line)
  local ok, problem = pcall(state_of, text)
  local exact = not ok and type(problem) == "table" and problem.line == line and problem.offset
  if not exact then return 1 end
  local before, at = 0, 0
  for _ = 2, line do
    at = text:find("\n", at + 1, true)
    before = at
  end
  return math.max(1, exact - before)
end

---@param text string
---@param path string
---@return pgorch.lint.Source|nil
---@return {line: integer, column: integer, message: string}|nil problem   of its syntax
function source.parse(text, path)
  local chunk, said = load(text, "=:", "t")
  if not chunk then
    local line, message = said:match "^:+(%d+): (.*)$"
    line = math.tointeger(tonumber(line)) or 1
    return nil, { line = line, column = column_of(text, line), message = message or said }
  end
  local state = state_of(text)
  return setmetatable({ path = path, tree = state.ast, state = state }, Source)
end

---@param node pgorch.lint.Node
---@return integer line
---@return integer column
function Source:place(node)
  return node.line, self.state:offset_to_column(node.line, node.offset)
end

---The globals that the file names: {name, line, column, set}.
---@return table[]
function Source:globals()
  local list = {}
  for _, seen in ipairs(self.state.warnings) do
    if seen.code:match "^11[123]$" and not seen.indirect then
      list[#list + 1] = { name = seen.name, line = seen.line, column = seen.column, set = seen.code == "111" }
    end
  end
  return list
end

---Whether a comment on that line says `lint: allow RULE`.
---@param line integer
---@param rule string
---@return boolean
function Source:allows(line, rule)
  for _, comment in ipairs(self.state.comments) do
    local names = comment.line == line and comment.contents:match "lint: allow ([%w%-, ]+)"
    if names and (" " .. names:gsub(",", " ") .. " "):find(" " .. rule .. " ", 1, true) then return true end
  end
  return false
end

---Calls visit(node) for every node below `node`, outer ones first. Where it gives false, what is below is left out.
---@param node table    a node, or a list of them
---@param visit fun(node: pgorch.lint.Node): boolean|nil
function source.each(node, visit)
  if node.tag and visit(node) == false then return end
  for _, part in ipairs(node) do
    if type(part) == "table" then source.each(part, visit) end
  end
end

---Every node of one kind.
---@param tag string
---@param visit fun(node: pgorch.lint.Node)
function Source:each(tag, visit)
  source.each(self.tree, function(node)
    if node.tag == tag then visit(node) end
  end)
end

return source
