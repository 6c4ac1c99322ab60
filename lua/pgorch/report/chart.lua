-- The timeline: a table with one row for each step, whose middle cell is a small drawing (SVG) on an axis that all rows
-- share. The window is a band behind the bars, the point of no return a line through them. The numbers beside the
-- drawing say the same in words. Pure.

local axis   = require "pgorch.report.axis"
local h      = require "pgorch.report.html".h
local moment = require "pgorch.report.moment"
local values = require "pgorch.recipe.values"

local chart = {}

local function percent(x) return ("%.3f%%"):format(x) end

local function instants(each, now)
  return moment.parse(each.from), each.to and moment.parse(each.to) or now
end

-- A gate waits for a person, who may sleep over it: that is no work that the axis has to show.
local function work_of(report, now)
  local list = {}
  for _, step in ipairs(report.steps) do
    for _, each in ipairs(step.stretches) do
      if each.what ~= "gate" then
        local from, to = instants(each, now)
        list[#list + 1] = { from = from, to = math.max(to, from + 1000) }
      end
    end
  end
  return list
end

local function bands(report, scale, now)
  local list = {}
  for i, each in ipairs(report.window.times) do
    local from, to = instants(each, now)
    local x = scale:x(from)
    list[i] = h.rect { class = "band", x = percent(x), y = "0", width = percent(scale:x(to) - x), height = "100%" }
  end
  return list
end

local function gaps(scale)
  local list = {}
  for i, each in ipairs(scale:gaps()) do
    list[i] = h.rect { class = "gap", x = percent(each.x), y = "0", width = percent(each.width), height = "100%" }
  end
  return list
end

local function line(report, scale)
  if not report.cut_over_at then return false end
  local x = percent(scale:x(moment.parse(report.cut_over_at)))
  return h.line { class = "no-return", x1 = x, x2 = x, y1 = "0", y2 = "100%" }
end

local function bars(step, scale, now)
  local list = {}
  for i, each in ipairs(step.stretches) do
    local from, to = instants(each, now)
    local x = scale:x(from)
    list[i] = h.rect { class = ("bar %s %s"):format(each.what, each.state), x = percent(x), y = "30%", rx = "1.5",
                       width = percent(math.max(0.05, scale:x(to) - x)), height = "40%" }
  end
  return list
end

local WORD = { done = "done", failed = "failed", interrupted = "interrupted", running = "running", undone = "put back",
               undo_failed = "NOT put back", skipped = "not needed", void = "to be done again",
               undoing = "being put back", ["not reached"] = "not reached" }
chart.WORD = WORD

local function stretch_words(report, each)
  local word = each.what == "undo" and (WORD[each.state] or each.state) or each.what == "gate" and "waited"
    or WORD[each.state] or each.state
  local began = report.run.created_at
  return ("%s to %s UTC: %s%s"):format(moment.since(each.from, began), each.to and moment.since(each.to, began)
    or "now", word,
    each.attempt and each.attempt > 1 and (", attempt %d"):format(each.attempt) or "")
end

-- What the drawing of a row shows, for whoever does not see it.
local function words(report, step)
  local list = {}
  for i, each in ipairs(step.stretches) do list[i] = stretch_words(report, each) end
  return #list > 0 and table.concat(list, "; ") or WORD[step.state] or step.state
end

local function took(step)
  if step.state == "not reached" or step.state == "skipped" then return WORD[step.state] end
  local text = step.seconds and values.show_duration(step.seconds) or ""
  if step.state == "done" then return text end
  return h.span { h.b { class = "state " .. step.state, WORD[step.state] or step.state }, " ", text }
end

local function data(step)
  if not step.bytes then return false end
  return { values.show_size(step.bytes), step.bytes_per_second
    and h.span { class = "rate", " ", values.show_size(step.bytes_per_second), "/s" } }
end

local function label(step) return { h.bdi { step.title }, step.item and { " ", h.code { h.bdi { step.item } } } } end

local function row(report, step, scale, now)
  local drawing = scale and h.svg { role = "img", aria_label = words(report, step), focusable = "false",
    bands(report, scale, now), gaps(scale), bars(step, scale, now), line(report, scale) }
  return h.tr { role = "row", class = ("step %s"):format((step.state:gsub(" ", "-"))),
    h.th { role = "rowheader", scope = "row", label(step) },
    h.td { role = "cell", class = "plot", drawing },
    h.td { role = "cell", class = "when", step.started_at and h.time { datetime = step.started_at,
      moment.since(step.started_at, report.run.created_at) } },
    h.td { role = "cell", class = "took", took(step) },
    h.td { role = "cell", class = "data", data(step) } }
end

-- The window's band goes on behind a heading.
local function heading_row(report, title, scale, now)
  local drawing = scale and h.svg { aria_hidden = "true", focusable = "false", bands(report, scale, now), gaps(scale),
    line(report, scale) }
  return h.tr { role = "row", class = "heading", h.th { role = "rowheader", scope = "rowgroup", title },
    h.td { role = "cell", class = "plot", drawing }, h.td { role = "cell", colspan = "3" } }
end

-- Above the rows: the times, and what the band and the line are.
local function axis_row(report, scale)
  local marks = {}
  for i, each in ipairs(scale and scale:marks() or {}) do
    local x = percent(each.x)
    marks[i] = { h.line { class = "tick", x1 = x, x2 = x, y1 = "16", y2 = "100%" },
                 h.text { x = x, y = "12", moment.since(each.at, report.run.created_at) } }
  end
  return h.tr { role = "row", class = "axis",
    h.th { role = "columnheader", scope = "col", "Step" },
    h.th { role = "columnheader", scope = "col", class = "plot",
           h.span { class = "unseen", "When" },
           h.svg { aria_hidden = "true", focusable = "false", marks } },
    h.th { role = "columnheader", scope = "col", class = "when", "Began" },
    h.th { role = "columnheader", scope = "col", class = "took", "Took" },
    h.th { role = "columnheader", scope = "col", class = "data", "Data" } }
end

local function legend(report, scale)
  local items = {}
  local function add(class, text) items[#items + 1] = h.li { h.span { class = "key " .. class }, text } end
  if #report.window.times > 0 then add("key-band", "the window: writes are kept out") end
  if report.cut_over_at then add("key-line", "the point of no return, " .. moment.time(report.cut_over_at)) end
  local has = {}
  for _, step in ipairs(report.steps) do
    for _, each in ipairs(step.stretches) do has[each.what == "undo" and "undo" or each.state] = true end
  end
  if has.undo then add("key-undo", "put back") end
  if has.failed then add("key-failed", "failed") end
  if has.interrupted then add("key-interrupted", "interrupted") end
  for _, each in ipairs(scale and scale:gaps() or {}) do
    if #items < 8 then
      add("key-gap", ("cut out: nothing was at work for %s"):format(values.show_duration(each.seconds)))
    end
  end
  return h.ul { class = "legend", items }
end

-- Items of a step (one for each table, say) are drawn with their step; here they would hide the others.
local function rows(report, scale, now)
  local list, heading, items = {}, nil, 0
  for _, step in ipairs(report.steps) do
    if step.item then
      items = items + 1
    else
      if step.heading and step.heading ~= heading then
        list[#list + 1] = heading_row(report, step.heading, scale, now)
      end
      heading = step.heading or heading
      list[#list + 1] = row(report, step, scale, now)
    end
  end
  return list, items
end

local function item_table(report)
  local list = {}
  for _, step in ipairs(report.steps) do
    if step.item then
      list[#list + 1] = h.tr { h.th { scope = "row", label(step) }, h.td { took(step) }, h.td { data(step) } }
    end
  end
  return h.details { h.summary { moment.number(#list, "item") .. " of steps" },
    h.div { class = "wide", h.table { h.thead { h.tr { h.th { scope = "col", "Item" }, h.th { scope = "col", "Took" },
      h.th { scope = "col", "Data" } } }, h.tbody { list } } } }
end

---@param report table
---@return pgorch.Markup
function chart.draw(report)
  local now = moment.parse(report.made_at)
  local scale = axis.new(work_of(report, now))
  local list, items = rows(report, scale, now)
  if #list == 0 then return h.p { "No step has begun." } end
  return h.figure { class = "timeline", h.figcaption { "All times are UTC. ", legend(report, scale) },
    h.table { role = "table", aria_label = "Steps of the run, when they were at work and how long they took",
      h.thead { role = "rowgroup", axis_row(report, scale) }, h.tbody { role = "rowgroup", list } },
    items > 0 and item_table(report) }
end

return chart
