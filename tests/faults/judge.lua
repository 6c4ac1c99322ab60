-- Judges what a move has left in its world: by the stand-ins' state, the servers themselves, requests.jsonl and the
-- record's own order of events. Nothing that pgorch prints counts, and none of its code compares. Changes nothing.

local clock     = require "pgorch.clock"
local contents  = require "judge.contents"
local event_log = require "support.event_log"
local fs        = require "pgorch.fs"
local json      = require "pgorch.json"
local record    = require "record"

local judge = {}

local READ_ONLY = "default_transaction_read_only"

---@class pgorch.tests.Move
---@field id string          the run's
---@field world table
---@field app_name string
---@field bucket string
---@field dir string         XDG_STATE_HOME of its pgorch
---@field lane {dbname: string, allowed: fun(self): string[], keys: fun(self): table[]}

-- Before -----------------------------------------------------------------------------------------------------------

local function copy(from)
  local to = {}
  for name, value in pairs(from) do to[name] = value end
  return to
end

local function source_settings(move)
  local conn <close> = move.world.source.cluster:connect(move.lane.dbname)
  return contents.settings(conn, move.lane.dbname)
end

---Takes what the source holds for what it has to hold: at the beginning, and when one of its clients has written.
---@param move pgorch.tests.Move
function judge.take_data(move)
  local conn <close> = move.world.source.cluster:connect(move.lane.dbname)
  move.before.data, move.before.unlogged = contents.read(conn)
end

local function requests_file(move) return move.world.dir .. "/requests.jsonl" end

local function size_of(path)
  local about = fs.stat(path)
  return about and about.size or 0
end

---What is to be found again, taken before the move begins.
---@param move pgorch.tests.Move
function judge.begin(move)
  local app = move.world.heroku:app(move.app_name)
  move.before = { config = copy(app.config), dynos = copy(move.world.heroku:dynos(move.app_name)),
    maintenance = app.maintenance, allowed = table.concat(move.lane:allowed(), " "), settings = source_settings(move),
    requests = size_of(requests_file(move)) }
  judge.take_data(move)
end

-- The app ----------------------------------------------------------------------------------------------------------

local function same(what, now, before, say)
  if now ~= before then say("%s: %s, not %s", what, tostring(now), tostring(before)) end
end

local function judge_dynos(move, say)
  local app = move.world.heroku:app(move.app_name)
  same("maintenance", app.maintenance, move.before.maintenance, say)
  local now = move.world.heroku:dynos(move.app_name)
  for kind, quantity in pairs(move.before.dynos) do same("dynos of " .. kind, now[kind], quantity, say) end
end

local function addons_of(move)
  local found = {}
  for _, addon in ipairs(move.world.heroku.state.addons) do
    if addon.app == move.world.heroku:app(move.app_name) then found[#found + 1] = addon end
  end
  return found
end

local function judge_config(move, expected, say)
  local app = move.world.heroku:app(move.app_name)
  local now, known = move.world.heroku.state:config(app), copy(expected)
  for _, addon in ipairs(addons_of(move)) do known[addon.name] = nil end
  for name, value in pairs(expected) do
    if now[name] ~= value then say("config var %s is not what it has to be", name) end
  end
  for name in pairs(now) do
    local attached = name:find "^HEROKU_POSTGRESQL_" or name:find "^PGORCH_TARGET"
    if expected[name] == nil and not attached then say("config var %s is new", name) end
  end
end

-- Requests and restores --------------------------------------------------------------------------------------------

---What the stand-ins were asked for this move: its id is in the names of its app, its add-on and its bucket.
---@param move pgorch.tests.Move
---@return table[]
function judge.requests(move)
  local found, path = {}, requests_file(move)
  if not fs.exists(path) then return found end
  local text = fs.source(path, { offset = move.before.requests }):read_all(1 << 30)
  for line in text:gmatch "[^\n]+" do
    if line:find(move.id, 1, true) then found[#found + 1] = json.decode(line) end
  end
  return found
end

local function judge_requests(move, most, say)
  local made = 0
  for _, entry in ipairs(judge.requests(move)) do
    local posted = entry.method == "POST" and entry.path
    if posted == ("/apps/%s/addons"):format(move.app_name) and entry.status == 201 then made = made + 1 end
    local asks = posted and (posted:find "^/client/v11/databases/[^/]+/restores$"
      or posted:find "^/client/v11/databases/[^/]+/transfers$")
    if asks and entry.status == 409 then
      say "a restore was asked for while one ran"
    end
  end
  if made > most then say("%d add-ons were made", made) end
end

-- Oldest first.
local function restores_of(move)
  local found = {}
  for _, each in ipairs(move.world.heroku:app(move.app_name).transfers) do
    if each.to_type == "pg_restore" then found[#found + 1] = each end
  end
  table.sort(found, function(a, b) return a.num < b.num end)
  return found
end

-- Returns those that succeeded.
local function judge_restores(move, say)
  local good, last = {}, nil
  for _, each in ipairs(restores_of(move)) do
    if last and clock.parse_iso(each.created_at) < last then say("restore %d began while another ran", each.num) end
    if not each.finished_at then say("restore %d still runs", each.num) end
    last = clock.parse_iso(each.finished_at or clock.iso())
    if each.succeeded then good[#good + 1] = each end
  end
  return good
end

-- What is left ------------------------------------------------------------------------------------------------------

local function judge_left_overs(move, say)
  local bucket = move.world.s3.server.buckets[move.bucket] or { objects = {}, uploads = {} }
  for key in pairs(bucket.objects) do say("the object %s is left", key) end
  for _, upload in pairs(bucket.uploads) do
    if not upload.completed then say("an upload of %s is left", upload.key) end
  end
  same("the allow list", table.concat(move.lane:allowed(), " "), move.before.allowed, say)
  for _, key in ipairs(move.lane:keys()) do
    if key.label == "pgorch-" .. move.id then say("the storage key %s is left", key.label) end
  end
end

local ENDED = { moved = "done", ["as before"] = "put_back" }

-- `ahead`: so many seconds the clock of pgorch was before the world's.
local function judge_events(image, ahead, say)
  image.now = math.floor((clock.time() + (ahead or 0)) * 1e6)
  for _, complaint in ipairs(event_log.complaints(image)) do say("events: %s", complaint) end
end

local function judge_record(move, how, ahead, say)
  local image = record.image(move.dir .. "/pgorch", move.id)
  if not image.run then return say "the record has no such run" end
  same("the run's state", image.run.state, ENDED[how], say)
  if how == "moved" and not image.run.cut_over_at then say "the record does not say when it was cut over" end
  for name, lock in pairs(image.locks) do
    -- A source that stays closed for good is still told: whoever shares it must not open it.
    local for_good = how == "moved" and lock.data ~= nil and json.decode(lock.data).for_good
    if not for_good then say("the record still holds %s", name) end
  end
  judge_events(image, ahead, say)
end

-- The data ----------------------------------------------------------------------------------------------------------

-- That the source holds what it held; unlogged tables, which a crash empties, only without one.
local function judge_source(move, crashed, say)
  local source <close> = move.world.source.cluster:connect(move.lane.dbname)
  contents.compare(move.before.data, contents.read(source), { "the source before", "the source now" }, say,
    crashed and move.before.unlogged or nil)
end

local function judge_data(move, database, crashed, say)
  local source <close> = move.world.source.cluster:connect(move.lane.dbname)
  local target <close> = move.world.target.cluster:connect(database.dbname)
  same("the source's " .. READ_ONLY, source:value("show " .. READ_ONLY), "on", say)
  same("the new database's " .. READ_ONLY, target:value("show " .. READ_ONLY), "off", say)
  same("the source's other settings", contents.settings(source, move.lane.dbname, READ_ONLY), move.before.settings, say)
  contents.compare(move.before.data, contents.read(target), { "the source", "the new database" }, say,
    crashed and move.before.unlogged or nil)
end

-- Apps may reach the new database by another way than it is known by to Heroku.
local function promoted(move)
  local state, seen = move.world.heroku.state, move.world.seen_by_apps or function(url) return url end
  for _, addon in ipairs(addons_of(move)) do
    if addon.database and seen(addon.database.url) == state:config(addon.app).DATABASE_URL then
      return addon.database, seen(addon.database.url)
    end
  end
end

-- A dump of the run's, or a copy that was asked for in its name.
local function is_of(move, transfer)
  if transfer.from_type == "pg_dump" then
    return move.lane.way == "heroku" and transfer.from_name:find("pgorch/" .. move.id, 1, true)
  end
  return transfer.from_url:find(("/pgorch/%s/%%d+[%%d-]*%%.dump"):format(move.id))
end

local function judge_moved(move, o, say)
  local addons, good = addons_of(move), judge_restores(move, say)
  local least = move.lane.way == "direct" and 0 or 1               -- Heroku restores nothing in a copy from here
  if #addons ~= 1 then say("%d add-ons, not 1", #addons) end
  if #good < least or #good > least + (o.more_restores or 0) then
    say("%d accepted restores, not %d", #good, least)
  end
  local database, url = promoted(move)
  if not database then return say "DATABASE_URL is that of none of the app's add-ons" end
  local last = good[#good]
  if last and last.to_url ~= database.url then say "the accepted restore went into another database" end
  if last and not is_of(move, last) then
    say("the accepted restore was of %s", last.from_name == "BACKUP" and last.from_url:match "^[^?]*" or last.from_name)
  end
  local expected = copy(move.before.config)
  expected.OLD_DATABASE_URL, expected.DATABASE_URL = expected.DATABASE_URL, url
  judge_config(move, expected, say)
  judge_data(move, database, o.crashed, say)
end

local function judge_as_before(move, o, say)
  local addons = addons_of(move)                      -- what is billed is kept, once
  if #addons > 1 then say("%d add-ons", #addons) end
  if #judge_restores(move, say) > 1 + (o.more_restores or 0) then say "more than one accepted restore" end
  judge_config(move, move.before.config, say)
  same("the source's settings", source_settings(move), move.before.settings, say)
end

---@class pgorch.tests.Allowed  what may have happened besides
---@field more_restores? integer   so many accepted restores besides one
---@field more_addons? integer     so many add-ons made besides one
---@field crashed? boolean         the source went down as in a crash: its unlogged tables are empty
---@field ahead? number            seconds that pgorch's clock was before the world's

---@param move pgorch.tests.Move
---@param how "moved"|"as before"
---@param o? pgorch.tests.Allowed
---@return string[] complaints  none is the good verdict
function judge.complaints(move, how, o)
  local list = {}
  local function say(what, ...) list[#list + 1] = what:format(...) end
  o = o or {}
  judge_dynos(move, say)
  judge_requests(move, 1 + (o.more_addons or 0), say)
  judge_left_overs(move, say)
  judge_record(move, how, o.ahead, say)
  if how == "moved" then judge_moved(move, o, say) else judge_as_before(move, o, say) end
  judge_source(move, o.crashed, say)
  return list
end

-- Kept ---------------------------------------------------------------------------------------------------------------

local function state_of(image, id) return image.steps[id] and image.steps[id].state end

-- Between the end of one step and the beginning of the other, and not while it is put back.
local function is_in_window(image)
  local going = image.run and image.run.state ~= "undoing" and image.run.state ~= "undo_failed"
    and image.run.state ~= "put_back"
  return going and state_of(image, "window_opens") == "done" and not state_of(image, "window_closes")
end

---What a run that is not over has to keep: a closed window, when it is in one. The source holds what it held, and only
---a cut-over that has begun may have touched the app's address. Nothing to say outside of the window.
---@param move pgorch.tests.Move
---@param o? {opened?: boolean, crashed?: boolean, ahead?: number, unread?: boolean}  opened: somebody else has opened
---  the source; unread: its data is not looked at
---@return string[] complaints
function judge.kept(move, o)
  local list, image = {}, record.image(move.dir .. "/pgorch", move.id)
  local function say(what, ...) list[#list + 1] = "kept: " .. what:format(...) end
  o = o or {}
  if not is_in_window(image) then return list end
  same("maintenance", move.world.heroku:app(move.app_name).maintenance, true, say)
  for kind, quantity in pairs(move.world.heroku:dynos(move.app_name)) do same("dynos of " .. kind, quantity, 0, say) end
  if not state_of(image, "cut_over") then judge_config(move, move.before.config, say) end
  if not o.opened and not source_settings(move):find(READ_ONLY .. "=on", 1, true) then say "the source is open" end
  if not o.unread then judge_source(move, o.crashed, say) end
  judge_events(image, o.ahead, say)
  return list
end

return judge
