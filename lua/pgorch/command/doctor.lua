-- pgorch doctor: what is missing or wrong on this machine, and how to mend it.

local arguments  = require "pgorch.recipe.arguments"
local doctor     = require "pgorch.doctor"
local fail       = require "pgorch.error"
local invocation = require "pgorch.invocation"
local native     = require "pgorch.native.host"
local preflight  = require "pgorch.preflight"
local progress   = require "pgorch.runner.progress"
local report     = require "pgorch.preflight.report"
local term       = require "pgorch.term"

local command = { takes_flags = true, summary = "say what is missing on this machine, and how to mend it",
                  usage = "pgorch doctor [FLAGS]     exit status: 0 all is well, 1 something has to be mended" }

command.flags = invocation.flags_for_help({
  { name = "online", type = "boolean", help = "ask Heroku whether HEROKU_API_KEY is valid" },
  { name = "host", type = "string", value = "URL", help = "compare this machine's clock with that of a host" },
  { name = "json", type = "boolean", help = "JSON Lines on standard output" },
}, {})

local function parse(argv)
  local state = arguments.parse(argv, arguments.flags({}, command.flags))
  for _, word in ipairs(state.words) do state.problems[#state.problems + 1] = word .. ": not expected" end
  if #state.problems > 0 then
    fail.raise("PGO-USAGE", table.concat(state.problems, "; "), { cure = "usage: " .. command.usage })
  end
  return state.host
end

local function last_line(found)
  local failed, warned = found:count "fail", found:count "warn"
  if failed > 0 then return ("%s to mend"):format(preflight.number(failed, "thing")) end
  return "nothing to mend" .. (warned > 0 and ", " .. preflight.number(warned, "warning") or "")
end

local function write(found, host)
  local out, display = {}, progress.new(host)
  if host.json then
    report.finding_events(out, found)
    return term.out(table.concat(out))
  end
  report.findings(out, found, { verbose = not host.quiet, quiet = host.quiet }, report.painter(display))
  out[#out + 1] = last_line(found)
  term.out(("pgorch %s\n"):format(native.version) .. table.concat(out, "\n") .. "\n")
end

---@param argv string[]
---@return integer status
function command.run(argv)
  local host = parse(argv)
  local found = doctor.look { record = invocation.store_url(host), host = host.host, online = host.online }
  write(found, host)
  return found:count "fail" > 0 and 1 or 0
end

return command
