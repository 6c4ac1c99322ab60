-- `pgorch report` of real moves: one that was stopped in its window and resumed, one that found a difference and was
-- put back, one that was refused. What the JSON says is true of the world, nothing secret is in page or JSON, and the
-- file is written whole or not at all.

local clock = require "pgorch.clock"
local fs    = require "pgorch.fs"
local json  = require "pgorch.json"
local leaks = require "support.leaks"
local moves = require "support.moves"
local host  = require "pgorch.native.host"
local pg    = require "pgorch.pg"
local process = require "pgorch.process"
local store = require "pgorch.store"

local function report(move, words, o)
  return move:pgorch({ "report", move.id, table.unpack(words) }, { plain = true, program = o and o.program })
end

local function as_json(move)
  local ended = report(move, { "--json" })
  moves.expect_exit(ended, 0)
  return json.decode(ended.out)
end

local function page(move)
  local path = move.dir .. "/report.html"
  moves.expect_exit(report(move, { "--html", path }), 0)
  return fs.read(path), path
end

local function step(it, id)
  for _, each in ipairs(it.steps) do
    if each.id == id then return each end
  end
end

local function secrets_of(move)
  local world = move.world
  return {
    ["Vultr's key"] = world.vultr.api_key, ["Heroku's token"] = world.heroku.token,
    ["S3's secret key"] = world.s3.secret_key, ["the source's password"] = world.source.password,
    ["the target's password"] = move:addons()[1] and move:addons()[1].database.password,
    ["the signature"] = move:restores()[1] and move:restores()[1].from_url:match "X%-Amz%-Signature=(%x+)",
  }
end

local function expect_no_secret(move)
  local watched, found = leaks.watch(secrets_of(move)), {}
  leaks.in_text(watched, page(move), "the page", found)
  leaks.in_text(watched, report(move, { "--json" }).out, "the JSON", found)
  leaks.in_text(watched, report(move, {}).out, "the text", found)
  expect(table.concat(found, "\n")).is ""
end

local function rows_of(lane)
  local conn <close> = pg.connect(lane.direct)
  return conn:value "select count(*) from shop.customers"
end

local function expect_done(move, it)
  expect({ it.format, it.run.id, it.run.state, it.run.exit_status, it.run.kind }).same { 1, move.id, "done", 0, "run" }
  expect(it.run.outcome).has(move.app_name .. " runs on its new database. All ")
  expect(#it.attempts).is(2)
  expect(it.target.name).is(move:addons()[1].name)
  expect(it.verification.state).is "equal"
  expect(it.verification.on_snapshot).is(false)          -- it was read again after the resume
  for _, each in ipairs(it.verification.tables) do
    if each.name == '"shop"."customers"' then expect(each.rows).is(rows_of(move.lane)) end
    expect(each.verdict == "equal" or each.verdict == "not populated").is(true)
  end
  expect(it.verification.totals.tables >= 20).is(true)
  expect(it.dump.bytes > 10000 and it.dump.deleted).is(true)
  expect(it.restore.classes[1].count).is(4)
  expect(it.run.versions.pgorch).is(require("pgorch.native.host").version)
  expect(it.source.version).matches "^%d%d%.%d+"
  expect(it.settings.reached and #it.settings.rows <= it.settings.differing).is(true)
  expect(it.window.open).is(false)
  local opened, closed = clock.parse_iso(it.window.opened_at), clock.parse_iso(it.window.closed_at)
  expect(opened < clock.parse_iso(it.cut_over_at) and clock.parse_iso(it.cut_over_at) < closed).is(true)
end

-- The world's own log of requests says when maintenance went on and off.
local function expect_window_as_the_world_saw(move, it)
  local seen = move:requests("PATCH", "^/apps/[^/]+$")
  local on, off = seen[1], seen[#seen]
  expect(#seen).is(2)
  local opened, closed = clock.parse_iso(it.window.opened_at), clock.parse_iso(it.window.closed_at)
  local went_on, went_off = clock.parse_iso(on.time), clock.parse_iso(off.time)           -- whole seconds
  expect(opened - 1 <= went_on and went_on < went_off and went_off <= closed + 1).is(true)
end

-- A row of the target is gone before the databases are compared: the run is held at the step before.
local function spoil_target(move)
  local done
  return function(line, child)
    if done or moves.begun(line) ~= "refresh_matviews" then return end
    done = true
    child:kill "STOP"
    local conn <close> = pg.connect(move:addons()[1].database.url)
    conn:exec "delete from public.schema_migrations where ctid = (select min(ctid) from public.schema_migrations)"
    child:kill "CONT"
  end
end

-- Stopped in its window, and resumed.
local function stopped_and_resumed(lane)
  local move = moves.new(lane)
  moves.expect_exit(move:run(nil, { on_line = moves.signal_at("restore", "INT") }), 8)
  local stopped = as_json(move)
  expect(stopped.run.outcome).has "THE WINDOW IS STILL OPEN."
  expect({ stopped.window.open, stopped.window.closed_at }).same { true }
  expect(step(stopped, "restore").state).is "interrupted"
  expect(step(stopped, "verify").state).is "not reached"
  expect(table.concat(stopped.standing, " ")).has "the source is STILL read-only"
  expect(report(move, {}).out).has "STILL OPEN"
  local text = page(move)
  expect(text).has "Window, STILL OPEN"
  expect(text).has("pgorch rollback " .. move.id)

  moves.expect_exit(move:resume(), 0)
  local it = as_json(move)
  expect_done(move, it)
  expect_window_as_the_world_saw(move, it)
  expect_no_secret(move)
  local finished, path = page(move)
  expect(fs.stat(path).mode).is(0600)
  expect(finished).has "<!doctype html>"
  expect(finished).lacks "<script"
end

local function differing_and_put_back(lane)
  local move = moves.new(lane)
  moves.expect_exit(move:run(nil, { on_line = spoil_target(move) }), 5)
  local it = as_json(move)
  expect({ it.run.state, it.run.exit_status, it.run.error.id }).same { "put_back", 5, "PGO-VERIFY" }
  expect(it.run.outcome).is(("The move failed at “Compare both databases” and was put back: %s is as it was before.")
    :format(move.app_name))
  expect({ it.window.open, it.cut_over_at, it.verification.state }).same { false, nil, "differs" }
  expect({ it.verification.tables[1].name, it.verification.tables[1].verdict })
    .same { '"public"."schema_migrations"', "differs" }
  local put_back = {}
  for i, each in ipairs(it.put_back) do put_back[i] = each.text end
  expect(table.concat(put_back, "; ")).has "target reset"
  expect(table.concat(it.kept, " ")).has(move:addons()[1].name)
  local text = page(move)
  expect(text).has "Source and target differ."
  expect(text).has(("pgorch cleanup %s --confirm %s"):format(move.id, move.app_name))
  expect_no_secret(move)
end

-- Findings with their cures, and where the page cannot be written.
local function failed_its_checks(lane)
  local move = moves.new(lane)
  do
    local conn <close> = lane.world.source.cluster:connect(lane.dbname)
    conn:exec "create policy secret on shop.orders for select to report using (true)"
  end
  moves.expect_exit(move:run(), 4)
  local it, found = as_json(move), {}
  for _, check in ipairs(it.preflight) do
    for _, each in ipairs(check.findings) do found[each.id or each.what] = each end
  end
  expect({ found["PGO-POLICY-ROLE"].level, it.verification.state }).same { "fail", "not reached" }
  expect(found["PGO-POLICY-ROLE"].cure).has "drop the policy"
  expect(#it.preflight).is(2)
  expect((page(move))).has "PGO-POLICY-ROLE"
  local refused = report(move, { "--html", move.dir })
  expect({ refused.code, refused.err:match "is a folder" }).same { 2, "is a folder" }
  refused = report(move, { "--html", move.dir .. "/no/such/report.html" })
  expect(refused.code).is(1)
  expect(refused.err).has "/no/such/report.html"
  expect(report(move, { "--html", "x", "--json" }).code).is(2)
end

describe("pgorch report", function()
  it("of runs that were stopped and resumed, put back, and refused, says what the world saw", function()
    moves.world({ lanes = 2 }, function(_, lanes)
      moves.each(lanes, { { name = "stopped and resumed", fn = stopped_and_resumed },
        { name = "differing and put back", fn = differing_and_put_back },
        { name = "failed its checks", fn = failed_its_checks } }, function(case, lane) case.fn(lane) end)
    end)
  end, { limit = 200 })

  it("leaves an earlier page as it was when the disk is full", function()
    local dir = fs.mkdtemp "/tmp/pgorch-report-"
    do
      local st <close> = store.open("sqlite:" .. dir .. "/state.db")
      st:create_run { id = "r1", recipe = "r", recipe_path = "/gone.lua", recipe_hash = "x", params = { values = {} },
                      versions = {} }
      st:begin_step("r1", "long", { title = "Long", attempt = 1 })
      st:finish_step("r1", "long", { summary = { warnings = { ("many words "):rep(10000) } } })
    end
    fs.write(dir .. "/report.html", "the earlier one")
    -- No file may grow beyond 160 blocks of 512 bytes, which is too little for this page.
    local command = "trap '' XFSZ; ulimit -f 160; exec \"$0\" report r1 --html report.html"
    local ended = process.run { "sh", "-c", command, host.executable(),
      env = { PGORCH_STATE = "sqlite:" .. dir .. "/state.db" }, cwd = dir, check = false }
    expect(ended.code).is(1)
    expect(ended.stderr).has "PGO-IO"
    expect(fs.read(dir .. "/report.html")).is "the earlier one"
    expect(table.concat(fs.list(dir), " ")).lacks "report.html."
    fs.remove_tree(dir)
  end)
end)
