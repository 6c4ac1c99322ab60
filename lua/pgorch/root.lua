-- The root task: what the public API starts. Takes every error, prints it once, and gives an exit status.

local fail = require "pgorch.error"
local term = require "pgorch.native.term"

local root = {}

local function report(err)
  err = fail.wrap(err)
  term.err(("pgorch: %s%s\n"):format(err.step and ("step %s: "):format(err.step) or "", tostring(err)))
  if err.at then term.err(("    at: %s\n"):format(err.at)) end
  if err.detail then term.err((tostring(err.detail):gsub("[^\n]+", "    %0")) .. "\n") end
  local cure = fail.cure(err)
  if cure ~= "" then term.err(("    cure: %s\n"):format(cure)) end
end

-- What can be tried again is trouble outside. So is that of the record: where it cannot be written, nothing was put
-- back, and what a run has closed is closed.
local statuses = { usage = 2, cancelled = 8, preflight = 4, locked = 7, verify = 5, net = 6, store = 6 }

local function guarded(finish, fn, ...)
  local results = table.pack(xpcall(fn, fail.handler, ...))
  if results[1] then
    return finish(math.type(results[2]) == "integer" and results[2] or 0)
  end
  report(results[2])
  finish(statuses[results[2].kind] or results[2].retryable and 6 or 1)
end

---The command line: arguments without the program's name.
function root.main(finish, arguments)
  guarded(finish, function() return require("pgorch.command").main(arguments) end)
end

---Source code and a name for it.
function root.eval(finish, arguments)
  guarded(finish, function()
    local chunk, problem = load(arguments[1], "=" .. arguments[2], "t")
    if not chunk then fail.raise("PGO-LUA", problem) end
    return chunk()
  end)
end

return root
