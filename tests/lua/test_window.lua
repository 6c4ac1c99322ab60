-- The window: what is put back when a part of it cannot be.

local fail   = require "pgorch.error"
local freeze = require "pgorch.freeze"
local fs     = require "pgorch.fs"
local holding = require "support.holding"
local hook   = require "pgorch.hook"
local task   = require "pgorch.task"
local vars   = require "pgorch.config_vars"
local cut_over = require "pgorch.steps.cut_over"
local closes = require "pgorch.steps.window_closes"
local window = require "pgorch.steps.window_opens"

-- The app is stopped and the source read-only, unless `untouched`: then both are as before.
local function context(restore, untouched)
  local log, state = {}, { web = untouched and 2 or 0, maintenance = not untouched }
  local function note(text) log[#log + 1] = text end
  local app = {
    name = "shop",
    info = function() return { maintenance = state.maintenance } end,
    wait_for_no_dynos = function() return {} end,
    formation = function() return { { type = "web", quantity = state.web } } end,
    scale = function(_, list)
      note("scale " .. #list)
      state.web = list[1].quantity
    end,
    maintenance = function(_, on)
      local before = state.maintenance
      if on ~= before then note("maintenance " .. tostring(on)) end
      state.maintenance = on
      return before
    end,
  }
  local source = { restore_setting = restore, claim = function() end,
                   read_only_setting = function() return not untouched and "on" or nil end }
  local ctx = { params = { app = "shop" }, source = source, target = { app = app },
    note = function(_, text) note(text) end, warn = function(_, text) note("warn: " .. text) end,
    put_back = function(_, text) note("back: " .. text) end }
  return ctx, log, holding.give(ctx)
end

local APP, SOURCE = "freeze:app:shop", "freeze:source:demo:1:db"
local APP_BEFORE = { maintenance = false, formation = { { type = "web", quantity = 2 } } }
local OLD = { maintenance = false, formation = APP_BEFORE.formation, has_setting = false, source = "demo:1:db" }

-- What the window's opening has stored of both.
local function hold(names, run, more)
  for name, before in pairs { [APP] = APP_BEFORE, [SOURCE] = { has_setting = false } } do
    local data = { before = before }
    for field, value in pairs(more or {}) do data[field] = value end
    names:share(name, run or "r1", { [run or "r1"] = data })
  end
end

describe("closing the window again", function()
  it("starts the app once even when the source cannot be reached, and says that it cannot", function()
    local ctx, log, names = context(function() fail.raise("PGO-PG-CONNECT", "gone") end)
    hold(names)
    for _ = 1, 2 do expect(function() window.undo(ctx, OLD) end).raises("PGO-PG-CONNECT") end
    expect(log).same { "scale 1", "maintenance false", "back: web 0 -> 2, maintenance off" }
  end)

  it("opens the source, then starts the app", function()
    local ctx, log, names = context(function() end)
    hold(names)
    window.undo(ctx, OLD)
    expect(log).same { "back: source writable", "scale 1", "maintenance false", "back: web 0 -> 2, maintenance off" }
  end)

  it("neither does nor says what is as before already", function()
    local ctx, log, names = context(function() error "it was never closed" end, true)
    hold(names)
    window.undo(ctx, OLD)
    expect(log).same {}
  end)

  it("leaves app and source to another run that still needs them closed, and says so", function()
    local ctx, log, names = context(function() error "it is still needed" end)
    hold(names)
    hold(names, "r2")
    window.undo(ctx, OLD)
    expect(log).same { "warn: the source stays read-only until run r2 is done with it",
                       "the app stays down: run r2 still needs that, and starts it again" }
    expect(holding.runs(names, APP)).same { "r2" }
    expect(holding.runs(names, SOURCE)).same { "r2" }
  end)

  it("opens what a run has closed whose record has no names for it, and does so once", function()
    local ctx, log = context(function() end)
    window.undo(ctx, OLD)
    expect(log).same { "back: source writable", "scale 1", "maintenance false", "back: web 0 -> 2, maintenance off" }
    ctx.target.app:maintenance(true)                        -- by somebody else, meanwhile
    window.undo(ctx, OLD)
    expect(#log).is(5)
  end)

  it("takes what such a run has stored for what was before, not what it finds", function()
    local ctx, log, names = context(function() end)
    freeze.join_app(ctx, function(found) log[#log + 1] = "found " .. found.formation[1].quantity end, OLD)
    expect(log).same { "found 2", "scale 1", "maintenance on, web 2 -> 0" }
    expect(names:holders(APP)[1].data.before).same(APP_BEFORE)
  end)

  it("does not open a source that another run has moved away from meanwhile", function()
    local ctx, log, names = context(function() error "it is to stay closed" end)
    hold(names)
    hold(names, "r2")
    local other = {}
    holding.give(other, { names = names, run = "r2" })
    freeze.leave_source_closed(other, OLD)
    names:unlock(APP, "r2")
    window.undo(ctx, OLD)
    expect(log[1]).is "warn: the source stays read-only: run r2 has moved away from it"
    expect(holding.runs(names, SOURCE)).same { "r2" }
  end)

  it("runs --on-thaw once, though the undo is done again after a kill", function()
    fs.with_temporary("pgorch-thaw-", function(dir)
      local ctx = context(function() end)
      ctx.params.on_thaw = ("echo $PGORCH_RUN $PGORCH_PHASE $PGORCH_OUTCOME >>%s/said"):format(dir)
      ctx.run, ctx.source.name = { id = "r1", dir = dir }, function() return "demo/db" end
      ctx.remember = function(self, value) self.recall = value end
      for _ = 1, 2 do window.undo(ctx, {}) end
      expect(fs.read(dir .. "/said")).is "r1 thaw put-back\n"
    end)
  end)

  it("ends a command that does not end by itself, and what it has started", function()
    fs.with_temporary("pgorch-thaw-", function(dir)
      local ctx = context(function() end)
      ctx.params.on_freeze, ctx.params.hook_limit = ("sleep 300 & echo $! >%s/child; wait"):format(dir), 0.3
      ctx.run, ctx.source.name = { id = "r1", dir = dir }, function() return "demo/db" end
      local err = expect(function() hook.freeze(ctx) end):raises "PGO-HOOK"
      expect(err.message).has "had not ended after"
      expect(err.cure).has "--hook-limit"
      local stat, state = "/proc/" .. fs.read(dir .. "/child"):match "%d+" .. "/stat", nil
      for _ = 1, 500 do
        state = fs.exists(stat) and fs.read(stat):match "%) (%a)" or "gone"
        if state:find "^[gZX]" then break end          -- Z: it has ended, and nobody has asked how
        task.sleep(0.01)
      end
      expect(state).matches "^[gZX]"
    end)
  end)

  it("names commands that can be pasted", function()
    local text = window.by_hand(context(), OLD)
    expect(text).has "heroku ps:scale web=2 --app shop"
    expect(text).has [[alter database :"DBNAME" reset default_transaction_read_only]]
  end)
end)

describe("a recipe without a window", function()
  it("closes none, and says from when on the app may write to the new database", function()
    local ctx = context()
    ctx.result, ctx.options = {}, { source = "stays read-only" }
    ctx.remember = function(self, value) self.recall = value end
    expect(closes.run(ctx)).same { read_only = false }
    expect(ctx.recall).same { began = true }
  end)
end)

describe("the cut-over is undone", function()
  -- An app whose attachments are NAME = add-on; Heroku refuses a name that the add-on has already.
  local function app_with(attached)
    local app = {}
    function app.attachments()
      local list = {}
      for name, addon in pairs(attached) do list[#list + 1] = { id = name, name = name, addon = { name = addon } } end
      return list
    end
    function app.attachment(_, name) return attached[name] and { name = name, addon = { name = attached[name] } } end
    function app.attach(_, addon, name)
      if attached[name] == addon then fail.raise("PGO-HEROKU", addon .. " is already attached as " .. name) end
      attached[name] = addon
    end
    function app.detach(_, id) attached[id] = nil end
    return app
  end

  it("wherever it was killed: the old database has its name again, and no name more than before", function()
    for _, attached in ipairs {
      { DATABASE = "old", REPLICA = "old", PGORCH_TARGET = "new" },
      { DATABASE = "old", REPLICA = "old", HEROKU_POSTGRESQL_RED = "old", PGORCH_TARGET = "new" },
      { DATABASE = "new", REPLICA = "old", HEROKU_POSTGRESQL_RED = "old", PGORCH_TARGET = "new" },
    } do
      local app = app_with(attached)
      cut_over.undo({ target = { app = app, as = "DATABASE", database = function() return { name = "new" } end },
                      put_back = function() end }, { holders = {}, was = "old", names = { DATABASE = true,
                      REPLICA = true } })
      expect(attached).same { DATABASE = "old", REPLICA = "old", PGORCH_TARGET = "new" }
    end
  end)
end)

describe("closing the source", function()
  local sleep
  before(function() sleep, task.sleep = task.sleep, function() end end)
  after(function() task.sleep = sleep end)

  -- One session ends when told; one when told three times, or never; one does not let itself be told.
  local function close(never)
    local said, rounds = {}, 0
    local web, stuck, root = { pid = 1, user = "web" }, { pid = 2, user = "stuck" }, { pid = 3, user = "root" }
    local source = { clients = function() return {} end, make_read_only = function() return "now" end,
                     identity = function() return "demo:1:db" end, read_only_setting = function() return nil end,
                     roles_that_stay_writable = function() return {} end }
    function source.sessions() return (never or rounds < 3) and { root, stuck } or { root } end
    function source.end_other_sessions()
      rounds = rounds + 1
      local told = rounds == 1 and { web, stuck } or (never or rounds <= 3) and { stuck } or {}
      return { ended = #told, told = told, refused = { root } }
    end
    local function say(_, text) said[#said + 1] = text end
    local ctx = { source = source, note = say, warn = say, table = function() end }
    holding.give(ctx)
    freeze.join_source(ctx, function() end)
    return said
  end

  it("warns of the sessions that still stand when they were told ten times", function()
    local root = "session 3 of root cannot be ended and may still write"
    expect(close(false)).same { "source read-only", "2 sessions of others ended", root }
    expect(close(true)).same { "source read-only", "1 sessions of others ended", root,
                               "session 2 of stuck cannot be ended and may still write" }
  end)
end)

describe("the means of a freeze", function()
  local function problem(means, more, freezes, no_window)
    local params = more or {}
    params.freeze = means
    return (freeze.problem { params = params, recipe = { freezes = freezes or {}, has_window = not no_window } })
  end

  it("is named, or a step of the recipe's own is one", function()
    expect(problem { "none" }).is "nothing would stop writes during the dump"
    expect(problem({ "none" }, nil, { "stop_the_shop" })).is_nil()
    for _, name in ipairs { "maintenance", "read-only" } do expect(problem { name }).is_nil() end
    expect(problem(nil)).is_nil()
  end)

  it("mean nothing in a recipe that opens no window", function()
    expect(problem(nil, nil, nil, true)).has "the recipe has no step that opens a window"
    expect(problem({ "read-only" }, nil, nil, true)).has "nothing would stop writes"
    expect(problem({ "read-only" }, nil, { "stop_the_shop" }, true)).is_nil()
  end)

  it("by commands needs both of them", function()
    expect(problem { "hook" }).has "--on-thaw"
    expect(problem({ "hook" }, { on_thaw = "true" })).has "--on-freeze"
    expect(problem({ "hook", "read-only" }, { on_freeze = "true" })).has "--on-thaw"
    expect(problem({ "hook" }, { on_freeze = "true", on_thaw = "true" })).is_nil()
  end)
end)

describe("a config var", function()
  local source = { dbname = "shop ü", port = 16751, host = "10.0.0.1", hosts = { "10.0.0.1", "DB.example.com" } }

  it("holds the source's address in any spelling, whoever the user is", function()
    for _, value in ipairs { "postgres://a:b@db.EXAMPLE.com:16751/shop%20%C3%BC",
                             "host=10.0.0.1 port=16751 dbname='shop ü'",
                             "postgresql://other:p%40ss@10.0.0.1:16751/shop%20ü?sslmode=require&connect_timeout=3" } do
      if not vars.is_source(source, value) then error(value, 0) end
    end
  end)

  it("holds another address, or none", function()
    for _, value in ipairs { "postgres://a:b@db.example.com/shop%20%C3%BC",
                             "postgres://a:b@db.example.com:16751/other", "postgres://a:b@db.example.org:16751/shop",
                             "production", "", "redis://10.0.0.1" } do
      if vars.is_source(source, value) then error(value, 0) end
    end
  end)

  local function holders(config, attached)
    local app = { config = function() return config end, attachments = function() return attached or {} end }
    local list = {}
    for i, h in ipairs(vars.holders(app, source)) do
      list[i] = ("%s > %s, %s%s"):format(h.name, h.old, h.attachment, h.copy and " copied" or "")
    end
    return list
  end
  local URL = "postgres://a:b@10.0.0.1:16751/shop%20%C3%BC"

  it("is replaced by an attachment where one can set it, else it gets a copy; no old value is overwritten", function()
    expect(holders { DATABASE_URL = URL, ["main.db"] = URL, PRIMARY = URL, PRIMARY_URL = "x", OLD_DATABASE_URL = URL,
                     OTHER_URL = "postgres://u:p@elsewhere/db" })
      .same { "DATABASE_URL > OLD_DATABASE_URL_2, DATABASE", "PRIMARY > OLD_PRIMARY, PGORCH_PRIMARY copied",
              "main.db > OLD_main.db, MAIN_DB copied" }
  end)

  it("that an attachment sets is none of ours", function()
    expect(holders({ DATABASE_URL = URL }, { { config_vars = { "DATABASE_URL" } } })).same {}
  end)
end)
