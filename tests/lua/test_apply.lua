-- `pgorch plan` and `pgorch apply` as a child, on a recipe whose world is a folder: what is shown is what is done, and
-- what differs stops it, before it begins, in the middle, and after a kill.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local json    = require "pgorch.json"
local process = require "pgorch.process"
local store   = require "pgorch.store"

local RECIPE = TEST_FOLDER .. "/../fixtures/recipes/rooms.lua"

local folder, world, file

local function pgorch(...)
  local options = { host.executable(), ... }
  options.env = { PGORCH_STATE = "sqlite:" .. folder .. "/state.db", ROOMS_KEY = "a secret of rooms", NO_COLOR = "1" }
  options.check, options.stdin, options.timeout = false, "", 60
  local done = process.run(options)
  done.all = done.stdout .. done.stderr
  return done
end

local function rooms(all)
  for name, lamps in pairs(all or {}) do fs.write(world .. "/" .. name, tostring(lamps)) end
  local found = {}
  for _, name in ipairs(fs.list(world)) do found[name] = math.tointeger(tonumber(fs.read(world .. "/" .. name))) end
  return found
end

local function plan(...) return pgorch("plan", RECIPE, "--world", world, ...) end

local function keep(...)
  local done = plan("--out", file, "--force", "--run-id", "r1", ...)
  expect(done.code).is(10)
  return done
end

local function apply(...) return pgorch("apply", file, ...) end

local function events(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do list[#list + 1] = json.decode(line) end
  return list
end

local BEFORE = { hall = 1, kitchen = 0, loft = 3, cellar = 4, attic = 2 }

-- Changes what was kept, as one who damages it would.
local function rewrite(change)
  local whole = json.decode(fs.read(file))
  change(whole.pgorch_plan, whole)
  fs.write(file, json.encode(whole))
end

local function expect_drift(done, ...)
  expect(done.code).is(4)
  expect(done.all).has "PGO-DRIFT"
  for _, text in ipairs { ... } do expect(done.all).has(text) end
end

describe("pgorch plan and apply", function()
  before(function()
    folder = fs.mkdtemp "pgorch-plan-"
    world, file = folder .. "/world", folder .. "/shop.plan"
    fs.mkdir(world)
    rooms(BEFORE)
  end)
  after(function() fs.remove_tree(folder) end)

  it("shows what would change and does nothing, with 10; with 0 where all is so already", function()
    local done = plan()
    expect(done.code).is(10)
    expect(done.stdout).matches "^  window %(at least 3 min%) +~ hall: 1 %-> 2 lamps %(at [%d.]+%)   %+ a ring for 5"
    expect(done.stdout).has "which had (known after hall) lamps"
    expect(done.stdout).has "point of no return"
    expect(done.stdout).has "~ Tell everybody"
    expect(done.stdout).has "~ undo: Light the loft"
    expect(done.stdout).has "\n7 changes, $2/month. Basis: what the steps estimate\n"
    expect(done.stdout).lacks "Count the rooms"
    expect(plan("-v").stdout).has "~ kitchen: 0 -> 2 lamps"
    expect(plan("-q").stdout).is "7 changes, $2/month. Basis: what the steps estimate\n"
    expect(rooms()).same(BEFORE)
    expect(fs.list(folder)).same { "world" }                       -- no record of runs, no folder of one
    rooms { hall = 2, kitchen = 2, loft = 2, cellar = 2, attic = 2 }
    expect(plan("--json").code).is(10)                             -- the bell and the telling
  end)

  it("prints an event for each change, and one that counts them", function()
    local list = events(plan("--json").stdout)
    expect(list[1].event).is "version"
    expect(list[2]).same { event = "change", at = list[2].at, step = "hall", part = "window", sign = "~",
      text = "hall: 1 -> 2 lamps", about = list[2].about, cents = 50, seconds = 90 }
    local last = list[#list]
    expect(last.event).is "planned"
    expect({ last.changes, last.cents, last.status, last.window_seconds, last.at_least }).same { 7, 200, 10, 165, true }
    expect(#list).is(2 + 7)
  end)

  it("is kept in a file of the owner's, with places of secrets and none of them", function()
    local done = plan("--out", file)
    expect(done.code).is(10)
    expect(fs.stat(file).mode).is(0600)
    local kept = json.decode(fs.read(file)).pgorch_plan
    expect(kept.secrets).same { key = { env = "ROOMS_KEY" } }
    expect(fs.read(file)).lacks "a secret of rooms"
    expect(kept.run).matches "^%w%w%w%w%w%w%w%w%w%w$"
    expect(plan("--out", file).code).is(2)
    expect(plan("--out", file).all).has "--force"
    expect(plan("--out", file, "--force").code).is(10)
    expect(plan("--out", folder .. "/none/shop.plan").code).is(2)
    expect(plan("--out", folder, "--force").code).is(2)
  end)

  it("does what was planned under the id that was kept, once", function()
    keep()
    local done = apply()
    expect(done.code).is(0)
    expect(done.stderr).has "is the world still as it was planned for?\nit is: "
    expect(rooms()).same { hall = 2, kitchen = 2, loft = 3, cellar = 2, attic = 2 }
    expect(json.decode(pgorch("status", "r1", "--json").stdout).state).is "done"
    local again = apply()
    expect(again.code).is(2)
    expect(again.all).has "it is run r1"
    expect(plan("--run-id", "r1").code).is(2)
  end)

  it("touches nothing where the world has drifted, and says what was planned and what is now", function()
    keep()
    rooms { hall = 5, kitchen = 2, loft = 3, cellar = 4, attic = 2 }
    expect_drift(apply(), "hall\n", "planned: ~ hall: 1 -> 2 lamps (at", "now:     ~ hall: 5 -> 2 lamps (at",
      "planned: ~ kitchen: 0 -> 2", "now:     kitchen has 2 lamps")
    expect(rooms()).same { hall = 5, kitchen = 2, loft = 3, cellar = 4, attic = 2 }
    expect(pgorch("status", "r1").code).is(2)                      -- there is no such run
    local list = events(apply("--json").stdout)
    expect({ list[#list].event, list[#list].error.id }).same { "failed", "PGO-DRIFT" }
    expect(list[#list].error.detail).has "planned: ~ hall"
  end)

  it("puts back what it did when the world drifts in the middle", function()
    keep("--meddle", "hall:cellar")
    local done = apply()
    expect_drift(done, "step cellar", "planned: ~ cellar: 4 -> 2 lamps", "now:     ~ cellar: 99 -> 2 lamps")
    expect(rooms()).same { hall = 1, kitchen = 0, loft = 3, cellar = 99, attic = 2 }
    expect(json.decode(pgorch("status", "r1", "--json").stdout).state).is "put_back"
    rooms { hall = 7, cellar = 4 }
    expect_drift(pgorch("resume", "r1"), "step hall", "now:     ~ hall: 7 -> 2 lamps")
    expect(rooms().hall).is(7)
  end)

  it("only tells of what drifts past the point of no return: what is left has to be done", function()
    keep("--meddle", "cellar:attic")
    local done = apply()
    expect(done.code).is(3)
    expect(done.stderr).matches "attic: planned was: attic has 2 lamps; done is: ~ attic: 99 %-> 2 lamps %("
    expect(rooms().attic).is(2)
  end)

  it("does not keep a rollback from what it needs", function()
    keep()
    expect(apply().code).is(0)
    rooms { loft = 9 }                              -- lit again for the time of the rollback, as before it was
    expect(pgorch("rollback", "r1", "--lose-writes").code).is(0)
    expect(rooms()).same { hall = 1, kitchen = 0, loft = 9, cellar = 4, attic = 2 }
  end)

  it("is held to when it is resumed, too, unless changes are accepted", function()
    keep("--die", "hall")
    expect(apply().signal).is "KILL"
    rooms { cellar = 5 }
    expect_drift(pgorch("resume", "r1"), "now:     ~ cellar: 5 -> 2 lamps")
    expect(rooms()).same { hall = 1, kitchen = 0, loft = 3, cellar = 5, attic = 2 }
    expect(pgorch("resume", "r1", "--accept-changes").code).is(0)
    expect(rooms()).same { hall = 2, kitchen = 2, loft = 3, cellar = 2, attic = 2 }
  end)

  it("is held to with the step, too, in which it was killed before that did anything", function()
    keep("--die", "cellar:start")
    expect(apply().signal).is "KILL"
    rooms { cellar = 5 }
    expect_drift(pgorch("resume", "r1"), "step cellar", "now:     ~ cellar: 5 -> 2 lamps")
    expect(rooms().cellar).is(5)
    rooms { cellar = 4 }
    expect(pgorch("resume", "r1").code).is(0)
    expect(rooms().cellar).is(2)
  end)

  it("is on record with its plan, or not at all", function()
    keep()
    local st <close> = store.open("sqlite:" .. folder .. "/state.db")
    st.db:batch { { "create trigger fails before insert on event when new.kind = 'planned' "
      .. "begin select raise(abort, 'as asked for'); end" } }
    expect(apply().all).has "as asked for"
    expect(#st:runs()).is(0)
    st.db:batch { { "drop trigger fails" } }
    expect(apply().code).is(0)
  end)

  it("refuses other parameters and another recipe", function()
    keep()
    local done = apply("--lamps", "3")
    expect(done.code).is(2)
    expect(done.all).has "--lamps: 3, planned: 2"
    expect(apply("--run-id", "r2").code).is(2)
    rewrite(function(kept) kept.recipe.hash = ("0"):rep(64) end)
    local changed = apply()
    expect(changed.code).is(2)
    expect(changed.all).has "PGO-CHANGED"
    expect(changed.all).has "its text changed"
    expect(rooms()).same(BEFORE)
    keep()
    expect(apply("--lamps", "2").code).is(0)
  end)

  it("says what is wrong with a file that is no plan", function()
    local function wrong(text, what)
      if text then fs.write(file, text) end
      local done = apply()
      expect(done.code).is(2)
      expect(done.all).has "PGO-PLAN-FILE"
      expect(done.all).has(what)
    end
    wrong(nil, "is not there")
    keep()
    local good = fs.read(file)
    wrong(good:sub(1, #good // 2), "cannot be read as JSON")
    wrong("", "cannot be read as JSON")
    wrong("{\"a\":1}", "no plan of pgorch")
    wrong("[1]", "no plan of pgorch")
    wrong("7", "no plan of pgorch")
    fs.write(file, good)
    rewrite(function(kept) kept.format = 2 end)
    wrong(nil, "which is newer than this one")
    for _, damage in ipairs { function(k) k.steps = nil end, function(k) k.run = "../r1" end,
      function(k) k.steps[1].lines = { 1 } end, function(k) k.steps = { 1 } end, function(k) k.recipe = {} end } do
      fs.write(file, good)
      rewrite(damage)
      wrong(nil, "is damaged")
    end
    expect(rooms()).same(BEFORE)
    expect(pgorch("apply").code).is(2)
  end)

  it("says so when a plan is old", function()
    keep()
    rewrite(function(kept) kept.made_at = kept.made_at - 3 * 86400 end)
    local done = apply()
    expect(done.code).is(0)
    expect(done.stderr).has "shop.plan is 3 d 00 h old"
  end)

  it("explains itself", function()
    expect(pgorch("plan", RECIPE, "--help").stdout).has "--out FILE"
    expect(pgorch("plan", "--help").stdout).has "exit 10"
    expect(pgorch("apply", "--help").stdout).has "--deadline TIME"
    expect(pgorch("apply", "--help").stdout).lacks "--run-id"
    expect(pgorch("apply", "--help").stdout).lacks "Recipes:"
  end)
end)
