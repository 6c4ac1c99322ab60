-- The shapes that all answers of the Linode stand-in share: JSON, errors as a list of reasons, numbered pages (filtered
-- by X-Filter), times without a zone.

local clock = require "pgorch.clock"
local filter = require "pgorch.sandbox.linode.filter"
local json = require "pgorch.json"

local answer = {}

local DEFAULT_PAGE, MIN_PAGE, MAX_PAGE = 100, 25, 500

---@param status integer
---@param value table
---@return table
function answer.json(status, value)
  return { status = status, headers = { ["content-type"] = "application/json" }, body = json.encode(value) }
end

--- What actions answer.
---@return table
function answer.empty() return answer.json(200, {}) end

---@param status integer
---@param reason string
---@param field? string the field of the request that is wrong
---@return table
function answer.error(status, reason, field)
  return answer.json(status, { errors = json.array { { reason = reason, field = field } } })
end

--- What nginx in front of the API says.
---@param status integer
---@return table
function answer.html(status)
  local page = "<html>\r\n<head><title>%d</title></head>\r\n<body>\r\n<center><h1>%d</h1></center>\r\n<hr>"
    .. "<center>nginx</center>\r\n</body>\r\n</html>\r\n"
  return { status = status, headers = { ["content-type"] = "text/html", server = "nginx" },
    body = page:format(status, status) }
end

--- A time as Linode writes it, in UTC: "2026-11-10T00:05:00".
---@param time number
---@return string
function answer.time(time) return (clock.iso(math.floor(time)):gsub("Z$", "")) end

local function whole(text, least, most)
  local number = math.tointeger(tonumber(text))
  return number and number >= least and number <= most and number or nil
end

--- One page of a list, of what its filter leaves.
---@param items table[]
---@param request { arguments: table<string, string>, filter: string? }
---@return table
function answer.page(items, request)
  local given = request.arguments
  local size = whole(given.page_size or DEFAULT_PAGE, MIN_PAGE, MAX_PAGE)
  if not size then return answer.error(400, ("Must be %d-%d"):format(MIN_PAGE, MAX_PAGE), "page_size") end
  local found, why = filter.apply(items, request.filter)
  if not found then return answer.error(400, why, "X-Filter") end
  local pages = math.max(1, (#found + size - 1) // size)
  local page = whole(given.page or 1, 1, pages)
  if not page then return answer.error(404, "Not found") end
  local data = table.move(found, (page - 1) * size + 1, math.min(page * size, #found), 1, json.array {})
  return answer.json(200, { data = data, page = page, pages = pages, results = #found })
end

return answer
