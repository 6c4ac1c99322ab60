-- What judge.lua must see: one real move by the Linode recipe, whose world is then broken in each way that there is,
-- and mended again. Each breakage must be told, and the mended world must be in order.

local breakages = require "breakages"
local judge     = require "judge"
local lanes     = require "lanes"
local moves     = require "support.moves"
local sandbox   = require "pgorch.sandbox"

local function complaints(move, how) return table.concat(judge.complaints(move, how), "\n") end

-- Breaks, judges, mends. Returns what went wrong with the judge's work, or nil.
local function try(move, how, each)
  local mend = each.breaks(move)
  local said = complaints(move, how)
  mend()
  if not said:find(each.says, 1, true) then
    return ("%s: expected `%s`, and it said: %s"):format(each.name, each.says, said)
  end
  local after = complaints(move, how)
  if after ~= "" then return ("%s, mended: %s"):format(each.name, after) end
end

local function try_all(move, how)
  expect(complaints(move, how)).is ""
  local problems = {}
  for _, each in ipairs(breakages.of(how)) do problems[#problems + 1] = try(move, how, each) end
  expect(table.concat(problems, "\n")).is ""
end

-- A move that waits in its window: nothing may be opened.
local function try_kept(move)
  expect(table.concat(judge.kept(move), "\n")).is ""
  for _, each in ipairs(breakages.kept) do
    local mend = each.breaks(move)
    local said = table.concat(judge.kept(move), "\n")
    mend()
    expect(said).has(each.says)
  end
  expect(table.concat(judge.kept(move), "\n")).is ""
end

describe("the judge of a world", function()
  it("sees everything that may be wrong after a move, and after it was put back", function()
    sandbox.run(lanes.OPTIONS, function(world)
      local lane = lanes.add(world, "linode")
      local move = moves.new(lane, { env = lane.env })
      judge.begin(move)
      moves.expect_exit(move:run { "--until", "fingerprint" }, 0, 8)
      try_kept(move)
      moves.expect_exit(move:resume(), 0)
      try_all(move, "moved")
      moves.expect_exit(move:rollback { "--lose-writes" }, 0)
      try_all(move, "as before")
    end)
  end, { limit = 300 })
end)
