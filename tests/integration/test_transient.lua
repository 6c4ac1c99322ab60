-- Trouble that passes: busy and rate-limited APIs, answers that are lost after the work was done, cut connections,
-- error pages in HTML. What must hold: the run finishes, or ends with status 6 and its state kept and `resume`
-- finishes; what was asked for is never done twice.

local fs     = require "pgorch.fs"
local json   = require "pgorch.json"
local moves  = require "support.moves"
local task   = require "pgorch.task"

local HTML = { answer = 404, body = "<h1>Not Found</h1>", headers = { ["content-type"] = "application/json" } }
local LOST = { after = true, drop = true }            -- the work is done, the connection is cut

local function fault(world, at, o, more)
  local asked = { at = at }
  for name, value in pairs(o) do asked[name] = value end
  for name, value in pairs(more or {}) do asked[name] = value end
  world:fault(asked)
end

-- All that was asked for has happened: a fault that nobody met proves nothing.
local function expect_all_met(world)
  expect(table.concat(fs.list(world.dir .. "/faults"), " ")).is ""
end

local function expect_good_end(move)
  expect_all_met(move.world)
  move:expect_moved()
  expect(move:expect_once()).is(1)
  expect(#move:restores()).is(1)
end

-- Runs, and resumes as long as the run ends with 6 and its state is kept. Returns how often it had to be resumed.
local function run_to_the_end(move, most)
  local ended, resumed = move:run(), 0
  while ended.code == 6 and resumed < most do
    expect(ended.last.run).is(move.id)
    resumed = resumed + 1
    ended = move:resume()
  end
  moves.expect_exit(ended, 0)
  return resumed
end

-- More than a part: what does not compress, beside the sample.
local NOISE = [[
create table public.noise as
  select i, decode(string_agg(md5(random()::text), ''), 'hex') as bytes
  from generate_series(1, 5000) i, generate_series(1, 256) j group by i;
]]

local function with_noise()
  return require("pgorch.native.resource").read "pgorch/sandbox/sample.sql" .. NOISE
end

describe("trouble that passes", function()
  it("at Heroku is waited out, or found out about: busy, rate limit, HTML, lost answers", function()
    moves.world({}, function(world, lanes)
      local move = moves.new(lanes[1])
      fault(world, "heroku.account", { answer = 429, retry_after = 0 })
      fault(world, "heroku.app", { answer = 503 })
      fault(world, "heroku.addon", { answer = 503, times = 2 })
      fault(world, "heroku.wait_status", HTML, { times = 2 })
      fault(world, "heroku.addon.create", LOST)
      fault(world, "heroku.restore", LOST)
      fault(world, "heroku.transfers", { answer = 503, skip = 1 })
      fault(world, "heroku.transfer", HTML, { times = 3 })
      fault(world, "heroku.attachments", { answer = 500, skip = 3 })
      moves.expect_exit(move:run(), 0)
      expect_good_end(move)
    end)
  end)

  it("at Heroku is waited out: the restore's answer is an error page, but it runs", function()
    moves.world({}, function(world, lanes)
      local move = moves.new(lanes[1])
      fault(world, "heroku.restore", { after = true, answer = 502, body = "<html>Bad Gateway</html>" })
      fault(world, "heroku.addon.create", { after = true, answer = 504, body = "<html>Gateway Time-out</html>" })
      fault(world, "heroku.transfer", { answer = 503, times = 4 })
      moves.expect_exit(move:run(), 0)
      expect_good_end(move)
    end)
  end)

  it("at Heroku keeps the state when a change may not be asked for twice; resume finishes", function()
    moves.world({}, function(world, lanes)
      local move = moves.new(lanes[1])
      fault(world, "heroku.app.update", LOST)
      fault(world, "heroku.formation.update", { answer = 503 })
      fault(world, "heroku.config.update", LOST)
      fault(world, "heroku.attachment.create", { after = true, answer = 502 })
      fault(world, "heroku.restore", { answer = 503 })
      expect(run_to_the_end(move, 6) <= 5).is(true)
      expect_good_end(move)
    end)
  end, { limit = 200 })

  it("at the provider is waited out, and the allow list keeps what others add meanwhile", function()
    moves.world({}, function(world, lanes)
      local move, entry = moves.new(lanes[1]), lanes[1].entry
      fault(world, "vultr.dbs", { answer = 429, retry_after = 0 })
      fault(world, "vultr.databases", { answer = 503 })
      fault(world, "vultr.object_storages", { drop = true })
      fault(world, "vultr.update_database", { answer = 412 })
      local refused = world.dir .. "/faults/vultr.update_database"
      moves.expect_exit(move:run(nil, { watch = function()
        while fs.exists(refused) do task.sleep(0.005) end
        table.insert(entry.object.trusted_ips, "203.0.113.5/32")
      end }), 0)
      expect(table.concat(entry.object.trusted_ips, " ")).is "198.51.100.7/32 203.0.113.5/32"
      entry.object.trusted_ips = json.array { "198.51.100.7/32" }
      expect_good_end(move)
    end)
  end)

  it("at the source keeps the state: its connections are cut in the middle of a step", function()
    moves.world({}, function(_, lanes)
      local move, gate = moves.new(lanes[1]), lanes[1].entry.server.gate
      for i, each in ipairs { { "size", 6000 }, { "preflight", 30000 }, { "dump_to_store", 150000 },
        { "checksum_source", 9000 }, { "verify", 9000 }, { "nothing_was_written", 6000 } } do
        local cut
        local ended = move[i == 1 and "run" or "resume"](move, nil, { on_line = function(line)
          if cut or moves.begun(line) ~= each[1] then return end
          cut = true
          gate:cut_after(each[2])
        end })
        expect(cut).is(true)
        moves.expect_exit(ended, 6)
      end
      gate:cut_after(nil)
      moves.expect_exit(move:resume(), 0)
      expect_good_end(move)
    end)
  end, { limit = 200 })

  it("at the object storage is waited out: busy, cut, lost", function()
    moves.world({}, function(world, lanes)
      local move = moves.new(lanes[1])
      fault(world, "s3.create_bucket", LOST)
      fault(world, "s3.put_object", { answer = 503, code = "SlowDown", times = 2 })
      fault(world, "s3.head_object", { drop = true })
      fault(world, "s3.get_object", { answer = 503, code = "ServiceUnavailable" })
      fault(world, "s3.delete_object", LOST)
      moves.expect_exit(move:run(), 0)
      expect_good_end(move)
    end)
  end)

  it("in the middle of a multipart upload is waited out, and no part is left behind", function()
    moves.world({ sql = with_noise() }, function(world, lanes)
      local move = moves.new(lanes[1])
      fault(world, "s3.put_part", { drop = true, times = 2 })
      fault(world, "s3.create_upload", { answer = 503, code = "SlowDown" })
      fault(world, "s3.complete_upload", LOST)
      moves.expect_exit(move:run(), 0)
      expect_good_end(move)
    end)
  end)

  it("in the middle of a multipart upload that does not pass leaves no part behind", function()
    moves.world({ sql = with_noise() }, function(world, lanes)
      local move = moves.new(lanes[1])
      fault(world, "s3.put_part", { answer = 503, code = "SlowDown", times = "always" })
      moves.expect_exit(move:run(), 6)
      local objects, uploads = move:stored()
      expect(#objects + #uploads).is(0)
      fs.remove(world.dir .. "/faults/s3.put_part")
      moves.expect_exit(move:resume(), 0)
      expect_good_end(move)
    end)
  end, { limit = 280 })

  it("in the middle of a multipart upload: a kill or Ctrl-C there leaves no part behind in the end", function()
    moves.world({ sql = with_noise() }, function(world, lanes)
      local move = moves.new(lanes[1])
      local function part_is_asked(signal)
        fault(world, "s3.put_part", { delay = 60 })
        local asked = world.dir .. "/faults/s3.put_part"
        return { watch = moves.signal_when(signal, function() return not fs.exists(asked) end) }
      end
      moves.expect_exit(move:run(nil, part_is_asked "KILL"), 137)
      expect(select("#", select(2, move:stored()))).is(1)
      moves.expect_exit(move:resume(nil, part_is_asked "INT"), 8)
      expect(#select(2, move:stored())).is(0)
      fault(world, "s3.complete_upload", { hold = 60 })
      moves.expect_exit(move:resume(nil, { watch = moves.signal_when("KILL", function()
        return #move:stored() == 1
      end) }), 137)
      moves.expect_exit(move:resume(), 0)
      expect_good_end(move)
    end)
  end, { limit = 280 })
end)
