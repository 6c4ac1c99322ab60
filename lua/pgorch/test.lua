-- describe / it / expect: a test file is run by `pgorch test FILE` and prints TAP. Each `it` runs in a scope
-- of its own with a time limit; one that leaves a task running fails by the group's own rules.

local task = require "pgorch.task"
local fail = require "pgorch.error"
local term = require "pgorch.native.term"

local test = {}

local function show(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) ~= "table" or fail.is(value) then return tostring(value) end
  local parts = {}
  for key, each in pairs(value) do parts[#parts + 1] = ("%s = %s"):format(tostring(key), show(each)) end
  table.sort(parts)
  return "{" .. table.concat(parts, ", ") .. "}"
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

local function miss(format, ...)
  local values = table.pack(...)
  for i = 1, values.n do values[i] = show(values[i]) end
  error(format:format(table.unpack(values, 1, values.n)), 4)
end

-- expect(x).is(y): each matcher takes the value as its first argument; the dot binds it.
local matchers = {}
local Expectation = {}

function Expectation:__index(name)
  if name == "value" then return nil end -- the value is nil
  local matcher = matchers[name] or fail.raise("PGO-LUA", ("there is no matcher `%s`"):format(name))
  return function(first, ...)
    if first == self then return matcher(self, ...) end
    return matcher(self, first, ...)
  end
end

function matchers:is(other)
  if self.value ~= other then miss("expected %s, got %s", other, self.value) end
end

function matchers:is_not(other)
  if self.value == other then miss("did not expect %s", other) end
end

---Equal in depth.
function matchers:same(other)
  if not same(self.value, other) then miss("expected %s, got %s", other, self.value) end
end

---A string that has the Lua pattern.
function matchers:matches(pattern)
  if not tostring(self.value):find(pattern) then miss("expected something like %s, got %s", pattern, self.value) end
end

---A string that has the text.
function matchers:has(text)
  if not tostring(self.value):find(text, 1, true) then miss("expected %s in %s", text, self.value) end
end

---A string without the text.
function matchers:lacks(text)
  if tostring(self.value):find(text, 1, true) then miss("did not expect %s in %s", text, self.value) end
end

function matchers:is_true()
  if not self.value then miss("expected something true, got %s", self.value) end
end

function matchers:is_nil()
  if self.value ~= nil then miss("expected nil, got %s", self.value) end
end

function matchers:above(number)
  if self.value <= number then miss("expected more than %s, got %s", number, self.value) end
end

function matchers:below(number)
  if self.value >= number then miss("expected less than %s, got %s", number, self.value) end
end

---A function that raises the error with that id; returns the error.
function matchers:raises(id)
  local ok, err = xpcall(self.value, fail.handler)
  if ok then miss("expected the error %s, nothing was raised", id) end
  if id and err.id ~= id then miss("expected the error %s, got %s", id, err) end
  return err
end

local function expect(value)
  return setmetatable({ value = value }, Expectation)
end

local Skip = {}

---Ends the running test as skipped, and says why.
function test.skip(why)
  error(setmetatable({ why = why }, Skip), 0)
end

local function tap(number, name, ok, err)
  if ok then
    term.out(("ok %d - %s\n"):format(number, name))
  elseif getmetatable(err) == Skip then
    term.out(("ok %d - %s # SKIP %s\n"):format(number, name, err.why))
  else
    local text = tostring(err) .. (type(err) == "table" and err.detail and "\n" .. tostring(err.detail) or "")
    term.out(("not ok %d - %s\n%s\n"):format(number, name, (text:gsub("[^\n]+", "#   %0"))))
  end
end

-- Collects what the file declares.
local function collect(chunk_environment)
  local cases, path, hooks = {}, {}, {}
  function chunk_environment.describe(name, body)
    path[#path + 1] = name
    hooks[#hooks + 1] = {}
    body()
    path[#path], hooks[#hooks] = nil, nil
  end
  function chunk_environment.before(fn) hooks[#hooks].before = fn end
  function chunk_environment.after(fn) hooks[#hooks].after = fn end
  function chunk_environment.it(name, body, options)
    local around = { table.unpack(hooks) }
    local title = table.concat(path, " ") .. (#path > 0 and " " or "") .. name
    cases[#cases + 1] = { title = title, body = body, hooks = around, limit = options and options.limit or 120 }
  end
  chunk_environment.expect, chunk_environment.skip = expect, test.skip
  return cases
end

local function run_hooks(hooks, name)
  for _, each in ipairs(hooks) do
    if each[name] then each[name]() end
  end
end

local function keep_skip(err) return getmetatable(err) == Skip and err or fail.handler(err) end

-- A skip is carried out of the scope as a value: errors that leave a scope are made error tables.
local function run_case(case)
  local ok, outcome = xpcall(task.timeout, fail.handler, case.limit, function()
    run_hooks(case.hooks, "before")
    local passed, err = xpcall(case.body, keep_skip)
    run_hooks(case.hooks, "after")
    if not passed and getmetatable(err) ~= Skip then error(err, 0) end
    return not passed and err or nil
  end)
  if ok and outcome then return false, outcome end
  return ok, outcome
end

---Runs the tests of a source text. Returns the number of cases that passed, failed and were skipped.
---@param source string
---@param name string
---@param environment table  globals that the file sees beside the usual ones
function test.run(source, name, environment)
  local globals = setmetatable({}, { __index = function(_, key)
    local value = environment[key]
    if value == nil then value = _G[key] end
    return value
  end })
  local cases = collect(globals)
  local chunk, problem = load(source, "@" .. name, "t", globals)
  if not chunk then fail.raise("PGO-LUA", problem) end
  chunk()
  local counts = { passed = 0, failed = 0, skipped = 0 }
  for number, case in ipairs(cases) do
    local ok, err = run_case(case)
    local outcome = ok and "passed" or getmetatable(err) == Skip and "skipped" or "failed"
    counts[outcome] = counts[outcome] + 1
    tap(number, case.title, ok, err)
    if task.cancelled(err) then break end
  end
  term.out(("1..%d\n"):format(#cases))
  return counts
end

return test
