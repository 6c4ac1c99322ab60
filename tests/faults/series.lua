-- A series of deaths of one move: process after process is killed until the move has come to its end, then it is
-- judged. Collects what was hit. Raises when a process ends as it must not, when nothing gets any further, or on a
-- verdict.

local judge  = require "judge"
local moves  = require "support.moves"
local term   = require "pgorch.term"
local victim = require "victim"

local series = {}

local MOST = 400       -- processes of one move

local function start_of(scenario, move)
  local is_begun = scenario.prepare ~= nil or victim.image(move).run ~= nil
  local start = is_begun and scenario.go_on or scenario.begin
  return function(o) return start(move, o) end
end

local function fail_with(move, complaints, ended)
  error(("%s, after %d deaths:\n  %s\n%s"):format(move.id, move.deaths, table.concat(complaints, "\n  "),
    ended.all:sub(-2000)), 0)
end

---@param lane pgorch.tests.Lane
---@param scenario pgorch.tests.Scenario
---@param disturb fun(move: Move, start: function, number: integer): Ended, pgorch.tests.Death|nil  number: of the
---  process
---@param on_death fun(death: pgorch.tests.Death)
---@return Ended last
function series.run(lane, scenario, disturb, on_death)
  local move = moves.new(lane, { env = lane.env })
  move.deaths = 0
  judge.begin(move)
  if scenario.prepare then scenario.prepare(move) end
  for number = 1, MOST do
    local ended, death = disturb(move, start_of(scenario, move), number)
    if not death then
      -- A process that comes to a move which has ended already says so.
      if not (move.deaths > 0 and ended.code == 0) then moves.expect_exit(ended, scenario.exit) end
      local complaints = judge.complaints(move, scenario.outcome)
      if #complaints > 0 then fail_with(move, complaints, ended) end
      term.out(("# %s %s %s: %d deaths, %s\n"):format(move.id, lane.recipe, scenario.name, move.deaths,
        scenario.outcome))
      return ended
    end
    move.deaths = move.deaths + 1
    local complaints = judge.kept(move, { unread = true })
    if #complaints > 0 then fail_with(move, complaints, ended) end
    on_death(death)
  end
  error(("%s: %d processes, and no end"):format(move.id, MOST), 0)
end

return series
