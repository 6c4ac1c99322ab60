-- The report as one page that needs nothing else: no network, no script. For a manager the first screen, for an auditor
-- the rest; docs/report.md says what is where. Only composes: the sections have files of their own.

local chart    = require "pgorch.report.chart"
local document = require "pgorch.report.document"
local moment   = require "pgorch.report.moment"
local resource = require "pgorch.resource"
local sections = require "pgorch.report.sections"
local values   = require "pgorch.recipe.values"

local h = require "pgorch.report.html".h

local page = {}

local STATE = { done = "Done", put_back = "Put back", undo_failed = "Not all put back", failed = "Failed",
                stopped = "Stopped", interrupted = "Interrupted", waiting = "Waiting", undoing = "Being put back",
                running = "Running" }

local function title_of(report)
  return ("%s: %s, run %s"):format(report.run.app or report.source.name or report.run.recipe.name,
    STATE[report.run.state] or report.run.state, report.run.id)
end

local function figure(label, value, more)
  if not value then return false end
  return h.div { h.dt { label }, h.dd { value, more and h.span { class = "more", more } } }
end

local function target_name(report)
  return report.target.name or report.run.app
end

local function moved(report)
  if not report.source.name then return nil end
  local target = target_name(report)
  return h.span { class = "ends", h.bdi { report.source.name }, target and { h.span { class = "arrow",
    h.span { class = "unseen", " to " }, h.span { aria_hidden = "true", "→" } }, h.bdi { target } } }
end

local function versions(report)
  local source, target = report.source, report.target
  local from = source.version and "PostgreSQL " .. source.version:match "^%S+"
  local to = target.plan and ("Heroku Postgres %s%s"):format(target.plan, target.major and " (PostgreSQL "
    .. target.major .. ")" or "")
  return from and to and ("%s to %s"):format(from, to) or from or to
end

local function rehearsed_window(it)
  return it and figure("Window to announce", ("about %d min"):format(math.ceil(it.announce / 60)),
    ("measured %s, and %s for what is not"):format(values.show_duration(it.measured), values.show_duration(it.margin)))
end

local function window(report)
  if report.run.kind == "rehearsal" then return rehearsed_window(report.rehearsed) end
  local it = report.window
  if #it.times == 0 then return figure("Window", "not opened") end
  local began = report.run.created_at
  local span = ("%s to %s UTC"):format(moment.since(it.opened_at, began), it.closed_at
    and moment.since(it.closed_at, began) or "now")
  return figure(it.open and "Window, STILL OPEN" or "Window", values.show_duration(it.seconds),
    #it.times > 1 and ("%d times; the last from %s"):format(#it.times, span) or span)
end

local function compared(report)
  local v = report.verification
  if v.state == "equal" then
    return figure("Rows equal", moment.count(v.totals.rows), "in " .. moment.number(v.totals.tables, "table"))
  end
  return figure("Compared", v.state == "differs" and "DIFFERENT" or v.state)
end

local function price(report)
  local cents = report.target.cents_per_month
  return cents and ("$%g a month"):format(cents / 100)
end

local function figures(report)
  return h.dl { class = "figures",
    figure("From, to", moved(report), versions(report)), window(report), compared(report),
    figure("Database", report.source.bytes and values.show_size(report.source.bytes),
      report.dump.bytes and "dump of " .. values.show_size(report.dump.bytes)),
    figure("New database", report.target.plan, price(report)),
    figure("Exit status", report.run.exit_status and tostring(report.run.exit_status), report.run.meaning) }
end

local function error_box(report)
  local err = report.run.error
  if not err then return false end
  return h.section { class = "error", aria_labelledby = "error", h.h2 { id = "error", "What went wrong" },
    h.p { h.code { err.id or "?" }, " ", err.step and { "in ", h.code { err.step }, ": " },
          h.bdi { err.message or "" } },
    err.at and h.p { "At ", h.code { err.at } },
    err.detail and err.detail ~= "" and h.pre { tabindex = "0", err.detail },
    err.cure and err.cure ~= "" and h.p { h.b { "Cure: " }, err.cure } }
end

local function warning_box(report)
  if #report.warnings == 0 then return false end
  local items = {}
  for i, each in ipairs(report.warnings) do items[i] = h.li { h.code { each.step }, " ", h.bdi { each.text } } end
  return h.section { class = "warnings", aria_labelledby = "warnings",
    h.h2 { id = "warnings", "Needs a look" }, h.ul { items } }
end

local function day_of(report)
  local from = report.run.created_at
  local to = report.attempts[#report.attempts].to or report.made_at
  local first, last = moment.day(from), moment.day(to)
  return first == last and first or first .. " to " .. last
end

local function top(report, up)
  local run = report.run
  return h.header {
    h.p { class = "brand", h.b { "pgorch" }, run.kind == "rehearsal" and " rehearsal report" or " migration report",
      up and { ", of ", h.a { href = up.href, up.title } },
      h.span { class = "of", h.time { datetime = run.created_at, day_of(report) } } },
    h.p { h.span { class = "state " .. run.tone, STATE[run.state] or run.state },
      h.span { class = "muted", " run ", h.code { run.id }, #report.attempts > 1
        and (", %d attempts"):format(#report.attempts) } },
    h.h1 { run.outcome }, figures(report) }
end

local function section(id, title, content)
  return h.section { aria_labelledby = id, h.h2 { id = id, title }, content }
end

local ORDER = {
  { "timeline", "Timeline", function(report) return { chart.draw(report), sections.notes(report) } end },
  { "verification", "Verification", sections.verification },
  { "sizes", "Sizes and rates", sections.sizes }, { "preflight", "Checked before", sections.preflight },
  { "settings", "Settings", sections.settings }, { "clients", "Clients of the source", sections.clients },
  { "put-back", "Put back and kept", sections.put_back },
  { "parameters", "Versions and parameters", sections.parameters },
  { "events", "Event log", sections.events },
}

local function contents()
  local items = {}
  for i, each in ipairs(ORDER) do items[i] = h.li { h.a { href = "#" .. each[1], each[2] } } end
  return h.nav { aria_label = "Contents", h.ul { items } }
end

---@param report table  of report.of
---@param up? {href: string, title: string}   the page that this one belongs to
---@return string
function page.write(report, up)
  local css, parts = resource.read "pgorch/report/style.css", {}
  for i, each in ipairs(ORDER) do parts[i] = section(each[1], each[2], each[3](report)) end
  local body = { top(report, up), contents(), h.main { error_box(report), warning_box(report), parts },
    h.footer { h.p { "Written by ", report.made_by, " on ", h.time { datetime = report.made_at,
      moment.day(report.made_at) .. ", " .. moment.time(report.made_at) }, " UTC from the record of run ",
      h.code { report.run.id }, ". Secrets are not in it." } } }
  return document.write { title = title_of(report), css = css, body = body }
end

return page
