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

  local function claimed_by(url, index)
    local st <close> = store.open(url)
    local row = st:batch("b").rows[index]
    return row.worker and row.worker:match ":(%d+):%d+$", row
  end

  local function has_begun(step)
    return function(batch, st)
      for _, each in ipairs(batch.rows[1].run and st:steps(batch.rows[1].run) or {}) do
        if each.id == step then return true end
      end
    end
  end

  it("take a row over from one that was killed, and from nothing else", function()
    moves.world({ lanes = 2 }, function(world, lanes)
      local url = fresh_server()
      local list, rows = new_moves(lanes)
      batches.submit(url, rows)
      world:fault { at = "s3.put_object", times = 1, hold = 3 }
      local first <close> = batches.worker(world, url, { dir = world.dir .. "/w1", words = { "--slots", "1" } })
      batches.wait_until(url, has_begun "dump_to_store")
      expect(claimed_by(url, 1)).is(tostring(first.pid))
      local env = { PGORCH_LEASE_SECONDS = "6" }
      local second <close> = batches.worker(world, url, { dir = world.dir .. "/w2", words = { "--once" }, env = env })
      batches.wait_until(url, function(batch) return batch.rows[2].state == "running" end)
      expect(claimed_by(url, 1)).is(tostring(first.pid))
      first:kill "KILL"
      local st <close> = store.open(url)
      st.db:batch { { "update batch_row set lease_until = 1 where id = $1", rows[1].id } }   -- as a minute later
      expect(second:wait().code).is(0)
      batches.expect_moved(list)
      expect(batches.expect_fenced(url)).above(2)
      expect(batches.states(url)).is(("%s done, %s done"):format(rows[1].id, rows[2].id))
    end)
  end, { limit = 200 })

  it("leave a row that was taken from them while they were frozen", function()
    moves.world({ lanes = 1 }, function(world, lanes)
      local url = fresh_server()
      local list, rows = new_moves(lanes)
      batches.submit(url, rows)
      local env = { PGORCH_LEASE_SECONDS = "4" }
      world:fault { at = "worker.restore", times = 1, delay = 6 }
      local first <close> = batches.worker(world, url, { dir = world.dir .. "/w1", env = env })
      batches.wait_until(url, has_begun "restore")
      first:kill "STOP"
      local second <close> = batches.worker(world, url, { dir = world.dir .. "/w2", env = env, words = { "--once" } })
      batches.wait_until(url, function(batch) return batch.rows[1].fence > 1 end)
      first:kill "CONT"
      expect(second:wait().code).is(0)
      first:kill "TERM"
      local ended = first:wait()
      expect(ended.code).is(0)
      expect(ended.stderr).has "was taken over by another worker"
      batches.expect_moved(list)
      expect(batches.expect_fenced(url)).above(1)
    end)
  end, { limit = 200 })

  it("bring rows at work to their end when they are told to end, and begin no more", function()
    moves.world({ lanes = 2 }, function(world, lanes)
      local url = fresh_server()
      local list, rows = new_moves(lanes)
      batches.submit(url, rows)
      local worker <close> = batches.worker(world, url, { words = { "--slots", "1" } })
      batches.wait_until(url, has_begun "addon")
      worker:kill "TERM"
      local ended = worker:wait()
      expect(ended.code).is(0)
      expect(batches.states(url)).is(("%s done, %s ready"):format(rows[1].id, rows[2].id))
      list[1]:expect_moved()
    end)
  end, { limit = 200 })

  it("stop them safely at the second signal, and another one goes on with the same run", function()
    moves.world({ lanes = 1 }, function(world, lanes)
      local url = fresh_server()
      local list, rows = new_moves(lanes)
      batches.submit(url, rows)
      local worker <close> = batches.worker(world, url, {})
      batches.wait_until(url, has_begun "dump_to_store")
      worker:kill "INT"
      task.sleep(0.5)
      worker:kill "INT"
      expect(worker:wait().code).is(8)
      local st <close> = store.open(url)
      local row = st:batch("b").rows[1]
      expect(row.state .. " " .. row.attempt).is "ready 0"
      expect(row.stands).is(true)
      expect(st:run(row.run).state).is "stopped"
      local next_one <close> = batches.worker(world, url, { dir = world.dir .. "/w2", words = { "--once" } })
      expect(next_one:wait().code).is(0)
      expect(st:batch("b").rows[1].run).is(row.run)
      batches.expect_moved(list)
    end)
  end, { limit = 200 })

  it("put back what cannot be moved before the window closes, though it was stopped in the middle", function()
    moves.world({ lanes = 1 }, function(world, lanes)
      local url = fresh_server()
      local list, rows = new_moves(lanes)
      local function window(seconds)
        return { window = { opens = "now", closes = "soon", opens_at = 1, closes_at = os.time() + seconds } }
      end
      batches.submit(url, rows, window(400))
      local worker <close> = batches.worker(world, url, {})
      batches.wait_until(url, has_begun "dump_to_store")
      worker:kill "KILL"
      worker:wait()
      local st <close> = store.open(url)
      local run = st:run(st:batch("b").rows[1].run)
      run.params.host.deadline = os.time() + 60                -- as if it were that late
      st:update_run(run.id, { params = run.params })
      st.db:batch { { "update batch_row set lease_until = 1" } }
      batches.submit(url, rows, window(60))
      local next_one <close> = batches.worker(world, url, { dir = world.dir .. "/w2", words = { "--once" } })
      expect(next_one:wait().code).is(0)
      list[1]:expect_as_before()
      expect(batches.states(url)).is(rows[1].id .. " failed")
    end)
  end, { limit = 200 })

  it("run no recipe but their own, no commands, and no files but those that they were given", function()
    moves.world({ lanes = 1 }, function(world, lanes)
      local url = fresh_server()
      local list, rows = new_moves(lanes)
      local function row(id, more)
        local made = batches.row(list[1], more)
        made.id = id
        return made
      end
      batches.submit(url, { row("hash", { recipe_hash = ("ab"):rep(32) }),
        row("accept", { argv = { "--accept=touch x" } }), row("command", { argv = { "--vultr-key-command=cat x" } }),
        row("file", { argv = { "--heroku-api-key-file=/etc/shadow" } }),
        row("writes", { argv = { "--lose-writes" } }) })
      local worker <close> = batches.worker(world, url, { words = { "--secrets", world.dir } })
      task.sleep(3)
      worker:kill "TERM"
      local said = worker:wait().stderr
      expect(batches.states(url)).is "hash ready, accept ready, command ready, file ready, writes ready"
      for _, text in ipairs { "--accept is a command", "--vultr-key-command is a command",
        "--heroku-api-key-file: the file is not below --secrets", "--lose-writes is not a row's to say" } do
        expect(said).has(text)
      end
      expect(#rows).is(1)
    end)
  end, { limit = 100 })

  it("end", function()
    server:close()
    server = nil
  end)
end)
