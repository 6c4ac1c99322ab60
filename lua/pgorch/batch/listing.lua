-- The batches of a record as a table for a person, and the states of rows counted. Pure.

local summary = require "pgorch.runner.summary"

local listing = {}

local STATES = { "done", "running", "ready", "waiting", "attention", "failed", "stopped", "refused", "blocked" }

---"3 done, 1 running"
---@param counts table<string, integer>
---@return string
function listing.counts(counts)
  local parts = {}
  for _, state in ipairs(STATES) do
    if (counts[state] or 0) > 0 then parts[#parts + 1] = ("%d %s"):format(counts[state], state) end
  end
  return table.concat(parts, ", ")
end

---@param rows pgorch.BatchRow[]
---@return table<string, integer>
function listing.count(rows)
  local counts = {}
  for _, row in ipairs(rows) do counts[row.state] = (counts[row.state] or 0) + 1 end
  return counts
end

---@param batches table[]   of Store:batches
---@param place string      what messages call the record
---@return string
function listing.all(batches, place)
  if #batches == 0 then return ("no batches in %s\n"):format(place) end
  local rows = {}
  for i, each in ipairs(batches) do rows[i] = { each.name, each.state, listing.counts(each.counts) } end
  return summary.table { title = "Batches", columns = { "name", "state", "rows" }, rows = rows } .. "\n"
end

return listing
