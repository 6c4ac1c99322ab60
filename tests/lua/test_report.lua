-- The report, from made-up records: what it says of a run, when what was at work, that nothing in it can be taken for
-- markup, and that the chart's axis stays of use.

local axis    = require "pgorch.report.axis"
local html    = require "pgorch.report.html"
local json    = require "pgorch.json"
local page    = require "pgorch.report.page"
local records = require "support.records"
local report  = require "pgorch.report"
local text    = require "pgorch.report.text"

local h = html.h

local function step(it, id)
  for _, each in ipairs(it.steps) do
    if each.id == id then return each end
  end
end

local function iso(seconds) return require("pgorch.report.moment").iso(records.at(seconds)) end

describe("markup", function()
  it("escapes every text and every attribute, and shows what no document may hold", function()
    expect(html.text(h.p { title = "\"<&'", "<b>&\"'</b>", h.b { "x" } }))
      .is "<p title=\"&quot;&lt;&amp;&#39;\">&lt;b&gt;&amp;&quot;&#39;&lt;/b&gt;<b>x</b></p>"
    expect(html.escape "a\0b\1c\127d\nok").is "a␀b␁c␡d\nok"
    expect(html.escape "x\u{202E}y\u{2067}z").is "x\u{FFFD}y\u{FFFD}z"
    expect(html.escape "\xFF\xFEab").is "\u{FFFD}\u{FFFD}ab"
  end)

  it("leaves out what is not there, and writes what stands after it", function()
    expect(html.text(h.p { nil, "a", false, { nil, "b" }, class = nil, hidden = true })).is "<p hidden>ab</p>"
  end)
end)

describe("the report of a move", function()
  it("has its ends, its window, its figures and its sentence", function()
    local it = report.of(records.moved())
    expect(it.run.outcome).is("acme-shop runs on its new database. All 105\u{202F}005 rows in 16 tables are equal on "
      .. "both sides. 1 warning needs a look.")
    expect({ it.source.name, it.target.name, it.target.plan })
      .same { "shop-db/defaultdb", "pgorch-shop-7f3a", "standard-0" }
    expect({ it.window.opened_at, it.window.closed_at, it.window.seconds, it.window.open })
      .same { iso(180), iso(490), 310.0, false }
    expect({ it.cut_over_at, it.dump.bytes_per_second // 1, it.verification.state })
      .same { iso(485), 641000000 / 58 // 1, "equal" }
    expect(it.clients.clients)
      .same { { client = "web", seen = true }, { client = "mailer (198.51.100.20)", seen = false } }
    expect(it.warnings[1].step).is "watch_source"
    expect(it.parameters).same { { name = "app", value = "acme-shop" }, { name = "instance", value = "shop-db" },
      { name = "token", secret = { env = "VULTR_API_KEY" } } }
    expect(it.run.flags).same { { name = "deadline", value = iso(21600) } }
  end)

  it("has the versions, and every setting that differs with what was done about it", function()
    local it = report.of(records.moved())
    expect({ it.source.version, it.source.encoding, it.target.major }).same { "16.4 (Debian)", "UTF8", 17 }
    expect(it.run.versions).same { pgorch = "1.0", store = 2 }
    expect(it.settings).same { reached = true, applied = { "search_path" }, differing = 2, rows = {
      { setting = "search_path", source = "shop", target = '"$user", public', what = "set on the database" },
      { setting = "lc_monetary", source = "de_DE", target = "C", what = records.EVIL } } }
    local text_of = page.write(it):gsub("<[^>]*>", "|")
    expect(text_of).has "2 settings differ of what the source had chosen; 1 was set on the new database."
    expect(text_of).matches "search_path[|%s]+shop[|%s]+&quot;%$user&quot;, public[|%s]+set on the database"
    expect(text_of).matches "PostgreSQL 16%.4.*PostgreSQL 17"
    expect(report.of(records.attempts()).settings).same { reached = false, applied = {}, differing = 0, rows = {} }
  end)

  it("has every table: those that verify named, and the equal ones that it summed up", function()
    local v = report.of(records.moved { tables = 600 }).verification
    expect(#v.tables).is(603)
    local verdicts = {}
    for _, each in ipairs(v.tables) do verdicts[each.verdict] = (verdicts[each.verdict] or 0) + 1 end
    expect(verdicts).same { equal = 602, ["not populated"] = 1 }
    expect(v.hash).is "hashtextextended"
    expect(v.objects).same { { kind = "table", count = 2 }, { kind = "index", count = 1 } }
  end)

  it("can be written as JSON, and read again as the same", function()
    local it = report.of(records.moved { events = 1000 })
    expect(json.decode(json.encode(it)).events[1000].data.n).is(1000)
  end)

  it("of a rehearsal says that nothing was changed", function()
    local it = report.of(records.moved { kind = "rehearsal" })
    expect(it.run.outcome).has "The rehearsal went through; nothing was changed outside. The window to announce is"
    expect(it.run.outcome).has " about 7 min."
    expect(it.run.meaning).is "rehearsed, with warnings"
    expect(page.write(it)).has "measured 5 m 10 s, and 1 m 40 s for what is not"
  end)
end)

describe("the report of several attempts", function()
  local made = report.of(records.attempts())

  it("says when each step was at work, was interrupted, failed, and was put back", function()
    local said = {}
    for i, each in ipairs(step(made, "restore").stretches) do
      said[i] = { each.what, each.state, each.from, each.to }
    end
    local later = 3 * 86400
    expect(said).same { { "run", "interrupted", iso(240), iso(300) },
      { "run", "failed", iso(later + 10), iso(later + 50) }, { "undo", "undone", iso(later + 51), iso(later + 60) } }
    expect(made.attempts).same { { number = 1, from = iso(0), to = iso(300), ended = "stopped" },
      { number = 2, from = iso(later), to = iso(later + 66), ended = "put_back" } }
  end)

  it("has the window open from the first attempt until it was put back", function()
    expect({ #made.window.times, made.window.opened_at, made.window.closed_at })
      .same { 1, iso(180), iso(3 * 86400 + 65) }
  end)

  it("ends what was killed where it was last heard of, not where the next process took over", function()
    local it, later = report.of(records.killed()), 2 * 86400
    local said = {}
    for i, each in ipairs(step(it, "restore").stretches) do said[i] = { each.state, each.from, each.to } end
    expect(said).same { { "interrupted", iso(10), iso(40) }, { "done", iso(later + 5), iso(later + 65) } }
    expect(it.attempts).same { { number = 1, from = iso(0), to = iso(40), ended = "interrupted" },
      { number = 2, from = iso(later + 1), to = iso(later + 66), ended = "done" } }
  end)

  it("has each window, where one was put back and opened again", function()
    local window = report.of(records.reopened()).window
    expect(window.times).same { { from = iso(100), to = iso(210) }, { from = iso(1000), to = iso(1310) } }
    expect({ window.seconds, window.open, window.closed_at }).same { 420.0, false, iso(1310) }
  end)

  it("does not say of what was put back, or was only rehearsed, that it was moved", function()
    local told = text.write(made)
    expect(told).matches "\n  from +shop%-db/defaultdb\n  to +pgorch%-shop%-7f3a\n"
    expect(told).lacks "moved"
    expect(text.write(report.of(records.moved { kind = "rehearsal" }))).lacks "  moved"
    expect(text.write(report.of(records.moved()))).matches "\n  moved +shop%-db/defaultdb %-> pgorch%-shop%-7f3a\n"
  end)

  it("has a window closed that was closed after the clock was set back", function()
    local window = report.of(records.set_back()).window
    expect({ window.open, #window.times, window.opened_at, window.closed_at })
      .same { false, 1, iso(11000), iso(510) }
  end)

  it("says that the app is as it was", function()
    expect(made.run.outcome).is "The move failed at “Restore” and was put back: acme-shop is as it was before."
    expect(made.put_back[2].text).is "worker 0 -> 3, maintenance off"
  end)
end)

describe("the axis", function()
  it("cuts rests out, and keeps their parts in order within the width", function()
    local day = 86400 * 1000000
    local scale = axis.new { { from = 0, to = 60000000 }, { from = 3 * day, to = 3 * day + 60000000 } }
    expect(scale:gaps()).same { { x = 48.0, width = 4, seconds = 3 * 86400 - 60 } }
    expect({ scale:x(0), scale:x(30000000), scale:x(3 * day), scale:x(3 * day + 60000000) })
      .same { 0.0, 24.0, 52.0, 100.0 }
  end)

  it("keeps room for the work among hundreds of rests", function()
    local work = {}
    for i = 1, 300 do work[i] = { from = i * 3600000000, to = i * 3600000000 + 1000000 } end
    local gaps, total = axis.new(work):gaps(), 0
    for _, each in ipairs(gaps) do total = total + each.width end
    expect(total <= 30.001).is(true)
  end)

  it("does not cut what was only short", function()
    expect(#axis.new({ { from = 0, to = 1000 }, { from = 1010, to = 2000 } }):gaps()).is(0)
  end)

  it("is not stretched by a gate that waited for a person all night", function()
    local seen = records.moved()
    for _, row in ipairs(seen.list) do
      if row.id == "gate_cut_over" then row.ended_at = records.at(40000) end
      if row.position > 11 then row.started_at, row.ended_at = row.started_at + 4e10, row.ended_at + 4e10 end
    end
    local written = page.write(report.of(seen))
    expect(written).has "cut out: nothing was at work for 11 h"
  end)
end)

describe("the page", function()
  it("has no markup but its own, whatever things are called", function()
    for _, seen in ipairs { records.moved(), records.attempts() } do
      local written = page.write(report.of(seen))
      expect(written).lacks "<script"
      expect(written).lacks "<img"
      expect(written).has "&lt;img src=x onerror=alert(1)&gt;&amp;&quot;&#39;&lt;/table&gt;"
      expect(written).lacks "\u{202E}"
      expect(written).lacks " style="
      expect(written).lacks "http://"
    end
  end)

  it("is one file of a reasonable size for 600 tables and 1000 events, which are folded away", function()
    local written = page.write(report.of(records.moved { tables = 600, events = 1000 }))
    expect(#written < 600000).is(true)
    expect(written).has "<summary>All 603 tables and materialized views</summary>"
    expect(written).has "<summary>1\u{202F}001 events</summary>"
  end)

  it("and the text can be written of a run that has done nothing, and of one that is at work", function()
    local it = report.of(records.empty())
    expect(it.run.outcome).has "The process that worked on this run is gone."
    expect(page.write(it)).has "No step has begun."
    expect(text.write(it)).has "not reached"
    local seen = records.moved()
    local last = seen.list[#seen.list]
    last.state, last.ended_at, last.result, seen.state = "running", nil, nil, "running"
    it = report.of(seen)
    expect(it.run.outcome).is "acme-shop is being moved now: “Watch source”."
    expect(page.write(it)).has "22:08:10 to now UTC: running"
  end)
end)
