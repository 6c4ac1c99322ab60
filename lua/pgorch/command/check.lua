-- pgorch check RECIPE: everything that a run would check before it touches anything, as one table. Changes nothing:
-- there is no run, no record, no file, and only reading requests are sent, unless --open-allow-list asks for more.

local help       = require "pgorch.help"
local inspection = require "pgorch.runner.inspection"
local invocation = require "pgorch.invocation"
local inspect    = require "pgorch.preflight.inspect"
local fail       = require "pgorch.error"
local fs         = require "pgorch.fs"
local report     = require "pgorch.preflight.report"
local task       = require "pgorch.task"
local term       = require "pgorch.term"

local command = {
  takes_flags = true,
  summary = "look for what stands in the way of a move, without touching anything",
  usage = "pgorch check RECIPE [--PARAMETER VALUE ...] [FLAGS]   `pgorch check RECIPE --help` explains the parameters",
}

command.flags = {
  { name = "open-allow-list", type = "boolean",
    help = "put this machine on a closed allow list, and take it out again" },
  { name = "sql", type = "string", value = "not-carried|FILE",
    help = "SQL that makes again what a move leaves behind: printed in place of the table, or put into a file" },
  { name = "json", type = "boolean", help = "JSON Lines on standard output" },
  { name = "no-color", type = "boolean", help = "no colour" },
  { name = "quiet", short = "q", type = "boolean", help = "only failures and the last line" },
  { name = "verbose", short = "v", type = "boolean", help = "name every check that passed" },
  { name = "help", short = "h", type = "boolean", help = "this text" },
}

local PRINTED = "not-carried"

local function put_sql(seen, where)
  if not seen.sql then return term.err("no SQL: the source could not be looked into\n") end -- a failure says why
  if where == PRINTED then return term.out(seen.sql) end
  fs.write(where, seen.sql)
  term.err(("what is left behind is in %s\n"):format(where))
end

local TRANSIENT = { net = true, timeout = true }

-- A service that is away is no finding: said, with the status for trouble that passes.
local function inspected(o)
  local ok, seen = pcall(inspect.all, inspection.new { recipe = o.recipe, params = o.params }, {
    open_allow_list = o.host["open-allow-list"], sql = o.host.sql ~= nil,
    say = function(text) o.display:emit("message", { text = text }) end })
  if ok then return seen end
  local why = fail.wrap(seen)
  if task.cancelled(why) or not (why.retryable or TRANSIENT[why.kind]) then error(seen, 0) end
  o.display:emit("failed", { error = why })
end

---@param arguments string[]
---@return integer status
function command.run(arguments)
  local o, recipe = invocation.new(arguments, command.flags)
  if not o then
    term.out(help.recipe(recipe, { verb = "check", flags = command.flags }))
    return 0
  end
  local wish = o.host.sql
  if wish == PRINTED and o.host.json then
    fail.raise("PGO-USAGE", "--sql not-carried and --json both print", { cure = "Name a file: --sql FILE" })
  end
  local seen = inspected(o)
  if not seen then return 6 end
  local write = wish == PRINTED and term.err or term.out       -- standard output is for the SQL then
  report.write(seen, { host = o.host, display = o.display, write = write })
  if wish then put_sql(seen, wish) end
  return seen.found:count "fail" > 0 and 4 or 0
end

return command
