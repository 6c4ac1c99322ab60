-- pgorch repl: a prompt for Lua that may wait.

local fail = require "pgorch.error"
local repl = require "pgorch.repl"

local command = { summary = "try the library at a prompt", usage = [[pgorch repl

  > conn = pg.connect(env.secret "SOURCE_DATABASE_URL")
  > conn:query "select * from pg_stat_activity"
  > =fs.free_space "/"                       what a line gives is shown; so it is without the =

Modules of the library are there by their names. What is not complete is gone on with. Names stay that are not local.
Ctrl-C cancels what runs, Ctrl-D leaves. What was typed is kept in $XDG_STATE_HOME/pgorch/repl_history, or in the file
that PGORCH_HISTORY names: not what holds a secret or looks like it, nor what begins with a space. Without a terminal a
script is read, line by line; the status is 1 when something of it fails.]] }

---@param argv string[]
---@return integer status
function command.run(argv)
  if #argv > 0 then fail.raise("PGO-USAGE", ("%s: not expected"):format(argv[1]), { cure = "usage: pgorch repl" }) end
  return repl.run()
end

return command
