-- The exit status of a batch: of all its rows, what needs a person first.

local exit = require "pgorch.batch.exit"

local function status(signalled, ...)
  local rows = {}
  for i, each in ipairs { ... } do rows[i] = { state = each[1], exit_status = each[2] } end
  return exit.status(rows, signalled)
end

local DONE, WARNED, FAILED, STOPPED = { "done", 0 }, { "done", 3 }, { "failed", 1 }, { "stopped", 6 }
local MOVED, LEFT, READY = { "attention", 9 }, { "attention", 11 }, { "ready" }

describe("the exit status of a batch", function()
  it("is 0 where all are done, 3 with warnings", function()
    expect(status(false)).is(0)
    expect(status(false, DONE, DONE)).is(0)
    expect(status(false, DONE, WARNED)).is(3)
  end)

  it("is what needs a person first", function()
    expect(status(false, WARNED, FAILED)).is(1)
    expect(status(false, DONE, { "refused", 4 })).is(1)
    expect(status(false, DONE, { "blocked" })).is(1)
    expect(status(false, FAILED, STOPPED)).is(6)
    expect(status(false, STOPPED, MOVED)).is(9)
    expect(status(false, MOVED, LEFT, STOPPED)).is(11)
    expect(status(false, { "attention", 130 })).is(11)
  end)

  it("is 8 where it was told to end, and what is left is only not done yet", function()
    expect(status(true, DONE, READY)).is(8)
    expect(status(true, FAILED, READY)).is(8)
    expect(status(true, STOPPED, READY)).is(6)
    expect(status(true, DONE, DONE)).is(0)
    expect(status(false, DONE, READY)).is(6)
  end)
end)
