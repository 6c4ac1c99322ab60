-- Lists of the Platform API, a page at a time: `Range: name ]demo-app..; order=desc,max=10` asks for one, 206 with
-- Next-Range says that there is more, 416 that the range makes no sense.

local json  = require "pgorch.json"
local reply = require "pgorch.sandbox.heroku.reply"

local page = {}

local MOST = 1000

local function refuse()
  reply.refuse(416, "requested_range_not_satisfiable", "That range cannot be satisfied.")
end

---@class pgorch.sandbox.heroku.Range
---@field key string
---@field from string|nil
---@field after boolean     `from` itself is not wanted ("]" in front of it)
---@field to string|nil
---@field descending boolean
---@field max integer

--- An empty header is none: the CLI sends one where it wants the default.
---@return pgorch.sandbox.heroku.Range
local function parse(text, o)
  if not text or text == "" then return { key = o.keys[1], descending = false, max = o.page } end
  local key, from, to, rest = text:match "^%s*([%w_]+)%s*([^;]-)%.%.([^;]*);?%s*(.*)$"
  local known = false
  for _, each in ipairs(o.keys) do known = known or each == key end
  local max = rest and rest:match "max=([^%s,;]+)"
  if not known or max and not max:match "^[1-9]%d*$" then refuse() end
  return { key = key, from = from:match "^%]?(.+)$", after = from:sub(1, 1) == "]", to = to:match "^%s*(%S+)%s*$",
    descending = rest:find("order=desc", 1, true) ~= nil, max = math.min(tonumber(max) or o.page, MOST) }
end

local function sort(list, range)
  local sorted, key = table.move(list, 1, #list, 1, {}), range.key
  table.sort(sorted, function(a, b)
    if range.descending then return a[key] > b[key] end
    return a[key] < b[key]
  end)
  return sorted
end

--- A bound of the range, of the kind that the key has.
local function bound(text, sorted, key)
  if not text or type((sorted[1] or {})[key]) ~= "number" then return text end
  return tonumber(text) or refuse()
end

local function within(sorted, range)
  local from, to = bound(range.from, sorted, range.key), bound(range.to, sorted, range.key)
  local found = {}
  for _, item in ipairs(sorted) do
    local value = item[range.key]
    local inside = not from or value == from and not range.after
      or value ~= from and (value > from) ~= range.descending
    local before_end = not to or value == to or (value < to) ~= range.descending
    if inside and before_end then found[#found + 1] = item end
  end
  return found
end

local function next_range(range, last)
  return ("%s ]%s..%s; %smax=%d"):format(range.key, last[range.key], range.to or "",
    range.descending and "order=desc," or "", range.max)
end

--- One page of a list, as the Range header asks for it.
---@param request table
---@param list table[]
---@param o { keys: string[], page: integer, shape: fun(item: table): table } keys: what it can be sorted by; the
---  first one is the default
function page.of(request, list, o)
  local range = parse(request.headers.range, o)
  local found = within(sort(list, range), range)
  local shown, count = json.array {}, math.min(range.max, #found)
  for i = 1, count do shown[i] = o.shape(found[i]) end
  local headers = { ["Accept-Ranges"] = table.concat(o.keys, ", ") }
  if count > 0 then
    headers["Content-Range"] = ("%s %s..%s"):format(range.key, found[1][range.key], found[count][range.key])
  end
  if #found > count then headers["Next-Range"] = next_range(range, found[count]) end
  return reply.json(#found > count and 206 or 200, shown, headers)
end

return page
