-- The order of a copy, without a server: what waits for what, what keeps a table to itself. The archives are those
-- that four majors of pg_dump have written.

local archive = require "pgorch.archive"
local fs      = require "pgorch.fs"
local objects = require "pgorch.copy.objects"
local order   = require "pgorch.copy.order"
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
-- tables in `rows` none is ever copied.
local function after_rows(entries, parents, rows)
  local o, position = order.new(), {}
  local places, rows_end, count = objects.plan(o, entries, { parents = parents or {}, bytes = {} })
  for _, oid in ipairs(rows or {}) do
    local work = o:add({ queue = "rows" }, {})
    o:follow(places[oid].rows, work)
    o:follow(rows_end, work)
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

  it("on a partitioned table waits for all partitions, but for the shell of an index", function()
    local entries = {
      entry(1, "TABLE", "whole"), entry(2, "TABLE", "half"), entry(3, "TABLE", "leaf"), entry(4, "TABLE", "other"),
      entry(5, "INDEX", "shell", { 1 }), entry(6, "INDEX", "of leaf", { 3, 5 }),
      entry(7, "INDEX", "of other", { 4, 5 }),
      entry(8, "INDEX ATTACH", "of leaf", { 6, 5, 3, 1 }), entry(9, "FK CONSTRAINT", "key", { 1 }),
      entry(10, "TRIGGER", "of leaf", { 3 }), entry(11, "CONSTRAINT", "primary", { 1 }),
    }
    local parents = { [2] = { 1 }, [3] = { 2 }, [4] = { 2 } }
    local names = {}
    for name in pairs(after_rows(entries, parents, { 4 })) do names[#names + 1] = name end
    table.sort(names)
    expect(names).same { "INDEX ATTACH of leaf", "INDEX of leaf", "INDEX shell", "TRIGGER of leaf" }
    expect(select(2, after_rows(entries, parents))).is(7)
  end)

  it("is not done to a partition while it is done to the whole", function()
    local entries = { entry(1, "TABLE", "whole"), entry(2, "TABLE", "leaf"), entry(3, "FK CONSTRAINT", "key", { 1 }),
                      entry(4, "INDEX", "of leaf", { 2 }), entry(5, "CONSTRAINT", "of leaf", { 2 }) }
    local o = order.new()
    objects.plan(o, entries, { parents = { [2] = { 1 } }, bytes = {} })
    o:begin()
    expect(o:next("statements").entry.desc).is "FK CONSTRAINT"
    expect(#take(o, "statements")).is(0)
  end)
end)
