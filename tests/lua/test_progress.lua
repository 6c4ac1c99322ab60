-- The lines of the display: what a person sees of a running step, of an error, of a table.

local fail    = require "pgorch.error"
local lines   = require "pgorch.runner.lines"
local pace    = require "pgorch.runner.pace"
local summary = require "pgorch.runner.summary"

local plain = { paint = function(_, _, text) return text end, tick_mark = "ok", cross_mark = "FAIL" }

describe("a running step", function()
  it("shows part, bytes, rate and time left", function()
    local step = { id = "dump", began = 100 }
    lines.note_progress(step, { bytes = 0, total = 640e6 }, 100)
    lines.note_progress(step, { bytes = 250e6, total = 640e6 }, 105)
    lines.note_progress(step, { bytes = 320e6, total = 640e6 }, 106)
    expect(lines.running(step, 107)).is("  dump  [######      ]  50 %  320 MB  50 MB/s  ETA 6.4 s  7.0 s")
  end)

  it("shows bytes alone when the total is not known, and its words when there are no bytes", function()
    local step = { id = "dump", began = 0 }
    lines.note_progress(step, { bytes = 5e9 }, 1)
    expect(lines.running(step, 2)).is("  dump  5.0 GB  2.0 s")
    local other = { id = "addon", began = 0 }
    lines.note_progress(other, { text = "creating" }, 1)
    expect(lines.running(other, 161)).is("  addon  creating  2 m 41 s")
  end)

  it("is told to machines once a second, with rate and time left, and when it is full", function()
    local told, list = pace.new(), {}
    for i = 0, 80 do
      list[#list + 1] = told:take({ id = "dump", bytes = i * 1e6, total = 80e6 }, i / 10)
    end
    expect(#list).is(9)
    expect(list[6]).same { id = "dump", bytes = 50e6, total = 80e6, rate = 10000000, eta = 3 }
    expect(list[9].bytes).is(80e6)
    expect(told:take({ id = "restore", text = "waits" }, 8)).same { id = "restore", text = "waits" }
    expect(told:take({ id = "restore", text = "waits" }, 8.5)).is_nil()
  end)

  it("fits the width, whatever its letters are", function()
    expect(lines.clip("abcdef", 4)).is("abc~")
    expect(lines.clip("ééééé", 4)).is("ééé~")
    expect(lines.clip("abc", 4)).is("abc")
  end)
end)

describe("an error", function()
  it("names step, id, message, detail, cause and cure", function()
    local err = fail.new("PGO-VERIFY", "2 tables differ", { step = "verify", detail = "a\nb",
      cause = fail.new("PGO-NET", "gone") })
    local text = lines.explain(err, plain)
    expect(text).has("error: step verify: PGO-VERIFY  2 tables differ\n      a\n      b\n")
    expect(text).has("because: PGO-NET: gone")
    expect(text).has("cure: What differs is listed.")
  end)
end)

describe("a table", function()
  it("is aligned, numbers to the right", function()
    expect(summary.table { title = "T", columns = { "name", "rows" }, rows = { { "a", 5 }, { "bcdef", 1000 } } })
      .is("T\n  name   rows\n  a         5\n  bcdef  1000")
  end)
end)
