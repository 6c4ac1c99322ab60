-- Where in the files of its author a recipe's code raised an error. A mistake of Lua says so itself; an error of the
-- library (an answer of 404, a query that fails) was raised deep inside of it, and its author looks for his own line.

local fail = require "pgorch.error"

local place = {}

local MOST = 3                          -- the line itself, and who called it

local function is_library(source) return source:find "^@pgorch/" ~= nil or source:sub(1, 1) ~= "@" end

---Lines of files that are not the library's, the innermost first: "lua/acme.lua:14, called by acme.lua:31".
---@return string|nil  nil: no such file takes part
function place.here()
  local list, level = {}, 2
  repeat
    local info = debug.getinfo(level, "Sl")
    if info and info.currentline > 0 and not is_library(info.source) then
      local line = ("%s:%d"):format(info.source:sub(2), info.currentline)
      list[#list + 1] = line ~= list[#list] and line or nil
    end
    level = level + 1
  until not info or #list == MOST
  return list[1] and table.concat(list, ", called by ")
end

local function handler(err)
  if not fail.is(err) then return fail.handler(err) end
  err.at = err.at or place.here()
  return err
end

---fn(...), a function of a recipe: the errors that it raises say in `at` where they were raised.
---@param fn function
---@param ... any
---@return any
function place.call(fn, ...)
  local results = table.pack(xpcall(fn, handler, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  error(results[2], 0)
end

return place
