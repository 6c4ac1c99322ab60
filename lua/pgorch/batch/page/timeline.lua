-- When each row of a batch was at work, all on one axis, in the order in which they began; looks as the timeline of a
-- run does (report/chart.lua). Pure.

local axis    = require "pgorch.report.axis"
local figures = require "pgorch.batch.board.figures"
local h       = require "pgorch.report.html".h
local moment  = require "pgorch.report.moment"
local rows_of = require "pgorch.batch.page.rows"

local timeline = {}

local function percent(x) return ("%.3f%%"):format(x) end

local function to_of(each, now) return each.to and moment.parse(each.to) or now end

-- An attempt as the bars of a run's steps are called.
local BAR = { done = "done", put_back = "undo", failed = "failed", undo_failed = "failed", stopped = "interrupted",
              interrupted = "interrupted" }

local function work_of(rows, now)
  local list = {}
  for _, row in ipairs(rows) do
    for _, each in ipairs(row.attempts) do
      local from = moment.parse(each.from)
      list[#list + 1] = { from = from, to = math.max(to_of(each, now), from + 1000) }
    end
  end
  return list
end

local function rect(scale, class, each, now, shape)
  local x = scale:x(moment.parse(each.from))
  return h.rect { class = class, x = percent(x), width = percent(math.max(0.1, scale:x(to_of(each, now)) - x)),
                  y = shape.y, height = shape.height, rx = shape.rx }
end

local function drawing(row, scale, now)
  local list = {}
  for _, each in ipairs(row.windows) do
    list[#list + 1] = rect(scale, "band", each, now, { y = "0", height = "100%" })
  end
  for _, each in ipairs(row.attempts) do
    list[#list + 1] = rect(scale, "bar " .. (BAR[each.ended] or "running"), each, now,
      { y = "32%", height = "36%", rx = "1.5" })
  end
  if row.cut_over_at then
    local x = percent(scale:x(moment.parse(row.cut_over_at)))
    list[#list + 1] = h.line { class = "no-return", x1 = x, x2 = x, y1 = "0", y2 = "100%" }
  end
  return list
end

-- What the drawing shows, for whoever does not see it.
local function words(row, began)
  local list = {}
  for i, each in ipairs(row.attempts) do
    list[i] = ("%s to %s UTC"):format(moment.since(each.from, began), each.to and moment.since(each.to, began) or "now")
  end
  return ("%s: %s"):format(table.concat(list, "; "), row.outcome)
end

local function line(row, scale, now, began)
  return h.tr { role = "row", class = "step", data_state = row.outcome, data_words = rows_of.words(row),
    h.th { role = "rowheader", scope = "row", rows_of.name(row) },
    h.td { role = "cell", class = "plot", h.svg { role = "img", aria_label = words(row, began), focusable = "false",
      drawing(row, scale, now) } },
    h.td { role = "cell", class = "when", h.time { datetime = row.began, moment.since(row.began, began) } },
    h.td { role = "cell", class = "took", row.seconds and figures.brief(row.seconds) },
    h.td { role = "cell", class = "data", row.outcome } }
end

local function axis_row(scale, began)
  local marks = {}
  for i, each in ipairs(scale:marks()) do
    local x = percent(each.x)
    marks[i] = { h.line { class = "tick", x1 = x, x2 = x, y1 = "16", y2 = "100%" },
                 h.text { x = x, y = "12", moment.since(each.at, began) } }
  end
  return h.tr { role = "row", class = "axis",
    h.th { role = "columnheader", scope = "col", "Row" },
    h.th { role = "columnheader", scope = "col", class = "plot", h.span { class = "unseen", "When" },
           h.svg { aria_hidden = "true", focusable = "false", marks } },
    h.th { role = "columnheader", scope = "col", class = "when", "Began" },
    h.th { role = "columnheader", scope = "col", class = "took", "Took" },
    h.th { role = "columnheader", scope = "col", class = "data", "Outcome" } }
end

local KEYS = { { "key-band", "the window: writes are kept out" }, { "key-line", "the point of no return" },
               { "key-undo", "ended by being put back" }, { "key-failed", "failed" },
               { "key-interrupted", "stopped, or interrupted" } }

local function legend(rows)
  local has, items = {}, {}
  for _, row in ipairs(rows) do
    has["key-band"] = has["key-band"] or #row.windows > 0
    has["key-line"] = has["key-line"] or row.cut_over_at ~= nil
    for _, each in ipairs(row.attempts) do has["key-" .. (BAR[each.ended] or "running")] = true end
  end
  for _, each in ipairs(KEYS) do
    if has[each[1]] then items[#items + 1] = h.li { h.span { class = "key " .. each[1] }, each[2] } end
  end
  return h.ul { class = "legend", items }
end

---@param rows table[]   of batch/page.lua
---@param made_at string
---@return pgorch.Markup
function timeline.draw(rows, made_at)
  local list, lines, now = {}, {}, moment.parse(made_at)
  for _, row in ipairs(rows) do
    if #row.attempts > 0 then list[#list + 1] = row end
  end
  table.sort(list, function(a, b)
    if a.began ~= b.began then return a.began < b.began end
    return a.at < b.at
  end)
  local scale = axis.new(work_of(list, now))
  if not scale then return h.p { "No row has begun." } end
  for i, row in ipairs(list) do lines[i] = line(row, scale, now, list[1].began) end
  return h.figure { class = "timeline", h.figcaption { "All times are UTC. ", legend(list) },
    h.table { role = "table", aria_label = "Rows of the batch, when they were at work and how long they took",
      h.thead { role = "rowgroup", axis_row(scale, list[1].began) }, h.tbody { role = "rowgroup", lines } } }
end

return timeline
