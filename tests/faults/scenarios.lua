-- What is disturbed by kills: each scenario is how a move begins, which command goes on with it after a death, and how
-- it has to end. Data and small starters; kills nothing.

local moves  = require "support.moves"
local victim = require "victim"

---@class pgorch.tests.Scenario
---@field name string
---@field prepare? fun(move: Move)             what comes before, undisturbed
---@field begin fun(move: Move, o: table): Ended
---@field go_on fun(move: Move, o: table): Ended    once there is a run
---@field exit integer                         of the process that ends it
---@field outcome "moved"|"as before"
---@field concerns? fun(image: table): boolean which writes belong to it; all
local scenarios = {}

local FAILING = { "--yes-cut-over", "--accept", "exit 3" }

local function run(move, o) return move:run(nil, o) end
local function resume(move, o) return move:resume(nil, o) end

scenarios.move = { name = "move", begin = run, go_on = resume, exit = 0, outcome = "moved" }

-- A failure before the cut-over: all is put back, the undo of what is undone after a good run too among it.
scenarios.failure = {
  name = "failure", exit = 5, outcome = "as before",
  begin = function(move, o) return move:run(FAILING, o) end,
  go_on = function(move, o)             -- resumed once it is put back, it would be another attempt
    if victim.image(move).run.state == "put_back" then return move:rollback(nil, o) end
    return move:resume(FAILING, o)
  end,
  concerns = function(image) return image.run ~= nil and image.run.state == "undoing" end,
}

local function stop_at_verify(move)
  moves.expect_exit(move:run(nil, { on_line = moves.signal_at("verify", "INT") }), 8)
end

scenarios.rollback = {
  name = "rollback", prepare = stop_at_verify, exit = 0, outcome = "as before",
  begin = function(move, o) return move:rollback(nil, o) end,
  go_on = function(move, o) return move:rollback(nil, o) end,
}

-- After the cut-over nothing is put back that would take writes with it, unless that is asked for.
scenarios.reversal = {
  name = "reversal", exit = 0, outcome = "as before",
  prepare = function(move) moves.expect_exit(move:run(), 0) end,
  begin = function(move, o) return move:rollback({ "--lose-writes" }, o) end,
  go_on = function(move, o) return move:rollback({ "--lose-writes" }, o) end,
}

return scenarios
