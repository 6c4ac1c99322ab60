-- The record of runs: what was written is there after it was opened again, and nothing secret is in it.

local crypto = require "pgorch.crypto"
local fs     = require "pgorch.fs"
local json   = require "pgorch.json"
local secret = require "pgorch.secret"
local store  = require "pgorch.store"
local process = require "pgorch.process"
local host   = require "pgorch.native.host"

local folder, st

local function new_run(more)
  local o = { recipe = "r", recipe_path = "r.lua", recipe_hash = "abc", params = { values = { app = "shop" } },
              versions = { pgorch = "1" } }
  for name, value in pairs(more or {}) do o[name] = value end
  return st:create_run(o)
end

describe("store", function()
  before(function()
    folder = fs.mkdtemp("pgorch-store-")
    st = store.open("sqlite:" .. folder .. "/x/state.db")
  end)
  after(function()
    st:close()
    fs.remove_tree(folder)
  end)

  it("is closed with the host when a script still holds it", function()
    local code = ("A = require 'pgorch.native.store'.open(%q); B = require 'pgorch.native.store'.open(%q)")
      :format(folder .. "/a.db", folder .. "/b.db")
    local ended = process.run { host.executable(), "eval", code }
    expect(ended.stderr).is ""
  end)

  it("gives ids of ten letters that nobody confuses", function()
    for _ = 1, 50 do expect(store.new_id()).matches("^[0-9a-hjkmnp-tv-z]+$") end
    expect(#store.new_id()).is(10)
  end)

  it("finds a run by a prefix, and names those that a short one could mean", function()
    local a, b = new_run { id = "abc1" }, new_run { id = "abd2" }
    expect(st:run("abc").id).is(a.id)
    expect(st:run("ABD").id).is(b.id)
    local err = expect(function() st:run("ab") end).raises("PGO-RUN-UNKNOWN")
    expect(err.message).has("abc1")
    expect(err.message).has("abd2")
    expect(function() st:run("zz") end).raises("PGO-RUN-UNKNOWN")
    expect(function() st:run("a%") end).raises("PGO-RUN-UNKNOWN")
  end)

  it("keeps what it was told when it is opened again", function()
    local run = new_run()
    st:update_run(run.id, { state = "stopped", exit_status = 6, error = { id = "PGO-NET" } })
    st:begin_step(run.id, "size", { title = "Size", attempt = 1 })
    st:remember(run.id, "size", { addon = "pgorch-1" })
    st:finish_step(run.id, "size", { result = { bytes = 9007199254740993 }, premises = { "app" } })
    st:event(run.id, "note", { text = "x" })
    st:close()
    st = store.open(folder .. "/x/state.db")
    local again = st:run(run.id)
    expect(again.state).is("stopped")
    expect(again.exit_status).is(6)
    expect(again.error.id).is("PGO-NET")
    expect(again.params.values.app).is("shop")
    local step = st:steps(run.id)[1]
    expect(step.state).is("done")
    expect(step.result.bytes).is(9007199254740993)
    expect(step.remembered).same { addon = "pgorch-1" }
    expect(step.premises).same { "app" }
    expect(st:events(run.id)[1].data.text).is("x")
  end)

  it("keeps what a step remembered when it begins again, unless it is to be forgotten", function()
    local run = new_run()
    st:begin_step(run.id, "s", { title = "S", attempt = 1 })
    st:remember(run.id, "s", { id = 1 })
    st:begin_step(run.id, "s", { title = "S", attempt = 2 })
    expect(st:steps(run.id)[1].remembered).same { id = 1 }
    st:begin_step(run.id, "s", { title = "S", attempt = 3, forget = true })
    expect(st:steps(run.id)[1].remembered).is_nil()
  end)

  it("empties a field with json.null", function()
    local run = new_run()
    st:update_run(run.id, { gate = "g" })
    st:update_run(run.id, { gate = json.null })
    expect(st:run(run.id).gate).is_nil()
  end)

  it("locks a name for one run, and counts those that share one", function()
    local a, b = new_run(), new_run()
    expect(st:lock("target:shop", a.id)).is(true)
    expect(st:lock("target:shop", a.id)).is(true)
    local taken, holder = st:lock("target:shop", b.id)
    expect(taken).is(false)
    expect(holder.run).is(a.id)
    st:unlock("target:shop", a.id)
    expect(st:lock("target:shop", b.id)).is(true)
    expect(st:hold("freeze", a.id)).is(0)
    expect(st:hold("freeze", b.id)).is(1)
    expect(st:release("freeze", a.id)).is(1)
    expect(st:release("freeze", b.id)).is(0)
    expect(st:hold("target:shop", a.id)).is_nil()
  end)

  it("hands a run to one process at a time", function()
    local run = new_run()
    expect(st:claim(run.id, "me", function() return true end)).is(true)
    expect(st:claim(run.id, "other", function() return true end)).is("me")
    expect(st:claim(run.id, "other", function() return false end)).is(true)
  end)

  it("refuses secrets, and masks their values inside of other texts", function()
    local hidden = secret.new("correct horse battery")
    expect(function() new_run { params = { values = { key = hidden } } } end).raises("PGO-JSON")
    local run = new_run()
    st:begin_step(run.id, "s", { title = "S", attempt = 1 })
    local err = expect(function() st:finish_step(run.id, "s", { result = { url = hidden } }) end).raises("PGO-INVALID")
    expect(err.step).is("s")
    st:event(run.id, "note", { text = "the key is correct horse battery indeed" })
    expect(st:events(run.id)[1].data.text).lacks("horse")
    st:close()
    expect(fs.read(folder .. "/x/state.db")).lacks("horse battery")
    st = store.open(folder .. "/x/state.db")
  end)

  it("refuses a record that a newer pgorch wrote", function()
    st.db:batch { { "update meta set value = 99 where name = 'version'" } }
    expect(function() store.open(folder .. "/x/state.db") end).raises("PGO-STORE-VERSION")
  end)

  it("says which stores it has", function()
    local err = expect(function() store.open("postgres://example/db") end).raises("PGO-STORE")
    expect(err.message).has("SQLite only")
    expect(function() store.open("mysql:x") end).raises("PGO-STORE")
  end)

  it("names a file that is no record", function()
    fs.write(folder .. "/garbage", crypto.random(5000))
    local err = expect(function() store.open(folder .. "/garbage") end).raises("PGO-STORE")
    expect(err.message).has("no SQLite database")
  end)

  it("fails, and does not hang, once it is closed", function()
    local other = store.open(folder .. "/x/state.db")
    other:close()
    other:close()
    expect(function() other:runs() end).raises("PGO-CLOSED")
  end)
end)
