-- The shapes that all answers of the DigitalOcean stand-in share: JSON, errors with a request id, pages whose
-- links are URLs, times with a zone.

local clock = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local json = require "pgorch.json"

local answer = {}

local DEFAULT_PAGE, MAX_PAGE = 20, 200

---@param status integer
---@param value table
---@return table
function answer.json(status, value)
  return { status = status, headers = { ["content-type"] = "application/json" }, body = json.encode(value) }
end

--- What a change answers.
---@return table
function answer.empty() return { status = 204, headers = {}, body = "" } end

---@param status integer
---@param id string "not_found"
---@param message string
---@return table
function answer.error(status, id, message)
  return answer.json(status, { id = id, message = message, request_id = crypto.uuid() })
end

---@return table
function answer.not_found()
  return answer.error(404, "not_found", "The resource you were accessing could not be found.")
end

--- What a proxy in front of the API says.
---@param status integer
---@return table
function answer.html(status)
  return { status = status, headers = { ["content-type"] = "text/html" },
    body = ("<html><head><title>%d</title></head><body><h1>%d</h1></body></html>\n"):format(status, status) }
end

--- A time as DigitalOcean writes it: "2026-11-19T23:54:10Z".
---@param time number
---@return string
function answer.time(time) return (clock.iso(math.floor(time))) end

--- One page of a list. The next page is given as a URL; on the last one `links` is empty.
---@param key string
---@param items table[]
---@param request { arguments: table<string, string>, url: string } url: of the list, without a query
---@return table
function answer.page(key, items, request)
  local given = request.arguments
  local size, page = math.tointeger(tonumber(given.per_page or DEFAULT_PAGE)), math.tointeger(tonumber(given.page or 1))
  if not size or size < 1 or size > MAX_PAGE or not page or page < 1 then
    return answer.error(422, "unprocessable_entity", "Invalid pagination parameters.")
  end
  local found = table.move(items, (page - 1) * size + 1, math.min(page * size, #items), 1, json.array {})
  local function link(number) return ("%s?page=%d&per_page=%d"):format(request.url, number, size) end
  local pages = {}
  if page > 1 then pages.first, pages.prev = link(1), link(page - 1) end
  if page * size < #items then pages.next, pages.last = link(page + 1), link((#items + size - 1) // size) end
  return answer.json(200, { [key] = found, links = next(pages) and { pages = pages } or {},
    meta = { total = #items } })
end

return answer
