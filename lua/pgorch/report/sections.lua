-- The sections of the page below the chart: what was checked, set, compared, put back, who was seen, and with what the
-- run was started. Each is a function of the report; one that has nothing to tell says so in a sentence. Pure.

local h      = require "pgorch.report.html".h
local json   = require "pgorch.json"
local moment = require "pgorch.report.moment"
local values = require "pgorch.recipe.values"

local sections = {}

-- More rows than this are folded away.
local LONG = 14

local function cells(row, kinds)
  local list = {}
  for i, value in ipairs(row) do
    local tag = i == 1 and h.th or h.td
    list[i] = tag { scope = i == 1 and "row" or nil, class = kinds and kinds[i] or nil, value }
  end
  return h.tr { list }
end

-- A table of data: the first cell of each row is its header. kinds: classes of the columns ("number", "code").
local function data_table(columns, rows, kinds, caption)
  local heads, body = {}, {}
  for i, name in ipairs(columns) do heads[i] = h.th { scope = "col", class = kinds and kinds[i] or nil, name } end
  for i, row in ipairs(rows) do body[i] = cells(row, kinds) end
  return h.div { class = "wide", tabindex = "0", role = "region", aria_label = caption,
    h.table { h.thead { h.tr { heads } }, h.tbody { body } } }
end

local function folded(summary, content) return h.details { h.summary { summary }, content } end

local function pairs_list(list)
  local out = {}
  for _, each in ipairs(list) do
    if each[2] then out[#out + 1] = h.div { h.dt { each[1] }, h.dd { each[2] } } end
  end
  return h.dl { class = "facts", out }
end

local function size(bytes) return bytes and values.show_size(bytes) end

local function rate(bytes) return bytes and values.show_size(bytes) .. "/s" or nil end

local function name_of(text) return h.code { h.bdi { text } } end

local LEVEL = { pass = "pass", note = "note", warn = "look", fail = "fail" }

local function badge(level, text) return h.span { class = "badge " .. level, text or LEVEL[level] or level } end

-- Why there is nothing to tell: a run that was done had no such step.
local function absent(report, what)
  local why = report.run.state == "done" and "the recipe has no such step" or "the run did not come so far"
  return h.p { what, ": ", why, "." }
end

-- What has filled the target.
local function brought(restore)
  if restore.way == "direct" then
    return { "Copy from server to server", restore.seconds and ("%s, %s in %s"):format(
      moment.number(restore.rows, "row"), size(restore.bytes), values.show_duration(restore.seconds)) }
  end
  return { restore.way == "heroku" and "Copy by Heroku" or "Restore", restore.seconds
    and ("%s in %s, %s of its log"):format(restore.name, values.show_duration(restore.seconds),
      moment.number(restore.lines or 0, "line")) }
end

function sections.sizes(report)
  local source, dump, restore = report.source, report.dump, report.restore
  if not source.bytes then return absent(report, "Nothing was measured") end
  local tables = source.tables and moment.number(source.tables, "table")
  return { pairs_list {
    { "Database", source.bytes and { size(source.bytes), tables and ", " .. tables } },
    { "Provider’s console says", size(source.console_bytes) },
    { "Large objects", source.large_objects and ("%s, %s"):format(moment.count(source.large_objects),
      size(source.large_object_bytes or 0)) },
    { "Encoding and collation", source.encoding and ("%s, %s"):format(source.encoding, source.collate or "?") },
    { "Dump", dump.bytes and { size(dump.bytes), dump.bytes_per_second and " at " .. rate(dump.bytes_per_second),
      dump.parts and (" in %s"):format(moment.number(dump.parts, "part")) } },
    { "Dump’s SHA-256", dump.sha256 and h.code { class = "long", dump.sha256 } },
    { "Dump afterwards", dump.key and (dump.kept and { "kept as ", name_of(dump.kept) } or dump.deleted and "deleted"
      or { "as ", name_of(dump.key) }) },
    brought(restore),
  }, #restore.classes > 0 and sections.restore_log(report) }
end

function sections.restore_log(report)
  local rows = {}
  for i, each in ipairs(report.restore.classes) do rows[i] = { each.why, moment.count(each.count) } end
  return { h.h3 { "What the restore’s log complained of" }, data_table({ "Harmless, because", "Lines" }, rows,
    { "", "number" }, "Classes of the restore's log") }
end

-- One finding: a line for what was found, then what will come of it and the cure.
local function finding(each)
  local more = {}
  for line in ((each.detail or "") .. "\n"):gmatch "(.-)\n" do
    if line ~= "" then more[#more + 1] = h.li { h.bdi { line } } end
  end
  return h.li { class = "finding", each.level and badge(each.level), h.div {
    h.p { each.id and { h.code { each.id }, " " }, each.what }, #more > 0 and h.ul { more },
    each.fate and h.p { class = "more", h.b { "Then: " }, each.fate },
    each.cure and each.cure ~= "" and h.p { class = "more", h.b { "Cure: " }, each.cure } } }
end

local function findings(check)
  local passed, others = {}, {}
  for _, each in ipairs(check.findings) do
    if each.level == "pass" then passed[#passed + 1] = h.li { each.what } else others[#others + 1] = finding(each) end
  end
  return { h.h3 { check.title }, #others > 0 and h.ul { class = "plain", others },
    #passed > 0 and folded(moment.number(#passed, "check") .. " passed", h.ul { passed }) }
end

function sections.preflight(report)
  if #report.preflight == 0 then return absent(report, "Nothing was checked") end
  local list = {}
  for i, check in ipairs(report.preflight) do list[i] = findings(check) end
  return list
end

function sections.settings(report)
  local settings, rows = report.settings, {}
  if not settings.reached then return absent(report, "Not compared") end
  for i, each in ipairs(settings.rows) do
    rows[i] = { name_of(each.setting), h.code { each.source }, h.code { each.target }, each.what }
  end
  local said = settings.differing == 0 and "All settings that the source had chosen are the same on the target."
    or ("%s of what the source had chosen; %s set on the new database."):format(
      moment.number(settings.differing, "setting differs", "settings differ"),
      moment.number(#settings.applied, "was", "were"))
  return { h.p { said }, #rows > 0 and data_table({ "Setting", "Source", "Target was", "What was done" }, rows, nil,
    "Settings that differ") }
end

local VERDICT = { equal = "pass", differs = "fail", ["not compared"] = "note" }

local function compared_tables(v)
  local rows = {}
  for i, each in ipairs(v.tables) do
    local counts = each.verdict == "differs" and { "source ", each.source or "?", ", target ", each.target or "?" }
      or each.rows and moment.count(each.rows) or "–"
    rows[i] = { name_of(each.name), counts, each.checksum and h.code { each.checksum } or "–",
      badge(VERDICT[each.verdict] or "note", each.verdict) }
  end
  local summary = moment.number(#rows, "table or view", "tables and materialized views")
  local content = data_table({ "Table", "Rows", "Checksum", "Result" }, rows, { "", "number", "number", "" },
    "Every table that was compared")
  return #rows > LONG and folded("All " .. summary, content) or #rows > 0 and content
end

local function object_kinds(v)
  if #v.objects == 0 then return false end
  local list, total = {}, 0
  for i, each in ipairs(v.objects) do
    list[i] = h.li { ("%s %s"):format(moment.count(each.count), each.kind) }
    total = total + each.count
  end
  return folded(("%s of the source, by kind"):format(moment.number(total, "schema object")),
    h.ul { class = "kinds", list })
end

local function differences(v)
  local rows = {}
  for i, each in ipairs(v.differences) do
    rows[i] = { { badge(each.level == "warn" and "warn" or "fail"), " ", each.kind or "" }, name_of(each.name or ""),
      each.source or "", each.target or "" }
  end
  if #rows == 0 then return false end
  return { h.h3 { "Differences" }, data_table({ "Kind", "Name", "Source", "Target" }, rows, nil, "Differences") }
end

local SAID = {
  equal = "Source and target are equal: schema, rows, checksums, sequences and large objects.",
  differs = "Source and target differ. Nothing was cut over to this copy.",
  ["not finished"] = "The comparison was not finished.",
}

local function verified_totals(v)
  if v.state ~= "equal" then return false end
  local t = v.totals
  return pairs_list {
    { "Tables and materialized views", moment.count(t.tables) },
    { "Rows", moment.count(t.rows) }, { "Sequences", moment.count(t.sequences) },
    { "Large objects", moment.count(t.large_objects) }, { "Schema objects", t.objects and moment.count(t.objects) },
    { "Source read", v.on_snapshot and "in the snapshot of the data" or "later, nothing being written" },
    { "Rows summed with", v.hash },
    { "Written since", v.written == "quiet" and "nothing, says the server" or v.written == "unclear"
      and "nothing: counted and summed again" or v.written },
    { "Own queries", #v.queries > 0 and table.concat(v.queries, ", ") or "none" },
  }
end

function sections.verification(report)
  local v, ignored = report.verification, {}
  for i, text in ipairs(v.ignored) do ignored[i] = h.li { h.bdi { text } } end
  if v.state == "not reached" then return absent(report, "Nothing was compared") end
  return { h.p { class = "verdict " .. v.state:gsub(" ", "-"), SAID[v.state] }, verified_totals(v), differences(v),
    compared_tables(v), object_kinds(v),
    #ignored > 0 and folded(moment.number(#ignored, "difference that means", "differences that mean") .. " nothing",
      h.ul { ignored }) }
end

local function texts(title, list, class)
  if #list == 0 then return false end
  local items = {}
  for i, each in ipairs(list) do
    items[i] = h.li { type(each) == "string" and each or each.text or { h.b { each.title }, ": ",
      each.error and each.error.message or "it could not be put back" } }
  end
  return { h.h3 { title }, h.ul { class = class, items } }
end

local function cleaned(report)
  local after, items = report.afterwards, {}
  for i, each in ipairs(after.cleaned or {}) do
    items[i] = h.li { h.bdi { each.what }, ": ", h.b { each.state == "left" and "STILL THERE" or each.state },
      each.why and " (" .. each.why .. ")" }
  end
  return { after.cleaned_at and { h.h3 { "Cleaned up ", h.time { datetime = after.cleaned_at,
    moment.day(after.cleaned_at) .. ", " .. moment.time(after.cleaned_at) } }, h.ul { items } },
    after.destroyed_at and h.p { "The source ", name_of(after.destroyed or "?"), " was destroyed on ",
      h.time { datetime = after.destroyed_at, moment.day(after.destroyed_at) }, "." } }
end

-- What can be typed now.
local function commands(report)
  local id, app = report.run.id, report.run.app
  if #report.standing > 0 then
    return h.p { "To go on: ", h.code { "pgorch resume " .. id }, ". To give up: ",
      h.code { "pgorch rollback " .. id }, "." }
  elseif #report.kept > 0 then
    return h.p { "What is kept is removed by ", h.code { ("pgorch cleanup %s%s"):format(id, app and " --confirm " .. app
      or "") }, "." }
  end
end

function sections.put_back(report)
  local list = {
    texts("Not put back", report.not_put_back, "bad"), texts("Still so", report.standing, "bad"),
    texts("Put back as it was", report.put_back), texts("Kept on purpose", report.kept), commands(report),
    cleaned(report),
  }
  local any = #report.not_put_back + #report.standing + #report.put_back + #report.kept > 0
    or report.afterwards.cleaned_at or report.afterwards.destroyed_at
  return any and list or h.p { "Nothing had to be put back." }
end

function sections.clients(report)
  local it, rows = report.clients, {}
  if not it.looked then return absent(report, "Nobody was looked for") end
  for i, each in ipairs(it.clients) do
    rows[i] = { name_of(each.client), each.seen and badge("pass", "seen on the target")
      or badge("warn", "not yet seen") }
  end
  return { #rows > 0 and data_table({ "Client of the source", "Since the cut-over" }, rows, nil, "Clients")
    or h.p { "The source had no other clients when the run looked." },
    #it.strays > 0 and texts("Still connects to the source, where its writes are refused", it.strays, "bad"),
    #it.written > 0 and texts("Written to the source after the move, and NOT in the new database", it.written, "bad") }
end

local function place(secret)
  local form, where = next(secret)
  return { h.span { class = "muted", "secret, from " .. (form or "?") .. " " }, h.code { tostring(where) } }
end

local function shown(value, kind)
  if kind == "duration" then return values.show_duration(value) end
  if type(value) == "table" then return table.concat(value, ", ") end
  if type(value) == "boolean" then return value and "yes" or "no" end
  return tostring(value)
end

-- What the steps had to tell, in their order.
function sections.notes(report)
  local rows = {}
  for _, step in ipairs(report.steps) do
    for _, text in ipairs(step.notes or {}) do rows[#rows + 1] = { h.bdi { step.title }, h.bdi { text } } end
  end
  return #rows > 0 and folded(moment.number(#rows, "note") .. " of the steps",
    data_table({ "Step", "Note" }, rows, nil, "Notes of the steps"))
end

function sections.parameters(report)
  local rows, run = {}, report.run
  for _, each in ipairs(report.parameters) do
    local value = each.secret and place(each.secret) or h.bdi { shown(each.value, each.type) }
    rows[#rows + 1] = { h.code { each.name }, value }
  end
  for _, each in ipairs(run.flags) do
    rows[#rows + 1] = { h.code { "--" .. each.name }, h.bdi { shown(each.value) } }
  end
  return { pairs_list {
    { "Recipe", { h.bdi { run.recipe.path }, run.recipe.unchanged == false and " (its text is another one by now)" } },
    { "Recipe’s SHA-256", h.code { class = "long", run.recipe.sha256 } },
    { "pgorch", run.versions.pgorch }, { "Record’s version", run.versions.store and tostring(run.versions.store) },
    { "pg_dump", report.dump.client }, { "Source", report.source.version and "PostgreSQL " .. report.source.version },
    { "Target", report.target.major and ("PostgreSQL %d"):format(report.target.major) },
  }, data_table({ "Parameter", "Value" }, rows, nil, "Parameters") }
end

-- The whole of it is in the record and in --json.
local function clipped(text)
  return #text <= 300 and text or text:sub(1, utf8.offset(text, 0, 300) - 1) .. "…"
end

local function event_row(each)
  local data = next(each.data) and json.encode(each.data) or ""
  return { h.time { datetime = each.at, each.at:sub(1, 10) .. " " .. each.at:sub(12, 23) },
    (each.kind:gsub("_", " ")), h.code { class = "long", h.bdi { clipped(data) } } }
end

function sections.events(report)
  if #report.events == 0 then return h.p { "None." } end
  local rows = {}
  for i, each in ipairs(report.events) do rows[i] = event_row(each) end
  local content = data_table({ "At (UTC)", "Event", "Data" }, rows, nil, "Events")
  return #rows > LONG and folded(moment.number(#rows, "event"), content) or content
end

return sections
