-- The record of runs in a PostgreSQL server, as several machines use it. What must hold: a move goes through it as
-- through a file, kill -9 included; of two processes that want a run one gets it; a process from which a run was taken
-- does nothing more; and nothing secret is in the record or shown.

local fs       = require "pgorch.fs"
local moves    = require "support.moves"
local pg       = require "pgorch.pg"
local postgres = require "support.postgres"
local process  = require "pgorch.process"
local relay    = require "pgorch.native.relay"
local store    = require "pgorch.store"
local task     = require "pgorch.task"

local PASSWORD = "open sesame & co"

local server      -- one for the file

local function value(sql, ...)
  local conn <close> = server:connect()
  return conn:value(sql, ...)
end

local function exec(sql)
  local conn <close> = server:connect()
  conn:exec(sql)
end

local function new_move(lane, url) return moves.new(lane, { env = { PGORCH_STATE = url or server.uri } }) end

local function expect_nothing_secret(ended)
  for _, text in ipairs { PASSWORD, "open%20sesame", "open+sesame" } do expect(ended.all).lacks(text) end
end

describe("a move whose record is in a server", function()
  it("starts a server", function()
    server = postgres.start { password = PASSWORD, tls = true }
    expect(server.port).above(0)
  end)

  it("goes on after kill -9, and is one process's at a time", function()
    moves.world({}, function(world, lanes)
      local move = new_move(lanes[1])
      for i, step in ipairs { "addon", "dump_to_store", "restore" } do
        local ended = move[i == 1 and "run" or "resume"](move, nil, { on_line = moves.signal_at(step, "KILL") })
        moves.expect_exit(ended, 137)
        expect_nothing_secret(ended)
      end
      expect(move:pgorch({ "status", move.id }, { plain = true }).out).has "interrupted"

      local both = task.map({ 1, 2 }, { limit = 2 }, function() return move:resume() end)
      table.sort(both, function(a, b) return a.code < b.code end)
      moves.expect_exit(both[1], 0)
      moves.expect_exit(both[2], 7)
      expect(both[2].all).has "PGO-LOCKED"
      move:expect_moved()
      expect(move:expect_once()).is(1)
      for _, ended in ipairs(both) do expect_nothing_secret(ended) end

      local dump = process.run { server.client .. "/pg_dump", "--inserts", "--schema=pgorch",
        env = pg.env(server.uri, world.dir) }.stdout
      expect(#dump).above(10000)
      for _, hidden in ipairs { PASSWORD, "open%20sesame", lanes[1].url } do expect(dump).lacks(hidden) end
    end)
  end, { limit = 200 })

  local function taken_over(world, lane)
    local move, taken = new_move(lane), nil
    local function of_run(what) return value(("select %s from pgorch.run where id = '%s'"):format(what, move.id)) end
    world:fault { at = "s3.put_object", hold = 90 }
    local ended = move:run(nil, { watch = function()
      while not value("select 1 from pgorch.step where run = $1 and id = 'dump_to_store'", move.id) do
        task.sleep(0.05)
      end
      task.sleep(0.5)                              -- the upload has begun: nothing more is written for now
      local before, st <close> = of_run "lease_until", store.open(server.uri)
      while of_run "lease_until" == before do task.sleep(0.05) end
      repeat                                       -- until the next sign of life
        exec(("update pgorch.run set lease_until = 0 where id = '%s'"):format(move.id))
        taken = st:claim(st:run(move.id), "elsewhere/far:1:1", function() return nil end)
      until taken == true
    end })
    moves.expect_exit(ended, 7)
    expect(ended.all).has "PGO-FENCED"
    expect(ended.all).has '"event":"step_failed","id":"dump_to_store"'
    expect(move:app().maintenance).is(true)
    expect(of_run "state || ' ' || owner").is "running elsewhere/far:1:1"
    expect(value("select kind from pgorch.event where run = $1 order by seq desc limit 1", move.id)).is "taken_over"

    local refused = move:resume()
    moves.expect_exit(refused, 7)
    expect(refused.all).has "process 1 on far"
    exec(("update pgorch.run set lease_until = 1 where id = '%s'"):format(move.id))
    moves.expect_exit(move:resume(), 0)
    move:expect_moved()
  end

  local function out_of_reach(lane)
    local link = relay.open { host = "127.0.0.1", port = server.port }
    local _ <close> = setmetatable({}, { __close = function() link:close() end })
    link:allow { "127.0.0.0/8" }
    local move = new_move(lane, (server.uri:gsub(":%d+/postgres$", (":%d/postgres?connect_timeout=2"):format(
      link:port()))))
    local ended = move:run(nil, { on_line = function(line)
      if moves.begun(line) ~= "window_opens" then return end
      link:allow {}
      link:cut()
    end })
    moves.expect_exit(ended, 6)
    expect(ended.all).has "PGO-STORE"
    expect_nothing_secret(ended)
    link:allow { "127.0.0.0/8" }
    moves.expect_exit(move:resume(), 0)
    move:expect_moved()
    expect(move:expect_once()).is(1)
  end

  local function refused(lane)
    local move = new_move(lane, (server.uri:gsub("sesame", "barley")))
    local ended = move:run(nil, { plain = true })
    moves.expect_exit(ended, 6)
    expect(ended.err).has "PGO-STORE"
    expect(ended.err).has "password authentication failed"
    expect(ended.all).lacks "barley"
    move:expect_as_before()
    expect(#move:addons()).is(0)
  end

  it("stops in mid-step when another process takes it over, and with its state kept when the server is out of reach",
    function()
      moves.world({ lanes = 3 }, function(world, lanes)
        moves.each(lanes, {
          { name = "taken over", run = function(lane) taken_over(world, lane) end },
          { name = "out of reach", run = out_of_reach },
          { name = "refused before anything is touched", run = refused },
        }, function(case, lane) case.run(lane) end)
      end)
    end, { limit = 250 })

  it("ends its server", function()
    server:close()
    expect(fs.exists(server.dir)).is(false)
  end)
end)
