-- pgorch lint FILE...: mistakes in recipes and their modules, found without running them.

local arguments = require "pgorch.recipe.arguments"
local clock     = require "pgorch.clock"
local fail      = require "pgorch.error"
local json      = require "pgorch.json"
local lint      = require "pgorch.lint"
local native    = require "pgorch.native.host"
local term      = require "pgorch.term"

local command = { takes_flags = true, lua_files = true, summary = "find mistakes in recipes without running them",
                  usage = "pgorch lint FILE... [--json]     exit status: 0 clean, 1 something was found" }

command.flags = {
  { name = "json", type = "boolean", help = "JSON Lines on standard output" },
  { name = "help", short = "h", type = "boolean", help = "this text" },
}

local FORMAT = 1

local function event(kind, fields)
  fields.event = kind
  term.out(json.encode(fields) .. "\n")
end

local function show(finding)
  term.out(("%s:%d:%d: %s (%s)\n"):format(finding.file, finding.line, finding.column, finding.message, finding.rule))
end

-- A module that several recipes require is looked at with each, and spoken of once.
local function all_of(paths)
  local list, seen = {}, {}
  for _, path in ipairs(paths) do
    for _, finding in ipairs(lint.file(path)) do
      local key = table.concat({ finding.file, finding.line, finding.column, finding.rule, finding.message }, "\0")
      if not seen[key] then list[#list + 1] = finding end
      seen[key] = true
    end
  end
  return list
end

---@param argv string[]
---@return integer status
function command.run(argv)
  local state = arguments.parse(argv, arguments.flags({}, command.flags))
  if #state.words == 0 then state.problems[#state.problems + 1] = "no file is named" end
  if #state.problems > 0 then
    fail.raise("PGO-USAGE", table.concat(state.problems, "; "), { cure = "usage: " .. command.usage })
  end
  local found = all_of(state.words)
  if state.host.json then event("version", { pgorch = native.version, format = FORMAT, at = clock.iso() }) end
  for _, finding in ipairs(found) do
    if state.host.json then event("finding", finding) else show(finding) end
  end
  return #found > 0 and 1 or 0
end

return command
