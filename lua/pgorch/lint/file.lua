-- A file that is looked at: its tree, the recipe that it belongs to, if there is one, and what of it is a step, a ctx,
-- a table of parameters. Rules look here and report here.

local fail   = require "pgorch.error"
local loader = require "pgorch.recipe.load"
local names  = require "pgorch.lint.names"
local shape  = require "pgorch.recipe.shape"
local values = require "pgorch.recipe.values"

local file = {}

---@class pgorch.lint.Finding
---@field file string
---@field line integer
---@field column integer
---@field rule string
---@field message string

---@class pgorch.lint.File
---@field source pgorch.lint.Source
---@field recipe pgorch.Recipe|nil   what was made of it, or of the file that requires it
---@field steps table[]   {table, fields, at, whole}: each recipe.step { ... }; whole: nothing is added later
---@field spec {call: pgorch.lint.Node, fields: table, at: table}|nil   what the recipe declares
---@field findings pgorch.lint.Finding[]
---@field refused {line: integer, column: integer, message: string}|nil   why it could not be loaded
---@field modules pgorch.lint.File[]|nil   of a recipe: the files beside it that it requires
local File = {}
File.__index = File

-- Functions of a step that get ctx first.
local WITH_CTX = { "run", "undo", "check", "plan", "only_if", "each", "estimate", "reached", "holds_app", "by_hand",
                   "cleanup" }

local function mark(set, fn, place)
  local argument = fn and fn[1][place or 1]
  if argument and argument.var then set[argument.var] = true end
end

local function is_mutated(node) return node.tag == "Id" and node.var ~= nil and node.var.mutated == true end

local function add_step(self, call)
  local spec = names.value(call[2])
  if not spec or spec.tag ~= "Table" then return end
  local fields, at = names.fields(spec)
  self.steps[#self.steps + 1] = { table = spec, fields = fields, at = at, whole = not is_mutated(call[2]) }
  for _, name in ipairs(WITH_CTX) do mark(self.ctx, names.fn(fields[name])) end
end

-- recipe { ... } and recipe.from "NAME" { ... }
local function is_recipe(call)
  return names.path(call[1]) == "pgorch.recipe"
    or call[1].tag == "Call" and names.path(call[1][1]) == "pgorch.recipe.from"
end

local function add_spec(self, call)
  local fields, at = names.fields(names.value(call[2]))
  self.spec = { call = call, fields = fields, at = at }
  mark(self.params, names.fn(fields.check_params))
  for _, constructor in pairs(names.fields(names.value(fields.uses))) do
    mark(self.params, names.fn(constructor))
    mark(self.use, names.fn(constructor), 2)
  end
end

---@param source pgorch.lint.Source
---@return pgorch.lint.File
function file.new(source)
  local self = setmetatable({ source = source, findings = {}, steps = {}, ctx = {}, params = {}, use = {} }, File)
  source:each("Function", function(node)
    for _, argument in ipairs(node[1]) do
      if argument[1] == "ctx" then self.ctx[argument.var] = true end
    end
  end)
  source:each("Call", function(call)
    if names.path(call[1]) == "pgorch.recipe.step" then add_step(self, call) end
    if is_recipe(call) then add_spec(self, call) end
  end)
  return self
end

---Whether it returns a recipe.
---@return boolean
function File:is_recipe()
  local last = self.source.tree[#self.source.tree]
  local value = last and last.tag == "Return" and names.value(last[1])
  return value ~= nil and value ~= false and value.tag == "Call" and is_recipe(value)
end

---@param node pgorch.lint.Node|{line: integer, column: integer}
---@param rule string
---@param message string
function File:report(node, rule, message)
  local line, column = node.line, node.column
  if node.tag then line, column = self.source:place(node) end
  if self.source:allows(line, rule) then return end
  table.insert(self.findings, { file = self.source.path, line = line, column = column, rule = rule, message = message })
end

function File:is_ctx(node) return node.tag == "Id" and node.var ~= nil and self.ctx[node.var] == true end

function File:is_use(node) return node.tag == "Id" and node.var ~= nil and self.use[node.var] == true end

---Whether it is ctx.NAME, or a variable that was given it.
function File:is_of_ctx(node, name)
  local value = names.value(node)
  return value ~= nil and names.field(value) == name and self:is_ctx(value[1])
end

function File:is_params(node)
  return node.tag == "Id" and node.var ~= nil and self.params[node.var] == true or self:is_of_ctx(node, "params")
end

---The ids of the recipe's steps and gates.
---@return string[]
function File:ids() return shape.ids(self.recipe.steps) end

---", did you mean `x`?", or nothing.
---@param word string
---@param known string[]|table<string, any>   a list of names, or a table by name
---@return string
function file.hint(word, known)
  local list = known
  if #known == 0 then
    list = {}
    for name in pairs(known) do list[#list + 1] = name end
    table.sort(list)
  end
  return values.hint(word, list)
end

-- A recipe that is refused as a whole is named without a line: what is quoted is looked for.
local function quoted(it, message)
  local word, found = message:match "`([^`]+)`", nil
  it.source:each("String", function(node)
    if node[1] == word then found = found or node end
  end)
  return found or it.spec and it.spec.call
end

local function place_of(it, message)
  local path = it.source.path:gsub("%p", "%%%0")
  local line, rest = message:match("^" .. path .. ":(%d+): (.*)$")
  if line then return math.tointeger(tonumber(line)), 1, rest end
  rest = message:match("^" .. path .. ": (.*)$") or message
  local node = quoted(it, rest)
  if not node then return 1, 1, rest end
  local at, column = it.source:place(node)
  return at, column, rest
end

---Loads the recipe of the file, as a run would. What keeps it from loading is in `refused`.
function File:load()
  local ok, made = pcall(loader.load, self.source.path)
  if ok then
    self.recipe = made
    return
  end
  local line, column, message = place_of(self, fail.wrap(made).message)
  self.refused = { line = line, column = column, message = message }
end

return file
