-- The order of a copy, without a server: what waits for what, what keeps a table to itself. The archives are those
-- that four majors of pg_dump have written.

local archive = require "pgorch.archive"
local fs      = require "pgorch.fs"
local objects = require "pgorch.copy.objects"
local order   = require "pgorch.copy.order"
local places  = require "pgorch.copy.places"
local schema  = require "pgorch.copy.schema"
local task    = require "pgorch.task"

-- Takes all that is ready in a queue, as that many workers would; what was taken is not done yet.
local function take(o, queue, count)
  local names = {}
  for _ = 1, count or 1 do
    local ok, work = pcall(task.timeout, 0.05, o.next, o, queue)
    if not ok or not work then break end
    names[#names + 1], names[work.name] = work.name, work
  end
  return names
end

local function add(o, name, after, more)
  local work = { queue = "q", name = name }
  for key, value in pairs(more or {}) do work[key] = value end
  return o:add(work, after or {})
end

describe("the order of a copy", function()
  it("gives out the largest first, and nothing before what it waits for is done", function()
    local o = order.new()
    local small = add(o, "small", nil, { weight = 1 })
    add(o, "large", nil, { weight = 9 })
    local both = o:add({}, { small })
    add(o, "later", { both }, { weight = 5 })
    o:begin()
    local got = take(o, "q", 3)
    expect(table.concat(got, " ")).is "large small"
    o:done(got.large)
    expect(#take(o, "q")).is(0)
    o:done(got.small)
    got = take(o, "q", 3)
    expect(table.concat(got, " ")).is "later"
    o:done(got.later)
    expect(o:next "q").is(nil)
  end)

  it("gives nothing out twice that waits for nothing but an empty piece of work", function()
    local o = order.new()
    add(o, "once", { o:add({}, {}) })
    o:begin()
    expect(#take(o, "q", 3)).is(1)
  end)

  it("keeps what alters a table from what else is done with it, and lets its indexes be built together", function()
    local o = order.new()
    add(o, "index 1", nil, { shared = { 7 }, weight = 9 })
    add(o, "index 2", nil, { shared = { 7 }, weight = 8 })
    add(o, "key", nil, { exclusive = { 7 }, weight = 7 })
    add(o, "two tables", nil, { exclusive = { 7, 8 }, weight = 6 })
    add(o, "elsewhere", nil, { exclusive = { 8 }, weight = 5 })
    o:begin()
    local first = take(o, "q", 5)
    expect(table.concat(first, ", ")).is "index 1, index 2, elsewhere"
    o:done(first["index 1"])
    o:done(first.elsewhere)
    expect(#take(o, "q", 5)).is(0)
    o:done(first["index 2"])
    local second = take(o, "q", 5)
    expect(table.concat(second, ", ")).is "key"
    o:done(second.key)
    expect(table.concat(take(o, "q", 5), ", ")).is "two tables"
  end)

  it("keeps nothing of what is done", function()
    local o = order.new()
    for i = 1, 3 do add(o, i, nil, { shared = { i, "all" } }) end
    add(o, "alone", nil, { exclusive = { "all" }, weight = -1 })
    local ended = setmetatable({}, { __mode = "k" })
    o:begin()
    for _ = 1, 4 do
      local work = o:next "q"
      ended[work] = true
      o:done(work)
    end
    collectgarbage()
    expect(next(ended)).is(nil)
    expect(next(o.locks)).is(nil)
  end)

  it("gives out first what the longest chain of work follows, and knows what would be waited for", function()
    local o = order.new()
    local small = add(o, "small", nil, { weight = 1 })
    add(o, "middle", nil, { weight = 8 })
    local key = add(o, "key", { o:add({}, { small }) }, { weight = 4 })
    add(o, "foreign key", { key }, { weight = 6 })
    o:begin()
    local got = take(o, "q", 3)
    expect(table.concat(got, " ")).is "small middle"
    expect(o:is_long(got.small, 1)).is(false)
    expect(o:is_long(got.small, 2)).is(true)
    expect(o:is_long(got.middle, 2)).is(false)
    o:done(got.middle)
    o:done(got.small)
    expect(o:is_long(o:next "q", 2)).is(true)
  end)

  it("gives out before all what is to go first", function()
    local o = order.new()
    add(o, "large", nil, { weight = 9 })
    add(o, "small", nil, { weight = 1, first = true })
    o:begin()
    expect(table.concat(take(o, "q", 2), " ")).is "small large"
  end)

  it("says so when things wait for each other", function()
    local o = order.new()
    local a = add(o, "a")
    o:follow(a, add(o, "b", { a }))
    o:begin()
    local ok, err = pcall(o.next, o, "q")
    expect(ok).is(false)
    expect(err.message).has "in a circle"
  end)
end)

-- --- with a table of contents ---

local function contents_of(name)
  return archive.read_head((fs.source("tests/fixtures/archives/" .. name))).entries
end

-- What one worker does after the rows, until there is nothing that may run: the place of each in that order. Of the
-- tables in `rows` none is ever copied; one without an entry is an extension's.
local function after_rows(entries, parents, rows, analyze)
  local o, position = order.new(), {}
  local by_oid, ends, count = objects.plan(o, entries, { parents = parents or {}, bytes = {}, analyze = analyze })
  for _, oid in ipairs(rows or {}) do
    local work = o:add({ queue = "rows" }, {})
    o:follow(by_oid[oid] and by_oid[oid].rows or ends.others, work)
    o:follow(ends.all, work)
  end
  o:begin()
  for at = 1, math.huge do
    local ok, work = pcall(task.timeout, 0.05, o.next, o, "statements")
    if not ok or not work then return position, at - 1, count end
    position[work.entry.desc .. " " .. work.entry.tag] = at
    o:done(work)
  end
end

local function oid_of(entries, tag)
  for _, entry in ipairs(entries) do
    if entry.desc == "TABLE" and entry.tag == tag then return math.tointeger(tonumber(entry.oid)) end
  end
end

describe("what comes after the rows", function()
  it("is all there, in each version of the archive, and comes to its end", function()
    for _, name in ipairs { "s15-z0.dump", "s16-z0.dump", "s17-z0.dump", "s18-z0.dump" } do
      local entries, expected = contents_of(name), 0
      local sections = schema.sections(entries)
      for _, entry in ipairs(entries) do
        if sections[entry] == "post-data" and entry.defn and entry.defn ~= "" then expected = expected + 1 end
      end
      local position, done = after_rows(entries)
      expect(done).is(expected)
      expect(done).above(20)
      -- A foreign key after the key that it refers to, an attached index after its parent's, materialized views after
      -- all that has keys, triggers on events last.
      local function comes_after(later, earlier) expect(position[later]).above(position[earlier]) end
      comes_after("FK CONSTRAINT orders orders_customer_fk", "CONSTRAINT customers customers_pkey")
      comes_after("INDEX ATTACH events_2020_kind_idx", "INDEX events_kind")
      comes_after("MATERIALIZED VIEW DATA mv_totals", "FK CONSTRAINT orders orders_customer_fk")
      comes_after("EVENT TRIGGER watch_ddl", "MATERIALIZED VIEW DATA mv_totals")
    end
  end)

  it("waits for the rows of its table", function()
    local entries = contents_of "s15-z0.dump"
    local seen = after_rows(entries, {}, { oid_of(entries, "customers") })
    expect(seen["CONSTRAINT customers customers_pkey"]).is(nil)
    expect(seen["FK CONSTRAINT orders orders_customer_fk"]).is(nil)
    expect(seen["MATERIALIZED VIEW DATA mv_totals"]).is(nil)
    expect(seen["CONSTRAINT wide wide_pkey"] ~= nil).is(true)
    expect(seen["INDEX events_2020_kind_idx"] ~= nil).is(true)
  end)

  local function entry(id, desc, tag, dependencies)
    return { id = id, desc = desc, tag = tag, section = desc == "TABLE" and "pre-data" or "post-data",
             oid = tostring(id), defn = desc, dependencies = dependencies or {} }
  end

  local function names_of(position)
    local names = {}
    for name in pairs(position) do names[#names + 1] = name end
    table.sort(names)
    return names
  end

  it("on a partitioned table waits for all partitions, but for the shell of an index", function()
    local entries = {
      entry(1, "TABLE", "whole"), entry(2, "TABLE", "half"), entry(3, "TABLE", "leaf"), entry(4, "TABLE", "other"),
      entry(5, "INDEX", "shell", { 1 }), entry(6, "INDEX", "of leaf", { 3, 5 }),
      entry(7, "INDEX", "of other", { 4, 5 }),
      entry(8, "INDEX ATTACH", "of leaf", { 6, 5, 3, 1 }), entry(9, "FK CONSTRAINT", "key", { 1 }),
      entry(10, "TRIGGER", "of leaf", { 3 }), entry(11, "CONSTRAINT", "primary", { 1 }),
    }
    local parents = { [2] = { 1 }, [3] = { 2 }, [4] = { 2 } }
    expect(names_of(after_rows(entries, parents, { 4 })))
      .same { "INDEX ATTACH of leaf", "INDEX of leaf", "INDEX shell", "TRIGGER of leaf" }
    expect(select(2, after_rows(entries, parents))).is(7)
  end)

  local function made_before(id, desc, dependencies)
    local made = entry(id, desc, desc:lower(), dependencies)
    made.section = "pre-data"
    return made
  end

  it("waits for all rows where it may call a function of the user's, which may read any table", function()
    local entries = {
      made_before(20, "FUNCTION", { 21 }), made_before(21, "TYPE", { 20 }), made_before(22, "OPERATOR", { 20 }),
      made_before(23, "OPERATOR CLASS", { 22 }), made_before(24, "FUNCTION"),
      entry(1, "TABLE", "this", { 24 }), entry(2, "TABLE", "other"), made_before(10, "MATERIALIZED VIEW"),
      entry(3, "INDEX", "plain", { 1 }), entry(4, "INDEX", "direct", { 1, 20 }),
      entry(5, "INDEX", "by class", { 1, 23 }), entry(6, "CONSTRAINT", "by operator", { 1, 22 }),
      entry(7, "CHECK CONSTRAINT", "by type", { 1, 21 }), entry(8, "TRIGGER", "fires later", { 1, 20 }),
      entry(9, "COMMENT", "on direct", { 4 }), entry(11, "MATERIALIZED VIEW DATA", "view", { 10 }),
    }
    expect(names_of(after_rows(entries, {}, { 2 }))).same { "INDEX plain", "TRIGGER fires later" }
    local position, done, count = after_rows(entries)
    expect(done).is(count)
    for _, name in ipairs { "INDEX direct", "INDEX by class", "CONSTRAINT by operator", "CHECK CONSTRAINT by type" } do
      expect(position[name]).above(position["INDEX plain"])
      expect(position["MATERIALIZED VIEW DATA view"]).above(position[name])
    end
  end)

  it("waits for the rows of extensions' tables where it may look at them", function()
    local entries = {
      made_before(20, "EXTENSION"), made_before(21, "OPERATOR", { 20 }),
      entry(1, "TABLE", "this"), entry(2, "INDEX", "plain", { 1 }), entry(3, "INDEX", "by theirs", { 1, 21 }),
      entry(4, "FK CONSTRAINT", "to anything", { 1 }), entry(5, "CONSTRAINT", "key", { 1 }),
    }
    expect(names_of(after_rows(entries, {}, { 99 }))).same { "CONSTRAINT key", "INDEX plain" }
    expect(select(2, after_rows(entries))).is(4)
  end)

  it("includes ANALYZE of each table, when its indexes and those of its partitions are there", function()
    local entries = { entry(1, "TABLE", "whole"), entry(2, "TABLE", "leaf"), entry(3, "TABLE", "other"),
                      entry(4, "INDEX", "of leaf", { 2 }), entry(5, "INDEX", "of other", { 3 }) }
    local function row(oid, name, only) return { oid = oid, schema = "s", name = name, only = only } end
    local parents = { [2] = { 1 } }
    local position, done, count = after_rows(entries, parents, {}, { row(1, "whole"), row(3, "other"), row(9, "new") })
    expect({ done, count }).same { 4, 2 }
    expect(position["ANALYZE whole"]).above(position["INDEX of leaf"])
    expect(position["ANALYZE other"]).above(position["INDEX of other"])
    expect(names_of(after_rows(entries, parents, { 2 }, { row(1, "whole"), row(3, "other") })))
      .same { "ANALYZE other", "INDEX of other" }
    position = after_rows(entries, parents, {}, { row(1, "whole", true), row(2, "leaf"), row(3, "other") })
    expect(position["ANALYZE leaf"]).above(position["INDEX of leaf"])
    expect(position["ANALYZE ONLY whole"] ~= nil).is(true)
  end)

  it("includes ANALYZE of many small tables in one statement, of a large one by itself", function()
    local entries, rows, o, seen = {}, {}, order.new(), {}
    for oid = 1, 60 do
      entries[oid], rows[oid] = entry(oid, "TABLE", "t" .. oid), { oid = oid, schema = "s", name = "t" .. oid }
    end
    local _, _, statements, analyzed = objects.plan(o, entries,
      { parents = {}, bytes = { [7] = 2 << 20 }, analyze = rows })
    expect({ statements, analyzed }).same { 0, 3 }
    o:begin()
    for i = 1, 3 do seen[i] = o:next("statements").entry.defn end
    expect(seen[1]).is [[analyze "s"."t7"]]
    local count = select(2, table.concat(seen):gsub('"s"%."t%d+"', ""))
    expect(count).is(60)
    expect(table.concat(seen)).has [[analyze "s"."t52", "s"."t53"]]
  end)

  it("has its table alone where the entry of an index alters the table too", function()
    local entries = { entry(1, "TABLE", "t"), entry(2, "INDEX", "one", { 1 }), entry(3, "INDEX", "two", { 1 }),
                      entry(4, "INDEX", "three", { 1 }) }
    entries[3].defn = "CREATE INDEX two ON t (b);\n\nALTER TABLE t CLUSTER ON two;\n"
    local o, together = order.new(), {}
    objects.plan(o, entries, { parents = {}, bytes = {} })
    o:begin()
    while true do
      local ok, work = pcall(task.timeout, 0.05, o.next, o, "statements")
      if not ok or not work then break end
      together[#together + 1] = work.entry.tag
    end
    table.sort(together)
    expect(together).same { "one", "three" }
  end)

  it("is not done to a partition while it is done to the whole", function()
    local entries = { entry(1, "TABLE", "whole"), entry(2, "TABLE", "leaf"), entry(3, "FK CONSTRAINT", "key", { 1 }),
                      entry(4, "INDEX", "of leaf", { 2 }), entry(5, "CONSTRAINT", "of leaf", { 2 }) }
    local o = order.new()
    objects.plan(o, entries, { parents = { [2] = { 1 } }, bytes = { [1] = 1000000 } })
    o:begin()
    expect(o:next("statements").entry.desc).is "FK CONSTRAINT"
    expect(#take(o, "statements")).is(0)
  end)

  it("attaches the indexes of one family one after the other", function()
    local upper, lower = { oid = 1, family = 1 }, { oid = 2, family = 1 }
    local function held_by(desc, place)
      local exclusive, shared = places.locks({ desc = desc, defn = "" }, { place })
      return table.concat(exclusive, " "), table.concat(shared, " ")
    end
    expect((held_by("INDEX ATTACH", upper))).has "attach 1"
    expect((held_by("INDEX ATTACH", lower))).has "attach 1"
    expect((held_by("INDEX", lower))).lacks "attach"
  end)
end)
