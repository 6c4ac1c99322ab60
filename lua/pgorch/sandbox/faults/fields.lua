-- What a fault may hold, and how it is written in words: `--fault "heroku.restore answer=503 times=2"`.
-- A field that nobody knows is an error: the fault would be waited for in vain.

local fail = require "pgorch.error"
local json = require "pgorch.json"
local places = require "pgorch.sandbox.faults.places"

local fields = {}

-- The stand-ins that know a field; the others would let it do nothing.
local HTTP, S3, WORKER = places.STAND_INS, { "s3" }, { "worker" }

--- Type of the value, what it does, and whose it is when not everybody's.
fields.known = {
  match       = { "string", "METHOD PATH of the requests that get it; * is anything but a slash, ** anything" },
  standin     = { "string", "with match: only requests to this stand-in (heroku, s3, vultr, ...)" },
  answer      = { "number", "HTTP status to answer with, instead of doing the work" },
  code        = { "string", "Heroku, S3: the error's id (rate_limit), or code (SlowDown)", { "heroku", "s3" } },
  message     = { "string", "Heroku, worker: the error's text", { "heroku", "worker" } },
  reason      = { "string", "Linode: what the error says (`Linode busy.` for a 400 without one)", { "linode" } },
  html        = { "boolean", "Vultr, Linode, DigitalOcean: the error is a proxy's page",
    { "vultr", "linode", "digitalocean" } },
  body        = { "any", "the answer's body: text, or an object that becomes JSON", HTTP },
  headers     = { "table", "more headers of the answer", HTTP },
  retry_after = { "number", "the answer's Retry-After, in seconds", HTTP },
  drop        = { "boolean", "the connection is cut without an answer", HTTP },
  after       = { "boolean", "the work is done, then its answer is lost: replaced by `answer`, or cut", HTTP },
  cut_after   = { "number", "the answer is cut after that many bytes of its body", HTTP },
  cut_request = { "number", "the connection is cut after that many bytes of the request's body, nothing done", HTTP },
  delay       = { "number", "seconds to wait first" },
  hold        = { "number", "seconds to keep the answer back once the work is done", HTTP },
  skew        = { "number", "S3: seconds by which its clock is wrong for this request", S3 },
  rate        = { "number", "S3: bodies flow at so many bytes a second, in and out", S3 },
  lose        = { "boolean", "S3: a part is acknowledged and forgotten; of a Complete, the last is missing", S3 },
  damage      = { "string", "S3: a part is kept with a wrong byte: `wire`, its ETag tells; `disk`, nothing does", S3 },
  looks       = { "number", "worker: so many more looks until it is ready", WORKER },
  stuck       = { "boolean", "worker: never ready", WORKER },
  error       = { "string", "worker: ends with this message", WORKER },
  silent      = { "boolean", "worker: no heartbeat while it waits", WORKER },
  canceled    = { "boolean", "worker: Heroku itself cancels the transfer", WORKER },
  warnings    = { "string", "worker: `harmless` or `lossy` errors that pg_restore went past", WORKER },
  times       = { "count", "how many requests get it: a number (1 when missing) or `always`" },
  skip        = { "number", "how many requests pass before the first one gets it" },
  chance      = { "number", "0 to 1: how likely each request gets it (always, unless `times` ends it); see --seed" },
}

--- Fields that say when, not what.
local WHEN = { match = true, standin = true, times = true, skip = true, chance = true }

local function fits(kind, value)
  if kind == "any" then return true end
  if kind == "count" then return value == "always" or math.type(value) == "integer" and value > 0 end
  return type(value) == kind
end

--- Would anybody at this place look at a field of these stand-ins? A `match` may be for each that answers requests;
--- stand-ins that are not the sandbox's own may look at all.
local function has_reader(whose, at, fault)
  local standin = at and at:match "^[^.]+" or fault.standin
  local is_known = not standin or places.is_ours(standin)
  if not whose or not is_known then return true end
  for _, each in ipairs(whose) do
    if each == standin or not standin and each ~= "worker" then return true end
  end
  return false
end

--- Raises for the first field that is unknown, of the wrong type or not for that place, and when nothing would happen.
---@param fault table
---@param at string|nil the place: at a worker's, that there is a fault may be enough
function fields.check(fault, at)
  local what = at and at:find "^worker%."
  for name, value in pairs(fault) do
    what = what or not WHEN[name]
    local known = fields.known[name]
    if not known then fail.raise("PGO-INVALID", ("a fault has no field %s"):format(tostring(name))) end
    if not fits(known[1], value) then
      fail.raise("PGO-INVALID", ("a fault's %s cannot be %s"):format(name, json.encode(value)))
    end
    if not has_reader(known[3], at, fault) then
      local where = at or fault.standin or "a request"
      fail.raise("PGO-INVALID", ("a fault's %s does nothing at %s: it is for %s"):format(name, where,
        table.concat(known[3], ", ")))
    end
  end
  if not what then fail.raise("PGO-INVALID", "the fault does not say what shall happen") end
end

--- Splits at spaces; 'quotes' and "quotes" keep them.
local function words(text)
  local found, word, quote = {}, nil, nil
  for char in text:gmatch(utf8.charpattern) do
    if quote then
      if char == quote then quote = nil else word = word .. char end
    elseif char == "'" or char == '"' then
      quote, word = char, word or ""
    elseif char:find "%s" then
      found[#found + 1], word = word, nil
    else
      word = (word or "") .. char
    end
  end
  if quote then fail.raise("PGO-INVALID", ("a quote is not closed in the fault: %s"):format(text)) end
  found[#found + 1] = word
  return found
end

local function value_of(name, text)
  local kind = fields.known[name] and fields.known[name][1]
  if kind == "number" or kind == "count" then return math.tointeger(tonumber(text)) or tonumber(text) or text end
  if kind == "boolean" then return text == "true" or text ~= "false" and text end
  if kind == "table" or kind == "any" and text:find "^[%[{]" then
    local ok, value = pcall(json.decode, text)
    return ok and value or text
  end
  return text
end

--- Reads a fault in words: a place, or a method and a path, then FIELD=VALUE or just FIELD.
---@param text string "s3.put_part answer=503 times=3", "POST /client/v11/**/restores drop after"
---@return string|nil at a place; nil when the fault has a `match`
---@return table fault
function fields.parse(text)
  local list, fault, at, first = words(text), {}, nil, 2
  if list[2] and list[2]:find "^/" then
    fault.match, first = list[1] .. " " .. list[2], 3
  else
    at = list[1]
  end
  for i = first, #list do
    local name, value = list[i]:match "^([%a_]+)=(.*)$"
    if name then fault[name] = value_of(name, value) else fault[list[i]] = true end
  end
  return at, fault
end

return fields
