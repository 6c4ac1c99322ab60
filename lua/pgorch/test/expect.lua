-- What a test expects: expect(x).is(y), .same, .matches, .has, ... A value that is not what it has to be raises, with
-- the line of the test that says so. Knows nothing of tests.

local fail  = require "pgorch.error"
local place = require "pgorch.runner.place"

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
  fail.raise("PGO-TEST", format:format(table.unpack(values, 1, values.n)), { at = place.here() })
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

---@param value any
return function(value)
  return setmetatable({ value = value }, Expectation)
end
