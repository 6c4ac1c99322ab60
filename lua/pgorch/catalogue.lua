-- The catalogue of errors as a page, made from the one table (host/core/error.def).
-- docs/errors.md is its output: `pgorch eval 'require("pgorch.catalogue").page()' > docs/errors.md`.

local fail = require "pgorch.error"

local catalogue = {}

-- The order in which the kinds are told, with a heading each. Every kind is here (a test sees to it).
local KINDS = {
  { "usage", "The command line and recipes" }, { "preflight", "Before anything is touched" },
  { "pg", "PostgreSQL" }, { "process", "Programs" }, { "net", "The network" }, { "http", "HTTP" },
  { "s3", "Object storage" }, { "heroku", "Heroku" }, { "provider", "Providers" }, { "restore", "The restore" },
  { "verify", "Verification" }, { "undo", "Putting back" }, { "locked", "Locks" }, { "stopped", "Stopped" },
  { "cancelled", "Cancelled" }, { "timeout", "Time limits" },
  { "deadline", "The deadline" }, { "group", "Groups of a batch" },
  { "store", "The record of runs" }, { "io", "Files" },
  { "sandbox", "The sandbox" }, { "hook", "Your own commands" }, { "bug", "Bugs" },
}

local function section(heading, ids)
  local lines = { "", "## " .. heading, "", "| id | what it means | what to do |", "|---|---|---|" }
  for _, id in ipairs(ids) do
    local entry = fail.describe(id)
    lines[#lines + 1] = ("| `%s` | %s | %s |"):format(id, entry.what, (entry.cure:gsub("|", "\\|")))
  end
  return table.concat(lines, "\n")
end

---@return string markdown
function catalogue.page()
  local by_kind = {}
  for _, id in ipairs(fail.ids()) do
    local kind = fail.describe(id).kind
    by_kind[kind] = by_kind[kind] or {}
    table.insert(by_kind[kind], id)
  end
  local parts = { "# Errors\n\nEvery error has an id that never changes. Made from `host/core/error.def`." }
  for _, kind in ipairs(KINDS) do
    if by_kind[kind[1]] then
      parts[#parts + 1] = section(kind[2], by_kind[kind[1]])
      by_kind[kind[1]] = nil
    end
  end
  local forgotten = next(by_kind)
  if forgotten then fail.raise("PGO-BUG", ("the kind `%s` has no heading in the catalogue"):format(forgotten)) end
  return table.concat(parts, "\n")
end

return catalogue
