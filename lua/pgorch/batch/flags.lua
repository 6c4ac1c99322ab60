-- The flags of `pgorch batch validate`, `run` and `submit`: what a CSV file cannot say of the batch as a whole, and
-- what counts over what another manifest says.

local invocation = require "pgorch.invocation"
local values     = require "pgorch.recipe.values"

local flags = {}

flags.LIST = invocation.with({
  { name = "name", type = "string", value = "NAME", help = "what the batch is called; otherwise as its file" },
  { name = "jobs", type = "integer", value = "N", help = "rows at the same time" },
  { name = "per-instance", type = "integer", value = "N", help = "rows of one instance at the same time" },
  { name = "yes-cut-over", type = "boolean", help = "pass the gates of all rows without asking" },
  { name = "gates", type = "string", value = "ask", help = "rows wait at their gates for `pgorch batch approve`" },
  { name = "canary", type = "integer", value = "N", help = "so many rows first; the others wait for approval" },
  { name = "stop-after", type = "integer", value = "N", help = "begin nothing more after so many failures" },
  { name = "opens", type = "string", value = "TIME", help = "begin no row before, as \"Sat 22:00 Europe/Oslo\"" },
  { name = "closes", type = "string", value = "TIME", help = "put back what is not moved by then" },
  { name = "attempts", type = "integer", value = "N", help = "how often a row is tried when trouble passes" },
  { name = "skip-refused", type = "boolean", help = "begin although some rows cannot be moved as they are" },
  { name = "open-allow-list", type = "boolean", help = "put this machine on closed allow lists while it looks" },
  { name = "check", type = "boolean", help = "--no-check: look at the manifest alone" },
  { name = "report", type = "path", value = "DIR", help = "write pages about all rows into a folder" },
  { name = "quiet", short = "q", type = "boolean", help = "only what went wrong, and the summary" },
}, { "state-env", "state-file", "json", "no-color", "verbose" })

-- "jobs" -> limits.jobs
local INSIDE = { jobs = { "limits", "jobs" }, ["per-instance"] = { "limits", "per_instance" },
                 canary = { "canary", "first" }, ["stop-after"] = { "stop_after", "failures" },
                 opens = { "window", "opens" }, closes = { "window", "closes" } }

local PLAIN = { "yes-cut-over", "gates", "attempts", "open-allow-list" }

---What the flags say of the batch, over what its manifest says.
---@param spec table   fields of a manifest; changed
---@param host table
function flags.apply(spec, host)
  for flag, place in pairs(INSIDE) do
    if host[flag] ~= nil then
      local inner = {}
      for name, value in pairs(type(spec[place[1]]) == "table" and spec[place[1]] or {}) do inner[name] = value end
      inner[place[2]] = host[flag]
      spec[place[1]] = inner
    end
  end
  for _, flag in ipairs(PLAIN) do
    if host[flag] ~= nil then spec[(flag:gsub("-", "_"))] = host[flag] end
  end
  if host["skip-refused"] ~= nil then spec.on_refused = host["skip-refused"] and "skip" or "stop" end
end

---The flag that was probably meant.
---@param word string
---@return string|nil
function flags.closest(word)
  local names = {}
  for i, each in ipairs(flags.LIST) do names[i] = each.name end
  return values.closest(word, names)
end

return flags
