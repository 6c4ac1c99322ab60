-- pgorch run RECIPE: begins a run and works on it until it ends. With the --run-id of one that exists it goes on with
-- that one, if it is the same: whoever starts it again need not know how far it came.

local fail       = require "pgorch.error"
local help       = require "pgorch.help"
local invocation = require "pgorch.invocation"
local notify     = require "pgorch.runner.notify"
local runner     = require "pgorch.runner"
local term       = require "pgorch.term"

local command = {
  takes_flags = true,
  summary = "move a database as a recipe says",
  flags = invocation.FLAGS,
  usage = "pgorch run RECIPE [--PARAMETER VALUE ...] [FLAGS]     `pgorch run RECIPE --help` explains the parameters",
}

-- The run with this very id; a prefix of another's means a new one.
local function existing(store, id)
  if not id then return nil end
  local ok, run = pcall(store.run, store, id)
  if ok then return run.id == id and run or nil end
  if not fail.is(run, "PGO-RUN-UNKNOWN") then error(run, 0) end
end

function command.run(arguments)
  local o, recipe = invocation.new(arguments)
  if not o then
    term.out(help.recipe(recipe))
    return 0
  end
  local store <close> = invocation.open_store(o.host)
  o.store = store
  local run = existing(store, o.host["run-id"])
  if not run then return notify.around(o, nil, function() return runner.start(o) end) end
  o.exact = true
  return notify.around(o, run, function() return runner.go_on(o, run) end)
end

return command
