-- The budget of requests in real runs: two of one record count together, and a 429 of one is on record for the other.

local moves = require "support.moves"
local store = require "pgorch.store"
local task  = require "pgorch.task"

local function budgets(move)
  local st <close> = store.open("sqlite:" .. move.dir .. "/pgorch/state.db")
  return st.db:query "select tokens, slow_until from budget order by tokens"
end

describe("runs of one record", function()
  it("count the requests of a token together, and slow down together", function()
    moves.world({ lanes = 2 }, function(world, lanes)
      local env = { PGORCH_API_RATE = "0.001/2000" }
      local dir = world.dir .. "/one-record"
      local list = { moves.new(lanes[1], { dir = dir, env = env }), moves.new(lanes[2], { dir = dir, env = env }) }
      world:fault { at = "heroku.addon", answer = 429, retry_after = 2, times = 1 }
      for _, ended in ipairs(task.map(list, { limit = 2 }, function(move) return move:run() end)) do
        expect(ended.code .. ended.err).matches "^0"
      end
      for _, move in ipairs(list) do move:expect_moved() end
      local rows = budgets(list[1])
      expect(#rows).is(2)                                     -- Heroku's token, and Vultr's
      local both = 2000 - rows[1].tokens
      expect(both).above(60)
      expect(math.max(rows[1].slow_until, rows[2].slow_until)).above(0)
    end)
  end, { limit = 120 })
end)
