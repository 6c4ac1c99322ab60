-- Which way the data can take, and about how long it takes on each.

local checks  = require "pgorch.preflight.ways"
local copy    = require "pgorch.copy"
local dump_snapshot = require "pgorch.dump_snapshot"
local env     = require "pgorch.env"
local fail    = require "pgorch.error"
local fs      = require "pgorch.fs"
local pg      = require "pgorch.pg"
local planned = require "pgorch.plan.ways"
local preflight = require "pgorch.preflight"
local rates   = require "pgorch.plan.rates"
local recipe  = require "pgorch.recipe"
local source  = require "pgorch.source"
local step    = require "pgorch.steps"
local times   = require "pgorch.plan.times"
local versions = require "pgorch.preflight.versions"
local way     = require "pgorch.way"

local STEPS = { "choose_way", "dump_to_store", "restore", "copy", "pull" }

local function ctx_of(o)
  return { params = { via = o.via, uplink = o.uplink }, result = o.result or {},
           recipe = { name = "t", steps = o.steps or STEPS },
           in_other_runs = function(_, id) return o.others and o.others[id] or {} end,
           source = { speaks_tls = function() return o.tls ~= false, "server does not support SSL" end,
                      host = o.host or "db.example.com", label = "shop", allow_list = o.list and { get = function()
             return o.list
           end }, empty_allow_list = o.empty } }
end

describe("a source", function()
  it("is private by its address or its name, or public", function()
    for _, host in ipairs { "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.9.9", "169.254.1.1",
                            "127.0.0.1", "::1", "fd00::1", "fe80::1", "localhost", "db", "db.internal", "nas.local",
                            "/run/postgresql" } do
      expect({ host, checks.is_private(host) }).same { host, true }
    end
    for _, host in ipairs { "203.0.113.5", "172.32.0.1", "11.0.0.1", "192.169.0.1", "2001:db8::1", "db.example.com",
                            "10.example.com", "fd.example.com" } do
      expect({ host, checks.is_private(host) }).same { host, false }
    end
  end)

  -- The tests' own Heroku may be on this machine; the real one is not.
  it("that Heroku cannot reach, or is not let in by, cannot be fetched from", function()
    if env.get "HEROKU_HOST" then skip "HEROKU_HOST is set" end
    local function what(o)
      local found = checks.obstacles(ctx_of(o)).heroku
      return found and found.id
    end
    expect(what {}).is_nil()
    expect(what { host = "10.0.0.7" }).is "PGO-PARAM"
    expect(what { tls = false }).is "PGO-TLS"
    expect(what { list = { "198.51.100.7/32" } }).is "PGO-ALLOW-LIST"
    expect(what { list = { "198.51.100.7/32", "0.0.0.0/0" } }).is_nil()
    expect(what { list = {}, empty = "open" }).is_nil()
    expect(what { list = {}, empty = "closed" }).is "PGO-ALLOW-LIST"
    local found = preflight.new()
    checks.check(ctx_of { via = "heroku", list = { "198.51.100.7/32" } }, found)
    expect(found.list[1].level).is "fail"
    expect(found.list[1].cure).has "0.0.0.0/0"
    for _, via in ipairs { "archive", "direct", "auto" } do
      found = preflight.new()
      checks.check(ctx_of { via = via, host = "10.0.0.7" }, found)
      expect(#found.list).is(0)
    end
  end)

  it("is given to Heroku encrypted, whatever its own URL says", function()
    if env.get "HEROKU_HOST" then skip "HEROKU_HOST is set" end
    for _, mode in ipairs { "disable", "allow", "prefer", "require" } do
      local url = source.from_url("postgres://u:p@db.example.com/shop?sslmode=" .. mode):url()
      expect(pg.dsn(url).sslmode).is "require"
    end
  end)

  it("needs a pg_dump of this machine for every way but Heroku's own", function()
    for via, wanted in pairs { heroku = "", direct = "PGO-PG-VERSION", archive = "PGO-PG-VERSION" } do
      local found = preflight.new()
      versions.clients(ctx_of { via = via }, found, { major = 99, version = "99.0" })
      expect(found.list[1] and found.list[1].id or "").is(wanted)
    end
  end)
end)

local function row(run, result, kind) return { run = run, kind = kind or "run", result = result } end

local SIZE = { bytes = 10e9, source = "s", tables = { { bytes = 6e9 }, { bytes = 1e9 } }, large_object_bytes = 1e9 }

-- What the record has of runs a, of that source, and b, of another.
local function others(more)
  local list = { size = { row("a", SIZE), row("r", SIZE, "rehearsal"), row("b", { source = "t", bytes = 1e9 }) } }
  for id, rows in pairs(more) do list[id] = rows end
  return list
end

local function rates_of(o)
  local ctx = ctx_of { others = others(o.others), uplink = o.uplink }
  ctx.result.size = SIZE
  return rates.of(ctx)
end

describe("a way", function()
  it("is what --via says, and auto what was chosen", function()
    expect(way.of(ctx_of {})).is "archive"
    expect(way.of(ctx_of { via = "direct" })).is "direct"
    expect(way.of(ctx_of { via = "auto" })).is_nil()
    local ctx = ctx_of { via = "auto", result = { choose_way = { way = "direct" }, copy = { rows = 5 } } }
    expect(way.of(ctx)).is "direct"
    expect(way.brought(ctx).rows).is(5)
    expect(way.has(ctx, { way = "direct" })).is(true)
    expect(way.has(ctx, { way = "archive" })).is(false)
    expect(way.has(ctx, {})).is(true)
  end)

  it("is not possible where the recipe has no step for it", function()
    local found = checks.obstacles(ctx_of { steps = { "choose_way", "restore" } })
    expect(found.archive).is_nil()
    expect(found.direct.what).has "no step `copy`"
    expect(function() recipe.step { id = "x", effect = "read", run = print, way = "by post" } end):raises "PGO-RECIPE"
  end)

  it("has begun with whatever moves data, unless that was put back", function()
    expect(way.begun {}).is_nil()
    expect(way.begun { { id = "restore", state = "done" } }).is_nil()
    expect(way.begun { { id = "copy", state = "running" } }).is "direct"
    expect(way.begun { { id = "copy", state = "undone" }, { id = "pull", state = "failed" } }).is "heroku"
  end)

  it("takes by estimate as long as what it has to do: direct least of all", function()
    local size = { bytes = 10e9, tables = { { bytes = 6e9 } } }
    local archive, direct = times.of_way("archive", size), times.of_way("direct", size)
    expect(archive).is(times.dump(size) + 20 + times.at("restore", 10e9))
    expect(direct < times.of_way("heroku", size)).is(true)
    expect(direct < archive).is(true)
  end)

  it("takes as long as was measured of the same source, a run before a rehearsal, by whose target it is slower",
    function()
      local found = rates_of { others = { copy = { row("b", { seconds = 1 }), row("a", {}), row("r", { seconds = 100 },
        "rehearsal") }, pull = { row("r", { seconds = 1 }, "rehearsal"), row("a", { seconds = 500 }) } } }
      expect({ found.copy, found.by.direct }).same { 10e9 / 100 / 2, "rehearsal r" }
      expect({ found.pull, found.by.heroku }).same { 10e9 / 500, "run a" }
      expect({ found.restore, found.dump, found.uplink, found.by.archive }).same {}
      expect(times.of_way("direct", SIZE, found)).is(5 + 200.0)
      expect(times.of_way("heroku", SIZE, found)).is(20 + 500.0)
    end)

  it("by an archive takes what the dump, as small as it was, and the uplink need", function()
    local dump = { seconds = 800, bytes = 800e6 }
    local found = rates_of { others = { dump_to_store = { row("a", dump) }, restore = { row("a", { seconds = 50 }) } } }
    expect({ found.compressed, found.uplink, found.copy_uplink }).same { 0.1, 1e6, 1e6 }
    expect(times.of_way("archive", SIZE, found)).is(2 + (800e6 + 1024) / 1e6 + 20 + 50)
    expect(times.of_way("direct", SIZE, found)).is(5 + 8000.0)      -- uncompressed
    found = rates_of { uplink = 4e6, others = { dump_to_store = { row("r", dump, "rehearsal") } } }
    expect({ found.compressed, found.uplink, found.copy_uplink }).same { 0.1, 4e6, 4e6 }
    found = rates_of { others = { dump_to_store = { row("r", dump, "rehearsal") } } }
    expect({ found.uplink, found.copy_uplink }).same {}             -- it went nowhere
    found = rates_of { others = { dump_to_store = { row("a", dump) }, copy = { row("a", { seconds = 400 }) } } }
    expect({ found.uplink, found.copy_uplink }).same { 1e6 }        -- the copy had it too
    expect(times.of_way("direct", SIZE, found)).is(405.0)
  end)

  it("says in a plan who has measured it", function()
    local found = { way = "direct", asked = "auto", rates = { copy = 5e7, by = { direct = "run a" } }, ways = {
      { way = "archive", seconds = 900 }, { way = "direct", seconds = 205, by = "run a" },
      { way = "heroku", seconds = 700, why_not = "no" } } }
    expect(planned.lines(found)[1]).has "Way of the data: direct ~4 min by run a: from server to server"
    expect(planned.pace(found)).is "copy 50 MB/s by run a"
    found.way, found.rates.uplink = "archive", 4e6
    expect(planned.pace(found)).is "upload 4.0 MB/s"
    found.way = "heroku"
    expect(planned.pace(found)).is_nil()
  end)

  it("is chosen by auto out of those that are possible; Heroku gets the password only where it is asked for", function()
    local function chosen(o)
      local ctx = ctx_of(o)
      ctx.result.size, ctx.store, ctx.note = SIZE, o.store, function() end
      return step.choose_way.run(ctx).way
    end
    local good = { name = "b", head = function() return "mine" end }
    expect(chosen { via = "auto", store = good }).is "direct"
    expect(chosen { via = "auto", store = good, uplink = 4e6 }).is "archive"
    expect(chosen { via = "auto", store = good, uplink = 100e6 }).is "direct"
    expect(chosen { via = "auto", store = good, others = others { copy = { row("a", { seconds = 9000 }) } } })
      .is "archive"
    expect(chosen { via = "auto", store = good, steps = { "restore", "pull" } }).is "archive"
    expect(chosen { via = "heroku" }).is "heroku"
    local none = setmetatable({}, { __index = function() error("no keys", 0) end })
    local err = expect(function() chosen { via = "auto", store = none, steps = { "restore", "pull" } } end)
      :raises "PGO-PARAM"
    expect(err.detail).has "no keys"
    expect(err.detail).has "only where --via heroku asks for it"
  end)
end)

-- The step copy into a database that somebody else has made, by a run that has its folder.
local function copy_into(dir, o)
  local ctx = ctx_of { via = "direct" }
  local did = { remembered = {} }
  local conn = setmetatable({}, { __close = function() end, __index = { row = function()
    return setmetatable({ relations = o.relations or 0 }, { __index = function(_, name)
      return name ~= "names" and 0 or "public.v"
    end })
  end } })
  local database = { unfinished_transfer = function() end, reset = function() did.reset = true end,
                     limits = function() return { connections = 20 } end }
  ctx.params.app, ctx.params.confirm, ctx.recall = "shop", o.confirm, o.recall
  ctx.run, ctx.live = { dir = dir }, {}
  ctx.source.connect = function() return setmetatable({}, { __close = function() end }) end
  ctx.result = { preflight = { source_major = 15 }, preflight_target = { target_major = 15 } }
  ctx.target = { is_ours = function() return false end, name = function() return "REPORTS of shop" end,
                 refuse_if_in_use = function() end, claim = function() end, unclaim = function() end,
                 connect = function() return conn end, database = function() return database end }
  ctx.remember = function(self, value)
    self.recall = value
    did.remembered[#did.remembered + 1] = value.began
  end
  ctx.put_back = function() end
  return ctx, did
end

-- body(dir) with fn in the place of copy.run, and no source that would have to be asked.
local function while_copying(fn, body)
  local run, jobs, id = copy.run, copy.jobs, dump_snapshot.id_or_quiet
  copy.run, copy.jobs, dump_snapshot.id_or_quiet = fn, function() return 1, 1 end, function() return "s" end
  local _ <close> = setmetatable({}, { __close = function()
    copy.run, copy.jobs, dump_snapshot.id_or_quiet = run, jobs, id
  end })
  fs.with_temporary("pgorch-ways-", body)
end

describe("the step copy, into a database of the user's own", function()
  it("has not begun where it is refused: what stands there is nothing that an undo may empty", function()
    while_copying(function() error("was copied", 0) end, function(dir)
      local ctx, did = copy_into(dir, { relations = 2 })
      expect(function() step.copy.run(ctx) end).raises "PGO-CONFIRM"
      expect(did.remembered).same {}
    end)
  end)

  it("may be refused at the last moment, too; an attempt of this run that began is another thing", function()
    local seen
    local function refused(o)
      seen = o.dir
      fs.write(o.dir .. "/head.dump", "secret")
      fail.raise("PGO-CONFIRM", "not empty")
    end
    while_copying(refused, function(dir)
      local ctx, did = copy_into(dir, {})
      expect(function() step.copy.run(ctx) end).raises "PGO-CONFIRM"
      expect(did.remembered).same { true, false }
      expect(fs.exists(seen)).is(false)
      step.copy.undo(ctx, ctx.recall)
      expect(did.reset).is_nil()
      ctx, did = copy_into(dir, { relations = 2, recall = { began = false } })
      expect(function() step.copy.run(ctx) end).raises "PGO-CONFIRM"
      expect(did.remembered).same {}
      ctx, did = copy_into(dir, { relations = 2, recall = { began = true } })
      expect(function() step.copy.run(ctx) end).raises "PGO-CONFIRM"
      expect(did.reset).is(true)
    end)
  end)

  it("removes what a killed attempt has left of its definitions, before it copies and when it is undone", function()
    local names
    local function look(o)
      names = fs.list(o.dir)
      error("enough", 0)
    end
    while_copying(look, function(dir)
      local ctx = copy_into(dir, { recall = { began = true } })
      fs.mkdir(dir .. "/copy")
      fs.write(dir .. "/copy/head.dump", "secret")
      expect(select(2, pcall(step.copy.run, ctx))).is "enough"
      expect(names).same {}
      fs.mkdir(dir .. "/copy")
      fs.write(dir .. "/copy/head.dump", "secret")
      step.copy.undo(ctx, ctx.recall)
      expect(fs.exists(dir .. "/copy")).is(false)
    end)
  end)
end)
