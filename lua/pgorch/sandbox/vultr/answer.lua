-- The shapes that all answers of the Vultr stand-in share: JSON, the error object, pages with a cursor, times.

local clock = require "pgorch.clock"
local crypto = require "pgorch.crypto"
local json = require "pgorch.json"

local answer = {}

local DEFAULT_PAGE, MAX_PAGE = 100, 500

---@param status integer
---@param value table
---@return table
function answer.json(status, value)
  return { status = status, headers = { ["content-type"] = "application/json" }, body = json.encode(value) }
end

---@param status integer
---@param text string
---@return table
function answer.error(status, text) return answer.json(status, { error = text, status = status }) end

--- What a proxy in front of the API says.
---@param status integer
---@return table
function answer.html(status)
  local page = "<html>\r\n<head><title>%d</title></head>\r\n<body><center><h1>%d</h1></center></body>\r\n</html>\r\n"
  return { status = status, headers = { ["content-type"] = "text/html" }, body = page:format(status, status) }
end

--- A time as Vultr writes it, in UTC: "2026-11-19 23:54:10".
---@param time number
---@return string
function answer.time(time) return (clock.iso(math.floor(time)):gsub("T", " "):gsub("Z$", "")) end

--- One page of a list. `next` is a token that means nothing to the client, empty on the last page.
---@param key string
---@param items table[]
---@param arguments table<string, string>
---@return table
function answer.page(key, items, arguments)
  local size = math.tointeger(tonumber(arguments.per_page or DEFAULT_PAGE))
  if not size or size < 1 or size > MAX_PAGE then return answer.error(400, "Invalid per_page value.") end
  local start = 0
  if arguments.cursor and arguments.cursor ~= "" then
    local ok, text = pcall(crypto.unbase64, arguments.cursor)
    start = ok and text and math.tointeger(tonumber(text:match("^next__(%d+)$")))
    if not start then return answer.error(400, "Invalid cursor.") end
  end
  local page = json.array {}
  for i = start + 1, math.min(start + size, #items) do page[#page + 1] = items[i] end
  local more, before = start + #page < #items, start > 0
  return answer.json(200, { [key] = page, meta = { total = #items, links = {
    next = more and crypto.base64("next__" .. start + #page) or "",
    prev = before and crypto.base64("next__" .. math.max(0, start - size)) or "",
  } } })
end

return answer
