-- Messages for the person at the terminal, on standard error, redacted. A front end may take them over with
-- log.sink (the progress display does, so that lines do not tear its live part).

local term = require "pgorch.native.term"

local log = { level = "info" }

local ranks = { debug = 1, info = 2, warn = 3, error = 4 }

---@param level string
---@param message string
---@param fields? table
function log.sink(level, message, fields)
  local more = {}
  for name, value in pairs(fields or {}) do more[#more + 1] = ("%s=%s"):format(name, tostring(value)) end
  table.sort(more)
  local prefix = level == "info" and "" or level .. ": "
  term.err(("%s%s%s\n"):format(prefix, message, #more > 0 and "  " .. table.concat(more, " ") or ""))
end

for level, rank in pairs(ranks) do
  log[level] = function(message, fields)
    if rank >= ranks[log.level] then log.sink(level, message, fields) end
  end
end

return log
