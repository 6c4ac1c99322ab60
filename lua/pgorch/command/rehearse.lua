-- pgorch rehearse RECIPE: the move with the real source, which is only read, and everything else on this machine. Ends
-- with what each step took and the window to announce.

local help       = require "pgorch.help"
local invocation = require "pgorch.invocation"
local rehearsal  = require "pgorch.rehearsal"
local term       = require "pgorch.term"
local values     = require "pgorch.recipe.values"

local command = {
  takes_flags = true,
  summary = "measure a move: the real source is read, everything else is local",
  usage = "pgorch rehearse RECIPE [--PARAMETER VALUE ...] [FLAGS]   `pgorch rehearse RECIPE --help` explains the "
    .. "parameters",
}

command.flags = invocation.flags_for_help({
  { name = "open-allow-list", type = "boolean",
    help = "put this machine on a closed allow list, and take it out again" },
  { name = "folder", type = "string", value = "DIR", help = "where the local copy lies meanwhile, instead of /tmp" },
  { name = "postgres", type = "string", value = "BINDIR",
    help = "programs of the PostgreSQL server that stands in for the target" },
}, { "json" })

---@param arguments string[]
---@return integer status
function command.run(arguments)
  local o, recipe = invocation.new(arguments, command.flags)
  if not o then
    term.out(help.recipe(recipe, { verb = "rehearse", flags = command.flags }))
    return 0
  end
  o.host.folder = o.host.folder and values.absolute(o.host.folder)
  local store <close> = invocation.open_store(o.host)
  o.store = store
  return rehearsal.run(o)
end

return command
