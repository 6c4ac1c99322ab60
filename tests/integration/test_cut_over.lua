-- The window's end: what keeps an app from being cut over, what it gets when it is, and that all of it can be put back,
-- whatever the names of its config vars and wherever pgorch is killed.

local fs    = require "pgorch.fs"
local json  = require "pgorch.json"
local moves = require "support.moves"
local pg    = require "pgorch.pg"

local HELD = 60

local function config(move) return move.world.heroku.state:config(move:app()) end

local function ask(world, method, path, body)
  local status, answer = require("support.heroku_api").ask(world, method, path, body)
  if status > 299 then error(("%s %s: %d %s"):format(method, path, status, tostring(answer.message)), 0) end
  return answer
end

-- A client that gets around the read-only switch, as one with options of its own would.
local function writer(lane)
  return pg.connect(lane.direct, { application_name = "shop", settings = { default_transaction_read_only = "off" } })
end

local function same(before, after)
  for name, value in pairs(before) do expect(after[name]).is(value) end
  for name in pairs(after) do if before[name] == nil then error(name .. " is new", 0) end end
end

-- Other spellings of the lane's address: another user, another scheme, a query, upper case in the host.
local function spelled(lane)
  local host, port = lane.url:match "@([^/:]+):(%d+)/"
  return ("postgresql://report:secret%%2F%%40x@%s:%s/%s?connect_timeout=5"):format(host, port, lane.dbname),
    ("postgres://u:p@%s:%s/elsewhere"):format(host, port)
end

local function with_vars(move)
  local report, elsewhere = spelled(move.lane)
  local app = move:app()
  app.config.PRIMARY_DB, app.config.REPORT_URL, app.config.CACHE_URL = move.lane.url, report, elsewhere
  app.config.OLD_DATABASE_URL = "postgres://from.an.earlier/move"
end

local cases = {}

local function case(name, fn) cases[#cases + 1] = { name = name, fn = fn } end

case("each config var that holds the source's address is replaced, and rollback puts all back", function(move)
  with_vars(move)
  local before = config(move)
  local done = move:run({ "--yes-cut-over" })
  moves.expect_exit(done, 3)                          -- the copy is worth a warning
  local after, url = config(move), move:addons()[1].database.url
  for _, name in ipairs { "DATABASE_URL", "PRIMARY_DB", "REPORT_URL" } do expect(after[name]).is(url) end
  expect(after.CACHE_URL).is(before.CACHE_URL)
  expect(after.OLD_DATABASE_URL).is "postgres://from.an.earlier/move"
  expect(after.OLD_DATABASE_URL_2).is(before.DATABASE_URL)
  expect(after.OLD_PRIMARY_DB).is(before.PRIMARY_DB)
  expect(after.OLD_REPORT_URL).is(before.REPORT_URL)
  expect(done.all).has "PRIMARY_DB_URL"
  moves.expect_exit(move:rollback(), 2)               -- what was written since would be lost
  expect(config(move).DATABASE_URL).is(url)
  local back = move:rollback({ "--lose-writes" }, { plain = true })
  moves.expect_exit(back, 0)
  expect(select(2, back.all:match("\nput back: [^\n]*"):gsub("web 0 %-> 2", ""))).is(1)
  local last = config(move)
  last.PGORCH_TARGET_URL = nil
  same(before, last)
end)

local function kill_everywhere(move)
  with_vars(move)
  local before = config(move)
  local function put_back()
    moves.expect_exit(move:rollback(), 0)
    local last = config(move)
    last.PGORCH_TARGET_URL = nil
    same(before, last)
  end
  local places = {
    { "heroku.config.update", function() return config(move).DATABASE_URL == nil end, 0 },
    { "heroku.attachment.create", function()
      return #move:addons() == 1 and config(move).DATABASE_URL == move:addons()[1].database.url end, 0 },
    { "heroku.config.update", function() return config(move).OLD_PRIMARY_DB ~= nil end, 1 },
  }
  for i, place in ipairs(places) do
    move.world:fault { at = place[1], hold = HELD, skip = place[3] }
    local ended = move[i == 1 and "run" or "resume"](move, nil, { watch = moves.signal_when("KILL", place[2]) })
    moves.expect_exit(ended, 137)
    put_back()
  end
  -- The app runs again, and may have written: the window is no longer shut, though nobody has recorded that it is open.
  move.world:fault { at = "heroku.formation.update", hold = HELD, skip = 1 }
  moves.expect_exit(move:resume({ "--yes-cut-over" }, { watch = moves.signal_when("KILL", function()
    return #move:addons() == 1 and config(move).DATABASE_URL == move:addons()[1].database.url
      and move.world.heroku:dynos(move.app_name).web > 0 end) }), 137)
  local refused = move:rollback()
  moves.expect_exit(refused, 2)
  expect(refused.all).has "PGO-PAST-CUT-OVER"
  moves.expect_exit(move:rollback { "--lose-writes" }, 0)
  local last = config(move)
  last.PGORCH_TARGET_URL = nil
  same(before, last)
end

-- Its dynos run all the time: what they write after the promotion is nowhere else.
local function nothing_is_lost(move)
  local app = move:app()
  table.insert(app.formation, { id = "f-" .. move.id, type = "release", quantity = 0, size = "Basic", command = "x" })
  move.world:fault { at = "worker.release", answer = 500 }
  local done = move:run { "--yes-cut-over", "--freeze", "read-only" }
  moves.expect_exit(done, 9)                          -- cut short: the promotion is not recorded as done
  expect(done.all).has "not put back: nothing keeps the app from writing to the new database"
  local url = config(move).DATABASE_URL
  expect(url).is(move:addons()[1].database.url)
  local shop <close> = pg.connect(url)
  shop:exec "create table public.paid as select 1 as amount"
  local function refused()
    local ended = move:rollback()
    moves.expect_exit(ended, 2)
    expect(ended.all).has "PGO-PAST-CUT-OVER"
    expect(shop:value "select count(*) from public.paid").is(1)
    expect(config(move).DATABASE_URL).is(url)
  end
  refused()
  table.remove(app.formation)
  ask(move.world, "PATCH", ("/apps/%s/config-vars"):format(move.app_name), { MENDED = "yes" })
  moves.expect_exit(move:resume { "--yes-cut-over", "--until", "cut_over" }, 8)
  refused()
  moves.expect_exit(move:resume(), 0)
  expect(#move:restores()).is(1)
  expect(shop:value "select count(*) from public.paid").is(1)
end

local function attachment_id(move, name)
  for _, each in ipairs(ask(move.world, "GET", ("/apps/%s/addon-attachments"):format(move.app_name))) do
    if each.name == name then return each.id end
  end
end

local function expect_all_stands(move, url)
  expect(config(move).DATABASE_URL).is(url)
  expect(move:app().maintenance).is(true)
  expect(move.world.heroku:dynos(move.app_name).web).is(0)
  expect(#move:stored()).is(1)                        -- the dump
  local old <close> = pg.connect(move.lane.direct)
  expect(old:value "show default_transaction_read_only").is "on"
  local new <close> = pg.connect(url)
  expect(new:value "select count(*) > 0 from shop.customers").is(true)
end

case("as long as the app cannot be taken off the new database, rollback puts nothing else back", function(move)
  with_vars(move)
  local before = config(move)
  local part = move:run({ "--yes-cut-over", "--until", "cut_over" }, { plain = true })
  moves.expect_exit(part, 8)
  expect(part.all).has "stopped after cut_over, as asked, and the window is OPEN"
  local url = config(move).DATABASE_URL
  expect(url).is(move:addons()[1].database.url)
  for _, again in ipairs { "rollback", "resume", "rollback" } do
    -- By its id: moves beside this one take attachments off, too.
    move.world:fault { match = "DELETE /addon-attachments/" .. attachment_id(move, "DATABASE"), answer = 422 }
    local back = move[again](move, {}, { plain = true })
    moves.expect_exit(back, 11)
    expect(back.all).has "NOT put back: cut_over"
    expect(back.all).has "still so: the app uses the new database; the copy is in the target; "
    expect(back.all).has "maintenance is STILL ON, the dynos are stopped, the source is STILL read-only"
    expect(back.all).lacks "pg:reset"
    expect(back.all).has("pgorch rollback " .. move.id)
    expect_all_stands(move, url)
  end
  moves.expect_exit(move:rollback(), 0)
  local last = config(move)
  last.PGORCH_TARGET_URL = nil
  same(before, last)
  expect(move:app().maintenance).is(false)
end)

case("another Heroku database is kept under another name, and who else uses it is told", function(move)
  local app = move.app_name
  move:app().config.DATABASE_URL = nil
  local old = ask(move.world, "POST", "/apps/" .. app .. "/addons", { plan = { name = "heroku-postgresql:essential-0" },
    name = "old-" .. move.id, attachment = { name = "DATABASE" }, config = {} })
  for _ = 1, 10 do ask(move.world, "GET", ("/apps/%s/addons/%s"):format(app, old.name)) end
  move.world.heroku.state:add_app { name = "other-" .. move.id }
  ask(move.world, "POST", "/addon-attachments", { app = { name = "other-" .. move.id }, addon = { name = old.name },
    name = "SHARED", namespace = json.null, confirm = "other-" .. move.id })
  local whole, before = config(move), config(move).DATABASE_URL
  local done = move:run()
  moves.expect_exit(done, 0)
  expect(done.all).has("other-" .. move.id)
  expect(done.all).has "SHARED"
  local after, others = config(move), 0
  expect(after.DATABASE_URL).is_not(before)
  for name, value in pairs(after) do
    if value == before then others = others + 1 expect(name).matches "^HEROKU_POSTGRESQL_%u+_URL$" end
  end
  expect(others).is(1)
  moves.expect_exit(move:rollback { "--lose-writes" }, 0)
  local last = config(move)
  last.PGORCH_TARGET_URL = nil
  same(whole, last)
end)

case("a DATABASE_URL that holds something else is refused before anything is touched", function(move)
  local host, port = move.lane.url:match "@([^/:]+):(%d+)/"
  local function refused(value, what)
    move:app().config.DATABASE_URL = value
    local done = moves.new(move.lane, { beside = move }):run()
    moves.expect_exit(done, 4)
    expect(done.all).has "PGO-CONFIG-VAR"
    expect(done.all).has(("DATABASE_URL of %s is a plain config var that holds %s"):format(move.app_name, what))
    expect(done.all).has("heroku config:unset DATABASE_URL --app " .. move.app_name)
    expect(done.all).lacks "hush"
    expect(config(move).DATABASE_URL).is(value)
    expect(#move:addons()).is(0)
    expect(#move:requests("PATCH", "/config%-vars$")).is(0)
  end
  refused("postgres://u:hush@db.example.com/shop", "the address of another database: shop at db.example.com")
  refused(("postgres://u:hush@%s:%s/elsewhere"):format(host, port), "the address of another database: elsewhere at "
    .. host)
  refused("mysql2://u:hush@db.example.com/shop", "what is no PostgreSQL address")
  -- Where another var holds the source's address, DATABASE is left as it is.
  move:app().config.SHOP_URL = move.lane.url
  move:app().config.DATABASE_URL = "postgres://u:hush@db.example.com/shop"
  local again = moves.new(move.lane, { beside = move })
  local done = again:run()
  moves.expect_exit(done, 0)
  expect(done.all).has(("SHOP_URL of %s is a plain config var that holds this source's URL. At cut-over it moves to "
    .. "OLD_SHOP_URL and SHOP is attached."):format(move.app_name))
  expect(config(move).DATABASE_URL).is "postgres://u:hush@db.example.com/shop"
  expect(config(move).SHOP_URL).is(config(move).PGORCH_TARGET_URL)
end)

case("never before the databases were compared", function(move)
  local before = config(move).DATABASE_URL
  local part = move:run { "--until", "checksum_source" }
  moves.expect_exit(part, 8)
  expect({ part.last.window_open, part.last.meaning }).same { true, "stopped, state kept" }
  local done = move:resume { "--only", "cut_over" }
  moves.expect_exit(done, 5)
  expect(done.all).has "PGO-NOT-VERIFIED"
  expect(config(move).DATABASE_URL).is(before)
  move:expect_as_before()
end)

case("a release that fails puts all back", function(move)
  local app = move:app()
  table.insert(app.formation, { id = "f-" .. move.id, type = "release", quantity = 0, size = "Basic", command = "x" })
  move.world:fault { at = "worker.release", answer = 500 }
  local done = move:run()
  moves.expect_exit(done, 1)
  expect(done.all).has "PGO-CUT-OVER"
  table.remove(app.formation)
  move:expect_as_before()
end)

case("one write while the dump runs is found and named, and all is put back", function(move)
  local wrote
  local done = move:run(nil, { on_line = function(line)
    if wrote or moves.begun(line) ~= "dump_to_store" then return end
    wrote = true
    local conn <close> = writer(move.lane)
    conn:exec "insert into public.schema_migrations values ('during')"
  end })
  moves.expect_exit(done, 5)
  expect(done.all).has "PGO-WRITTEN"
  expect(done.all).has "schema_migrations"
  move:expect_as_before()
end)

case("what cannot be told from the counters is counted again, and the move goes on", function(move)
  local idle                                          -- as long as it is there, it may have written
  local done = move:run(nil, { on_line = function(line)
    if moves.begun(line) ~= "reapply_settings" then return end
    idle = writer(move.lane)
    idle:exec "select * from public.schema_migrations limit 1 for update"
  end })
  idle:close()
  moves.expect_exit(done, 0, 3)                       -- 3: it still connects to the source
  expect(done.all).has "counted and summed again: equal"
  move:expect_moved()
end)

case("a transaction that stays open keeps the app from being cut over", function(move)
  local open
  local done = move:run(nil, { on_line = function(line)
    if moves.begun(line) ~= "reapply_settings" then return end
    open = writer(move.lane)
    open:exec "begin; insert into public.schema_migrations values ('open')"
  end })
  open:close()
  moves.expect_exit(done, 5)
  expect(done.all).has "still open on the source"
  move:expect_as_before()
end)

case("the deadline at the gate puts all back", function(move)
  -- Two minutes of it are kept for putting back.
  local done = move:run { "--deadline", "+150s" }
  moves.expect_exit(done, 1)
  expect(done.all).has "PGO-DEADLINE"
  move:expect_as_before()
end)

local function count(path, word)
  local text, n = fs.exists(path) and fs.read(path) or "", 0
  for each in text:gmatch "[^\n]+" do n = n + (each == word and 1 or 0) end
  return n
end

case("the commands for the window run once on each way, killed or not", function(move)
  local said = move.world.dir .. "/said-" .. move.id
  local hooks = { "--yes-cut-over", "--on-freeze", 'echo "freeze $PGORCH_RUN $PGORCH_APP" >>' .. said,
    "--on-thaw", 'echo "thaw $PGORCH_RUN $PGORCH_OUTCOME" >>' .. said, "--freeze", "maintenance,read-only,hook" }
  moves.expect_exit(move:run(hooks, { on_line = moves.signal_at("verify", "KILL") }), 137)
  moves.expect_exit(move:rollback(nil, { on_line = function(line, child)
    if line:find('"event":"undo_done","id":"window_opens"', 1, true) then child:kill "KILL" end
  end }), 137, 0)
  moves.expect_exit(move:rollback(), 0)
  expect(count(said, ("freeze %s %s"):format(move.id, move.app_name))).is(1)
  expect(count(said, ("thaw %s put-back"):format(move.id))).is(1)
  moves.expect_exit(move:resume { "--yes-cut-over" }, 0)
  expect(count(said, ("freeze %s %s"):format(move.id, move.app_name))).is(2)
  expect(count(said, ("thaw %s moved"):format(move.id))).is(1)
  move:expect_moved()
end)

case("--freeze hook without both commands, and no means at all, are refused before anything is touched", function(move)
  local done = move:run { "--freeze", "hook", "--on-freeze", "true" }
  moves.expect_exit(done, 4)
  expect(done.all).has "--on-thaw"
  move = moves.new(move.lane)
  done = move:run { "--freeze", "none" }
  moves.expect_exit(done, 4)
  expect(done.all).has "PGO-FREEZE"
  move:expect_as_before()
end)

case("a command for the window that fails stops the run and puts all back", function(move)
  local done = move:run { "--on-freeze", "echo the list is down; exit 7" }
  moves.expect_exit(done, 1)
  expect(done.all).has "PGO-HOOK"
  expect(done.all).has "the list is down"
  move:expect_as_before()
end)

describe("the end of the window:", function()
  -- One after the other: faults are the world's, not a lane's.
  it("killed after any request of the cut-over, rollback puts all back; but never over what an app has written "
    .. "that was not stopped", function()
    moves.world({}, function(_, lanes)
      kill_everywhere(moves.new(lanes[1]))
      nothing_is_lost(moves.new(lanes[1]))
    end)
  end, { limit = 250 })

  it("what stops it, what it does, and that it can be undone", function()
    moves.world({ lanes = 4 }, function(_, lanes)
      moves.each(lanes, cases, function(each, lane) each.fn(moves.new(lane)) end)
    end)
  end, { limit = 290 })
end)
