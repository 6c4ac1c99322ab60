-- What is written down of an answer: statuses, error ids, names of keys, types and formats of values. No value of an
-- account's is kept, so that two accounts, or an account and a stand-in, can be compared. Texts for people are masked.

local json   = require "pgorch.json"
local secret = require "pgorch.secret"

local answer = {}

local HEX8, HEX4 = ("%x"):rep(8), ("%x"):rep(4)
local UUID = table.concat({ HEX8, HEX4, HEX4, HEX4, ("%x"):rep(12) }, "%-")

-- Formats of texts, the first that fits counts.
local FORMATS = {
  { "^" .. UUID .. "$", "uuid" },
  { "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$", "time T Z" },
  { "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d+[+-]%d%d:%d%d$", "time T fraction offset" },
  { "^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d [+-]%d%d%d%d$", "time space offset" },
  { "^%d%d%d%d%-%d%d%-%d%d", "time, another format" },
  { "^postgres://", "postgres url" }, { "^https?://", "url" }, { "^[^@%s]+@[^@%s]+$", "email" }, { "^%d+$", "digits" },
}

local function format_of(text)
  for _, each in ipairs(FORMATS) do
    if text:find(each[1]) then return each[2] end
  end
  return "text"
end

local function shape_of_table(value)
  local shape = {}
  if #value > 0 then
    shape["[]"] = answer.shape(value[1])
  else
    for name, each in pairs(value) do shape[name] = answer.shape(each) end
  end
  return next(shape) and shape or "empty"
end

---Types and formats in place of values; of a list its first item.
---@param value any  as client.lua decodes it
---@return any
function answer.shape(value)
  if value == nil or value == json.null then return "null" end
  if secret.is(value) then return "secret" end
  if type(value) == "table" then return shape_of_table(value) end
  if type(value) == "string" then return format_of(value) end
  return type(value) == "number" and math.type(value) or type(value)
end

-- What is not known by value and would still tell whose account it was.
local MASKS = {
  { "%a[%w+.-]*://[^%s\"'<>]+", "URL" }, { UUID, "UUID" }, { "[%w._%%+-]+@[%w-]+%.[%w.-]+", "EMAIL" },
  { "%d+%.%d+%.%d+%.%d+", "ADDRESS" }, { "[%w-]+%.[%w.-]*amazonaws%.com", "HOST" },
  { "postgresql%-%l+%-%d+", "ADDON" }, { "%f[%w][ud]%x%x%x%x%x%x%x+%f[%W]", "NAME" },
  { ("%x"):rep(16) .. "%x*", "HEX" },
}

local function plain(text) return (text:gsub("%p", "%%%0")) end

---A text for people, without secrets and names. `names` are values to mask and what stands in their place.
---@param text any
---@param names table<string, string>
---@return string
function answer.mask(text, names)
  text = secret.redact(tostring(text))
  local values = {}
  for value in pairs(names) do values[#values + 1] = value end
  table.sort(values, function(a, b) return #a > #b end)        -- "app-1-new" before "app-1"
  for _, value in ipairs(values) do text = text:gsub(plain(value), (plain(names[value]))) end
  for _, mask in ipairs(MASKS) do text = text:gsub(mask[1], mask[2]) end
  return text
end

---The text with every number as N: for what only differs by counts and sizes.
---@param text any
---@return string
function answer.numberless(text)
  return (tostring(text):gsub("%d+%.?%d*", "N"))
end

-- Headers that are the API's; what a proxy in front of it adds is not.
local OF_API = { "^ratelimit", "^request%-id$", "^etag$", "^last%-modified$", "^accept%-ranges$", "^content%-range$",
  "^next%-range$", "^oauth", "^x%-runtime$", "^x%-confirmation", "^retry%-after$", "^x%-heroku", "^warning" }

---@param headers table<string, string>
---@return table<string, true>
function answer.headers(headers)
  local found = {}
  for name in pairs(headers) do
    for _, pattern in ipairs(OF_API) do
      if name:find(pattern) then found[name] = true end
    end
  end
  return found
end

---An answer that may be a refusal: its status, its error id, its form; `said` is for people and is not compared.
---@param reply live.Reply
---@param names table<string, string>
---@return table
function answer.outcome(reply, names)
  local body = type(reply.value) == "table" and reply.value or {}
  local content = (reply.headers["content-type"] or "none"):match "^[^;]*"
  local refused = reply.status >= 300
  return { status = reply.status, id = refused and type(body.id) == "string" and body.id or nil, content = content,
    json = reply.value ~= nil, keys = refused and answer.shape(reply.value) or nil,
    said = refused and answer.mask(body.message or body.error or reply.text:sub(1, 200), names) or nil }
end

return answer
