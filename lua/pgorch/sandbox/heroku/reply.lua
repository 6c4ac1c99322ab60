-- Answers of the Heroku stand-in: JSON bodies, the error shapes of the Platform API, list paging by Range.
-- A refusal is raised from anywhere in a handler and becomes an answer in one place.

local json = require "pgorch.json"

local reply = {}

---@param status integer
---@param value any what json.encode takes
---@param headers? table<string, string>
function reply.json(status, value, headers)
  local all = { ["Content-Type"] = "application/json;charset=utf-8" }
  for name, text in pairs(headers or {}) do all[name] = text end
  return { status = status, headers = all, body = json.encode(value) }
end

--- Ends the handling of a request with an error answer.
---@param status integer
---@param id string e.g. "not_found"
---@param message string
---@param more? table further keys of the body
---@param headers? table<string, string>
function reply.refuse(status, id, message, more, headers)
  local body = { id = id, message = message }
  for name, value in pairs(more or {}) do body[name] = value end
  error({ refusal = reply.json(status, body, headers) }, 0)
end

function reply.not_found(resource, message)
  reply.refuse(404, "not_found", message or ("Couldn't find that %s."):format((resource:gsub("_", "-"))), {
    resource = resource })
end

function reply.invalid(message)
  reply.refuse(422, "invalid_params", message)
end

local function by_key(key, descending)
  return function(a, b)
    if descending then return a[key] > b[key] end
    return a[key] < b[key]
  end
end

--- "version 3..; order=desc,max=10" -> key, first, descending, max
local function parse_range(text, keys, page)
  if not text then return keys[1], nil, false, page end
  local key, first, rest = text:match "^%s*([%w_]+)%s+([^;%.%]]*)%.%.[^;]*;?%s*(.*)$"
  local known = false
  for _, each in ipairs(keys) do known = known or each == key end
  if not known then reply.refuse(416, "requested_range_not_satisfiable", "That range cannot be satisfied.") end
  local max = tonumber(rest:match "max=(%d+)") or page
  return key, first ~= "" and first or nil, rest:find("order=desc", 1, true) ~= nil, math.min(max, 1000)
end

--- One page of a list, as the Range header asks for it: 206 and Next-Range while there is more.
---@param request table
---@param list table[]
---@param o { keys: string[], page: integer, shape: fun(item: table): table }
function reply.page(request, list, o)
  local key, first, descending, max = parse_range(request.headers.range, o.keys, o.page)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted, by_key(key, descending))
  local from = 1
  if first then
    local wanted = type((sorted[1] or {})[key]) == "number" and tonumber(first) or first
    while sorted[from] and (descending and sorted[from][key] > wanted or not descending
      and sorted[from][key] < wanted) do
      from = from + 1
    end
  end
  local shown, last = json.array {}, math.min(from + max - 1, #sorted)
  for i = from, last do shown[#shown + 1] = o.shape(sorted[i]) end
  local headers = { ["Accept-Ranges"] = table.concat(o.keys, ", ") }
  if last >= from then headers["Content-Range"] = ("%s %s..%s"):format(key, sorted[from][key], sorted[last][key]) end
  local more = sorted[last + 1]
  if more then
    headers["Next-Range"] = ("%s %s..; order=%s,max=%d"):format(key, more[key], descending and "desc" or "asc", max)
  end
  return reply.json(more and 206 or 200, shown, headers)
end

return reply
