-- Comparing two databases: the judgement, without a server.

local budget = require "pgorch.verify.budget"
local report = require "pgorch.verify.report"
local statement = require "pgorch.verify.statement"
local verify = require "pgorch.verify"

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
    expect(differs(function(b) b.sequences.more = "1|true" end)).is "fail sequence more"
    expect(differs(function(b) b.sums["public.users"] = { error = "no" } end)).is "fail rows public.users"
    expect(differs(function(b) b.large.error = "no" end)).is "fail large objects content"
    expect(differs(function(b) b.unreadable = { s = "no" } end)).is "fail unreadable s"
  end)

  it("does not count what Heroku has by itself", function()
    expect(differs(function(b) b.objects.schema._heroku = "" end)).is ""
  end)

  it("does not count the rows and sequences of what it ignores, and reports it", function()
    local function add(b)
      b.sums['"_heroku"."x"'], b.sequences['"_heroku"."s"'] = { rows = 1, sum = "1" }, "1|true"
      b.unreadable = { ['"_heroku"."t"."c"'] = "denied" }
    end
    local list, ignored = verify.compare(side(), side(add))
    expect(kinds(list)).is ""
    expect(ignored).same {
      { kind = "rows", name = '"_heroku"."x"', why = "in a schema of Heroku's own" },
      { kind = "sequence", name = '"_heroku"."s"', why = "in a schema of Heroku's own" },
      { kind = "unreadable", name = '"_heroku"."t"."c"', why = "in a schema of Heroku's own" },
    }
    expect(kinds(verify.compare(side(add), side())))
      .is 'fail rows "_heroku"."x", fail sequence "_heroku"."s", fail unreadable "_heroku"."t"."c"'
    expect(kinds(verify.compare(side(add), side(function(b)
      add(b)
      b.sums['"_heroku"."x"'].rows = 2
    end)))).is 'fail rows "_heroku"."x", fail unreadable "_heroku"."t"."c"'
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

describe("the report", function()
  local function sums(change)
    local all = {}
    for i = 1, 50 do all["t" .. i] = { rows = i, sum = "1" } end
    if change then change(all) end
    return all
  end

  it("names every table that differs, however many equal ones are left out", function()
    local shown = report.tables(sums(), sums(function(all) all.t1.sum, all.t2 = "2", nil end), 3).rows
    expect(#shown).is(6)
    expect(shown[1]).same { "t50", 50, "1", "equal" }
    expect(shown[4]).same { "t2", "2, target missing", "", "differs" }
    expect(shown[5]).same { "t1", 1, "", "differs" }
    expect(shown[6][1]).is "45 smaller tables"
  end)

  it("never calls equal what could not be read or compared", function()
    local one = { t = { rows = 1, sum = "1" } }
    expect(report.each(one, { t = { error = "no" } })[1].verdict).is "differs"
    expect(report.each({ t = { error = "no" } }, { t = { error = "no" } })[1].verdict).is "differs"
    expect(report.each(one, {})[1].verdict).is "differs"
    local part = { t = { rows = 1, sum = "1", not_comparable = { "x (seg)" } } }
    expect(report.each(one, part)[1].verdict).has "but for"
  end)

  it("shows a table that was ignored as that, in both directions", function()
    local one = { ['"_heroku"."x"'] = { rows = 1, sum = "1" } }
    expect(report.each({}, one)[1].verdict).is "ignored"
    expect(report.each(one, {})[1].verdict).is "differs"
    expect(report.tables({}, one).rows).same { { '"_heroku"."x"', 1, "1", "ignored" } }
  end)

  it("says how many differences it leaves out", function()
    local list = verify.compare(side(), side(function(b)
      for i = 1, 30 do b.sums["public.t" .. i] = { rows = i, sum = "1" } end
    end))
    local rows = report.differences(list, 20).rows
    expect(#rows).is(21)
    expect(rows[21][2]).is "and 10 more"
  end)
end)

describe("the connections to read with", function()
  it("are few, leave some to others, and are one at least", function()
    for free, jobs in pairs { [0] = 1, [5] = 1, [9] = 3, [11] = 4, [500] = 4 } do
      expect(budget.choose(free)).is(jobs)
    end
    expect(budget.choose(500, 8)).is(2)
  end)
end)

describe("a query's statement", function()
  it("is left without the semicolon, the blanks and the comments at its end", function()
    for _, tail in ipairs { "", ";", " ;\n", "; -- done", "; -- it's done\n", " -- a\n ; /* b; /* c */ ' */\n-- $$",
      ";;" } do
      for _, one in ipairs { "select 1", "select ';' -- '\n, 2", "select 'it''s --'", [[select e'it\'s --']],
        [[select 'c:\\']], 'select 1 as "--;"', "select $$;--$$", "select $a$ $$ ' $a$", "select a$1, $1 /*;*/ + 2",
        "select 4 - 2 / 1 * 3", "select /* ' */ 'é'" } do
        expect(statement.alone(one .. tail)).is(one)
      end
    end
  end)

  it("is not cut where a second one follows, nor in what does not end", function()
    for _, sql in ipairs { "select 1; select 2", "select 1; -- a\nselect 2", "select ';", 'select ";--',
      "select $$; --" } do
      expect(statement.alone(sql)).is(sql)
    end
    expect(statement.alone "-- nothing\n;").is ""
    expect(statement.alone "select 1; /* a").is "select 1"
  end)
end)
