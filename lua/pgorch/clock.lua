-- The time of day, and the two spellings of it that servers use. Times are seconds since 1970, UTC.
-- For how long something took, use task.now(), which nobody can set back.

local native = require "pgorch.native.clock"
local fail = require "pgorch.error"

-- uptime: seconds since this machine was started, those included in which it slept.
local clock = { time = native.time, uptime = native.uptime }

local months = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10,
  Nov = 11, Dec = 12 }

-- Days since 1970-01-01 of a date in the Gregorian calendar; the year begins in March, so that the leap day
-- is its last.
local function days(year, month, day)
  if month <= 2 then year = year - 1 end
  local era = year // 400
  local year_of_era = year - era * 400
  local day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
  return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468
end

local function date(day_number)
  local shifted = day_number + 719468
  local era = shifted // 146097
  local day_of_era = shifted - era * 146097
  local year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
  local day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
  local march_based = (5 * day_of_year + 2) // 153
  local month = march_based < 10 and march_based + 3 or march_based - 9
  local day = day_of_year - (153 * march_based + 2) // 5 + 1
  return year_of_era + era * 400 + (month <= 2 and 1 or 0), month, day
end

local function seconds(year, month, day, hour, minute, second)
  if month < 1 or month > 12 or day < 1 or day > 31 or hour > 24 or minute > 59 or second > 60 then return nil end
  return days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
end

---@param time? number  seconds since 1970; now
---@return string       "2026-11-20T18:00:00Z"
function clock.iso(time)
  local whole = math.floor(time or clock.time())
  local year, month, day = date(whole // 86400)
  local rest = whole % 86400
  return ("%04d-%02d-%02dT%02d:%02d:%02dZ"):format(year, month, day, rest // 3600, rest // 60 % 60, rest % 60)
end

local function offset_of(zone)
  if zone == "" or zone == "Z" or zone == "z" or zone == "UTC" then return 0 end
  local sign, hours, minutes = zone:match "^([+-])(%d%d):?(%d?%d?)$"
  if not sign then return nil end
  local offset = tonumber(hours) * 3600 + (tonumber(minutes) or 0) * 60
  return sign == "-" and -offset or offset
end

---Reads what APIs and PostgreSQL write: "2026-11-20T18:00:00Z", "2026-11-20 18:00:00.25 +0100",
---"2026-11-20 18:00:00+01", "2026-11-20". No zone means UTC.
---@param text string
---@return number  seconds since 1970, with a fraction if there was one; raises PGO-INVALID
function clock.parse_iso(text)
  local year, month, day, rest = text:match "^(%d%d%d%d)-(%d%d)-(%d%d)(.*)$"
  local hour, minute, second, zone = "0", "0", "0", ""
  if rest and rest ~= "" then
    hour, minute, second, zone = rest:match "^[Tt ](%d%d):(%d%d):?([%d.]*) ?(.*)$"
    if second == "" then second = "0" end
  end
  local offset = year and zone and offset_of(zone)
  local epoch = offset and tonumber(second) and seconds(tonumber(year), tonumber(month),
    tonumber(day), tonumber(hour), tonumber(minute), tonumber(second))
  if not epoch then fail.raise("PGO-INVALID", ("not a time: %q"):format(text)) end
  return epoch - offset
end

---Reads the Date header of a reply: "Fri, 20 Nov 2026 18:00:00 GMT".
---@param text string|nil
---@return integer|nil  seconds since 1970; nil when it is not one
function clock.parse_http(text)
  local day, name, year, hour, minute, second =
    (text or ""):match "^%a%a%a, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$"
  if not day or not months[name] then return nil end
  return seconds(tonumber(year), months[name], tonumber(day), tonumber(hour),
    tonumber(minute), tonumber(second))
end

return clock
