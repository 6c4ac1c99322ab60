-- Comparing two databases, and asking whether the source was written to: the judgements, without a server.

local detector = require "pgorch.detector"
local verify   = require "pgorch.verify"

local function side(change)
  local it = {
    sums = { ["public.users"] = { rows = 3, sum = "42" }, ["shop.mv"] = { rows = 1, sum = "7", matview = true } },
    objects = { table = { ["public.users"] = "2 columns" }, index = { ["public.users_pkey"] = "" },
                schema = { public = "" } },
    sequences = { ["public.users_id_seq"] = "3|true" },
    large = { count = 2, digest = "99" },
  }
  if change then change(it) end
  return it
end

local function kinds(list)
  local all = {}
  for i, d in ipairs(list) do all[i] = (d.level or "fail") .. " " .. d.kind .. " " .. d.name end
  return table.concat(all, ", ")
end

local function differs(change)
  return kinds(verify.compare(side(), side(change)))
end

describe("verify.compare", function()
  it("finds equal sides equal", function()
    local list = verify.compare(side(), side())
    expect(#list).is(0)
    verify.refuse_differences(list)
  end)

  it("names what is missing, moved or changed, one by one", function()
    expect(differs(function(b) b.sums["public.users"].rows = 2 end)).is "fail rows public.users"
    expect(differs(function(b) b.sums["public.users"].sum = "43" end)).is "fail content public.users"
    expect(differs(function(b) b.sums["public.users"] = nil end)).is "fail rows public.users"
    expect(differs(function(b) b.sums["public.more"] = { rows = 0, sum = "0" } end)).is "fail rows public.more"
    expect(differs(function(b) b.objects.index["public.users_pkey"] = nil end)).is "fail index public.users_pkey"
    expect(differs(function(b) b.objects.table["public.users"] = "3 columns" end)).is "fail table public.users"
    expect(differs(function(b) b.objects.trigger = { x = "" } end)).is "fail trigger x"
    expect(differs(function(b) b.sequences["public.users_id_seq"] = "3|false" end))
      .is "fail sequence public.users_id_seq"
    expect(differs(function(b) b.large.count = 1 end)).is "fail large objects count"
    expect(differs(function(b) b.large.digest = "98" end)).is "fail large objects content"
  end)

  it("does not count what Heroku has by itself", function()
    expect(differs(function(b) b.objects.schema._heroku = "" end)).is ""
  end)

  it("only warns of a materialized view that was stale on the source", function()
    local list = verify.compare(side(), side(function(b) b.sums["shop.mv"].sum = "8" end))
    expect(kinds(list)).is "warn content shop.mv"
    verify.refuse_differences(list)
  end)

  it("raises with the differences in the detail, and says how many are left out", function()
    local err = expect(function()
      verify.refuse_differences(verify.compare(side(), side(function(b)
        for i = 1, 30 do b.sums["public.t" .. i] = { rows = i, sum = "1" } end
      end)))
    end):raises "PGO-VERIFY"
    expect(err.message).has "30 places"
    expect(err.detail).has "and 10 more"
  end)
end)

local function mark(change)
  local it = { xmax = "100", server_start = "1", stats_reset = "never", written = { ["public.users"] = 5 },
               files = { ["public.users"] = 1 }, sequences = { s = "3|true" }, catalog = "1" }
  if change then change(it) end
  return it
end

local function asked(change, strangers)
  local answer = detector.judge(mark(), mark(change), strangers or 0)
  return answer.answer .. " " .. table.concat(answer.names, ",")
end

describe("detector.judge", function()
  it("is quiet when no transaction took an xid and no sequence moved", function()
    expect(asked()).is "quiet "
    expect(asked(nil, 3)).is "quiet "
  end)

  it("sees a sequence that moved without an xid", function()
    expect(asked(function(m) m.sequences.s = "4|true" end)).is "written s"
  end)

  it("names the tables that were written to", function()
    expect(asked(function(m) m.xmax, m.written["public.users"] = "101", 6 end)).is "written public.users"
    expect(asked(function(m) m.xmax, m.files["public.users"] = "101", 2 end)).is "written public.users"
    expect(asked(function(m) m.xmax, m.written["public.new"] = "101", 0 end)).is "written public.new"
    expect(asked(function(m) m.xmax, m.catalog = "101", "2" end)).is "written the schema"
  end)

  it("is quiet when only others on the server wrote and nobody is connected here", function()
    expect(asked(function(m) m.xmax = "109" end)).is "quiet "
  end)

  it("is unclear while others are connected, and after a restart", function()
    expect(asked(function(m) m.xmax = "109" end, 1)).is "unclear "
    expect(asked(function(m) m.xmax, m.server_start = "109", "2" end)).is "unclear "
    expect(asked(function(m) m.xmax, m.stats_reset = "109", "now" end)).is "unclear "
  end)
end)

-- A connection of version 15 in whose database nothing is, seen by `sessions` others at each look.
local function connection(sessions)
  local facts = mark()
  return setmetatable({
    server_version = 150000,
    row = function() return { xmax = "109", server_start = facts.server_start, stats_reset = facts.stats_reset } end,
    value = function() return facts.catalog end,
    query = function(_, sql)
      if not sql:find("Sessions of others", 1, true) then return {} end
      return table.remove(sessions, 1) > 0 and { {} } or {}
    end,
  }, { __close = function() end })
end

describe("detector.ask", function()
  local before = mark(function(m) m.written, m.files, m.sequences = {}, {}, {} end)

  it("is unclear when a session ended while it was asked: what it wrote may not be counted yet", function()
    local from = { connect = function() return connection { 1, 0 } end }
    expect(detector.ask(from, before).answer).is "unclear"
    from = { connect = function() return connection { 0, 1 } end }
    expect(detector.ask(from, before).answer).is "unclear"
    from = { connect = function() return connection { 0, 0 } end }
    expect(detector.ask(from, before).answer).is "quiet"
  end)
end)
