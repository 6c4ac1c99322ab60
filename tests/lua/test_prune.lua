-- pgorch prune: what is over and long unchanged is forgotten, with its files; what stands, waits or is young stays.

local fs      = require "pgorch.fs"
local host    = require "pgorch.native.host"
local process = require "pgorch.process"
local owner   = require "pgorch.runner.owner"
local store   = require "pgorch.store"

local DAY = 86400 * 1000000

local folder, st

local function pgorch(...)
  local options = { host.executable(), "prune", ... }
  options.check, options.env = false, { PGORCH_STATE = "sqlite:" .. folder .. "/state.db" }
  return process.run(options)
end

local function add(id, state, days, process_id)
  st:create_run { id = id, recipe = "vultr", recipe_path = "vultr", recipe_hash = "h", versions = {},
                  params = { values = { app = "shop" } } }
  st:event(id, "note")
  st.db:batch { { "update run set state = $2, owner = $3, updated_at = $4 where id = $1", id, state, process_id,
    store.now() - days * DAY, n = 5 } }
  fs.mkdir(st:run_dir(id), { parents = true })
  fs.write(st:run_dir(id) .. "/settings.csv", "x")
end

local function there()
  local ids = {}
  for i, run in ipairs(st:runs()) do ids[i] = run.id end
  table.sort(ids)
  return table.concat(ids, " ")
end

describe("pgorch prune", function()
  before(function()
    folder = fs.mkdtemp "pgorch-prune-"
    st = store.open("sqlite:" .. folder .. "/state.db")
    add("moved", "done", 100)
    add("back", "put_back", 100)
    add("young", "done", 80)
    add("stopped", "stopped", 100)
    add("failed", "failed", 100)
    add("busy", "done", 100, owner.this())
  end)
  after(function()
    st:close()
    fs.remove_tree(folder)
  end)

  it("forgets what is over, with its files, and says what", function()
    local ended = pgorch("--older-than", "90d")
    expect(ended.code).is(0)
    expect(ended.stdout).matches "moved  done  vultr  shop  unchanged for 100 d"
    expect(ended.stdout).has "back  put back"
    expect(ended.stdout).has "`pgorch cleanup back`"
    expect(ended.stdout).has "2 runs forgotten; 4 runs kept"
    expect(there()).is "busy failed stopped young"
    expect(table.concat(fs.list(folder .. "/runs"), " ")).is "busy failed stopped young"
    expect(#st.db:query "select 1 as x from event where run in ('moved', 'back')").is(0)
  end)

  it("forgets a run that has left its source closed for good, unless one that stays goes by that", function()
    st:share("freeze:source:1", "moved", { moved = { before = {}, for_good = true } })
    st:share("freeze:source:2", "back", { back = { before = {}, for_good = true },
      young = { before = {}, for_good = true } })
    add("two", "done", 100)
    add("three", "done", 100)
    st:share("freeze:source:3", "two", { two = { before = {}, for_good = true },
      three = { before = {}, for_good = true } })
    add("open", "put_back", 100)
    st:share("freeze:app:shop", "open", { open = { before = {} } })
    expect(pgorch("--older-than", "90d").stdout).has "3 runs forgotten; 6 runs kept"
    expect(there()).is "back busy failed open stopped young"
    expect(#st:holders "freeze:source:1").is(0)
    expect(pgorch("--older-than", "70d").stdout).has "2 runs forgotten"
    expect(there()).is "busy failed open stopped"
  end)

  it("keeps a run that is taken up just then, and goes on with the others", function()
    add("older", "done", 110)
    st.db:batch { { "create trigger meanwhile after update of owner on run when new.id = 'older' "
      .. "begin update run set fence = fence + 1 where id = 'moved'; end" } }
    local ended = pgorch("--older-than", "90d")
    expect(ended.code).is(0)
    expect(ended.stdout).has "taken up meanwhile, kept: moved  done"
    expect(ended.stdout).has "2 runs forgotten; 5 runs kept"
    expect(there()).is "busy failed moved stopped young"
  end)

  it("changes nothing with --dry-run, nor without an age, nor when nothing is old enough", function()
    local before = there()
    expect(pgorch("--older-than", "90d", "--dry-run").stdout).has "2 runs would be forgotten; 4 runs kept"
    expect(pgorch("--older-than", "1000d").stdout).has "0 runs forgotten; 6 runs kept"
    expect(pgorch().code).is(2)
    expect(pgorch("moved", "--older-than", "1d").code).is(2)
    expect(pgorch("--older-than", "soon").code).is(2)
    expect(there()).is(before)
    expect(#fs.list(folder .. "/runs")).is(6)
  end)
end)
