-- Plans: what is unknown, what lines say and when two are the same, how a recipe is gone through; and `pgorch plan` and
-- `pgorch apply` on a recipe whose world is a folder.

local fs         = require "pgorch.fs"
local host       = require "pgorch.native.host"
local inspection = require "pgorch.runner.inspection"
local json       = require "pgorch.json"
local lines      = require "pgorch.plan.lines"
local process    = require "pgorch.process"
local recipe     = require "pgorch.recipe"
local survey     = require "pgorch.plan.survey"
local times      = require "pgorch.plan.times"
local unknown    = require "pgorch.plan.unknown"

local function raises_unknown(fn)
  local ok, err = pcall(fn)
  expect(ok).is(false)
  expect(err.id).is "PGO-PLAN-UNKNOWN"
  expect(err.known_after).is "addon"
  expect(err.message).has "addon"
end

describe("what a plan cannot know", function()
  it("reads as known later in every text, its fields too", function()
    local u = unknown.new "addon"
    expect(tostring(u)).is "(known after addon)"
    expect("name " .. u .. "!").is "name (known after addon)!"
    expect(u .. u).is "(known after addon)(known after addon)"
    expect(("%s"):format(u.name.first)).is "(known after addon)"
    expect(unknown.step(u.name)).is "addon"
    expect(unknown.step {}).is_nil()
    expect(unknown.step "addon").is_nil()
  end)

  it("raises, with its step, on whatever would decide by it", function()
    local u = unknown.new "addon"
    for _, fn in ipairs {
      function() return u < 1 end, function() return 1 < u end, function() return u <= "x" end,
      function() return u + 1 end, function() return 1 - u end, function() return -u end, function() return u // 2 end,
      function() return u % 2 end, function() return u & 1 end, function() return #u end, function() return u() end,
      function() return u == unknown.new "addon" end, function() return pairs(u) end,
      function() return select(2, ipairs(u.list))[1] end, function() return table.concat(u) end,
      function() return table.unpack(u) end, function() u.name = 1 end, function() return u.list[1] end,
    } do
      raises_unknown(fn)
    end
  end)
end)

local function of(given) return lines.of({ id = "x" }, given) end

describe("the lines of a plan", function()
  it("have a sign, a text and what is about so", function()
    expect(of "+ app shop").same { { sign = "+", text = "app shop" } }
    expect(of "app shop is there").same { { sign = "", text = "app shop is there" } }
    expect(of "-5 lamps").same { { sign = "", text = "-5 lamps" } }
    expect(of { "+ object a", about = "~5 MB", cents = 7 }).same { { sign = "+", text = "object a", about = "~5 MB",
                                                                  cents = 7 } }
    expect(of { "~ two\n  lines", { "! three", after = "- three" } }).same {
      { sign = "~", text = "two lines" }, { sign = "!", text = "three", after = "- three" } }
    expect(of {}).same {}
    expect(of(nil)).same {}
    expect(lines.show(of { "+ object a", about = "~5 MB" }[1])).is "+ object a (~5 MB)"
    expect(function() of(true) end):raises "PGO-RECIPE"
    expect(function() of { 5 } end):raises "PGO-RECIPE"
  end)

  it("are the same when their texts are, but for what is about so or was known later", function()
    local function same(a, b) return lines.same(of(a), of(b)) end
    expect(same("+ a", "+ a")).is(true)
    expect(same("+ a", "~ a")).is(false)
    expect(same("+ a", { "+ a", "+ b" })).is(false)
    expect(same("+ a", {})).is(false)
    expect(same({ "+ a", about = "1" }, { "+ a", about = "2" })).is(true)
    expect(same("~ web 2 -> 0", "~ web 3 -> 0")).is(false)
    expect(same("+ a (known after dump_to-store), b", "+ a 17%, b")).is(true)
    expect(same("+ a (known after dump_to-store), b", "+ a 17%, c")).is(false)
    expect(same("+ a.b (x+) [%d]", "+ a.b (x+) [%d]")).is(true)
    expect(same("+ a.b", "+ axb")).is(false)
    expect(same({ "? the lot (known after x)" }, { "+ a", "+ b" })).is(true)
  end)
end)

local function write(id, more)
  local spec = { id = id, effect = "write", undo = false, run = function() error "was run" end }
  for name, value in pairs(more or {}) do spec[name] = value end
  return recipe.step(spec)
end

local function looked_at(steps)
  return inspection.new { params = {}, recipe = recipe { name = "t", summary = "t", steps = steps } }
end

-- {id = what it would do}, in words.
local function words(self)
  local found = {}
  for _, entry in ipairs(self.steps) do found[entry.id] = lines.show_all(entry.lines) end
  return found
end

local function survey_of(steps) return survey.new(looked_at(steps)) end

describe("a survey of a recipe", function()
  it("runs what only reads and has no plan, and nothing else", function()
    local self = survey_of {
      recipe.step { id = "size", effect = "read", run = function(ctx)
        ctx:note "seven"
        return { bytes = 7 }
      end },
      recipe.step { id = "later", effect = "read", run = function() error "was run" end,
                    plan = function() return "read later" end },
      write("a", { plan = function(ctx)
        return ("+ a of %d, by %s"):format(ctx.result.size.bytes, ctx.result.later)
      end }),
      write("b", { title = "The b" }),
      recipe.step { id = "c", title = "The c", effect = "destroy", undo = false, run = function() error "was run" end },
      recipe.step { id = "sees", title = "Sees", effect = "read", run = function(ctx) return ctx.result.b.x + 1 end },
      recipe.step { id = "fails", title = "Fails", effect = "read", run = function() error("no c here", 0) end },
    }
    expect(words(self)).same { size = "seven", later = "read later", a = "+ a of 7, by (known after later)",
      b = "~ The b", c = "! The c", sees = "? Sees (known after b)", fails = "? Fails (known after c) (no c here)" }
    expect(self.changes).is(3)
    expect(self.open).is(0)                         -- what only reads is no change
  end)

  it("raises what a reading step raises where nothing before it would change the world", function()
    local ok, err = pcall(survey_of, { recipe.step { id = "fails", effect = "read",
                                                     run = function() error("no such thing", 0) end } })
    expect(ok).is(false)
    expect(err.step).is "fails"
  end)

  it("cannot tell of a step whose condition or list is known later", function()
    local function each(ctx) return { { key = ctx.result.a and "x" or "y" } } end
    local self = survey_of {
      write "a",
      write("maybe", { title = "Maybe", only_if = function(ctx) return ctx.result.a end }),
      write("many", { title = "Many", each = each }),
      write("counts", { title = "Counts", plan = function(ctx) return "+ " .. #ctx.result.a.list end }),
      write("never", { only_if = function() return false end }),
      write("both", { title = "Light", each = function() return { { key = "hall" }, { key = "loft" } } end }),
      write("own", { each = function() return { { key = "hall" } } end,
                     plan = function(_, item) return "+ lamp in " .. item.key end }),
    }
    expect(words(self)).same { a = "~ a", maybe = "? Maybe (known after a)", many = "? Many (known after a)",
      counts = "? Counts (known after a)", both = "~ Light hall; ~ Light loft", own = "+ lamp in hall" }
    expect(self.by_id.never).is_nil()
    expect(self.changes).is(4)
    expect(self.open).is(3)
  end)

  it("says where a plan has put something unknown to other use than a text", function()
    local ok, err = pcall(survey_of, { write "a",
      write("b", { plan = function(ctx) return ("+ %d"):format(ctx.result.a.count) end }) })
    expect(ok).is(false)
    expect(err.step).is "b"
    expect(err.cure).has "known only after a"
  end)

  it("groups by the window and the point of no return, and adds up what takes how long", function()
    local self = survey_of {
      write("a", { estimate = 100, undo = function() end, undo_when = "always" }),
      write("opens", { estimate = 10, opens_window = true }),
      recipe.together { { write("b", { estimate = 20 }), write("c", { estimate = 5 }) },
                        { write("d", { estimate = 40 }) } },
      write("e", { estimate = 7, plan = function() return "e is there" end }),
      recipe.gate "go?",
      write("point", { estimate = 1, point_of_no_return = true }),
      write("f"), write("closes", { estimate = 2, closes_window = true }),
      write("z", { estimate = 1000 }),
    }
    local groups = {}
    for _, entry in ipairs(self.steps) do groups[entry.id] = entry.group end
    expect(groups).same { a = "before", opens = "window", b = "window", c = "window", d = "window", e = "window",
      gate_go = "window", point = "point", f = "after", closes = "after", z = "after" }
    local function window(entry) return entry.in_window end
    local list = { { id = "a" }, { id = "opens" }, { lists = { { { id = "b" }, { id = "c" } }, { { id = "d" } } } },
                   { id = "closes" }, { id = "z" } }
    expect({ times.sum(list, self.by_id, window) }).same { 10 + 40 + 2, false }
    list[#list + 1] = { id = "f" }
    expect({ times.sum(list, self.by_id, window) }).same { 10 + 40 + 2, true }      -- f has no estimate
    local changes = survey.changes(self)
    expect(changes[#changes].line.text).is "undo: a"
    expect(changes[#changes].group).is "after"
  end)
end)

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

local BEFORE = { hall = 1, kitchen = 0, loft = 3, cellar = 4 }

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
    expect(done.stdout).matches "^  window %(at least 3 min%) +~ hall: 1 %-> 2 lamps %(at [%d.]+%)   %+ a ring for 4"
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
    rooms { hall = 2, kitchen = 2, loft = 2, cellar = 2 }
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
    expect(rooms()).same { hall = 2, kitchen = 2, loft = 3, cellar = 2 }
    expect(json.decode(pgorch("status", "r1", "--json").stdout).state).is "done"
    local again = apply()
    expect(again.code).is(2)
    expect(again.all).has "it is run r1"
    expect(plan("--run-id", "r1").code).is(2)
  end)

  it("touches nothing where the world has drifted, and says what was planned and what is now", function()
    keep()
    rooms { hall = 5, kitchen = 2, loft = 3, cellar = 4 }
    expect_drift(apply(), "hall\n", "planned: ~ hall: 1 -> 2 lamps (at", "now:     ~ hall: 5 -> 2 lamps (at",
      "planned: ~ kitchen: 0 -> 2", "now:     kitchen has 2 lamps")
    expect(rooms()).same { hall = 5, kitchen = 2, loft = 3, cellar = 4 }
    expect(pgorch("status", "r1").code).is(2)                      -- there is no such run
  end)

  it("puts back what it did when the world drifts in the middle", function()
    keep("--meddle", "hall")
    local done = apply()
    expect_drift(done, "step cellar", "planned: ~ cellar: 4 -> 2 lamps", "now:     ~ cellar: 99 -> 2 lamps")
    expect(rooms()).same { hall = 1, kitchen = 0, loft = 3, cellar = 99 }
    expect(json.decode(pgorch("status", "r1", "--json").stdout).state).is "put_back"
  end)

  it("is held to when it is resumed, too, unless changes are accepted", function()
    keep("--die", "hall")
    expect(apply().signal).is "KILL"
    rooms { cellar = 5 }
    expect_drift(pgorch("resume", "r1"), "now:     ~ cellar: 5 -> 2 lamps")
    expect(rooms()).same { hall = 1, kitchen = 0, loft = 3, cellar = 5 }
    expect(pgorch("resume", "r1", "--accept-changes").code).is(0)
    expect(rooms()).same { hall = 2, kitchen = 2, loft = 3, cellar = 2 }
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
  end)
end)
