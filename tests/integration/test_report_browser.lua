-- The report's page in a real browser: it complains of nothing and fetches nothing, fits a telephone and a wide screen,
-- can be read in light and dark, and is built so that it can be read without seeing it.

local chromium = require "support.chromium"
local fs       = require "pgorch.fs"
local http     = require "pgorch.http"
local page     = require "pgorch.report.page"
local records  = require "support.records"
local report   = require "pgorch.report"

local SCRIPT = fs.read(TEST_FOLDER .. "/../support/measure.js")

local function measure(text, o) return chromium.measure(text, SCRIPT, o) end

local function written(seen) return page.write(report.of(seen)) end

local function expect_good(m, width) expect(chromium.faults(m, width)).same {} end

describe("the report's page", function()
  before(function()
    if not chromium.is_there() then skip "chromium is not installed: vendor/debian.sh browser" end
  end)

  it("is shown whole by its own policy: no complaint on the console, nothing fetched but itself", function()
    local asked, text = {}, written(records.moved { tables = 30 })
    local server <close> = http.serve({}, function(request)
      asked[#asked + 1] = request.path
      return { status = 200, headers = { ["content-type"] = "text/html" }, body = text }
    end)
    local document, console = chromium.load(server.url .. "/report.html", {})
    expect(table.concat(console, "\n")).is ""
    expect(asked).same { "/report.html" }
    for _, each in ipairs { "acme-shop runs on its new database.", "pgorch-shop-7f3a", "mailer (198.51.100.20)",
      "Restore", "from env", "VULTR_API_KEY", "&lt;img src=x onerror=alert(1)&gt;" } do expect(document).has(each) end
  end)

  it("fits 360 px, can be read, and opens what is folded", function()
    local m = measure(written(records.moved { tables = 600, events = 1000 }), { width = 360 })
    expect_good(m, 360)
    expect(m.folded >= 4 and m.grown).is(true)
    expect(m.bars).is(16)
  end)

  it("fits 1400 px, in the dark, which is dark", function()
    local it = written(records.attempts())
    local dark, light = measure(it, { width = 1400, dark = true }), measure(it, { width = 1400 })
    expect_good(dark, 1400)
    expect_good(light, 1400)
    expect(light.background).is "rgb(251, 250, 247)"
    expect(dark.background).is "rgb(20, 23, 27)"
  end)

  it("of a run that has done nothing, narrow and dark", function()
    expect_good(measure(written(records.empty()), { width = 360, dark = true }), 360)
  end)

  it("would be found wanting: what these measures are for is seen where it is planted", function()
    local planted = written(records.moved()):gsub("<main>", [[<main><h4>deep</h4>
      <section style="width: 700px"><table><tr><td>x</td></tr></table></section>
      <p style="color: #999; background: #fff">faint</p><img src="http://127.0.0.1:1/x.png" alt="">]], 1)
    local m = measure(planted, { width = 360 })
    expect(m.scroll_width > 360).is(true)
    expect({ #m.faint, #m.headings, #m.unnamed, m.headless_tables, #m.resources }).same { 1, 1, 1, 1, 1 }
    expect(#m.wide > 0).is(true)
    local bad = written(records.moved()):gsub("<main>", '<main><p style="color: red">x</p><script>y()</script>', 1)
    local server <close> = http.serve({}, function()
      return { status = 200, headers = { ["content-type"] = "text/html" }, body = bad }
    end)
    local _, console = chromium.load(server.url, {})
    expect(#console >= 2).is(true)
  end)
end)
