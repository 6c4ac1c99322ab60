-- What a comparison has found, as tables and lines for a reader: the same for a run's step and for `pgorch verify`.
-- Pure: prints nothing.

local noise   = require "pgorch.verify.noise"
local objects = require "pgorch.verify.objects"
local verify  = require "pgorch.verify"

local M = {}

---@param verb string   "summed"
---@return {bytes: integer, total: integer, text: string}  for ctx:progress
function M.progress(verb, done, total, bytes, total_bytes)
  return { bytes = bytes, total = total_bytes, text = ("%d of %d tables %s"):format(done, total, verb) }
end

local function verdict(key, mine, theirs)
  local of = (mine or theirs).matview and "materialized view" or "table"
  if noise.reason_of_key(of, key, mine, theirs) then return "ignored" end
  if not mine or not theirs or mine.error or theirs.error then return "differs" end
  if mine.rows ~= theirs.rows or mine.sum and mine.sum ~= theirs.sum then return "differs" end
  if mine.not_comparable or theirs.not_comparable then return "equal but for what cannot be compared" end
  return mine.rows and "equal" or "not populated"
end

---Every table of both sides with what is to be said of it, the ones with the most rows first.
---@param a table<string, pgorch.TableSum>
---@param b table<string, pgorch.TableSum>
---@return pgorch.ComparedTable[]
function M.each(a, b)
  local keys = {}
  for key in pairs(a) do keys[#keys + 1] = key end
  for key in pairs(b) do
    if not a[key] then keys[#keys + 1] = key end
  end
  local function rows(key) return (b[key] or a[key]).rows or 0 end
  table.sort(keys, function(x, y)
    if rows(x) ~= rows(y) then return rows(x) > rows(y) end
    return x < y
  end)
  for i, key in ipairs(keys) do
    keys[i] = { key = key, mine = a[key], theirs = b[key], verdict = verdict(key, a[key], b[key]) }
  end
  return keys
end

local function rows_of(sum)
  if not sum then return "missing" end
  return sum.error and "unreadable" or sum.rows or "not populated"
end

---@class pgorch.ComparedTable
---@field key string
---@field mine pgorch.TableSum|nil
---@field theirs pgorch.TableSum|nil
---@field verdict string

local function line(each)
  local key, mine, theirs, said = each.key, each.mine, each.theirs, each.verdict
  local from, to = rows_of(mine), rows_of(theirs)
  if said ~= "differs" then return { key, theirs and to or from, (theirs or mine).sum or "", said } end
  return { key, from == to and to or ("%s, target %s"):format(from, to), "", said }
end

local MUST_SHOW = { differs = true, ignored = true }

---Tables that differ or are ignored are all named; of the others those with the most rows.
---@param a table<string, pgorch.TableSum>
---@param b table<string, pgorch.TableSum>
---@param shown? integer    at most so many that are equal; default all
---@return table
function M.tables(a, b, shown)
  local rows, left = {}, 0
  for i, each in ipairs(M.each(a, b)) do
    if MUST_SHOW[each.verdict] or i <= (shown or math.huge) then rows[#rows + 1] = line(each) else left = left + 1 end
  end
  if left > 0 then rows[#rows + 1] = { ("%d smaller tables"):format(left), "", "", "equal" } end
  return { title = "Tables, source = target", columns = { "table", "rows", "checksum", "" }, rows = rows }
end

local WORD = { warn = "warn" }

---@param list pgorch.Difference[]
---@param shown? integer    at most so many; default all
---@return table|nil  nil when there are none
function M.differences(list, shown)
  local rows, left = {}, 0
  for _, d in ipairs(list) do
    if d.level ~= "unknown" and #rows < (shown or math.huge) then
      rows[#rows + 1] = { WORD[d.level] or "FAIL", d.kind, d.name, d.source, d.target }
    elseif d.level ~= "unknown" then
      left = left + 1
    end
  end
  if left > 0 then rows[#rows + 1] = { "", ("and %d more"):format(left) } end
  if #rows == 0 then return nil end
  return { title = "Differences", columns = { "", "kind", "name", "source", "target" }, rows = rows }
end

---What the tables do not show: columns that cannot be compared, and what would mend a difference.
---@param list pgorch.Difference[]
---@return string[] lines
function M.explanations(list)
  local lines = {}
  for _, d in ipairs(list) do
    if d.level == "unknown" then lines[#lines + 1] = verify.line(d) end
  end
  for _, d in ipairs(list) do
    if d.mend then lines[#lines + 1] = ("to mend %s, on the target: %s"):format(d.name, d.mend) end
  end
  return lines
end

---What is different and means nothing: what was left out of the comparison, owners that are not carried.
---@param from pgorch.Side
---@param ignored {kind: string, name: string, why: string}[]
---@return string[] lines
function M.noise(from, ignored)
  local lines = {}
  for i, each in ipairs(ignored) do lines[i] = ("ignored: %s %s: %s"):format(each.kind, each.name, each.why) end
  if (from.large.owners or 0) > 1 then
    lines[#lines + 1] = ("ignored: owners of large objects: %d roles on the source"):format(from.large.owners)
  end
  return lines
end

local function count(map)
  local n = 0
  for _ in pairs(map) do n = n + 1 end
  return n
end

---"23 tables, 5000 rows, 7 sequences, 63 large objects, 205 schema objects": of the target.
---@param side pgorch.Side
---@return string text
---@return {tables: integer, rows: integer, sequences: integer, large_objects: integer, objects: integer}
function M.totals(side)
  local tables, rows = verify.totals(side.sums)
  local all = { tables = tables, rows = rows, sequences = count(side.sequences), large_objects = side.large.count,
                objects = objects.count(side.objects) }
  return ("%d tables, %d rows, %d sequences, %d large objects, %d schema objects"):format(all.tables, all.rows,
    all.sequences, all.large_objects, all.objects), all
end

return M
