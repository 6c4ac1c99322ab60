-- pgorch demo: the Vultr recipe from end to end in a sandbox, run by pgorch as a child, exactly as a user would.

local env     = require "pgorch.env"
local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local term    = require "pgorch.term"
local world_command = require "pgorch.command.sandbox"

local command = { summary = "move a sample database end to end, on this machine alone" }

command.usage = [[pgorch demo [OPTION...] [-- ARGUMENT...]

Takes the options of `pgorch sandbox`; what follows -- is added to `pgorch run vultr`.
]]

command.flags = world_command.flags

local RUN = { "run", "vultr", "--instance", "demo", "--app", "demo-app", "--plan", "essential-1", "--yes-cut-over" }

local function line(format, ...)
  term.err(format:format(...) .. "\n")
end

function command.run(arguments)
  local options, more = world_command.parse(arguments)
  local state = fs.mkdtemp "/tmp/pgorch-demo-"
  line "starting a local world: two PostgreSQL clusters; Heroku, Vultr, Linode and S3 stand-ins ..."
  local status = world_command.in_world(options, function(world)
    local words = { host.executable() }
    for _, word in ipairs(RUN) do words[#words + 1] = word end
    for _, word in ipairs(more) do words[#words + 1] = word end
    line("\n$ pgorch %s", table.concat(words, " ", 2))
    return world_command.run_in(world, words, { XDG_STATE_HOME = state,
      PGORCH_STATE = "sqlite:" .. state .. "/state.db", PGORCH_POLL_SCALE = env.get "PGORCH_POLL_SCALE" or "0.05" })
  end)
  line("\nThe local world is gone. The run's record is kept in %s", state)
  line("    PGORCH_STATE=sqlite:%s/state.db pgorch status", state)
  return status
end

return command
