-- What was compared, out of what the steps checksum_source and verify have recorded: every table with its rows and
-- what is to be said of it, schema objects by kind, differences, what was ignored. Pure.

local json = require "pgorch.json"

local verification = {}

-- The table of a step's summary with these columns.
local function table_with(told, column)
  for _, each in ipairs(told.tables or {}) do
    for _, name in ipairs(each.columns) do
      if name == column then return each end
    end
  end
end

-- Of `verify`: what is said of a table that is not just equal. A sum that is missing was not told.
local function said_of_tables(told)
  local said, compared = {}, table_with(told, "checksum")
  for _, row in ipairs(compared and compared.rows or {}) do
    said[row[1]] = { rows = row[2], verdict = row[4] }
  end
  return said, compared ~= nil
end

local function differences(told)
  local found, list = nil, json.array {}
  for _, each in ipairs(told.tables or {}) do
    if each.title == "Differences" then found = each end
  end
  for i, row in ipairs(found and found.rows or {}) do
    list[i] = { level = row[1] == "warn" and "warn" or "fail", kind = row[2], name = row[3], source = row[4],
                target = row[5] }
  end
  return list
end

local BY_ROWS = { rows = true, content = true }

local function tables_that_differ(list)
  local names = {}
  for _, each in ipairs(list) do
    if each.name and BY_ROWS[each.kind] then names[each.name] = each end
  end
  return names
end

-- A table that `verify` does not name is one of its "N smaller tables", which are equal.
local function tables(sums, told, finished, differing)
  local said = said_of_tables(told)
  local list = json.array {}
  for key, sum in pairs(sums) do
    local other, differs = said[key], differing[key]
    local verdict = other and other.verdict or finished and (sum.rows and "equal" or "not populated") or "not compared"
    local one = { name = key, rows = sum.rows, checksum = sum.sum, matview = sum.matview, verdict = verdict,
                  error = sum.error, not_comparable = sum.not_comparable }
    if differs then one.verdict, one.source, one.target = "differs", differs.source, differs.target end
    list[#list + 1] = one
  end
  for key, differs in pairs(differing) do -- what the target alone has
    if not sums[key] then
      list[#list + 1] = { name = key, verdict = "differs", source = differs.source, target = differs.target }
    end
  end
  table.sort(list, function(a, b)
    local bad_a, bad_b = a.verdict == "differs", b.verdict == "differs"
    if bad_a ~= bad_b then return bad_a end
    if (a.rows or -1) ~= (b.rows or -1) then return (a.rows or -1) > (b.rows or -1) end
    return a.name < b.name
  end)
  return list
end

local function objects(stored)
  local list = json.array {}
  for kind, names in pairs(stored or {}) do
    local n = 0
    for _ in pairs(names) do n = n + 1 end
    list[#list + 1] = { kind = kind, count = n }
  end
  table.sort(list, function(a, b)
    if a.count ~= b.count then return a.count > b.count end
    return a.kind < b.kind
  end)
  return list
end

local function ignored(told)
  local list = json.array {}
  for _, note in ipairs(told.notes or {}) do
    list[#list + 1] = note:match "^ignored: (.*)"
  end
  return list
end

local function count(map)
  local n = 0
  for _ in pairs(map or {}) do n = n + 1 end
  return n
end

local function totals(side, list, result)
  local rows, counted = 0, 0
  for _, each in ipairs(list) do
    if each.rows then rows, counted = rows + each.rows, counted + 1 end
  end
  return { tables = result.tables or counted, rows = result.rows or rows,
           sequences = result.sequences or count(side.sequences),
           large_objects = result.large_objects or side.large and side.large.count or 0, objects = result.objects }
end

---@param seen pgorch.Recorded
---@return table  {state: "equal"|"differs"|"not finished"|"not reached", tables, objects, differences, ...}
function verification.of(seen)
  local row, side, told = seen.rows.verify, seen:found "checksum_source", seen:told "verify"
  local finished = row ~= nil and row.state == "done"
  local found = differences(told)
  local failed = row ~= nil and row.state == "failed" and row.error and row.error.id == "PGO-VERIFY"
  local result = finished and seen:found "verify" or {}
  local list = tables(side.sums or {}, told, finished or failed, tables_that_differ(found))
  return {
    state = finished and "equal" or failed and "differs" or row and "not finished" or "not reached",
    totals = totals(side, list, result), tables = list, objects = objects(side.objects), differences = found,
    ignored = ignored(told), queries = json.array(result.query_names or {}),
    on_snapshot = side.on_snapshot, hash = side.hash, written = seen:found("nothing_was_written").answer,
  }
end

return verification
