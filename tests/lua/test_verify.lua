-- Comparing two databases: the judgement, without a server.

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
