-- The window of a batch: "Sat 22:00 Europe/Oslo" as seconds since 1970, in the zone that it names. It is resolved once,
-- when the batch is submitted: a re-run on Sunday morning must not mean next week by itself. Times are read by GNU
-- date, which knows the zones; names of zones are looked for first, as it takes an unknown one for UTC.

local clock   = require "pgorch.clock"
local fail    = require "pgorch.error"
local fs      = require "pgorch.fs"
local process = require "pgorch.process"

local window = {}

local ZONES = "/usr/share/zoneinfo/"
local DAY = 86400

local DAYS = { mon = 1, tue = 2, wed = 3, thu = 4, fri = 5, sat = 6, sun = 7 }

---@class pgorch.Moment
---@field text string
---@field day integer|nil   1: Monday
---@field date string|nil   "2026-11-28"
---@field time string       "22:00"
---@field zone string|nil   nil: this machine's

---"Sat 22:00 Europe/Oslo", "22:00", "2026-11-28 22:00 UTC".
---@param text any
---@return pgorch.Moment|nil
---@return string|nil why
function window.parse(text)
  local hint = "write a time as \"Sat 22:00 Europe/Oslo\", \"22:00\" or \"2026-11-28 22:00 UTC\""
  if type(text) ~= "string" then return nil, hint end
  local first, rest = text:match "^%s*(%S+)%s*(.-)%s*$"
  local day = first and first:match "^%a+$" and DAYS[first:lower():sub(1, 3)]
  local date = first and first:match "^%d%d%d%d%-%d%d%-%d%d$"
  if not day and not date then rest = text:match "^%s*(.-)%s*$" end
  local hour, minute, zone = rest:match "^(%d%d?):(%d%d)%s*(%S*)$"
  if not hour or tonumber(hour) > 23 or tonumber(minute) > 59 then return nil, hint end
  if zone ~= "" and (not zone:match "^[%a][%w_+%-/]*$" or zone:find("..", 1, true)) then
    return nil, ("%s is no name of a zone, such as Europe/Oslo"):format(zone)
  end
  return { text = text, day = day or nil, date = date, time = ("%02d:%s"):format(tonumber(hour), minute),
           zone = zone ~= "" and zone or nil }
end

local function need_zone(zone)
  if not zone or zone == "UTC" or fs.exists(ZONES .. zone) and fs.stat(ZONES .. zone).type == "file" then return end
  fail.raise("PGO-BATCH", ("window: there is no time zone %s in %s"):format(zone, ZONES),
    { cure = fs.exists(ZONES) and "Write it as in the tz database: Europe/Oslo, America/New_York, UTC."
        or "Install the package tzdata." })
end

local function date(zone, ...)
  local words = { "date", ... }
  words.env, words.check, words.timeout = { TZ = zone, LC_ALL = "C" }, false, 10
  return process.run(words)
end

-- "2026-11-28 22:00" in that zone. A time that a clock put forward leaves out is none.
local function epoch(day, moment)
  local said = date(moment.zone, "-d", ("%s %s"):format(day, moment.time), "+%s")
  local at = tonumber(said.stdout:match "^(%d+)")
  if said.code == 0 and at then return at end
  fail.raise("PGO-BATCH", ("window: there is no %s on %s%s"):format(moment.time, day,
    moment.zone and " in " .. moment.zone or ""), { cure = "Clocks are put forward that day; name a time after it." })
end

-- The date that it is at `now` in that zone, as days since 1970.
local function today(now, zone)
  local said = date(zone, "-d", ("@%d"):format(now), "+%Y-%m-%d %u").stdout
  local day, weekday = said:match "^(%S+) (%d)"
  return clock.parse_iso(day) // DAY, tonumber(weekday)
end

local function date_of(days) return clock.iso(days * DAY):sub(1, 10) end

-- When that moment is, once before and twice after `now`, as far as it repeats.
local function times(moment, now)
  need_zone(moment.zone)
  if moment.date then return { epoch(moment.date, moment) } end
  local days, weekday = today(now, moment.zone)
  local every = moment.day and 7 or 1
  local base = days + (moment.day and (moment.day - weekday) % 7 or 0)
  local list = {}
  for i = -1, 2 do list[#list + 1] = epoch(date_of(math.tointeger(base + i * every)), moment) end
  return list
end

local function read(text)
  local moment, why = window.parse(text)
  return moment or fail.raise("PGO-BATCH", ("window: `%s`: %s"):format(tostring(text), why))
end

local function first_after(list, after)
  for _, at in ipairs(list) do
    if at > after then return at end
  end
end

local function is_over(text)
  fail.raise("PGO-BATCH", ("the window is over: %s"):format(text), { cure = "Name a later one." })
end

-- The one that is open now, else the next one.
local function both(spec, now)
  local opens, closes = read(spec.opens), read(spec.closes)
  local ends = times(closes, now)
  for _, at in ipairs(times(opens, now)) do
    local till = first_after(ends, at)
    if till and till > now then return at, till end
  end
  is_over(("%s - %s"):format(spec.opens, spec.closes))
end

---The window as it is from now on: the one that is open, else the next one. Awaits.
---@param spec {opens?: string, closes?: string}
---@param now? number   seconds since 1970
---@return {opens?: string, closes?: string, opens_at?: integer, closes_at?: integer}
function window.resolve(spec, now)
  now = math.floor(now or clock.time())
  local made = { opens = spec.opens, closes = spec.closes }
  if spec.opens and spec.closes then
    made.opens_at, made.closes_at = both(spec, now)
  elseif spec.closes then
    made.closes_at = first_after(times(read(spec.closes), now), now) or is_over(spec.closes)
  elseif spec.opens then
    local list = times(read(spec.opens), now)
    made.opens_at = first_after(list, now) or list[#list]
  end
  return made
end

-- An estimate is exceeded at times, and a run needs its last minutes for putting back.
local ROOM, LEAST_SECONDS = 1.2, 300

---Whether a row may start now; if not, why, in words.
---@param resolved {opens?: string, closes?: string, opens_at?: integer, closes_at?: integer}|nil
---@param now number        seconds since 1970
---@param estimate? number  seconds
---@return boolean
---@return string|nil reason
function window.fits(resolved, now, estimate)
  if not resolved then return true end
  if resolved.opens_at and now < resolved.opens_at then return false, "the window opens " .. resolved.opens end
  if not resolved.closes_at then return true end
  if now >= resolved.closes_at then return false, "the window closed " .. resolved.closes end
  local needed = math.max(LEAST_SECONDS, (estimate or 0) * ROOM)
  if now + needed <= resolved.closes_at then return true end
  return false, ("needs about %d min, and the window closes in %d"):format(math.ceil(needed / 60),
    (resolved.closes_at - now) // 60)
end

---Whether a row could ever start: from the very beginning on.
---@param resolved {opens_at?: integer, closes_at?: integer}|nil
---@param estimate? number  seconds
---@return boolean
function window.could_fit(resolved, estimate)
  if not resolved or not resolved.opens_at or not resolved.closes_at then return true end
  return resolved.opens_at + math.max(LEAST_SECONDS, (estimate or 0) * ROOM) <= resolved.closes_at
end

---@param resolved table|nil
---@param now number
---@return boolean
function window.is_over(resolved, now)
  return resolved ~= nil and resolved.closes_at ~= nil and now >= resolved.closes_at
end

return window
