-- The batches of a record, and the rows of one, as a table for a person. Pure.

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

local function why(row)
  if row.error then return ("%s %s"):format(row.error.id, row.error.message) end
  local at = row.progress
  if at and at.gate then return "waits at its gate: pgorch batch approve" end
  return at and (at.title or at.step) or ""
end

---@param batch pgorch.BatchRead
---@return string
function listing.text(batch)
  local rows = {}
  for i, row in ipairs(batch.rows) do
    local state = row.state == "done" and row.exit_status == 3 and "done, warnings" or row.state
    rows[i] = { row.id, state, row.run or "", row.grp or "", why(row) }
  end
  local head = ("Batch %s: %s%s"):format(batch.name, batch.state, batch.reason and ", " .. batch.reason or "")
  return summary.table { title = head, columns = { "row", "state", "run", "group", "" }, rows = rows } .. "\n"
    .. listing.counts(listing.count(batch.rows)) .. "\n"
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
