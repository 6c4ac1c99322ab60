-- Plans: what is unknown, what lines say and when two are the same, how a recipe is gone through.

local fs         = require "pgorch.fs"
local history    = require "pgorch.plan.history"
local inspection = require "pgorch.runner.inspection"
local lines      = require "pgorch.plan.lines"
local recipe     = require "pgorch.recipe"
local store      = require "pgorch.store"
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
    local u = unknown.new "addon"
    expect(of(u)).same { { sign = "", text = "(known after addon)" } }
    expect(of { u, { "+ of " .. u, about = u.bytes, cents = u.cents } }).same { of(u)[1],
      { sign = "+", text = "of (known after addon)", about = "(known after addon)" } }
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

-- A run of the record with two finished steps.
local function add_run(record, o)
  record:create_run { id = o.id, recipe = o.recipe or "vultr", recipe_path = "vultr", recipe_hash = "h",
                      params = { values = {} }, versions = {}, kind = o.kind }
  local results = { size = { bytes = o.bytes, source = o.source or "s" }, dump_to_store = { bytes = 600, seconds = 3 } }
  for _, id in ipairs { "size", "dump_to_store" } do
    record:begin_step(o.id, id, { title = id, attempt = 1 })
    record:finish_step(o.id, id, { result = results[id] })
  end
  record:update_run(o.id, { state = o.state or "done" })
end

describe("what other runs have measured", function()
  it("is of the newest that went to its end with the same recipe and source", function()
    fs.with_temporary("pgorch-history-", function(folder)
      local record <close> = store.open("sqlite:" .. folder .. "/state.db")
      expect(history.find(nil, "vultr", "s")).is_nil()
      expect(history.find(record, "vultr", "s")).is_nil()
      add_run(record, { id = "old", bytes = 10 })
      add_run(record, { id = "good", bytes = 20 })
      add_run(record, { id = "elsewhere", source = "t" })
      add_run(record, { id = "other", recipe = "linode" })
      add_run(record, { id = "failed", state = "put_back" })
      local found = history.find(record, "vultr", "s")
      expect({ found.run, found.kind, found.bytes, found.rate }).same { "good", "run", 20, 200.0 }
      expect(found.seconds.size >= 0).is(true)
      add_run(record, { id = "tried", kind = "rehearsal", bytes = 30 })
      found = history.find(record, "vultr", "s")
      expect({ found.run, found.kind, found.rate }).same { "tried", "rehearsal" }   -- its upload went nowhere
      expect(found.announced).is_nil()                 -- it did not come to its end
      record:event("tried", "rehearsed", { window = { measured = 5, margin = 65, announce = 120 } })
      found = history.find(record, "vultr", "s")
      expect({ found.announced, found.dump_bytes }).same { 120, 600 }
      expect(history.has_run(record, "tried")).is(true)
      expect(history.has_run(record, "tri")).is(false)
      expect(history.has_run(record, "nothing")).is(false)
    end)
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

-- Of a rehearsal where everything took a second and the dump had 100 MB; of a run the same is what it took.
describe("what a rehearsal has measured", function()
  local measured = { seconds = {}, dump_bytes = 100e6, announced = 240 }
  local steps = {
    write("opens", { estimate = 15, opens_window = true }),
    recipe.step { id = "sums", effect = "read", run = function() end, estimate = 50 },
    write("dump_to_store", { estimate = 70 }), write("restore", { estimate = 80 }),
    write("analyze", { estimate = 90 }), write("own", { estimate = 3, rehearse = true }),
    write("cut_over", { estimate = 25, closes_window = true }),
  }
  for _, step in ipairs(steps) do measured.seconds[step.id] = 1 end

  local function seen_by(kind)
    measured.kind = kind
    local seen = looked_at(steps)
    local self, list = survey.new(seen, measured), {}
    for i, entry in ipairs(self.steps) do list[i] = (entry.measured and "" or "~") .. math.floor(entry.seconds) end
    return table.concat(list, " "), times.window(seen.recipe.steps, self.by_id, measured)
  end

  it("counts with what it could not measure: the wire, Heroku's hardware, the app", function()
    local shown, window = seen_by "rehearsal"
    expect({ shown, window }).same { "~15 1 ~5 ~2 1 1 ~25", 240 }
    measured.announced = nil
    expect(select(2, seen_by "rehearsal")).is(50.0)
    expect((seen_by "run")).is "1 1 1 1 1 1 1"
  end)
end)

local function survey_of(steps) return survey.new(looked_at(steps)) end

describe("a survey of a recipe", function()
  it("runs what only reads and has no plan, and nothing else", function()
    local self = survey_of {
      recipe.step { id = "size", effect = "read", run = function(ctx)
        ctx:note "seven"
        ctx:warn "odd"
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
    expect(self.warnings).same { { id = "size", text = "odd" } }
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
