-- Errors in Lua: tables {id, kind, message, retryable, detail, status, sqlstate, cause, step}. Ids come from
-- host/core/error.def alone. Raise, look, never print: the top level does that once.

local native = require "pgorch.native.error"

local error_module = {}

---@class pgorch.Error
---@field id string        "PGO-RESTORE-LOSSY"
---@field kind string      "pg", "net", "http", "usage", "cancelled", ...
---@field message string   one line, no secret
---@field detail? string   several lines: a server's detail, a child's last words
---@field retryable boolean
---@field status? integer  HTTP status, or a child's exit status
---@field sqlstate? string
---@field cause? any       the error that this one came out of
---@field step? string     id of the step it happened in
---@field at? string       where in the recipe's files it was raised: "lua/acme.lua:14, called by acme.lua:31"
---@field put_back? boolean a full disk that is no reason to keep the run as it is

---Makes an error without raising it.
---@param id string
---@param message? string
---@param fields? table    detail, cause, retryable, status, ...
---@return pgorch.Error
function error_module.new(id, message, fields)
  local entry = native.describe(id)
  if not entry then
    return error_module.new("PGO-BUG", ("there is no error id %s (%s)"):format(tostring(id), tostring(message)))
  end
  local err = { id = id, kind = entry.kind, message = message or entry.what, retryable = false }
  for name, value in pairs(fields or {}) do err[name] = value end
  return native.mark(err)
end

---Raises an error of the table.
function error_module.raise(id, message, fields)
  error(error_module.new(id, message, fields), 0)
end

---True for an error of pgorch, and if `id` is given, for that one.
---@param err any
---@param id? string
function error_module.is(err, id)
  return native.is(err) and (id == nil or err.id == id)
end

---Whatever was raised, as an error table: a plain Lua error becomes PGO-LUA with its place.
---@param err any
---@param trace? string
---@return pgorch.Error
function error_module.wrap(err, trace)
  if native.is(err) then return err end
  local message = type(err) == "string" and err or ("a script raised a %s: %s"):format(type(err), tostring(err))
  return error_module.new("PGO-LUA", message, { detail = trace })
end

---What to do about it: the error's own `cure`, or its table entry's.
---@param err pgorch.Error
---@return string
function error_module.cure(err)
  if err.cure then return err.cure end
  local entry = native.describe(err.id)
  return entry and entry.cure or ""
end

local function filled(text, names) return (text:gsub("%f[%w_%-]%u+%f[^%w_%-]", names)) end

---What a cure leaves open is filled in, RUN, APP and RECIPE, so that it can be pasted; also in commands of its detail.
---@param err pgorch.Error
---@param names table<string, string>
---@return pgorch.Error err
function error_module.complete(err, names)
  local cure = error_module.cure(err)
  if cure ~= "" then err.cure = filled(cure, names) end
  if type(err.detail) == "string" then
    err.detail = err.detail:gsub("`pgorch [^`\n]*`", function(command) return filled(command, names) end)
  end
  return err
end

-- A recipe's author reads the frames down to the step; those of the runner below it say nothing.
local function down_to_the_step(trace)
  local cut = trace:find("\n%s*%[C%]: in function 'xpcall'\n%s*pgorch/runner/") or trace:find("\n%s*pgorch/runner/")
  local upper = cut and trace:sub(1, cut - 1)
  return upper and upper:find "\n" and upper or trace
end

---For xpcall: keeps an error table, adds a traceback to anything else.
function error_module.handler(err)
  if native.is(err) then return err end
  return error_module.wrap(err, down_to_the_step(debug.traceback(nil, 2)))
end

error_module.ids = native.ids
error_module.describe = native.describe

return error_module
