-- Loads recipes, and manifests of batches: a file, or one that is built in. The top level of one runs in a coroutine of
-- its own, outside of any task (whatever waits raises PGO-AWAIT), with a small set of globals, bounded in instructions
-- and memory. It hands out files to `require` by yielding to the task that loads; it never runs a step.

local batch       = require "pgorch.batch"
local crypto      = require "pgorch.crypto"
local fail        = require "pgorch.error"
local fs          = require "pgorch.fs"
local recipe      = require "pgorch.recipe"
local environment = require "pgorch.recipe.environment"
local resource    = require "pgorch.resource"
local values      = require "pgorch.recipe.values"

local load_recipe = {}

local LARGEST = 1 << 20 -- of one file

-- What loads now, innermost last: {folder, path, files, thread}. One load at a time: the top level never waits.
local stack = {}

local function folder_of(path) return path:match("^(.*)/[^/]*$") or "." end

-- What a file may return, and what it is called.
local RECIPE = { is = recipe.is, returns = "no recipe { ... }" }
local BATCH  = { is = batch.is, returns = "no batch { ... }" }

-- Of those that are built in, the ones that are no recipe.
local MANIFESTS = { batch = true }

---The names of the built-in recipes.
---@return string[]
function load_recipe.built_in()
  local names = {}
  for _, path in ipairs(resource.list("recipes/")) do
    local name = path:match("^recipes/([%w_%-]+)%.lua$")
    if not MANIFESTS[name] then names[#names + 1] = name end
  end
  return names
end

local function unknown(name)
  local names = load_recipe.built_in()
  fail.raise("PGO-RECIPE", ("there is no recipe %s%s"):format(name, values.hint(name, names, "%s")),
    { detail = #names > 0 and "built in: " .. table.concat(names, ", ") or nil,
      cure = "Name a file (with its path or .lua), or a built-in recipe." })
end

-- Text of a file, or nil. Inside a load the task that drives it reads; in a step there is a task to wait in.
local function read(path)
  local loading = stack[#stack]
  if loading and coroutine.running() == loading.thread then return coroutine.yield(path) end
  if fs.exists(path) then return fs.read(path, LARGEST) end
end

local function compile(text, path, globals)
  local chunk, problem = load(text, "@" .. path, "t", globals)
  if not chunk then
    local at = problem:find(path, 1, true) and "" or path .. ": "
    fail.raise("PGO-RECIPE", ("syntax: %s%s"):format(at, problem))
  end
  return chunk
end

-- `require` of a recipe: its lua/ folder, beside it (never itself), then the library.
local function requirer(unit)
  local loaded = {}
  return function(name)
    if type(name) ~= "string" or not name:match("^[%w_][%w_.%-]*$") or name:find("..", 1, true) then
      fail.raise("PGO-RECIPE", ("require: %q is no module name"):format(tostring(name)))
    end
    if loaded[name] ~= nil then return loaded[name] end
    local file = name:gsub("%.", "/") .. ".lua"
    for _, path in ipairs(unit.folder and { unit.folder .. "/lua/" .. file, unit.folder .. "/" .. file } or {}) do
      local text = path ~= unit.path and read(path)
      if text then
        unit.files[#unit.files + 1] = { path = path, text = text }
        local value = compile(text, path, unit.globals)(name, path)
        loaded[name] = value == nil and true or value
        return loaded[name]
      end
    end
    local ok, value = pcall(require, name)
    if not ok and type(value) == "string" and value:find(("module '%s' not found"):format(name), 1, true) then
      fail.raise("PGO-RECIPE", ("require: module '%s' not found in %sthe library"):format(name,
        unit.folder and ("%s/lua, %s or "):format(unit.folder, unit.folder) or ""))
    end
    if not ok then error(value, 0) end
    loaded[name] = value
    return value
  end
end

local function hash_of(files)
  local parts = {}
  for _, file in ipairs(files) do
    parts[#parts + 1] = file.path:match("[^/]*$") .. "\0" .. #file.text .. "\0" .. file.text
  end
  table.sort(parts)
  return crypto.sha256(table.concat(parts))
end

-- Each file with its digest, named as seen from the recipe's folder: what `pgorch resume` compares.
local function digests_of(files, folder)
  local digests = {}
  for _, file in ipairs(files) do
    local name, prefix = file.path, folder and folder .. "/"
    if prefix and name:sub(1, #prefix) == prefix then name = name:sub(#prefix + 1) end
    digests[name] = crypto.sha256(file.text)
  end
  return digests
end

-- Runs one recipe file inside the loading coroutine; a base runs inside the load of its child.
local function run_unit(path, folder, text, files, thread, kind)
  for _, each in ipairs(stack) do
    if each.path == path then fail.raise("PGO-RECIPE", ("%s inherits from itself"):format(path)) end
  end
  local unit = { path = path, folder = folder, files = files, thread = thread }
  files[#files + 1] = { path = path, text = text }
  unit.globals = environment.new(requirer(unit))
  stack[#stack + 1] = unit
  local made = compile(text, path, unit.globals)(path)
  stack[#stack] = nil
  if not kind.is(made) then fail.raise("PGO-RECIPE", ("%s: the file returns %s"):format(path, kind.returns)) end
  return made
end

---The recipe that another inherits from: the file beside it, then the built-in one. For recipe.from alone.
---@param name string
---@return pgorch.Recipe
function load_recipe.base(name)
  local unit = stack[#stack]
  if not unit then fail.raise("PGO-RECIPE", "recipe.from works while a recipe loads") end
  local path = unit.folder and ("%s/%s"):format(unit.folder, name:find("%.lua$") and name or name .. ".lua")
  local text = path and path ~= unit.path and read(path)
  if text then return run_unit(path, folder_of(path), text, unit.files, unit.thread, RECIPE) end
  path = "recipes/" .. name .. ".lua"
  text = resource.find(path)
  if not text then unknown(name) end
  return run_unit(path, nil, text, unit.files, unit.thread, RECIPE)
end

-- Where in the recipe an error came from; the library's own frames are passed over.
local function place(thread, known)
  for level = 0, 50 do
    local info = debug.getinfo(thread, level, "Sl")
    if not info then return "" end
    if info.currentline > 0 and known[info.source:sub(2)] then
      return ("%s:%d: "):format(info.source:sub(2), info.currentline)
    end
  end
  return ""
end

local function rethrow(thread, err, files, path)
  local known = {}
  for _, file in ipairs(files) do known[file.path] = true end
  if fail.is(err, "PGO-RECIPE") then
    if not err.message:find(path, 1, true) then
      local at = place(thread, known)
      err.message = (at ~= "" and at or path .. ": ") .. err.message
    end
    error(err, 0)
  end
  local message = fail.is(err) and ("%s%s (%s)"):format(place(thread, known), err.message, err.id)
    or type(err) == "string" and err or "the file raised a " .. type(err)
  local cure = fail.is(err) and fail.cure(err)
  fail.raise("PGO-RECIPE", message, { cause = err, cure = cure ~= "" and cure or nil })
end

-- Drives the coroutine: each time that it yields a path, the file is read here, in the task.
local function drive(path, folder, text, kind)
  local files, thread = {}, nil
  thread = coroutine.create(function() return run_unit(path, folder, text, files, thread, kind) end)
  environment.bound(thread)
  local outer, inner = stack, {}
  stack = inner
  local ok, value = coroutine.resume(thread)
  while ok and coroutine.status(thread) == "suspended" do
    local wanted = value
    stack = outer
    local found = fs.exists(wanted) and fs.read(wanted, LARGEST) or nil
    stack = inner
    ok, value = coroutine.resume(thread, found)
  end
  stack = outer
  environment.unbound(thread)
  if not ok then rethrow(thread, value, files, path) end
  value.path, value.folder, value.hash, value.files = path, folder, hash_of(files), digests_of(files, folder)
  return value
end

local function load_as(kind, name)
  if name:find("/", 1, true) or name:find("%.lua$") then
    if not fs.exists(name) then unknown(name) end
    if fs.stat(name).type == "directory" then fail.raise("PGO-RECIPE", name .. " is a folder, not a recipe") end
    return drive(name, folder_of(name), fs.read(name, LARGEST), kind)
  end
  local path = "recipes/" .. name .. ".lua"
  local text = resource.find(path)
  if not text then unknown(name) end
  return drive(path, nil, text, kind)
end

---Loads RECIPE: a file, or the name of a built-in one.
---@param name string
---@return pgorch.Recipe
function load_recipe.load(name)
  if MANIFESTS[name] then
    fail.raise("PGO-RECIPE", ("%s is no recipe, but moves many databases by one"):format(name),
      { cure = ("Use it so: `pgorch batch run %s`."):format(name) })
  end
  return load_as(RECIPE, name)
end

---Loads the manifest of a batch that is written in Lua: a file, or the name of one that is built in. Its rows are not
---asked for.
---@param name string
---@return pgorch.Batch
function load_recipe.load_batch(name)
  local ok, made = pcall(load_as, BATCH, name)
  if ok then return made end
  if not fail.is(made, "PGO-RECIPE") then error(made, 0) end
  fail.raise("PGO-BATCH", made.message, { detail = made.detail, cause = made.cause })
end

return load_recipe
