-- The rows of a batch in the order in which they start, as units: a row by itself, or all rows of a group, which begin
-- together. Pure.

local order = {}

-- States in which nothing of a row is to be done any more, unless it is tried again.
order.ENDED = { done = true, failed = true, stopped = true, refused = true, blocked = true, attention = true }

-- The app may be down: such a row is brought to its end before anything else begins, whatever the rules for new ones.
---@param row pgorch.BatchRow
---@return boolean
function order.is_begun(row) return row.stands and not order.ENDED[row.state] end

---@class pgorch.Unit
---@field key string
---@field grp string|nil
---@field rows pgorch.BatchRow[]
---@field before integer   rows that stand before it in the order

local function before(a, b)
  if a.priority ~= b.priority then return a.priority > b.priority end
  if a.position ~= b.position then return a.position < b.position end
  return a.id < b.id
end

---All units, those that have ended too: larger priority first, then as in the manifest. A group stands where the first
---of its rows does.
---@param rows pgorch.BatchRow[]
---@return pgorch.Unit[]
function order.units(rows)
  local sorted, units, groups = table.move(rows, 1, #rows, 1, {}), {}, {}
  table.sort(sorted, before)
  for _, row in ipairs(sorted) do
    local unit = row.grp and groups[row.grp]
    if not unit then
      unit = { key = row.grp and "group " .. row.grp or "row " .. row.id, grp = row.grp, rows = {} }
      units[#units + 1] = unit
      if row.grp then groups[row.grp] = unit end
    end
    unit.rows[#unit.rows + 1] = row
  end
  local count = 0
  for _, unit in ipairs(units) do
    unit.before, count = count, count + #unit.rows
  end
  return units
end

return order
