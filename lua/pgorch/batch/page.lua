-- A folder of pages about a batch: index.html with all rows, what needs a person first, and one page for each run, by
-- which it was moved (report/page.lua). Each is one file that fetches nothing. The index is written last, so that it
-- never names a page that is not there.

local chart    = require "pgorch.batch.page.timeline"
local crypto   = require "pgorch.crypto"
local document = require "pgorch.report.document"
local fail     = require "pgorch.error"
local figures  = require "pgorch.batch.board.figures"
local fs       = require "pgorch.fs"
local h        = require "pgorch.report.html".h
local moment   = require "pgorch.report.moment"
local native   = require "pgorch.native.host"
local recorded = require "pgorch.report.recorded"
local report   = require "pgorch.report"
local resource = require "pgorch.resource"
local rows_of  = require "pgorch.batch.page.rows"
local run_page = require "pgorch.report.page"
local state    = require "pgorch.batch.state"
local stores   = require "pgorch.store"
local summary  = require "pgorch.batch.summary"
local values   = require "pgorch.recipe.values"

local page = {}

-- --- what is shown ---

-- A run may have been given any name; as a file it has one that every system takes.
local function file_of(run)
  if run:match "^[%w_-]+$" and #run <= 64 then return run .. ".html" end
  return crypto.sha256(run, "hex"):sub(1, 16) .. ".html"
end

local function row_of(made, row, at)
  return { id = row.id, at = at, group = row.grp, labels = row.labels, recipe = row.recipe, app = made.app,
    outcome = made.outcome, tone = state.tone(row), rank = state.rank(row), needs = state.needs_person(row),
    run = made.run, error = made.error, next = made.next, step = made.step, window = made.window,
    verified = made.verified, seconds = made.seconds, attempts = {}, windows = {} }
end

-- The page of the row's run; what the index shows of it is kept.
local function write_run(store, row, folder, up)
  local it = report.of(recorded.read(store, store:run(row.run)))
  row.href = file_of(row.run)
  fs.write(("%s/%s"):format(folder, row.href), run_page.write(it, up), { mode = 0600 })
  row.bytes, row.attempts, row.windows = it.source.bytes, it.attempts, it.window.times
  row.cut_over_at, row.began = it.cut_over_at, it.run.created_at
end

-- --- the first screen ---

local BATCH_STATE = { running = "Running", paused = "Paused", draining = "Draining", stopped = "Stopped",
                      done = "Finished" }

local SEVERITY = { bad = 3, wait = 2, calm = 1, good = 0 }

local function tone_of(rows)
  local worst = "good"
  for _, row in ipairs(rows) do
    if SEVERITY[row.tone] > SEVERITY[worst] then worst = row.tone end
  end
  return worst
end

-- One of them, or several.
local VERBS = {
  { "running", "is being moved now", "are being moved now" }, { "failed", "failed", "failed" },
  { "refused", "was refused", "were refused" }, { "stopped", "is stopped", "are stopped" },
  { "blocked", "is blocked", "are blocked" }, { "attention", "needs attention", "need attention" },
  { "waiting", "waits to be tried again", "wait to be tried again" }, { "ready", "has not begun", "have not begun" },
}

local function sentence(it)
  local done, total = it.counts.done or 0, #it.rows
  if done == total then
    return total == 1 and "The database is moved." or ("All %s databases are moved."):format(moment.count(total))
  end
  local parts = {}
  for _, each in ipairs(VERBS) do
    local n = it.counts[each[1]]
    if n then parts[#parts + 1] = ("%s %s"):format(moment.count(n), n == 1 and each[2] or each[3]) end
  end
  return ("%s of %s %s moved; %s."):format(moment.count(done), moment.number(total, "database"),
    done == 1 and "is" or "are", table.concat(parts, ", "))
end

local function figure(label, value, more)
  if not value then return false end
  return h.div { h.dt { label }, h.dd { value, more and h.span { class = "more", more } } }
end

local function sums(rows)
  local it = { rows = 0, tables = 0, bytes = 0, window = nil, from = nil, to = nil }
  for _, row in ipairs(rows) do
    it.bytes = it.bytes + (row.bytes or 0)
    it.rows = it.rows + (row.verified and row.verified.rows or 0)
    it.tables = it.tables + (row.verified and row.verified.tables or 0)
    if row.window and (not it.window or row.window.seconds > it.window.seconds) then
      it.window = { seconds = row.window.seconds, row = row.id }
    end
    for _, each in ipairs(row.attempts) do
      local to = each.to or it.to
      if not it.from or each.from < it.from then it.from = each.from end
      if to and (not it.to or to > it.to) then it.to = to end
    end
  end
  return it
end

local function figures_list(it, rows)
  local sum = sums(rows)
  return h.dl { class = "figures",
    figure("Databases moved", ("%s of %s"):format(moment.count(it.counts.done or 0), moment.count(#rows))),
    sum.bytes > 0 and figure("Data", values.show_size(sum.bytes)),
    sum.tables > 0 and figure("Rows equal", moment.count(sum.rows), "in " .. moment.number(sum.tables, "table")),
    sum.window and figure("Longest window", values.show_duration(sum.window.seconds), h.bdi { sum.window.row }),
    sum.from and sum.to and figure("From first to last",
      figures.brief((moment.parse(sum.to) - moment.parse(sum.from)) / 1e6),
      ("%s to %s UTC"):format(moment.time(sum.from), moment.since(sum.to, sum.from))) }, sum
end

local function top(it, rows, made_at)
  local list, sum = figures_list(it, rows)
  local day = sum.from or made_at
  return h.header {
    h.p { class = "brand", h.b { "pgorch" }, " batch report", h.span { class = "of", h.time { datetime = day,
      moment.day(day) } } },
    h.p { h.span { class = "state " .. tone_of(rows), BATCH_STATE[it.state] or it.state },
      h.span { class = "muted", " batch ", h.bdi { it.batch }, it.reason and ": " .. it.reason } },
    h.h1 { sentence(it) }, list }
end

-- --- what needs a person ---

local function person(row)
  local commands = {}
  for i, line in ipairs(row.next) do
    local label, command = line:match "^([^:]+): (pgorch .*)$"
    commands[i] = h.li { command and { label, ": ", h.code { command } } or line }
  end
  return h.div { class = "person",
    h.h3 { rows_of.name(row), " ", h.span { class = "state " .. row.tone, row.outcome } },
    row.error and h.p { h.code { row.error.id or "?" }, " ", h.bdi { row.error.message or "" } },
    row.error and row.error.cure and h.p { h.b { "Cure: " }, row.error.cure },
    #commands > 0 and h.ul { commands } }
end

local MOST = 25

local function person_box(rows)
  local list, count = {}, 0
  for _, row in ipairs(rows) do
    if row.needs then
      count = count + 1
      if count <= MOST then list[count] = person(row) end
    end
  end
  if count == 0 then return false end
  return h.section { class = tone_of(rows) == "bad" and "error" or "warnings", aria_labelledby = "person",
    h.h2 { id = "person", ("Needs somebody: %s"):format(moment.number(count, "row")) }, list,
    count > MOST and h.p { class = "muted", ("and %d more, which the list below has"):format(count - MOST) } }
end

-- --- the page ---

local function section(id, title, content)
  return h.section { aria_labelledby = id, h.h2 { id = id, title }, content }
end

local function nav()
  return h.nav { aria_label = "Contents", h.ul { h.li { h.a { href = "#rows", "Rows" } },
    h.li { h.a { href = "#timeline", "Timeline" } } } }
end

local function footer(it, made_at)
  return h.footer { h.p { "Written by pgorch ", native.version, " on ", h.time { datetime = made_at,
    moment.day(made_at) .. ", " .. moment.time(made_at) }, " UTC from the record of batch ", h.bdi { it.batch },
    ". Secrets are not in it." } }
end

local function index(it, rows, made_at)
  local sorted = table.move(rows, 1, #rows, 1, {})
  table.sort(sorted, function(a, b)
    if a.rank ~= b.rank then return a.rank < b.rank end
    return a.at < b.at
  end)
  local main = h.main { person_box(sorted), section("rows", "Rows", rows_of.draw(sorted)),
    section("timeline", "Timeline", chart.draw(rows, made_at)) }
  return document.write { title = ("Batch %s: %s"):format(it.batch, BATCH_STATE[it.state] or it.state),
    css = resource.read "pgorch/report/style.css" .. resource.read "pgorch/batch/page/style.css",
    script = resource.read "pgorch/batch/page/filter.js",
    body = { top(it, rows, made_at), nav(), main, footer(it, made_at) } }
end

local function folder_of(path)
  local stat = fs.stat(path)
  if stat and stat.type ~= "directory" then
    fail.raise("PGO-USAGE", ("%s is a %s, name a folder"):format(path, stat.type))
  end
  if not stat then fs.mkdir(path, { mode = 0700, parents = true }) end
  return path
end

---Writes the pages; each is written whole or not at all, for you alone (0600).
---@param store pgorch.Store
---@param batch pgorch.BatchRead
---@param path string   folder; made where it is not there
function page.write(store, batch, path)
  local folder, it, rows = folder_of(path), summary.of(store, batch), {}
  local up = { href = "index.html", title = "batch " .. batch.name }
  for i, row in ipairs(batch.rows) do
    rows[i] = row_of(it.rows[i], row, i)
    if rows[i].run then write_run(store, rows[i], folder, up) end
  end
  fs.write(folder .. "/index.html", index(it, rows, moment.iso(stores.now())), { mode = 0600 })
end

return page
