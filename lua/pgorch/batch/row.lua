-- One row of a manifest: its recipe, its parameters checked by the recipe's own rules, and what its limits are counted
-- by. A secret is only ever a reference here: no value is read, and one that is written down is refused unseen.
--
-- What a row is from here on, in the record and for the worker that starts it:
--   { id, recipe, recipe_path, recipe_hash, labels, priority, group, depends_on, estimate, scopes,
--     params = { values = {name = value}, secrets = {name = {env=|file=}}, flags = {["yes-cut-over"] = true} } }

local arguments  = require "pgorch.recipe.arguments"
local fail       = require "pgorch.error"
local invocation = require "pgorch.invocation"
local loader     = require "pgorch.recipe.load"
local scopes     = require "pgorch.batch.scopes"
local surroundings = require "pgorch.batch.surroundings"
local values     = require "pgorch.recipe.values"

local M = {}

---@class pgorch.batch.Given
---@field place string                "moves.csv, line 3"
---@field fields table<string, any>   as written; an empty cell is no field

---@class pgorch.batch.Row
---@field id string
---@field place string
---@field recipe string         the recipe's name
---@field recipe_path string    a file, absolute, or the name of a built-in recipe
---@field recipe_hash string
---@field params {values: table, secrets: table, flags: table}
---@field labels string[]
---@field priority integer      larger first
---@field group string|nil
---@field depends_on string[]
---@field estimate number|nil   seconds
---@field scopes pgorch.batch.Scopes
---@field asks boolean          the recipe has a gate, and nothing in the row passes it

-- Fields of a row that are no parameters.
local OWN = { id = "string", recipe = "string", labels = "list", priority = "integer", group = "string",
              depends_on = "list", estimate = "duration" }

-- Flags of the host that a row may have.
local FLAGS = { deadline = "string", on_failure = "string", yes_cut_over = "boolean", notify_env = "string",
                notify_file = "path", open_allow_list = "boolean" }

local A_WHOLE, ITS_OWN, LOOKED_AT = "a row is a whole move", "the batch sees to that",
  "somebody has to look first: use `pgorch resume` or `pgorch rollback` on that run"

local REFUSED = { only = A_WHOLE, ["until"] = A_WHOLE, run_id = ITS_OWN, no_input = ITS_OWN, json = ITS_OWN,
                  quiet = ITS_OWN, verbose = ITS_OWN, no_color = ITS_OWN, state_env = ITS_OWN, state_file = ITS_OWN,
                  help = ITS_OWN, in_batch = ITS_OWN, batch_row = ITS_OWN,
                  accept_changes = LOOKED_AT, lose_writes = LOOKED_AT }

local LONGEST_NAME = 120

---What a row, a group or a label may be called; nil and why.
---@param text string
---@return boolean|nil
---@return string|nil why
function M.is_name(text)
  if text == "" or #text > LONGEST_NAME then return nil, ("has 1 to %d bytes"):format(LONGEST_NAME) end
  if not utf8.len(text) then return nil, "is not UTF-8" end
  if text:find "[%c;,]" or text:find "\xC2[\x80-\x9F]" or text:find "^[%s%-]" or text:find "%s$" then
    return nil, "has no comma, semicolon or control character, and begins and ends with a letter or a digit"
  end
  return true
end

local function absolute(folder, path)
  if path:match "^/" then return path end
  return values.absolute(folder .. "/" .. path)
end

-- A URL with a password is a secret in the wrong place: it is neither kept nor shown.
local function holds_password(value)
  return type(value) == "string" and value:find "%w://[^/%s@]*:[^/%s@]+@" ~= nil
end

local function split(text)
  local list = {}
  for item in text:gmatch "[^;]+" do
    item = item:match "^%s*(.-)%s*$"
    if item ~= "" then list[#list + 1] = item end
  end
  return list
end

local BY_REFERENCE = "%s: name where it is, by a field that ends with _env or _file"

-- The value that stands in a field: text from a CSV file, anything from JSON and Lua.
local function parsed(self, kind, value)
  if type(value) == "userdata" then return nil, BY_REFERENCE:format "is a secret" end
  if type(value) == "table" then
    if kind ~= "list" then return nil, "is a list: one value is needed" end
    return value
  end
  if type(value) == "boolean" and kind ~= "boolean" then return nil, "is yes or no: a value is needed" end
  if holds_password(value) then
    return nil, BY_REFERENCE:format "holds a password"
  end
  if kind == "path" and value ~= "" then return absolute(self.folder, tostring(value)) end
  return values.parse(kind, value)
end

local function take(self, into, name, key, kind, value)
  local found, why = parsed(self, kind, value)
  if found == nil then
    self:wrong("%s %s", name, why)
    self.state.bad[key] = true
  else
    into[key] = found
  end
end

local FORMS = { "env", "file", "fd", "command" }

local NO_FORM = { fd = "a descriptor is of one process", command = "each machine would run it" }

-- "token_env" -> the parameter `token`, "env".
local function reference(specs, name)
  for _, form in ipairs(FORMS) do
    local base = name:match("^(.+)_" .. form .. "$")
    if base and specs[base] and specs[base].secret then return specs[base], form end
  end
end

local function take_reference(self, name, param, form, value)
  self.state.bad[param.name] = true
  if NO_FORM[form] then
    return self:wrong("%s: %s: use %s_env or %s_file", name, NO_FORM[form], param.name, param.name)
  end
  if type(value) ~= "string" then return self:wrong("%s: text is needed", name) end
  if form == "env" and not value:match "^[%a_][%w_]*$" then
    return self:wrong("%s: what stands there is not the name of a variable", name)
  end
  if form == "env" and surroundings.is_removed(value) then
    return self:wrong("%s: no row sees %s of its surroundings: put it into a variable of another name", name, value)
  end
  self.state.bad[param.name] = nil
  self.state.secrets[param.name] = { [form] = form == "file" and absolute(self.folder, value) or value }
end

local function names_of(specs)
  local list = {}
  for _, known in ipairs { OWN, FLAGS } do
    for name in pairs(known) do list[#list + 1] = name end
  end
  for name, param in pairs(specs) do list[#list + 1] = param.secret and name .. "_env" or name end
  return list
end

local function unknown(self, name)
  if REFUSED[name] then return self:wrong("%s: a row cannot have it: %s", name, REFUSED[name]) end
  local meant = values.closest(name, names_of(self.specs))
  self:wrong("%s: recipe %s has no such parameter%s", name, self.recipe.name,
    meant and (", did you mean %s?"):format(meant) or "")
  if meant then self.state.bad[meant:gsub("_env$", "")] = true end
end

-- One field that is no field of every row.
local function take_field(self, name, value)
  local param = self.specs[name]
  local of, form = reference(self.specs, name)
  if param and param.secret then
    self:wrong("%s: a secret is never written down: name where it is, by %s_env or %s_file", name, name, name)
    self.state.bad[name] = true
  elseif param then
    take(self, self.state.given, name, name, param.type, value)
  elseif of then
    take_reference(self, name, of, form, value)
  elseif FLAGS[name] then
    take(self, self.flags, name, (name:gsub("_", "-")), FLAGS[name], value)
  else
    unknown(self, name)
  end
end

local function check_flags(self)
  local wish, till = self.flags["on-failure"], self.flags.deadline
  if wish and wish ~= "keep" and wish ~= "rollback" then self:wrong("on_failure: keep or rollback") end
  if till and invocation.deadline(till) == nil then
    self:wrong("deadline: `%s`: write 04:00, ISO 8601, +2h or none", till)
  end
end

-- The recipe's parameters without the variables that a row does not take anything from.
local function seen_from_a_row(specs)
  local seen = {}
  for name, spec in pairs(specs) do
    local copy, variables = {}, {}
    for field, value in pairs(spec) do copy[field] = value end
    for _, variable in ipairs(spec.env) do
      if not surroundings.is_removed(variable) then variables[#variables + 1] = variable end
    end
    copy.env = variables
    seen[name] = copy
  end
  return seen
end

-- A token that is not here may be where the worker is: the first of its variables is what is meant.
local function refer_to_environment(self)
  for name, spec in pairs(self.specs) do
    if spec.secret and spec.env[1] and not self.state.secrets[name] and not self.state.bad[name] then
      self.state.secrets[name] = arguments.from_environment(spec, self.state)
        or spec.required == true and { env = spec.env[1] } or nil
    end
  end
end

local function resolve(self)
  refer_to_environment(self)
  local resolved, secrets = arguments.resolve(self.specs, self.state)
  if self.recipe.check_params and #self.state.problems == 0 then
    for _, problem in ipairs(self.recipe.check_params(resolved, secrets) or {}) do self:wrong("%s", problem) end
  end
  return { values = resolved, secrets = secrets, flags = self.flags }
end

local function has_gate(list)
  for _, item in ipairs(list) do
    if item.kind == "gate" then return true end
    for _, inner in ipairs(item.lists or {}) do
      if has_gate(inner) then return true end
    end
  end
  return false
end

-- Rows share recipes: each is loaded once, and one that cannot be is said once.
local function load(self, name)
  local path = name:find("/", 1, true) and absolute(self.folder, name)
    or name:find "%.lua$" and absolute(self.folder, name) or name
  local known = self.recipes[path]
  if known == nil then
    local ok, found = pcall(loader.load, path)
    if not ok and not fail.is(found) then error(found, 0) end
    known = { recipe = ok and found or nil, path = path }
    if not ok then self:wrong("recipe: %s", found.message) end
    self.recipes[path] = known
  end
  return known.recipe, path
end

local Reader = {}
Reader.__index = Reader

function Reader:wrong(format, ...) self.state.problems[#self.state.problems + 1] = format:format(...) end

local function new_reader(given, o)
  return setmetatable({ place = given.place, folder = o.folder or ".", recipes = o.recipes or {}, flags = {},
    state = { given = {}, secrets = {}, problems = {}, bad = {}, written = true } }, Reader)
end

-- `open-allow-list` and `open_allow_list` are one name; what all rows have stands apart.
local function sort_out(self, given)
  local own, rest, seen = {}, {}, {}
  for written, value in pairs(given.fields) do
    local name = tostring(written):gsub("-", "_")
    local kind = OWN[name]
    if seen[name] then self:wrong("%s is there twice", name) end
    seen[name] = true
    if not kind then rest[#rest + 1] = { name, value }
    elseif kind == "list" and type(value) == "string" then own[name] = split(value)
    else take(self, own, name, name, kind, value) end
  end
  table.sort(rest, function(a, b) return a[1] < b[1] end)
  return own, rest
end

local function check_names(self, own)
  local lists = { id = { own.id }, group = { own.group }, labels = own.labels or {}, depends_on = own.depends_on or {} }
  for _, field in ipairs { "id", "group", "labels", "depends_on" } do
    for _, name in ipairs(lists[field]) do
      local ok, why = M.is_name(tostring(name))
      if not ok then self:wrong("%s: `%s`: a name %s", field, tostring(name), why) end
    end
  end
  if not own.id and not self.state.bad.id then self:wrong "id is missing" end
  if not own.recipe and not self.state.bad.recipe then self:wrong "recipe is missing: vultr, linode, or a file" end
end

---Reads one row. Nothing raises: what is wrong with it is in the second result, all of it; then the row is only good
---for what others say of it.
---@param given pgorch.batch.Given
---@param o {folder?: string, recipes?: table}  folder: paths are relative to it; recipes: shared by the rows
---@return pgorch.batch.Row row
---@return string[] problems
function M.read(given, o)
  local self = new_reader(given, o)
  local own, rest = sort_out(self, given)
  check_names(self, own)
  local row = { id = own.id, place = given.place, labels = own.labels or {}, priority = own.priority or 0,
                group = own.group, depends_on = own.depends_on or {}, estimate = own.estimate,
                params = { values = {}, secrets = {}, flags = {} }, scopes = { account = {} } }
  local recipe, path = nil, nil
  if own.recipe then recipe, path = load(self, own.recipe) end
  if not recipe then return row, self.state.problems end
  self.recipe, self.specs = recipe, seen_from_a_row(recipe.params)
  for _, each in ipairs(rest) do take_field(self, each[1], each[2]) end
  check_flags(self)
  row.params = resolve(self)
  row.recipe, row.recipe_path, row.recipe_hash = recipe.name, path, recipe.hash
  row.scopes = scopes.of(recipe, row.params)
  row.asks = has_gate(recipe.steps) and not self.flags["yes-cut-over"]
  return row, self.state.problems
end

return M
