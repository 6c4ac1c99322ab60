-- Dates as APIs and servers spell them.

local clock = require "pgorch.clock"

describe("clock", function()
  it("writes and reads ISO 8601", function()
    for epoch, text in pairs { [0] = "1970-01-01T00:00:00Z", [951782400] = "2000-02-29T00:00:00Z",
      [1795197600] = "2026-11-20T18:00:00Z", [4107542399] = "2100-02-28T23:59:59Z", [-1] = "1969-12-31T23:59:59Z" } do
      expect(clock.iso(epoch)).is(text)
      expect(clock.parse_iso(text)).is(epoch)
    end
    expect(clock.iso(1795197600.9)).is "2026-11-20T18:00:00Z"
  end)

  it("agrees with itself over four centuries", function()
    for day = -20000, 130000, 37 do
      expect(clock.parse_iso(clock.iso(day * 86400 + 3661))).is(day * 86400 + 3661)
    end
  end)

  it("reads the spellings of PostgreSQL and of the APIs", function()
    local epoch = 1795197600
    for _, text in ipairs { "2026-11-20 18:00:00 +0000", "2026-11-20 18:00:00+00", "2026-11-20T19:00:00+01:00",
      "2026-11-20 12:30:00-05:30", "2026-11-20T18:00Z", "2026-11-20 18:00:00 UTC", "2026-11-20T18:00:00" } do
      expect(clock.parse_iso(text)).is(epoch)
    end
    expect(clock.parse_iso "2026-11-20T18:00:00.25Z").is(epoch + 0.25)
    expect(clock.parse_iso "2026-11-20").is(epoch - 18 * 3600)
  end)

  it("refuses what is no time", function()
    for _, bad in ipairs { "", "yesterday", "2026-13-01", "2026-11-20T18", "2026-11-20T18:00:00X",
      "2026-11-20 25:00:00" } do
      expect(function() clock.parse_iso(bad) end):raises "PGO-INVALID"
    end
  end)

  it("reads the Date header", function()
    expect(clock.parse_http "Fri, 20 Nov 2026 18:00:00 GMT").is(1795197600)
    expect(clock.parse_http "soon").is(nil)
    expect(clock.parse_http(nil)).is(nil)
  end)

  it("knows the time", function()
    expect(clock.time() > 1.7e9).is(true)
    expect(clock.iso()).matches "^20%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$"
  end)
end)
