-- Reads a manifest: CSV, JSON or Lua, into a batch with rows that are checked. Every mistake is said at once, with its
-- place. No secret is read here: a Lua manifest, whose rows may be asked from a provider, is evaluated by a process of
-- its own, so that what it has read of the environment is still there for the rows.

local arguments  = require "pgorch.recipe.arguments"
local batch      = require "pgorch.batch"
local csv        = require "pgorch.csv"
local fail       = require "pgorch.error"
local flags      = require "pgorch.batch.flags"
local fs         = require "pgorch.fs"
local json       = require "pgorch.json"
local loader     = require "pgorch.recipe.load"
local native     = require "pgorch.native.host"
local options    = require "pgorch.batch.options"
local problems   = require "pgorch.batch.problems"
local process    = require "pgorch.process"
local relations  = require "pgorch.batch.relations"
local rows       = require "pgorch.batch.row"
local secrets    = require "pgorch.recipe.secrets"
local values     = require "pgorch.recipe.values"

local M = {}

---@class pgorch.batch.Manifest
---@field name string
---@field path string             absolute; the name of a manifest that is built in
---@field options pgorch.batch.Options
---@field rows pgorch.batch.Row[]

local LARGEST = 64 << 20

local function base_of(path) return path:match "[^/]*$" end

local function folder_of(path) return path:match "^(.*)/[^/]*$" or "." end

-- --- names ---

local NAME = "^[%w][%w_.%-]*$"

local function check_name(name, path)
  if type(name) == "string" and name:match(NAME) and #name <= 60 then return name end
  fail.raise("PGO-BATCH", ("%s: `%s` cannot be the name of a batch"):format(base_of(path), tostring(name)),
    { cure = "Up to 60 letters, digits, _, - and . make one: give it by --name." })
end

local function stem(path) return (base_of(path):gsub("%.%w+$", "")) end

local function is_built_in(path) return not path:find("/", 1, true) and not path:find("%.%w+$") end

-- --- the kinds ---

local function read_text(path)
  if not fs.exists(path) then fail.raise("PGO-BATCH", ("there is no manifest %s"):format(path)) end
  return fs.read(path, LARGEST)
end

local function header(records, path, found)
  local names, seen = {}, {}
  for i, cell in ipairs(records[1] or {}) do
    local name = cell:match "^%s*(.-)%s*$"
    local key = name:gsub("-", "_")
    if name == "" then found:add(path .. ", line 1", ("column %d has no name"):format(i)) end
    if seen[key] then found:add(path .. ", line 1", ("column %s is there twice"):format(name)) end
    names[i], seen[key] = name, true
  end
  return names
end

-- An empty cell is not given.
local function fields_of(record, names)
  local fields = {}
  for i, name in ipairs(names) do
    local cell = (record[i] or ""):match "^%s*(.-)%s*$"
    if cell ~= "" and name ~= "" then fields[name] = cell end
  end
  return fields
end

local function read_csv(path, found)
  local shown, records, why = base_of(path), csv.parse(read_text(path))
  if not records then fail.raise("PGO-BATCH", ("%s: %s"):format(shown, why)) end
  local names, given = header(records, shown, found), {}
  for i = 2, #records do
    local record = records[i]
    local place = ("%s, line %d"):format(shown, record.line)
    if #record > #names then found:add(place, ("%d cells, but %d columns have names"):format(#record, #names)) end
    given[#given + 1] = { place = place, fields = fields_of(record, names) }
  end
  return { rows = given }
end

local function is_list(value)
  if type(value) ~= "table" then return false end
  for key in pairs(value) do
    if math.type(key) ~= "integer" then return false end
  end
  return true
end

-- Rows of JSON and of Lua, with their places.
local function placed(list, shown, found)
  local given = {}
  if not is_list(list) then
    found:add(shown, "`rows` is no list of rows")
    return given
  end
  for i, fields in ipairs(list) do
    local place = ("%s, row %d"):format(shown, i)
    if type(fields) ~= "table" or is_list(fields) then
      found:add(place, "a row is a table: { id = ..., recipe = ... }")
    else
      given[#given + 1] = { place = place, fields = fields }
    end
  end
  return given
end

local function with_rows(spec, path, found)
  local wrong = {}
  batch.check_fields(spec, wrong)
  table.sort(wrong)
  for _, text in ipairs(wrong) do found:add(base_of(path), text) end
  spec.rows = placed(spec.rows or {}, base_of(path), found)
  return spec
end

local function read_json(path, found)
  local ok, spec = pcall(json.decode, read_text(path))
  if not ok then fail.raise("PGO-BATCH", ("%s: %s"):format(base_of(path), spec.message or tostring(spec))) end
  if is_list(spec) then spec = { rows = spec } end
  return with_rows(spec, path, found)
end

local function run_child(path, argv)
  local options_of_child = { native.executable(), "batch", "rows", path, check = false, stderr = "inherit",
                             limit = LARGEST }
  table.move(argv, 1, #argv, #options_of_child + 1, options_of_child)
  local child = process.run(options_of_child)
  local ok, said = pcall(json.decode, child.stdout)
  if not ok or child.truncated then
    fail.raise("PGO-BATCH", ("%s: its rows could not be made: the process ended with status %d"):format(base_of(path),
      child.code))
  end
  if said.error then fail.raise(said.error.id, said.error.message, said.error) end
  return said
end

-- --- Lua: in the process that evaluates it ---

-- Where the secrets are, as a row names it: {token_env = "VULTR_API_KEY"}.
local function references(places)
  local list = {}
  for name, place in pairs(places) do
    local form, where = next(place)
    list[name .. "_" .. form] = form == "file" and values.absolute(where) or where
  end
  return list
end

local function params_of(made, argv)
  local state = arguments.parse(argv, arguments.flags(made.params, flags.LIST))
  if #state.words > 0 then
    table.insert(state.problems, 1, "too many words: " .. table.concat(state.words, " "))
  end
  local given, places = arguments.resolve(made.params, state)
  if #state.problems > 0 then fail.raise("PGO-USAGE", table.concat(state.problems, "; ")) end
  for name, value in pairs(secrets.read(places)) do given[name] = value end
  return given, references(places), state.host
end

-- A secret in a row would be written into the record: its field is named, its value cannot be.
local function without_secrets(list, shown)
  for i, fields in ipairs(type(list) == "table" and list or {}) do
    for name, value in pairs(type(fields) == "table" and fields or {}) do
      if type(value) == "userdata" or type(value) == "function" then
        fail.raise("PGO-BATCH", ("%s, row %d: %s is a %s: a secret is given by where it is, as %s_env"):format(shown, i,
          tostring(name), type(value) == "userdata" and "secret" or "function", tostring(name)))
      end
    end
  end
  return list
end

---Evaluates a Lua manifest here: its fields, its rows, and the flags of pgorch among the words.
---@param path string
---@param argv string[]   parameters of the manifest and flags
---@return table spec   for JSON
function M.evaluate(path, argv)
  local made = loader.load_batch(path)
  local given, where, host = params_of(made, argv)
  local spec = { host = host, path = made.path, rows = made.rows }
  for field, value in pairs(made) do
    if batch.OPTIONS[field] or field == "name" then spec[field] = value end
  end
  if type(spec.rows) == "function" then spec.rows = spec.rows(given, where) end
  spec.rows = json.array(without_secrets(spec.rows, base_of(path)))
  return spec
end

local function read_lua(path, argv, found)
  local spec = run_child(path, argv)
  local host = spec.host
  spec.host, spec.path = nil, nil
  return with_rows(spec, path, found), host
end

-- --- all of it ---

local READERS = { csv = read_csv, json = read_json }

local function read_spec(path, argv, found)
  local kind = path:match "%.(%w+)$"
  if kind == "lua" or is_built_in(path) then return read_lua(path, argv, found) end
  if not READERS[kind] then
    fail.raise("PGO-BATCH", ("%s: a manifest is a .csv, .json or .lua file"):format(path))
  end
  local state = arguments.parse(argv, arguments.flags({}, flags.LIST))
  for _, word in ipairs(state.words) do state.problems[#state.problems + 1] = "too many words: " .. word end
  if #state.problems > 0 then fail.raise("PGO-USAGE", table.concat(state.problems, "; ")) end
  return READERS[kind](path, found), state.host
end

local function options_of(spec, host, shown, found)
  flags.apply(spec, host)
  local given, wrong = {}, {}
  for name, kind in pairs(batch.OPTIONS) do
    if type(spec[name]) == kind then given[name] = spec[name] end
  end
  local made = options.read(given, wrong)
  table.sort(wrong)
  for _, text in ipairs(wrong) do found:add(shown, text) end
  return made
end

local function read_rows(spec, path, found)
  local list, o = {}, { folder = is_built_in(path) and "." or folder_of(values.absolute(path)), recipes = {} }
  for _, given in ipairs(spec.rows) do
    local row, wrong = rows.read(given, o)
    for _, text in ipairs(wrong) do found:add(given.place, text) end
    list[#list + 1] = row
  end
  return list
end

---Reads a manifest and the words after it. Raises PGO-BATCH with everything that is wrong with it.
---@param path string
---@param argv string[]  flags of pgorch, and parameters of a Lua manifest
---@return pgorch.batch.Manifest manifest
---@return table host    the flags
function M.read(path, argv)
  local found = problems.new()
  local spec, host = read_spec(path, argv, found)
  local shown = base_of(path)
  local name = check_name(host.name or spec.name or stem(path), path)
  local made = options_of(spec, host, shown, found)
  local list = read_rows(spec, path, found)
  if #spec.rows == 0 and #found:lines() == 0 then found:add(shown, "there are no rows") end
  relations.check(list, made, found)
  found:raise(shown)
  return { name = name, path = is_built_in(path) and path or values.absolute(path), options = made, rows = list }, host
end

---The name of a batch, from its manifest: no row of it is looked at.
---@param path string
---@return string
function M.name_of(path)
  local kind = path:match "%.(%w+)$"
  if kind == "lua" then return check_name(loader.load_batch(path).name or stem(path), path) end
  local ok, spec = pcall(function() return kind == "json" and json.decode(read_text(path)) or {} end)
  return check_name(ok and type(spec.name) == "string" and spec.name or stem(path), path)
end

return M
