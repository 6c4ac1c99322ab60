-- Made-up records of runs for the report's tests: rows and events as a run leaves them, with what no short run has.
-- Times are in seconds after a fixed beginning.

local recorded = require "pgorch.report.recorded"

local records = {}

-- 2026-03-01 22:00:00 UTC
local BEGIN = 1772402400

local function at(seconds) return math.floor((BEGIN + seconds) * 1000000) end

---A name of 63 bytes that would break a page, and one that would turn its direction.
records.EVIL = '<img src=x onerror=alert(1)>&"\'</table><script>alert(2)</script>'
records.ARABIC = "جدول \u{202E}evil\u{202C} العملاء"

local function step(list, id, from, to, more)
  local row = { id = id, title = id:gsub("^%l", string.upper):gsub("_", " "), position = #list + 1, attempt = 1,
                state = "done", started_at = at(from), ended_at = to and at(to) }
  for name, value in pairs(more or {}) do row[name] = value end
  list[#list + 1] = row
  return row
end

local function tables(count)
  local sums, compared = {}, {}
  for i = 1, count do
    local key = ('"shop"."table %03d"'):format(i)
    sums[key] = { rows = i * 1000, sum = tostring(i * 7919) }
  end
  sums[records.EVIL], sums[records.ARABIC] = { rows = 3, sum = "1" }, { rows = 2, sum = "2" }
  sums['"shop"."late"'] = { matview = true }
  for i = count, math.max(1, count - 39), -1 do
    local key = ('"shop"."table %03d"'):format(i)
    compared[#compared + 1] = { key, sums[key].rows, sums[key].sum, "equal" }
  end
  return sums, { { title = "Verified, source = target", columns = { "table", "rows", "checksum", "" }, rows = compared,
                   summary = true } }
end

local function size_of(count)
  local list = {}
  for i = 1, count do list[i] = { key = "t" .. i } end
  return { name = "shop-db/defaultdb", bytes = 3100000000, version = "16.4 (Debian)", encoding = "UTF8",
           collate = "C.UTF-8", tables = list, large_objects = 12, large_object_bytes = 5000 }
end

local FINDINGS = { { level = "pass", what = "TLS verified" }, { level = "warn", what = "left behind: 1 role",
  detail = "report\n" .. records.EVIL, fate = "not in the new database", cure = "pg:credentials:create" } }

-- The steps up to the opening of the window.
local function beginning(list, count)
  step(list, "credentials", 0, 1)
  step(list, "size", 1, 2, { result = size_of(count) })
  step(list, "choose_plan", 2, 3, { result = { plan = "standard-0", cents = 5000 } })
  step(list, "preflight", 3, 9, { result = { clients = {} }, summary = { tables = { { title = "Preflight",
    columns = { "", "finding" }, rows = {}, findings = FINDINGS } }, notes = { "noted: " .. records.EVIL } } })
  step(list, "addon", 9, 170, { result = { name = "pgorch-shop-7f3a", cents = 5000, created = true } })
  step(list, "preflight_target", 170, 171, { result = { target_major = 17 } })
end

local function run_of(o)
  local run = { id = "7f3a", kind = "run", recipe = "vultr", recipe_path = "/gone/recipe.lua",
    recipe_hash = ("ab"):rep(32),
    params = { values = { app = "acme-shop", instance = "shop-db" }, secrets = { token = { env = "VULTR_API_KEY" } },
               host = { deadline = BEGIN + 21600 } },
    versions = { pgorch = "1.0", store = 2 }, attempt = 1, created_at = at(0), updated_at = at(700), state = "done",
    exit_status = 0 }
  for name, value in pairs(o) do run[name] = value end
  return run
end

local function events_of(list)
  for i, each in ipairs(list) do each.seq, each.at, each.data = i, at(each.at), each.data or {} end
  return list
end

---A good move of so many tables, two of its steps side by side.
---@param o? {tables?: integer, events?: integer, kind?: string, by_events?: boolean}
---@return pgorch.Recorded
function records.moved(o)
  o = o or {}
  local list, sums, told = {}, tables(o.tables or 14)
  beginning(list, o.tables or 14)
  step(list, "window_opens", 180, 182, { remembered = {}, result = {} })
  step(list, "dump_to_store", 182, 240, { result = { key = "pgorch/7f3a/1.dump", bytes = 641000000, parts = 40,
    seconds = 58, sha256 = ("9c1e"):rep(16) }, summary = { bytes = 641000000 } })
  step(list, "checksum_source", 240, 300, { result = { sums = sums, hash = "hashtextextended", on_snapshot = true,
    sequences = { a = "1|true" }, large = { count = 12 },
    objects = { table = { a = "x", b = "y" }, index = { c = "z" } } },
    summary = { bytes = 3000000000 } })
  step(list, "restore", 240, 420, { result = { num = 4, lines = 1812, seconds = 178, classes = { { why = "extensions",
    count = 4 } } }, summary = { bytes = 641000000 } })
  step(list, "reapply_settings", 420, 421, { result = { applied = { "search_path" }, differing = 2 },
    summary = { tables = { { title = "Settings that differ", columns = { "setting", "source", "target was", "" },
      rows = { { "search_path", "shop", '"$user", public', "set on the database" },
               { "lc_monetary", "de_DE", "C", records.EVIL } } } } } })
  step(list, "verify", 421, 470, { result = { tables = (o.tables or 14) + 2, rows = 105005, queries = 1,
    query_names = { "orders per day.sql" }, sequences = 1, large_objects = 12, objects = 3 },
    summary = { tables = told, notes = { "ignored: comment extension x: Heroku's" } } })
  step(list, "gate_cut_over", 470, 480, { title = "cut over?" })
  step(list, "cut_over", 480, 485)
  step(list, "window_closes", 485, 490, { result = { read_only = true }, summary = { put_back = { "web 0 -> 2" } } })
  step(list, "watch_source", 490, 495, { result = { strays = { "mailer (198.51.100.20)" }, written = {},
    clients = { { client = "web", seen = true }, { client = "mailer (198.51.100.20)", seen = false } } },
    summary = { warnings = { "mailer (198.51.100.20) still connects to the source" } } })
  local events = {}
  for i = 1, o.events or 0 do events[i] = { at = i * 700 / o.events, kind = "note", data = { n = i } } end
  if o.kind == "rehearsal" then
    events[#events + 1] = { at = 699, kind = "rehearsed", data = { window = { measured = 310, margin = 100,
      announce = 420 } } }
  end
  events[#events + 1] = { at = 700, kind = "done", data = { attempt = 1, exit_status = 3 } }
  return recorded.of { run = run_of { exit_status = 3, cut_over_at = at(485), kind = o.kind or "run" }, list = list,
    events = events_of(events), state = "done", now = at(90000) }
end

---Two attempts, three days apart, told by events: the first was stopped at the restore, the second put back.
---@return pgorch.Recorded
function records.attempts()
  local list, later = {}, 3 * 86400
  beginning(list, 14)
  step(list, "window_opens", 180, 182, { state = "undone", remembered = {}, result = {},
    summary = { put_back = { "source writable", "worker 0 -> 3, maintenance off" } } })
  step(list, "restore", later + 10, later + 50, { state = "undone", attempt = 2, error = { id = "PGO-RESTORE-LOSSY",
    message = "1 lossy of 1812 lines" }, summary = { put_back = { "target reset" } } })
  local events = {
    { at = 0, kind = "running", data = { attempt = 1 } },
    { at = 180, kind = "step_begun", data = { step = "window_opens", attempt = 1 } },
    { at = 182, kind = "step_done", data = { step = "window_opens" } },
    { at = 240, kind = "step_begun", data = { step = "restore", attempt = 1 } },
    { at = 300, kind = "stopped", data = { attempt = 1, exit_status = 8 } },
    { at = later, kind = "running", data = { attempt = 2 } },
    { at = later + 10, kind = "step_begun", data = { step = "restore", attempt = 2 } },
    { at = later + 50, kind = "step_failed", data = { step = "restore", error = "PGO-RESTORE-LOSSY" } },
    { at = later + 50, kind = "undoing", data = { attempt = 2, exit_status = 1 } },
    { at = later + 51, kind = "undoing", data = { step = "restore" } },
    { at = later + 60, kind = "undone", data = { step = "restore" } },
    { at = later + 60, kind = "undoing", data = { step = "window_opens" } },
    { at = later + 65, kind = "undone", data = { step = "window_opens" } },
    { at = later + 66, kind = "put_back", data = { attempt = 2, exit_status = 1 } },
  }
  return recorded.of { run = run_of { state = "put_back", exit_status = 1, attempt = 2, updated_at = at(later + 66),
    error = { id = "PGO-RESTORE-LOSSY", step = "restore", message = "1 lossy of 1812 lines",
              detail = "could not create unique index " .. records.EVIL, cure = "mend it" } },
    list = list, events = events_of(events), state = "put_back", now = at(later + 90000) }
end

---A window that was put back and opened again by the next attempt, which closed it.
---@return pgorch.Recorded
function records.reopened()
  local list = {}
  step(list, "window_opens", 1000, 1001, { attempt = 2, remembered = {}, result = {} })
  step(list, "window_closes", 1300, 1310, { attempt = 2, result = { read_only = true } })
  local events = {
    { at = 100, kind = "step_begun", data = { step = "window_opens", attempt = 1 } },
    { at = 101, kind = "step_done", data = { step = "window_opens" } },
    { at = 200, kind = "undoing", data = { step = "window_opens" } },
    { at = 210, kind = "undone", data = { step = "window_opens" } },
    { at = 211, kind = "put_back", data = { attempt = 1, exit_status = 1 } },
    { at = 900, kind = "running", data = { attempt = 2 } },
    { at = 1000, kind = "step_begun", data = { step = "window_opens", attempt = 2 } },
    { at = 1001, kind = "step_done", data = { step = "window_opens" } },
    { at = 1300, kind = "step_begun", data = { step = "window_closes", attempt = 2 } },
    { at = 1310, kind = "step_done", data = { step = "window_closes" } },
    { at = 1320, kind = "done", data = { attempt = 2, exit_status = 0 } },
  }
  return recorded.of { run = run_of { attempt = 2, cut_over_at = at(1290) }, list = list, events = events_of(events),
    state = "done", now = at(90000) }
end

---The clock was set 3 h back while the window was open, and the log goes by it.
---@return pgorch.Recorded
function records.set_back()
  local list = {}
  step(list, "window_opens", 11000, 11002, { remembered = {}, result = {} })
  step(list, "window_closes", 500, 510, { result = { read_only = true } })
  local events = {
    { at = 10900, kind = "running", data = { attempt = 1 } },
    { at = 11000, kind = "step_begun", data = { step = "window_opens", attempt = 1 } },
    { at = 11002, kind = "step_done", data = { step = "window_opens" } },
    { at = 500, kind = "step_begun", data = { step = "window_closes", attempt = 1 } },
    { at = 510, kind = "step_done", data = { step = "window_closes" } },
    { at = 511, kind = "done", data = { attempt = 1, exit_status = 0 } },
  }
  return recorded.of { run = run_of { created_at = at(10900), updated_at = at(511), cut_over_at = at(505) },
    list = list, events = events_of(events), state = "done", now = at(600) }
end

---A process that was killed in the middle of a step; another one takes over two days later.
---@return pgorch.Recorded
function records.killed()
  local list, later = {}, 2 * 86400
  step(list, "restore", later + 5, later + 65, { attempt = 2 })
  local events = {
    { at = 0, kind = "running", data = { attempt = 1 } },
    { at = 10, kind = "step_begun", data = { step = "restore", attempt = 1 } },
    { at = 40, kind = "remembered", data = { step = "restore" } },
    { at = later, kind = "taken_over", data = { owner = "x:1:2", fence = 2 } },
    { at = later + 1, kind = "running", data = { attempt = 2 } },
    { at = later + 5, kind = "step_begun", data = { step = "restore", attempt = 2 } },
    { at = later + 65, kind = "step_done", data = { step = "restore" } },
    { at = later + 66, kind = "done", data = { attempt = 2, exit_status = 0 } },
  }
  return recorded.of { run = run_of { attempt = 2 }, list = list, events = events_of(events), state = "done",
    now = at(later + 90000) }
end

---Nothing has begun.
---@return pgorch.Recorded
function records.empty()
  return recorded.of { run = run_of { state = "interrupted", exit_status = nil, params = { values = {} } }, list = {},
    events = {}, state = "interrupted", now = at(90000) }
end

records.at = at

return records
