-- The pages of a batch in a real browser: they complain of nothing and fetch nothing, fit a telephone and a wide
-- screen, can be read in light and dark and without being seen; the list is filtered; every run has a page by a link.

local batch_records = require "support.batch_records"
local chromium      = require "support.chromium"
local fs            = require "pgorch.fs"
local host          = require "pgorch.native.host"
local http          = require "pgorch.http"
local page          = require "pgorch.batch.page"
local process       = require "pgorch.process"
local records       = require "support.records"

local SCRIPT = fs.read(TEST_FOLDER .. "/../support/measure.js")

-- fn(folder, index) with the pages of so many rows.
local function with_pages(count, fn)
  fs.with_temporary("/tmp/pgorch-pages-", function(dir)
    local st <close> = batch_records.new("sqlite:" .. dir .. "/state.db", count)
    page.write(st, st:batch "night", dir .. "/pages")
    fn(dir .. "/pages", fs.read(dir .. "/pages/index.html", 1 << 26))
  end)
end

local function expect_good(m, width) expect(chromium.faults(m, width)).same {} end

describe("the pages of a batch", function()
  it("are an index and a page for each run, for their owner alone, and every link is there", function()
    with_pages(24, function(folder, index)
      local names = fs.list(folder)
      expect(#names).is(22)                              -- three rows have no run
      for _, name in ipairs(names) do expect(fs.stat(folder .. "/" .. name).mode).is(600) end
      local links = 0
      for href in index:gmatch 'href="([^"#]+%.html)"' do
        links = links + 1
        expect({ href, fs.exists(folder .. "/" .. href) }).same { href, true }
      end
      expect(links >= 42).is(true)                       -- from the list and from the timeline
      expect(fs.read(folder .. "/7001.html", 1 << 26)).has '<a href="index.html">batch night</a>'
    end)
  end)

  it("show first who is needed and what can be typed, and escape what they were given", function()
    with_pages(24, function(_, index)
      expect(index).has "19 of 24 databases are moved; 1 failed, 1 was refused, 1 is blocked, 1 needs attention"
      expect(index).has "Needs somebody: 4 rows"
      local attention, failed, done = index:find("NOT all put back", 1, true), index:find("failed, put back", 1, true),
        index:find("done, with warnings", 1, true)
      expect(attention < failed and failed < done).is(true)
      expect(index).has "<code>pgorch batch retry night row-004</code>"
      expect(index).has "&lt;img src=x onerror=alert(1)&gt;"
      expect(index:find(records.EVIL, 1, true)).is_nil()
    end)
  end)

  it("are written again over those that are there; a file in their place is refused", function()
    fs.with_temporary("/tmp/pgorch-pages-", function(dir)
      local st <close> = batch_records.new("sqlite:" .. dir .. "/state.db", 8)
      for _ = 1, 2 do page.write(st, st:batch "night", dir .. "/pages") end
      fs.write(dir .. "/file", "")
      expect(function() page.write(st, st:batch "night", dir .. "/file") end).raises "PGO-USAGE"
    end)
  end)
end)

describe("in a browser, the page of a batch", function()
  before(function()
    if not chromium.is_there() then skip "chromium is not installed: vendor/debian.sh browser" end
  end)

  it("is shown whole by its own policy, and filtered by its own script", function()
    with_pages(24, function(_, index)
      local asked = {}
      local server <close> = http.serve({}, function(request)
        asked[#asked + 1] = request.path
        return { status = 200, headers = { ["content-type"] = "text/html" }, body = index }
      end)
      local document, console = chromium.load(server.url .. "/index.html", {})
      expect(table.concat(console, "\n")).is ""
      expect(asked).same { "/index.html" }
      expect(document).has "24 of 24 shown"
    end)
  end)

  it("fits 390 and 360 px", function()
    with_pages(60, function(_, index)
      for _, width in ipairs { 390, 360 } do
        expect_good(chromium.measure(index, SCRIPT, { width = width }), width)
      end
    end)
  end, { limit = 60 })

  it("fits 1280 px, in light and dark", function()
    with_pages(60, function(_, index)
      local dark = chromium.measure(index, SCRIPT, { width = 1280, dark = true })
      local light = chromium.measure(index, SCRIPT, { width = 1280 })
      expect_good(dark, 1280)
      expect_good(light, 1280)
      expect(light.bars >= 57).is(true)
    end)
  end, { limit = 60 })

  it("finds rows by words and outcome, in the list and in the timeline", function()
    with_pages(24, function(_, index)
      local script = [[(() => {
        const [words, state] = ['input', 'select'].map((name) => document.querySelector('.filter ' + name));
        const count = (what) => [...document.querySelectorAll(what + ' tr[data-state]')]
          .filter((row) => row.getClientRects().length > 0).length;
        const found = (word, outcome) => {
          words.value = word; state.value = outcome;
          words.dispatchEvent(new Event('input'));
          return [count('.rows'), count('.timeline')];
        };
        const out = parent.document.createElement('pre');
        out.id = 'measured';
        out.textContent = JSON.stringify({ found: [found('', ''), found('ROW-01', ''), found('north row-01', ''),
          found('', 'failed, put back'), found('lossy', ''), found('nothing such', '')] });
        parent.document.body.append(out);
      })();]]
      local m = chromium.measure(index, script, { width = 1280 })
      expect(m.found).same { { 24, 21 }, { 10, 10 }, { 5, 5 }, { 1, 1 }, { 1, 1 }, { 0, 0 } }
    end)
  end)
end)

describe("pgorch batch report", function()
  it("writes them, or tells them in short", function()
    fs.with_temporary("/tmp/pgorch-pages-", function(dir)
      local url = "sqlite:" .. dir .. "/state.db"
      batch_records.new(url, 8):close()
      local function report(...)
        local words = { host.executable(), "batch", "report", env = { PGORCH_STATE = url }, check = false }
        return process.run(table.move({ ... }, 1, select("#", ...), #words + 1, words))
      end
      local written = report("night", "--html", dir .. "/pages")
      expect({ written.code, written.stderr }).same { 0, ("written: %s/pages/index.html\n"):format(dir) }
      expect(report("night").stdout).has "3 done, 1 ready, 1 attention, 1 failed, 1 refused, 1 blocked"
      expect(report("night", "--json").stdout).matches '^[^\n]*"event":"ended"[^\n]*\n$'
      expect(report("night", "--json", "--html", dir).code).is(2)
    end)
  end)
end)
