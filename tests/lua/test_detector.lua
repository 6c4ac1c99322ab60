-- What the write detector makes of two marks: the judgement, without a server.

local detector = require "pgorch.detector"

local function mark(change)
  local it = { xmax = "100", running = "", server_start = "1", stats_reset = "never", system = "7", timeline = 1,
               written = { ["public.users"] = 5 }, files = { ["public.users"] = 1 }, sequences = { s = "3|true" },
               catalog = "1", rows = "50", notes = "3", counting = true, strangers = 0,
               fates = { committed = 0, forgotten = 0, beyond = false, open = "" } }
  if change then change(it) end
  return it
end

local function judged(change)
  return detector.judge(mark(), mark(change))
end

local function asked(change)
  local answer = judged(change)
  return answer.answer .. " " .. table.concat(answer.names, ",")
end

-- One transaction has committed since, and what else `change` says.
local function committed(change)
  return asked(function(m)
    m.xmax, m.fates.committed = "101", 1
    if change then change(m) end
  end)
end

describe("detector.judge", function()
  it("is quiet when no transaction has committed, whatever else moved", function()
    expect(asked()).is "quiet "
    expect(asked(function(m) m.strangers = 3 end)).is "quiet "
    -- Aborted ones are counted as written rows, too.
    expect(asked(function(m) m.xmax, m.written["public.users"] = "109", 9 end)).is "quiet "
    expect(asked(function(m) m.server_start, m.stats_reset, m.written = "2", "now", {} end)).is "quiet "
  end)

  it("sees a sequence that moved without an xid", function()
    expect(asked(function(m) m.sequences.s = "4|true" end)).is "written s"
  end)

  it("names the tables that were written to", function()
    expect(committed(function(m) m.written["public.users"] = 6 end)).is "written public.users"
    expect(committed(function(m) m.files["public.users"] = 2 end)).is "written public.users"
    expect(committed(function(m) m.written["public.new"] = 0 end)).is "written public.new"
    expect(committed(function(m) m.catalog = "2" end)).is "written the schema"
    expect(committed(function(m) m.written["large objects"] = 1 end)).is "written large objects"
  end)

  it("is quiet when the counters show that others on the server wrote, and nobody is connected here", function()
    expect(committed(function(m) m.rows = "51" end)).is "quiet "
    expect(committed(function(m) m.notes = "4" end)).is "quiet "
  end)

  it("is unclear when a transaction has committed and nothing says where", function()
    expect(committed()).is "unclear "
    expect(committed(function(m) m.rows, m.strangers = "51", 1 end)).is "unclear "
    expect(committed(function(m) m.rows, m.counting = "51", false end)).is "unclear "
    expect(committed(function(m) m.rows, m.server_start = "51", "2" end)).is "unclear "
    expect(committed(function(m) m.rows, m.stats_reset = "51", "now" end)).is "unclear "
    expect(asked(function(m) m.xmax, m.rows, m.fates.beyond = "99999", "51", true end)).is "unclear "
    expect(asked(function(m) m.xmax, m.rows, m.fates.forgotten = "101", "51", 1 end)).is "unclear "
  end)

  it("is unclear while a transaction is open, and names it", function()
    local answer = judged(function(m) m.fates.open = "process 7" end)
    expect(answer.answer).is "unclear"
    expect(answer.open).is "process 7"
  end)

  it("is unclear when another server answers", function()
    for _, change in ipairs { function(m) m.system = "8" end, function(m) m.timeline = 2 end,
                              function(m) m.xmax = "99" end } do
      expect(asked(change)).is "unclear "
    end
    expect(asked(function(m) m.system, m.timeline = nil, nil end)).is "quiet "
  end)
end)

describe("detector.fates", function()
  -- A connection on which a transaction nobody shows is seen by the first `times` questions.
  local function fates_when_seen(times)
    local count = 0
    local conn = { row = function()
      count = count + 1
      local seen = count <= times
      return { open = seen and "transaction 9" or "", unshown = seen and 1 or 0 }
    end }
    return detector.fates(conn, mark()).open, count
  end

  it("asks again about what nobody shows: it may just have ended", function()
    expect({ fates_when_seen(0) }).same { "", 1 }
    expect({ fates_when_seen(2) }).same { "", 3 }
    expect((fates_when_seen(1000))).is "transaction 9"
  end)
end)
