-- The budget of requests of one token. What must hold: whoever shares a record shares the count, a refusal of one slows
-- all of them down, nothing of the token can be read from the record, and what cannot wait does not.

local budget = require "pgorch.http.budget"
local fs     = require "pgorch.fs"
local secret = require "pgorch.secret"
local store  = require "pgorch.store"

local FAR = "https://api.example.com"
local LIMITS = { name = "Example", rate = 0.01, burst = 20 }
local TOKEN = "budget-test-token-1"

local function of(token) return budget.of(secret.new(token or TOKEN), LIMITS, FAR) end

-- fn with two processes' view of one record: each `turn(n)` is the other one's.
local function with_record(fn)
  return function()
    local folder = fs.mkdtemp "pgorch-budget-"
    local url = "sqlite:" .. folder .. "/state.db"
    local first <close> = store.open(url)
    local second <close> = store.open(url)
    local ok, err = pcall(fn, function(n, hurried) budget.share(n == 1 and first or second, hurried) end, first)
    budget.share(nil)
    fs.remove_tree(folder)
    if not ok then error(err, 0) end
  end
end

local function sent_at_once(it, most)
  for i = 1, most do
    if it:permit() > 0 then return i - 1 end
  end
  return most
end

describe("the budget of a token", function()
  it("is one for all that share a record", with_record(function(turn, st)
    turn(1)
    local sent = sent_at_once(of(), 12)
    expect(sent).is(12)
    expect(st.db:query("select count(*) as n from budget where tokens < 10")[1].n).is(1)
    turn(2)
    local others = sent_at_once(of(), 100)
    expect(others + sent).below(LIMITS.burst + 1)
    expect(others).above(0)
    expect(sent_at_once(of "budget-test-token-2", 12)).is(12)
  end))

  it("is slowed down for all by what one of them is refused", with_record(function(turn)
    turn(1)
    local first = of()
    expect(first:permit()).is(0)
    first:heard { status = 429, headers = { ["retry-after"] = "100" } }
    expect(first:permit()).above(90)
    turn(2)
    expect(of():permit()).above(90)
    expect(of("budget-test-token-2"):permit()).is(0)
  end))

  it("believes the service that fewer are left", with_record(function(turn)
    turn(1)
    local first = of()
    first:permit()
    first:heard { status = 200, headers = { ["ratelimit-remaining"] = "4000" } }
    turn(2)
    expect(of():permit()).is(0)
    turn(1)
    first:heard { status = 200, headers = { ["ratelimit-remaining"] = "0" } }
    turn(2)
    expect(of():permit()).above(0)
  end))

  it("is written to once for many requests, by a name that tells nothing of the token", with_record(
    function(turn, st)
      turn(1)
      local writes, taken = 0, st.take_permits
      st.take_permits = function(...)
        writes = writes + 1
        return taken(...)
      end
      local it_ = budget.of(secret.new(TOKEN), { name = "Example", rate = 1000, burst = 1000 }, FAR)
      for _ = 1, 79 do it_:permit() end
      expect(writes).is(12)                                   -- 1 + 2 + 4 + 9 * 8
      local rows = st.db:query "select key from budget"
      expect(#rows).is(1)
      expect(rows[1].key).matches "^%x+$"
      local digest = require("pgorch.crypto").sha256(TOKEN)
      expect(digest:find(rows[1].key, 1, true)).is_nil()
    end))

  it("lets what cannot wait go before, and is counted here while the record is away", with_record(function(turn, st)
    turn(1, function() return true end)
    local first = of()
    first:heard { status = 429, headers = { ["retry-after"] = "3000" } }
    first:take()                                              -- a second, and not an hour
    budget.share(setmetatable({}, { __index = function() error "away" end }))
    expect(of("budget-test-token-3"):permit()).is(0)
    expect(#st.db:query "select key from budget").is(1)
  end))

  it("counts nothing for a stand-in, but heeds its refusals", function()
    local stand_in = "http://127.0.0.1:1"
    local it_ = budget.of(secret.new "budget-test-token-4", { name = "x", rate = 0.01, burst = 1 }, stand_in)
    for _ = 1, 50 do expect(it_:permit()).is(0) end
    it_:heard { status = 429, headers = { ["retry-after"] = "100" } }
    expect(it_:permit()).above(90)
  end)
end)
