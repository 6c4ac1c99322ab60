-- Workers, as processes, on batches in a store. What must hold: each database is moved once, whatever becomes of the
-- workers; a row that fails hurts no other; who was fenced off writes nothing more; and a worker that is told to end
-- brings its rows to their end first, or stops them safely.

local batches  = require "support.batches"
local moves    = require "support.moves"
local postgres = require "support.postgres"
local store    = require "pgorch.store"
local task     = require "pgorch.task"

local server      -- of the record, one for the file

local function fresh_server()
  local conn <close> = server:connect()
  conn:exec "drop schema if exists pgorch cascade"
  return server.uri
end

local function new_moves(lanes)
  local list, rows = {}, {}
  for i, lane in ipairs(lanes) do
    list[i] = moves.new(lane)
    rows[i] = batches.row(list[i])
  end
  return list, rows
end

describe("workers", function()
  it("have a server for their record", function()
    server = postgres.start {}
    expect(server.port).above(0)
  end)

  it("move each database of a batch once, two of them side by side", function()
    moves.world({ lanes = 4 }, function(world, lanes)
      local url = fresh_server()
      local list, rows = new_moves(lanes)
      batches.submit(url, rows)
      local ended = task.map({ 1, 2 }, { limit = 2 }, function(i)
        local worker <close> = batches.worker(world, url, { dir = ("%s/w%d"):format(world.dir, i),
          words = { "--once", "--slots", "2" } })
        return worker:wait()
      end)
      for _, each in ipairs(ended) do expect(each.code .. each.stderr).matches "^0" end
      batches.expect_moved(list)
      expect(batches.expect_fenced(url)).is(4)
      local st <close> = store.open(url)
      expect(st:batch("b").state).is "done"
    end)
  end, { limit = 200 })

  it("end", function()
    server:close()
    server = nil
  end)
end)
