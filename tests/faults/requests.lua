-- What a move has asked the stand-ins and what they answered, read from the world's requests.jsonl: an outsider's
-- record, of which pgorch knows nothing. Each request gets its place, as faults name it.

local clock = require "pgorch.clock"
local fs    = require "pgorch.fs"
local json  = require "pgorch.json"

local requests = {}

---@param entry table  a line of the record
---@return string place "heroku.restore"
function requests.place(entry)
  return require("pgorch.sandbox." .. entry.standin).operation(
    { method = entry.method, path = entry.path, query = entry.query, headers = entry.headers or {} })
end

-- Where the record ends now, for requests.since.
---@return integer
function requests.mark(world)
  local about = fs.stat(world.dir .. "/requests.jsonl")
  return about and about.size or 0
end

---All that came after the mark.
---@param mark integer
---@return table[] entries {place=, status=, dropped=, fault=, ...}
function requests.since(world, mark)
  local found = {}
  local path = world.dir .. "/requests.jsonl"
  local text = fs.exists(path) and fs.read(path, 1 << 28):sub(mark + 1) or ""
  for line in text:gmatch "[^\n]+" do
    local entry = json.decode(line)
    entry.place = requests.place(entry)
    found[#found + 1] = entry
  end
  return found
end

---How often each place was asked.
---@return table<string, integer>
function requests.count(entries)
  local found = {}
  for _, entry in ipairs(entries) do found[entry.place] = (found[entry.place] or 0) + 1 end
  return found
end

-- By how many seconds the clock of who signed a request of the storage differed; nil where it does not say.
local function skew_of(entry)
  local signed = (entry.headers or {})["x-amz-date"]
  local year, month, day, hour, minute, second = (signed or ""):match "^(%d%d%d%d)(%d%d)(%d%d)T(%d%d)(%d%d)(%d%d)Z$"
  if not year then return nil end
  return clock.parse_iso(("%s-%s-%sT%s:%s:%sZ"):format(year, month, day, hour, minute, second))
    - clock.parse_iso(entry.time)
end

---What was answered to the first request that was signed with a clock so wrong, in words; nil when there was none.
---@param entries table[]
---@param seconds number  ahead; negative: behind
---@return string|nil
function requests.skewed(entries, seconds)
  for _, entry in ipairs(entries) do
    local skew = skew_of(entry)
    if skew and math.abs(skew - seconds) < 120 then
      return ("signed %+.0f s wrong: %s %s"):format(skew, entry.status, entry.code or "")
    end
  end
end

-- How one answer looked to the client.
local function shown(entry)
  if entry.dropped then return "reset" end
  if entry.cut_after then return ("%d, cut after %d B"):format(entry.status, entry.cut_after) end
  if entry.client_left then return "client left" end
  if entry.fault and entry.fault.delay then return ("%s after %.0f s"):format(entry.status, entry.seconds) end
  return entry.code and entry.status >= 400 and ("%d %s"):format(entry.status, entry.code) or tostring(entry.status)
end

---The answers that a fault changed, in words: "503 x2, reset x1". Empty when none was.
---@param entries table[]
---@return string
---@return integer count
function requests.changed(entries)
  local order, counts, total = {}, {}, 0
  for _, entry in ipairs(entries) do
    if entry.fault then
      local text = shown(entry)
      if not counts[text] then order[#order + 1] = text end
      counts[text], total = (counts[text] or 0) + 1, total + 1
    end
  end
  for i, text in ipairs(order) do order[i] = ("%s x%d"):format(text, counts[text]) end
  return table.concat(order, ", "), total
end

return requests
