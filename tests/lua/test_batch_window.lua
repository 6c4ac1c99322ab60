-- The window of a batch, read by the zone that it names: the night that clocks are put back or forward, the one that is
-- open now, and what does not exist.

local clock   = require "pgorch.clock"
local options = require "pgorch.batch.options"
local window  = require "pgorch.batch.window"

local function at(text) return clock.parse_iso(text) end

local function resolve(opens, closes, now)
  local made = window.resolve({ opens = opens, closes = closes }, at(now))
  return (made.opens_at and clock.iso(made.opens_at) or "-") .. " " ..
    (made.closes_at and clock.iso(made.closes_at) or "-")
end

describe("a window", function()
  it("is the one that is open, else the next one", function()
    local opens, closes = "Sat 22:00 Europe/Oslo", "Sun 04:00 Europe/Oslo"
    local this, later = "2026-11-28T21:00:00Z 2026-11-29T03:00:00Z", "2026-12-05T21:00:00Z 2026-12-06T03:00:00Z"
    expect(resolve(opens, closes, "2026-11-25T12:00:00Z")).is(this)
    expect(resolve(opens, closes, "2026-11-28T20:59:59Z")).is(this)
    expect(resolve(opens, closes, "2026-11-28T23:30:00Z")).is(this)
    expect(resolve(opens, closes, "2026-11-29T02:59:59Z")).is(this)
    expect(resolve(opens, closes, "2026-11-29T03:00:00Z")).is(later)
  end)

  it("is of every day, or of one", function()
    expect(resolve("22:00 UTC", "04:00 UTC", "2026-11-25T12:00:00Z")).is "2026-11-25T22:00:00Z 2026-11-26T04:00:00Z"
    expect(resolve("22:00 UTC", "04:00 UTC", "2026-11-26T01:00:00Z")).is "2026-11-25T22:00:00Z 2026-11-26T04:00:00Z"
    expect(resolve("2026-12-24 20:00 UTC", "2026-12-25 02:00 UTC", "2026-11-26T01:00:00Z"))
      .is "2026-12-24T20:00:00Z 2026-12-25T02:00:00Z"
    expect(resolve("2026-12-24 20:00 UTC", "06:00 UTC", "2026-12-24T19:00:00Z"))
      .is "2026-12-24T20:00:00Z 2026-12-25T06:00:00Z"
    expect(resolve(nil, "04:00 UTC", "2026-11-26T01:00:00Z")).is "- 2026-11-26T04:00:00Z"
    expect(resolve("Thu 22:00 UTC", nil, "2026-11-26T23:00:00Z")).is "2026-12-03T22:00:00Z -"
  end)

  it("goes by the zone on the nights when clocks are changed", function()
    expect(resolve("Sat 22:00 Europe/Oslo", "Sun 04:00 Europe/Oslo", "2027-03-27T12:00:00Z"))
      .is "2027-03-27T21:00:00Z 2027-03-28T02:00:00Z"
    expect(resolve("Sat 22:00 Europe/Oslo", "Sun 04:00 Europe/Oslo", "2026-10-24T12:00:00Z"))
      .is "2026-10-24T20:00:00Z 2026-10-25T03:00:00Z"
    local err = expect(function() resolve("2027-03-28 02:30 Europe/Oslo", nil, "2026-11-26T00:00:00Z") end)
      .raises "PGO-BATCH"
    expect(err.message).has "there is no 02:30 on 2027-03-28 in Europe/Oslo"
  end)

  it("that is over, or that no zone knows, is refused", function()
    expect(expect(function() resolve("2026-01-01 20:00 UTC", "2026-01-02 02:00 UTC", "2026-11-26T00:00:00Z") end)
      .raises("PGO-BATCH").message).has "is over"
    expect(expect(function() resolve("22:00 Europe/Olso", nil, "2026-11-26T00:00:00Z") end)
      .raises("PGO-BATCH").message).has "no time zone Europe/Olso"
    for _, text in ipairs { "", "Sat", "25:00", "22:60", "Sat 22:00 ../../etc/passwd", "noon", 22 } do
      expect((window.parse(text))).is_nil()
    end
    expect(window.parse("saturday 9:05 UTC").time).is "09:05"
  end)

  it("lets a row start only if it will be done", function()
    local made = { opens = "22:00", closes = "04:00", opens_at = 1000, closes_at = 10000 }
    expect(select(2, window.fits(made, 999, 10))).has "opens 22:00"
    expect(window.fits(made, 1000, 7500)).is(true)
    expect(select(2, window.fits(made, 1001, 7500))).has "needs about 150 min, and the window closes in 149"
    expect(window.fits(made, 9701)).is(false)                  -- what is not known needs some minutes, too
    expect(window.fits(made, 9700)).is(true)
    expect(select(2, window.fits(made, 10000))).has "closed 04:00"
    expect(window.fits(nil, 0, 1e9)).is(true)
  end)
end)

describe("the options of a batch", function()
  local function problems_of(given)
    local problems = {}
    options.read(given, problems)
    return table.concat(problems, "\n")
  end

  it("have defaults", function()
    local made = options.read({}, {})
    expect(made).same { limits = { jobs = 4 }, attempts = 3, on_refused = "stop" }
  end)

  it("are kept as they are given", function()
    local made = options.read({ window = { opens = "22:00" }, limits = { jobs = 12, per_account = { heroku = 8 } },
      canary = { first = 3, then_wait = "30min" }, stop_after = { failures = 3, rate = 0.2 } }, {})
    expect(made.limits).same { jobs = 12, per_account = { heroku = 8 } }
    expect(made.canary).same { first = 3, then_wait = 1800 }
    expect(made.stop_after.rate).is(0.2)
    expect(made.window.opens).is "22:00"
  end)

  it("that are wrong are told all at once", function()
    local said = problems_of { window = { opens = "noon", close = "4" }, limits = { jobs = 0, per_acount = 1 },
      canary = { then_wait = "soon" }, stop_after = { rate = 2 }, attempts = "3", yes_cut_over = "yes" }
    for _, text in ipairs { "window.opens: write a time", "window: there is no close, did you mean closes?",
      "limits.jobs: a whole number", "limits: there is no per_acount, did you mean per_account?",
      "canary.then_wait: \"approve\"", "canary.first: a whole number", "stop_after.rate: a part of 1",
      "attempts: a whole number", "yes_cut_over: true or false" } do
      expect(said).has(text)
    end
  end)
end)
