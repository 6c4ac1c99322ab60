-- The record of runs: what was written is there after it was opened again, and nothing secret is in it.
-- What must hold of either home is asked of both.

local crypto   = require "pgorch.crypto"
local fs       = require "pgorch.fs"
local host     = require "pgorch.native.host"
local json     = require "pgorch.json"
local pg       = require "pgorch.pg"
local postgres = require "support.postgres"
local process  = require "pgorch.process"
local resource = require "pgorch.resource"
local secret   = require "pgorch.secret"
local store    = require "pgorch.store"
local task     = require "pgorch.task"

local server, folder, st, url        -- one server for the file

local function new_run(more)
  local o = { recipe = "r", recipe_path = "r.lua", recipe_hash = "abc", params = { values = { app = "shop" } },
              versions = { pgorch = "1" } }
  for name, value in pairs(more or {}) do o[name] = value end
  return st:create_run(o)
end

local function kinds(run)
  local list = {}
  for i, event in ipairs(st:events(run.id)) do
    list[i] = event.data.step and ("%s %s"):format(event.kind, event.data.step) or event.kind
  end
  return table.concat(list, ", ")
end

local function alive() return true end
local function dead() return false end
local function unseen() return nil end

local HOMES = {
  sqlite = {
    fresh = function() return "sqlite:" .. folder .. "/x/state.db" end,
    sql = function(text) process.run { "sqlite3", folder .. "/x/state.db", text } end,
    client = function(text) return process.run { "sqlite3", folder .. "/x/state.db", text }.stdout end,
    old = function(text)                       -- a record as version 1 made it
      fs.mkdir(folder .. "/x")
      process.run { "sqlite3", folder .. "/x/state.db", stdin = text }
    end,
  },
  postgres = {
    fresh = function()
      local conn <close> = server:connect()
      conn:exec "drop schema if exists pgorch cascade"
      return server.uri
    end,
    client = function(text)
      return process.run { server.client .. "/psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c",
        "set search_path = pgorch", "-c", text, env = pg.env(server.uri, server.dir) }.stdout:gsub("^SET\n", "")
    end,
    sql = function(text)
      local conn <close> = server:connect()
      conn:exec("set search_path = pgorch; " .. text)
    end,
    old = function(text)
      local conn <close> = server:connect()
      conn:exec("create schema pgorch; set search_path = pgorch; " .. text)
    end,
  },
}

local function cases(home)
  before(function()
    folder = fs.mkdtemp("pgorch-store-")
    url = home.fresh()
    st = store.open(url)
  end)
  after(function()
    st:close()
    fs.remove_tree(folder)
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
    expect(function() new_run { id = "abc1" } end).raises("PGO-USAGE")
  end)

  it("has an id once, also when two ask for it at once, and says so to the second", function()
    local made = task.map({ 1, 2 }, { limit = 2 }, function()
      local ok, answer = pcall(new_run, { id = "twice" })
      return ok and "made" or answer.id .. " " .. answer.message
    end)
    table.sort(made)
    expect(made[1]).matches "^PGO%-USAGE there is a run twice already"
    expect(made[2]).is "made"
    expect(#st:events "twice").is(1)
  end)

  it("keeps what it was told when it is opened again", function()
    local run = new_run()
    st:update_run(run.id, { state = "stopped", exit_status = 6, error = { id = "PGO-NET" } }, { attempt = 1 })
    st:begin_step(run.id, "size", { title = "Größe 'x' \\ 100 %", attempt = 1, item = { key = "k" } })
    st:remember(run.id, "size", { addon = "pgorch-1" })
    st:finish_step(run.id, "size", { result = { bytes = 9007199254740993 }, premises = { "app" } })
    st:event(run.id, "note", { text = "x" })
    st:close()
    st = store.open(url)
    local again = st:run(run.id)
    expect(again.state).is("stopped")
    expect(again.exit_status).is(6)
    expect(again.error.id).is("PGO-NET")
    expect(again.params.values.app).is("shop")
    expect(again.kind).is "run"
    local step = st:steps(run.id)[1]
    expect(step.state).is("done")
    expect(step.title).is "Größe 'x' \\ 100 %"
    expect(step.item.key).is "k"
    expect(step.result.bytes).is(9007199254740993)
    expect(step.remembered).same { addon = "pgorch-1" }
    expect(step.premises).same { "app" }
    expect(st:events(run.id)[6].data.text).is("x")
    expect(#st:runs()).is(1)
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
    st:update_run(run.id, { gate = json.null, cut_over_at = store.now() })
    expect(st:run(run.id).gate).is_nil()
  end)

  it("finds what a step did in other runs", function()
    local a, b = new_run(), new_run()
    st:begin_step(a.id, "s", { title = "S", attempt = 1 })
    st:finish_step(a.id, "s", { result = { n = 1 } })
    local others = st:in_other_runs("s", b.id)
    expect(#others).is(1)
    expect(others[1].result.n).is(1)
    expect(others[1].app).is "shop"
    expect(#st:in_other_runs("s", a.id)).is(0)
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
    expect(#st:holders "freeze").is(2)
    st:unlock("freeze", a.id)
    st:unlock("freeze", b.id)
    expect(st:hold("target:shop", a.id)).is_nil()
    expect(#st:locks(b.id)).is(1)
    expect(kinds(a)).is "running, lock_taken, lock_given, held, released"      -- only what changed something
    expect(kinds(b)).is "running, lock_taken, held, released"
  end)

  it("keeps what each holder of a shared name knows, and all of it or none", function()
    local a, b = new_run(), new_run()
    st:share("freeze", a.id, { [a.id] = { before = { web = 2 } } })
    local at = st:holders("freeze")[1].at
    st:share("freeze", a.id, { [a.id] = { before = { web = 2 }, for_good = true },
                               [b.id] = { left_by = { [a.id] = true } } })
    local rows = st:holders "freeze"
    expect(rows[1]).same { run = a.id, at = at, data = { before = { web = 2 }, for_good = true } }
    expect(rows[2].data.left_by).same { [a.id] = true }
    local function fails() st:share("freeze", a.id, { [a.id] = { lost = true }, ["no run"] = {} }) end
    expect(pcall(fails)).is(false)
    expect(st:holders("freeze")[1].data.lost).is_nil()
    expect(st:locks(b.id)[1].data.left_by).same { [a.id] = true }
    st:unlock("freeze", a.id)
    expect(#st:holders "freeze").is(1)
  end)

  it("gives a name of a run on which nobody works to another, once", function()
    local a, b, c = new_run { owner = "dead" }, new_run(), new_run()
    st:lock("turn", a.id)
    expect(st:take_over("turn", b.id, a.id, "another")).is(false)      -- somebody has gone on with it meanwhile
    home.sql(("update run set lease_until = 5 where id = '%s'"):format(a.id))
    expect(st:take_over("turn", b.id, a.id, "dead", 4)).is(false)      -- it has given a sign of life meanwhile
    expect(st:take_over("turn", b.id, a.id, "dead", 5)).is(true)
    expect(st:take_over("turn", c.id, a.id, "dead", 5)).is(false)
    expect((st:lock("turn", a.id))).is(false)
  end)

  it("has a number that no other record has, and keeps it", function()
    local id = st:id()
    st:close()
    st = store.open(url)
    expect(st:id()).is(id)
    local other <close> = store.open("sqlite:" .. folder .. "/y/state.db")
    if other:id() == id then error "two records with one number" end
  end)

  it("tells each thing in the order in which it was written down", function()
    local run = new_run()
    st:begin_step(run.id, "a", { title = "A", attempt = 1 })
    st:remember(run.id, "a", {})
    st:finish_step(run.id, "a", {})
    st:begin_step(run.id, "b", { title = "B", attempt = 1 })
    st:fail_step(run.id, "b", { id = "PGO-NET", message = "m" })
    st:update_run(run.id, { state = "undoing" }, { attempt = 1 })
    st:set_step_state(run.id, "a", "undoing")
    st:set_step_state(run.id, "a", "undo_failed", { id = "PGO-IO", message = "m" })
    st:set_step_state(run.id, "a", "undone")
    st:set_step_state(run.id, "b", "void")
    st:set_step_state(run.id, "b", "skipped")
    expect(kinds(run)).is("running, step_begun a, remembered a, step_done a, step_begun b, step_failed b, undoing, "
      .. "undoing a, undo_failed a, undone a, step_void b, step_skipped b")
    local events = st:events(run.id)
    expect(events[6].data.error).is "PGO-NET"
    expect(events[2].data.attempt).is(1)
    for i, event in ipairs(events) do expect(event.seq).is(i) end
  end)

  it("tells nothing as older than what came before, when the clock was set back", function()
    local run = new_run()
    st:event(run.id, "now")
    local ahead = store.now() + 10800 * 1000000
    home.sql(("insert into event values ('%s', 3, %d, 'ahead', '{}')"):format(run.id, ahead))
    st:event(run.id, "back")
    st:lock("app:shop", run.id)
    local told = st:events(run.id)
    expect(told[2].at < ahead).is(true)
    expect({ #told, told[4].at, told[5].kind, told[5].at }).same { 5, ahead, "lock_taken", ahead }
  end)

  it("tells nothing of what could not be done", function()
    local run = new_run()
    local hidden = secret.new "correct horse battery"
    st:begin_step(run.id, "s", { title = "S", attempt = 1 })
    expect(function() st:finish_step(run.id, "s", { result = hidden }) end).raises()
    expect(function() st.db:batch { { "update run set state = 'done' where id = $1", run.id },
      { "insert into event (run, seq, at, kind, data) values ($1, 1, 1, 'x', 'x')", run.id } } end).raises "PGO-STORE"
    expect(kinds(run)).is "running, step_begun s"
    expect(st:run(run.id).state).is "running"
  end)

  it("never changes an event, nor lets one go without its run", function()
    local run = new_run()
    expect(function() st.db:batch { { "update event set kind = 'x'" } } end).raises "PGO-STORE"
    expect(function() st.db:batch { { "delete from event where run = $1", run.id } } end).raises "PGO-STORE"
    expect(kinds(run)).is "running"
    st:forget_run(run.id)
    expect(#st:runs()).is(0)
    expect(#st:events(run.id)).is(0)
  end)

  it("refuses secrets, and masks their values inside of other texts", function()
    local hidden = secret.new("correct horse battery")
    expect(function() new_run { params = { values = { key = hidden } } } end).raises("PGO-JSON")
    local run = new_run()
    st:begin_step(run.id, "s", { title = "S", attempt = 1 })
    local err = expect(function() st:finish_step(run.id, "s", { result = { url = hidden } }) end).raises("PGO-INVALID")
    expect(err.step).is("s")
    st:event(run.id, "note", { text = "the key is correct horse battery indeed" })
    expect(st:events(run.id)[3].data.text).lacks("horse")
  end)

  it("hands a run to one process at a time, as it was read", function()
    local run = new_run()
    expect(st:claim(run, "me", alive)).is(true)
    run = st:run(run.id)
    expect(st:claim(run, "other", alive)).is("me")
    expect(st:claim(run, "other", dead)).is(true)
    local err = expect(function() st:claim(run, "third", dead) end).raises "PGO-LOCKED"
    expect(err.message).has "meanwhile"
    expect(st:run(run.id).owner).is "other"
    expect(kinds(run)).is "running, taken_over, taken_over"
  end)

  it("is given a run of one name once, by those that come at once", function()
    local others = {}
    for i = 1, 4 do others[i] = store.open(url) end
    local ended = task.map(others, { limit = 4 }, function(other)
      local ok, err = pcall(other.create_run, other, { id = "same", recipe = "r", recipe_path = "r", recipe_hash = "h",
                                                       params = {}, versions = {} })
      return ok and "made" or err.message
    end)
    for _, other in ipairs(others) do other:close() end
    table.sort(ended)
    expect(ended[1]).is "made"
    for i = 2, 4 do expect(ended[i]).has "there is a run same already: `pgorch resume same`" end
    expect(kinds { id = "same" }).is "running"
  end)

  it("does not hand out a run to one who has read it before the process that had it let it go", function()
    local run = new_run()
    local _, fence = st:claim(run, "me", alive)
    local read = st:run(run.id)
    st:as_writer(run.id, fence):update_run(run.id, { state = "done" })
    st:as_writer(run.id, fence):disown(run.id)
    expect(function() st:claim(read, "other", dead) end).raises "PGO-LOCKED"
    expect(st:claim(st:run(run.id), "other", dead)).is(true)
  end)

  it("refuses every write of a process from which the run was taken", function()
    local run = new_run()
    local _, fence = st:claim(run, "me", alive)
    local mine = st:as_writer(run.id, fence)
    mine:begin_step(run.id, "s", { title = "S", attempt = 1 })
    local _, theirs = st:claim(st:run(run.id), "other", dead)
    local told = kinds(run)
    for _, write in ipairs {
      function() mine:begin_step(run.id, "t", { title = "T", attempt = 1 }) end,
      function() mine:remember(run.id, "s", {}) end,
      function() mine:finish_step(run.id, "s", {}) end,
      function() mine:fail_step(run.id, "s", { id = "PGO-NET" }) end,
      function() mine:set_step_state(run.id, "s", "undone") end,
      function() mine:set_summary(run.id, "s", {}) end,
      function() mine:update_run(run.id, { state = "done" }) end,
      function() mine:event(run.id, "note") end,
      function() mine:lock("target:shop", run.id) end,
      function() mine:hold("freeze", run.id) end,
      function() mine:unlock("freeze", run.id) end,
      function() mine:share("freeze", run.id, { [run.id] = {} }) end,
      function() mine:renew(run.id) end,
      function() mine:disown(run.id) end,
      function() mine:forget_run(run.id) end,
    } do
      local err = expect(write).raises "PGO-FENCED"
      expect(err.message).has(run.id)
      expect(err.kind).is "locked"
      expect(err.retryable).is(false)
    end
    expect(kinds(run)).is(told)
    expect(st:steps(run.id)[1].state).is "running"
    expect(st:run(run.id).owner).is "other"
    st:as_writer(run.id, theirs):finish_step(run.id, "s", {})
  end)

  it("forgets what is over and long unchanged, and nothing else", function()
    local long_ago = store.now() - 100 * 86400 * 1000000
    local function aged(id, state, owner)
      new_run { id = id }
      home.sql(("update run set state = '%s', owner = %s, updated_at = %d where id = '%s'"):format(state,
        owner and "'" .. owner .. "'" or "null", long_ago, id))
    end
    for _, state in ipairs { "running", "waiting", "stopped", "failed", "undo_failed" } do aged(state, state) end
    aged("worked-on", "done", "somebody")
    aged("holding", "done")
    st:hold("freeze", "holding")
    home.sql(("update run set updated_at = %d where id = 'holding'"):format(long_ago))
    new_run { id = "young" }
    home.sql "update run set state = 'done' where id = 'young'"
    aged("moved", "done")
    aged("back", "put_back")
    local over = st:over_since(store.now() - 90 * 86400 * 1000000)
    table.sort(over, function(a, b) return a.id < b.id end)
    expect(#over).is(2)
    expect(over[1].id).is "back"
    expect(over[2].id).is "moved"
  end)

  it("of version 1 is brought up to date with the runs that are in it, also by two at once", function()
    st:close()
    url = home.fresh()
    fs.remove_tree(folder .. "/x")
    home.old(resource.read "pgorch/sql/store/1.sql" .. "; insert into meta values ('version', 1);"
      .. [[ insert into run values ('old', 'r', 'r.lua', 'abc', '{"values":{}}', '{}', 'stopped', 1, null, 6,
            null, null, null, null, 1, 1); insert into event values ('old', 1, 1, 'stopped', '{}')]])
    local opened = task.map({ 1, 2, 3, 4 }, { limit = 4 }, function() return store.open(url) end)
    st = opened[1]
    for i = 2, 4 do opened[i]:close() end
    expect(st.db:query("select value from meta where name = 'version'")[1].value).is(store.VERSION)
    local run = st:run "old"
    expect(run.kind).is "run"
    expect(run.fence).is(0)
    expect(st:claim(run, "me", alive)).is(true)
    expect(kinds(run)).is "stopped, taken_over"
  end)

  it("is made by one of those that come at once", function()
    st:close()
    url = home.fresh()
    fs.remove_tree(folder .. "/x")
    local opened = task.map({ 1, 2, 3, 4 }, { limit = 4 }, function() return store.open(url) end)
    st = opened[1]
    for i = 2, 4 do opened[i]:close() end
    new_run()
  end)

  it("is found where there is one", function()
    local found <close> = store.find(url)
    expect(#found:runs()).is(0)
    local other = home.fresh() .. (home == HOMES.sqlite and "2" or "")
    expect(store.find(other)).is_nil()
  end)

  it("answers the queries that docs/record.md shows, in its own client", function()
    local run = new_run { id = "shown" }
    st:begin_step(run.id, "size", { title = "Size", attempt = 1 })
    st:fail_step(run.id, "size", { id = "PGO-NET", message = "m" })
    st:hold("freeze", run.id)
    local text, n = fs.read("docs/record.md"):match "```sql\n(.-)```", 0
    for query in text:gsub("%-%-[^\n]*", ""):gsub("'ID'", "'shown'"):gmatch "[^;]+;" do
      expect(home.client(query)).matches(query:find "order by started_at" and "PGO%-NET" or "%w")
      n = n + 1
    end
    expect(n).is(5)
  end)

  it("of a newer pgorch is refused", function()
    st.db:batch { { "update meta set value = 99 where name = 'version'" } }
    expect(function() store.open(url) end).raises("PGO-STORE-VERSION")
  end)

  it("fails, and does not hang, once it is closed", function()
    local other = store.open(url)
    other:close()
    other:close()
    expect(function() other:runs() end).raises("PGO-CLOSED")
  end)
end

describe("a record in a server: ", function()
  it("starts a server", function()
    server = postgres.start { password = "sesame öffne dich", tls = true }
    expect(server.port).above(0)
  end)

  describe("", function() cases(HOMES.postgres) end)
end)

describe("a record in a file", function()
  cases(HOMES.sqlite)

  it("is closed with the host when a script still holds it", function()
    local code = ("A = require 'pgorch.native.store'.open(%q); B = require 'pgorch.native.store'.open(%q)")
      :format(folder .. "/a.db", folder .. "/b.db")
    local ended = process.run { host.executable(), "eval", code }
    expect(ended.stderr).is ""
  end)

  it("has nothing secret on the disk", function()
    local _ = secret.new "correct horse battery"
    st:event(new_run().id, "note", { text = "the key is correct horse battery indeed" })
    st:close()
    expect(fs.read(folder .. "/x/state.db")).lacks("horse battery")
    st = store.open(url)
  end)

  it("leaves a run to the process that has its lock, seen or not, until that lets it go", function()
    local theirs <close> = store.open(url)
    local begun = theirs:create_run { recipe = "r", recipe_path = "r", recipe_hash = "h", params = {}, versions = {},
                                      owner = "me" }
    local claimed = new_run()
    theirs:claim(claimed, "me", alive)
    for _, id in ipairs { begun.id, claimed.id } do
      expect(st:run(id).locked).is(true)
      expect(st:claim(st:run(id), "other", unseen)).is "me"
      expect(st:claim(st:run(id), "other", dead)).is "me"      -- a number that another container's process has too
    end
    local _, fence = theirs:claim(theirs:run(begun.id), "me", alive)
    theirs:as_writer(begun.id, fence):disown(begun.id)
    expect(st:claim(st:run(begun.id), "other", unseen)).is(true)
    theirs:close()
    expect(st:run(claimed.id).locked).is(false)
    expect(st:claim(st:run(claimed.id), "other", unseen)).is(true)
    expect(st:run(claimed.id).locked).is(true)
  end)

  it("is not locked by a claim that came to nothing, or by a run that is discarded", function()
    local other <close> = store.open(url)
    local stale = new_run()
    local _, fence = st:claim(stale, "me", alive)
    st:as_writer(stale.id, fence):disown(stale.id)
    expect(function() other:claim(stale, "other", dead) end).raises "PGO-LOCKED"
    expect(st:claim(st:run(stale.id), "me", alive)).is(true)
    local run = other:create_run { recipe = "r", recipe_path = "r", recipe_hash = "h", params = {}, versions = {},
                             owner = "other" }
    other:discard_run(run.id)
    expect(st:create_run({ id = run.id, recipe = "r", recipe_path = "r", recipe_hash = "h", params = {},
                           versions = {}, owner = "me" }).locked).is(true)
  end)

  it("names a file that is none", function()
    fs.write(folder .. "/garbage", crypto.random(5000))
    local err = expect(function() store.open(folder .. "/garbage") end).raises("PGO-STORE")
    expect(err.message).has("no SQLite database")
  end)
end)

describe("store", function()
  it("gives ids of ten letters that nobody confuses", function()
    for _ = 1, 50 do expect(store.new_id()).matches("^[0-9a-hjkmnp-tv-z]+$") end
    expect(#store.new_id()).is(10)
  end)

  it("says what it takes for a record", function()
    for _, given in ipairs { "mysql:x", "", "http://u:hunter2hunter2@h/x" } do
      local err = expect(function() store.open(given) end).raises("PGO-STORE")
      expect(err.cure).has "postgres://"
      expect(err.message).lacks "hunter2"
    end
  end)
end)
