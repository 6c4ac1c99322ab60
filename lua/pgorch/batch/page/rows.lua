-- The list of rows on the page of a batch, what needs a person first, and what it is filtered by. Pure.

local figures = require "pgorch.batch.board.figures"
local h       = require "pgorch.report.html".h
local moment  = require "pgorch.report.moment"
local values  = require "pgorch.recipe.values"

local rows_of = {}

---@param row table   of batch/page.lua
---@return string     what it is found by
function rows_of.words(row)
  return table.concat({ row.id, row.group or "", row.app or "", row.recipe, table.concat(row.labels or {}, " "),
    row.outcome, row.run or "", row.error and row.error.id or "" }, " ")
end

-- The row's name, and by it the way to its run's page.
function rows_of.name(row)
  return row.href and h.a { href = row.href, h.bdi { row.id } } or h.bdi { row.id }
end

local function more_of(row)
  local list = { ("%s%s"):format(row.recipe, row.app and " to " .. row.app or "") }
  if row.group then list[#list + 1] = "group " .. row.group end
  if #(row.labels or {}) > 0 then list[#list + 1] = table.concat(row.labels, ", ") end
  return table.concat(list, " · ")
end

local function first_line(err) return (tostring(err.message or ""):match "^[^\n]*") end

local function outcome(row)
  return h.td { role = "cell", class = "outcome", h.span { class = "state " .. row.tone, row.outcome },
    row.error and h.span { class = "more", h.code { row.error.id or "?" }, " ", h.bdi { first_line(row.error) } },
    row.step and h.span { class = "more", row.step } }
end

local function number(label, value)
  return h.td { role = "cell", class = "number", data_label = label, value }
end

local function window(row)
  return row.window and (row.window.open and "OPEN " or "") .. values.show_duration(row.window.seconds)
end

local function line(row)
  return h.tr { role = "row", data_state = row.outcome, data_words = rows_of.words(row),
    h.th { role = "rowheader", scope = "row", rows_of.name(row), h.span { class = "more", more_of(row) } },
    outcome(row), number("Database", row.bytes and values.show_size(row.bytes)),
    number("Rows equal", row.verified and moment.count(row.verified.rows)),
    number("Window", window(row)), number("Took", row.seconds and figures.brief(row.seconds)) }
end

local function choices(rows)
  local counts, order, list = {}, {}, { h.option { value = "", "all" } }
  for _, row in ipairs(rows) do
    if not counts[row.outcome] then order[#order + 1] = row.outcome end
    counts[row.outcome] = (counts[row.outcome] or 0) + 1
  end
  for _, each in ipairs(order) do
    list[#list + 1] = h.option { value = each, ("%s (%d)"):format(each, counts[each]) }
  end
  return list
end

-- Shown by the script that it is of no use without.
local function filter(rows)
  return h.div { class = "filter", role = "search", aria_label = "Rows", hidden = true, data_count = #rows,
    h.label { "Find", h.input { type = "search", autocomplete = "off", spellcheck = "false" } },
    h.label { "Outcome", h.select { choices(rows) } }, h.output { aria_live = "polite" } }
end

local HEADS = { "Row", "Outcome", "Database", "Rows equal", "Window", "Took" }

---@param rows table[]   as they are to be shown
---@return pgorch.Markup[]
function rows_of.draw(rows)
  local heads, list = {}, {}
  for i, each in ipairs(HEADS) do
    heads[i] = h.th { role = "columnheader", scope = "col", class = i > 2 and "number" or nil, each }
  end
  for i, row in ipairs(rows) do list[i] = line(row) end
  return { filter(rows), h.table { class = "rows", role = "table", aria_label = "Rows of the batch",
    h.thead { role = "rowgroup", h.tr { role = "row", heads } }, h.tbody { role = "rowgroup", list } } }
end

return rows_of
