-- The parts of a rehearsal: what it lets through to the real world, which steps it runs, what it counts.

local fail      = require "pgorch.error"
local fs        = require "pgorch.fs"
local guard     = require "pgorch.rehearsal.guard"
local loader    = require "pgorch.recipe.load"
local measured  = require "pgorch.rehearsal.measured"
local allow_list = require "pgorch.steps.allow_list"
local basis     = require "pgorch.rehearsal.basis"
local context   = require "pgorch.runner.context"
local derived   = require "pgorch.rehearsal.recipe"
local reaper    = require "pgorch.sandbox.reaper"
local record    = require "pgorch.rehearsal.names"
local room      = require "pgorch.rehearsal.room"
local sequences = require "pgorch.rehearsal.sequences"
local server    = require "pgorch.rehearsal.server"
local owner     = require "pgorch.runner.owner"
local session   = require "pgorch.runner.session"
local shape     = require "pgorch.recipe.shape"
local source    = require "pgorch.source"
local store     = require "pgorch.store"
local task      = require "pgorch.task"

local function expect_refused(fn, ...)
  local ok, err = pcall(fn, ...)
  expect(ok).is(false)
  expect(fail.is(err, "PGO-REHEARSAL") and err.message).has "a rehearsal changes nothing outside"
end

describe("what a rehearsal has of the real world", function()
  it("is a source that nobody can write to", function()
    local added = {}
    local function shaped()
      return source.new { provider = "p", host = "127.0.0.1", port = 1, user = "u", password = "pass-word-of-u",
        dbname = "d", allow_list = { add = function(cidr) added[#added + 1] = cidr end, remove = function() end } }
    end
    local one = guard.source(shaped())
    for _, name in ipairs { "make_read_only", "restore_setting", "end_other_sessions", "claim" } do
      expect_refused(one[name], one)
    end
    expect_refused(one.connect, one, { writable = true })
    expect_refused(one.allow_list.add, "10.0.0.1/32")
    expect_refused(one.allow_list.remove, "10.0.0.1/32")
    expect(one:env("/tmp").PGOPTIONS).has "-c default_transaction_read_only=on"
    guard.source(shaped(), { allow_list = true }).allow_list.add "10.0.0.1/32"
    expect(added).same { "10.0.0.1/32" }
  end)

  it("is a client that only reads", function()
    local asked = {}
    local client = guard.client { request = function(_, method, path) asked[#asked + 1] = method .. " " .. path end }
    client:request("GET", "/a")
    client:request("HEAD", "/b")
    for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
      expect_refused(client.request, client, method, "/c")
    end
    expect(asked).same { "GET /a", "HEAD /b" }
  end)
end)

describe("the steps of a rehearsal", function()
  local function ids_of(name, how)
    local made, left_out = derived.derive(loader.load(name), { params = {}, open_allow_list = how })
    local names = {}
    for i, each in ipairs(left_out) do names[i] = each.id end
    return made, shape.ids(made.steps), names
  end

  it("are those of the recipe in their order, without what writes elsewhere", function()
    for _, name in ipairs(loader.built_in()) do
      local made, ids, left_out = ids_of(name)
      local wanted, dropped = {}, {}
      for _, id in ipairs(left_out) do dropped[id] = true end
      for _, id in ipairs(shape.ids(loader.load(name).steps)) do
        if not dropped[id] then wanted[#wanted + 1] = id end
        if id == "choose_plan" then wanted[#wanted + 1] = "local_world" end
      end
      expect(ids).same(wanted)
      expect(dropped.watch_source and dropped.gate_cut_over).is(true)
      expect(dropped.storage_key == true).is(name == "linode")
      for _, item in ipairs(made.steps) do
        expect(item.point_of_no_return or false).is(false)
        expect(item.undo or false).is(false)               -- all that they do is gone with the local world
      end
    end
  end)

  it("have the real allow list's own end only where it was asked for", function()
    local made = ids_of("vultr", true)
    for _, item in ipairs(made.steps) do
      if item.id == "allow_list" then expect(type(item.undo)).is "function" end
    end
  end)

  it("have no parameter that means the real target, and no command of the user's", function()
    local given = { app = "shop", version = "17", database = "DATABASE", on_freeze = "x", on_thaw = "y", accept = "z" }
    expect(derived.params(given)).same { app = "shop", accept = "z" }
    expect(given.version).is "17"
  end)
end)

local SECOND = 1000000

local function row(id, position, from, to, bytes)
  return { id = id, title = id, state = "done", position = position, started_at = from * SECOND, ended_at = to * SECOND,
           summary = bytes and { bytes = bytes } }
end

describe("the window to announce", function()
  it("is from the step that opens it to the one that closes it, and what is assumed of the rest", function()
    local rows = { size = row("size", 1, 0, 5), open = row("open", 2, 10, 12), close = row("close", 5, 52, 60),
                   dump = row("dump_to_store", 3, 12, 22, 1e9), restore = row("restore", 4, 22, 52),
                   gone = row("delete_dump", 6, 60, 61), world = row("local_world", 7, 5, 9) }
    local list, seconds = measured.of(rows, { open = { opens_window = true }, close = { closes_window = true } })
    expect(seconds).is(50.0)
    local names, inside = {}, {}
    for i, each in ipairs(list) do
      names[i] = each.id
      if each.window then inside[#inside + 1] = each.id end
    end
    expect(names).same { "size", "open", "dump_to_store", "restore", "close", "delete_dump" }
    expect(inside).same { "open", "dump_to_store", "restore", "close" }
    expect(list[3].rate).is(1e8)

    local unmeasured = measured.not_measured(list, { dump_to_store = { bytes = 1e9, seconds = 10 } }, { hooks = true })
    local window = measured.window(seconds, unmeasured)
    -- 1 GB at 20 MB/s takes 50 s, of which 10 were measured; the restore may take 30 s more; a minute for the app.
    expect(window).same { measured = 50.0, margin = 130.0, announce = 180 }
    local said = {}
    for i, each in ipairs(unmeasured) do said[i] = each.what end
    expect(table.concat(said, "; ")).has "--on-freeze"
  end)

  it("is told in whole minutes, a long one in steps of five", function()
    expect(measured.window(1, {}).announce).is(60)
    expect(measured.window(599, {}).announce).is(600)
    expect(measured.window(1000, {}).announce).is(1200)
    expect(measured.window(nil, {})).is(nil)
  end)

  it("is from the snapshot to the cut-over in a recipe that has no other", function()
    local rows = { a = row("fingerprint", 1, 10, 11), b = row("cut_over", 2, 20, 25), c = row("late", 3, 25, 40) }
    local _, seconds = measured.of(rows, {})
    expect(seconds).is(15.0)
  end)
end)

describe("a sequence of a source that goes on working", function()
  it("may stand where it has been on the way, and nowhere else", function()
    expect(sequences.is_between("15|true", "10|true", "20|true")).is(true)
    expect(sequences.is_between("10|true", "10|true", "20|true")).is(true)
    expect(sequences.is_between("-15|true", "-10|true", "-20|true")).is(true)
    expect(sequences.is_between("9|true", "10|true", "20|true")).is(false)
    expect(sequences.is_between("21|true", "10|true", "20|true")).is(false)
    expect(sequences.is_between("10|false", "10|true", "10|true")).is(false)     -- it has not moved
    expect(sequences.is_between("10|true", nil, "20|true")).is(false)
  end)
end)

describe("the record of a rehearsal", function()
  local folder, st
  before(function()
    folder = fs.mkdtemp "pgorch-rehearsal-"
    st = store.open("sqlite:" .. folder .. "/state.db")
  end)
  after(function()
    st:close()
    fs.remove_tree(folder)
  end)

  local function run_of(kind, id)
    st:create_run { id = id, recipe = "r", recipe_path = "r.lua", recipe_hash = "abc", kind = kind,
      params = { values = { app = "shop" } }, versions = {}, owner = "elsewhere:1:1" }
    st:begin_step(id, "cut_over", { title = "Cut over", attempt = 1 })
    st:finish_step(id, "cut_over", { result = { addon = "pgorch-shop-" .. id } })
    st:event(id, "rehearsed", { window = { announce = 60 } })
    st:update_run(id, { state = "done" })
  end

  it("has its window, and its cut-over is nobody's", function()
    run_of("run", "aaa")
    run_of("rehearsal", "bbb")
    local others = st:in_other_runs("cut_over", "ccc")
    expect(#others).is(1)
    expect({ others[1].run, others[1].kind }).same { "aaa", "run" }
    others = st:in_other_runs("cut_over", "ccc", true)               -- where only its figures are asked for
    expect({ others[1].kind, others[2].kind }).same { "rehearsal", "run" }
    expect(basis.window(st:events "bbb").announce).is(60)
    expect(basis.window {}).is(nil)
  end)
end)

describe("an entry of the allow list that a killed rehearsal has left", function()
  local folder
  before(function() folder = fs.mkdtemp "pgorch-orphan-" end)
  after(function() fs.remove_tree(folder) end)

  -- A source that lets in who is on `list`.
  local function source_with(list)
    local function remove(cidr)
      for i, each in ipairs(list) do
        if each == cidr then return table.remove(list, i) and "removed" end
      end
    end
    return { provider = "vultr", id = "one", label = "demo", empty_allow_list = "open",
      allow_list = { get = function() return list end, remove = remove },
      connect = function() return setmetatable({ server_version = 150000 }, { __close = function() end }) end }
  end

  local function record_of(st, id, kind)
    return st:create_run { id = id, recipe = "r", recipe_path = "r.lua", recipe_hash = "abc", kind = kind,
      params = { values = {} }, versions = {}, owner = kind == "run" and owner.this() or nil }
  end

  local function step_of_a_run(list, address)
    local st <close> = store.open("sqlite:" .. folder .. "/state.db")
    local left = "allow-list:vultr:one:203.0.113.9/32"
    record_of(st, "dead", "rehearsal")
    st:share(left, "dead", { dead = { before = { listed = false } } })
    local said = {}
    local current = session.new { store = st, run = record_of(st, "live", "run"), params = { from_ip = address },
      recipe = { name = "r", steps = { allow_list }, uses = { source = function() return source_with(list) end } },
      display = { emit = function(_, _, e) said[#said + 1] = e.text end } }
    local ctx = context.new(current, allow_list, "allow_list", {})
    local result = allow_list.run(ctx)
    local during = table.concat(list, " ")
    allow_list.undo(ctx, result)
    expect(#st:holders(left)).is(0)
    expect(st:run "dead".state).is "stopped"
    expect(table.concat(said, " ")).has "203.0.113.9/32 was left on the allow list by rehearsal dead, which was killed"
    return during
  end

  it("is taken out by the next run, which may need it itself", function()
    local list = { "198.51.100.7/32", "203.0.113.9/32" }
    expect(step_of_a_run(list, "203.0.113.9")).is "198.51.100.7/32 203.0.113.9/32"
    expect(list).same { "198.51.100.7/32" }
  end)

  it("goes at once when that comes from another address", function()
    local list = { "198.51.100.7/32", "203.0.113.9/32" }
    expect(step_of_a_run(list, "198.51.100.7")).is "198.51.100.7/32"
    expect(list).same { "198.51.100.7/32" }
  end)
end)

describe("the names that a rehearsal holds in the record", function()
  it("are its own, but for the entry on the allow list", function()
    local held = {}
    local real = { fence = 7 }
    function real.hold(self, name, run) held[#held + 1] = ("%s %s %d"):format(name, run, self.fence) end
    local view = record.apart(real, "r1")
    view:hold("app:shop", "r1")
    view:hold("rehearsal:r1:app:shop", "r1")             -- as `locks` gives it back
    view:hold("allow-list:vultr:7:10.0.0.1/32", "r1")
    view:hold("turn:allow-list:vultr:7", "r1")
    view:hold("turn:app:shop", "r1")
    expect(held).same { "rehearsal:r1:app:shop r1 7", "rehearsal:r1:app:shop r1 7",
      "allow-list:vultr:7:10.0.0.1/32 r1 7", "turn:allow-list:vultr:7 r1 7", "rehearsal:r1:turn:app:shop r1 7" }
  end)
end)

describe("the room that a rehearsal takes", function()
  it("is a copy, its dump twice, and the server's own", function()
    local need, dump = room.need { bytes = 3e9, large_object_bytes = 0, tables = { { bytes = 1e9 }, { bytes = 1e9 } } }
    expect(dump).is(1000000000)
    expect(need).is(3000000000 + 2000000000 + 512000000)
  end)
end)

describe("the server that stands in for the target", function()
  it("must have the extensions of the source that Heroku has", function()
    local offered = { citext = {}, plpgsql = {} }
    server.refuse_lacking({ "citext", "plpgsql", "of_nobody" }, offered, 16)
    local ok, err = pcall(server.refuse_lacking, { "citext", "postgis", "vector" }, offered, 16)
    expect(ok).is(false)
    expect(err.id).is "PGO-EXTENSION"
    expect(err.message).matches "^the PostgreSQL 16 of this machine lacks what the source uses: postgis, vector$"
    expect(err.cure).has "pgvector"
  end)
end)

describe("the reaper of a world", function()
  local function wait_until_gone(path)
    local deadline = task.now() + 10
    while fs.exists(path) and task.now() < deadline do task.sleep(0.02) end
    return not fs.exists(path)
  end

  it("removes the folder when its pipe is cut, and not before", function()
    local dir = fs.mkdtemp "/tmp/pgorch-reaper-"
    fs.write(dir .. "/file", "x")
    local watching = reaper.watch(dir)
    task.sleep(0.2)
    expect(fs.exists(dir .. "/file")).is(true)
    watching.proc.stdin:finish()
    expect(wait_until_gone(dir)).is(true)
    watching:close()
  end)
end)
