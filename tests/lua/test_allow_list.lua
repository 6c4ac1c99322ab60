-- Which entry of an allow list covers an address, which address is ours, and what the step does when an entry that it
-- made has to spread first, or never helps.

local allow_list = require "pgorch.allow_list"
local fail       = require "pgorch.error"
local holding    = require "support.holding"
local poll       = require "pgorch.poll"
local step       = require "pgorch.steps.allow_list"

describe("an entry of an allow list", function()
  it("covers the addresses of its network, of its family alone", function()
    for _, case in ipairs {
      { "198.51.100.7", "198.51.100.7", true }, { "198.51.100.7/32", "198.51.100.8", false },
      { "198.51.100.0/24", "198.51.100.200", true }, { "198.51.100.0/25", "198.51.100.200", false },
      { "10.0.0.0/7", "11.255.0.1", true }, { "10.0.0.0/8", "11.0.0.1", false }, { "0.0.0.0/0", "203.0.113.9", true },
      { "0.0.0.0/0", "::1", false }, { "::/0", "203.0.113.9", false }, { "::/0", "2001:db8::7", true },
      { "::1", "::1", true }, { "::1/128", "0:0:0:0:0:0:0:1", true }, { "2001:db8::/32", "2001:db8:1::9", true },
      { "2001:db8::/32", "2001:db9::9", false }, { "2001:DB8:8000::/33", "2001:db8:ffff::", true },
      { "2001:db8:8000::/33", "2001:db8:7fff::", false }, { "fe80::1:2/127", "fe80::1:3", true },
    } do
      local cidr, address, wanted = table.unpack(case)
      if allow_list.covers(cidr, address) ~= wanted then
        error(("%s covers %s: expected %s"):format(cidr, address, tostring(wanted)), 0)
      end
    end
  end)

  it("is looked for under the address that the server sees", function()
    local function address(host) return allow_list.address({ params = {} }, { host = host }) end
    expect(address "127.0.0.1").is "127.0.0.1"
    expect(address "localhost").is "127.0.0.1"
    expect(address "::1").is "::1"
    expect(allow_list.address({ params = { from_ip = "198.51.100.9" } }, { host = "::1" })).is "198.51.100.9"
  end)
end)

-- The step's run, without its waits.
local function run(ctx)
  local seconds = poll.seconds
  local _ <close> = setmetatable({}, { __close = function() poll.seconds = seconds end })
  poll.seconds = function() return 0.001 end
  return step.run(ctx)
end

-- A provider's allow list over `list`.
local function entries(list)
  local function remove(cidr)
    for i, each in ipairs(list) do
      if each == cidr then return table.remove(list, i) and "removed" end
    end
    return "absent"
  end
  return { get = function() return list end, add = function(cidr) list[#list + 1] = cidr end, remove = remove }
end

local NAME = "allow-list:vultr:one:"
local ADDED = { before = { listed = false } }

-- What a run of the step meets: `list` is the provider's, the connection works once it was tried `needs` times. `held`:
-- entries that runs share.
local function play(list, needs, o)
  o = o or {}
  local tried = 0
  local ctx = { params = { from_ip = "203.0.113.9" }, recall = o.recall,
    remember = function(self, value) self.remembered = value end, progress = function() end, put_back = function() end,
    note = function(self, text) self.said = text end,
    source = { provider = "vultr", id = "one", empty_allow_list = "open", allow_list = entries(list),
      connect = function()
        tried = tried + 1
        if tried < needs then fail.raise("PGO-PG-CONNECT", "no answer within 10 s") end
        return setmetatable({ server_version = 150000 }, { __close = function() end })
      end } }
  local names = holding.give(ctx)
  for cidr, runs in pairs(o.held or {}) do names:share(NAME .. cidr, "r1", runs) end
  return ctx, function() return tried end, function(cidr) return holding.runs(names, NAME .. cidr) end
end

-- Breaks off as soon as that has happened, as kill -9 would: what comes next does not.
local function kill_after(ctx, what)
  local owner = what == "connect" and ctx.source or ctx.source.allow_list
  local act = owner[what]
  owner[what] = act and function(...)
    act(...)
    owner[what] = act
    error("killed", 0)
  end
end

describe("the step allow_list", function()
  it("adds our entry and waits until it has spread", function()
    local list = { "198.51.100.7/32" }
    local ctx, seen = play(list, 3)
    expect(run(ctx)).same { state = "added", cidr = "203.0.113.9/32" }
    expect(list).same { "198.51.100.7/32", "203.0.113.9/32" }
    expect((seen())).is(3)
  end)

  it("waits for an entry that it, or another run, has just made, and leaves one alone that is the owner's", function()
    local listed = { "203.0.113.9/32" }
    local ctx, seen = play(listed, 2, { held = { ["203.0.113.9/32"] = { r2 = ADDED } } })
    expect(run(ctx)).same { state = "listed", cidr = "203.0.113.9/32" }
    expect((seen())).is(2)
    ctx, seen = play(listed, 2, { recall = { cidr = "203.0.113.9/32" },
                                  held = { ["203.0.113.9/32"] = { r1 = ADDED } } })
    expect(run(ctx).cidr).is "203.0.113.9/32"
    expect((seen())).is(2)
    local holders
    ctx, seen, holders = play(listed, 2)
    expect(run(ctx)).same { state = "listed" }
    expect((seen())).is(0)
    expect(holders "203.0.113.9/32").same {}
  end)

  it("takes the entry of before out when it comes from another address, wherever it is killed", function()
    local OWNERS, BEFORE, OURS = "198.51.100.7/32", "192.0.2.1/32", "203.0.113.9/32"
    for _, at in ipairs { "none", "remove", "add", "connect" } do
      local list = { OWNERS, BEFORE }
      local ctx, _, holders = play(list, 1, { recall = { cidr = BEFORE }, held = { [BEFORE] = { r1 = ADDED } } })
      kill_after(ctx, at)
      local ok, result = pcall(run, ctx)
      expect(ok).is(at == "none")
      if not ok then                     -- resumed, with what was remembered
        ctx.recall = ctx.remembered or ctx.recall
        result = run(ctx)
      end
      expect(result.cidr).is(OURS)
      expect(list).same { OWNERS, OURS }
      step.undo(ctx, result)
      expect(list).same { OWNERS }
      expect(holders(BEFORE)).same {}
      expect(holders(OURS)).same {}
    end
  end)

  it("takes it out too where the other address is let in already, and leaves that entry to its owner", function()
    for _, owners in ipairs { "203.0.113.9/32", "203.0.113.0/24" } do
      local list = { "192.0.2.1/32", owners }
      local ctx = play(list, 1, { recall = { cidr = "192.0.2.1/32" }, held = { ["192.0.2.1/32"] = { r1 = ADDED } } })
      local result = run(ctx)
      expect(result).same { state = "listed" }
      step.undo(ctx, result)
      expect(list).same { owners }
    end
  end)

  it("remembers an entry that it shares before it waits for it", function()
    local ctx = play({ "203.0.113.9/32" }, math.huge, { held = { ["203.0.113.9/32"] = { r2 = ADDED } } })
    expect(function() run(ctx) end):raises "PGO-ALLOW-LIST"
    expect(ctx.remembered).same { cidr = "203.0.113.9/32" }
  end)

  it("leaves an entry to the runs that still need it, and the last one takes it out", function()
    local list = { "198.51.100.7/32", "203.0.113.9/32" }
    local ctx, _, holders = play(list, 1, { held = { ["203.0.113.9/32"] = { r2 = ADDED } } })
    local result = run(ctx)
    step.undo(ctx, result)
    expect(list).same { "198.51.100.7/32", "203.0.113.9/32" }
    expect(holders "203.0.113.9/32").same { "r2" }
    expect(ctx.said).is "203.0.113.9/32 stays on the allow list: needed by run r2"
    ctx = play(list, 1, { held = { ["203.0.113.9/32"] = { r1 = ADDED } } })
    step.undo(ctx, result)
    expect(list).same { "198.51.100.7/32" }
  end)

  it("gives its place among those who share an entry back, killed before it knows whose the entry is", function()
    local ctx, _, holders = play({ "198.51.100.7/32" }, 1)
    function ctx.source.allow_list.add() error("killed", 0) end
    expect(pcall(run, ctx)).is(false)
    expect(holders "203.0.113.9/32").same { "r1" }
    step.undo(ctx, ctx.remembered)
    expect(holders "203.0.113.9/32").same {}
  end)

  it("says what to do when the entry does not help", function()
    local ctx = play({ "198.51.100.7/32" }, math.huge)
    local err = expect(function() run(ctx) end):raises "PGO-ALLOW-LIST"
    expect(err.message).has "203.0.113.9/32"
    expect(err.cure).has "--from-ip"
  end)

  it("does not hold any more when somebody took our entry out", function()
    local ctx = play({ "198.51.100.7/32" }, 1)
    expect(step.check(ctx, { state = "added", cidr = "203.0.113.9/32" })).is(false)
    ctx = play({ "203.0.113.0/24" }, 1)
    expect(step.check(ctx, { state = "listed" })).is(true)
    expect(step.check(play({}, 1), { state = "open" })).is(true)
  end)
end)
