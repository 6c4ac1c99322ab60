-- pgorch eval CODE: runs a piece of Lua as a task, and prints what it returns.

local fail = require "pgorch.error"

local command = { summary = "run a piece of Lua", usage = "pgorch eval CODE" }

function command.run(arguments)
  if #arguments ~= 1 then fail.raise("PGO-USAGE", command.usage) end
  local chunk, problem = load("return " .. arguments[1], "=(eval)", "t")
  if not chunk then chunk, problem = load(arguments[1], "=(eval)", "t") end
  if not chunk then fail.raise("PGO-LUA", problem) end
  local results = table.pack(chunk())
  if results.n > 0 then print(table.unpack(results, 1, results.n)) end
  return 0
end

return command
